/* The folder of the journals. Nothing in it is believed because of its name: a journal is a file of this user's, which
 * no other may read or write, no link, and says itself whose it is (journal_record.h). */
#include "cache/journal_folder.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { MOST_TRIES = 16, PASSWORD_ENTRY = 16384 };

static const char ENDING[] = ".journal";

/* --- where --- */

static const char *absolute_variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value == '/' ? value : NULL;
}

static char *below_home(void)
{
    struct passwd entry, *found = NULL;
    const char *home = absolute_variable("HOME");
    if (home)
        return cfs_text_format("%s/.local/state/clusterfs/journal", home);
    char *buffer CFS_AUTO_FREE = malloc(PASSWORD_ENTRY);
    if (!buffer || getpwuid_r(geteuid(), &entry, buffer, PASSWORD_ENTRY, &found) != 0 || !found)
        return NULL;
    return *found->pw_dir == '/' ? cfs_text_format("%s/.local/state/clusterfs/journal", found->pw_dir) : NULL;
}

int cfs_journal_folder(char **ret_folder)
{
    const char *state = absolute_variable("XDG_STATE_HOME");
    char *folder;
    if (state)
        folder = cfs_text_format("%s/clusterfs/journal", state);
    else if (geteuid() == 0)
        folder = strdup("/var/lib/clusterfs/journal");
    else
        folder = below_home();
    if (!folder)
        return -ENOENT;
    *ret_folder = folder;
    return 0;
}

/* --- the folder --- */

static int make_folders(const char *folder)
{
    char *path CFS_AUTO_FREE = strdup(folder);
    if (!path)
        return -ENOMEM;
    for (char *slash = path + 1; *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* The descriptor of FOLDER, which is ours alone; -errno. */
static int open_folder(const char *folder)
{
    struct stat status;
    int fd CFS_AUTO_CLOSE = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_uid != geteuid() || status.st_mode & 077)
        return -EPERM;
    return CFS_TAKE_FD(fd);
}

/* Of IDENTITY; the same in every run. */
static uint64_t hash_of(const char *identity)
{
    return cfs_siphash(0x6a6f75726e616c73, 0x636c757374657266, identity, strlen(identity));
}

/* --- a new one --- */

/* Whether FD, which is locked now, is still what has a name. */
static bool has_name(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/* 1; 0: try another name; -errno. */
static int try_create(int folder, const char *name, int *ret_fd)
{
    int fd CFS_AUTO_CLOSE = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) /* another mount has found it, and will take it for empty */
        return errno == EWOULDBLOCK ? 0 : -errno;
    if (!has_name(fd))
        return 0;
    *ret_fd = CFS_TAKE_FD(fd);
    return 1;
}

int cfs_journal_create(const char *folder, const char *identity, uint64_t limit, bool threaded,
                       struct cfs_journal **ret_journal)
{
    int error = make_folders(folder), fd = -1;
    if (error < 0)
        return error;
    int folder_fd CFS_AUTO_CLOSE = open_folder(folder);
    if (folder_fd < 0)
        return folder_fd;
    int made = 0;
    char *path CFS_AUTO_FREE = NULL;
    for (int i = 0; i < MOST_TRIES && made == 0; i++) {
        uint32_t random;
        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
            return -EIO;
        free(path);
        path = cfs_text_format("%s/%016llx-%08x%s", folder, (unsigned long long)hash_of(identity), random, ENDING);
        if (!path)
            return -ENOMEM;
        made = try_create(folder_fd, path + strlen(folder) + 1, &fd);
    }
    if (made <= 0)
        return made < 0 ? made : -EEXIST;
    if (fsync(folder_fd) < 0) {
        error = -errno;
        (void)unlink(path);
        close(fd);
        return error;
    }
    return cfs_journal_new(fd, path, identity, limit, threaded, ret_journal);
}

/* --- those that were left --- */

static bool is_name_of(const char *name, uint64_t hash)
{
    char begin[24];
    size_t length = strlen(name), ending = sizeof(ENDING) - 1;
    snprintf(begin, sizeof(begin), "%016llx-", (unsigned long long)hash);
    return strncmp(name, begin, strlen(begin)) == 0 && length > ending && strcmp(name + length - ending, ENDING) == 0;
}

/* A descriptor, locked; -EWOULDBLOCK: it is not ours to look at; -EPERM: it is no file that we have made. */
static int open_left(int folder, const char *name)
{
    struct stat status;
    int fd CFS_AUTO_CLOSE = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -EWOULDBLOCK : -EPERM;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 077 ||
        status.st_nlink > 1)
        return -EPERM;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !has_name(fd))
        return -EWOULDBLOCK;
    return CFS_TAKE_FD(fd);
}

static void set_aside(int folder, const char *path, const char *name)
{
    char *aside CFS_AUTO_FREE = cfs_text_format("%s.bad", name);
    if (aside && renameat(folder, name, folder, aside) == 0)
        cfs_log_warning("journal", "%s is set aside as %s", path, aside);
    else
        cfs_log_warning("journal", "%s cannot be set aside: %s", path, strerror(aside ? errno : ENOMEM));
}

static bool look_at(int folder_fd, const char *folder, const char *name,
                    enum cfs_journal_fate (*found)(void *context, const char *path, int fd), void *context)
{
    char *path CFS_AUTO_FREE = cfs_text_format("%s/%s", folder, name);
    int fd CFS_AUTO_CLOSE = open_left(folder_fd, name);
    if (!path || fd == -EWOULDBLOCK)
        return false;
    enum cfs_journal_fate fate = found(context, path, fd < 0 ? -1 : fd);
    if (fate == CFS_JOURNAL_IS_DONE)
        (void)unlinkat(folder_fd, name, 0);
    else if (fate == CFS_JOURNAL_IS_BAD)
        set_aside(folder_fd, path, name);
    return true;
}

int cfs_journal_each(const char *folder, const char *identity,
                     enum cfs_journal_fate (*found)(void *context, const char *path, int fd), void *context)
{
    int fd CFS_AUTO_CLOSE = open_folder(folder), count = 0;
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    struct dirent **names = NULL;
    int name_count = scandir(folder, &names, NULL, alphasort);
    if (name_count < 0)
        return -errno;
    for (int i = 0; i < name_count; i++) {
        if (is_name_of(names[i]->d_name, hash_of(identity)))
            count += look_at(fd, folder, names[i]->d_name, found, context);
        free(names[i]);
    }
    free(names);
    return count;
}

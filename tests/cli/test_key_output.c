/* Writing a key: whatever signal comes while it is half done, what stays is the old file or all of the new one, and
 * nothing beside it. The moment is fsync(2), which this program has of its own. */
#include "cli/key.h"
#include "lib/test.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int raised, refusal; /* 0: none */

/* In the place of the C library's. */
int fsync(int fd)
{
    assert_true(fd >= 0);
    if (raised)
        raise(raised);
    errno = refusal;
    return refusal ? -1 : 0;
}

static void name_file(const char *folder, char path[64])
{
    snprintf(path, 64, "%s/key", folder);
}

static unsigned files_in(const char *folder)
{
    unsigned count = 0;
    DIR *listing CFS_AUTO_CLOSEDIR = opendir(folder);
    assert_non_null(listing);
    for (const struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
        count += entry->d_name[0] != '.';
    return count;
}

/* In a process of its own; what that has ended with. */
static int write_interrupted(const char *path, int number, bool replace)
{
    static const struct rlimit no_core;
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct cfs_error error = {0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        signal(number, SIG_DFL); /* may be ignored by who has started us */
        raised = number;
        _exit(cfs_key_output_write(path, "new", 3, 0600, replace, &error) < 0 ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check_whole(const char *path, const char *wanted)
{
    char text[16] = "";
    struct stat status;
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof(text) - 1), (ssize_t)strlen(wanted));
    assert_string_equal(text, wanted);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void a_signal_leaves_nothing_beside_the_file(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    char folder[] = "/tmp/cfs.XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    name_file(folder, path);
    for (size_t i = 0; i < CFS_COUNT(numbers); i++) {
        for (int replace = 0; replace < 2; replace++) {
            int status = write_interrupted(path, numbers[i], replace);
            assert_true(WIFSIGNALED(status));
            assert_int_equal(WTERMSIG(status), numbers[i]);
            assert_int_equal(files_in(folder), 1);
            check_whole(path, "new");
        }
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void what_could_not_be_written_leaves_nothing(void **state)
{
    char folder[] = "/tmp/cfs.XXXXXX", path[64];
    struct cfs_error error = {0};
    (void)state;
    assert_non_null(mkdtemp(folder));
    name_file(folder, path);
    refusal = ENOSPC;
    assert_int_equal(cfs_key_output_write(path, "new", 3, 0600, true, &error), -ENOSPC);
    refusal = 0;
    assert_int_equal(files_in(folder), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_leaves_nothing_beside_the_file),
        cmocka_unit_test(what_could_not_be_written_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

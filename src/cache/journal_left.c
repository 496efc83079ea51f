/* The journals that earlier mounts have left: reading them, replaying them, and what becomes of their files. What has
 * been brought to the server is marked in the journal at once, so that a replay that does not come to its end goes on
 * there the next time. */
#include "base/clock.h"
#include "base/log.h"
#include "cache/journal_folder.h"
#include "cache/journal_replay.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct left {
    const char *identity;
    struct cfs_remote *remote;
    struct cfs_journal_replayed *sum;
    /* the one that is looked at */
    int fd;
    uint64_t key, sequence, end; /* where marks go */
};

static int read_all(int fd, uint8_t **ret_bytes, size_t *ret_length)
{
    struct stat status;
    size_t length = 0;
    if (fstat(fd, &status) < 0)
        return -errno;
    uint8_t *bytes CFS_AUTO_FREE = malloc((size_t)status.st_size + 1);
    if (!bytes)
        return -ENOMEM;
    while (length < (size_t)status.st_size) {
        ssize_t count = pread(fd, bytes + length, (size_t)status.st_size - length, (off_t)length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? -errno : -EIO;
        length += (size_t)count;
    }
    *ret_bytes = CFS_TAKE(bytes);
    *ret_length = length;
    return 0;
}

/* Where the whole records end: marks go there, over what a crash has torn. */
static int find_end(struct left *left, const uint8_t *bytes, size_t length)
{
    struct cfs_journal_record record;
    int found, error = cfs_journal_read_head(bytes, length, left->identity, &left->key);
    if (error < 0)
        return error;
    struct cfs_journal_cursor cursor = cfs_journal_begin(bytes, length, left->key);
    while ((found = cfs_journal_next(&cursor, &record)) > 0)
        ;
    left->sequence = cursor.sequence;
    left->end = cursor.next;
    cfs_journal_end(&cursor);
    if (found == 0 && left->end < length && ftruncate(left->fd, (off_t)left->end) < 0)
        return -errno;
    return found;
}

static void mark(void *context, uint64_t number)
{
    struct left *left = context;
    const struct cfs_journal_record record = {.type = CFS_JOURNAL_DONE, .number = number};
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    cfs_buffer_init(&bytes);
    cfs_journal_write_record(&bytes, &record, left->key, left->sequence + 1, 0);
    if (bytes.failed || pwrite(left->fd, bytes.bytes, bytes.length, (off_t)left->end) != (ssize_t)bytes.length)
        return; /* it is compared once more, then */
    left->sequence++;
    left->end += bytes.length;
}

static int replay(struct left *left, struct cfs_journal_replayed *ret_replayed)
{
    uint8_t *bytes CFS_AUTO_FREE = NULL;
    size_t length = 0;
    struct cfs_journal_replay options = {
        .server = {.remote = left->remote}, .identity = left->identity, .is_done = mark, .context = left};
    options.now = cfs_system_clock.wall(&cfs_system_clock);
    int error = read_all(left->fd, &bytes, &length);
    if (error == 0 && length == 0) /* a crash before the first of it was on the disk */
        return 0;
    if (error == 0)
        error = find_end(left, bytes, length);
    return error < 0 ? error : cfs_journal_replay_bytes(&options, bytes, length, ret_replayed);
}

static enum cfs_journal_fate judge(const char *path, int error, const struct cfs_journal_replayed *replayed)
{
    if (error == -EBADMSG || error == -EXDEV) {
        cfs_log_warning("journal", "%s: what it says is not used: %s", path,
                        error == -EXDEV ? "it belongs to another host or folder" : "it is damaged");
        return CFS_JOURNAL_IS_BAD;
    }
    if (error < 0) {
        cfs_log_warning("journal", "%s: not all of it could be brought to the server (%s); the next mount tries again",
                        path, strerror(-error));
        return CFS_JOURNAL_STAYS;
    }
    return replayed->lost > 0 ? CFS_JOURNAL_IS_BAD : CFS_JOURNAL_IS_DONE;
}

static enum cfs_journal_fate found(void *context, const char *path, int fd)
{
    struct left *left = context;
    struct cfs_journal_replayed replayed = {.changes = 0}, *sum = left->sum;
    if (fd < 0) {
        cfs_log_warning("journal", "%s is not used: it is no file of this user's alone", path);
        return CFS_JOURNAL_IS_BAD;
    }
    left->fd = fd;
    int error = replay(left, &replayed);
    if (sum->conflicts == 0)
        memcpy(sum->conflict, replayed.conflict, sizeof(sum->conflict));
    sum->changes += replayed.changes;
    sum->files += replayed.files;
    sum->conflicts += replayed.conflicts;
    sum->lost += replayed.lost;
    return judge(path, error, &replayed);
}

void cfs_journal_replay_folder(const char *folder, const char *identity, struct cfs_remote *remote,
                               struct cfs_journal_replayed *ret_replayed)
{
    struct left left = {.identity = identity, .remote = remote, .sum = ret_replayed};
    *ret_replayed = (struct cfs_journal_replayed){.changes = 0};
    int count = cfs_journal_each(folder, identity, found, &left);
    if (count < 0)
        cfs_log_warning("journal", "%s cannot be read: %s", folder, strerror(-count));
}

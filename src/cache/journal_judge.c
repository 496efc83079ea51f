/* Is the file on the server the one that the journal's bytes were meant for, as far as we have brought them there?
 *
 * It is untouched if it has the size and time that it had when it was opened. If not, it may hold a part of what is to
 * be written: then the bytes in the ranges are the right ones, or zeros (what was sent side by side arrives in any
 * order, and leaves holes), or are behind the end. Bytes that have been written twice, or that were there before, may
 * be anything: then only the time can tell, which must not be later than the flush. */
#include "cache/journal_replay_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20, LATE_S = 5 };

/* What the bytes of a range are on the server. */
struct compared {
    bool missing;   /* behind the end */
    bool zero;      /* where ours are not */
    bool different; /* otherwise */
};

static void compare_bytes(const uint8_t *is, const uint8_t *ours, size_t length, struct compared *compared)
{
    if (memcmp(is, ours, length) == 0)
        return;
    for (size_t i = 0; i < length; i++) {
        if (is[i] == ours[i])
            continue;
        if (is[i] != 0) {
            compared->different = true;
            return;
        }
        compared->zero = true;
    }
}

/* Bytes from BEGIN on that a later range writes anew are not looked at: a part of them may be of either. */
static size_t until_rewritten(const struct cfs_journal_ranges *ranges, size_t place, uint64_t begin, size_t length,
                              size_t *ret_skip)
{
    *ret_skip = 0;
    for (size_t i = place + 1; i < ranges->count; i++) {
        const struct cfs_journal_range *later = &ranges->of[i];
        uint64_t end = later->offset + later->length;
        if (later->offset <= begin && end > begin) {
            *ret_skip = end - begin < length ? (size_t)(end - begin) : length;
            return 0;
        }
        if (later->offset > begin && later->offset - begin < length)
            length = (size_t)(later->offset - begin);
    }
    return length;
}

static int compare_range(struct cfs_journal_server *server, struct cfs_remote_file *file,
                         const struct cfs_journal_ranges *ranges, size_t place, uint8_t *buffer,
                         struct compared *compared)
{
    const struct cfs_journal_range *range = &ranges->of[place];
    for (size_t at = 0; at < range->length;) {
        size_t skip, count, left = range->length - at < CHUNK ? range->length - at : CHUNK;
        size_t length = until_rewritten(ranges, place, range->offset + at, left, &skip);
        at += skip;
        if (length == 0)
            continue;
        int error = cfs_server_read(server, file, range->offset + at, length, buffer, &count);
        if (error < 0)
            return error;
        compare_bytes(buffer, range->data + at, count, compared);
        compared->missing |= count < length;
        at += length;
    }
    return 0;
}

static int compare(struct cfs_journal_server *server, const char *path, const struct cfs_journal_ranges *ranges,
                   struct compared *ret_compared)
{
    struct compared compared = {.missing = false};
    struct cfs_remote_file *file = NULL;
    uint8_t *buffer CFS_AUTO_FREE = malloc(CHUNK);
    if (!buffer)
        return -ENOMEM;
    int error = cfs_server_open(server, path, O_RDONLY, 0, &file);
    if (error < 0)
        return error;
    for (size_t i = 0; i < ranges->count && error == 0 && !compared.different; i++)
        error = compare_range(server, file, ranges, i, buffer, &compared);
    int closed = cfs_server_close(server, file);
    *ret_compared = compared;
    return error < 0 ? error : closed;
}

static bool is_untouched(const struct cfs_journal_record *flush, const struct cfs_remote_attributes *is)
{
    const unsigned both = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    return !flush->is_new && (flush->known.valid & is->valid & both) == both && is->size == flush->known.size &&
           is->mtime == flush->known.mtime;
}

/* Nobody has changed it after the flush, by its time. */
static bool may_be_ours(const struct cfs_journal_record *flush, const struct cfs_remote_attributes *is)
{
    if (!flush->rewrites || flush->server_time == 0 || !(is->valid & CFS_REMOTE_TIMES))
        return false;
    bool is_old = !flush->is_new && flush->known.valid & CFS_REMOTE_TIMES && is->mtime < flush->known.mtime;
    return !is_old && is->mtime <= flush->server_time + LATE_S;
}

/* What the server's file had at the flush, or more. */
static uint64_t least_size(const struct cfs_journal_record *flush)
{
    return flush->is_new || flush->known.size < flush->arrived ? flush->arrived : flush->known.size;
}

/* It has a size that it had on the way. */
static bool fits(const struct cfs_journal_record *flush, const struct cfs_remote_attributes *is)
{
    uint64_t least = least_size(flush), most = least < flush->end ? flush->end : least;
    return is->valid & CFS_REMOTE_SIZE && is->size >= least && is->size <= most;
}

/* Nothing in the ranges speaks against it. Does anything speak for it? If nothing has arrived since the flush, the time
 * cannot be later. */
static bool is_plausible(const struct cfs_journal_record *flush, const struct cfs_remote_attributes *is)
{
    uint64_t least = least_size(flush);
    bool had_arrived = flush->is_new || flush->arrived > flush->known.size;
    if (is->size > least || least == 0)
        return true;
    if (!had_arrived && flush->known.valid & CFS_REMOTE_TIMES)
        return false; /* it was not untouched */
    return is->valid & CFS_REMOTE_TIMES && is->mtime <= flush->server_time + LATE_S;
}

int cfs_journal_judge(struct cfs_journal_server *server, const struct cfs_journal_record *flush,
                      const struct cfs_journal_ranges *ranges, const struct cfs_remote_attributes *attributes,
                      enum cfs_journal_verdict *ret_verdict)
{
    struct compared compared;
    *ret_verdict = CFS_JOURNAL_IS_ANOTHER;
    if (!S_ISREG(attributes->mode))
        return 0;
    int error = compare(server, flush->path, ranges, &compared);
    if (error < 0)
        return error;
    if (!compared.missing && !compared.zero && !compared.different)
        *ret_verdict = CFS_JOURNAL_ALL_THERE;
    else if (is_untouched(flush, attributes) || (fits(flush, attributes) && may_be_ours(flush, attributes)))
        *ret_verdict = CFS_JOURNAL_GO_ON;
    else if (fits(flush, attributes) && is_plausible(flush, attributes) && !compared.different)
        *ret_verdict = CFS_JOURNAL_GO_ON;
    return 0;
}

static int read_both(struct cfs_journal_server *server, struct cfs_remote_file *a, struct cfs_remote_file *b,
                     uint64_t size, bool *ret_same)
{
    uint8_t *buffer CFS_AUTO_FREE = malloc(2 * (size_t)CHUNK);
    if (!buffer)
        return -ENOMEM;
    for (uint64_t at = 0; at < size; at += CHUNK) {
        size_t length = size - at < CHUNK ? (size_t)(size - at) : CHUNK, of_a, of_b;
        int error = cfs_server_read(server, a, at, length, buffer, &of_a);
        if (error == 0)
            error = cfs_server_read(server, b, at, length, buffer + CHUNK, &of_b);
        if (error < 0)
            return error;
        if (of_a != of_b || memcmp(buffer, buffer + CHUNK, of_a) != 0)
            return 0;
    }
    *ret_same = true;
    return 0;
}

int cfs_journal_is_same(struct cfs_journal_server *server, const char *path, const char *other, uint64_t size,
                        bool *ret_same)
{
    struct cfs_remote_file *a, *b;
    *ret_same = false;
    int error = cfs_server_open(server, path, O_RDONLY, 0, &a);
    if (error < 0)
        return error;
    error = cfs_server_open(server, other, O_RDONLY, 0, &b);
    if (error == 0) {
        error = read_both(server, a, b, size, ret_same);
        int closed = cfs_server_close(server, b);
        error = error < 0 ? error : closed;
    }
    int closed = cfs_server_close(server, a);
    return error < 0 ? error : closed;
}

/* --- writing --- */

/* A file may have been made read-only since. */
static int open_all_the_same(struct cfs_journal_server *server, const char *path, int flags, mode_t mode,
                             mode_t *ret_mode, struct cfs_remote_file **ret_file)
{
    struct cfs_remote_attributes is, set = {.valid = CFS_REMOTE_MODE};
    int error = cfs_server_open(server, path, flags, mode, ret_file);
    if (error != -EACCES || flags & O_CREAT || cfs_server_lstat(server, path, &is) < 0 || is.mode & S_IWUSR)
        return error;
    set.mode = (is.mode & 07777) | S_IWUSR;
    if (cfs_server_setattr(server, path, S_IFREG, &set) < 0)
        return error;
    *ret_mode = is.mode & 07777;
    return cfs_server_open(server, path, flags, mode, ret_file);
}

int cfs_journal_write_ranges(struct cfs_journal_server *server, const char *path, int flags, mode_t mode,
                             const struct cfs_journal_ranges *ranges)
{
    static const mode_t none = (mode_t)-1;
    struct cfs_remote_file *file;
    mode_t before = none;
    int error = open_all_the_same(server, path, flags, mode, &before, &file);
    if (error < 0)
        return error;
    for (size_t i = 0; i < ranges->count && error == 0; i++)
        error = cfs_server_write(server, file, ranges->of[i].offset, ranges->of[i].length, ranges->of[i].data);
    int closed = cfs_server_close(server, file);
    if (error == 0)
        error = closed;
    if (before != none) {
        const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_MODE, .mode = before};
        int restored = cfs_server_setattr(server, path, S_IFREG, &set);
        error = error < 0 ? error : restored;
    }
    return error;
}

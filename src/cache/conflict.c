/* conflict = copy: a file that has changed on the server, or is gone, under what was written to it here. The server's
 * version stays as it is, and the program is told -ESTALE; what this mount knows of the file is saved beside it, as
 * NAME.clusterfs-conflict-YYYYMMDDTHHMMSS.
 *
 * It is done here since the contents have all of it: the blocks that were read or written and acknowledged, the extents
 * that are on their way, and those that are not. The first write that ends with -ESTALE takes blocks and unsent extents
 * away from the content (they would only fail, too), then each extent that was on its way as it ends. When none is left
 * the copy is made, of what is newest for each byte; what is not known is left as a hole, and the log says how much was
 * known. Whatever happens to the content meanwhile is no matter: it has nothing to do with the copy any more.
 *
 * All of a copy's own fields are changed by one call at a time, the one in flight; blocks are looked at under the lock.
 */
#include "base/log.h"
#include "base/text.h"
#include "cache/conflict_name.h"
#include "cache/contents_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_NAMES = 100, PIECE = 256 << 10 };

struct cfs_conflict {
    struct cfs_remote_call call;
    struct cfs_contents *contents;
    char *path, *copy_path;
    unsigned names_tried;
    mode_t mode;
    uint64_t size, server_size; /* as they were to the content */
    struct cfs_block_owner blocks;
    struct cfs_extents unsent;
    struct cfs_extent **sent;
    size_t sent_count;
    struct cfs_remote_file *file;
    uint8_t *piece;
    uint64_t next;  /* what lies before has been looked at */
    uint64_t known; /* bytes of it */
    uint64_t end;   /* of what was written */
    int error;      /* the first one */
};

static void free_conflict(struct cfs_conflict *conflict)
{
    for (size_t i = 0; i < conflict->sent_count; i++)
        cfs_extent_free(conflict->sent[i]);
    free(conflict->sent);
    cfs_extents_fini(&conflict->unsent);
    cfs_blocks_drop(&conflict->contents->blocks, &conflict->blocks, 0, UINT64_MAX);
    free(conflict->piece);
    free(conflict->path);
    free(conflict->copy_path);
    free(conflict);
}

/* --- collecting --- */

static struct cfs_conflict *new_conflict(const struct cfs_content *content)
{
    const char *path = content->path ? content->path : content->path_before;
    struct cfs_conflict *conflict = path ? calloc(1, sizeof(*conflict)) : NULL;
    if (!conflict)
        return NULL;
    conflict->contents = content->contents;
    conflict->path = strdup(path);
    conflict->piece = malloc(PIECE);
    conflict->mode = content->kind.valid & CFS_REMOTE_MODE ? content->kind.mode & 0777 : 0600;
    conflict->size = content->size;
    conflict->server_size = content->server_size;
    cfs_block_owner_init(&conflict->blocks, NULL);
    if (!conflict->path || !conflict->piece) {
        free_conflict(conflict);
        return NULL;
    }
    return conflict;
}

void cfs_conflict_begin(struct cfs_content *content)
{
    struct cfs_contents *contents = content->contents;
    if (!contents->core.options.copies_conflicts || content->is_conflicted || !content->size_known)
        return;
    struct cfs_conflict *conflict = content->conflict = new_conflict(content);
    if (!conflict)
        return;
    content->is_conflicted = true;
    conflict->unsent = content->extents;
    cfs_extents_init(&content->extents, cfs_writer_extent_size, contents->write_size);
    for (size_t i = 0; i < conflict->unsent.count; i++)
        contents->dirty_bytes -= conflict->unsent.of[i]->length;
    cfs_blocks_move(&contents->blocks, &content->owner, &conflict->blocks);
}

bool cfs_conflict_takes(struct cfs_content *content, struct cfs_extent *extent)
{
    struct cfs_conflict *conflict = content->conflict;
    struct cfs_extent **more =
        conflict ? reallocarray(conflict->sent, conflict->sent_count + 1, sizeof(struct cfs_extent *)) : NULL;
    if (!more)
        return false;
    conflict->sent = more;
    more[conflict->sent_count++] = extent;
    return true;
}

/* --- what is known --- */

enum knowledge { UNKNOWN, ZEROS, DATA };

static const uint8_t *in_extent(const struct cfs_extent *extent, uint64_t offset, uint64_t *limit)
{
    uint64_t end = cfs_extent_end(extent);
    if (extent->offset > offset) {
        *limit = extent->offset < *limit ? extent->offset : *limit;
        return NULL;
    }
    if (end <= offset)
        return NULL;
    *limit = end < *limit ? end : *limit;
    return extent->data + (offset - extent->offset);
}

static const uint8_t *in_block(const struct cfs_conflict *conflict, uint64_t offset, uint64_t *limit)
{
    uint64_t index = offset / CFS_BLOCK_SIZE, at = offset % CFS_BLOCK_SIZE;
    const struct cfs_block *block = cfs_blocks_find(&conflict->contents->blocks, &conflict->blocks, index);
    uint64_t unit = block ? CFS_PAGE_SIZE : CFS_BLOCK_SIZE, end = offset / unit * unit + unit;
    *limit = end < *limit ? end : *limit;
    return block && block->valid >> (at / CFS_PAGE_SIZE) & 1 ? block->data + at : NULL;
}

/* What is at `next`, up to *LIMIT; the newest first. */
static enum knowledge look(const struct cfs_conflict *conflict, uint64_t *limit, const uint8_t **ret_data)
{
    uint64_t offset = conflict->next;
    const uint8_t *data = NULL;
    *limit = conflict->size;
    size_t place = cfs_extents_find(&conflict->unsent, offset);
    if (place < conflict->unsent.count)
        data = in_extent(conflict->unsent.of[place], offset, limit);
    for (size_t i = 0; !data && i < conflict->sent_count; i++)
        data = in_extent(conflict->sent[i], offset, limit);
    if (!data && offset >= conflict->server_size)
        return ZEROS; /* a hole that was made here */
    if (!data && conflict->server_size < *limit)
        *limit = conflict->server_size;
    if (!data)
        data = in_block(conflict, offset, limit);
    *ret_data = data;
    return data ? DATA : UNKNOWN;
}

/* The next piece that lies in one, at *RET_OFFSET; 0: there is no more. Takes the lock. */
static size_t gather(struct cfs_conflict *conflict, uint64_t *ret_offset)
{
    struct cfs_contents *contents = conflict->contents;
    size_t length = 0;
    pthread_mutex_lock(&contents->lock);
    uint64_t before = conflict->next;
    while (conflict->next < conflict->size && length < PIECE) {
        const uint8_t *data;
        uint64_t limit;
        enum knowledge knowledge = look(conflict, &limit, &data);
        uint64_t count = limit - conflict->next;
        if (knowledge != DATA && length > 0)
            break;
        if (knowledge == DATA) {
            count = count < PIECE - length ? count : PIECE - length;
            *ret_offset = length == 0 ? conflict->next : *ret_offset;
            memcpy(conflict->piece + length, data, count);
            length += count;
        }
        conflict->known += knowledge == UNKNOWN ? 0 : count;
        conflict->next += count;
    }
    contents->copying_bytes -= conflict->next - before;
    pthread_mutex_unlock(&contents->lock);
    return length;
}

/* --- telling --- */

static char *how_much(const struct cfs_conflict *conflict)
{
    char known[16], size[16];
    if (conflict->known >= conflict->size)
        return strdup("all of it");
    return cfs_text_format("%s of %s", cfs_text_format_size(conflict->known, known, sizeof(known)),
                           cfs_text_format_size(conflict->size, size, sizeof(size)));
}

static void tell(const struct cfs_contents *contents, const char *path, const char *what, int error)
{
    if (contents->core.options.failed)
        contents->core.options.failed(contents->core.options.context, path, what, error);
}

static void tell_saved(const struct cfs_conflict *conflict)
{
    char *known CFS_AUTO_FREE = how_much(conflict);
    char *what CFS_AUTO_FREE = cfs_text_format("it holds what was written to %s (%s), which has changed on the server",
                                               conflict->path, known ? known : "?");
    cfs_log_error("cache", "%s: it has changed on the server under what was written here, which is in %s (%s)",
                  conflict->path, conflict->copy_path, known ? known : "?");
    tell(conflict->contents, conflict->copy_path, what ? what : "it holds what was written", -ESTALE);
}

static void tell_lost(const struct cfs_conflict *conflict)
{
    const char *what = "it has changed on the server, and what was written here could not be saved beside it";
    cfs_log_error("cache", "%s: %s: %s", conflict->path, what, strerror(-conflict->error));
    tell(conflict->contents, conflict->path, what, conflict->error);
}

/* --- the copy: one call after another --- */

#define submit(conflict, then, operation, ...)                                                                         \
    do {                                                                                                               \
        struct cfs_remote *cfs_lower = (conflict)->contents->core.lower;                                               \
        (conflict)->call = (struct cfs_remote_call){.done = (then)};                                                   \
        atomic_fetch_add_explicit(&(conflict)->contents->core.calls_below, 1, memory_order_relaxed);                   \
        cfs_lower->operations->operation(cfs_lower, &(conflict)->call, ##__VA_ARGS__);                                 \
    } while (0)

static struct cfs_conflict *of(struct cfs_remote_call *call)
{
    return cfs_container_of(call, struct cfs_conflict, call);
}

static void finish(struct cfs_conflict *conflict)
{
    struct cfs_contents *contents = conflict->contents;
    if (conflict->error < 0)
        tell_lost(conflict);
    else
        tell_saved(conflict);
    if (conflict->error == 0 && contents->appeared)
        contents->appeared(contents->appeared_context, conflict->copy_path);
    pthread_mutex_lock(&contents->lock);
    contents->copying_bytes -= conflict->size - conflict->next;
    free_conflict(conflict);
    cfs_blocks_trim(&contents->blocks);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_release(&contents->core);
}

static void removed(struct cfs_remote_call *call)
{
    finish(of(call));
}

static void note(struct cfs_conflict *conflict)
{
    if (conflict->error == 0)
        conflict->error = conflict->call.error;
}

static void closed(struct cfs_remote_call *call)
{
    struct cfs_conflict *conflict = of(call);
    note(conflict);
    if (conflict->error < 0) /* half a copy would be taken for one */
        submit(conflict, removed, unlink, conflict->copy_path);
    else
        finish(conflict);
}

static void synced(struct cfs_remote_call *call)
{
    struct cfs_conflict *conflict = of(call);
    note(conflict);
    submit(conflict, closed, close, conflict->file);
}

static void sized(struct cfs_remote_call *call)
{
    struct cfs_conflict *conflict = of(call);
    note(conflict);
    if (conflict->error < 0)
        submit(conflict, closed, close, conflict->file);
    else
        submit(conflict, synced, fsync, conflict->file);
}

static void written(struct cfs_remote_call *call)
{
    struct cfs_conflict *conflict = of(call);
    struct cfs_remote_attributes size = {.valid = CFS_REMOTE_SIZE, .size = conflict->size};
    uint64_t offset = 0;
    note(conflict);
    size_t length = conflict->error == 0 ? gather(conflict, &offset) : 0;
    if (length > 0) {
        conflict->end = offset + length;
        submit(conflict, written, write, conflict->file, offset, length, conflict->piece);
    } else if (conflict->error == 0 && conflict->end < conflict->size) {
        submit(conflict, sized, fsetattr, conflict->file, &size);
    } else {
        sized(call);
    }
}

static void open_next(struct cfs_conflict *conflict);

static void opened(struct cfs_remote_call *call)
{
    struct cfs_conflict *conflict = of(call);
    if (call->error == -EEXIST && conflict->names_tried < MOST_NAMES) {
        open_next(conflict);
        return;
    }
    note(conflict);
    conflict->file = call->result.file;
    if (conflict->error < 0)
        finish(conflict);
    else
        written(call);
}

static void open_next(struct cfs_conflict *conflict)
{
    const struct cfs_clock *clock = conflict->contents->core.clock;
    free(conflict->copy_path);
    conflict->copy_path = cfs_conflict_name(conflict->path, clock->wall(clock).tv_sec, ++conflict->names_tried);
    if (!conflict->copy_path) {
        conflict->error = -ENOMEM;
        finish(conflict);
        return;
    }
    submit(conflict, opened, open, conflict->copy_path, O_WRONLY | O_CREAT | O_EXCL, conflict->mode);
}

static void start(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_conflict *conflict = CFS_TAKE(call->conflict);
    cfs_cache_call_finish(base, 0);
    open_next(conflict);
}

void cfs_conflict_go_on(struct cfs_content *content)
{
    struct cfs_contents *contents = content->contents;
    if (!content->conflict || !cfs_list_empty(&content->sent))
        return;
    struct cfs_conflict *conflict = CFS_TAKE(content->conflict);
    struct cfs_content_call *call = cfs_cache_call_new(&contents->core, NULL, sizeof(*call), NULL);
    cfs_cache_hold(&contents->core);
    contents->copying_bytes += conflict->size;
    if (call) {
        call->conflict = conflict;
        cfs_cache_call_post(&call->call, start);
        return;
    }
    conflict->error = -ENOMEM;
    tell_lost(conflict);
    contents->copying_bytes -= conflict->size;
    free_conflict(conflict);
    cfs_cache_release(&contents->core);
}

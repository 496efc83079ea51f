/* Write-behind. What is written is copied into extents (extents.h) and sent when it has the size of a full WRITE, when
 * nothing of the file is on the way (so that a slow writer waits for no timer, and a fast one is coalesced, as Nagle
 * does for TCP), when somebody waits for it, or when the budget is short.
 *
 * An extent is not sent while one that it overlaps is on the way, so that the order in which they arrive does not
 * matter, and they may go by several handles. The data of an extent that was sent stays until it is acknowledged, to be
 * read. When it fails, its data is gone, as with a local disk (but see conflict.c); the file is marked: its writers are
 * told, and what the server has of it is asked for anew. */
#include "base/log.h"
#include "cache/contents_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* An extent on its way. */
struct sending {
    struct cfs_extent extent;    /* the first member */
    struct cfs_content *content; /* referenced */
    struct cfs_remote_call call;
    struct cfs_list link;
    struct cfs_link_transfer transfer;
};

const size_t cfs_writer_extent_size = sizeof(struct sending);

static struct sending *sending_of(struct cfs_list *link)
{
    return cfs_container_of(link, struct sending, link);
}

/* --- finding --- */

static const struct cfs_extent *find_sent(const struct cfs_content *content, uint64_t offset, uint64_t *limit)
{
    const struct cfs_extent *found = NULL;
    struct cfs_list *link;
    cfs_list_each (link, &content->sent) {
        const struct cfs_extent *extent = &sending_of(link)->extent;
        if (extent->offset <= offset && offset < cfs_extent_end(extent)) {
            found = extent;
            if (cfs_extent_end(extent) < *limit)
                *limit = cfs_extent_end(extent);
        } else if (extent->offset > offset && extent->offset < *limit) {
            *limit = extent->offset;
        }
    }
    return found;
}

const struct cfs_extent *cfs_writer_find(const struct cfs_content *content, uint64_t offset, uint64_t *ret_limit)
{
    size_t place = cfs_extents_find(&content->extents, offset);
    const struct cfs_extent *dirty = place < content->extents.count ? content->extents.of[place] : NULL;
    uint64_t limit = UINT64_MAX;
    if (dirty && dirty->offset <= offset) {
        *ret_limit = cfs_extent_end(dirty);
        return dirty;
    }
    if (dirty)
        limit = dirty->offset;
    const struct cfs_extent *sent = find_sent(content, offset, &limit);
    *ret_limit = limit;
    return sent;
}

uint64_t cfs_writer_end(const struct cfs_content *content)
{
    const struct cfs_extents *extents = &content->extents;
    uint64_t end = extents->count ? cfs_extent_end(extents->of[extents->count - 1]) : 0;
    struct cfs_list *link;
    cfs_list_each (link, &content->sent) {
        if (cfs_extent_end(&sending_of(link)->extent) > end)
            end = cfs_extent_end(&sending_of(link)->extent);
    }
    return end;
}

uint64_t cfs_contents_visit_dirty(struct cfs_remote *remote, struct cfs_remote_file *file,
                              void (*visit)(void *context, uint64_t offset, size_t length, const uint8_t *data),
                              void *context)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    pthread_mutex_lock(&contents->lock);
    const struct cfs_content *content = cfs_content_file_of(file)->content;
    struct cfs_list *link;
    cfs_list_each (link, &content->sent) {
        const struct cfs_extent *extent = &sending_of(link)->extent;
        visit(context, extent->offset, extent->length, extent->data);
    }
    for (size_t i = 0; i < content->extents.count; i++) {
        const struct cfs_extent *extent = content->extents.of[i];
        visit(context, extent->offset, extent->length, extent->data);
    }
    uint64_t arrived = content->size_known || content->written > 0 ? content->server_size : 0;
    pthread_mutex_unlock(&contents->lock);
    return arrived;
}

static bool overlaps_sent(const struct cfs_content *content, const struct cfs_extent *extent)
{
    struct cfs_list *link;
    cfs_list_each (link, &content->sent) {
        const struct cfs_extent *sent = &sending_of(link)->extent;
        if (sent->offset < cfs_extent_end(extent) && extent->offset < cfs_extent_end(sent))
            return true;
    }
    return false;
}

/* --- errors --- */

static void note_error(struct cfs_content *content, int error)
{
    if (content->error != error || !content->must_learn)
        cfs_log_error("cache", "%s: what was written could not be put on the server: %s",
                      content->path ? content->path : "a file without a name", strerror(-error));
    content->error = error;
    content->errors++;
    content->must_learn = true;
    cfs_content_drop(content);
}

static int untold(const struct cfs_content_file *file)
{
    return file->errors_told != file->content->errors ? file->content->error : 0;
}

int cfs_writer_tell(struct cfs_content_file *file)
{
    int error = untold(file);
    file->errors_told = file->content->errors;
    return error;
}

/* --- waiting for what was written --- */

static uint64_t oldest(const struct cfs_content *content)
{
    uint64_t number = UINT64_MAX;
    struct cfs_list *link;
    for (size_t i = 0; i < content->extents.count; i++) {
        if (content->extents.of[i]->first_written < number)
            number = content->extents.of[i]->first_written;
    }
    cfs_list_each (link, &content->sent) {
        if (sending_of(link)->extent.first_written < number)
            number = sending_of(link)->extent.first_written;
    }
    return number;
}

static void end_drains(struct cfs_content *content)
{
    if (cfs_list_empty(&content->drains))
        return;
    uint64_t number = oldest(content);
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &content->drains) {
        struct cfs_turn *turn = cfs_container_of(link, struct cfs_turn, link);
        if (turn->number >= number)
            continue;
        cfs_list_remove(link);
        turn->draining = false;
        turn->granted(turn);
    }
}

void cfs_writer_drain(struct cfs_turn *turn, void (*drained)(struct cfs_turn *turn))
{
    struct cfs_content *content = turn->content;
    turn->granted = drained;
    turn->draining = true;
    if (turn->number > content->drain_to)
        content->drain_to = turn->number;
    cfs_list_push_back(&content->drains, &turn->link);
    cfs_writer_kick(content);
    end_drains(content);
}

/* --- sending --- */

static void patch_size(struct cfs_content *content, const struct cfs_extent *extent)
{
    if (cfs_extent_end(extent) > content->server_size)
        content->server_size = cfs_extent_end(extent);
}

static void on_sent(struct cfs_remote_call *call)
{
    struct sending *sending = cfs_container_of(call, struct sending, call);
    struct cfs_content *content = sending->content;
    struct cfs_contents *contents = content->contents;
    struct cfs_content_file *file = sending->extent.owner;
    pthread_mutex_lock(&contents->lock);
    cfs_list_remove(&sending->link);
    contents->dirty_bytes -= sending->extent.length;
    cfs_link_done(&contents->up, &sending->transfer, sending->extent.length, call->error == 0,
                  cfs_clock_ms(contents->core.clock));
    cfs_content_changed(content);
    if (call->error == -ESTALE)
        cfs_conflict_begin(content);
    bool is_taken = cfs_conflict_takes(content, &sending->extent);
    if (call->error < 0) {
        note_error(content, call->error);
    } else {
        patch_size(content, &sending->extent);
        cfs_reader_patch(content, &sending->extent);
    }
    if (!is_taken)
        cfs_extent_free(&sending->extent);
    cfs_content_file_put(file);
    cfs_conflict_go_on(content);
    cfs_writer_kick(content);
    end_drains(content);
    cfs_turns_pump(content);
    cfs_turns_feed_starving(contents);
    cfs_writer_kick_all(contents);
    cfs_content_put(content);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_release(&contents->core);
}

static void send_extent(struct cfs_content *content, size_t place)
{
    struct cfs_contents *contents = content->contents;
    struct sending *sending = cfs_container_of(cfs_extents_take(&content->extents, place), struct sending, extent);
    struct cfs_content_file *file = sending->extent.owner;
    struct cfs_remote *lower = contents->core.lower;
    sending->content = content;
    sending->call.done = on_sent;
    cfs_content_get(content);
    file->uses++;
    cfs_list_push_back(&content->sent, &sending->link);
    cfs_link_sent(&contents->up, &sending->transfer, sending->extent.length, cfs_clock_ms(contents->core.clock));
    cfs_cache_hold(&contents->core);
    atomic_fetch_add_explicit(&contents->core.calls_below, 1, memory_order_relaxed);
    lower->operations->write(lower, &sending->call, file->lower, sending->extent.offset, sending->extent.length,
                             sending->extent.data);
}

bool cfs_writer_has_room(const struct cfs_contents *contents, uint64_t length)
{
    return contents->dirty_bytes == 0 || contents->dirty_bytes + length <= contents->core.options.dirty_limit;
}

static bool is_short(const struct cfs_contents *contents)
{
    return !cfs_list_empty(&contents->starving) || contents->dirty_bytes > contents->core.options.dirty_limit / 2;
}

void cfs_writer_kick(struct cfs_content *content)
{
    struct cfs_contents *contents = content->contents;
    bool all = cfs_list_empty(&content->sent) || is_short(contents);
    size_t place = 0;
    while (place < content->extents.count && contents->up.in_flight < cfs_link_limit(&contents->up)) {
        const struct cfs_extent *extent = content->extents.of[place];
        bool should_go = all || extent->length == content->extents.limit || extent->first_written <= content->drain_to;
        if (should_go && !overlaps_sent(content, extent))
            send_extent(content, place);
        else
            place++;
    }
    cfs_list_remove(&content->of_dirty);
    if (content->extents.count > 0)
        cfs_list_push_back(&contents->dirty, &content->of_dirty);
}

void cfs_writer_kick_all(struct cfs_contents *contents)
{
    struct cfs_list waiting;
    struct cfs_list *link;
    cfs_list_init(&waiting);
    cfs_list_splice(&waiting, &contents->dirty);
    while ((link = cfs_list_pop_front(&waiting)))
        cfs_writer_kick(cfs_container_of(link, struct cfs_content, of_dirty));
}

/* --- writing --- */

/* Without a budget a write completes when it is on the server. */
static void written_through(struct cfs_turn *turn)
{
    struct cfs_content_call *call = cfs_container_of(turn, struct cfs_content_call, turn);
    cfs_cache_call_finish_later(&call->call, cfs_writer_tell(call->file));
}

static int put(struct cfs_content_call *call)
{
    struct cfs_content *content = call->content;
    struct cfs_contents *contents = content->contents;
    uint64_t length = call->turn.length, end = call->turn.offset + length;
    size_t added;
    int error = cfs_extents_write(&content->extents, call->turn.offset, length, call->data, call->file,
                                  ++content->written, &added);
    contents->dirty_bytes += added;
    cfs_content_changed(content);
    if (error == 0 && content->size < end)
        content->size = end;
    return error;
}

void cfs_write_granted(struct cfs_turn *turn)
{
    struct cfs_content_call *call = cfs_container_of(turn, struct cfs_content_call, turn);
    int error = untold(call->file);
    if (error == 0)
        error = put(call);
    if (error == 0 && turn->content->contents->core.options.dirty_limit == 0) {
        turn->number = turn->content->written;
        cfs_writer_drain(turn, written_through);
        return;
    }
    cfs_cache_call_finish_later(&call->call, error);
    cfs_writer_kick(turn->content);
}

/* --- after an error: what does the server have? --- */

struct learning {
    struct cfs_turn turn;
    struct cfs_remote_call call;
    struct cfs_content_file *file;
};

static void learned(struct cfs_remote_call *call)
{
    struct learning *learning = cfs_container_of(call, struct learning, call);
    struct cfs_content *content = learning->turn.content;
    struct cfs_contents *contents = content->contents;
    struct cfs_remote_attributes attributes = call->result.attributes;
    if (call->error < 0)
        attributes.valid = 0;
    pthread_mutex_lock(&contents->lock);
    content->learns = false;
    content->is_conflicted &= call->error < 0;
    cfs_content_learn(content, &attributes);
    cfs_content_file_put(learning->file);
    cfs_turn_end(&learning->turn);
    cfs_content_put(content);
    free(learning);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_release(&contents->core);
}

static void ask(struct cfs_turn *turn)
{
    struct learning *learning = cfs_container_of(turn, struct learning, turn);
    struct cfs_contents *contents = turn->content->contents;
    struct cfs_remote *lower = contents->core.lower;
    learning->call.done = learned;
    cfs_content_get(turn->content);
    learning->file->uses++;
    cfs_cache_hold(&contents->core);
    atomic_fetch_add_explicit(&contents->core.calls_below, 1, memory_order_relaxed);
    lower->operations->fstat(lower, &learning->call, learning->file->lower);
}

void cfs_writer_learn(struct cfs_content *content)
{
    static const struct cfs_remote_attributes nothing;
    struct cfs_content_file *file = cfs_list_first(&content->files, struct cfs_content_file, of_content);
    struct learning *learning = file ? calloc(1, sizeof(*learning)) : NULL;
    content->must_learn = false;
    if (!learning) {
        cfs_content_learn(content, &nothing);
        return;
    }
    learning->turn = (struct cfs_turn){.content = content, .kind = CFS_TURN_BARRIER, .granted = ask};
    learning->file = file;
    content->learns = true;
    cfs_turn_force(&learning->turn);
}

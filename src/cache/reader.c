/* Reading: from what was written here, from blocks, from the server; and ahead.
 *
 * A read copies what is there from its beginning on, asks for all that is missing, and waits for it, in
 * content->readers; each fetch that ends lets the waiting reads try again. Since they copy in the same turn of the lock
 * in which a fetch ends, they go on even if nothing can be kept. Pages that are already on their way are not asked for
 * again: a read joins the fetch.
 *
 * What is fetched ahead of streams is bounded by what the link carries (link.h), over all files; the files take turns.
 * What somebody waits for is never held back. */
#include "base/later.h"
#include "cache/contents_priv.h"
#include <errno.h>
#include <string.h>

/* Who waits for so few is answered by the thread on which they arrive: he waits for each of them. Of more, the next are
 * better received meanwhile. */
enum { FEW_PAGES = 8 };

struct fetch {
    struct cfs_remote_call call;
    struct cfs_content *content;   /* referenced */
    struct cfs_content_file *file; /* used */
    struct cfs_block *block;
    uint32_t first, count; /* pages */
    uint64_t server_size;  /* as it was known when this was sent */
    uint64_t started;
    bool ahead;
    struct cfs_link_transfer transfer;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- what is there --- */

static const struct cfs_block *block_with(const struct cfs_content *content, uint64_t offset)
{
    const struct cfs_block *block =
        cfs_blocks_find(&content->contents->blocks, &content->owner, offset / CFS_BLOCK_SIZE);
    return block && block->valid >> (offset % CFS_BLOCK_SIZE / CFS_PAGE_SIZE) & 1 ? block : NULL;
}

/* Bytes that are there from OFFSET on, at least one and at most LIMIT - OFFSET; 0: the page must be fetched. OLD: also
 * those that are suspect. COPY, if not NULL, gets them. */
static size_t available(struct cfs_content *content, uint64_t offset, uint64_t limit, bool old, uint8_t *copy)
{
    uint64_t until;
    const struct cfs_extent *extent = cfs_writer_find(content, offset, &until);
    until = smaller(until, limit);
    if (extent) {
        if (copy)
            memcpy(copy, extent->data + (offset - extent->offset), until - offset);
        return until - offset;
    }
    if (offset >= content->server_size) { /* a hole that was made here */
        if (copy)
            memset(copy, 0, until - offset);
        return until - offset;
    }
    bool is_suspect = !old && cfs_content_is_suspect(content, offset);
    const struct cfs_block *block = is_suspect ? NULL : block_with(content, offset);
    if (!block)
        return 0;
    until = smaller(until, offset / CFS_PAGE_SIZE * CFS_PAGE_SIZE + CFS_PAGE_SIZE);
    if (copy)
        memcpy(copy, block->data + offset % CFS_BLOCK_SIZE, until - offset);
    return until - offset;
}

/* --- fetching --- */

static void judge_end(struct cfs_content *content, const struct fetch *fetch, uint64_t end, bool is_short)
{
    if (cfs_content_is_ahead(content, fetch->started))
        return;
    if (is_short && end < fetch->server_size) {
        /* Somebody made it shorter: what is kept may be wrong as well. */
        cfs_content_drop(content);
        content->size = content->server_size = end;
    } else if (end > content->server_size) {
        cfs_content_grew(content, end);
    }
}

static void keep(struct cfs_content *content, const struct fetch *fetch, size_t length)
{
    struct cfs_block *block = fetch->block;
    size_t asked = (size_t)fetch->count * CFS_PAGE_SIZE;
    uint8_t *data = block->data + (size_t)fetch->first * CFS_PAGE_SIZE;
    uint64_t begin = block->index * CFS_BLOCK_SIZE + (uint64_t)fetch->first * CFS_PAGE_SIZE;
    uint32_t pages = cfs_block_mask(fetch->first, fetch->count);
    if (length > asked)
        length = asked;
    memset(data + length, 0, asked - length);
    judge_end(content, fetch, begin + length, length < asked);
    pages &= ~block->spoiled;
    block->valid |= pages;
    if (fetch->ahead)
        block->prefetched |= pages;
}

static void fail_readers(struct cfs_content *content, const struct fetch *fetch, int error)
{
    uint64_t begin = fetch->block->index * CFS_BLOCK_SIZE + (uint64_t)fetch->first * CFS_PAGE_SIZE;
    uint64_t end = begin + (uint64_t)fetch->count * CFS_PAGE_SIZE;
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &content->readers) {
        struct cfs_turn *turn = cfs_container_of(link, struct cfs_turn, link);
        struct cfs_content_call *read = cfs_container_of(turn, struct cfs_content_call, turn);
        if (read->through || begin >= read->end || end <= read->next)
            continue;
        cfs_list_remove(link);
        cfs_cache_call_finish_later(&read->call, error);
    }
}

static void fetched(struct cfs_remote_call *call)
{
    struct fetch *fetch = cfs_container_of(call, struct fetch, call);
    struct cfs_content *content = fetch->content;
    struct cfs_contents *contents = content->contents;
    uint32_t pages = cfs_block_mask(fetch->first, fetch->count);
    bool answer_here = fetch->count <= FEW_PAGES;
    if (answer_here)
        cfs_later_begin();
    pthread_mutex_lock(&contents->lock);
    cfs_link_done(&contents->down, &fetch->transfer, call->result.length, call->error == 0,
                  cfs_clock_ms(contents->core.clock));
    content->fetches--;
    if (call->error == 0)
        keep(content, fetch, call->result.length);
    fetch->block->fetching &= ~pages;
    fetch->block->spoiled &= ~pages;
    if (call->error < 0)
        fail_readers(content, fetch, call->error);
    cfs_readers_try(content);
    cfs_blocks_trim(&contents->blocks);
    cfs_content_file_put(fetch->file);
    cfs_turns_pump(content);
    cfs_content_put(content);
    cfs_readers_look_ahead(contents);
    free(fetch);
    pthread_mutex_unlock(&contents->lock);
    if (answer_here)
        cfs_later_end();
    cfs_cache_release(&contents->core);
}

/* Asks for pages that are neither there nor on their way. False without memory, or if they must wait for others. */
static bool fetch_pages(struct cfs_content_file *file, uint64_t index, uint32_t first, uint32_t count, bool ahead)
{
    struct cfs_content *content = file->content;
    struct cfs_contents *contents = content->contents;
    struct cfs_remote *lower = contents->core.lower;
    struct cfs_block *block = cfs_blocks_make(&contents->blocks, &content->owner, index, first + count);
    struct fetch *fetch = block ? calloc(1, sizeof(*fetch)) : NULL;
    if (!fetch)
        return false;
    *fetch = (struct fetch){.call = {.done = fetched},
                            .content = content,
                            .file = file,
                            .block = block,
                            .first = first,
                            .count = count,
                            .ahead = ahead,
                            .server_size = content->server_size,
                            .started = contents->stamp};
    block->fetching |= cfs_block_mask(first, count);
    cfs_content_taint(content, index * CFS_BLOCK_SIZE + (uint64_t)first * CFS_PAGE_SIZE);
    cfs_content_get(content);
    content->fetches++;
    file->uses++;
    size_t length = (size_t)count * CFS_PAGE_SIZE;
    contents->prefetched += ahead ? length : 0;
    cfs_link_sent(&contents->down, &fetch->transfer, length, cfs_clock_ms(contents->core.clock));
    cfs_cache_hold(&contents->core);
    atomic_fetch_add_explicit(&contents->core.calls_below, 1, memory_order_relaxed);
    lower->operations->read(lower, &fetch->call, file->lower, index * CFS_BLOCK_SIZE + (uint64_t)first * CFS_PAGE_SIZE,
                            length, block->data + (size_t)first * CFS_PAGE_SIZE);
    return true;
}

/* Asks for what is missing of [OFFSET, LIMIT), within one block, from OFFSET on: its first run of pages. *RET_NEXT:
 * where to go on. False: nothing could be asked for. */
static bool fetch_run(struct cfs_content_file *file, uint64_t offset, uint64_t limit, bool ahead, uint64_t *ret_next)
{
    struct cfs_content *content = file->content;
    uint64_t index = offset / CFS_BLOCK_SIZE, start = index * CFS_BLOCK_SIZE;
    uint32_t page = (uint32_t)((offset - start) / CFS_PAGE_SIZE), count = 0;
    uint32_t end = (uint32_t)((smaller(limit, start + CFS_BLOCK_SIZE) - start + CFS_PAGE_SIZE - 1) / CFS_PAGE_SIZE);
    const struct cfs_block *block = cfs_blocks_find(&content->contents->blocks, &content->owner, index);
    uint32_t busy = block ? block->valid | block->fetching : 0;
    while (page < end && busy >> page & 1)
        page++;
    while (page + count < end && !(busy >> (page + count) & 1))
        count++;
    *ret_next = start + (uint64_t)(page + count) * CFS_PAGE_SIZE;
    return count == 0 || fetch_pages(file, index, page, count, ahead);
}

/* --- reading --- */

/* What is asked for on behalf of a read that needs bytes up to END: a random one gets a little more. */
static uint64_t generous_end(const struct cfs_content_call *read, uint64_t end)
{
    uint64_t unit = read->is_random ? cfs_link_little(&read->content->contents->down) : CFS_BLOCK_SIZE;
    return smaller((end + unit - 1) / unit * unit, read->content->server_size);
}

static int ask_for_missing(struct cfs_content_call *read)
{
    struct cfs_content *content = read->content;
    uint64_t offset = read->next, limit = smaller(read->end, content->server_size);
    bool old = cfs_content_call_is_told_old(read);
    if (!old && cfs_content_is_suspect(content, offset))
        cfs_content_check(read->file);
    while (offset < limit) {
        size_t there = available(content, offset, limit, old, NULL);
        if (there) {
            offset += there;
            continue;
        }
        if (!fetch_run(read->file, offset, generous_end(read, limit), false, &offset) && content->fetches == 0)
            return -ENOMEM;
    }
    return 0;
}

static void note_read(struct cfs_content_call *read, uint64_t begin, uint64_t end)
{
    struct cfs_content *content = read->content;
    for (uint64_t offset = begin; offset < end;) {
        uint64_t index = offset / CFS_BLOCK_SIZE, start = index * CFS_BLOCK_SIZE;
        uint64_t until = smaller(end, start + CFS_BLOCK_SIZE);
        struct cfs_block *block = cfs_blocks_find(&content->contents->blocks, &content->owner, index);
        if (block)
            cfs_blocks_read(&content->contents->blocks, block,
                            cfs_block_mask_of((uint32_t)(offset - start), (uint32_t)(until - start)));
        offset = until;
    }
}

static void finish(struct cfs_content_call *read, int error)
{
    cfs_list_remove(&read->turn.link);
    read->call.upper->result.length = read->next - read->turn.offset;
    cfs_cache_call_finish_later(&read->call, error);
}

/* Copies what is there; true if that was all. */
static bool copy_available(struct cfs_content_call *read)
{
    uint64_t begin = read->next;
    bool old = cfs_content_call_is_told_old(read);
    while (read->next < read->end) {
        size_t length =
            available(read->content, read->next, read->end, old, read->destination + (read->next - read->turn.offset));
        if (length == 0)
            break;
        read->next += length;
    }
    note_read(read, begin, read->next);
    return read->next >= read->end;
}

static void try(struct cfs_content_call *read)
{
    struct cfs_content *content = read->content;
    uint64_t end = read->turn.offset + read->turn.length;
    read->end = smaller(end, content->size); /* may have changed while it waited */
    if (copy_available(read)) {
        finish(read, 0);
        return;
    }
    int error = ask_for_missing(read);
    if (error < 0)
        finish(read, error);
}

void cfs_readers_try(struct cfs_content *content)
{
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &content->readers) {
        struct cfs_turn *turn = cfs_container_of(link, struct cfs_turn, link);
        struct cfs_content_call *read = cfs_container_of(turn, struct cfs_content_call, turn);
        if (!read->through)
            try(read);
    }
}

/* --- reading what nothing is known of: by the server alone --- */

static void read_through_done(struct cfs_cache_call *call)
{
    struct cfs_content_call *read = cfs_content_call_of(call);
    struct cfs_content *content = read->content;
    struct cfs_contents *contents = content->contents;
    uint64_t offset = read->turn.offset, length = call->lower.result.length;
    pthread_mutex_lock(&contents->lock);
    if (call->lower.error == 0 && length > 0 && content->size_known && offset + length > content->size &&
        !cfs_content_is_ahead(content, read->started)) {
        /* It has grown: the page that held its end is not whole. */
        uint64_t end = content->server_size;
        if (end % CFS_PAGE_SIZE)
            cfs_blocks_drop(&contents->blocks, &content->owner, end, end + 1);
        cfs_content_grew(content, offset + length);
    }
    call->upper->result.length = length;
    cfs_turn_end(&read->turn);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_finish(call, call->lower.error);
}

static void read_through(struct cfs_cache_call *call)
{
    struct cfs_content_call *read = cfs_content_call_of(call);
    cfs_cache_call_submit(call, read_through_done, read, read->file->lower, read->turn.offset, read->turn.length,
                          read->destination);
}

static void read_through_granted(struct cfs_turn *turn)
{
    struct cfs_content_call *read = cfs_container_of(turn, struct cfs_content_call, turn);
    read->started = turn->content->contents->stamp;
    read->through = true;
    cfs_cache_call_post(&read->call, read_through);
}

/* --- ahead --- */

static uint64_t window_limit(const struct cfs_contents *contents)
{
    /* Further ahead than what is in flight: of several connections one may be slow, and nobody need wait for it yet. */
    uint64_t limit = smaller(3 * cfs_link_limit(&contents->down), contents->core.options.cache_size / 4);
    return limit > CFS_WINDOW_FIRST ? limit : CFS_WINDOW_FIRST;
}

/* How a stream begins: as long as nobody knows how much the link carries, with as much as tells. */
static uint64_t first_window(const struct cfs_contents *contents, const struct cfs_content *content)
{
    enum { LARGE = 8 << 20, MOST = CFS_LINK_MINIMUM, SHARE = 8 };
    uint64_t share = cfs_link_limit(&contents->down) / SHARE;
    if (content->server_size < LARGE)
        return CFS_WINDOW_FIRST;
    if (!contents->down.filled || share > MOST)
        return MOST;
    return share > CFS_WINDOW_FIRST ? share : CFS_WINDOW_FIRST;
}

/* One more piece; false: nothing is left to be fetched ahead of FILE. */
static bool look_ahead(struct cfs_content_file *file)
{
    const struct cfs_content *content = file->content;
    if (content->barrier || content->must_learn || !cfs_list_empty(&content->turns))
        return false;
    for (int i = 0; i < CFS_TRACKERS; i++) {
        struct cfs_tracker *tracker = &file->trackers.of[i];
        uint64_t goal = cfs_tracker_goal(tracker, content->server_size);
        if (tracker->window == 0 || tracker->ahead >= goal)
            continue;
        goal = smaller((goal + CFS_BLOCK_SIZE - 1) / CFS_BLOCK_SIZE * CFS_BLOCK_SIZE, content->server_size);
        return fetch_run(file, tracker->ahead, goal, true, &tracker->ahead);
    }
    return false;
}

void cfs_readers_look_ahead(struct cfs_contents *contents)
{
    while (contents->down.in_flight < cfs_link_limit(&contents->down) && !cfs_list_empty(&contents->hungry)) {
        struct cfs_content_file *file = cfs_list_first(&contents->hungry, struct cfs_content_file, hungry);
        cfs_list_remove(&file->hungry);
        if (look_ahead(file))
            cfs_list_push_back(&contents->hungry, &file->hungry);
    }
}

void cfs_contents_fetch_ahead(struct cfs_remote *remote, struct cfs_remote_file *remote_file, uint64_t length)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct cfs_content_file *file = cfs_content_file_of(remote_file);
    if (length == 0 || !contents->looks_ahead)
        return;
    pthread_mutex_lock(&contents->lock);
    file->trackers = (struct cfs_trackers){.of = {{.window = length, .used = 1}}, .stamp = 1};
    cfs_list_push_back(&contents->hungry, &file->hungry);
    cfs_readers_look_ahead(contents);
    pthread_mutex_unlock(&contents->lock);
}

uint64_t cfs_contents_ahead_budget(struct cfs_remote *remote)
{
    enum { LEAST = 4 << 20, SHARE_OF_CACHE = 8 };
    struct cfs_contents *contents = cfs_contents_of(remote);
    pthread_mutex_lock(&contents->lock);
    uint64_t link = cfs_link_limit(&contents->down), share = contents->core.options.cache_size / SHARE_OF_CACHE;
    pthread_mutex_unlock(&contents->lock);
    return smaller(link > LEAST ? link : (uint64_t)LEAST, share);
}

void cfs_reader_forget(struct cfs_content_file *file)
{
    cfs_list_remove(&file->hungry);
    file->trackers = (struct cfs_trackers){.stamp = 0};
}

/* --- a new read --- */

/* Somebody was told another size or mtime: the page with the end is fetched anew, which tells. */
static void look_at_end(struct cfs_content *content)
{
    if (cfs_content_is_ahead(content, UINT64_MAX))
        return;
    content->end_doubted = false;
    cfs_blocks_drop(&content->contents->blocks, &content->owner, content->size - 1, content->size);
}

static void count(struct cfs_contents *contents, const struct cfs_content_call *read)
{
    contents->read_hits += read->next - read->turn.offset;
    contents->read_misses += read->end > read->next ? read->end - read->next : 0;
}

void cfs_read_granted(struct cfs_turn *turn)
{
    struct cfs_content_call *read = cfs_container_of(turn, struct cfs_content_call, turn);
    struct cfs_content *content = turn->content;
    struct cfs_contents *contents = content->contents;
    bool old = cfs_content_call_is_told_old(read);
    read->next = turn->offset;
    if (old && turn->kind == CFS_TURN_READ && turn->offset >= content->size) {
        finish(read, 0); /* the end, as far as is known */
        return;
    }
    if (turn->kind == CFS_TURN_BARRIER || turn->offset >= content->size) {
        read_through_granted(turn);
        return;
    }
    struct cfs_tracker *tracker = cfs_trackers_read(&read->file->trackers, turn->offset, turn->length,
                                                    first_window(contents, content), window_limit(contents));
    read->is_random = !tracker;
    if (content->end_doubted && !old && turn->offset + turn->length > content->size)
        look_at_end(content);
    read->end = smaller(turn->offset + turn->length, content->size);
    bool all = copy_available(read);
    count(contents, read);
    int error = all ? 0 : ask_for_missing(read);
    if (all || error < 0)
        finish(read, error);
    if (tracker && contents->looks_ahead) {
        if (cfs_list_empty(&read->file->hungry))
            cfs_list_push_back(&contents->hungry, &read->file->hungry);
        cfs_readers_look_ahead(contents);
    }
}

/* --- what was written --- */

/* [AT, UNTIL), bytes of the block, lie in one page; the file ends at END, or in a later block. */
static void patch_page(struct cfs_block *block, uint32_t at, uint32_t until, uint64_t end, const uint8_t *data)
{
    uint32_t page = cfs_block_mask(at / CFS_PAGE_SIZE, 1), whole = (at / CFS_PAGE_SIZE + 1) * CFS_PAGE_SIZE;
    if (block->fetching & page) {
        block->spoiled |= page; /* what arrives may be older */
        return;
    }
    if (whole > block->pages * CFS_PAGE_SIZE)
        return;
    if (at % CFS_PAGE_SIZE == 0 && (until == whole || until == end) && !(block->valid & page)) {
        block->valid |= page;
        memset(block->data + until, 0, whole - until);
    }
    if (block->valid & page)
        memcpy(block->data + at, data, until - at);
}

static void patch_block(struct cfs_content *content, const struct cfs_extent *extent, uint64_t index)
{
    struct cfs_blocks *blocks = &content->contents->blocks;
    uint64_t start = index * CFS_BLOCK_SIZE;
    uint32_t begin = (uint32_t)(extent->offset > start ? extent->offset - start : 0);
    uint32_t end = (uint32_t)(smaller(cfs_extent_end(extent), start + CFS_BLOCK_SIZE) - start);
    struct cfs_block *block = NULL;
    /* What was written is often read soon: by a compiler, by git, by who wrote it. */
    if (blocks->budget > 0 && (end - begin >= CFS_PAGE_SIZE || (begin == 0 && start + end == content->server_size)))
        block = cfs_blocks_make(blocks, &content->owner, index, (end + CFS_PAGE_SIZE - 1) / CFS_PAGE_SIZE);
    if (!block)
        block = cfs_blocks_find(blocks, &content->owner, index);
    while (block && begin < end) {
        uint32_t until = (begin / CFS_PAGE_SIZE + 1) * CFS_PAGE_SIZE;
        if (until > end)
            until = end;
        patch_page(block, begin, until, content->server_size - start, extent->data + (start + begin - extent->offset));
        begin = until;
    }
}

void cfs_reader_patch(struct cfs_content *content, const struct cfs_extent *extent)
{
    for (uint64_t index = extent->offset / CFS_BLOCK_SIZE; index * CFS_BLOCK_SIZE < cfs_extent_end(extent); index++)
        patch_block(content, extent, index);
    content->unproven |= content->owner.count > 0;
    cfs_blocks_trim(&content->contents->blocks);
}

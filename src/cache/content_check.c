/* Spot checks: a few pages of what is kept are fetched again and compared. If they are what they were, all of it is
 * believed to be; if one is not, or cannot be fetched, all goes.
 *
 * What a check sees: another file in the place of the one that is kept, and one that was written anew, unless they
 * agree in all the pages that are compared (the first and the last one that are kept, and some in between; all of them,
 * if they are few). What it cannot see: a change in place that spares those. Such a one can hide behind growth, and in
 * the second in which we wrote the file or it grew last, and nowhere else: any other change shows in size or mtime.
 *
 * A check is begun by the first read that needs what is suspect, and reads of what is suspect wait for it. (At open it
 * would gain nothing, since the read comes at once, and cost those who open a file to set its mode.) It counts as a
 * fetch: what must have the file at rest waits. */
#include "cache/contents_priv.h"
#include <string.h>

enum { SAMPLES = 4 };

struct check;

/* One page that is compared. */
struct sample {
    struct cfs_remote_call call;
    struct check *check;
    uint64_t offset;
    uint8_t data[CFS_PAGE_SIZE];
};

struct check {
    struct cfs_content *content;   /* referenced */
    struct cfs_content_file *file; /* used */
    uint64_t below, suspicion;
    bool was_stable, failed;
    unsigned count, waits, compared;
    struct sample samples[SAMPLES];
};

/* --- choosing --- */

struct choice {
    uint64_t below;
    uint64_t count, first, last; /* pages that are kept: how many; offsets */
};

static void look_at(struct choice *choice, uint64_t offset)
{
    if (choice->count++ == 0 || offset < choice->first)
        choice->first = offset;
    if (offset > choice->last)
        choice->last = offset;
}

static void add(struct check *check, uint64_t offset)
{
    for (unsigned i = 0; i < check->count; i++) {
        if (check->samples[i].offset == offset)
            return;
    }
    if (check->count < SAMPLES)
        check->samples[check->count++].offset = offset;
}

/* Calls EACH for the pages that are kept below CHOICE->below. */
static void each_page(const struct cfs_content *content, struct choice *choice, struct check *check,
                      void (*each)(struct choice *choice, struct check *check, uint64_t offset))
{
    struct cfs_list *link;
    cfs_list_each (link, &content->owner.blocks) {
        const struct cfs_block *block = cfs_container_of(link, const struct cfs_block, of_owner);
        uint64_t start = block->index * CFS_BLOCK_SIZE;
        for (uint32_t page = 0; page < CFS_BLOCK_PAGES; page++) {
            uint64_t offset = start + (uint64_t)page * CFS_PAGE_SIZE;
            if (block->valid >> page & 1 && offset < choice->below)
                each(choice, check, offset);
        }
    }
}

static void count_page(struct choice *choice, struct check *check, uint64_t offset)
{
    (void)check;
    look_at(choice, offset);
}

/* Evenly spread; `last` counts pages here. */
static void take_page(struct choice *choice, struct check *check, uint64_t offset)
{
    uint64_t every = choice->count > SAMPLES ? choice->count / (SAMPLES - 1) : 1;
    if (choice->last++ % every == 0)
        add(check, offset);
}

static void choose(const struct cfs_content *content, struct check *check)
{
    struct choice choice = {.below = check->below};
    each_page(content, &choice, check, count_page);
    if (choice.count == 0)
        return;
    add(check, choice.first);
    add(check, choice.last);
    choice.last = 0;
    each_page(content, &choice, check, take_page);
}

/* --- comparing --- */

static void compare(struct check *check, const struct sample *sample)
{
    const struct cfs_content *content = check->content;
    const struct cfs_block *block =
        cfs_blocks_find(&content->contents->blocks, &content->owner, sample->offset / CFS_BLOCK_SIZE);
    size_t length = sample->call.result.length;
    uint32_t at = (uint32_t)(sample->offset % CFS_BLOCK_SIZE);
    if (sample->call.error < 0) {
        check->failed = true;
        return;
    }
    if (!block || !(block->valid >> (at / CFS_PAGE_SIZE) & 1))
        return; /* thrown out meanwhile */
    check->compared++;
    if (memcmp(block->data + at, sample->data, CFS_PAGE_SIZE) != 0 ||
        (length < CFS_PAGE_SIZE && sample->offset + length < content->server_size))
        check->failed = true;
}

static void conclude(struct check *check)
{
    struct cfs_content *content = check->content;
    content->checking = false;
    if (content->suspicions != check->suspicion || content->suspect_below == 0)
        return; /* there is reason for another check, or all went meanwhile */
    if (check->failed || (check->compared == 0 && check->count > 0)) {
        cfs_content_forget(content);
        return;
    }
    if (content->tainted_from < check->below)
        content->tainted_from = check->below;
    content->unproven = !check->was_stable;
    content->suspect_below = 0;
}

static void end(struct check *check)
{
    struct cfs_content *content = check->content;
    conclude(check);
    content->fetches--;
    cfs_readers_try(content);
    cfs_content_file_put(check->file);
    cfs_turns_pump(content);
    cfs_content_put(content);
    free(check);
}

static void fetched(struct cfs_remote_call *call)
{
    struct sample *sample = cfs_container_of(call, struct sample, call);
    struct check *check = sample->check;
    struct cfs_contents *contents = check->content->contents;
    pthread_mutex_lock(&contents->lock);
    compare(check, sample);
    if (--check->waits == 0)
        end(check);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_release(&contents->core);
}

static void send(struct check *check)
{
    struct cfs_contents *contents = check->content->contents;
    struct cfs_remote *lower = contents->core.lower;
    check->waits = check->count;
    for (unsigned i = 0; i < check->count; i++) {
        struct sample *sample = &check->samples[i];
        sample->check = check;
        sample->call.done = fetched;
        cfs_cache_hold(&contents->core);
        atomic_fetch_add_explicit(&contents->core.calls_below, 1, memory_order_relaxed);
        lower->operations->read(lower, &sample->call, check->file->lower, sample->offset, CFS_PAGE_SIZE, sample->data);
    }
}

void cfs_content_check(struct cfs_content_file *file)
{
    struct cfs_content *content = file->content;
    if (content->suspect_below == 0 || content->checking)
        return;
    if (content->told_old) { /* what no comparison can prove goes, as with an open that asks */
        content->told_old = false;
        cfs_blocks_drop(&content->contents->blocks, &content->owner, content->tainted_from, UINT64_MAX);
        content->tainted_from = UINT64_MAX;
    }
    struct check *check = content->owner.count > 0 ? calloc(1, sizeof(*check)) : NULL;
    if (!check) {
        cfs_content_forget(content);
        return;
    }
    *check = (struct check){
        .content = content, .file = file, .below = content->suspect_below, .suspicion = content->suspicions};
    check->was_stable = cfs_content_is_stable(content);
    choose(content, check);
    if (check->count == 0) {
        content->suspect_below = 0;
        free(check);
        return;
    }
    content->checking = true;
    content->fetches++;
    file->uses++;
    cfs_content_get(content);
    send(check);
}

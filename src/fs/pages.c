/* Under the file system's lock, a list of READs and one of WRITEs a node: the kernel has few of them under way. */
#include "fs/pages.h"

#include "fs/fs_priv.h"
#include <errno.h>
#include <unistd.h>

static void enter(struct cfs_pages *pages, struct cfs_page_use *use, struct cfs_list *uses, uint64_t offset,
                  size_t length)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    use->pages = pages;
    use->begin = offset / page * page;
    use->end = (offset + length + page - 1) / page * page; /* both are below 2^63: it does not overflow */
    cfs_list_push_back(uses, &use->link);
}

static bool meet(const struct cfs_page_use *a, const struct cfs_page_use *b)
{
    return a->begin < b->end && b->begin < a->end;
}

enum { MOMENT_MS = 1000 };

void cfs_pages_dropped(const struct cfs_fs *fs, struct cfs_pages *pages)
{
    pages->dropped_ms = cfs_clock_ms(fs->clock) + 1; /* never 0 */
}

static void note_read(struct cfs_pages *pages, const struct cfs_page_use *read)
{
    bool is_first = pages->read_begin == pages->read_end;
    if (is_first || read->begin < pages->read_begin)
        pages->read_begin = read->begin;
    if (is_first || read->end > pages->read_end)
        pages->read_end = read->end;
}

/* Whether a READ may have been answered between the copying and the sending of the WRITE. */
static bool may_be_shown_old(const struct cfs_fs *fs, const struct cfs_pages *pages, const struct cfs_page_use *write)
{
    return pages->dropped_ms && cfs_clock_ms(fs->clock) - pages->dropped_ms < MOMENT_MS &&
           write->begin < pages->read_end && pages->read_begin < write->end;
}

void cfs_pages_write(struct cfs_fs *fs, struct cfs_pages *pages, struct cfs_page_use *use, uint64_t offset,
                     size_t length)
{
    struct cfs_list *link;
    pthread_mutex_lock(&fs->lock);
    enter(pages, use, &pages->writes, offset, length);
    use->is_overtaken = may_be_shown_old(fs, pages, use);
    pages->read_begin = pages->read_end = 0;
    cfs_list_each (link, &pages->reads) {
        struct cfs_page_use *read = cfs_container_of(link, struct cfs_page_use, link);
        read->is_overtaken |= meet(read, use);
    }
    pthread_mutex_unlock(&fs->lock);
}

static bool is_written(const struct cfs_pages *pages, const struct cfs_page_use *read)
{
    struct cfs_list *link;
    cfs_list_each (link, &pages->writes) {
        if (meet(read, cfs_container_of(link, struct cfs_page_use, link)))
            return true;
    }
    return false;
}

int cfs_pages_read(struct cfs_step *step, struct cfs_pages *pages, struct cfs_page_use *use, uint64_t offset,
                   size_t length, cfs_step_function *again)
{
    int result = 1;
    pthread_mutex_lock(&step->fs->lock);
    if (!use->pages)
        enter(pages, use, &pages->reads, offset, length);
    use->is_overtaken = false;
    if (is_written(pages, use))
        result = cfs_step_wait(step, &pages->waiting, again) ? 0 : -EINTR;
    pthread_mutex_unlock(&step->fs->lock);
    return result;
}

bool cfs_pages_read_done(struct cfs_fs *fs, const struct cfs_page_use *use)
{
    pthread_mutex_lock(&fs->lock);
    bool is_right = !use->is_overtaken;
    if (is_right)
        note_read(use->pages, use);
    pthread_mutex_unlock(&fs->lock);
    return is_right;
}

void cfs_pages_leave(struct cfs_fs *fs, struct cfs_page_use *use)
{
    struct cfs_list *link, *following;
    if (!use->pages)
        return;
    pthread_mutex_lock(&fs->lock);
    cfs_list_remove(&use->link);
    cfs_list_each_safe (link, following, &use->pages->waiting)
        cfs_step_ready(cfs_container_of(link, struct cfs_step, waiting));
    use->pages = NULL;
    cfs_step_unlock_and_run(fs);
}

/* Reads that writes of the same pages overtake.
 *
 * The kernel copies what a program writes into its pages, lets go of a whole page at once, and sends the WRITE. Until
 * that is answered the page may be dropped (the file is opened again, a notice of ours), and a READ be sent for it: for
 * what was written before, as the kernel means it. If it were answered with what the server had until then, the kernel
 * would show old bytes, or zeros, for as long as it keeps the page. (A page that nobody dropped is not read: this
 * happens at no other time.) So a READ waits for the WRITEs of its pages that are under way, and is made again when one
 * came meanwhile.
 *
 * There remains the moment between the copying and the sending: a READ that is sent and answered in it, and a WRITE
 * that comes behind. So when pages were dropped a moment ago, and read since, the kernel is told to drop them once more
 * when a WRITE of them is done. That they are dropped for this is no reason to drop them again. */
#ifndef CFS_FS_PAGES_H
#define CFS_FS_PAGES_H

#include "fs/step.h"

/* A READ or a WRITE, from its arrival to its answer. */
struct cfs_page_use {
    struct cfs_list link;
    struct cfs_pages *pages; /* of its node; NULL: not under way */
    uint64_t begin, end;     /* of the first page, and of the last */
    bool is_overtaken;       /* a READ: a WRITE came. A WRITE: a READ was perhaps answered before it came */
};

/* Under the lock: the kernel is told to drop the pages. */
void cfs_pages_dropped(const struct cfs_fs *fs, struct cfs_pages *pages);
/* A WRITE came. */
void cfs_pages_write(struct cfs_fs *fs, struct cfs_pages *pages, struct cfs_page_use *use, uint64_t offset,
                     size_t length);
/* A READ came, or is made again: 1 when it is to be made now, 0 when AGAIN will be told (0, or -EINTR) that it is to
 * ask again; -EINTR. */
CFS_CHECKED int cfs_pages_read(struct cfs_step *step, struct cfs_pages *pages, struct cfs_page_use *use,
                               uint64_t offset, size_t length, cfs_step_function *again);
/* The READ was made; false: it is to be made again. */
CFS_CHECKED bool cfs_pages_read_done(struct cfs_fs *fs, const struct cfs_page_use *use);
/* Before the answer, whatever became of it. */
void cfs_pages_leave(struct cfs_fs *fs, struct cfs_page_use *use);

#endif

/* What each thread is doing, so that somebody can tell when one does not go on: a slot a thread, written by it alone,
 * without locks, read by whoever wants to know. A thread without a slot costs nothing. */
#ifndef CFS_BASE_DOING_H
#define CFS_BASE_DOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CFS_DOING_MOST = 64 };

/* This thread takes a slot, if there is one left. NAME (static) is shared by threads that do the same. MAY_WAIT: it may
 * take its time over a piece of work (it waits for others); nobody is to worry. */
void cfs_doing_begin(const char *name, bool may_wait);
/* It gives the slot back; also if it has none. */
void cfs_doing_end(void);
/* From now on it does WHAT (static); NULL: it waits for work. */
void cfs_doing(const char *what);

struct cfs_doing_now {
    unsigned slot;
    const char *name;
    const char *what; /* NULL: waits for work */
    bool may_wait;
    uint64_t steps; /* how often it has said what it does: another number, another thread or another step */
};
/* Any thread, never waits. Returns how many there are, at most CFS_DOING_MOST. */
size_t cfs_doing_list(struct cfs_doing_now list[CFS_DOING_MOST]);

#endif

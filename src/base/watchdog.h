/* The watchdog: notices that a thread with a slot (base/doing.h) has not gone on with its work for TIMEOUT, and sees to
 * it that nobody waits for it for ever. */
#ifndef CFS_BASE_WATCHDOG_H
#define CFS_BASE_WATCHDOG_H

#include "base/cleanup.h"
#include <stdint.h>

struct cfs_watchdog;

enum cfs_watchdog_news {
    CFS_WATCHDOG_STALLED, /* for TIMEOUT */
    CFS_WATCHDOG_GOES_ON, /* after that, before it was given up */
    CFS_WATCHDOG_GIVEN_UP,
};

struct cfs_watchdog_options {
    uint32_t timeout_ms;
    /* THREAD is the name of what does not go on, WHAT it was doing. Runs on a thread of its own, for it may wait: for
     * locks that the stalled thread holds, for the log. */
    void (*tell)(void *context, enum cfs_watchdog_news news, const char *thread, const char *what);
    /* All threads of a name have not gone on for twice TIMEOUT: once. On the watchdog's thread: must not wait, and so
     * not log. */
    void (*give_up)(void *context);
    /* And for three times TIMEOUT: once, likewise. */
    void (*end)(void *context);
    void *context;
};

/* -ENOMEM, or -errno of pthread_create(3). */
CFS_CHECKED int cfs_watchdog_start(const struct cfs_watchdog_options *options, struct cfs_watchdog **ret_watchdog);
/* Waits for `tell`. NULL is fine. */
void cfs_watchdog_stop(struct cfs_watchdog *watchdog);

#endif

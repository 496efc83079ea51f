/* Signs of life, and sleep: see heartbeat.c. All of it is the loop's thread's. */
#ifndef CFS_REMOTE_HEARTBEAT_PRIV_H
#define CFS_REMOTE_HEARTBEAT_PRIV_H

#include "base/loop.h"
#include "sftp/client.h"
#include <stdbool.h>
#include <stdint.h>

struct cfs_pool;

struct cfs_heartbeat {
    uint32_t interval_ms; /* const: of silence, before it is asked; 0: only when something has happened */
    struct cfs_timer timer;
    struct cfs_sftp_request request;
    bool is_asked; /* the request is in flight */
    uint32_t patience_ms;
    int64_t slept_ms; /* that the machine has slept in all, as seen last */
    int64_t woke_ms;  /* when that was seen; 0: it has not slept */
    uint64_t count;   /* pool->lock; of questions */
};

/* Before anything else: INTERVAL_MS of silence, 0 for no questions by themselves. */
void cfs_heartbeat_init(struct cfs_pool *pool, uint32_t interval_ms);
/* The pool is connected (again). */
void cfs_heartbeat_begin(struct cfs_pool *pool);
/* The pool is being closed. */
void cfs_heartbeat_end(struct cfs_pool *pool);
/* Something has happened after which the connection may be dead: asks at once, and waits a short time. */
void cfs_heartbeat_ask_now(struct cfs_pool *pool);
/* The same, unless something has come just now. */
void cfs_heartbeat_ask_if_silent(struct cfs_pool *pool);
/* Whether the machine has slept since this was called last: then the connection is asked. Whoever compares times of
 * waiting calls it first: a timer that has expired in a sleep is called before anybody has heard of that. */
bool cfs_heartbeat_notice_sleep(struct cfs_pool *pool);

#endif

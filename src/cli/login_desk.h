/* In the process of a mount: takes those who log in by `clusterfs login`, one at a time. */
#ifndef CFS_CLI_LOGIN_DESK_H
#define CFS_CLI_LOGIN_DESK_H

#include "remote/pool.h"
#include <pthread.h>
#include <stdbool.h>

/* Initialise with {.remote = the pool, .lock = PTHREAD_MUTEX_INITIALIZER}. */
struct cfs_login_desk {
    struct cfs_remote *remote;
    pthread_t thread;
    bool has_thread; /* to be joined; the caller's */
    bool can_ask;    /* the thread's, once it runs */
    pthread_mutex_t lock;
    int fd;       /* the lock's, to be closed; open while it is busy */
    bool is_busy; /* the lock's */
};

/* Logs in on a thread of its own, and talks to who is at FD (ctl/dialog.h), a connection of the control socket, which
 * is taken in any case. Callers do not overlap. CAN_ASK: there is a person. */
void cfs_login_desk_take(struct cfs_login_desk *desk, int fd, bool can_ask);
/* Ends what is under way, before the pool is freed. Nobody may be brought afterwards. */
void cfs_login_desk_close(struct cfs_login_desk *desk);

#endif

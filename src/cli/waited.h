/* A call of a remote (remote/remote.h) that is waited for. */
#ifndef CFS_CLI_WAITED_H
#define CFS_CLI_WAITED_H

#include "base/error.h"
#include "remote/remote.h"
#include <pthread.h>

struct cfs_waited {
    struct cfs_remote_call call;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* the lock's */
};

/* Before the call is submitted: then give &waited->call to the remote, and wait. Its deadline is the remote's. */
void cfs_waited_begin(struct cfs_waited *waited);
/* Until it is done: its error. Not on a thread of the remote's; once for each begin. */
CFS_CHECKED int cfs_waited_end(struct cfs_waited *waited);

/* The kind of failure that it is for a command when an operation has ended with ERROR, a negative errno. */
enum cfs_failure cfs_waited_failure(int error);

/* An operation of REMOTE's with its arguments, from its begin to its end. */
#define cfs_waited_run(remote, waited, operation, ...)                                                                 \
    ({                                                                                                                 \
        cfs_waited_begin(waited);                                                                                      \
        (remote)->operations->operation((remote), &(waited)->call, ##__VA_ARGS__);                                     \
        cfs_waited_end(waited);                                                                                        \
    })

#endif

/* The end of a mount does not last for ever: while it waits for the server, somebody looks whether anything still
 * moves.
 */
#ifndef CFS_CLI_ENDING_H
#define CFS_CLI_ENDING_H

#include "remote/remote.h"
#include <pthread.h>
#include <stdatomic.h>

struct cfs_ending {
    struct cfs_remote *pool, *cache; /* cache: NULL: none */
    uint32_t timeout_ms;
    const atomic_bool *is_insisted;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* protects the rest */
    pthread_cond_t changed;
    bool over;
};

/* From now on, when what is left to be written has not become less for TIMEOUT_MS (0: without end), or *IS_INSISTED has
 * become true, the pool is given up: whoever waits for the server gets errors. POOL, CACHE and IS_INSISTED must live
 * until cfs_ending_stop. Works without, if there is no thread to be had. */
void cfs_ending_start(struct cfs_ending *ending, struct cfs_remote *pool, struct cfs_remote *cache, uint32_t timeout_ms,
                      const atomic_bool *is_insisted);
void cfs_ending_stop(struct cfs_ending *ending);

#endif

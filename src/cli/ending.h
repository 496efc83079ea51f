/* The end of a mount does not last for ever: while it waits for the server, somebody looks whether anything still
 * moves.
 */
#ifndef CFS_CLI_ENDING_H
#define CFS_CLI_ENDING_H

#include "remote/remote.h"
#include <pthread.h>

struct cfs_ending {
    struct cfs_remote *pool, *cache; /* cache: NULL: none */
    uint32_t timeout_ms;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* protects the rest */
    pthread_cond_t changed;
    bool over;
};

/* From now on, when what is left to be written has not become less for TIMEOUT_MS (0: without end), the pool is given
 * up: whoever waits for the server gets errors. POOL and CACHE must live until cfs_ending_stop. Works without, if there
 * is no thread to be had. */
void cfs_ending_start(struct cfs_ending *ending, struct cfs_remote *pool, struct cfs_remote *cache,
                      uint32_t timeout_ms);
void cfs_ending_stop(struct cfs_ending *ending);

#endif

/* Somebody logs in for a pool that has lost its connection: what reconnect.c tells login.c. The loop's thread. */
#ifndef CFS_REMOTE_LOGIN_PRIV_H
#define CFS_REMOTE_LOGIN_PRIV_H

#include "base/error.h"
#include "ssh/prompter.h"
#include <stdbool.h>

struct cfs_pool;
struct cfs_pool_login;

/* Before anything else here. */
void cfs_login_init(struct cfs_pool *pool);
/* Whom the attempt that is going to be made, or is under way, may ask; NULL: nobody. */
struct cfs_prompter *cfs_login_prompter(const struct cfs_pool *pool);
bool cfs_login_is_under_way(const struct cfs_pool *pool);
/* Somebody waits for an attempt of his own. */
bool cfs_login_waits(const struct cfs_pool *pool);
/* That is going to be made. */
void cfs_login_begin(struct cfs_pool *pool);
/* Whoever has wanted it is told; nothing happens if nobody has. The prompter is used no more. */
void cfs_login_done(struct cfs_pool *pool, int result, const struct cfs_error *error);
/* The pool is given up, or closed, and no attempt is under way. */
void cfs_login_gone(struct cfs_pool *pool);
/* The connection was lost again before it was of use; no attempt is under way. */
void cfs_login_lost(struct cfs_pool *pool);

#endif

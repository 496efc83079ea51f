/* Somebody logs in for a pool that has lost its connection, and cannot, or need not, wait for the next attempt.
 *
 * Whoever calls cfs_pool_login waits on a thread of his own; what he wants lies on his stack, and the pool points to it
 * until he is told. An attempt under way, which nobody can be asked for, is interrupted; then comes his own. When he
 * is told, his prompter is not used any more: therefore only at the end of an attempt, or when none is under way. */
#include "remote/login_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>

struct cfs_pool_login {
    struct cfs_prompter *prompter;
    bool has_begun; /* the loop's thread: an attempt for it */
    /* pool->lock */
    bool is_done;
    int result;
    struct cfs_error error;
};

bool cfs_login_is_under_way(const struct cfs_pool *pool)
{
    return pool->login && pool->login->has_begun;
}

struct cfs_prompter *cfs_login_prompter(const struct cfs_pool *pool)
{
    return cfs_login_is_under_way(pool) ? pool->login->prompter : NULL;
}

bool cfs_login_waits(const struct cfs_pool *pool)
{
    return pool->login && !pool->login->has_begun;
}

void cfs_login_begin(struct cfs_pool *pool)
{
    if (pool->login)
        pool->login->has_begun = true;
}

void cfs_login_done(struct cfs_pool *pool, int result, const struct cfs_error *error)
{
    struct cfs_pool_login *login = CFS_TAKE(pool->login);
    if (!login)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->login_wanted = NULL;
    login->result = result;
    if (error)
        login->error = *error;
    login->is_done = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void cfs_login_gone(struct cfs_pool *pool)
{
    struct cfs_error error = {0};
    int result = cfs_error_set(&error, ENOTCONN, CFS_FAILURE_LOST, "The mount has ended.");
    cfs_login_done(pool, result, &error);
}

void cfs_login_lost(struct cfs_pool *pool)
{
    struct cfs_error error = {0};
    if (!cfs_login_prompter(pool))
        return;
    int result =
        cfs_error_set(&error, ECONNRESET, CFS_FAILURE_LOST, "The connection was lost again: %s", pool->last_error);
    cfs_login_done(pool, result, &error);
}

static void on_login(struct cfs_task *task)
{
    struct cfs_pool *pool = cfs_container_of(task, struct cfs_pool, login_task);
    pthread_mutex_lock(&pool->lock);
    pool->login = pool->login_wanted;
    pthread_mutex_unlock(&pool->lock);
    cfs_reconnect_log_in(pool);
}

int cfs_pool_login(struct cfs_remote *remote, struct cfs_prompter *prompter, struct cfs_error *error)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    struct cfs_pool_login login = {.prompter = prompter};
    pthread_mutex_lock(&pool->lock);
    bool is_busy = pool->login_wanted;
    if (!is_busy) {
        pool->login_wanted = &login;
        if (cfs_loop_post(pool->loop, &pool->login_task) < 0) {
            pool->login_wanted = NULL;
            login.is_done = true;
            login.result = cfs_error_set(&login.error, ENOTCONN, CFS_FAILURE_LOST, "The mount has ended.");
        }
    }
    while (!is_busy && !login.is_done)
        pthread_cond_wait(&pool->changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    if (is_busy)
        return cfs_error_set(error, EBUSY, CFS_FAILURE_SYSTEM, "Somebody else is logging in for this mount already.");
    if (login.result < 0 && error)
        *error = login.error;
    return login.result;
}

static void on_cancel(struct cfs_task *task)
{
    struct cfs_pool *pool = cfs_container_of(task, struct cfs_pool, login_cancel_task);
    struct cfs_error error = {0};
    if (!pool->login)
        return;
    if (pool->again.is_underway) {
        cfs_reconnect_interrupt(pool);
        return;
    }
    int result = cfs_error_set(&error, ECANCELED, CFS_FAILURE_CANCELLED, "The login was given up.");
    cfs_login_done(pool, result, &error);
}

void cfs_pool_login_cancel(struct cfs_remote *remote)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    /* A loop that has stopped has ended it. */
    (void)!cfs_loop_post(pool->loop, &pool->login_cancel_task);
}

void cfs_login_init(struct cfs_pool *pool)
{
    pool->login_task.run = on_login;
    pool->login_cancel_task.run = on_cancel;
}

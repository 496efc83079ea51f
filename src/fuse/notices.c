/* A queue and a thread. A notice that is already waiting is not queued a second time; when memory is short a notice is
 * dropped: the kernel's time-outs bound the harm. */
#include "fuse/notices.h"
#include "base/doing.h"
#include "base/thread.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_LIMIT = 16384 };

struct notice {
    struct cfs_list link;
    uint64_t node; /* of the parent for a name */
    int64_t offset, length;
    char *name; /* NULL: a node */
};

struct cfs_fuse_notices {
    pthread_t thread;
    pthread_mutex_t lock;      /* protects the rest */
    struct fuse_session *fuse; /* NULL until the start */
    pthread_cond_t changed;
    struct cfs_list queue;
    size_t count;
    bool leaves;
};

static void send_notice(struct fuse_session *fuse, const struct notice *notice)
{
    if (notice->name)
        fuse_lowlevel_notify_inval_entry(fuse, notice->node, notice->name, strlen(notice->name));
    else
        fuse_lowlevel_notify_inval_inode(fuse, notice->node, notice->offset, notice->length);
}

static void free_notice(struct notice *notice)
{
    free(notice->name);
    free(notice);
}

static void *send_notices(void *context)
{
    struct cfs_fuse_notices *notices = context;
    cfs_doing_begin("notices", true);
    pthread_mutex_lock(&notices->lock);
    for (;;) {
        while (cfs_list_empty(&notices->queue) && !notices->leaves)
            pthread_cond_wait(&notices->changed, &notices->lock);
        if (notices->leaves)
            break;
        struct notice *notice = cfs_container_of(cfs_list_pop_front(&notices->queue), struct notice, link);
        notices->count--;
        pthread_mutex_unlock(&notices->lock);
        cfs_doing(notice->name ? "a name" : "a file");
        send_notice(notices->fuse, notice);
        cfs_doing(NULL);
        free_notice(notice);
        pthread_mutex_lock(&notices->lock);
    }
    pthread_mutex_unlock(&notices->lock);
    cfs_doing_end();
    return NULL;
}

struct cfs_fuse_notices *cfs_fuse_notices_new(void)
{
    struct cfs_fuse_notices *notices = calloc(1, sizeof(*notices));
    if (!notices)
        return NULL;
    pthread_mutex_init(&notices->lock, NULL);
    pthread_cond_init(&notices->changed, NULL);
    cfs_list_init(&notices->queue);
    return notices;
}

void cfs_fuse_notices_free(struct cfs_fuse_notices *notices)
{
    if (!notices)
        return;
    struct cfs_list *link;
    while ((link = cfs_list_pop_front(&notices->queue)))
        free_notice(cfs_container_of(link, struct notice, link));
    pthread_cond_destroy(&notices->changed);
    pthread_mutex_destroy(&notices->lock);
    free(notices);
}

int cfs_fuse_notices_start(struct cfs_fuse_session *session)
{
    struct cfs_fuse_notices *notices = session->notices;
    pthread_mutex_lock(&notices->lock);
    int error = cfs_thread_start(send_notices, notices, &notices->thread);
    if (!error)
        notices->fuse = session->fuse;
    pthread_mutex_unlock(&notices->lock);
    return error;
}

bool cfs_fuse_notices_stop(struct cfs_fuse_session *session)
{
    struct cfs_fuse_notices *notices = session->notices;
    pthread_mutex_lock(&notices->lock);
    bool runs = notices->fuse != NULL;
    notices->leaves = true;
    pthread_cond_signal(&notices->changed);
    pthread_mutex_unlock(&notices->lock);
    return !runs || pthread_tryjoin_np(notices->thread, NULL) == 0;
}

static bool is_queued(const struct cfs_fuse_notices *notices, uint64_t node, int64_t offset, int64_t length,
                      const char *name)
{
    /* The last one is the likely twin: a file that changes tells so again and again. */
    const struct notice *last = cfs_container_of(notices->queue.prev, struct notice, link);
    return !cfs_list_empty(&notices->queue) && last->node == node && last->offset == offset && last->length == length &&
           (name ? last->name && strcmp(name, last->name) == 0 : !last->name);
}

static void queue(struct cfs_fuse_notices *notices, uint64_t node, int64_t offset, int64_t length, const char *name)
{
    pthread_mutex_lock(&notices->lock);
    if (notices->fuse && !notices->leaves && notices->count < QUEUE_LIMIT &&
        !is_queued(notices, node, offset, length, name)) {
        struct notice *notice = calloc(1, sizeof(*notice));
        if (notice && name && !(notice->name = strdup(name))) {
            free(notice);
            notice = NULL;
        }
        if (notice) {
            notice->node = node;
            notice->offset = offset;
            notice->length = length;
            cfs_list_push_back(&notices->queue, &notice->link);
            notices->count++;
            pthread_cond_signal(&notices->changed);
        }
    }
    pthread_mutex_unlock(&notices->lock);
}

void cfs_fuse_notices_node_changed(void *session, uint64_t node, int64_t offset, int64_t length)
{
    queue(((struct cfs_fuse_session *)session)->notices, node, offset, length, NULL);
}

void cfs_fuse_notices_entry_changed(void *session, uint64_t parent, const char *name)
{
    queue(((struct cfs_fuse_session *)session)->notices, parent, 0, 0, name);
}

/* Copying on the server: both files must be at rest, and what comes later waits for it, in both. */
#include "cache/contents_priv.h"
#include <errno.h>
#include <string.h>

struct copying {
    struct cfs_cache_call call;
    struct cfs_content_file *file[2]; /* source and target */
    struct cfs_turn turn[2];
    uint64_t offset[2];
    size_t length;
    unsigned waits; /* for so many turns */
};

static struct copying *copying_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct copying, call);
}

static void release(struct cfs_cache_call *call)
{
    struct copying *copying = copying_of(call);
    struct cfs_contents *contents = cfs_contents_of_call(call);
    pthread_mutex_lock(&contents->lock);
    for (int i = 0; i < 2; i++)
        cfs_content_file_put(copying->file[i]);
    pthread_mutex_unlock(&contents->lock);
}

static void end_turns(struct copying *copying)
{
    for (int i = 0; i < 2; i++) {
        struct cfs_turn *turn = &copying->turn[i];
        if (turn->content && !cfs_turn_withdraw(turn))
            cfs_turn_end(turn);
    }
}

static void copied(struct cfs_cache_call *call)
{
    struct copying *copying = copying_of(call);
    struct cfs_contents *contents = cfs_contents_of_call(call);
    struct cfs_content *target = copying->turn[1].content;
    uint64_t end = copying->offset[1] + call->lower.result.length;
    int error = call->lower.error;
    pthread_mutex_lock(&contents->lock);
    if (error != -EOPNOTSUPP && error != -EXDEV && error != -EBADF) {
        cfs_content_drop(target);
        target->must_learn |= error < 0;
    }
    if (error == 0 && call->lower.result.length > 0 && end > target->size)
        target->size = target->server_size = end;
    end_turns(copying);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_pass(call);
}

static void copy_below(struct cfs_cache_call *call)
{
    struct copying *copying = copying_of(call);
    cfs_cache_call_submit(call, copied, copy, copying->file[0]->lower, copying->offset[0], copying->file[1]->lower,
                          copying->offset[1], copying->length);
}

static void granted(struct cfs_turn *turn)
{
    struct copying *copying = turn->context;
    if (--copying->waits == 0)
        cfs_cache_call_post(&copying->call, copy_below);
}

static void cancel_wait(struct cfs_cache_call *call)
{
    struct copying *copying = copying_of(call);
    struct cfs_contents *contents = cfs_contents_of_call(call);
    pthread_mutex_lock(&contents->lock);
    if (copying->waits > 0) {
        copying->waits = 0;
        end_turns(copying);
        cfs_cache_call_finish_later(call, -EINTR);
    }
    pthread_mutex_unlock(&contents->lock);
}

/* Both places are taken at once, so that no two copies can wait for each other. */
static void enter(struct copying *copying)
{
    bool is_same = copying->file[0]->content == copying->file[1]->content;
    copying->waits = is_same ? 1 : 2;
    for (int i = is_same; i < 2; i++) {
        copying->turn[i] = (struct cfs_turn){
            .content = copying->file[i]->content, .kind = CFS_TURN_BARRIER, .granted = granted, .context = copying};
        cfs_list_init(&copying->turn[i].link);
    }
    for (int i = is_same; i < 2; i++)
        cfs_content_turn_take(&copying->turn[i]);
}

void cfs_contents_copy(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *from,
                       uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct copying *copying = cfs_cache_call_new(&contents->core, upper, sizeof(*copying), release);
    if (!copying)
        return;
    copying->offset[0] = from_offset;
    copying->offset[1] = to_offset;
    copying->length = length;
    copying->file[0] = cfs_content_file_of(from);
    copying->file[1] = cfs_content_file_of(to);
    cfs_cache_call_lock(&copying->call);
    pthread_mutex_lock(&contents->lock);
    copying->file[0]->uses++;
    copying->file[1]->uses++;
    if (copying->call.cancelled) {
        cfs_cache_call_finish_later(&copying->call, -EINTR);
    } else {
        copying->call.cancel_wait = cancel_wait;
        enter(copying);
    }
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_unlock(&copying->call);
}

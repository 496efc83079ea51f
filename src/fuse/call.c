/* Calls: from libfuse's request to the file system's and back. The reply may be sent on any thread, and once it is,
 * libfuse's request is gone: a call therefore leaves the session's list, under its lock, before it replies, and the
 * watcher of interrupts only touches what it finds in that list. */
#include "fuse/call.h"
#include "base/clock.h"
#include "base/doing.h"
#include <errno.h>
#include <stdlib.h>

static void interrupted(fuse_req_t fuse_request, void *data)
{
    /* libfuse may call this while another thread is replying: DATA is looked up, not trusted. Should a new call live at
     * the same address by now, it is marked for nothing, and the watcher finds no signal pending in its caller. */
    struct cfs_fuse_session *session = fuse_req_userdata(fuse_request);
    pthread_mutex_lock(&session->calls_lock);
    struct cfs_list *link;
    cfs_list_each (link, &session->calls) {
        struct cfs_fuse_call *call = cfs_container_of(link, struct cfs_fuse_call, link);
        if (call == data) {
            call->interrupted = true;
            session->interrupts_pending = true;
            pthread_cond_broadcast(&session->calls_changed);
            break;
        }
    }
    pthread_mutex_unlock(&session->calls_lock);
}

static void leave_list(struct cfs_fuse_call *call)
{
    struct cfs_fuse_session *session = call->session;
    pthread_mutex_lock(&session->calls_lock);
    cfs_list_remove(&call->link);
    pthread_mutex_unlock(&session->calls_lock);
}

/* The session may be freed as soon as the last call is gone: this comes after everything that uses it. */
static void leave_session(struct cfs_fuse_session *session)
{
    pthread_mutex_lock(&session->calls_lock);
    session->call_count--;
    if (session->call_count == 0)
        pthread_cond_broadcast(&session->calls_gone);
    pthread_mutex_unlock(&session->calls_lock);
}

static void free_call(struct cfs_fuse_call *call)
{
    struct cfs_fuse_session *session = call->session;
    free(call->buffer);
    free(call);
    leave_session(session);
}

static void reply(struct cfs_request *request)
{
    struct cfs_fuse_call *call = cfs_fuse_call_of(request);
    leave_list(call);
    if (request->error)
        fuse_reply_err(call->fuse_request, -request->error);
    else
        call->answer(call);
    free_call(call);
}

struct cfs_fuse_call *cfs_fuse_call_new(fuse_req_t fuse_request, const char *name, fuse_ino_t node, size_t buffer_size,
                                        void (*answer)(struct cfs_fuse_call *call))
{
    struct cfs_fuse_session *session = fuse_req_userdata(fuse_request);
    cfs_doing(name);
    if (atomic_load(&session->stopping)) { /* the file system is on its way out */
        fuse_reply_err(fuse_request, ENOTCONN);
        return NULL;
    }
    struct cfs_fuse_call *call = calloc(1, sizeof(*call));
    if (call && buffer_size) {
        call->buffer = malloc(buffer_size);
        call->size = buffer_size;
    }
    if (!call || (buffer_size && !call->buffer)) {
        free(call);
        fuse_reply_err(fuse_request, ENOMEM);
        return NULL;
    }

    const struct fuse_ctx *context = fuse_req_ctx(fuse_request);
    call->request.reply = reply;
    call->request.caller =
        (struct cfs_caller){.uid = context->uid, .gid = context->gid, .pid = context->pid, .umask = context->umask};
    call->fuse_request = fuse_request;
    call->session = session;
    call->answer = answer;
    call->name = name;
    call->node = node;
    call->since_ms = cfs_clock_ms(&cfs_system_clock);
    call->thread = context->pid;

    pthread_mutex_lock(&session->calls_lock);
    cfs_list_push_back(&session->calls, &call->link);
    session->call_count++;
    pthread_mutex_unlock(&session->calls_lock);
    /* Calls `interrupted` at once if the interrupt has overtaken the request. */
    fuse_req_interrupt_func(fuse_request, interrupted, call);
    return call;
}

struct abandoned {
    struct cfs_request request;
    struct cfs_fuse_session *session;
};

static void free_abandoned(struct cfs_request *request)
{
    struct abandoned *abandoned = cfs_container_of(request, struct abandoned, request);
    struct cfs_fuse_session *session = abandoned->session;
    free(abandoned);
    leave_session(session);
}

struct cfs_request *cfs_fuse_abandoned_new(const struct cfs_fuse_call *call)
{
    struct abandoned *abandoned = calloc(1, sizeof(*abandoned));
    if (!abandoned)
        return NULL;
    abandoned->request.reply = free_abandoned;
    abandoned->request.caller = call->request.caller;
    abandoned->session = call->session;
    pthread_mutex_lock(&call->session->calls_lock);
    call->session->call_count++;
    pthread_mutex_unlock(&call->session->calls_lock);
    return &abandoned->request;
}

struct fuse_entry_param cfs_fuse_entry(const struct cfs_entry *entry)
{
    return (struct fuse_entry_param){
        .ino = entry->node,
        .generation = entry->generation,
        .attr = entry->attributes,
        .attr_timeout = entry->attributes_ttl_ms / 1000.0,
        .entry_timeout = entry->entry_ttl_ms / 1000.0,
    };
}

void cfs_fuse_answer_entry(struct cfs_fuse_call *call)
{
    struct fuse_entry_param entry = cfs_fuse_entry(&call->request.result.entry);
    uint64_t node = entry.ino;
    /* The kernel did not take the reply (the caller was killed): it will not forget the node either. */
    if (fuse_reply_entry(call->fuse_request, &entry) == -ENOENT && node != 0)
        cfs_fs_forget(call->session->fs, node, 1);
}

void cfs_fuse_answer_attributes(struct cfs_fuse_call *call)
{
    const struct cfs_result *result = &call->request.result;
    fuse_reply_attr(call->fuse_request, &result->attributes, result->attributes_ttl_ms / 1000.0);
}

void cfs_fuse_answer_nothing(struct cfs_fuse_call *call)
{
    fuse_reply_err(call->fuse_request, 0);
}

void cfs_fuse_answer_length(struct cfs_fuse_call *call)
{
    fuse_reply_write(call->fuse_request, call->request.result.length);
}

void cfs_fuse_answer_buffer(struct cfs_fuse_call *call)
{
    fuse_reply_buf(call->fuse_request, call->buffer, call->request.result.length);
}

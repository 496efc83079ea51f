/* Operations on open files, and what all calls on contents share. */
#include "cache/contents_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool can_read(int flags)
{
    return (flags & O_ACCMODE) != O_WRONLY;
}

static bool can_write(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY;
}

/* --- calls --- */

static void release_call(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    pthread_mutex_lock(&contents->lock);
    cfs_content_put(call->content);
    if (call->file)
        cfs_content_file_put(call->file);
    pthread_mutex_unlock(&contents->lock);
    if (call->owns_data)
        free((void *)(uintptr_t)call->data);
    free(call->path);
    free(call->other);
}

struct cfs_content_call *cfs_content_call_new(struct cfs_remote *remote, struct cfs_remote_call *upper,
                                              struct cfs_content_file *file)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct cfs_content_call *call = cfs_cache_call_new(&contents->core, upper, sizeof(*call), release_call);
    if (!call || !file)
        return call;
    pthread_mutex_lock(&contents->lock);
    call->file = file;
    call->content = file->content;
    file->uses++;
    cfs_content_get(call->content);
    pthread_mutex_unlock(&contents->lock);
    return call;
}

/* The call still waits for its turn, for what was written, or for fetches. */
static bool stop_waiting(struct cfs_content_call *call)
{
    if (cfs_turn_withdraw(&call->turn))
        return true;
    if (call->turn.kind != CFS_TURN_READ || call->through || cfs_list_empty(&call->turn.link))
        return false;
    cfs_turn_end(&call->turn);
    return true;
}

static void cancel_wait(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    pthread_mutex_lock(&contents->lock);
    if (stop_waiting(call))
        cfs_cache_call_finish_later(base, -EINTR);
    pthread_mutex_unlock(&contents->lock);
}

/* What is written must be copied before the call returns. */
static void copy_data(struct cfs_content_call *call)
{
    void *copy = malloc(call->turn.length);
    if (!copy) {
        (void)cfs_turn_withdraw(&call->turn);
        cfs_cache_call_finish_later(&call->call, -ENOMEM);
        return;
    }
    memcpy(copy, call->data, call->turn.length);
    call->data = copy;
    call->owns_data = true;
}

void cfs_content_call_enter(struct cfs_content_call *call, enum cfs_turn_kind kind, void (*granted)(struct cfs_turn *))
{
    struct cfs_contents *contents = cfs_contents_of_call(&call->call);
    cfs_cache_call_lock(&call->call);
    pthread_mutex_lock(&contents->lock);
    call->turn.content = call->content;
    call->turn.kind = kind;
    call->turn.granted = granted;
    cfs_list_init(&call->turn.link);
    if (call->call.cancelled) {
        cfs_cache_call_finish_later(&call->call, -EINTR);
    } else {
        call->call.cancel_wait = cancel_wait;
        cfs_content_turn_take(&call->turn);
        if (call->turn.waiting && kind == CFS_TURN_WRITE)
            copy_data(call);
    }
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_unlock(&call->call);
}

void cfs_content_call_enter_to_set(struct cfs_content_call *call)
{
    if (call->attributes.valid & (CFS_REMOTE_SIZE | CFS_REMOTE_TIMES))
        cfs_content_call_enter(call, CFS_TURN_BARRIER, cfs_content_call_go_on);
    else
        cfs_content_call_enter(call, CFS_TURN_DRAIN, cfs_content_call_drain);
}

void cfs_content_call_go_on(struct cfs_turn *turn)
{
    struct cfs_content_call *call = cfs_container_of(turn, struct cfs_content_call, turn);
    cfs_cache_call_post(&call->call, call->then);
}

void cfs_content_call_drain(struct cfs_turn *turn)
{
    cfs_writer_drain(turn, cfs_content_call_go_on);
}

void cfs_content_call_pass(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    if (call->turn.content) {
        pthread_mutex_lock(&contents->lock);
        cfs_turn_end(&call->turn);
        pthread_mutex_unlock(&contents->lock);
    }
    cfs_cache_call_pass(base);
}

/* --- open --- */

static void free_unopened(struct cfs_content_file *file)
{
    if (file)
        free(file->close);
    free(file);
}

static void release_opening(struct cfs_cache_call *base)
{
    free_unopened(cfs_content_call_of(base)->opening);
    release_call(base);
}

static void closed_in_vain(struct cfs_cache_call *base)
{
    cfs_cache_call_finish(base, -ENOMEM);
}

void cfs_content_file_attach(struct cfs_content_file *file, struct cfs_content *content)
{
    file->content = content;
    file->errors_told = content->errors;
    content->readable += can_read(file->flags);
    cfs_list_push_back(&content->files, &file->of_content);
}

/* PROVEN: the witness has told that what it has open is the same file. */
static void finish_open(struct cfs_content_call *opening, const struct cfs_remote_attributes *attributes, bool proven)
{
    struct cfs_cache_call *base = &opening->call;
    struct cfs_contents *contents = cfs_contents_of_call(base);
    struct cfs_content_file *file = opening->opening;
    pthread_mutex_lock(&contents->lock);
    struct cfs_content *content = cfs_content_opened(contents, opening->path, file->flags, attributes, opening->started,
                                                     proven ? opening->file->content : NULL);
    if (content) {
        cfs_content_file_attach(file, content);
        file->seen = *attributes;
        base->upper->result.attributes = *attributes;
        cfs_content_correct(content, &base->upper->result.attributes, opening->started, false);
        base->upper->result.file = (struct cfs_remote_file *)(void *)CFS_TAKE(opening->opening);
    }
    if (opening->has_barrier)
        cfs_turn_end(&opening->turn);
    if (content)
        cfs_turns_pump(content);
    pthread_mutex_unlock(&contents->lock);
    if (content)
        cfs_cache_call_finish(base, 0);
    else
        cfs_cache_call_submit(base, closed_in_vain, close, file->lower);
}

static void witness_told(struct cfs_cache_call *base)
{
    struct cfs_content_call *opening = cfs_content_call_of(base);
    const struct cfs_remote_attributes *here = &opening->attributes, *there = &base->lower.result.attributes;
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    bool is_same = base->lower.error == 0 && (there->valid & needed) == needed && there->size >= here->size &&
                   there->mtime >= here->mtime;
    finish_open(opening, here, is_same);
}

/* When others have the file open, and it has grown: one of them is asked whether it is theirs that has. */
static void opened(struct cfs_content_call *opening, const struct cfs_remote_attributes *attributes)
{
    struct cfs_contents *contents = cfs_contents_of_call(&opening->call);
    pthread_mutex_lock(&contents->lock);
    struct cfs_content_file *witness =
        cfs_content_witness(contents, opening->path, opening->opening->flags, attributes, opening->started);
    if (witness) {
        opening->file = witness;
        witness->uses++;
    }
    pthread_mutex_unlock(&contents->lock);
    opening->attributes = *attributes;
    if (witness)
        cfs_cache_call_submit(&opening->call, witness_told, fstat, witness->lower);
    else
        finish_open(opening, &opening->attributes, false);
}

/* It has ended since there is no connection, and something old will do. */
static bool is_answered_by_memory(const struct cfs_cache_call *base)
{
    return base->lower.error == -ENOTCONN && base->lower.when_lost == CFS_REMOTE_FAIL &&
           base->upper->when_lost == CFS_REMOTE_TELL_OLD;
}

static void closed_unseen(struct cfs_cache_call *base)
{
    cfs_cache_call_finish(base, -ENOTCONN);
}

static void looked_at_opened(struct cfs_cache_call *base)
{
    struct cfs_content_call *opening = cfs_content_call_of(base);
    struct cfs_remote_attributes attributes = base->lower.result.attributes;
    if (is_answered_by_memory(base)) {
        if (cfs_content_opened_unseen(opening))
            return;
        base->lower.when_lost = CFS_REMOTE_WAIT;
        cfs_cache_call_submit(base, looked_at_opened, fstat, opening->opening->lower);
        return;
    }
    /* Who did not want to wait gets no file: what is known of it from before is not given up for that. */
    if (base->lower.error == -ENOTCONN && base->lower.when_lost == CFS_REMOTE_FAIL && !opening->has_barrier) {
        cfs_cache_call_submit(base, closed_unseen, close, opening->opening->lower);
        return;
    }
    if (base->lower.error < 0)
        attributes.valid = 0;
    opened(opening, &attributes);
}

static void open_below(struct cfs_cache_call *base);

static void open_without_connection(struct cfs_content_call *opening)
{
    if (cfs_content_open_from_memory(opening))
        return;
    opening->call.lower.when_lost = CFS_REMOTE_WAIT;
    open_below(&opening->call);
}

static void open_done(struct cfs_cache_call *base)
{
    struct cfs_content_call *opening = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    struct cfs_remote_attributes attributes = base->lower.result.attributes;
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES | CFS_REMOTE_MODE;
    if (is_answered_by_memory(base)) {
        open_without_connection(opening);
        return;
    }
    if (base->lower.error < 0) {
        if (opening->has_barrier) {
            pthread_mutex_lock(&contents->lock);
            opening->content->must_learn = true; /* it may have been truncated */
            cfs_turn_end(&opening->turn);
            pthread_mutex_unlock(&contents->lock);
        }
        cfs_cache_call_finish(base, base->lower.error);
        return;
    }
    opening->opening->lower = base->lower.result.file;
    if ((attributes.valid & needed) == needed && S_ISREG(attributes.mode))
        opened(opening, &attributes);
    else
        cfs_cache_call_submit(base, looked_at_opened, fstat, opening->opening->lower);
}

static void open_below(struct cfs_cache_call *base)
{
    const struct cfs_content_call *opening = cfs_content_call_of(base);
    cfs_cache_call_submit(base, open_done, open, opening->path, opening->opening->flags, opening->type);
}

static void open_granted(struct cfs_turn *turn)
{
    struct cfs_content_call *opening = cfs_container_of(turn, struct cfs_content_call, turn);
    opening->has_barrier = true;
    cfs_content_call_go_on(turn);
}

static int prepare_open(struct cfs_content_call *opening, const char *path, int flags)
{
    opening->call.release = release_opening;
    opening->path = strdup(path);
    struct cfs_content_file *file = opening->opening = calloc(1, sizeof(*file));
    if (file)
        file->close = calloc(1, sizeof(*file->close));
    if (!file || !file->close || !opening->path)
        return -ENOMEM;
    file->contents = cfs_contents_of_call(&opening->call);
    file->flags = flags;
    cfs_list_init(&file->of_content);
    cfs_list_init(&file->hungry);
    return 0;
}

void cfs_contents_open(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, int flags,
                       mode_t mode)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct cfs_content_call *opening = cfs_content_call_new(remote, upper, NULL);
    if (!opening)
        return;
    int error = prepare_open(opening, path, flags);
    if (error < 0) {
        cfs_cache_call_finish_later(&opening->call, error);
        return;
    }
    opening->type = mode;
    opening->then = open_below;
    pthread_mutex_lock(&contents->lock);
    opening->started = contents->stamp;
    struct cfs_content *content = flags & O_TRUNC ? cfs_content_find(contents, path) : NULL;
    if (content)
        cfs_content_get(content);
    opening->content = content;
    if (cfs_content_may_open_old(opening))
        opening->call.lower.when_lost = CFS_REMOTE_FAIL;
    pthread_mutex_unlock(&contents->lock);
    if (content)
        cfs_content_call_enter(opening, CFS_TURN_BARRIER, open_granted);
    else
        open_below(&opening->call);
}

/* --- reading and writing --- */

static bool is_sane(uint64_t offset, size_t length)
{
    return offset <= INT64_MAX && length <= INT64_MAX - offset;
}

void cfs_contents_read(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                       uint64_t offset, size_t length, void *destination)
{
    struct cfs_content_file *open = cfs_content_file_of(file);
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, open);
    if (!call)
        return;
    int error = !can_read(open->flags) ? -EBADF : !is_sane(offset, length) ? -EINVAL : 0;
    if (error < 0 || length == 0) {
        cfs_cache_call_finish_later(&call->call, error);
        return;
    }
    call->turn.offset = offset;
    call->turn.length = length;
    call->destination = destination;
    pthread_mutex_lock(&open->contents->lock);
    bool is_known = call->content->size_known;
    pthread_mutex_unlock(&open->contents->lock);
    cfs_content_call_enter(call, is_known ? CFS_TURN_READ : CFS_TURN_BARRIER, cfs_read_granted);
}

void cfs_contents_write(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                        uint64_t offset, size_t length, const void *data)
{
    struct cfs_content_file *open = cfs_content_file_of(file);
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, open);
    if (!call)
        return;
    int error = !can_write(open->flags) ? -EBADF : !is_sane(offset, length) ? -EFBIG : 0;
    if (error < 0 || length == 0) {
        cfs_cache_call_finish_later(&call->call, error);
        return;
    }
    call->turn.offset = offset;
    call->turn.length = length;
    call->data = data;
    cfs_content_call_enter(call, CFS_TURN_WRITE, cfs_write_granted);
}

/* --- attributes --- */

static void ask_file(struct cfs_content_call *call);

static void fstat_done(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    bool is_lost = is_answered_by_memory(base);
    pthread_mutex_lock(&contents->lock);
    if (base->lower.error == 0) {
        cfs_content_correct(call->content, &base->lower.result.attributes, call->started, true);
        call->file->seen = base->lower.result.attributes;
    }
    bool is_told = is_lost && cfs_content_file_tell_old(call->file, &base->upper->result);
    pthread_mutex_unlock(&contents->lock);
    base->lower.when_lost = CFS_REMOTE_WAIT;
    if (is_told)
        cfs_cache_call_finish(base, 0);
    else if (is_lost)
        ask_file(call);
    else
        cfs_cache_call_pass(base);
}

static void ask_file(struct cfs_content_call *call)
{
    struct cfs_contents *contents = cfs_contents_of_call(&call->call);
    pthread_mutex_lock(&contents->lock);
    call->started = contents->stamp;
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_submit(&call->call, fstat_done, fstat, call->file->lower);
}

void cfs_contents_fstat(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, cfs_content_file_of(file));
    if (!call)
        return;
    if (upper->when_lost == CFS_REMOTE_TELL_OLD)
        call->call.lower.when_lost = CFS_REMOTE_FAIL;
    ask_file(call);
}

/* Behind our own bytes nobody else's can be seen before they are on the server. */
void cfs_contents_find_end(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, cfs_content_file_of(file));
    if (!call)
        return;
    pthread_mutex_lock(&contents->lock);
    const struct cfs_content *content = call->content;
    bool is_ours = content->size_known && !content->must_learn && !content->barrier && content->size > 0 &&
                   cfs_writer_end(content) == content->size;
    if (is_ours)
        upper->result.attributes = (struct cfs_remote_attributes){.valid = CFS_REMOTE_SIZE, .size = content->size};
    pthread_mutex_unlock(&contents->lock);
    if (is_ours)
        cfs_cache_call_finish_later(&call->call, 0);
    else
        ask_file(call);
}

static void fsetattr_done(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    cfs_content_attributes_set(call, base->lower.error);
    cfs_content_call_pass(base);
}

static void fsetattr_below(struct cfs_cache_call *base)
{
    const struct cfs_content_call *call = cfs_content_call_of(base);
    cfs_cache_call_submit(base, fsetattr_done, fsetattr, call->file->lower, &call->attributes);
}

void cfs_contents_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                           const struct cfs_remote_attributes *attributes)
{
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, cfs_content_file_of(file));
    if (!call)
        return;
    call->attributes = *attributes;
    call->then = fsetattr_below;
    cfs_content_call_enter_to_set(call);
}

/* --- flush, fsync --- */

static int tell_error(struct cfs_content_call *call)
{
    struct cfs_contents *contents = cfs_contents_of_call(&call->call);
    pthread_mutex_lock(&contents->lock);
    int error = cfs_writer_tell(call->file);
    cfs_content_ask_version(call->content, call->file);
    pthread_mutex_unlock(&contents->lock);
    return error;
}

static void flush_drained(struct cfs_cache_call *base)
{
    cfs_cache_call_finish(base, tell_error(cfs_content_call_of(base)));
}

void cfs_contents_flush(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, cfs_content_file_of(file));
    if (!call)
        return;
    call->then = flush_drained;
    cfs_content_call_enter(call, CFS_TURN_DRAIN, cfs_content_call_drain);
}

static void fsync_drained(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    int error = tell_error(call);
    if (error < 0)
        cfs_cache_call_finish(base, error);
    else
        cfs_cache_call_submit(base, cfs_cache_call_pass, fsync, call->file->lower);
}

void cfs_contents_fsync(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, cfs_content_file_of(file));
    if (!call)
        return;
    call->then = fsync_drained;
    cfs_content_call_enter(call, CFS_TURN_DRAIN, cfs_content_call_drain);
}

/* --- close: when what was written is acknowledged, and no other call uses the file --- */

static void release_closed(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_content_file *file = call->opening;
    struct cfs_contents *contents = file->contents;
    pthread_mutex_lock(&contents->lock);
    cfs_content_put(file->content);
    pthread_mutex_unlock(&contents->lock);
    free(file);
    free(call);
}

static void close_done(struct cfs_cache_call *base)
{
    int error = cfs_content_call_of(base)->error;
    cfs_cache_call_finish(base, error < 0 ? error : base->lower.error);
}

static void close_below(struct cfs_cache_call *base)
{
    cfs_cache_call_submit(base, close_done, close, cfs_content_call_of(base)->opening->lower);
}

static void close_unless_used(struct cfs_content_file *file)
{
    if (!file->closing || file->uses > 0)
        return;
    cfs_reader_forget(file);
    file->content->readable -= can_read(file->flags);
    cfs_list_remove(&file->of_content);
    cfs_cache_call_post(&CFS_TAKE(file->closing)->call, close_below);
}

void cfs_content_file_put(struct cfs_content_file *file)
{
    file->uses--;
    close_unless_used(file);
}

static void close_drained(struct cfs_turn *turn)
{
    struct cfs_content_call *call = cfs_container_of(turn, struct cfs_content_call, turn);
    struct cfs_content_file *file = call->opening;
    call->error = cfs_writer_tell(file);
    cfs_content_ask_version(file->content, file);
    file->closing = call;
    close_unless_used(file);
}

static void close_granted(struct cfs_turn *turn)
{
    cfs_writer_drain(turn, close_drained);
}

void cfs_contents_close(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct cfs_content_file *open = cfs_content_file_of(file);
    struct cfs_content_call *call = CFS_TAKE(open->close);
    cfs_cache_call_init(&call->call, &contents->core, upper, release_closed);
    call->opening = open;
    pthread_mutex_lock(&contents->lock);
    cfs_reader_forget(open);
    call->turn = (struct cfs_turn){.content = open->content, .kind = CFS_TURN_DRAIN, .granted = close_granted};
    cfs_content_turn_take(&call->turn);
    pthread_mutex_unlock(&contents->lock);
}

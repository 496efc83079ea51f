/* Open files: open, read, write and so on of one `struct cfs_cached_file`, and what they do to what is known of its
 * name. */
#include "cache/cached_file.h"
#include "cache/call.h"
#include "cache/change.h"
#include "cache/poll.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void free_file(struct cfs_cached_file *file)
{
    struct cfs_cache *cache = file->cache;
    if (file->name) {
        pthread_mutex_lock(&cache->names_lock);
        cfs_name_put(&cache->names, file->name);
        pthread_mutex_unlock(&cache->names_lock);
    }
    free(file);
}

/* --- the file's name --- */

static bool is_adrift(const struct cfs_cached_file *file)
{
    return file->adrift || file->drift != file->name->drift;
}

struct cfs_name *cfs_cached_file_name(const struct cfs_cached_file *file)
{
    struct cfs_name *name = file->name;
    bool is_its = name && !name->detached && name->incarnation == file->incarnation && !is_adrift(file);
    return is_its ? name : NULL;
}

/* Also if the name is another file's by now: that may have been a mistake (what was known of the name was no longer
 * right when the file was opened), and to ask once more does no harm. */
void cfs_cached_file_change_begin(struct cfs_cached_file *file, struct cfs_change *change)
{
    struct cfs_cache *cache = file->cache;
    if (!file->name)
        return;
    pthread_mutex_lock(&cache->names_lock);
    if (!file->name->detached)
        cfs_change_begin_name(&cache->names, change, file->name);
    else
        change->begun = cfs_names_stamp(&cache->names);
    pthread_mutex_unlock(&cache->names_lock);
}

void cfs_cached_file_change_end(struct cfs_cached_file *file, struct cfs_change *change, int error,
                                const struct cfs_remote_attributes *set)
{
    struct cfs_cache *cache = file->cache;
    if (change->begun == 0)
        return;
    pthread_mutex_lock(&cache->names_lock);
    cfs_change_end(&cache->names, change);
    if (change->name && error == 0 && set && change->alone && cfs_cached_file_name(file))
        cfs_name_set(&cache->names, change->name, set);
    else if (change->name)
        cfs_name_touched(&cache->names, change->name);
    if (is_adrift(file))
        cfs_names_changed_adrift(&cache->names);
    cfs_change_put(&cache->names, change);
    pthread_mutex_unlock(&cache->names_lock);
}

void cfs_cached_file_learn(struct cfs_cached_file *file, const struct cfs_remote_attributes *attributes, uint64_t stamp,
                           int64_t asked_ms)
{
    file->seen = *attributes;
    file->learned_at = stamp;
    file->freshness = (struct cfs_freshness){
        asked_ms, attributes->valid ? cfs_name_ttl_ms(&file->cache->names, file->name, attributes) : 0};
}

/* 0: it must be asked for. */
static uint32_t file_keep_ms(const struct cfs_cached_file *file)
{
    const struct cfs_names *names = &file->cache->names;
    const struct cfs_name *name = cfs_cached_file_name(file);
    return name && cfs_name_is_current(names, name, file->learned_at) ? cfs_names_left_ms(names, &file->freshness) : 0;
}

/* --- open --- */

struct opening {
    struct cfs_cache_call call;
    struct cfs_cached_file *file; /* until it is the file system's */
    struct cfs_change change;     /* with O_CREAT or O_TRUNC */
    bool vouched;                 /* O_CREAT, of a name that is known to be absent */
    struct cfs_remote_attributes known;
    uint64_t stamp;
    int64_t asked_ms;
    struct cfs_ahead_waiter waiter; /* for reading: for a file opened ahead */
    char *path;                     /* while it waits for one */
};

static struct opening *opening_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct opening, call);
}

static void release_opening(struct cfs_cache_call *call)
{
    struct opening *opening = opening_of(call);
    free(opening->path);
    if (opening->file)
        free_file(opening->file);
}

/* What the open, which has ended its change, has made of the name. */
static void enter_change(struct opening *opening, int error)
{
    struct cfs_names *names = &opening->call.cache->names;
    struct cfs_change *change = &opening->change;
    bool is_exclusive = (opening->file->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    if (error < 0) {
        cfs_name_doubt(names, change->name);
    } else if (is_exclusive && change->alone) {
        cfs_name_made(names, change->name, S_IFREG, false);
        cfs_name_filled(names, change->folder, true);
    } else {
        cfs_name_exists(names, change->name);
        if (change->moves && !change->alone && change->folder)
            change->folder->complete = false;
    }
}

/* Close-to-open: what was known before the open must not be told after it. The open followed links: only of a file of
 * our own making is it certain that it is the name's. Others are told as long as what an lstat said may be told, but as
 * they are now. */
static void enter_attributes(struct opening *opening, bool is_ours)
{
    struct cfs_names *names = &opening->call.cache->names;
    const struct cfs_remote_attributes *attributes = &opening->call.lower.result.attributes;
    struct cfs_cached_file *file = opening->file;
    struct cfs_name *name = file->name;
    if (opening->call.lower.result.is_old)
        return;
    if (attributes->valid && cfs_name_is_current(names, name, opening->stamp)) {
        cfs_cached_file_learn(file, attributes, opening->stamp, opening->asked_ms);
        if (is_ours)
            (void)cfs_name_learn(names, name, attributes, opening->stamp, opening->asked_ms);
        else
            cfs_name_update(names, name, attributes);
    } else {
        cfs_name_touched(names, name);
    }
}

static void enter_open(struct opening *opening, int error)
{
    struct cfs_names *names = &opening->call.cache->names;
    struct cfs_cached_file *file = opening->file;
    struct cfs_name *name = file->name;
    bool is_alone = opening->change.name && name->changing == 1 && name->changed_at <= opening->stamp;
    bool is_new = (file->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ||
                  (file->flags & O_CREAT && name->presence == CFS_NAME_ABSENT);
    file->adrift = !opening->change.name && !cfs_name_place_is_current(name, opening->stamp);
    cfs_change_end(names, &opening->change);
    if (opening->change.name)
        file->adrift = !opening->change.in_place;
    /* What the server says of a file that it has just opened for us is as of after this change, if there was no other.
     */
    if (is_alone && opening->change.in_place)
        opening->stamp = cfs_names_stamp(names);
    if (opening->change.name)
        enter_change(opening, error);
    file->incarnation = name->incarnation;
    file->drift = name->drift;
    if (error == 0)
        enter_attributes(opening, is_alone && opening->change.in_place && is_new);
    else
        cfs_name_touched(names, name);
    opening->call.upper->result.attributes.keep_ms =
        error == 0 ? cfs_cache_keep(file_keep_ms(file)) : CFS_REMOTE_KEEP_NOT;
    cfs_change_put(names, &opening->change);
}

static void opened(struct cfs_cache_call *call)
{
    struct opening *opening = opening_of(call);
    struct cfs_cached_file *file = opening->file;
    struct cfs_cache *cache = call->cache;
    int error = call->lower.error;
    call->upper->result.attributes = call->lower.result.attributes;
    call->upper->result.is_old = call->lower.result.is_old;
    if (file->name) {
        pthread_mutex_lock(&cache->names_lock);
        enter_open(opening, error);
        pthread_mutex_unlock(&cache->names_lock);
    }
    if (error == 0) {
        /* A new file may be made when it is flushed or closed, and has its time from then. */
        atomic_store(&file->written, (file->flags & O_CREAT) != 0);
        file->lower = call->lower.result.file;
        if (file->name) {
            pthread_mutex_lock(&cache->names_lock);
            cfs_poll_opened(file);
            pthread_mutex_unlock(&cache->names_lock);
        }
        call->upper->result.file = cfs_cached_file_as_remote(CFS_TAKE(opening->file));
    }
    cfs_cache_call_finish(call, error);
}

/* --- a file that was opened ahead --- */

/* As if it had been opened for us, when it was. */
static void take_over(struct opening *opening)
{
    struct cfs_remote_result *result = &opening->call.lower.result;
    const struct cfs_ahead_waiter *waiter = &opening->waiter;
    *result = (struct cfs_remote_result){.file = waiter->file, .attributes = waiter->attributes};
    opening->call.lower.error = 0;
    opening->stamp = waiter->stamp;
    opening->asked_ms = waiter->asked_ms;
    cfs_cache_call_post(&opening->call, opened);
}

static void open_below(struct cfs_cache_call *call)
{
    struct opening *opening = opening_of(call);
    struct cfs_cache *cache = call->cache;
    pthread_mutex_lock(&cache->names_lock);
    opening->stamp = cfs_names_stamp(&cache->names);
    opening->asked_ms = cfs_clock_ms(cache->clock);
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_submit(call, opened, open, opening->path, opening->file->flags, 0);
}

static void ahead_ready(struct cfs_ahead_waiter *waiter, bool taken)
{
    struct opening *opening = cfs_container_of(waiter, struct opening, waiter);
    if (taken)
        take_over(opening);
    else
        cfs_cache_call_post(&opening->call, open_below);
}

static void leave_ahead(struct cfs_cache_call *call)
{
    struct opening *opening = opening_of(call);
    struct cfs_cache *cache = call->cache;
    pthread_mutex_lock(&cache->names_lock);
    bool waits = !cfs_list_empty(&opening->waiter.link);
    cfs_list_remove(&opening->waiter.link);
    pthread_mutex_unlock(&cache->names_lock);
    if (waits)
        cfs_cache_call_finish_later(call, -EINTR);
}

/* True if a file that was opened ahead is, or will be, ours. */
static bool open_from_ahead(struct opening *opening, const char *path)
{
    struct cfs_cache *cache = opening->call.cache;
    bool waits = false;
    opening->path = strdup(path);
    if (!opening->path)
        return false;
    opening->waiter.ready = ahead_ready;
    cfs_cache_call_lock(&opening->call);
    pthread_mutex_lock(&cache->names_lock);
    bool is_ours = cfs_neighbours_open(cache, opening->file->name, &opening->waiter, &waits);
    if (waits)
        opening->call.cancel_wait = leave_ahead;
    else if (is_ours)
        take_over(opening);
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_unlock(&opening->call);
    return is_ours;
}

/* --- asking for an open --- */

/* For the contents, which keep nothing of empty files. */
static void note_empty(struct opening *opening, const char *path)
{
    struct cfs_name *name = NULL;
    if (opening->call.upper->when_lost != CFS_REMOTE_TELL_OLD || opening->file->flags & (O_CREAT | O_TRUNC) ||
        cfs_names_look_old(&opening->call.cache->names, path, &name) != CFS_NAMES_PRESENT)
        return;
    opening->known = name->attributes;
    if (S_ISREG(opening->known.mode) && opening->known.valid & CFS_REMOTE_SIZE && opening->known.size == 0)
        opening->call.lower.known = &opening->known;
}

/* Enters the name, and begins what the open changes. */
static int begin_open(struct opening *opening, const char *path)
{
    struct cfs_cache *cache = opening->call.cache;
    struct cfs_cached_file *file = opening->file;
    int error = 0;
    pthread_mutex_lock(&cache->names_lock);
    opening->vouched = file->flags & O_CREAT && cfs_names_vouch(&cache->names, path, NULL);
    note_empty(opening, path);
    file->name = cfs_names_enter(&cache->names, path);
    if (!file->name)
        error = -ENOMEM;
    else if (file->flags & O_CREAT)
        error = cfs_change_begin_place(&cache->names, &opening->change, path);
    else if (file->flags & O_TRUNC)
        error = cfs_change_begin_attributes(&cache->names, &opening->change, path);
    opening->stamp = cfs_names_stamp(&cache->names);
    opening->asked_ms = cfs_clock_ms(cache->clock);
    pthread_mutex_unlock(&cache->names_lock);
    return error;
}

void cfs_cache_open(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, int flags, mode_t mode)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct opening *opening = cfs_cache_call_new(cache, upper, sizeof(*opening), release_opening);
    if (!opening)
        return;
    opening->file = calloc(1, sizeof(*opening->file));
    int error = opening->file ? 0 : -ENOMEM;
    if (error == 0) {
        *opening->file = (struct cfs_cached_file){.cache = cache, .flags = flags};
        cfs_list_init(&opening->file->of_poll);
        error = cache->keeps_names ? begin_open(opening, path) : 0;
    }
    bool only_reads = (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY;
    cfs_cache_hold(cache);
    if (error < 0)
        cfs_cache_call_finish_later(&opening->call, error);
    else if (!only_reads || !opening->file->name || !open_from_ahead(opening, path))
        cfs_cache_call_submit_to(&opening->call, cfs_cache_below(&opening->call, opening->vouched), opened, open, path,
                                 flags, mode);
    if (only_reads)
        cfs_neighbours_on(cache);
    cfs_cache_release(cache);
}

/* --- reading and writing --- */

void cfs_cache_read(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                    uint64_t offset, size_t length, void *destination)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    cfs_poll_used(cfs_cached_file_of(file));
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, read, cfs_cached_file_of(file)->lower, offset, length,
                              destination);
}

/* A call that changes a file. */
struct modifying {
    struct cfs_cache_call call;
    struct cfs_cached_file *file;
    struct cfs_change change;
    struct cfs_remote_attributes set; /* fsetattr */
    bool sets;
};

static struct modifying *begin_modifying(struct cfs_remote *remote, struct cfs_remote_call *upper,
                                         struct cfs_remote_file *file)
{
    struct modifying *modifying = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*modifying), NULL);
    if (!modifying)
        return NULL;
    modifying->file = cfs_cached_file_of(file);
    cfs_cached_file_change_begin(modifying->file, &modifying->change);
    return modifying;
}

static void modified(struct cfs_cache_call *call)
{
    struct modifying *modifying = cfs_container_of(call, struct modifying, call);
    cfs_cached_file_change_end(modifying->file, &modifying->change, call->lower.error,
                               modifying->sets ? &modifying->set : NULL);
    cfs_cache_call_pass(call);
}

void cfs_cache_write(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                     uint64_t offset, size_t length, const void *data)
{
    struct modifying *modifying = begin_modifying(remote, upper, file);
    if (!modifying)
        return;
    atomic_store(&modifying->file->written, true);
    cfs_cache_call_submit(&modifying->call, modified, write, modifying->file->lower, offset, length, data);
}

/* Bytes that were written may reach the server now, and change its attributes once more. */
static struct modifying *begin_sync(struct cfs_remote *remote, struct cfs_remote_call *upper,
                                    struct cfs_remote_file *file)
{
    struct cfs_cached_file *cached = cfs_cached_file_of(file);
    struct modifying *syncing = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*syncing), NULL);
    if (!syncing)
        return NULL;
    syncing->file = cached;
    if (atomic_exchange(&cached->written, false))
        cfs_cached_file_change_begin(cached, &syncing->change);
    return syncing;
}

void cfs_cache_flush(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct modifying *syncing = begin_sync(remote, upper, file);
    if (syncing)
        cfs_cache_call_submit(&syncing->call, modified, flush, syncing->file->lower);
}

void cfs_cache_fsync(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct modifying *syncing = begin_sync(remote, upper, file);
    if (syncing)
        cfs_cache_call_submit(&syncing->call, modified, fsync, syncing->file->lower);
}

void cfs_cache_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                        const struct cfs_remote_attributes *attributes)
{
    struct modifying *modifying = begin_modifying(remote, upper, file);
    if (!modifying)
        return;
    modifying->set = *attributes;
    modifying->sets = true;
    cfs_cache_call_submit(&modifying->call, modified, fsetattr, modifying->file->lower, attributes);
}

void cfs_cache_copy(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *from,
                    uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct modifying *modifying = begin_modifying(remote, upper, to);
    if (modifying)
        cfs_cache_call_submit(&modifying->call, modified, copy, cfs_cached_file_of(from)->lower, from_offset,
                              modifying->file->lower, to_offset, length);
}

/* --- fstat --- */

struct looking {
    struct cfs_cache_call call;
    struct cfs_cached_file *file;
    uint64_t stamp;
    int64_t asked_ms;
};

/* What was written behind has reached the server, or somebody has changed the file: the name must not go on to tell
 * what was true before. Who compares the two (fs/identity.h) would take them for two files. */
static void compare_with_name(struct cfs_names *names, struct cfs_name *name,
                              const struct cfs_remote_attributes *attributes)
{
    if (name->attributes.valid &&
        (name->attributes.size != attributes->size || name->attributes.mtime != attributes->mtime))
        cfs_name_touched(names, name);
}

static void looked(struct cfs_cache_call *call)
{
    struct looking *looking = cfs_container_of(call, struct looking, call);
    struct cfs_cached_file *file = looking->file;
    struct cfs_cache *cache = call->cache;
    call->upper->result = call->lower.result;
    if (file->name) {
        pthread_mutex_lock(&cache->names_lock);
        struct cfs_name *name = cfs_cached_file_name(file);
        if (call->lower.error == 0 && name && cfs_name_is_current(&cache->names, name, looking->stamp) &&
            looking->stamp > file->learned_at && cfs_cache_may_keep(&call->lower.result.attributes))
            cfs_cached_file_learn(file, &call->lower.result.attributes, looking->stamp, looking->asked_ms);
        if (call->lower.error == 0 && name)
            compare_with_name(&cache->names, name, &call->lower.result.attributes);
        call->upper->result.attributes.keep_ms = cfs_cache_keep(file_keep_ms(file));
        pthread_mutex_unlock(&cache->names_lock);
    }
    cfs_cache_call_finish(call, call->lower.error);
}

/* Always asks, as the contract says: appends go to the size that it tells. */
void cfs_cache_fstat(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct looking *looking = cfs_cache_call_new(cache, upper, sizeof(*looking), NULL);
    if (!looking)
        return;
    looking->file = cfs_cached_file_of(file);
    cfs_poll_used(looking->file);
    pthread_mutex_lock(&cache->names_lock);
    if (cache->keeps_names)
        looking->stamp = cfs_names_stamp(&cache->names);
    looking->asked_ms = cfs_clock_ms(cache->clock);
    cache->name_misses++;
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_submit(&looking->call, looked, fstat, looking->file->lower);
}

void cfs_cache_find_end(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    if (!cache->lower->operations->find_end) {
        cfs_cache_fstat(remote, upper, file);
        return;
    }
    struct cfs_cache_call *call = cfs_cache_call_new(cache, upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, find_end, cfs_cached_file_of(file)->lower);
}

/* --- close --- */

static void release_closed(struct cfs_cache_call *call)
{
    free_file(cfs_container_of(call, struct cfs_cached_file, close));
}

static void closed(struct cfs_cache_call *call)
{
    struct cfs_cached_file *file = cfs_container_of(call, struct cfs_cached_file, close);
    cfs_cached_file_change_end(file, &file->closing, call->lower.error, NULL);
    cfs_cache_call_pass(call);
}

void cfs_cached_file_close_now(struct cfs_cached_file *file)
{
    cfs_cache_call_submit(&file->close, closed, close, file->lower);
}

void cfs_cache_close(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_cached_file *cached = cfs_cached_file_of(file);
    cfs_cache_call_init(&cached->close, cfs_cache_of(remote), upper, release_closed);
    if (atomic_load(&cached->written))
        cfs_cached_file_change_begin(cached, &cached->closing);
    pthread_mutex_lock(&cached->cache->names_lock);
    bool waits = cfs_poll_closing(cached);
    pthread_mutex_unlock(&cached->cache->names_lock);
    if (!waits)
        cfs_cached_file_close_now(cached);
}

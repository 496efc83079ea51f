/* Operations that change names: each is passed on, and its names are marked as changing until it has completed. Then
 * what it did is entered, or, where it failed or was not alone, what was known is forgotten. */
#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/change.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- changes --- */

int cfs_change_begin_place(struct cfs_names *names, struct cfs_change *change, const char *path)
{
    struct cfs_name *name = cfs_names_enter(names, path);
    if (!name)
        return -ENOMEM;
    *change = (struct cfs_change){.name = name, .folder = name->parent, .path = strdup(path), .moves = true};
    if (!change->path) {
        cfs_name_put(names, name);
        *change = (struct cfs_change){.name = NULL};
        return -ENOMEM;
    }
    cfs_ahead_drop(name->ahead);
    cfs_name_change_begin(names, name, true);
    change->begun = name->changed_at;
    if (change->folder) {
        cfs_name_get(names, change->folder);
        cfs_name_change_begin(names, change->folder, false);
        change->folder_begun = change->folder->changed_at;
    }
    return 0;
}

int cfs_change_begin_attributes(struct cfs_names *names, struct cfs_change *change, const char *path)
{
    struct cfs_name *name = cfs_names_enter(names, path);
    char *copy = name ? strdup(path) : NULL;
    if (copy) {
        cfs_change_begin_name(names, change, name);
        change->path = copy;
    }
    cfs_name_put(names, name);
    return copy ? 0 : -ENOMEM;
}

void cfs_change_begin_name(struct cfs_names *names, struct cfs_change *change, struct cfs_name *name)
{
    *change = (struct cfs_change){.name = name};
    cfs_ahead_drop(name->ahead);
    cfs_name_get(names, name);
    cfs_name_change_begin(names, name, false);
    change->begun = name->changed_at;
}

void cfs_change_end(struct cfs_names *names, struct cfs_change *change)
{
    if (!change->name)
        return;
    change->in_place = cfs_name_change_in_place(change->name, change->moves, change->begun);
    change->alone = cfs_name_change_alone(change->name, change->moves, change->begun);
    change->crowded = change->name->mixed;
    cfs_name_change_end(names, change->name, change->moves);
    if (change->folder) {
        change->folder_alone = cfs_name_change_alone(change->folder, false, change->folder_begun);
        cfs_name_change_end(names, change->folder, false);
        cfs_name_touched(names, change->folder);
    }
    if (change->path && !change->in_place)
        cfs_names_changed_elsewhere(names, change->path, change->moves);
}

void cfs_change_put(struct cfs_names *names, struct cfs_change *change)
{
    cfs_name_put(names, change->name);
    cfs_name_put(names, change->folder);
    free(change->path);
    *change = (struct cfs_change){.name = NULL};
}

/* --- the life of an operation --- */

struct changing {
    struct cfs_cache_call call;
    struct cfs_change change, second; /* rename, link: `second` is the new name */
    /* Enters what was done; the changes have ended, each was alone. */
    void (*enter)(struct cfs_names *names, struct changing *changing);
    struct cfs_remote_attributes attributes; /* setattr */
    mode_t type;                             /* of what was made */
    int64_t asked_ms;
    bool keeps; /* setattr: a failure leaves the name what it was */
    bool renames;
    bool vouched; /* nothing that is known stands against it */
};

static void enter_outcome(struct cfs_names *names, struct changing *changing, int error)
{
    bool alone = changing->change.alone && (!changing->second.name || changing->second.alone);
    if (error == 0 && alone) {
        changing->enter(names, changing);
    } else if (changing->keeps) {
        cfs_name_touched(names, changing->change.name);
    } else {
        if (changing->renames && (error == 0 || cfs_remote_outcome_is_unknown(error)))
            cfs_name_cast_adrift(changing->change.name);
        cfs_name_doubt(names, changing->change.name);
        if (changing->second.name)
            cfs_name_doubt(names, changing->second.name);
    }
}

/* It was looked at behind the change: it is so now, if nothing else was on its way, here or (behind_paths.c) below. */
static void learn_folder(struct cfs_names *names, const struct changing *changing)
{
    const struct cfs_remote_result *result = &changing->call.lower.result;
    if (changing->change.folder_alone && changing->call.lower.error == 0 && result->folder.valid)
        (void)cfs_name_learn(names, changing->change.folder, &result->folder, cfs_names_stamp(names),
                             changing->asked_ms);
}

static void changed(struct cfs_cache_call *call)
{
    struct changing *changing = cfs_container_of(call, struct changing, call);
    struct cfs_cache *cache = call->cache;
    struct cfs_names *names = &cache->names;
    if (changing->change.name) {
        pthread_mutex_lock(&cache->names_lock);
        cfs_change_end(names, &changing->change);
        cfs_change_end(names, &changing->second);
        enter_outcome(names, changing, call->lower.error);
        learn_folder(names, changing);
        cfs_change_put(names, &changing->change);
        cfs_change_put(names, &changing->second);
        pthread_mutex_unlock(&cache->names_lock);
    }
    cfs_cache_call_pass(call);
}

/* PATH: IS_PLACE, or its attributes. SECOND, a place, may be NULL. NULL: the upper call has been, or will be, answered.
 */
static struct changing *begin(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path,
                              const char *second, bool is_place,
                              void (*enter)(struct cfs_names *names, struct changing *changing))
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct changing *changing = cfs_cache_call_new(cache, upper, sizeof(*changing), NULL);
    if (!changing || !cache->keeps_names)
        return changing;
    changing->enter = enter;
    changing->asked_ms = cfs_clock_ms(cache->clock);
    pthread_mutex_lock(&cache->names_lock);
    changing->vouched = is_place && cfs_names_vouch(&cache->names, path, second);
    int error = is_place ? cfs_change_begin_place(&cache->names, &changing->change, path)
                         : cfs_change_begin_attributes(&cache->names, &changing->change, path);
    if (error == 0 && second) {
        error = cfs_change_begin_place(&cache->names, &changing->second, second);
        if (error < 0) {
            cfs_change_end(&cache->names, &changing->change);
            cfs_change_put(&cache->names, &changing->change);
        }
    }
    pthread_mutex_unlock(&cache->names_lock);
    if (error < 0) {
        cfs_cache_call_finish_later(&changing->call, error);
        return NULL;
    }
    return changing;
}

/* --- the operations --- */

static void enter_made(struct cfs_names *names, struct changing *changing)
{
    cfs_name_made(names, changing->change.name, changing->type, !changing->change.crowded);
    if (changing->change.folder)
        cfs_name_filled(names, changing->change.folder, !S_ISDIR(changing->type));
}

void cfs_cache_mkdir(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, mode_t mode)
{
    struct changing *changing = begin(remote, upper, path, NULL, true, enter_made);
    if (!changing)
        return;
    changing->type = S_IFDIR;
    cfs_cache_call_submit_to(&changing->call, cfs_cache_below(&changing->call, changing->vouched), changed, mkdir, path,
                             mode);
}

void cfs_cache_symlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *target, const char *path)
{
    struct changing *changing = begin(remote, upper, path, NULL, true, enter_made);
    if (!changing)
        return;
    changing->type = S_IFLNK;
    cfs_cache_call_submit(&changing->call, changed, symlink, target, path);
}

static void enter_removed(struct cfs_names *names, struct changing *changing)
{
    cfs_name_removed(names, changing->change.name);
}

void cfs_cache_rmdir(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct changing *changing = begin(remote, upper, path, NULL, true, enter_removed);
    if (changing)
        cfs_cache_call_submit(&changing->call, changed, rmdir, path);
}

void cfs_cache_unlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct changing *changing = begin(remote, upper, path, NULL, true, enter_removed);
    if (changing)
        cfs_cache_call_submit(&changing->call, changed, unlink, path);
}

static void enter_linked(struct cfs_names *names, struct changing *changing)
{
    cfs_name_made(names, changing->second.name, 0, false);
    if (changing->second.folder)
        cfs_name_filled(names, changing->second.folder, true);
    changing->change.name->is_shared = changing->second.name->is_shared = true;
    cfs_name_touched(names, changing->change.name);
}

void cfs_cache_link(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to)
{
    struct changing *changing = begin(remote, upper, from, to, false, enter_linked);
    if (changing)
        cfs_cache_call_submit(&changing->call, changed, link, from, to);
}

static void enter_renamed(struct cfs_names *names, struct changing *changing)
{
    struct cfs_name *from = changing->change.name, *to = changing->second.name;
    if (from == to)
        return;
    /* Two names of one file: rename(2) does nothing then. */
    if (from->is_shared && to->presence != CFS_NAME_ABSENT) {
        cfs_name_cast_adrift(from);
        cfs_name_doubt(names, from);
        cfs_name_doubt(names, to);
        return;
    }
    /* By changes of attributes, or below: they may have met what has the name now. */
    bool is_crowded = changing->second.crowded || cfs_name_changed_below(names, to, changing->second.begun);
    cfs_name_move(names, from, to);
    if (is_crowded)
        cfs_name_doubt(names, from);
    from->presence = CFS_NAME_PRESENT;
    if (changing->second.folder)
        cfs_name_filled(names, changing->second.folder, true);
}

void cfs_cache_rename(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to,
                      enum cfs_remote_rename how)
{
    struct changing *changing = begin(remote, upper, from, to, true, enter_renamed);
    if (!changing)
        return;
    changing->renames = true;
    bool vouched = changing->vouched && how == CFS_REMOTE_RENAME_REPLACE;
    cfs_cache_call_submit_to(&changing->call, cfs_cache_below(&changing->call, vouched), changed, rename, from, to,
                             how);
}

static void enter_set(struct cfs_names *names, struct changing *changing)
{
    cfs_name_set(names, changing->change.name, &changing->attributes);
}

void cfs_cache_setattr(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, mode_t expected_type,
                       const struct cfs_remote_attributes *attributes)
{
    struct changing *changing = begin(remote, upper, path, NULL, false, enter_set);
    if (!changing)
        return;
    changing->keeps = true;
    changing->attributes = *attributes;
    cfs_cache_call_submit(&changing->call, changed, setattr, path, expected_type, attributes);
}

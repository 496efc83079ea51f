/* What is known of names, and for how long it may be told.
 *
 * attr_ttl auto. What did not change for a time T will not have changed in the next T/10 in nine of ten cases, if
 * nothing else is known of it: the rule that HTTP caches go by where a server does not say (RFC 9111, section 4.2.2).
 * So a tenth of the age, at least 1 s (the grain of times on the wire) and at most 60 s. The age is counted from the
 * modification time, or from when we saw the remote's side change, if that is later: a server whose clock is slow must
 * not make a growing log look old.
 *
 * That a name is absent, or a listing complete, may be told for a tenth of the age of the folder, 1 to 10 s: people
 * wait for files to appear. A folder that this mount made and is filling (cp -r, tar, rsync) stays complete for as long
 * as it goes on, at most 60 s: all names that matter there are our own. So do the others of a tree that this mount
 * made: rsync makes the folders first, and comes back to fill them. One that nobody fills may have been made for the
 * server's side. */
#include "cache/names.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHORTEST_MS = 1000, LONGEST_MS = 60000, LONGEST_ABSENCE_MS = 10000, JUST_MADE_MS = 2000, AGE_SHARE = 10 };

static int64_t now_of(const struct cfs_names *names)
{
    return cfs_clock_ms(names->clock);
}

/* --- times to live --- */

static uint32_t share_of_age(const struct cfs_names *names, const struct cfs_remote_attributes *attributes,
                             int64_t seen_changed_ms, uint32_t longest_ms)
{
    if (!(attributes->valid & CFS_REMOTE_TIMES))
        return SHORTEST_MS;
    struct timespec wall = names->clock->wall(names->clock);
    int64_t age_ms = (wall.tv_sec - attributes->mtime) * 1000 + wall.tv_nsec / 1000000;
    int64_t seen_ms = now_of(names) - seen_changed_ms;
    if (seen_changed_ms && seen_ms < age_ms)
        age_ms = seen_ms;
    int64_t ttl_ms = age_ms / AGE_SHARE;
    return ttl_ms < SHORTEST_MS ? SHORTEST_MS : ttl_ms > longest_ms ? longest_ms : (uint32_t)ttl_ms;
}

uint32_t cfs_name_ttl_ms(const struct cfs_names *names, const struct cfs_name *name,
                         const struct cfs_remote_attributes *attributes)
{
    if (name && name->is_shared)
        return 0;
    if (names->attr_ttl_ms >= 0)
        return (uint32_t)names->attr_ttl_ms;
    return share_of_age(names, attributes, name ? name->seen_changed_ms : 0, LONGEST_MS);
}

uint32_t cfs_name_listing_ttl_ms(const struct cfs_names *names, const struct cfs_name *folder)
{
    if (names->attr_ttl_ms >= 0)
        return (uint32_t)names->attr_ttl_ms;
    if (!folder || cfs_names_left_ms(names, &folder->freshness) == 0)
        return SHORTEST_MS;
    return share_of_age(names, &folder->attributes, folder->seen_changed_ms, LONGEST_ABSENCE_MS);
}

uint32_t cfs_names_left_ms(const struct cfs_names *names, const struct cfs_freshness *freshness)
{
    int64_t age_ms = now_of(names) - freshness->learned_ms;
    return age_ms >= 0 && age_ms < freshness->ttl_ms ? freshness->ttl_ms - (uint32_t)age_ms : 0;
}

/* FOLDER was made here, and the tree that was made with it is being filled. */
static uint32_t left_while_filled_ms(const struct cfs_names *names, const struct cfs_name *folder)
{
    const struct cfs_name *top = folder;
    if (names->attr_ttl_ms >= 0 || !folder->made_here)
        return 0;
    while (top->parent && top->parent->made_here)
        top = top->parent;
    int64_t now = now_of(names), proof_left_ms = folder->proven_ms + LONGEST_MS - now;
    int64_t left_ms = top->filled_ms ? top->filled_ms + LONGEST_ABSENCE_MS - now : 0;
    if (left_ms > proof_left_ms)
        left_ms = proof_left_ms;
    return left_ms > 0 ? (uint32_t)left_ms : 0;
}

/* For how long what is no child of FOLDER may be told to be absent. */
static uint32_t listing_left_ms(const struct cfs_names *names, const struct cfs_name *folder)
{
    if (!folder->complete)
        return 0;
    uint32_t left_ms = cfs_names_left_ms(names, &folder->completeness);
    return left_ms > 0 ? left_ms : left_while_filled_ms(names, folder);
}

/* A name whose place, or a place above, is just changing. */
static bool is_unsettled(const struct cfs_name *name)
{
    if (name->changing > 0)
        return true;
    for (; name && !name->is_root; name = name->parent) {
        if (name->moving > 0)
            return true;
    }
    return false;
}

/* Of a file, since a file that may have any name was changed. */
static bool is_doubted(const struct cfs_names *names, const struct cfs_name *name)
{
    return name->presence == CFS_NAME_PRESENT && name->learned_at < names->doubted_at &&
           !S_ISDIR(name->attributes.mode);
}

uint32_t cfs_name_keep_ms(const struct cfs_names *names, const struct cfs_name *name)
{
    return is_unsettled(name) || is_doubted(names, name) ? 0 : cfs_names_left_ms(names, &name->freshness);
}

/* --- asking --- */

static enum cfs_names_answer answer_of(const struct cfs_names *names, const struct cfs_name *name,
                                       uint32_t *ret_keep_ms)
{
    uint32_t keep_ms = cfs_name_keep_ms(names, name);
    bool known = name->presence == CFS_NAME_ABSENT || (name->presence == CFS_NAME_PRESENT && name->attributes.valid);
    if (keep_ms == 0 || !known)
        return CFS_NAMES_ASK;
    *ret_keep_ms = keep_ms;
    return name->presence == CFS_NAME_PRESENT ? CFS_NAMES_PRESENT : CFS_NAMES_ABSENT;
}

/* What a complete listing of FOLDER says of a name of which CHILD (or NULL) tells nothing. */
static bool is_absent_by_listing(const struct cfs_names *names, const struct cfs_name *folder,
                                 const struct cfs_name *child, uint32_t *ret_keep_ms)
{
    uint32_t keep_ms = listing_left_ms(names, folder);
    if (keep_ms == 0 || (child && (child->presence != CFS_NAME_UNKNOWN || child->changing > 0)))
        return false;
    *ret_keep_ms = keep_ms;
    return true;
}

enum cfs_names_answer cfs_names_look(struct cfs_names *names, const char *path, struct cfs_name **ret_name,
                                     uint32_t *ret_keep_ms)
{
    struct cfs_name *name = names->root;
    while (*path) {
        if (name->moving > 0)
            return CFS_NAMES_ASK;
        size_t length = strcspn(path, "/");
        struct cfs_name *child = cfs_name_child(names, name, path, length);
        if (is_absent_by_listing(names, name, child, ret_keep_ms))
            return CFS_NAMES_ABSENT;
        if (!child)
            return CFS_NAMES_ASK;
        name = child;
        path += length + (path[length] == '/');
        if (*path && name->presence == CFS_NAME_ABSENT && answer_of(names, name, ret_keep_ms) == CFS_NAMES_ABSENT)
            return CFS_NAMES_ABSENT;
    }
    enum cfs_names_answer answer = answer_of(names, name, ret_keep_ms);
    if (answer == CFS_NAMES_PRESENT)
        *ret_name = name;
    return answer;
}

/* Its place, or one above. */
static bool is_moving(const struct cfs_name *name)
{
    for (; name && !name->is_root; name = name->parent) {
        if (name->moving > 0)
            return true;
    }
    return false;
}

enum cfs_names_answer cfs_names_look_old(struct cfs_names *names, const char *path, struct cfs_name **ret_name)
{
    struct cfs_name *name = names->root;
    while (*path) {
        size_t length = strcspn(path, "/");
        struct cfs_name *child = cfs_name_child(names, name, path, length);
        bool is_unknown = !child || (child->presence == CFS_NAME_UNKNOWN && child->changing == 0);
        if (child && child->moving > 0)
            return CFS_NAMES_ASK;
        if (is_unknown ? name->complete : child->presence == CFS_NAME_ABSENT)
            return CFS_NAMES_ABSENT;
        if (!child)
            return CFS_NAMES_ASK;
        name = child;
        path += length + (path[length] == '/');
    }
    if (name->presence != CFS_NAME_PRESENT || !(name->attributes.valid & CFS_REMOTE_MODE))
        return CFS_NAMES_ASK;
    *ret_name = name;
    return CFS_NAMES_PRESENT;
}

const char *cfs_name_old_target(const struct cfs_name *name)
{
    return is_moving(name) ? NULL : name->target;
}

bool cfs_name_was_listed(const struct cfs_name *folder)
{
    return folder->complete && !is_moving(folder);
}

bool cfs_names_vouch(struct cfs_names *names, const char *from, const char *to)
{
    struct cfs_name *name;
    uint32_t keep_ms;
    if (!to)
        return cfs_names_look(names, from, &name, &keep_ms) == CFS_NAMES_ABSENT;
    name = cfs_names_find(names, from);
    if (!name || name->presence != CFS_NAME_PRESENT || is_unsettled(name))
        return false;
    enum cfs_names_answer answer = cfs_names_look(names, to, &name, &keep_ms);
    return answer == CFS_NAMES_ABSENT || (answer == CFS_NAMES_PRESENT && !S_ISDIR(name->attributes.mode));
}

bool cfs_name_is_listed(const struct cfs_names *names, const struct cfs_name *folder)
{
    if (listing_left_ms(names, folder) == 0)
        return false;
    for (; folder && !folder->is_root; folder = folder->parent) {
        if (folder->moving > 0)
            return false;
    }
    return true;
}

const char *cfs_name_fresh_target(const struct cfs_names *names, const struct cfs_name *name)
{
    bool fresh = name->target && !is_unsettled(name) && cfs_names_left_ms(names, &name->target_freshness) > 0;
    return fresh ? name->target : NULL;
}

/* --- what the remote said --- */

static bool may_learn(const struct cfs_names *names, const struct cfs_name *name, uint64_t stamp)
{
    return cfs_name_is_current(names, name, stamp) && name->learned_at <= stamp;
}

static bool differ(const struct cfs_remote_attributes *a, const struct cfs_remote_attributes *b)
{
    unsigned both = a->valid & b->valid;
    return (both & CFS_REMOTE_SIZE && a->size != b->size) || (both & CFS_REMOTE_TIMES && a->mtime != b->mtime);
}

static bool is_another(const struct cfs_name *name, const struct cfs_remote_attributes *attributes)
{
    unsigned both = name->attributes.valid & attributes->valid;
    return name->presence == CFS_NAME_ABSENT ||
           (both & CFS_REMOTE_MODE && (name->attributes.mode ^ attributes->mode) & S_IFMT);
}

/* A link is made anew when its target changes. Within the grain of times two links look alike. */
static void renew_target(const struct cfs_names *names, struct cfs_name *name, bool changed)
{
    enum { GRAIN_S = 2 };
    struct timespec wall = names->clock->wall(names->clock);
    bool stable = name->attributes.valid & CFS_REMOTE_TIMES && name->attributes.mtime < wall.tv_sec - GRAIN_S;
    if (changed || !stable)
        free(CFS_TAKE(name->target));
    else
        name->target_freshness = name->freshness;
}

bool cfs_name_learn(struct cfs_names *names, struct cfs_name *name, const struct cfs_remote_attributes *attributes,
                    uint64_t stamp, int64_t asked_ms)
{
    if (!may_learn(names, name, stamp))
        return false;
    if (is_another(name, attributes))
        cfs_name_clear(names, name);
    bool changed = name->presence == CFS_NAME_PRESENT && differ(&name->attributes, attributes);
    if (changed && name->learned_at > name->changed_at)
        name->seen_changed_ms = now_of(names) > 0 ? now_of(names) : 1;
    name->presence = CFS_NAME_PRESENT;
    name->attributes = *attributes;
    name->learned_at = stamp;
    name->freshness = (struct cfs_freshness){asked_ms, cfs_name_ttl_ms(names, name, &name->attributes)};
    if (name->target)
        renew_target(names, name, changed);
    return true;
}

void cfs_name_update(struct cfs_names *names, struct cfs_name *name, const struct cfs_remote_attributes *attributes)
{
    if (name->presence != CFS_NAME_PRESENT || is_another(name, attributes)) {
        cfs_name_touched(names, name);
        return;
    }
    uint32_t left_ms = cfs_names_left_ms(names, &name->freshness);
    if (differ(&name->attributes, attributes))
        name->seen_changed_ms = now_of(names) > 0 ? now_of(names) : 1;
    name->attributes = *attributes;
    uint32_t ttl_ms = cfs_name_ttl_ms(names, name, attributes);
    name->freshness = (struct cfs_freshness){now_of(names), ttl_ms < left_ms ? ttl_ms : left_ms};
}

bool cfs_name_learn_absence(struct cfs_names *names, struct cfs_name *name, uint64_t stamp, int64_t asked_ms)
{
    if (!may_learn(names, name, stamp))
        return false;
    cfs_name_clear(names, name);
    name->presence = CFS_NAME_ABSENT;
    name->learned_at = stamp;
    name->freshness = (struct cfs_freshness){asked_ms, cfs_name_listing_ttl_ms(names, name->parent)};
    return true;
}

bool cfs_name_learn_target(struct cfs_names *names, struct cfs_name *name, const char *target, uint64_t stamp,
                           int64_t asked_ms)
{
    if (!cfs_name_is_current(names, name, stamp) || name->presence == CFS_NAME_ABSENT)
        return false;
    free(name->target);
    name->target = strdup(target);
    name->target_freshness = (struct cfs_freshness){asked_ms, cfs_name_ttl_ms(names, name, &name->attributes)};
    return true;
}

/* --- listings --- */

bool cfs_name_learn_listed(struct cfs_names *names, struct cfs_name *folder, const struct cfs_remote_entry *entry,
                           uint64_t stamp, int64_t asked_ms)
{
    struct cfs_name *child = cfs_name_child(names, folder, entry->name, entry->name_length);
    if (!cfs_name_place_is_current(folder, stamp) || (!child && !cfs_name_is_current(names, NULL, stamp)))
        return false;
    child = cfs_name_enter_child(names, folder, entry->name, entry->name_length);
    if (!child)
        return false;
    cfs_list_remove(&child->sibling);
    cfs_list_push_back(&folder->children, &child->sibling);
    (void)cfs_name_learn(names, child, &entry->attributes, stamp, asked_ms); /* if not, we know better */
    cfs_name_put(names, child);
    return true;
}

bool cfs_name_learn_complete(struct cfs_names *names, struct cfs_name *folder, uint64_t stamp, int64_t asked_ms)
{
    if (!cfs_name_place_is_current(folder, stamp) || folder->lost_at > stamp || names->doubted_at > stamp)
        return false;
    struct cfs_list *link, *next;
    bool doubtful = false;
    cfs_list_each_safe (link, next, &folder->children) {
        struct cfs_name *child = cfs_container_of(link, struct cfs_name, sibling);
        bool changed = child->changed_at >= stamp || child->changing > 0;
        doubtful = doubtful || (changed && child->presence == CFS_NAME_UNKNOWN);
        if (changed || child->learned_at >= stamp)
            continue;
        cfs_name_clear(names, child);
        cfs_name_drop_unused(names, child);
    }
    if (doubtful)
        return false;
    folder->complete = true;
    folder->proven_ms = asked_ms;
    folder->completeness = (struct cfs_freshness){asked_ms, cfs_name_listing_ttl_ms(names, folder)};
    return true;
}

/* --- own changes --- */

void cfs_name_made(struct cfs_names *names, struct cfs_name *name, mode_t type, bool is_empty)
{
    int64_t now = now_of(names);
    cfs_name_clear(names, name);
    name->presence = CFS_NAME_PRESENT;
    name->learned_at = cfs_names_stamp(names);
    if (type)
        name->attributes = (struct cfs_remote_attributes){.valid = CFS_REMOTE_MODE, .mode = type};
    if (S_ISDIR(type)) {
        name->complete = is_empty;
        name->made_here = true;
        name->proven_ms = now;
        name->completeness =
            (struct cfs_freshness){now, names->attr_ttl_ms >= 0 ? (uint32_t)names->attr_ttl_ms : JUST_MADE_MS};
    }
}

void cfs_name_removed(struct cfs_names *names, struct cfs_name *name)
{
    cfs_name_clear(names, name);
    name->presence = CFS_NAME_ABSENT;
    name->learned_at = cfs_names_stamp(names);
    name->freshness = (struct cfs_freshness){now_of(names), cfs_name_listing_ttl_ms(names, name->parent)};
}

void cfs_name_touched(struct cfs_names *names, struct cfs_name *name)
{
    (void)names;
    if (name->presence == CFS_NAME_PRESENT)
        name->freshness.ttl_ms = 0;
}

void cfs_name_exists(struct cfs_names *names, struct cfs_name *name)
{
    if (name->presence == CFS_NAME_ABSENT)
        cfs_name_clear(names, name);
    name->presence = CFS_NAME_PRESENT;
    name->freshness.ttl_ms = 0;
    name->learned_at = cfs_names_stamp(names);
}

/* Setuid and setgid bits: many servers clear them on such occasions. */
static bool is_plain(mode_t mode)
{
    return !(mode & 07000);
}

void cfs_name_set(struct cfs_names *names, struct cfs_name *name, const struct cfs_remote_attributes *set)
{
    struct cfs_remote_attributes *attributes = &name->attributes;
    bool exact = !(set->valid & CFS_REMOTE_SIZE) && (attributes->valid & CFS_REMOTE_MODE) &&
                 is_plain(attributes->mode) && (!(set->valid & CFS_REMOTE_MODE) || is_plain(set->mode));
    if (!exact) {
        cfs_name_touched(names, name);
        return;
    }
    if (set->valid & CFS_REMOTE_MODE)
        attributes->mode = (attributes->mode & S_IFMT) | (set->mode & 07777);
    if (set->valid & CFS_REMOTE_OWNER) {
        attributes->uid = set->uid;
        attributes->gid = set->gid;
    }
    if (set->valid & CFS_REMOTE_TIMES) {
        attributes->atime = set->atime;
        attributes->mtime = set->mtime;
    }
}

void cfs_name_filled(struct cfs_names *names, struct cfs_name *folder, bool is_contents)
{
    int64_t now = now_of(names), proof_left_ms = folder->proven_ms + LONGEST_MS - now;
    if (names->attr_ttl_ms >= 0 || listing_left_ms(names, folder) == 0 || proof_left_ms <= 0)
        return;
    struct cfs_name *top = folder;
    while (top->parent && top->made_here && top->parent->made_here)
        top = top->parent;
    if (is_contents)
        top->filled_ms = now > 0 ? now : 1;
    uint32_t ttl_ms = proof_left_ms < LONGEST_ABSENCE_MS ? (uint32_t)proof_left_ms : LONGEST_ABSENCE_MS;
    if (ttl_ms > cfs_names_left_ms(names, &folder->completeness))
        folder->completeness = (struct cfs_freshness){now, ttl_ms};
}

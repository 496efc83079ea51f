/* Own changes and overtaken replies: stamps, and which names are changing. Of a call that changes a name it is only
 * known that it had its effect between its begin and its end. Another one, at the same time, may have given the name to
 * something else, or the thing another name; so both are asked for again, and of an open file it may be that its name
 * is not known any more (it is adrift). src/fs lets no two calls on one path go side by side (fs/claim.c); it is lost
 * answers that bring this about there. */
#include "cache/names.h"
#include <string.h>

uint64_t cfs_names_stamp(struct cfs_names *names)
{
    return ++names->stamp;
}

bool cfs_name_place_is_current(const struct cfs_name *name, uint64_t stamp)
{
    for (; !name->is_root; name = name->parent) {
        if (name->moving > 0 || name->moved_at > stamp || name->detached)
            return false;
    }
    return true;
}

bool cfs_name_is_current(const struct cfs_names *names, const struct cfs_name *name, uint64_t stamp)
{
    if (names->doubted_at > stamp)
        return false;
    if (!name)
        return names->forgotten_at <= stamp;
    return name->changing == 0 && name->changed_at <= stamp && cfs_name_place_is_current(name, stamp);
}

void cfs_name_change_begin(struct cfs_names *names, struct cfs_name *name, bool moves)
{
    name->mixed = name->mixed || name->changing > 0;
    name->mixed_moves = name->mixed_moves || (moves && name->moving > 0);
    name->changing++;
    name->moving += moves;
    name->changed_at = ++names->stamp;
}

bool cfs_name_change_in_place(const struct cfs_name *name, bool moves, uint64_t begun)
{
    if (name->detached)
        return false;
    if (!moves)
        return cfs_name_place_is_current(name, begun);
    return !name->mixed_moves && (name->is_root || cfs_name_place_is_current(name->parent, begun));
}

bool cfs_name_change_alone(const struct cfs_name *name, bool moves, uint64_t begun)
{
    return cfs_name_change_in_place(name, moves, begun) && (moves || !name->mixed);
}

void cfs_name_change_end(struct cfs_names *names, struct cfs_name *name, bool moves)
{
    name->changing--;
    name->moving -= moves;
    name->changed_at = ++names->stamp;
    if (moves)
        name->moved_at = name->changed_at;
    name->mixed = name->mixed && name->changing > 0;
    name->mixed_moves = name->mixed_moves && name->moving > 0;
}

/* --- what a change may have met --- */

static void doubt_attributes(struct cfs_names *names, struct cfs_name *name)
{
    name->changed_at = names->stamp;
    name->mixed = name->mixed || name->changing > 0;
    cfs_name_touched(names, name);
}

static void doubt_place(struct cfs_names *names, struct cfs_name *name)
{
    name->moved_at = names->stamp;
    name->mixed_moves = name->mixed_moves || name->moving > 0;
    cfs_name_doubt(names, name);
}

/* A name in FOLDER has come or gone, unseen. */
static void doubt_names(struct cfs_names *names, struct cfs_name *folder)
{
    folder->complete = false;
    folder->lost_at = names->stamp;
    doubt_attributes(names, folder);
}

void cfs_names_changed_elsewhere(struct cfs_names *names, const char *path, bool moves)
{
    struct cfs_name *name = names->root, *child = name;
    while (*path) {
        size_t length = strcspn(path, "/");
        child = cfs_name_child(names, name, path, length);
        if (!child)
            break;
        name = child;
        path += length + (path[length] == '/');
    }
    cfs_names_stamp(names);
    if (!child)
        names->forgotten_at = names->stamp;
    else
        doubt_attributes(names, name);
    if (child && moves)
        doubt_place(names, name);
    if (moves && (!child || name->parent))
        doubt_names(names, child ? name->parent : name);
}

void cfs_names_changed_adrift(struct cfs_names *names)
{
    names->doubted_at = cfs_names_stamp(names);
}

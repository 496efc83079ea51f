/* Own changes and overtaken replies: stamps, and which names are changing. */
#include "cache/names.h"

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

bool cfs_name_change_end(struct cfs_names *names, struct cfs_name *name, bool moves)
{
    bool alone = !name->detached && !(moves ? name->mixed_moves : name->mixed);
    name->changing--;
    name->moving -= moves;
    name->changed_at = ++names->stamp;
    if (moves)
        name->moved_at = name->changed_at;
    name->mixed = name->mixed && name->changing > 0;
    name->mixed_moves = name->mixed_moves && name->moving > 0;
    return alone;
}

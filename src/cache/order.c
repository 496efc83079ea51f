/* Orders of the files of a folder. */
#include "cache/order.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    NEAR = 3,     /* a pair fits if the second file is among so many behind the first: programs leave files out */
    MISFIT = 100, /* the cost of a pair that does not */
    CHILDREN_LIMIT = 20000,
};

static bool is_file(const struct cfs_name *name)
{
    return name->presence == CFS_NAME_PRESENT && name->attributes.valid & CFS_REMOTE_MODE &&
           S_ISREG(name->attributes.mode);
}

static bool is_folder(const struct cfs_name *name)
{
    return name->presence == CFS_NAME_PRESENT && name->attributes.valid & CFS_REMOTE_MODE &&
           S_ISDIR(name->attributes.mode);
}

/* --- by a key --- */

struct entry {
    struct cfs_name *name;
    uint64_t number; /* only CFS_ORDER_BY_NUMBER: all others have one number, */
    bool by_name;    /* and their names count, or their places in the listing do */
    size_t place;
};

static int compare(const void *a_pointer, const void *b_pointer)
{
    const struct entry *a = a_pointer, *b = b_pointer;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    if (a->by_name)
        return strcmp(a->name->text, b->name->text);
    return a->place < b->place ? -1 : a->place > b->place;
}

static bool make_entry(struct cfs_name *name, enum cfs_order order, cfs_order_number number, size_t place,
                       struct entry *ret_entry)
{
    *ret_entry = (struct entry){.name = name, .by_name = order == CFS_ORDER_BY_NAME, .place = place};
    if (order != CFS_ORDER_BY_NUMBER)
        return true;
    char *path CFS_AUTO_FREE = cfs_name_path(name);
    if (!path)
        return false;
    ret_entry->number = number(path);
    return true;
}

/* All files and folders of FOLDER, sorted. NULL: none, too many, or without memory. */
static struct entry *sorted_entries(const struct cfs_name *folder, enum cfs_order order, cfs_order_number number,
                                    size_t *ret_count)
{
    const struct cfs_list *link;
    size_t room = 0, count = 0;
    cfs_list_each (link, &folder->children)
        room++;
    struct entry *entries = room > 0 && room <= CHILDREN_LIMIT ? calloc(room, sizeof(*entries)) : NULL;
    if (!entries)
        return NULL;
    cfs_list_each (link, &folder->children) {
        struct cfs_name *name = cfs_container_of(link, struct cfs_name, sibling);
        if ((is_file(name) || is_folder(name)) && make_entry(name, order, number, count, &entries[count]))
            count++;
    }
    if (order != CFS_ORDER_LISTED)
        qsort(entries, count, sizeof(*entries), compare);
    *ret_count = count;
    return entries;
}

static size_t place_of(const struct entry *entries, size_t count, const struct cfs_name *name)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].name == name)
            return i;
    }
    return count;
}

struct cfs_name **cfs_order_entries(const struct cfs_name *folder, const struct cfs_name *after, enum cfs_order order,
                                    cfs_order_number number, size_t *ret_count)
{
    size_t count = 0;
    struct entry *entries CFS_AUTO_FREE = sorted_entries(folder, order, number, &count);
    size_t first = after && entries ? place_of(entries, count, after) + 1 : 0;
    if (!entries || first >= count)
        return NULL;
    struct cfs_name **names = calloc(count - first, sizeof(struct cfs_name *));
    for (size_t i = first; names && i < count; i++)
        names[i - first] = entries[i].name;
    *ret_count = count - first;
    return names;
}

/* --- evidence --- */

/* How many files lie between the two in this order: the cost of the pair. */
static unsigned cost_of(const struct cfs_name *before, const struct cfs_name *file, enum cfs_order order,
                        cfs_order_number number)
{
    size_t count = 0;
    struct entry *entries CFS_AUTO_FREE = sorted_entries(before->parent, order, number, &count);
    size_t place = entries ? place_of(entries, count, before) + 1 : count;
    for (unsigned passed = 0; place < count && passed < NEAR; place++) {
        if (entries[place].name == file)
            return passed;
        passed += is_file(entries[place].name);
    }
    return MISFIT;
}

void cfs_order_note(struct cfs_order_evidence *evidence, const struct cfs_name *before, const struct cfs_name *file,
                    cfs_order_number number)
{
    for (enum cfs_order order = 0; order < CFS_ORDERS; order++) {
        bool is_possible = order != CFS_ORDER_BY_NUMBER || number;
        unsigned cost = is_possible ? cost_of(before, file, order, number) : MISFIT;
        /* What was long ago counts less. */
        evidence->cost[order] = evidence->cost[order] / 2 + cost;
    }
    evidence->pairs++;
}

bool cfs_order_find(const struct cfs_order_evidence *evidence, unsigned pairs, enum cfs_order *ret_order)
{
    enum cfs_order best = CFS_ORDER_LISTED;
    for (enum cfs_order order = 0; order < CFS_ORDERS; order++)
        best = evidence->cost[order] < evidence->cost[best] ? order : best;
    if (evidence->pairs < pairs || evidence->cost[best] > 2 * NEAR)
        return false;
    *ret_order = best;
    return true;
}

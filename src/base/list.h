/* An intrusive doubly linked list, in the manner of the kernel's and BSD's. No locking. */
#ifndef CFS_BASE_LIST_H
#define CFS_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfs_list {
    struct cfs_list *next, *prev;
};

/* The struct that holds the link, from the link; from a const link too, and then TYPE should be const. */
#define cfs_container_of(pointer, type, member) ((type *)((uintptr_t)(pointer)-offsetof(type, member)))

static inline void cfs_list_init(struct cfs_list *list)
{
    list->next = list->prev = list;
}

static inline bool cfs_list_empty(const struct cfs_list *list)
{
    return list->next == list;
}

static inline void cfs_list_insert_before(struct cfs_list *position, struct cfs_list *link)
{
    link->prev = position->prev;
    link->next = position;
    position->prev->next = link;
    position->prev = link;
}

static inline void cfs_list_push_back(struct cfs_list *list, struct cfs_list *link)
{
    cfs_list_insert_before(list, link);
}

static inline void cfs_list_push_front(struct cfs_list *list, struct cfs_list *link)
{
    cfs_list_insert_before(list->next, link);
}

/* Takes the link out; afterwards it is an empty list of its own, so that removing twice does no harm. */
static inline void cfs_list_remove(struct cfs_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    cfs_list_init(link);
}

static inline struct cfs_list *cfs_list_pop_front(struct cfs_list *list)
{
    struct cfs_list *link = list->next;
    if (link == list)
        return NULL;
    cfs_list_remove(link);
    return link;
}

/* Moves all links of FROM to the end of TO. */
static inline void cfs_list_splice(struct cfs_list *to, struct cfs_list *from)
{
    if (cfs_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    cfs_list_init(from);
}

#define cfs_list_first(list, type, member) (cfs_list_empty(list) ? NULL : cfs_container_of((list)->next, type, member))
#define cfs_list_each(link, list)          for ((link) = (list)->next; (link) != (list); (link) = (link)->next)
#define cfs_list_each_safe(link, following, list)                                                                      \
    for ((link) = (list)->next, (following) = (link)->next; (link) != (list);                                          \
         (link) = (following), (following) = (link)->next)

#endif

/* The pairing heap of timer_heap.h. A node's `child` is the first of its children, which are chained by `next`;
 * `previous` is the sibling before, or the parent for a first child. What must always hold: no child expires before its
 * parent, and the first timer has no sibling. */
#include "base/timer_heap.h"

static bool is_before(const struct cfs_timer *a, const struct cfs_timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

/* Makes one heap of two; either may be NULL. */
static struct cfs_timer *meld(struct cfs_timer *a, struct cfs_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    struct cfs_timer *parent = is_before(a, b) ? a : b, *child = parent == a ? b : a;
    child->next = parent->child;
    if (child->next)
        child->next->previous = child;
    child->previous = parent;
    parent->child = child;
    return parent;
}

/* Makes one heap of a chain of siblings: in pairs from the left, and then all pairs from the right. */
static struct cfs_timer *meld_siblings(struct cfs_timer *first)
{
    struct cfs_timer *pairs = NULL, *heap = NULL;
    while (first) {
        struct cfs_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->previous = NULL;
        if (b)
            b->next = b->previous = NULL;
        struct cfs_timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct cfs_timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        heap = meld(heap, pair);
    }
    return heap;
}

void cfs_timer_heap_insert(struct cfs_timer_heap *heap, struct cfs_timer *timer)
{
    timer->sequence = heap->next_sequence++;
    timer->child = timer->next = timer->previous = NULL;
    heap->first = meld(heap->first, timer);
}

void cfs_timer_heap_remove(struct cfs_timer_heap *heap, struct cfs_timer *timer)
{
    struct cfs_timer *children = meld_siblings(timer->child);
    if (timer == heap->first) {
        heap->first = children;
    } else {
        if (timer->previous->child == timer)
            timer->previous->child = timer->next;
        else
            timer->previous->next = timer->next;
        if (timer->next)
            timer->next->previous = timer->previous;
        heap->first = meld(heap->first, children);
    }
    timer->child = timer->next = timer->previous = NULL;
}

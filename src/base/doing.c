/* A fixed table. Steps are never set back, so that a slot's next thread is not taken for its last one. */
#include "base/doing.h"
#include <stdatomic.h>

struct slot {
    atomic_bool taken;
    atomic_bool may_wait;
    const char *_Atomic name;
    const char *_Atomic what;
    _Atomic uint64_t steps;
};

static struct slot slots[CFS_DOING_MOST];
static _Thread_local struct slot *own;

static void step(struct slot *slot, const char *what)
{
    atomic_store_explicit(&slot->what, what, memory_order_relaxed);
    /* One writer: no need for an atomic addition. */
    uint64_t steps = atomic_load_explicit(&slot->steps, memory_order_relaxed);
    atomic_store_explicit(&slot->steps, steps + 1, memory_order_relaxed);
}

void cfs_doing_begin(const char *name, bool may_wait)
{
    for (unsigned i = 0; i < CFS_DOING_MOST && !own; i++) {
        bool free_slot = false;
        if (!atomic_compare_exchange_strong(&slots[i].taken, &free_slot, true))
            continue;
        own = &slots[i];
        atomic_store(&own->may_wait, may_wait);
        step(own, NULL);
        atomic_store(&own->name, name);
    }
}

void cfs_doing_end(void)
{
    if (!own)
        return;
    step(own, NULL);
    atomic_store(&own->name, NULL);
    atomic_store(&own->taken, false);
    own = NULL;
}

void cfs_doing(const char *what)
{
    if (own)
        step(own, what);
}

size_t cfs_doing_list(struct cfs_doing_now list[CFS_DOING_MOST])
{
    size_t count = 0;
    for (unsigned i = 0; i < CFS_DOING_MOST; i++) {
        const char *name = atomic_load(&slots[i].name);
        if (!name)
            continue;
        list[count++] = (struct cfs_doing_now){
            .slot = i,
            .name = name,
            .what = atomic_load(&slots[i].what),
            .may_wait = atomic_load(&slots[i].may_wait),
            .steps = atomic_load(&slots[i].steps),
        };
    }
    return count;
}

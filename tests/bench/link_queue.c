/* The model of a wire: a packet starts when the one before it has left, takes length / rate, and arrives after the
 * delay. So `free_at_ns`, the time when the wire is free again, is all that a token bucket would know, exactly; the
 * backlog in bytes is (free_at_ns - now) * rate. Packets lie in one list in the order of their arrival. */
#include "bench/link_queue.h"
#include <stdlib.h>
#include <string.h>

struct link_queue {
    struct link_settings settings;
    struct link_packet *first, **end;
    int64_t free_at_ns;
    int64_t last_due_ns;
    uint64_t random;
    bool cut;
    struct link_counters counters;
};

struct link_queue *link_queue_new(uint64_t seed)
{
    struct link_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return NULL;
    queue->end = &queue->first;
    queue->settings.queue_length = UINT64_MAX;
    queue->random = seed * 2 + 1; /* xorshift stands still at 0 */
    return queue;
}

static void drop_all(struct link_queue *queue)
{
    while (queue->first) {
        struct link_packet *packet = queue->first;
        queue->first = packet->next;
        queue->counters.lost++;
        free(packet);
    }
    queue->end = &queue->first;
}

void link_queue_free(struct link_queue *queue)
{
    if (!queue)
        return;
    drop_all(queue);
    free(queue);
}

void link_queue_configure(struct link_queue *queue, const struct link_settings *settings)
{
    queue->settings = *settings;
}

void link_queue_cut(struct link_queue *queue, bool cut)
{
    queue->cut = cut;
    if (cut) {
        drop_all(queue);
        queue->free_at_ns = 0;
    }
}

/* xorshift64*: the same losses for the same seed. */
static bool chance(struct link_queue *queue, double probability)
{
    if (probability <= 0)
        return false;
    queue->random ^= queue->random >> 12;
    queue->random ^= queue->random << 25;
    queue->random ^= queue->random >> 27;
    return (double)((queue->random * 2685821657736338717U) >> 11) / 9007199254740992.0 < probability;
}

static int64_t time_on_wire(const struct link_queue *queue, uint64_t bytes)
{
    return queue->settings.rate ? (int64_t)((double)bytes * 8e9 / (double)queue->settings.rate) : 0;
}

static uint64_t backlog(const struct link_queue *queue, int64_t now_ns)
{
    if (queue->free_at_ns <= now_ns)
        return 0;
    return (uint64_t)((double)(queue->free_at_ns - now_ns) * (double)queue->settings.rate / 8e9);
}

bool link_queue_put(struct link_queue *queue, int64_t now_ns, const void *bytes, size_t length, uint64_t wire_bytes)
{
    uint64_t waiting = backlog(queue, now_ns);
    if (queue->cut || chance(queue, queue->settings.loss)) {
        queue->counters.lost++;
        return false;
    }
    /* An empty queue takes any packet. */
    if (waiting > 0 && waiting + wire_bytes > queue->settings.queue_length) {
        queue->counters.overflowed++;
        return false;
    }
    struct link_packet *packet = malloc(sizeof(*packet) + length);
    if (!packet) {
        queue->counters.overflowed++;
        return false;
    }
    if (waiting + wire_bytes > queue->counters.most_queued)
        queue->counters.most_queued = waiting + wire_bytes;
    queue->free_at_ns = (waiting > 0 ? queue->free_at_ns : now_ns) + time_on_wire(queue, wire_bytes);
    int64_t due_ns = queue->free_at_ns + queue->settings.delay_ns;
    if (queue->first && due_ns < queue->last_due_ns)
        due_ns = queue->last_due_ns;
    queue->last_due_ns = due_ns;
    *packet = (struct link_packet){.due_ns = due_ns, .wire_bytes = wire_bytes, .length = length};
    memcpy(packet->bytes, bytes, length);
    *queue->end = packet;
    queue->end = &packet->next;
    return true;
}

struct link_packet *link_queue_take(struct link_queue *queue, int64_t until_ns)
{
    struct link_packet *packet = queue->first;
    if (!packet || packet->due_ns > until_ns)
        return NULL;
    queue->first = packet->next;
    if (!queue->first)
        queue->end = &queue->first;
    queue->counters.packets++;
    queue->counters.bytes += packet->wire_bytes;
    return packet;
}

int64_t link_queue_next(const struct link_queue *queue)
{
    return queue->first ? queue->first->due_ns : INT64_MAX;
}

const struct link_counters *link_queue_counters(const struct link_queue *queue)
{
    return &queue->counters;
}

/* One direction of an emulated link: a bounded queue in front of a wire with a rate, then a delay. Pure: the caller
 * says what time it is. One thread. Times are nanoseconds of any steady clock. */
#ifndef CFS_BENCH_LINK_QUEUE_H
#define CFS_BENCH_LINK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_queue;

struct link_settings {
    int64_t delay_ns;      /* one way, on top of the time that a packet takes at this rate */
    uint64_t rate;         /* bits a second on the wire; 0 is no limit */
    double loss;           /* 0 to 1: the share of packets that vanish */
    uint64_t queue_length; /* bytes that may wait for the wire, then what arrives is dropped */
};

struct link_counters {
    uint64_t packets, bytes; /* delivered; bytes on the wire, with all headers */
    uint64_t overflowed;     /* packets dropped because the queue was full */
    uint64_t lost;           /* packets dropped by loss or by a cut */
    uint64_t most_queued;    /* the most bytes that ever waited for the wire */
};

struct link_packet {
    struct link_packet *next;
    int64_t due_ns;
    uint64_t wire_bytes;
    size_t length;
    uint8_t bytes[];
};

/* NULL without memory. SEED decides which packets are lost. */
struct link_queue *link_queue_new(uint64_t seed);
void link_queue_free(struct link_queue *queue);

/* Holds for packets that come from now on. Packets never overtake each other, also when the delay shrinks. */
void link_queue_configure(struct link_queue *queue, const struct link_settings *settings);

/* Cutting drops what is under way, and all that comes until it is restored. */
void link_queue_cut(struct link_queue *queue, bool cut);

/* Copies a packet that takes WIRE_BYTES on the wire. False: it was dropped. */
bool link_queue_put(struct link_queue *queue, int64_t now_ns, const void *bytes, size_t length, uint64_t wire_bytes);

/* The next packet that has arrived by UNTIL_NS, or NULL. The caller frees it with free(). */
struct link_packet *link_queue_take(struct link_queue *queue, int64_t until_ns);

/* When the next packet arrives; INT64_MAX when none is under way. */
int64_t link_queue_next(const struct link_queue *queue);

const struct link_counters *link_queue_counters(const struct link_queue *queue);

#endif

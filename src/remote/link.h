/* How many bytes to keep in flight on a link, measured: twice its rate times its round trip; three times that, while it
 * has never been full.
 *
 * More is not faster: what is asked for beyond that queues inside the server's sshd, whose buffers then cost it CPU (a
 * measured fact: a third of the throughput), and what somebody waits for stands behind it. The manner is that of
 * BBR (Cardwell et al., 2016): each transfer notes how much had been delivered when it was sent; when it completes,
 * what was delivered since is a sample of the rate, and the largest sample of the last ten round trips is believed.
 * (The time is counted from the delivery before it was sent: what has been held up and then comes at once, as with
 * several connections of which one is slow, is no high rate.) While the link is not full a rate grows with what is in
 * flight, so that the limit doubles each round trip until it is. (Twice, as there: with half as much more, answers that
 * take half again as long as the shortest round trip - of a busy server, or of a connection that is new and slow -
 * would keep the limit from growing ever.) At first TCP doubles what it sends each round trip, and the requests for
 * that must be there before; hence three times. It is over when two round trips in a row bring no quarter more.
 *
 * The round trip is the smallest time that a transfer took. It is forgotten after ten seconds, but only for the time of
 * a transfer that was sent while the link was quiet: on a busy one our own queue is part of it, and limit and queue
 * would drive each other up.
 *
 * Pure: no locking, no clock; times are milliseconds of one monotonic clock. */
#ifndef CFS_REMOTE_LINK_H
#define CFS_REMOTE_LINK_H

#include <stdbool.h>
#include <stdint.h>

enum { CFS_LINK_MINIMUM = 1 << 20, CFS_LINK_MAXIMUM = 64 << 20 };

struct cfs_link {
    uint64_t least;     /* of the limit; 0: CFS_LINK_MINIMUM */
    uint64_t in_flight; /* bytes */
    uint64_t delivered; /* bytes, ever */
    /* When a transfer was last done, and when that one had been sent. */
    int64_t delivered_at, delivered_sent_at;
    int64_t round_trip_ms, round_trip_at;
    /* The largest rates (bytes a second) of this and the last span of time. */
    uint64_t rate, last_rate;
    int64_t span_since;
    bool measured;
    uint64_t most; /* that the limit ever was, while it has never been full */
    /* Whether the link was ever full, and what tells: a round trip ends when what was sent after ROUND_END is done; in
     * FLAT of them in a row the rate has not become more than BEST by a quarter. */
    bool filled;
    uint64_t round_end, best;
    unsigned flat;
};

/* A transfer, from sent to done. */
struct cfs_link_transfer {
    uint64_t bytes, delivered;
    int64_t sent_at, delivered_at, delivered_sent_at;
    bool sent_quietly, sent_busily;
};

void cfs_link_sent(struct cfs_link *link, struct cfs_link_transfer *transfer, uint64_t bytes, int64_t now_ms);
/* BYTES arrived (fewer than asked for at the end of a file); WELL: it did not fail. */
void cfs_link_done(struct cfs_link *link, const struct cfs_link_transfer *transfer, uint64_t bytes, bool well,
                   int64_t now_ms);
/* Bytes a second that it carries, as far as was seen; 0: nothing was. */
uint64_t cfs_link_rate(const struct cfs_link *link);
/* Bytes that should be in flight at most. */
uint64_t cfs_link_limit(const struct cfs_link *link);
/* How much may be fetched where less is asked for, and somebody waits: not noticed beside the round trip, nor by a TCP
 * connection that has been quiet. The least where the server is near: there, bytes take the time that a round trip does
 * not. (The rate that was measured is of no use: who reads at random does not fill the link.) A power of two. */
uint64_t cfs_link_little(const struct cfs_link *link);

#endif

/* The size of what is kept in flight: an estimate of bandwidth x delay. */
#include "remote/link.h"

enum { ROUND_TRIP_AGE_MS = 10000, SPAN_ROUND_TRIPS = 10, SPAN_MINIMUM_MS = 500 };
/* At most what a sender may send at once who has sent little for a while, ten packets (RFC 6928, RFC 7661): more would
 * take a second round trip. */
enum { LITTLE_A_MS = 1 << 10, LITTLE_LEAST = 4 << 10, LITTLE_MOST = 8 << 10 };
enum { FLAT_ROUNDS = 2, GAIN_FIRST = 3, GAIN = 2 };

static uint64_t least(const struct cfs_link *link)
{
    return link->least ? link->least : CFS_LINK_MINIMUM;
}

void cfs_link_sent(struct cfs_link *link, struct cfs_link_transfer *transfer, uint64_t bytes, int64_t now_ms)
{
    const bool is_quiet = link->in_flight < least(link) / 4;
    const bool is_busy = link->in_flight + bytes > cfs_link_limit(link) / 2;
    if (link->in_flight == 0)
        link->delivered_at = link->delivered_sent_at = now_ms;
    *transfer = (struct cfs_link_transfer){
        .bytes = bytes,
        .delivered = link->delivered,
        .delivered_at = link->delivered_at,
        .delivered_sent_at = link->delivered_sent_at,
        .sent_at = now_ms,
        .sent_quietly = is_quiet,
        .sent_busily = is_busy,
    };
    link->in_flight += bytes;
}

/* Clocks of milliseconds: what took none took at most one. */
static int64_t elapsed(int64_t from, int64_t to)
{
    return to > from ? to - from : 1;
}

static void note_round_trip(struct cfs_link *link, int64_t took, bool sent_quietly, int64_t now)
{
    bool is_old = sent_quietly && now - link->round_trip_at >= ROUND_TRIP_AGE_MS;
    if (link->measured && took > link->round_trip_ms && !is_old)
        return;
    link->round_trip_ms = took;
    link->round_trip_at = now;
}

static void note_rate(struct cfs_link *link, uint64_t rate, int64_t now)
{
    int64_t span = link->round_trip_ms * SPAN_ROUND_TRIPS;
    if (span < SPAN_MINIMUM_MS)
        span = SPAN_MINIMUM_MS;
    if (!link->measured || now - link->span_since >= span) {
        link->last_rate = link->rate;
        link->rate = 0;
        link->span_since = now;
    }
    if (rate > link->rate)
        link->rate = rate;
}

uint64_t cfs_link_rate(const struct cfs_link *link)
{
    return link->rate > link->last_rate ? link->rate : link->last_rate;
}

/* Whether the link is full is told by round trips in which we did ask for enough. */
static void note_round(struct cfs_link *link, const struct cfs_link_transfer *transfer)
{
    if (link->filled || !transfer->sent_busily || transfer->delivered < link->round_end)
        return;
    uint64_t rate = cfs_link_rate(link);
    link->round_end = link->delivered;
    if (rate >= link->best + link->best / 4) {
        link->best = rate;
        link->flat = 0;
    } else if (++link->flat == FLAT_ROUNDS) {
        link->filled = true;
    }
}

void cfs_link_done(struct cfs_link *link, const struct cfs_link_transfer *transfer, uint64_t bytes, bool well,
                   int64_t now_ms)
{
    link->in_flight -= transfer->bytes;
    if (!well)
        return;
    link->delivered += bytes;
    link->delivered_at = now_ms;
    link->delivered_sent_at = transfer->sent_at;
    note_round_trip(link, elapsed(transfer->sent_at, now_ms), transfer->sent_quietly, now_ms);
    int64_t sending = elapsed(transfer->delivered_sent_at, transfer->sent_at);
    int64_t arriving = elapsed(transfer->delivered_at, now_ms);
    int64_t time = sending > arriving ? sending : arriving;
    note_rate(link, (link->delivered - transfer->delivered) * 1000 / (uint64_t)time, now_ms);
    link->measured = true;
    note_round(link, transfer);
    if (!link->filled)
        link->most = cfs_link_limit(link);
}

uint64_t cfs_link_limit(const struct cfs_link *link)
{
    uint64_t product = cfs_link_rate(link) / 1000 * (uint64_t)(link->round_trip_ms > 0 ? link->round_trip_ms : 1);
    uint64_t limit = (link->filled ? GAIN : GAIN_FIRST) * product;
    if (!link->filled && limit < link->most)
        limit =
            link->most; /* at first round trips seem long, rates low; and neither is known yet when one is corrected */
    if (limit < least(link))
        return least(link);
    return limit > CFS_LINK_MAXIMUM ? CFS_LINK_MAXIMUM : limit;
}

uint64_t cfs_link_little(const struct cfs_link *link)
{
    uint64_t little = LITTLE_LEAST;
    while (little < LITTLE_MOST && 2 * little <= (uint64_t)link->round_trip_ms * LITTLE_A_MS)
        little *= 2;
    return little;
}

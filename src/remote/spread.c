/* By which of its handles, that is by which lane, a part of a large file goes.
 *
 * It goes to the lane that is fullest least: its bytes in flight, measured by what it can carry (link.h, for each lane
 * and direction). A lane can be slow for long: a connection that is new begins with ten packets a round trip, and where
 * others fill the link already it stops to double them early (TCP's slow start and its end). What was asked for by it
 * comes late then, a reader in order waits for just that, and meanwhile the fast ones have nothing to do. So a lane
 * that has not shown what it carries gets little, and what it gets grows as what it brings.
 *
 * Once further sessions have carried much, and carry most of it, the file's own one carries no more bulk data: it
 * has the names and attributes, for which somebody waits. (Not sooner: what the own connection leaves free is taken by
 * the others within seconds only.) */
#include "remote/pool_priv.h"
#include <fcntl.h>

enum { LEAST = 256 * 1024, ENOUGH_STRIPES = 2, TIMES_OWN = 2, SHOWN = 128 * 1024 * 1024 };

void cfs_spread_init(struct cfs_lane *lane)
{
    for (int i = 0; i < CFS_DIRECTIONS; i++)
        lane->link[i] = (struct cfs_link){.least = LEAST};
}

void cfs_spread_sent(struct cfs_part *part, struct cfs_lane *lane, enum cfs_direction direction, size_t length)
{
    part->link = &lane->link[direction];
    cfs_link_sent(part->link, &part->transfer, length, cfs_loop_now_ms(lane->pool->loop));
}

void cfs_spread_done(struct cfs_part *part, struct cfs_lane *lane, size_t length, bool well)
{
    if (!part->link)
        return;
    lane->moved_ms = cfs_loop_now_ms(lane->pool->loop);
    cfs_link_done(part->link, &part->transfer, length, well, lane->moved_ms);
    cfs_sessions_moved(lane->pool, well ? length : 0);
    part->link = NULL;
}

/* In units of 1/1024, if LENGTH bytes more were in flight. */
static uint64_t fullness(const struct cfs_lane *lane, enum cfs_direction direction, size_t length)
{
    const struct cfs_link *link = &lane->link[direction];
    return (link->in_flight + length) * 1024 / cfs_link_limit(link);
}

static bool is_own_needed(const struct cfs_remote_file *file, enum cfs_direction direction)
{
    uint64_t rate = 0, delivered = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < file->stripe_count; i++) {
        if (!cfs_stripe_is_up(&file->stripes[i]) || file->stripes[i].lane->session == 0)
            continue;
        count++;
        rate += cfs_link_rate(&file->stripes[i].lane->link[direction]);
        delivered += file->stripes[i].lane->link[direction].delivered;
    }
    return count < ENOUGH_STRIPES || delivered < SHOWN ||
           rate < TIMES_OWN * cfs_link_rate(&file->lane->link[direction]);
}

/* The stripe that is fullest least, or the one that must be taken; NULL: the file's own handle. */
static struct cfs_stripe *choose_stripe(struct cfs_remote_file *file, enum cfs_direction direction, size_t length,
                                        const struct cfs_lane *must_take)
{
    struct cfs_stripe *best = NULL;
    uint64_t least = UINT64_MAX;
    bool spares_own = !must_take && !is_own_needed(file, direction);
    if (!must_take && !spares_own)
        least = fullness(file->lane, direction, length);
    for (unsigned i = 0; i < file->stripe_count; i++) {
        struct cfs_stripe *stripe = &file->stripes[i];
        if (!cfs_stripe_is_up(stripe) || (must_take && must_take != stripe->lane))
            continue;
        if (spares_own && stripe->lane->session == 0)
            continue;
        uint64_t full = fullness(stripe->lane, direction, length);
        if (full < least) {
            least = full;
            best = stripe;
        }
    }
    return best;
}

const struct cfs_sftp_handle *cfs_spread_choose(struct cfs_remote_file *file, enum cfs_direction direction,
                                                size_t length, const struct cfs_lane *must_take,
                                                struct cfs_lane **ret_lane)
{
    bool is_bulk = length >= file->pool->bulk_piece;
    bool may_be_own = !must_take || must_take == file->lane;
    struct cfs_stripe *stripe = NULL;
    if (is_bulk && may_be_own && (direction == CFS_UP || (file->flags & O_ACCMODE) == O_RDONLY))
        cfs_stripes_consider(file, length);
    bool carries_mark = direction == CFS_UP && may_be_own && cfs_mark_needs_write(file);
    if (file->stripe_count > 0 && !carries_mark && must_take != file->lane && (must_take || is_bulk))
        stripe = choose_stripe(file, direction, length, must_take);
    *ret_lane = stripe ? stripe->lane : file->lane;
    if (stripe)
        return &stripe->handle;
    return cfs_file_is_current(file) ? &file->handle : NULL;
}

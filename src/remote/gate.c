/* The order of calls on one file. On one channel the server works in order, so that what is sent in order needs no
 * waiting. Two things need more:
 *
 * Exclusive tickets are of those that need the file at rest: close (a read that came back short may go on with a
 * further request, for which the handle must still be there), copy, which takes several round trips, and what comes
 * before a file's first write (beginning.c).
 *
 * Of a striped file (stripes.c) the parts travel on several channels. There, what must not pass each other - two
 * writes, or a read and a write, of the same bytes (fstat and fsync depend on all of them) - either goes by the
 * channel that the earlier one took, or waits until it is answered. */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"

void cfs_gate_init(struct cfs_gate *gate)
{
    cfs_list_init(&gate->tickets);
    gate->exclusive = 0;
    gate->striped = false;
}

static bool is_exclusive(const struct cfs_ticket *ticket)
{
    return ticket->kind == CFS_TICKET_EXCLUSIVE;
}

void cfs_gate_enter(struct cfs_ticket *ticket)
{
    cfs_list_push_back(&ticket->gate->tickets, &ticket->link);
    ticket->gate->exclusive += is_exclusive(ticket);
    ticket->lane = NULL;
}

/* Whether the order of the two matters. */
static bool concerns(const struct cfs_ticket *a, const struct cfs_ticket *b)
{
    if (a->kind == CFS_TICKET_ASIDE || b->kind == CFS_TICKET_ASIDE)
        return false;
    if (a->kind == CFS_TICKET_READ && b->kind == CFS_TICKET_READ)
        return false;
    return a->offset < b->end && b->offset < a->end;
}

/* One that is not behind an exclusive one. */
static bool may_pass_earlier(struct cfs_ticket *ticket, const struct cfs_ticket *earlier)
{
    if (!concerns(earlier, ticket))
        return true;
    if (!earlier->lane || !cfs_lane_is_up(earlier->lane) || (ticket->must_take && ticket->must_take != earlier->lane))
        return false;
    ticket->must_take = earlier->lane;
    return true;
}

bool cfs_gate_may_pass(struct cfs_ticket *ticket)
{
    const struct cfs_gate *gate = ticket->gate;
    struct cfs_list *link;
    ticket->must_take = ticket->home;
    if (gate->exclusive == 0 && !gate->striped)
        return true;
    cfs_list_each (link, &gate->tickets) {
        const struct cfs_ticket *earlier = cfs_container_of(link, struct cfs_ticket, link);
        if (earlier == ticket)
            return true;
        if (is_exclusive(earlier) || is_exclusive(ticket))
            return false;
        if (gate->striped && !may_pass_earlier(ticket, earlier))
            return false;
    }
    return true;
}

void cfs_gate_leave(struct cfs_ticket *ticket, void (*passed)(struct cfs_operation *operation))
{
    struct cfs_gate *gate = ticket->gate;
    struct cfs_list *link;
    cfs_list_remove(&ticket->link);
    gate->exclusive -= is_exclusive(ticket);
    ticket->gate = NULL;
    if (gate->exclusive == 0 && !is_exclusive(ticket) && !gate->striped)
        return; /* nobody waits */
    cfs_list_each (link, &gate->tickets) {
        struct cfs_ticket *waiting = cfs_container_of(link, struct cfs_ticket, link);
        passed(waiting->operation);
        if (waiting->kind == CFS_TICKET_EXCLUSIVE)
            break;
    }
}

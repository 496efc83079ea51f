/* The order of calls on one file. On one channel the server works in order, so that what is sent in order needs no
 * waiting: shared tickets pass at once. Exclusive are those that need the file at rest: close (a read that came back
 * short may go on with a further request, for which the handle must still be there), and copy, which takes several
 * round trips. */
#include "remote/operation_priv.h"

void cfs_gate_init(struct cfs_gate *gate)
{
    cfs_list_init(&gate->tickets);
    gate->exclusive = 0;
}

void cfs_gate_enter(struct cfs_ticket *ticket)
{
    cfs_list_push_back(&ticket->gate->tickets, &ticket->link);
    ticket->gate->exclusive += ticket->exclusive;
}

bool cfs_gate_may_pass(const struct cfs_ticket *ticket)
{
    struct cfs_list *link;
    if (ticket->gate->exclusive == 0)
        return true;
    cfs_list_each (link, &ticket->gate->tickets) {
        const struct cfs_ticket *earlier = cfs_container_of(link, struct cfs_ticket, link);
        if (earlier == ticket)
            return true;
        if (earlier->exclusive || ticket->exclusive)
            return false;
    }
    return true;
}

void cfs_gate_leave(struct cfs_ticket *ticket, void (*passed)(struct cfs_operation *operation))
{
    struct cfs_gate *gate = ticket->gate;
    struct cfs_list *link;
    cfs_list_remove(&ticket->link);
    gate->exclusive -= ticket->exclusive;
    ticket->gate = NULL;
    if (gate->exclusive == 0 && !ticket->exclusive)
        return; /* nobody waits */
    cfs_list_each (link, &gate->tickets) {
        struct cfs_ticket *waiting = cfs_container_of(link, struct cfs_ticket, link);
        if (waiting->exclusive && link != gate->tickets.next)
            break;
        passed(waiting->operation);
        if (waiting->exclusive)
            break;
    }
}

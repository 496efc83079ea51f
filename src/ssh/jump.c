/* One login at a hop, made when it is needed.
 *
 * Who dials takes its turn (an eventfd with one count, so that the wait for it can be given up), and has the sessions
 * to itself: logs in, or opens a channel; if that shows that the hop is lost, it logs in again, once, and asks again.
 * The first session has the thread and stays until the end; those that follow are guests on it, as with the sessions of
 * a mount (cfs_ssh_connect_again: no new host key is accepted then).
 *
 * A channel that is not answered in time tells nothing of the hop, whose kernel may be well. But libssh2 opens one
 * channel at a time: all others would wait for that answer. So the hop is left for a new login then, if nobody else
 * goes through it, and if that login needs nobody who answers. */
#include "ssh/jump.h"
#include "base/clock.h"
#include "base/log.h"
#include "ssh/relay.h"
#include "ssh/wait.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

struct cfs_ssh_jump {
    int turn_fd; /* an eventfd: readable while it is nobody's turn */
    atomic_bool by_person;
    /* of whose turn it is */
    struct cfs_ssh_session *first;   /* NULL before the first login */
    struct cfs_ssh_session *current; /* NULL: lost */
};

struct cfs_ssh_jump *cfs_ssh_jump_new(void)
{
    struct cfs_ssh_jump *jump = calloc(1, sizeof(*jump));
    if (!jump)
        return NULL;
    jump->turn_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (jump->turn_fd >= 0)
        return jump;
    free(jump);
    return NULL;
}

static void drop_current(struct cfs_ssh_jump *jump)
{
    struct cfs_ssh_session *current = CFS_TAKE(jump->current);
    if (current != jump->first)
        cfs_ssh_session_free(current);
}

void cfs_ssh_jump_free(struct cfs_ssh_jump *jump)
{
    if (!jump)
        return;
    drop_current(jump);
    cfs_ssh_session_free(jump->first);
    close(jump->turn_fd);
    free(jump);
}

/* Without end: whose turn it is has limits of its own, and the same descriptor cancels it. */
static int take_turn(struct cfs_ssh_jump *jump, int cancel_fd)
{
    eventfd_t count;
    int rc;
    do
        rc = cfs_ssh_wait_readable(jump->turn_fd, cancel_fd, INT64_MAX / 2);
    while (rc == 0 && eventfd_read(jump->turn_fd, &count) < 0);
    return rc;
}

static void end_turn(struct cfs_ssh_jump *jump)
{
    (void)!eventfd_write(jump->turn_fd, 1);
}

bool cfs_ssh_jump_by_person(const struct cfs_ssh_jump *jump)
{
    return atomic_load(&jump->by_person);
}

static void note_person(struct cfs_ssh_jump *jump)
{
    struct cfs_ssh_facts facts;
    cfs_ssh_session_facts(jump->current, &facts);
    atomic_store(&jump->by_person, facts.by_person || facts.by_person_on_way);
}

static int log_in(struct cfs_ssh_jump *jump, const struct cfs_profile *profile, struct cfs_prompter *prompter,
                  int cancel_fd, struct cfs_error *error)
{
    int rc;
    if (jump->first) {
        rc = cfs_ssh_connect_again(jump->first, profile->hop, prompter, cancel_fd, &jump->current, error);
    } else {
        rc = cfs_ssh_connect(profile->hop, prompter, cancel_fd, NULL, &jump->first, error);
        jump->current = jump->first;
    }
    if (rc < 0) {
        cfs_error_append(error, " (%s is the host on the way to %s: proxy_jump.)", profile->hop->host, profile->host);
    } else {
        note_person(jump);
        cfs_log_debug("ssh", "logged in at %s, on the way to %s", profile->hop->host, profile->host);
    }
    return rc;
}

static int open_channel(const struct cfs_ssh_jump *jump, const struct cfs_profile *profile, int cancel_fd,
                        uint32_t patience_ms, int *ret_fd, struct cfs_ssh_line **ret_line, struct cfs_error *error)
{
    return cfs_ssh_relay_open(jump->current, profile->hop->host, profile->host, profile->port, cancel_fd,
                              cfs_clock_ms(&cfs_system_clock) + patience_ms, ret_fd, ret_line, error);
}

static bool needs_nobody(const struct cfs_ssh_session *session)
{
    struct cfs_ssh_facts facts;
    cfs_ssh_session_facts(session, &facts);
    return !facts.by_person;
}

int cfs_ssh_jump_dial(struct cfs_ssh_jump *jump, const struct cfs_profile *profile, struct cfs_prompter *prompter,
                      int cancel_fd, uint32_t patience_ms, int *ret_fd, struct cfs_ssh_line **ret_line,
                      struct cfs_error *error)
{
    struct cfs_error why = {0};
    int rc = take_turn(jump, cancel_fd);
    if (rc < 0)
        return cfs_error_set(error, -rc, rc == -ECANCELED ? CFS_FAILURE_CANCELLED : CFS_FAILURE_SYSTEM,
                             "Connecting to %s was given up.", profile->host);
    if (jump->current) {
        rc = open_channel(jump, profile, cancel_fd, patience_ms, ret_fd, ret_line, &why);
        if (rc < 0 && why.failure == CFS_FAILURE_LOST)
            drop_current(jump);
    }
    if (!jump->current) {
        rc = log_in(jump, profile, prompter, cancel_fd, &why);
        if (rc == 0)
            rc = open_channel(jump, profile, cancel_fd, patience_ms, ret_fd, ret_line, &why);
    }
    if (rc == -ETIMEDOUT && jump->current && why.failure == CFS_FAILURE_TIMEOUT && needs_nobody(jump->current))
        cfs_ssh_session_forsake(jump->current);
    end_turn(jump);
    if (rc < 0 && error)
        *error = why;
    return rc;
}

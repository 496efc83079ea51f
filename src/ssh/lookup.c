/* Looking a host's name up in a thread. What the thread and its starter share is one block with two references: whoever
 * lets go last frees it, so that the starter may leave while the resolver still waits for its servers; the thread is
 * detached then. One that has its answer is joined: the resolver gives back what it holds for a thread at its end. */
#include "ssh/lookup.h"
#include "base/clock.h"
#include "ssh/wait.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

struct lookup {
    atomic_int references;
    int done_fd;          /* an eventfd, written when `finished` was set */
    atomic_bool finished; /* what the resolver has found is final */
    char *host;
    char port[8];
    struct addrinfo hints;
    struct addrinfo *addresses;
    int problem;
    int problem_errno;
};

static void put_lookup(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->references, 1) != 1)
        return;
    if (lookup->addresses)
        freeaddrinfo(lookup->addresses);
    if (lookup->done_fd >= 0)
        close(lookup->done_fd);
    free(lookup->host);
    free(lookup);
}

static struct lookup *new_lookup(const char *host, uint16_t port, int family)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (!lookup)
        return NULL;
    atomic_init(&lookup->references, 1);
    lookup->done_fd = eventfd(0, EFD_CLOEXEC);
    lookup->host = strdup(host);
    snprintf(lookup->port, sizeof(lookup->port), "%u", (unsigned)port);
    lookup->hints = (struct addrinfo){.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (lookup->host && lookup->done_fd >= 0)
        return lookup;
    put_lookup(lookup);
    return NULL;
}

static void resolve(struct lookup *lookup)
{
    lookup->problem = getaddrinfo(lookup->host, lookup->port, &lookup->hints, &lookup->addresses);
    lookup->problem_errno = errno;
    if (lookup->problem != 0)
        lookup->addresses = NULL;
}

static void *run_lookup(void *argument)
{
    struct lookup *lookup = argument;
    resolve(lookup);
    atomic_store(&lookup->finished, true);
    (void)eventfd_write(lookup->done_fd, 1); /* cannot fail: it is the only write */
    put_lookup(lookup);
    return NULL;
}

static int start_thread(struct lookup *lookup, pthread_t *ret_thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the threads that know what to do with them */
    atomic_fetch_add(&lookup->references, 1);
    int rc = pthread_create(ret_thread, NULL, run_lookup, lookup);
    if (rc != 0)
        put_lookup(lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

/* 0 when the thread is through, else -errno; it is taken care of either way. */
static int await(struct lookup *lookup, pthread_t thread, int cancel_fd, int64_t deadline_ms)
{
    int rc = cfs_ssh_wait_readable(lookup->done_fd, cancel_fd, deadline_ms);
    if (atomic_load(&lookup->finished))
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    return rc;
}

static int result_of(struct lookup *lookup, struct addrinfo **ret_addresses, int *ret_problem)
{
    if (lookup->problem != 0) {
        *ret_problem = lookup->problem;
        errno = lookup->problem_errno;
        return -ENOENT;
    }
    *ret_addresses = CFS_TAKE(lookup->addresses);
    return 0;
}

int cfs_ssh_lookup(const char *host, uint16_t port, int family, int cancel_fd, int64_t deadline_ms,
                   struct addrinfo **ret_addresses, int *ret_problem)
{
    struct lookup *lookup = new_lookup(host, port, family);
    if (!lookup)
        return -ENOMEM;

    /* Numbers need no resolver, hence no thread. */
    lookup->hints.ai_flags |= AI_NUMERICHOST;
    resolve(lookup);
    int rc = 0;
    if (lookup->problem == EAI_NONAME) {
        lookup->hints.ai_flags &= ~AI_NUMERICHOST;
        pthread_t thread;
        rc = start_thread(lookup, &thread);
        if (rc == 0)
            rc = await(lookup, thread, cancel_fd, deadline_ms);
        if (rc == 0 && !atomic_load(&lookup->finished))
            rc = -EAGAIN;
    }
    if (rc == 0)
        rc = result_of(lookup, ret_addresses, ret_problem);
    put_lookup(lookup);
    return rc;
}

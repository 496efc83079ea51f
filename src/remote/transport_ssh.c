/* Streams that are channels of SSH sessions: of one at first, of more when the pool asks for them.
 *
 * All sessions work on the first one's thread: at 1 Gbit/s the ciphers need about a third of a core, and whoever uses
 * the streams need not know of threads. What blocks, dialling and logging in, is done on a thread made for it
 * (struct login), which leaves the new session under the lock and posts a task.
 *
 * Over distance one of them begins early: beside the first login, as far as the exchange of keys, so that it is
 * logged in soon after that one. Not sooner, since a login that fails must not be tried twice; and not if somebody had
 * to answer for the first. While it waits it counts as a connection of nobody (MaxStartups), therefore it does not wait
 * long. */
#include "base/doing.h"
#include "base/list.h"
#include "base/thread.h"
#include "remote/transport.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { BULK_WINDOW = 4 * 1024 * 1024 };
enum { EARLY_WAIT_S = 2 };

/* The making of one more session. */
struct login {
    struct ssh_transport *transport;
    /* the loop's thread; and free */
    bool is_underway; /* add_session has started it, or taken it over, and `added` was not called */
    bool has_thread;  /* to be joined */
    pthread_t thread;
    struct cfs_task task;
    struct cfs_ssh_session *host; /* beside which; const while it is under way */
    char address[64];             /* of an early one; const */
    /* transport->lock */
    cfs_transport_added *added;
    void *context;
    bool is_early;                   /* begun beside the first login; add_session may take it over */
    bool is_done;                    /* that one has a result */
    struct cfs_ssh_session *session; /* logged in, not yet taken */
    int result;
    struct cfs_error error;
};

/* The making of session 0 again. */
struct again {
    struct cfs_task task;
    pthread_t thread;
    bool has_thread; /* to be joined */
    int cancel_fd;   /* an eventfd: ends it */
    struct cfs_prompter *prompter;
    cfs_transport_reconnected *reconnected;
    void *context;
    /* transport->lock */
    struct cfs_ssh_session *session;
    int result;
    struct cfs_error error;
};

struct ssh_transport {
    struct cfs_transport transport;
    const struct cfs_profile *profile;
    int cancel_fd; /* an eventfd: ends the logins */
    struct login logins[CFS_SESSIONS_MAX];
    struct again again;
    pthread_mutex_t lock;
    pthread_cond_t settled; /* first */
    /* lock */
    enum { FIRST_COMES, FIRST_IS_IN, FIRST_FAILED } first;
    struct cfs_ssh_session *sessions[CFS_SESSIONS_MAX]; /* the first one, lost or not, has the thread */
    struct cfs_ssh_session *current;                    /* session 0 as it is now */
    struct cfs_ssh_session **retired;                   /* those before, at which a login may still look */
    size_t retired_count;
};

static struct ssh_transport *of(struct cfs_transport *transport)
{
    return cfs_container_of(transport, struct ssh_transport, transport);
}

static struct cfs_loop *loop_of(struct cfs_transport *transport)
{
    return cfs_ssh_session_loop(of(transport)->sessions[0]);
}

/* --- more sessions --- */

/* Until the first session is logged in. False: it is not, or took too long, or somebody had to answer. */
static bool wait_for_first(struct ssh_transport *self)
{
    struct timespec until;
    struct cfs_ssh_facts facts = {.by_person = true};
    int waited = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += EARLY_WAIT_S;
    pthread_mutex_lock(&self->lock);
    while (self->first == FIRST_COMES && waited == 0)
        waited = pthread_cond_timedwait(&self->settled, &self->lock, &until);
    if (self->first == FIRST_IS_IN)
        cfs_ssh_session_facts(self->sessions[0], &facts);
    pthread_mutex_unlock(&self->lock);
    return !facts.by_person;
}

static void leave_result(struct login *login, struct cfs_ssh_session *session, int result,
                         const struct cfs_error *error)
{
    struct ssh_transport *self = login->transport;
    pthread_mutex_lock(&self->lock);
    login->session = session;
    login->result = result;
    login->error = *error;
    login->is_done = true;
    bool is_awaited = login->added;
    pthread_mutex_unlock(&self->lock);
    /* It fails when the transport is being freed: then nobody waits for it. */
    if (is_awaited)
        (void)!cfs_loop_post(loop_of(&self->transport), &login->task);
}

static void *log_in(void *context)
{
    struct login *login = context;
    struct ssh_transport *self = login->transport;
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    int result = cfs_ssh_connect_beside(login->host ? login->host : self->sessions[0], self->profile, self->cancel_fd,
                                        &session, &error);
    leave_result(login, session, result, &error);
    return NULL;
}

/* One that was taken over meanwhile must come to a result. */
static bool give_up_early(struct login *login)
{
    pthread_mutex_lock(&login->transport->lock);
    login->is_early = false;
    bool is_awaited = login->added;
    pthread_mutex_unlock(&login->transport->lock);
    return !is_awaited;
}

static void *log_in_early(void *context)
{
    struct login *login = context;
    struct ssh_transport *self = login->transport;
    struct cfs_ssh_dialed *dialed = NULL;
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    int result = cfs_ssh_dial_beside(login->address, self->profile, self->cancel_fd, &dialed, &error);
    if (result == 0 && !wait_for_first(self)) {
        cfs_ssh_dialed_free(dialed);
        return give_up_early(login) ? NULL : log_in(login);
    }
    if (result == 0)
        result = cfs_ssh_log_in_beside(self->sessions[0], self->profile, dialed, self->cancel_fd, &session, &error);
    leave_result(login, session, result, &error);
    return NULL;
}

static void begin_early(const char *address, int64_t round_trip_ms, void *context)
{
    struct ssh_transport *self = context;
    struct login *login = &self->logins[0];
    if (round_trip_ms < CFS_TRANSPORT_FAR_MS || self->profile->connections == 1)
        return;
    snprintf(login->address, sizeof(login->address), "%s", address);
    login->transport = self;
    login->is_early = true; /* from here on under the lock */
    if (cfs_thread_start(log_in_early, login, &login->thread) < 0)
        login->is_early = false;
    else
        login->has_thread = self->transport.has_early = true;
}

static void join(struct login *login)
{
    if (login->has_thread)
        pthread_join(login->thread, NULL);
    login->has_thread = false;
}

/* The first free place, the lock is held; 0: there is none. */
static unsigned place_for(const struct ssh_transport *self)
{
    for (unsigned i = 1; i < CFS_SESSIONS_MAX; i++) {
        if (!self->sessions[i])
            return i;
    }
    return 0;
}

static void on_logged_in(struct cfs_task *task)
{
    struct login *login = cfs_container_of(task, struct login, task);
    struct ssh_transport *self = login->transport;
    struct cfs_ssh_session *too_many = NULL;
    struct cfs_error error;
    unsigned place = 0;
    pthread_mutex_lock(&self->lock);
    int result = login->result;
    error = login->error;
    if (login->session) {
        place = place_for(self);
        *(place ? &self->sessions[place] : &too_many) = CFS_TAKE(login->session);
    } else if (result == 0) {
        result = -ECANCELED; /* free has taken it */
    }
    pthread_mutex_unlock(&self->lock);
    cfs_ssh_session_drop(too_many);
    login->is_underway = false;
    if (result == 0 && !place)
        login->added(login->context, -EMFILE, "there are enough of them");
    else if (result != -ECANCELED)
        login->added(login->context, result ? result : (int)place, error.text);
}

/* The one that was begun early, if there is one. */
static bool take_over(struct login *login, cfs_transport_added *added, void *context)
{
    struct ssh_transport *self = login->transport;
    if (!self)
        return false;
    pthread_mutex_lock(&self->lock);
    bool is_early = login->is_early;
    if (is_early) {
        login->is_early = false;
        login->is_underway = true;
        login->task.run = on_logged_in;
        login->added = added;
        login->context = context;
    }
    bool is_done = is_early && login->is_done;
    pthread_mutex_unlock(&self->lock);
    if (is_done)
        (void)!cfs_loop_post(loop_of(&self->transport), &login->task);
    return is_early;
}

static int add_session(struct cfs_transport *transport, cfs_transport_added *added, void *context)
{
    struct ssh_transport *self = of(transport);
    struct login *login = self->logins;
    struct cfs_ssh_facts facts;
    cfs_ssh_session_facts(self->current, &facts);
    if (facts.by_person)
        return -EPERM;
    if (take_over(login, added, context))
        return 0;
    while (login < self->logins + CFS_SESSIONS_MAX && login->is_underway)
        login++;
    if (login == self->logins + CFS_SESSIONS_MAX)
        return -EMFILE;
    join(login);
    login->transport = self;
    login->host = self->current;
    login->task.run = on_logged_in;
    login->added = added;
    login->context = context;
    int error = cfs_thread_start(log_in, login, &login->thread);
    login->has_thread = login->is_underway = error == 0;
    return error;
}

static void abort_session(struct cfs_transport *transport, unsigned number)
{
    struct ssh_transport *self = of(transport);
    struct cfs_ssh_session *session = number > 0 ? self->sessions[number] : self->current;
    if (session)
        cfs_ssh_session_abort(session);
}

static void drop_session(struct cfs_transport *transport, unsigned number)
{
    struct ssh_transport *self = of(transport);
    pthread_mutex_lock(&self->lock);
    struct cfs_ssh_session *session = CFS_TAKE(self->sessions[number]);
    pthread_mutex_unlock(&self->lock);
    cfs_ssh_session_drop(session);
}

/* --- session 0 again --- */

static bool is_login_underway(const struct ssh_transport *self)
{
    for (unsigned i = 0; i < CFS_SESSIONS_MAX; i++) {
        if (self->logins[i].is_underway)
            return true;
    }
    return false;
}

/* Without memory it stays until the end of the process. */
static void retire(struct ssh_transport *self, struct cfs_ssh_session *session)
{
    while (self->retired_count > 0 && !is_login_underway(self))
        cfs_ssh_session_drop(self->retired[--self->retired_count]);
    if (!session || !is_login_underway(self)) {
        cfs_ssh_session_drop(session);
        return;
    }
    struct cfs_ssh_session **more = reallocarray(self->retired, self->retired_count + 1, sizeof(*more));
    if (!more)
        return;
    more[self->retired_count++] = session;
    self->retired = more;
}

static void on_again(struct cfs_task *task)
{
    struct again *again = cfs_container_of(task, struct again, task);
    struct ssh_transport *self = cfs_container_of(again, struct ssh_transport, again);
    struct cfs_ssh_session *before = NULL;
    pthread_mutex_lock(&self->lock);
    struct cfs_ssh_session *session = CFS_TAKE(again->session);
    int result = again->result;
    struct cfs_error error = again->error;
    if (session) {
        before = self->current == self->sessions[0] ? NULL : self->current;
        self->current = session;
    }
    pthread_mutex_unlock(&self->lock);
    retire(self, before);
    if (result == 0 && !session)
        return; /* free has taken it */
    again->reconnected(again->context, result, &error);
}

static void *connect_again(void *context)
{
    struct again *again = context;
    struct ssh_transport *self = cfs_container_of(again, struct ssh_transport, again);
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    cfs_doing_begin("login", true);
    cfs_doing("connects again");
    int result =
        cfs_ssh_connect_again(self->current, self->profile, again->prompter, again->cancel_fd, &session, &error);
    cfs_doing_end();
    pthread_mutex_lock(&self->lock);
    again->session = session;
    again->result = result;
    again->error = error;
    pthread_mutex_unlock(&self->lock);
    (void)!cfs_loop_post(loop_of(&self->transport), &again->task);
    return NULL;
}

static int reconnect(struct cfs_transport *transport, struct cfs_prompter *prompter,
                     cfs_transport_reconnected *reconnected, void *context)
{
    struct ssh_transport *self = of(transport);
    struct again *again = &self->again;
    eventfd_t before;
    if (again->has_thread)
        pthread_join(again->thread, NULL);
    (void)!eventfd_read(again->cancel_fd, &before);
    again->prompter = prompter;
    again->task.run = on_again;
    again->reconnected = reconnected;
    again->context = context;
    int error = cfs_thread_start(connect_again, again, &again->thread);
    again->has_thread = error == 0;
    return error;
}

static void interrupt(struct cfs_transport *transport)
{
    (void)!eventfd_write(of(transport)->again.cancel_fd, 1);
}

/* --- streams --- */

static struct cfs_stream *open_stream(struct cfs_transport *transport, unsigned number)
{
    struct ssh_transport *self = of(transport);
    struct cfs_ssh_session *session = number > 0 ? self->sessions[number] : self->current;
    return session ? cfs_ssh_open_subsystem(session, "sftp", BULK_WINDOW) : NULL;
}

static struct cfs_stream *open_direct(struct cfs_transport *transport, const char *host, uint16_t port)
{
    return cfs_ssh_open_direct(of(transport)->current, host, port, 0);
}

static void keep_awake(struct cfs_transport *transport)
{
    cfs_ssh_session_keep_awake(of(transport)->current);
}

static bool is_lost(struct cfs_transport *transport)
{
    return cfs_ssh_session_has_ended(of(transport)->current);
}

static void stream_error(struct cfs_transport *transport, const struct cfs_stream *stream, struct cfs_error *error)
{
    const struct cfs_error *known = cfs_ssh_stream_error(stream);
    if (known)
        *error = *known;
    else
        (void)cfs_error_set(error, EIO, CFS_FAILURE_NO_SFTP,
                            "The login works, but the server offers no SFTP: the channel was closed.");
}

static void facts(struct cfs_transport *transport, struct cfs_ssh_facts *ret_facts)
{
    struct ssh_transport *self = of(transport);
    pthread_mutex_lock(&self->lock);
    cfs_ssh_session_facts(self->current, ret_facts);
    pthread_mutex_unlock(&self->lock);
}

static bool is_cut(struct cfs_transport *transport, int64_t ms)
{
    return cfs_ssh_session_is_cut(of(transport)->current, ms);
}

static void free_parts(struct ssh_transport *self)
{
    if (self->cancel_fd >= 0)
        close(self->cancel_fd);
    if (self->again.cancel_fd >= 0)
        close(self->again.cancel_fd);
    pthread_cond_destroy(&self->settled);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void free_transport(struct cfs_transport *transport)
{
    struct ssh_transport *self = of(transport);
    struct cfs_ssh_session *added[CFS_SESSIONS_MAX], *coming[CFS_SESSIONS_MAX];
    (void)!eventfd_write(self->cancel_fd, 1);
    (void)!eventfd_write(self->again.cancel_fd, 1);
    for (unsigned i = 0; i < CFS_SESSIONS_MAX; i++)
        join(&self->logins[i]);
    if (self->again.has_thread)
        pthread_join(self->again.thread, NULL);
    pthread_mutex_lock(&self->lock);
    struct cfs_ssh_session *again = CFS_TAKE(self->again.session);
    struct cfs_ssh_session *current = self->current == self->sessions[0] ? NULL : self->current;
    memcpy(added, self->sessions, sizeof(added));
    memset(&self->sessions[1], 0, sizeof(added) - sizeof(added[0]));
    for (unsigned i = 0; i < CFS_SESSIONS_MAX; i++)
        coming[i] = CFS_TAKE(self->logins[i].session);
    pthread_mutex_unlock(&self->lock);
    for (unsigned i = CFS_SESSIONS_MAX; i-- > 0;) {
        cfs_ssh_session_free(coming[i]);
        cfs_ssh_session_free(i > 0 ? added[i] : NULL);
    }
    cfs_ssh_session_free(again);
    cfs_ssh_session_free(current);
    while (self->retired_count > 0)
        cfs_ssh_session_free(self->retired[--self->retired_count]);
    free(self->retired);
    cfs_ssh_session_free(added[0]);
    free_parts(self);
}

static const struct cfs_transport_operations operations = {
    .loop = loop_of,
    .add_session = add_session,
    .reconnect = reconnect,
    .interrupt = interrupt,
    .is_cut = is_cut,
    .abort_session = abort_session,
    .drop_session = drop_session,
    .open_stream = open_stream,
    .open_direct = open_direct,
    .keep_awake = keep_awake,
    .is_lost = is_lost,
    .stream_error = stream_error,
    .facts = facts,
    .free = free_transport,
};

static void settle_first(struct ssh_transport *self, int result)
{
    pthread_mutex_lock(&self->lock);
    self->first = result ? FIRST_FAILED : FIRST_IS_IN;
    pthread_cond_broadcast(&self->settled);
    pthread_mutex_unlock(&self->lock);
}

static struct ssh_transport *new_transport(const struct cfs_profile *profile)
{
    struct ssh_transport *self = calloc(1, sizeof(*self));
    pthread_condattr_t monotonic;
    if (!self)
        return NULL;
    self->transport.operations = &operations;
    self->profile = profile;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->settled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    self->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->again.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self;
}

int cfs_transport_ssh_open(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                           struct cfs_transport **ret_transport, struct cfs_error *error)
{
    return cfs_transport_ssh_open_watched(profile, prompter, cancel_fd, NULL, ret_transport, error);
}

int cfs_transport_ssh_open_watched(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                                   const struct cfs_ssh_watcher *watcher, struct cfs_transport **ret_transport,
                                   struct cfs_error *error)
{
    struct ssh_transport *self = new_transport(profile);
    if (!self)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    /* The end of a session shows in its streams: no `lost` is needed. */
    const struct cfs_ssh_callbacks callbacks = {.dialed = begin_early, .context = self, .watcher = watcher};
    int result = self->cancel_fd < 0 || self->again.cancel_fd < 0
                     ? cfs_error_set(error, errno, CFS_FAILURE_SYSTEM, "Too many open files.")
                     : cfs_ssh_connect(profile, prompter, cancel_fd, &callbacks, &self->sessions[0], error);
    self->current = self->sessions[0];
    settle_first(self, result);
    if (result) {
        (void)!eventfd_write(self->cancel_fd, 1);
        join(&self->logins[0]);
        free_parts(self);
        return result;
    }
    struct cfs_ssh_facts facts;
    cfs_ssh_session_facts(self->sessions[0], &facts);
    self->transport.is_eager = facts.is_openssh;
    self->transport.round_trip_ms = facts.round_trip_ms;
    *ret_transport = &self->transport;
    return 0;
}

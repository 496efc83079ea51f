/* Streams that ssh(1) carries (openssh_session.h): for sites whose login only their own ssh, with its configuration,
 * can do.
 *
 * Sessions are as in transport_ssh.c: session 0 has several lanes, which share one login; each further one is a login
 * of its own with one lane. There is a single thread: ssh does what takes time.
 *
 * Where somebody had to answer for a login it is not repeated by itself, neither for more sessions nor when the
 * connection was lost: then `clusterfs login` brings somebody who answers. */
#include "base/doing.h"
#include "base/runtime_folder.h"
#include "base/text.h"
#include "base/thread.h"
#include "remote/openssh_arguments.h"
#include "remote/openssh_session.h"
#include "remote/transport.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

enum { CANCEL_LOOK_MS = 100 };

struct coming {
    struct openssh_transport *transport;
    struct cfs_openssh_session *session; /* NULL: this place is free */
    cfs_transport_added *added;
    void *context;
};

struct openssh_transport {
    struct cfs_transport transport;
    struct cfs_openssh_context context;
    pthread_t thread;
    char *askpass_program, *folder;
    char fingerprint[64]; /* of the first host key */
    struct cfs_openssh_session *sessions[CFS_SESSIONS_MAX];
    struct coming coming[CFS_SESSIONS_MAX];
    struct cfs_openssh_session *again; /* session 0 that is to be */
    struct cfs_task refused, stop;
    struct cfs_error refusal;
    cfs_transport_reconnected *reconnected;
    void *again_context;
    bool is_ending;
    /* while it is opened */
    bool is_settled;
    int result;
    struct cfs_error error;
    pthread_mutex_t lock;
    struct cfs_ssh_facts facts; /* of session 0; the lock's */
};

static struct openssh_transport *of(struct cfs_transport *transport)
{
    return cfs_container_of(transport, struct openssh_transport, transport);
}

static struct cfs_loop *loop_of(struct cfs_transport *transport)
{
    return of(transport)->context.loop;
}

static void take_facts(struct openssh_transport *self)
{
    struct cfs_ssh_facts facts;
    cfs_openssh_session_facts(self->sessions[0], &facts);
    pthread_mutex_lock(&self->lock);
    self->facts = facts;
    pthread_mutex_unlock(&self->lock);
}

static void facts(struct cfs_transport *transport, struct cfs_ssh_facts *ret_facts)
{
    struct openssh_transport *self = of(transport);
    pthread_mutex_lock(&self->lock);
    *ret_facts = self->facts;
    pthread_mutex_unlock(&self->lock);
}

/* --- more sessions --- */

static unsigned free_number(const struct openssh_transport *self)
{
    unsigned number = 1;
    while (number < CFS_SESSIONS_MAX && self->sessions[number])
        number++;
    return number;
}

static void on_added(struct cfs_openssh_session *session, int result, const struct cfs_error *error, void *context)
{
    struct coming *coming = context;
    struct openssh_transport *self = coming->transport;
    unsigned number = free_number(self);
    char reason[CFS_ERROR_TEXT];
    coming->session = NULL;
    if (result == 0 && number == CFS_SESSIONS_MAX)
        result = -EMFILE;
    snprintf(reason, sizeof(reason), "%s", result == -EMFILE ? "there are enough of them" : error->text);
    if (result == 0)
        self->sessions[number] = session;
    else
        cfs_openssh_session_drop(session);
    coming->added(coming->context, result ? result : (int)number, reason);
}

static int add_session(struct cfs_transport *transport, cfs_transport_added *added, void *context)
{
    struct openssh_transport *self = of(transport);
    struct coming *coming = self->coming;
    if (self->facts.by_person)
        return -EPERM;
    while (coming < self->coming + CFS_SESSIONS_MAX && coming->session)
        coming++;
    if (coming == self->coming + CFS_SESSIONS_MAX)
        return -EMFILE;
    *coming = (struct coming){.transport = self, .added = added, .context = context};
    const struct cfs_openssh_wish wish = {.fingerprint = self->fingerprint, .done = on_added, .context = coming};
    return cfs_openssh_session_begin(&self->context, &wish, &coming->session, NULL);
}

static void drop_session(struct cfs_transport *transport, unsigned number)
{
    cfs_openssh_session_drop(CFS_TAKE(of(transport)->sessions[number]));
}

static void abort_session(struct cfs_transport *transport, unsigned number)
{
    struct cfs_openssh_session *session = of(transport)->sessions[number];
    if (session)
        cfs_openssh_session_abort(session);
}

/* --- session 0 again --- */

static void on_again(struct cfs_openssh_session *session, int result, const struct cfs_error *error, void *context)
{
    struct openssh_transport *self = context;
    struct cfs_error told = *error;
    self->again = NULL;
    if (result == 0) {
        self->sessions[0] = session;
        take_facts(self);
    } else {
        cfs_openssh_session_drop(session);
    }
    self->reconnected(self->again_context, result, &told);
}

static void on_refused(struct cfs_task *task)
{
    struct openssh_transport *self = cfs_container_of(task, struct openssh_transport, refused);
    if (!self->is_ending)
        self->reconnected(self->again_context, -EACCES, &self->refusal);
}

static int reconnect(struct cfs_transport *transport, struct cfs_prompter *prompter,
                     cfs_transport_reconnected *reconnected, void *context)
{
    struct openssh_transport *self = of(transport);
    const struct cfs_openssh_wish wish = {
        .is_shared = true, .prompter = prompter, .fingerprint = self->fingerprint, .done = on_again, .context = self};
    struct cfs_error error = {0};
    int result = 0;
    cfs_openssh_session_drop(CFS_TAKE(self->sessions[0]));
    self->reconnected = reconnected;
    self->again_context = context;
    self->refused.run = on_refused;
    if (self->facts.by_person && !prompter)
        result = cfs_error_set(&error, EACCES, CFS_FAILURE_LOGIN,
                               "The login at %s asks somebody for an answer, and nobody is there.",
                               self->context.profile->host);
    else
        result = cfs_openssh_session_begin(&self->context, &wish, &self->again, &error);
    if (result == 0)
        return 0;
    self->refusal = error;
    return cfs_loop_post(self->context.loop, &self->refused);
}

static void interrupt(struct cfs_transport *transport)
{
    if (of(transport)->again)
        cfs_openssh_session_interrupt(of(transport)->again);
}

/* --- streams --- */

static struct cfs_stream *open_stream(struct cfs_transport *transport, unsigned number)
{
    struct cfs_openssh_session *session = of(transport)->sessions[number];
    return session ? cfs_openssh_session_open(session) : NULL;
}

static void stream_error(struct cfs_transport *transport, const struct cfs_stream *stream, struct cfs_error *error)
{
    (void)transport;
    cfs_openssh_stream_error(stream, error);
}

static bool is_cut(struct cfs_transport *transport, int64_t ms)
{
    const struct cfs_openssh_session *session = of(transport)->sessions[0];
    return session && cfs_openssh_session_is_cut(session, ms);
}

/* --- life --- */

static void on_stop(struct cfs_task *task)
{
    struct openssh_transport *self = cfs_container_of(task, struct openssh_transport, stop);
    self->is_ending = true;
    for (unsigned i = 0; i < CFS_SESSIONS_MAX; i++)
        cfs_openssh_session_drop(CFS_TAKE(self->coming[i].session));
    cfs_openssh_session_drop(CFS_TAKE(self->again));
    for (unsigned i = CFS_SESSIONS_MAX; i-- > 0;)
        cfs_openssh_session_drop(CFS_TAKE(self->sessions[i]));
    cfs_loop_stop(self->context.loop);
}

static void free_parts(struct openssh_transport *self)
{
    cfs_loop_free(self->context.loop);
    pthread_mutex_destroy(&self->lock);
    free(self->askpass_program);
    free(self->folder);
    free(self);
}

static void free_transport(struct cfs_transport *transport)
{
    struct openssh_transport *self = of(transport);
    self->stop.run = on_stop;
    if (cfs_loop_post(self->context.loop, &self->stop) < 0)
        cfs_loop_stop(self->context.loop);
    pthread_join(self->thread, NULL);
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
    .stream_error = stream_error,
    .facts = facts,
    .free = free_transport,
};

static void *run(void *loop)
{
    cfs_doing_begin("session", false);
    cfs_loop_run(loop);
    cfs_doing_end();
    return NULL;
}

/* NULL: there is none, and each stream but the first would need a login of its own. */
static char *find_folder(void)
{
    for (unsigned i = 0;; i++) {
        char *folder CFS_AUTO_FREE = NULL;
        int is_there = cfs_runtime_folder(i, geteuid(), &folder);
        if (is_there < 0)
            return NULL;
        if (is_there > 0 && !strpbrk(folder, "\"\\$") && cfs_runtime_folder_check(folder, geteuid(), true) == 0 &&
            access(folder, W_OK | X_OK) == 0)
            return CFS_TAKE(folder);
    }
}

static struct openssh_transport *new_transport(const struct cfs_profile *profile, const char *askpass_program)
{
    struct openssh_transport *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->transport.operations = &operations;
    self->transport.round_trip_ms = -1;
    self->askpass_program = askpass_program ? strdup(askpass_program) : NULL;
    self->folder = find_folder();
    self->context = (struct cfs_openssh_context){
        .profile = profile, .loop = cfs_loop_new(), .askpass_program = self->askpass_program, .folder = self->folder};
    pthread_mutex_init(&self->lock, NULL);
    if (self->context.loop)
        return self;
    free_parts(self);
    return NULL;
}

static void on_opened(struct cfs_openssh_session *session, int result, const struct cfs_error *error, void *context)
{
    struct openssh_transport *self = context;
    self->is_settled = true;
    self->result = result;
    self->error = *error;
}

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&poll_fd, 1, 0) > 0;
}

/* The loop has no thread yet: it is worked here. */
static int log_in(struct openssh_transport *self, struct cfs_prompter *prompter, int cancel_fd, struct cfs_error *error)
{
    bool has_somebody = prompter && prompter->can_ask(prompter);
    const struct cfs_openssh_wish wish = {
        .is_shared = true, .prompter = has_somebody ? prompter : NULL, .done = on_opened, .context = self};
    int result = cfs_openssh_check(self->context.profile, error);
    if (result == 0)
        result = cfs_openssh_session_begin(&self->context, &wish, &self->sessions[0], error);
    if (result < 0)
        return result;
    while (!self->is_settled) {
        cfs_loop_run_once(self->context.loop, CANCEL_LOOK_MS);
        if (is_readable(cancel_fd))
            cfs_openssh_session_interrupt(self->sessions[0]);
    }
    if (self->result < 0 && error)
        *error = self->error;
    if (self->result < 0)
        cfs_openssh_session_drop(CFS_TAKE(self->sessions[0]));
    return self->result;
}

int cfs_transport_openssh_open(const struct cfs_profile *profile, struct cfs_prompter *prompter,
                               const char *askpass_program, int cancel_fd, struct cfs_transport **ret_transport,
                               struct cfs_error *error)
{
    struct openssh_transport *self = new_transport(profile, askpass_program);
    if (!self)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    int result = log_in(self, prompter, cancel_fd, error);
    if (result == 0) {
        take_facts(self);
        memcpy(self->fingerprint, self->facts.host_key_fingerprint, sizeof(self->fingerprint));
        self->transport.is_eager = self->facts.is_openssh;
        self->transport.round_trip_ms = self->facts.round_trip_ms;
        result = cfs_thread_start(run, self->context.loop, &self->thread);
        if (result < 0) {
            cfs_openssh_session_drop(CFS_TAKE(self->sessions[0]));
            (void)cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "Cannot start a thread: %s.", strerror(-result));
        }
    }
    if (result < 0) {
        free_parts(self);
        return result;
    }
    *ret_transport = &self->transport;
    return 0;
}

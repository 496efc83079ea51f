/* Logging in: ssh is started apart from any terminal, asks by askpass.h, and says on its stderr how far it is
 * (openssh_words.h). When it says that it is logged in, its TCP socket is taken beside it (child_socket.h): it tells
 * whether the network is cut, and can be reset.
 *
 *   LOGGING_IN -> SETTLING (who is asked something has not answered yet) -> SETTLED -> dropped
 *
 * The first stream is that of the process that logs in: ssh serves others by its control socket (ControlMaster), and
 * ends when all have ended, or when this process is gone, since its stdin ends then. A further stream is another ssh,
 * which hands its descriptors to the first one and waits. It must not be started before the socket is there, some
 * moments after the login.
 *
 * What must always hold: after an abort nobody sends anything for this session: the socket is reset, and its processes
 * are killed. While we have the TCP socket, the server does not learn that ssh has ended: it is closed with the last
 * stream. */
#include "remote/openssh_session.h"

#include "base/log.h"
#include "base/text.h"
#include "conf/words.h"
#include "remote/askpass.h"
#include "remote/child_socket.h"
#include "remote/openssh_arguments.h"
#include "remote/openssh_words.h"
#include "ssh/patience.h"
#include "ssh/tcp.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>

enum {
    LOOK_EVERY_MS = 5,
    LOOK_LIMIT_MS = 30 * 1000,
    MS = 1000,
    SUFFIX = 18 /* ssh makes its socket as NAME.RANDOM at first */
};

struct cfs_openssh_session {
    struct cfs_openssh_context *context;
    struct cfs_openssh_wish wish;
    char *fingerprint;  /* the wish's */
    char *control_path; /* NULL: not shared */
    struct cfs_openssh_words words;
    struct lane *first;         /* the one that logs in, until it is opened */
    struct cfs_stream *left;    /* its child, when it was closed before the others */
    struct cfs_list lanes;      /* all */
    int tcp;                    /* -1: unknown */
    int64_t begun_ms, ended_ms; /* of the login */
    struct cfs_timer deadline;
    struct cfs_task authenticated, stuck, answered, freed;
    struct cfs_askpass *askpass;
    enum { LOGGING_IN, SETTLING, SETTLED, DROPPED } state;
    int result;
    struct cfs_error error;
};

struct lane {
    struct cfs_stream stream;
    struct cfs_list link;
    struct cfs_openssh_session *session;
    struct cfs_stream *child; /* NULL: not yet, or never */
    struct cfs_timer look;    /* for the control socket */
    int64_t look_until_ms;
    int failure; /* -errno: there will be none */
};

static int64_t now_ms(void)
{
    return cfs_clock_ms(&cfs_system_clock);
}

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

/* --- processes --- */

static bool take_line(const char *line, void *context)
{
    struct cfs_openssh_session *session = context;
    bool was_authenticated = session->words.is_authenticated;
    bool is_kept = cfs_openssh_words_take(&session->words, line);
    if (!was_authenticated && session->words.is_authenticated && session->state == LOGGING_IN)
        (void)!cfs_loop_post(session->context->loop, &session->authenticated);
    return is_kept;
}

static bool is_ours(const char *variable)
{
    static const char *const names[] = {
        "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=", "SSH_ASKPASS_PROMPT=", CFS_ASKPASS_VARIABLE "="};
    for (size_t i = 0; i < CFS_COUNT(names); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static int add_variable(cfs_words *environment, const char *name, const char *value)
{
    char *text CFS_AUTO_FREE = cfs_text_format("%s=%s", name, value);
    return text ? cfs_words_add(environment, text) : -ENOMEM;
}

/* ssh before 8.4 asks by a program only if there is a display. */
static int make_environment(const struct cfs_openssh_session *session, cfs_words *ret_environment)
{
    cfs_words made CFS_CLEANUP(cfs_words_free) = NULL;
    int result = 0;
    for (size_t i = 0; environ[i] && result == 0; i++)
        result = is_ours(environ[i]) ? 0 : cfs_words_add(&made, environ[i]);
    if (result == 0)
        result = add_variable(&made, "SSH_ASKPASS_REQUIRE", session->askpass ? "force" : "never");
    if (result == 0 && session->askpass)
        result = add_variable(&made, "SSH_ASKPASS", session->context->askpass_program);
    if (result == 0 && session->askpass)
        result = add_variable(&made, CFS_ASKPASS_VARIABLE, cfs_askpass_name(session->askpass));
    if (result == 0 && session->askpass && !getenv("DISPLAY"))
        result = add_variable(&made, "DISPLAY", "-");
    if (result == 0)
        *ret_environment = CFS_TAKE(made);
    return result;
}

/* ssh may ask: somebody, or something, answers. What it starts itself (an ssh to a jump host) is not bound by that. */
static bool can_ask(const struct cfs_openssh_session *session)
{
    const struct cfs_profile *profile = session->context->profile;
    return session->context->askpass_program &&
           (session->wish.prompter || profile->password || profile->password_command || profile->passphrase);
}

/* For lane 0 of the session, which logs in, or for another. */
static int spawn(struct lane *lane, enum cfs_openssh_role role)
{
    struct cfs_openssh_session *session = lane->session;
    bool logs_in = role != CFS_OPENSSH_LANE;
    const struct cfs_openssh_call call = {
        .role = role,
        .control_path = session->control_path,
        .can_ask = can_ask(session),
        .has_person = session->wish.prompter,
        .is_again = session->fingerprint,
    };
    cfs_words arguments CFS_CLEANUP(cfs_words_free) = NULL, environment CFS_CLEANUP(cfs_words_free) = NULL;
    int result = cfs_openssh_arguments(session->context->profile, &call, &arguments);
    if (result == 0)
        result = make_environment(session, &environment);
    const struct cfs_child_options options = {
        .environment = environment, .is_apart = true, .line = logs_in ? take_line : NULL, .context = session};
    return result < 0 ? result : cfs_stream_spawn_with(session->context->loop, arguments, &options, &lane->child);
}

/* --- lanes --- */

static struct lane *lane_of(const struct cfs_stream *stream)
{
    return cfs_container_of(stream, struct lane, stream);
}

static ssize_t lane_read(struct cfs_stream *stream, void *buffer, size_t length)
{
    struct lane *lane = lane_of(stream);
    if (!lane->child)
        return lane->failure ? lane->failure : -EAGAIN;
    return cfs_stream_read(lane->child, buffer, length);
}

static ssize_t lane_write(struct cfs_stream *stream, const struct iovec *vector, int count)
{
    struct lane *lane = lane_of(stream);
    if (!lane->child)
        return lane->failure ? lane->failure : -EAGAIN;
    return cfs_stream_write(lane->child, vector, count);
}

static const char *lane_reason(const struct cfs_stream *stream)
{
    const struct lane *lane = lane_of(stream);
    if (lane->child)
        return cfs_stream_reason(lane->child);
    return lane->failure ? "ssh has no further channel: it does not share its connection" : NULL;
}

static void close_tcp(struct cfs_openssh_session *session)
{
    if (session->tcp >= 0)
        close(session->tcp);
    session->tcp = -1;
}

/* ssh that logs in waits for the others, and is closed last. */
static void lane_close(struct cfs_stream *stream)
{
    struct lane *lane = lane_of(stream);
    struct cfs_openssh_session *session = lane->session;
    bool is_master = lane->child && lane->look.expired == NULL;
    cfs_loop_stop_timer(stream->loop, &lane->look);
    cfs_list_remove(&lane->link);
    if (is_master && !cfs_list_empty(&session->lanes)) {
        session->left = CFS_TAKE(lane->child);
        session->left->ready = NULL;
    }
    cfs_stream_close(lane->child);
    free(lane);
    if (!cfs_list_empty(&session->lanes))
        return;
    cfs_stream_close(CFS_TAKE(session->left));
    close_tcp(session);
}

static const struct cfs_stream_operations lane_operations = {
    .read = lane_read,
    .write = lane_write,
    .reason = lane_reason,
    .close = lane_close,
};

static void child_ready(struct cfs_stream *child, void *context)
{
    struct lane *lane = context;
    if (lane->stream.ready)
        lane->stream.ready(&lane->stream, lane->stream.context);
}

static struct lane *new_lane(struct cfs_openssh_session *session)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane)
        return NULL;
    lane->stream = (struct cfs_stream){.operations = &lane_operations, .loop = session->context->loop};
    lane->session = session;
    cfs_list_push_back(&session->lanes, &lane->link);
    return lane;
}

/* The control socket is there, or never will be. */
static void look_for_socket(struct cfs_timer *timer)
{
    struct lane *lane = cfs_container_of(timer, struct lane, look);
    struct cfs_openssh_session *session = lane->session;
    bool is_there = session->control_path && access(session->control_path, F_OK) == 0;
    if (session->control_path && !is_there && now_ms() < lane->look_until_ms) {
        cfs_loop_start_timer(lane->stream.loop, timer, LOOK_EVERY_MS);
        return;
    }
    lane->failure = is_there ? spawn(lane, CFS_OPENSSH_LANE) : -EMFILE;
    if (lane->child) {
        lane->child->ready = child_ready;
        lane->child->context = lane;
    }
    child_ready(NULL, lane);
}

struct cfs_stream *cfs_openssh_session_open(struct cfs_openssh_session *session)
{
    struct lane *lane = CFS_TAKE(session->first);
    if (lane) {
        lane->child->ready = child_ready;
        lane->child->context = lane;
        return &lane->stream;
    }
    lane = new_lane(session);
    if (!lane)
        return NULL;
    lane->look.expired = look_for_socket;
    lane->look_until_ms = now_ms() + LOOK_LIMIT_MS;
    cfs_loop_start_timer(lane->stream.loop, &lane->look, 0);
    return &lane->stream;
}

void cfs_openssh_stream_error(const struct cfs_stream *stream, struct cfs_error *error)
{
    const struct cfs_openssh_session *session = lane_of(stream)->session;
    const char *reason = cfs_stream_reason(stream);
    (void)cfs_openssh_explain(&session->words, session->context->profile->host,
                              reason ? reason : "it ended without a word", error);
}

/* --- the login --- */

static void close_first(struct cfs_openssh_session *session)
{
    struct lane *lane = CFS_TAKE(session->first);
    if (!lane)
        return;
    if (lane->child)
        cfs_stream_child_kill(lane->child);
    cfs_stream_close(&lane->stream);
}

/* What became of ssh's questions says more than ssh itself. */
static void explain_answers(struct cfs_openssh_session *session, const struct cfs_askpass_outcome *outcome)
{
    const struct cfs_profile *profile = session->context->profile;
    struct cfs_error *error = &session->error;
    if (outcome->given_up)
        session->result =
            cfs_error_set(error, ECANCELED, CFS_FAILURE_CANCELLED, "The login at %s was given up.", profile->host);
    if (outcome->given_up || !outcome->why[0] || (outcome->is_guess && session->words.is_partial))
        return;
    if (error->failure == CFS_FAILURE_LOGIN)
        session->result = cfs_error_set(error, EACCES, CFS_FAILURE_LOGIN, "ssh was refused the login at %s: %s.",
                                        profile->host, outcome->why);
    else if (error->failure == CFS_FAILURE_TIMEOUT && !outcome->is_guess)
        session->result =
            cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT, "ssh has not logged in at %s within %u s: %s.",
                          profile->host, profile->login_timeout_ms / MS, outcome->why);
}

/* Nobody is asked anything any more. */
static void settle(struct cfs_openssh_session *session)
{
    struct cfs_askpass_outcome outcome = {.by_person = false};
    struct cfs_ssh_facts *facts = &session->words.facts;
    if (session->askpass)
        cfs_askpass_free(CFS_TAKE(session->askpass), &outcome);
    facts->by_person = outcome.by_person || session->words.is_touched ||
                       (outcome.answered_ms && session->ended_ms - outcome.answered_ms >= CFS_SSH_PERSONAL_MS);
    facts->connected_ms = session->ended_ms - session->begun_ms;
    facts->round_trip_ms = session->tcp >= 0 ? cfs_ssh_round_trip_ms(session->tcp) : -1;
    if (session->result < 0) {
        explain_answers(session, &outcome);
        close_first(session);
    }
    session->state = SETTLED;
    session->wish.done(session, session->result, &session->error, session->wish.context);
}

static void on_answered(struct cfs_task *task)
{
    struct cfs_openssh_session *session = cfs_container_of(task, struct cfs_openssh_session, answered);
    if (session->state == SETTLING)
        settle(session);
}

/* On askpass's thread. */
static void has_answered(void *context)
{
    struct cfs_openssh_session *session = context;
    (void)!cfs_loop_post(session->context->loop, &session->answered);
}

/* The error has been set for a RESULT < 0. */
static void finish(struct cfs_openssh_session *session, int result)
{
    if (session->state != LOGGING_IN)
        return;
    session->state = SETTLING;
    session->result = result;
    session->ended_ms = now_ms();
    cfs_loop_stop_timer(session->context->loop, &session->deadline);
    if (result < 0)
        cfs_stream_child_kill(session->first->child);
    session->first->child->ready = NULL;
    if (session->askpass)
        cfs_askpass_stop(session->askpass);
    else
        settle(session);
}

/* Ended before it gives the server an empty answer; settle() knows more. */
static void on_stuck(struct cfs_task *task)
{
    struct cfs_openssh_session *session = cfs_container_of(task, struct cfs_openssh_session, stuck);
    if (session->state == LOGGING_IN)
        finish(session, cfs_error_set(&session->error, EACCES, CFS_FAILURE_LOGIN,
                                      "ssh was refused the login at %s: it asks what nobody answers.",
                                      session->context->profile->host));
}

/* On askpass's thread. */
static void is_stuck(void *context)
{
    struct cfs_openssh_session *session = context;
    (void)!cfs_loop_post(session->context->loop, &session->stuck);
}

static bool is_the_same_host(const struct cfs_openssh_session *session)
{
    return !session->fingerprint || session->words.is_host_known ||
           (session->fingerprint[0] && strcmp(session->fingerprint, session->words.facts.host_key_fingerprint) == 0);
}

static void on_authenticated(struct cfs_task *task)
{
    struct cfs_openssh_session *session = cfs_container_of(task, struct cfs_openssh_session, authenticated);
    int result = 0;
    if (session->state != LOGGING_IN)
        return;
    session->tcp = cfs_child_socket_find(cfs_stream_child_pid(session->first->child));
    if (session->tcp < 0) {
        cfs_log_info("ssh", "ssh's connection cannot be looked at: %s", strerror(-session->tcp));
        session->tcp = -1;
    }
    if (!is_the_same_host(session))
        result = cfs_error_set(&session->error, EACCES, CFS_FAILURE_HOST_KEY,
                               "The host key of %s is another one than before, and not a known one: %s %s.",
                               session->context->profile->host, session->words.facts.host_key_type,
                               session->words.facts.host_key_fingerprint);
    finish(session, result);
}

/* Before the login ssh says nothing on its stdout: what comes is its end. */
static void on_login_ready(struct cfs_stream *child, void *context)
{
    struct cfs_openssh_session *session = context;
    char bytes[64];
    ssize_t count = cfs_stream_read(child, bytes, sizeof(bytes));
    if (count == -EAGAIN)
        return;
    const char *host = session->context->profile->host, *reason = cfs_stream_reason(child);
    if (count > 0)
        finish(session, cfs_error_set(&session->error, EPROTO, CFS_FAILURE_PROTOCOL,
                                      "The program of ssh_command writes something before it is logged in at %s: it "
                                      "must be ssh.",
                                      host));
    else
        finish(session, cfs_openssh_explain(&session->words, host, reason ? reason : "it ended without a word",
                                            &session->error));
}

/* The time that a person needs to answer does not count; then the server has all of its own again: he may have to
 * approve the login elsewhere. */
static int64_t left_by_person(const struct cfs_openssh_session *session)
{
    int64_t limit_ms = session->context->profile->login_timeout_ms;
    int64_t asked_ms = session->askpass ? cfs_askpass_asked_ms(session->askpass) : 0;
    if (asked_ms == 0 || asked_ms == INT64_MAX)
        return asked_ms ? limit_ms : 0;
    return asked_ms + limit_ms - now_ms();
}

static void on_deadline(struct cfs_timer *timer)
{
    struct cfs_openssh_session *session = cfs_container_of(timer, struct cfs_openssh_session, deadline);
    const struct cfs_profile *profile = session->context->profile;
    int64_t left_ms = left_by_person(session);
    if (left_ms > 0) {
        cfs_loop_start_timer(session->context->loop, timer, left_ms);
        return;
    }
    const char *words = cfs_stream_child_words(session->first->child);
    finish(session, cfs_error_set(&session->error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                                  "ssh has not logged in at %s within %u s%s%s.", profile->host,
                                  profile->login_timeout_ms / MS, *words ? ": " : "", words));
}

void cfs_openssh_session_interrupt(struct cfs_openssh_session *session)
{
    if (session->state == LOGGING_IN)
        finish(session, cfs_error_set(&session->error, ECANCELED, CFS_FAILURE_CANCELLED,
                                      "Connecting to %s was given up.", session->context->profile->host));
}

/* At random: processes in containers that share the folder may have one number. */
static int choose_control_path(struct cfs_openssh_session *session)
{
    const struct cfs_openssh_context *context = session->context;
    uint64_t random;
    if (!session->wish.is_shared || !context->folder)
        return 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    session->control_path = cfs_text_format("%s/ssh-%016llx", context->folder, (unsigned long long)random);
    if (!session->control_path)
        return -ENOMEM;
    if (strlen(session->control_path) + SUFFIX >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        free(CFS_TAKE(session->control_path));
    return 0;
}

static int start(struct cfs_openssh_session *session, struct cfs_error *error)
{
    const struct cfs_profile *profile = session->context->profile;
    int result = choose_control_path(session);
    const struct cfs_askpass_wish asked = {.profile = profile,
                                           .prompter = session->wish.prompter,
                                           .stuck = is_stuck,
                                           .ended = has_answered,
                                           .context = session};
    if (result == 0 && session->context->askpass_program)
        result = cfs_askpass_start(&asked, &session->askpass);
    session->first = result == 0 ? new_lane(session) : NULL;
    if (!session->first)
        return result
                   ? cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "ssh cannot be started: %s.", strerror(-result))
                   : no_memory(error);
    result = spawn(session->first, session->control_path ? CFS_OPENSSH_MASTER : CFS_OPENSSH_ALONE);
    if (result == -ENOENT || result == -EACCES)
        return cfs_error_set(error, -result, CFS_FAILURE_CONFIG,
                             "The program of ssh_command = %.200s cannot be started: %s. Install OpenSSH's client, "
                             "mend ssh_command, or set transport = libssh2, which needs none.",
                             profile->ssh_command, strerror(-result));
    if (result < 0)
        return cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "ssh cannot be started: %s.", strerror(-result));
    session->first->child->ready = on_login_ready;
    session->first->child->context = session;
    session->deadline.expired = on_deadline;
    cfs_loop_start_timer(session->context->loop, &session->deadline, profile->login_timeout_ms);
    return 0;
}

static void free_session(struct cfs_task *task)
{
    struct cfs_openssh_session *session = cfs_container_of(task, struct cfs_openssh_session, freed);
    free(session->fingerprint);
    free(session->control_path);
    free(session);
}

int cfs_openssh_session_begin(struct cfs_openssh_context *context, const struct cfs_openssh_wish *wish,
                              struct cfs_openssh_session **ret_session, struct cfs_error *error)
{
    struct cfs_openssh_session *session = calloc(1, sizeof(*session));
    if (!session)
        return no_memory(error);
    session->context = context;
    session->wish = *wish;
    session->tcp = -1;
    session->begun_ms = now_ms();
    session->authenticated.run = on_authenticated;
    session->stuck.run = on_stuck;
    session->answered.run = on_answered;
    session->freed.run = free_session;
    cfs_list_init(&session->lanes);
    int result = 0;
    if (wish->fingerprint && !(session->fingerprint = strdup(wish->fingerprint)))
        result = no_memory(error);
    if (result == 0)
        result = start(session, error);
    if (result < 0)
        cfs_openssh_session_drop(session);
    else
        *ret_session = session;
    return result;
}

void cfs_openssh_session_abort(struct cfs_openssh_session *session)
{
    struct cfs_list *link;
    if (session->tcp >= 0)
        cfs_child_socket_reset(session->tcp);
    close_tcp(session);
    if (session->left)
        cfs_stream_child_kill(session->left);
    cfs_list_each (link, &session->lanes) {
        const struct lane *lane = cfs_container_of(link, struct lane, link);
        if (lane->child)
            cfs_stream_child_kill(lane->child);
    }
}

bool cfs_openssh_session_is_cut(const struct cfs_openssh_session *session, int64_t ms)
{
    return session->tcp >= 0 && cfs_ssh_is_cut(session->tcp, ms);
}

void cfs_openssh_session_facts(const struct cfs_openssh_session *session, struct cfs_ssh_facts *ret_facts)
{
    *ret_facts = session->words.facts;
}

/* Its tasks may be queued: its memory goes behind them. */
void cfs_openssh_session_drop(struct cfs_openssh_session *session)
{
    struct cfs_askpass_outcome outcome;
    if (!session)
        return;
    session->state = DROPPED;
    cfs_loop_stop_timer(session->context->loop, &session->deadline);
    if (session->first && session->first->child) /* before it takes the end of askpass for an empty answer */
        cfs_stream_child_kill(session->first->child);
    if (session->askpass)
        cfs_askpass_free(CFS_TAKE(session->askpass), &outcome);
    close_first(session);
    cfs_stream_close(CFS_TAKE(session->left));
    close_tcp(session);
    if (session->control_path)
        unlink(session->control_path);
    if (cfs_loop_post(session->context->loop, &session->freed) < 0)
        free_session(&session->freed);
}

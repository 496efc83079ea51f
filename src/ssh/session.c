/* The journey of a login: dial, exchange keys, check the host key, authenticate, collect the facts, start the thread.
 */
#include "base/clock.h"
#include "base/text.h"
#include "ssh/auth.h"
#include "ssh/command.h"
#include "ssh/dial.h"
#include "ssh/host_key.h"
#include "ssh/jump.h"
#include "ssh/kex.h"
#include "ssh/proxy.h"
#include "ssh/session_priv.h"
#include "ssh/tcp.h"
#include "ssh/waiter.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* libssh2 counts the seconds that an answer takes, also those at a prompt; the waiter's deadline and our timers are
 * what counts. */
enum {
    LIBSSH2_PATIENCE_S = 24 * 60 * 60,
    /* TCP asks at 0, 1, 3 and 7 s, and then for 8 s not: where the network is expected to come back, a new attempt asks
     * sooner than that. */
    TCP_PATIENCE_AGAIN_MS = 7500,
};

int cfs_ssh_library_init(void)
{
    return libssh2_init(0) == 0 ? 0 : -ENOMEM;
}

void cfs_ssh_library_fini(void)
{
    libssh2_exit();
}

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
}

static void copy_text(char *target, size_t size, const char *text)
{
    snprintf(target, size, "%s", text ? text : "");
    cfs_text_make_printable(target, false);
}

static void collect_facts(LIBSSH2_SESSION *session, struct cfs_ssh_facts *facts)
{
    const char *banner = libssh2_session_banner_get(session);
    if (banner && strncmp(banner, "SSH-2.0-", 8) == 0)
        banner += 8;
    facts->is_openssh = banner && strncmp(banner, "OpenSSH_", 8) == 0;
    copy_text(facts->server_banner, sizeof(facts->server_banner), banner);
    copy_text(facts->cipher, sizeof(facts->cipher), libssh2_session_methods(session, LIBSSH2_METHOD_CRYPT_SC));
    copy_text(facts->mac, sizeof(facts->mac), libssh2_session_methods(session, LIBSSH2_METHOD_MAC_SC));
    copy_text(facts->kex, sizeof(facts->kex), libssh2_session_methods(session, LIBSSH2_METHOD_KEX));
    copy_text(facts->host_key_type, sizeof(facts->host_key_type),
              libssh2_session_methods(session, LIBSSH2_METHOD_HOSTKEY));
}

static void tell_reached(const struct cfs_ssh_callbacks *callbacks, enum cfs_ssh_stage stage,
                         const struct cfs_ssh_facts *facts)
{
    if (callbacks && callbacks->watcher)
        callbacks->watcher->reached(stage, facts, callbacks->watcher->context);
}

/* The key exchange has failed: was there an SSH server? */
static void tell_greeted(const struct cfs_ssh_callbacks *callbacks, LIBSSH2_SESSION *session,
                         struct cfs_ssh_facts *facts)
{
    const char *banner = libssh2_session_banner_get(session);
    if (!banner || strncmp(banner, "SSH-", 4) != 0)
        return;
    collect_facts(session, facts);
    tell_reached(callbacks, CFS_SSH_GREETED, facts);
}

static int no_host_key(const struct cfs_profile *profile, struct cfs_error *error)
{
    return cfs_error_set(error, EPROTO, CFS_FAILURE_PROTOCOL, "The SSH server of %s shows no host key.", profile->host);
}

static int check_host_key(const struct cfs_profile *profile, struct cfs_prompter *prompter,
                          struct cfs_ssh_transport *transport, struct cfs_ssh_facts *facts, struct cfs_error *error)
{
    size_t length = 0;
    int type = 0;
    const char *blob = libssh2_session_hostkey(transport->session, &length, &type);
    if (!blob)
        return no_host_key(profile, error);
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint((const uint8_t *)blob, length);
    if (!fingerprint)
        return no_memory(error);
    copy_text(facts->host_key_fingerprint, sizeof(facts->host_key_fingerprint), fingerprint);
    return cfs_host_key_check(profile, (const uint8_t *)blob, length, prompter, error);
}

/* A connection whose keys are exchanged; nothing of it is checked yet, and nobody is logged in. */
struct cfs_ssh_dialed {
    struct cfs_ssh_transport *transport;
    struct cfs_ssh_facts facts;
    struct cfs_kept_keys *kept; /* for the login; not its own */
    struct cfs_ssh_jump *jump;  /* of the connection; likewise */
    int64_t begun_ms;
};

void cfs_ssh_dialed_free(struct cfs_ssh_dialed *dialed)
{
    if (!dialed)
        return;
    cfs_ssh_transport_close(dialed->transport);
    free(dialed);
}

/* Without the thread. Leaves TRANSPORT alone when it fails. */
static struct cfs_ssh_session *new_session(struct cfs_ssh_session *host, const struct cfs_profile *profile,
                                           struct cfs_ssh_transport *transport,
                                           const struct cfs_ssh_callbacks *callbacks, const struct cfs_ssh_facts *facts)
{
    struct cfs_ssh_session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    cfs_list_init(&session->channels);
    session->is_guest = host;
    session->loop = host ? host->loop : cfs_loop_new();
    session->host = strdup(profile->host);
    session->scratch = malloc(CFS_SSH_READ_SIZE);
    session->start_timeout_ms = profile->op_timeout_ms;
    session->facts = *facts;
    if (callbacks)
        session->callbacks = *callbacks;
    if (session->loop && session->host && session->scratch) {
        session->transport = transport;
        sem_init(&session->left, 0, 0);
        return session;
    }
    if (!host)
        cfs_loop_free(session->loop);
    free(session->host);
    free(session->scratch);
    free(session);
    return NULL;
}

/* The thread does not run, or runs no more. */
static void free_session(struct cfs_ssh_session *session)
{
    cfs_ssh_channels_free(session);
    cfs_ssh_transport_close(session->transport);
    if (!session->is_guest)
        cfs_loop_free(session->loop);
    if (!session->is_guest)
        cfs_kept_keys_free(session->kept);
    if (!session->is_guest)
        cfs_ssh_jump_free(session->jump);
    sem_destroy(&session->left);
    free(session->host);
    free(session->scratch);
    free(session);
}

/* "192.0.2.1 port 22": without the port. */
static void address_alone(const char *address, char alone[CFS_SSH_ADDRESS_TEXT])
{
    const char *port = strstr(address, " port ");
    snprintf(alone, CFS_SSH_ADDRESS_TEXT, "%.*s", (int)(port ? (size_t)(port - address) : strlen(address)), address);
}

static void tell_dialed(const struct cfs_ssh_callbacks *callbacks, const struct cfs_ssh_dialed *dialed)
{
    char address[CFS_SSH_ADDRESS_TEXT];
    if (!callbacks || !callbacks->dialed || dialed->transport->is_led)
        return; /* an address is of no use on the other side of a hop */
    address_alone(dialed->facts.address, address);
    callbacks->dialed(address, cfs_ssh_round_trip_ms(dialed->transport->fd), callbacks->context);
}

/* What is dialled, and how. */
struct way {
    char *host; /* all the rest is the profile's */
    const struct cfs_profile *profile;
    struct cfs_ssh_jump *jump;     /* where the profile has a hop; HOST is then looked up there */
    struct cfs_prompter *prompter; /* for the hop's login; NULL: nobody is asked */
    int cancel_fd;
    uint32_t patience_ms; /* for TCP, or the channel of a hop; not more than connect_timeout */
    const struct cfs_ssh_callbacks *callbacks;
};

/* By somebody else, who looks the name up. */
static bool is_led(const struct cfs_profile *profile)
{
    return profile->hop || profile->proxy_command || profile->proxy;
}

/* The transport of DIALED. RET_UNTIL_MS: for the exchange of keys; the login at a hop does not count. */
static int open_way(const struct way *way, struct cfs_ssh_dialed *dialed, int64_t *ret_until_ms,
                    struct cfs_error *error)
{
    const struct cfs_profile *profile = way->profile;
    struct cfs_profile dialled_profile = *profile;
    struct cfs_ssh_line *line = NULL;
    int fd = -1, rc;
    uint32_t patience_ms =
        way->patience_ms < profile->connect_timeout_ms ? way->patience_ms : profile->connect_timeout_ms;
    dialled_profile.host = way->host;
    if (profile->hop)
        rc = cfs_ssh_jump_dial(way->jump, &dialled_profile, way->prompter, way->cancel_fd, patience_ms, &fd, &line,
                               error);
    else if (profile->proxy_command)
        rc = cfs_ssh_command_start(&dialled_profile, &fd, &line, error);
    else if (profile->proxy)
        rc = cfs_ssh_proxy_dial(&dialled_profile, way->cancel_fd, dialed->begun_ms + patience_ms, &fd, error);
    else
        rc = cfs_ssh_dial(&dialled_profile, way->cancel_fd, dialed->begun_ms + patience_ms, &fd, dialed->facts.address,
                          error);
    if (rc < 0)
        return rc;
    if (is_led(profile))
        snprintf(dialed->facts.address, sizeof(dialed->facts.address), "%.40s port %u", way->host,
                 (unsigned)profile->port);
    *ret_until_ms = (line ? cfs_clock_ms(&cfs_system_clock) : dialed->begun_ms) + profile->connect_timeout_ms;
    if (cfs_ssh_transport_open(fd, line, &dialed->transport) < 0)
        return no_memory(error);
    dialed->transport->is_led = is_led(profile);
    return 0;
}

/* What the line has to say to a failure. */
static void append_line(struct cfs_ssh_line *line, struct cfs_error *error)
{
    char text[1400] = "";
    if (line && line->operations->explain)
        line->operations->explain(line, text, sizeof(text));
    if (text[0])
        cfs_error_append(error, " (proxy_command: %s)", text);
}

static int dial(const struct way *way, struct cfs_ssh_dialed **ret_dialed, struct cfs_error *error)
{
    struct cfs_ssh_dialed *dialed CFS_CLEANUP(cfs_ssh_dialed_free) = calloc(1, sizeof(*dialed));
    struct cfs_ssh_connect_waiter waiter;
    int64_t until_ms = 0;
    if (!dialed)
        return no_memory(error);
    dialed->begun_ms = cfs_clock_ms(&cfs_system_clock);
    int rc = open_way(way, dialed, &until_ms, error);
    if (rc < 0)
        return rc;
    tell_dialed(way->callbacks, dialed);
    tell_reached(way->callbacks, CFS_SSH_CONNECTED, &dialed->facts);
    cfs_ssh_waiter_init(&waiter, dialed->transport, way->cancel_fd, until_ms);
    libssh2_session_set_read_timeout(dialed->transport->session, LIBSSH2_PATIENCE_S);
    rc = cfs_ssh_exchange_keys(way->profile, dialed->facts.address, &waiter, error);
    if (rc < 0) {
        tell_greeted(way->callbacks, dialed->transport->session, &dialed->facts);
        append_line(dialed->transport->line, error);
        return rc;
    }
    collect_facts(dialed->transport->session, &dialed->facts);
    tell_reached(way->callbacks, CFS_SSH_GREETED, &dialed->facts);
    tell_reached(way->callbacks, CFS_SSH_KEYS_EXCHANGED, &dialed->facts);
    *ret_dialed = CFS_TAKE(dialed);
    return 0;
}

/* From exchanged keys to a session with its thread; HOST as in cfs_ssh_connect_beside, or NULL. Takes DIALED. */
static int log_in(struct cfs_ssh_session *host, const struct cfs_profile *profile, struct cfs_prompter *prompter,
                  int cancel_fd, const struct cfs_ssh_callbacks *callbacks, struct cfs_ssh_dialed *taken,
                  struct cfs_ssh_session **ret_session, struct cfs_error *error)
{
    struct cfs_ssh_dialed *dialed CFS_CLEANUP(cfs_ssh_dialed_free) = taken;
    struct cfs_ssh_facts *facts = &dialed->facts;
    struct cfs_ssh_connect_waiter waiter;
    if (host) {
        dialed->kept = host->kept;
        dialed->jump = host->jump;
    }
    int rc = check_host_key(profile, prompter, dialed->transport, facts, error);
    if (rc < 0)
        return rc;
    tell_reached(callbacks, CFS_SSH_HOST_KEY_TRUSTED, facts);
    cfs_ssh_waiter_init(&waiter, dialed->transport, cancel_fd,
                        cfs_clock_ms(&cfs_system_clock) + profile->login_timeout_ms);
    struct cfs_ssh_login login;
    const char *first_key = host && host->facts.login_key[0] ? host->facts.login_key : NULL;
    rc = cfs_ssh_authenticate(dialed->transport->session, profile, prompter, &waiter.waiter, first_key, dialed->kept,
                              &login, error);
    if (rc < 0)
        return rc;
    memcpy(facts->login_method, login.method, sizeof(facts->login_method));
    memcpy(facts->login_key, login.key, sizeof(facts->login_key));
    facts->by_person = login.by_person;
    facts->by_person_on_way = dialed->jump && cfs_ssh_jump_by_person(dialed->jump);
    facts->round_trip_ms = cfs_ssh_round_trip_ms(dialed->transport->fd);
    facts->connected_ms = cfs_clock_ms(&cfs_system_clock) - dialed->begun_ms;
    tell_reached(callbacks, CFS_SSH_LOGGED_IN, facts);
    struct cfs_ssh_session *session = new_session(host, profile, dialed->transport, callbacks, facts);
    if (!session)
        return no_memory(error);
    session->kept = dialed->kept;
    session->jump = dialed->jump;
    dialed->transport = NULL; /* the session's now */
    rc = cfs_ssh_session_start(session);
    if (rc < 0) {
        session->kept = NULL; /* the caller's, both */
        session->jump = NULL;
        session->ended = true; /* its first turn may be queued: there is nothing to do in it */
        free_session(session);
        return cfs_error_set(error, -rc, CFS_FAILURE_SYSTEM, "Cannot start a thread: %s.", strerror(-rc));
    }
    *ret_session = session;
    return 0;
}

int cfs_ssh_connect(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                    const struct cfs_ssh_callbacks *callbacks, struct cfs_ssh_session **ret_session,
                    struct cfs_error *error)
{
    struct cfs_ssh_dialed *dialed = NULL;
    struct cfs_kept_keys *kept CFS_CLEANUP(cfs_kept_keys_free) = profile->keep_keys ? cfs_kept_keys_new() : NULL;
    struct cfs_ssh_jump *jump CFS_CLEANUP(cfs_ssh_jump_free) = profile->hop ? cfs_ssh_jump_new() : NULL;
    if ((profile->keep_keys && !kept) || (profile->hop && !jump))
        return no_memory(error);
    struct way way = {.host = profile->host,
                      .profile = profile,
                      .jump = jump,
                      .prompter = prompter,
                      .cancel_fd = cancel_fd,
                      .patience_ms = profile->connect_timeout_ms,
                      .callbacks = callbacks};
    int rc = dial(&way, &dialed, error);
    if (rc < 0)
        return rc;
    dialed->kept = kept;
    dialed->jump = jump;
    rc = log_in(NULL, profile, prompter, cancel_fd, callbacks, dialed, ret_session, error);
    if (rc == 0) {
        kept = NULL; /* the session's, both */
        jump = NULL;
    }
    return rc;
}

int cfs_ssh_fetch_host_key(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                           struct cfs_buffer *ret_blob, struct cfs_error *error)
{
    struct cfs_ssh_jump *jump CFS_CLEANUP(cfs_ssh_jump_free) = profile->hop ? cfs_ssh_jump_new() : NULL;
    struct cfs_ssh_dialed *dialed CFS_CLEANUP(cfs_ssh_dialed_free) = NULL; /* goes before the jump */
    struct way way = {.host = profile->host,
                      .profile = profile,
                      .jump = jump,
                      .prompter = prompter,
                      .cancel_fd = cancel_fd,
                      .patience_ms = profile->connect_timeout_ms};
    size_t length = 0;
    int type = 0;
    if (profile->hop && !jump)
        return no_memory(error);
    int rc = dial(&way, &dialed, error);
    if (rc < 0)
        return rc;
    const char *blob = libssh2_session_hostkey(dialed->transport->session, &length, &type);
    if (!blob)
        return no_host_key(profile, error);
    cfs_buffer_add(ret_blob, blob, length);
    return ret_blob->failed ? no_memory(error) : 0;
}

int cfs_ssh_dial_beside(const char *address, const struct cfs_profile *profile, int cancel_fd,
                        struct cfs_ssh_dialed **ret_dialed, struct cfs_error *error)
{
    char host[CFS_SSH_ADDRESS_TEXT];
    snprintf(host, sizeof(host), "%s", address);
    struct way way = {
        .host = host, .profile = profile, .cancel_fd = cancel_fd, .patience_ms = profile->connect_timeout_ms};
    return dial(&way, ret_dialed, error);
}

/* A name may lead to many machines that share neither files nor keys: the same address, and the key that was shown
 * there, so that it is one server. */
int cfs_ssh_log_in_beside(struct cfs_ssh_session *host, const struct cfs_profile *profile,
                          struct cfs_ssh_dialed *dialed, int cancel_fd, struct cfs_ssh_session **ret_session,
                          struct cfs_error *error)
{
    struct cfs_profile pinned = *profile;
    pinned.host_key_fingerprint = host->facts.host_key_fingerprint;
    return log_in(host, &pinned, NULL, cancel_fd, NULL, dialed, ret_session, error);
}

int cfs_ssh_connect_beside(struct cfs_ssh_session *host, const struct cfs_profile *profile, int cancel_fd,
                           struct cfs_ssh_session **ret_session, struct cfs_error *error)
{
    char address[CFS_SSH_ADDRESS_TEXT];
    struct cfs_ssh_dialed *dialed = NULL;
    address_alone(host->facts.address, address);
    struct way way = {.host = is_led(profile) ? profile->host : address,
                      .profile = profile,
                      .jump = host->jump,
                      .cancel_fd = cancel_fd,
                      .patience_ms = profile->connect_timeout_ms};
    int rc = dial(&way, &dialed, error);
    return rc < 0 ? rc : cfs_ssh_log_in_beside(host, profile, dialed, cancel_fd, ret_session, error);
}

/* The key that was accepted once, perhaps by a person who compared it, need not stand in a file. */
static bool shows_key_of(const struct cfs_ssh_session *host, const struct cfs_ssh_dialed *dialed)
{
    size_t length = 0;
    int type = 0;
    const char *blob = libssh2_session_hostkey(dialed->transport->session, &length, &type);
    char *fingerprint CFS_AUTO_FREE = blob ? cfs_host_key_fingerprint((const uint8_t *)blob, length) : NULL;
    return fingerprint && strcmp(fingerprint, host->facts.host_key_fingerprint) == 0;
}

int cfs_ssh_connect_again(struct cfs_ssh_session *host, const struct cfs_profile *profile,
                          struct cfs_prompter *prompter, int cancel_fd, struct cfs_ssh_session **ret_session,
                          struct cfs_error *error)
{
    struct cfs_ssh_dialed *dialed = NULL;
    struct cfs_profile strict = *profile;
    struct way way = {.host = profile->host,
                      .profile = profile,
                      .jump = host->jump,
                      .prompter = prompter,
                      .cancel_fd = cancel_fd,
                      .patience_ms = TCP_PATIENCE_AGAIN_MS};
    int rc = dial(&way, &dialed, error);
    if (rc < 0)
        return rc;
    if (shows_key_of(host, dialed))
        strict.host_key_fingerprint = host->facts.host_key_fingerprint;
    else
        strict.host_key_policy = CFS_HOST_KEY_STRICT;
    return log_in(host, &strict, prompter, cancel_fd, NULL, dialed, ret_session, error);
}

/* The thread stops itself: everything in the session is the thread's. */
void cfs_ssh_session_free(struct cfs_ssh_session *session)
{
    if (!session)
        return;
    if (cfs_loop_post(session->loop, &session->stop_task) == 0) {
        if (!session->is_guest)
            pthread_join(session->thread, NULL);
        else
            while (sem_wait(&session->left) < 0 && errno == EINTR)
                ;
    }
    free_session(session);
}

void cfs_ssh_session_drop(struct cfs_ssh_session *session)
{
    if (!session)
        return;
    session->dropped = true;
    if (cfs_loop_post(session->loop, &session->stop_task) < 0)
        free_session(session);
}

void cfs_ssh_session_left(struct cfs_ssh_session *session)
{
    if (session->dropped)
        free_session(session);
    else
        sem_post(&session->left);
}

struct cfs_loop *cfs_ssh_session_loop(struct cfs_ssh_session *session)
{
    return session->loop;
}

bool cfs_ssh_session_has_ended(const struct cfs_ssh_session *session)
{
    return session->ended;
}

bool cfs_ssh_session_is_cut(const struct cfs_ssh_session *session, int64_t ms)
{
    return session->transport && cfs_ssh_transport_is_cut(session->transport, ms);
}

void cfs_ssh_session_facts(const struct cfs_ssh_session *session, struct cfs_ssh_facts *ret_facts)
{
    *ret_facts = session->facts;
}

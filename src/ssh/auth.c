/* The login: which methods the server offers, in which order we try them, and the sentence when none has worked.
 *
 * A login may need several factors (a key, then a code): the server says "failure" then, with the methods that are
 * still wanted. libssh2 drops that list, so after an attempt that may have been such a factor we ask for the list
 * again; if it has changed, the attempt was accepted, and what is wanted now is tried. */
#include "ssh/auth_priv.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/text.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* --- notes --- */

void cfs_auth_note(struct cfs_auth *auth, const char *format, ...)
{
    size_t used = strlen(auth->notes);
    if (used > 0 && used + 2 < sizeof(auth->notes)) {
        memcpy(auth->notes + used, "; ", 3);
        used += 2;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(auth->notes + used, sizeof(auth->notes) - used, format, arguments);
    va_end(arguments);
    size_t length = strlen(auth->notes);
    if (length > 0 && auth->notes[length - 1] == '.') /* a whole sentence becomes a clause */
        auth->notes[length - 1] = '\0';
}

void cfs_auth_name_method(struct cfs_auth *auth, const char *format, ...)
{
    char *method = auth->login.method;
    size_t used = auth->partial ? strlen(method) : 0;
    if (used > 0 && used + 2 < sizeof(auth->login.method)) {
        memcpy(method + used, ", ", 3);
        used += 2;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(method + used, sizeof(auth->login.method) - used, format, arguments);
    va_end(arguments);
    cfs_text_make_printable(method, false);
}

/* --- failures --- */

int cfs_auth_fail_cancelled(struct cfs_auth *auth)
{
    return cfs_error_set(auth->error, ECANCELED, CFS_FAILURE_CANCELLED, "The login at %s was given up.",
                         auth->profile->host);
}

int cfs_auth_fail_memory(struct cfs_auth *auth)
{
    return cfs_error_set(auth->error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
}

/* A server that closes the connection sooner, while somebody is waited for, has another reason. */
enum { LEAST_GRACE_S = 5 };

/* --- libssh2 --- */

static int fail_lost(struct cfs_auth *auth)
{
    const char *text = auth->transport->disconnect_text;
    if (strcasestr(text, "too many authentication failures") && auth->keys_offered == 0)
        return cfs_error_set(
            auth->error, EACCES, CFS_FAILURE_LOGIN,
            "%s ended the login of %s after too many wrong answers%s%s. Is the user name right? Before you "
            "try again: some servers block an address for a while after that.",
            auth->profile->host, auth->profile->user, auth->notes[0] ? ": " : "", auth->notes);
    if (strcasestr(text, "too many authentication failures"))
        return cfs_error_set(auth->error, EACCES, CFS_FAILURE_LOGIN,
                             "%s ended the login of %s after too many attempts (%s). Name the one right key with "
                             "identity_file, and set identities_only = yes.",
                             auth->profile->host, auth->profile->user, auth->notes);
    if (auth->transport->disconnect_code)
        return cfs_error_set(auth->error, EACCES, CFS_FAILURE_LOGIN, "%s ended the login of %s: %s",
                             auth->profile->host, auth->profile->user, *text ? text : "it gave no reason.");
    int64_t lasted_s = (cfs_clock_ms(&cfs_system_clock) - auth->begun_ms) / 1000;
    if (auth->person_waited_for && lasted_s >= LEAST_GRACE_S)
        return cfs_error_set(auth->error, EACCES, CFS_FAILURE_LOGIN,
                             "%s did not wait any longer for the login of %s to be completed: it closed the connection "
                             "after %lld s (a server's LoginGraceTime, usually 120 s). Have at hand what it asks for, "
                             "and try again.",
                             auth->profile->host, auth->profile->user, (long long)lasted_s);
    return cfs_error_set(auth->error, ECONNRESET, CFS_FAILURE_LOST,
                         "%s closed the connection during the login. It may be too busy, or have blocked this address "
                         "for a while after failed logins; try again later.",
                         auth->profile->host);
}

int cfs_auth_wait(struct cfs_auth *auth)
{
    int result = auth->waiter->wait(auth->waiter);
    if (result == -ETIMEDOUT)
        return cfs_error_set(auth->error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                             "%s did not answer in time during the login (login_timeout is %u s).", auth->profile->host,
                             auth->profile->login_timeout_ms / 1000);
    if (result == -ECANCELED)
        return cfs_auth_fail_cancelled(auth);
    return result < 0 ? fail_lost(auth) : 0;
}

/* libssh2 reports a connection that ends inside an attempt as a refused attempt, and tells it apart in its text alone.
 */
static bool is_lost(const struct cfs_auth *auth, const char *message)
{
    return auth->transport->disconnect_code || strncmp(message, "Waiting for", 11) == 0 ||
           strncmp(message, "Failed getting response", 23) == 0;
}

int cfs_auth_settle(struct cfs_auth *auth, int libssh2_result)
{
    if (libssh2_userauth_authenticated(auth->session))
        return 1;
    char *message = NULL;
    libssh2_session_last_error(auth->session, &message, NULL, 0);
    switch (libssh2_result) {
    case LIBSSH2_ERROR_SOCKET_SEND:
    case LIBSSH2_ERROR_SOCKET_RECV:
    case LIBSSH2_ERROR_SOCKET_DISCONNECT:
    case LIBSSH2_ERROR_TIMEOUT:
        return fail_lost(auth);
    case LIBSSH2_ERROR_ALLOC:
        return cfs_auth_fail_memory(auth);
    case LIBSSH2_ERROR_AUTHENTICATION_FAILED:
    case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
        return is_lost(auth, message ? message : "") ? fail_lost(auth) : 0;
    default:
        return cfs_error_set(auth->error, EPROTO, CFS_FAILURE_PROTOCOL,
                             "%s does not keep to the protocol during the login: %s (%d).", auth->profile->host,
                             message && *message ? message : "no reason known", libssh2_result);
    }
}

/* --- methods --- */

static unsigned parse_methods(const char *list)
{
    static const struct {
        const char *name;
        enum cfs_auth_method method;
    } names[] = {{"publickey", CFS_AUTH_PUBLICKEY},
                 {"keyboard-interactive", CFS_AUTH_INTERACTIVE},
                 {"password", CFS_AUTH_PASSWORD}};
    unsigned methods = 0;
    for (const char *word = list; *word; word += strspn(word, ",")) {
        size_t length = strcspn(word, ",");
        for (size_t i = 0; i < CFS_COUNT(names); i++)
            if (strlen(names[i].name) == length && memcmp(names[i].name, word, length) == 0)
                methods |= names[i].method;
        word += length;
    }
    return methods;
}

/* The text that the server wants to be read before the login (RFC 4252, section 5.4). */
static void show_banner(struct cfs_auth *auth)
{
    char *banner = NULL;
    if (libssh2_userauth_banner(auth->session, &banner) != 0 || !banner)
        return;
    char *text CFS_AUTO_FREE = strdup(banner);
    if (!text)
        return;
    cfs_text_make_printable(text, true);
    cfs_auth_tell(auth, text);
}

int cfs_auth_list_methods(struct cfs_auth *auth)
{
    bool first = !auth->method_list;
    /* libssh2 keeps one pointer to the list, and would forget the old one: it is freed where it is about to be
     * replaced. */
    libssh2_free(auth->session, auth->method_list);
    auth->method_list = NULL;
    const char *user = auth->profile->user;
    char *list;
    while (!(list = libssh2_userauth_list(auth->session, user, (unsigned)strlen(user)))) {
        int code = libssh2_session_last_errno(auth->session);
        if (code != LIBSSH2_ERROR_EAGAIN)
            return cfs_auth_settle(auth, code ? code : LIBSSH2_ERROR_SOCKET_DISCONNECT);
        int result = cfs_auth_wait(auth);
        if (result < 0)
            return result;
    }
    auth->method_list = list;
    unsigned methods = parse_methods(list);
    if (first)
        show_banner(auth);
    else if (methods != auth->methods) {
        auth->partial = true;
        auth->finished = 0;
    }
    auth->methods = methods;
    return 0;
}

/* --- the last sentence --- */

static int fail_refused(struct cfs_auth *auth)
{
    char list[200];
    snprintf(list, sizeof(list), "%s", auth->method_list ? auth->method_list : "");
    /* Nothing but an identity file is to blame: its own sentence and exit code say so. */
    if (auth->keys_offered == auth->keys_locked && !auth->partial && auth->attempted == 0 &&
        auth->key_failure.failure != CFS_FAILURE_NONE) {
        if (auth->error)
            *auth->error = auth->key_failure;
        return -EACCES;
    }
    int result =
        cfs_error_set(auth->error, EACCES, CFS_FAILURE_LOGIN,
                      auth->partial ? "%s wants more than it was given for the login of %s: %s. It accepts now: %s."
                                    : "%s refused the login of %s: %s. It accepts: %s.",
                      auth->profile->host, auth->profile->user,
                      auth->notes[0] ? auth->notes : "nothing was left to try", list[0] ? list : "nothing");
    if (auth->keys_offered > 0 && !auth->partial)
        cfs_error_append(auth->error,
                         " If the user name is right, add the public key of one of these keys at the "
                         "provider (ssh-keygen -y -f FILE prints it), or name the right key with identity_file.");
    else if (auth->keys_offered == 0 && (auth->methods & CFS_AUTH_PUBLICKEY))
        cfs_error_append(auth->error, " Name your key with identity_file, or make one with: ssh-keygen -t ed25519");
    return result;
}

/* --- the journey --- */

static int try_next(struct cfs_auth *auth, bool *ret_nothing_left)
{
    static const struct {
        enum cfs_auth_method method;
        int (*try)(struct cfs_auth *auth);
    } attempts[] = {{CFS_AUTH_PUBLICKEY, cfs_auth_try_publickey},
                    {CFS_AUTH_INTERACTIVE, cfs_auth_try_interactive},
                    {CFS_AUTH_PASSWORD, cfs_auth_try_password}};
    for (size_t i = 0; i < CFS_COUNT(attempts); i++)
        if (auth->methods & ~auth->finished & attempts[i].method)
            return attempts[i].try(auth);
    *ret_nothing_left = true;
    return 0;
}

static int authenticate(struct cfs_auth *auth)
{
    enum { MAX_ATTEMPTS = 20 }; /* a server that changes its list each time does not keep us for ever */
    int result = cfs_auth_begin(auth);
    if (result == 0)
        result = cfs_auth_list_methods(auth);
    if (result > 0)
        cfs_auth_name_method(auth, "none");
    bool nothing_left = false;
    if (result == 0 && auth->offer_begun) /* its answer comes next, whatever the methods are */
        result = cfs_auth_try_publickey(auth);
    for (int i = 0; result == 0 && i < MAX_ATTEMPTS && !nothing_left; i++)
        result = try_next(auth, &nothing_left);
    if (result == 0)
        return fail_refused(auth);
    return result < 0 ? result : 0;
}

/* The prompter that the attempts see: it notes that somebody was asked. */
struct noting_prompter {
    struct cfs_prompter prompter;
    struct cfs_prompter *real;
    struct cfs_auth *auth;
};

static struct noting_prompter *noting(struct cfs_prompter *prompter)
{
    return cfs_container_of(prompter, struct noting_prompter, prompter);
}

static int note_and_ask(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    struct noting_prompter *self = noting(prompter);
    self->auth->login.by_person = true;
    return self->real->ask(self->real, text, echo, ret_answer);
}

static int confirm(struct cfs_prompter *prompter, const char *text)
{
    return noting(prompter)->real->confirm(noting(prompter)->real, text);
}

static bool can_ask(struct cfs_prompter *prompter)
{
    return noting(prompter)->real->can_ask(noting(prompter)->real);
}

static void tell(struct cfs_prompter *prompter, const char *text)
{
    struct cfs_prompter *real = noting(prompter)->real;
    if (real->tell)
        real->tell(real, text);
}

int cfs_ssh_authenticate(LIBSSH2_SESSION *session, const struct cfs_profile *profile, struct cfs_prompter *prompter,
                         struct cfs_ssh_waiter *waiter, const char *first_key, struct cfs_kept_keys *kept,
                         struct cfs_ssh_login *ret_login, struct cfs_error *error)
{
    struct noting_prompter noting_prompter = {
        .prompter = {.ask = note_and_ask, .confirm = confirm, .can_ask = can_ask, .tell = tell}, .real = prompter};
    struct cfs_auth auth = {.session = session,
                            .transport = cfs_ssh_transport_of(session),
                            .profile = profile,
                            .prompter = prompter ? &noting_prompter.prompter : NULL,
                            .waiter = waiter,
                            .error = error,
                            .begun_ms = cfs_clock_ms(&cfs_system_clock),
                            .first_key = first_key,
                            .kept = kept};
    noting_prompter.auth = &auth;
    int result = authenticate(&auth);
    if (result == 0)
        *ret_login = auth.login;
    cfs_auth_offers_free(auth.offers);
    cfs_secret_free(auth.command_password);
    return result;
}

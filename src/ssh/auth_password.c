/* Login with a password (RFC 4252, section 8). */
#include "ssh/auth_priv.h"

#include "base/text.h"
#include <errno.h>
#include <string.h>

enum { TRIES_AT_PROMPT = 3 };

static int fail_expired(struct cfs_auth *auth)
{
    return cfs_error_set(auth->error, EKEYEXPIRED, CFS_FAILURE_LOGIN,
                         "The password of %s at %s has expired. Change it with: ssh -p %u '%s@%s'", auth->profile->user,
                         auth->profile->host, auth->profile->port, auth->profile->user, auth->profile->host);
}

/* Sends one password: 1, 0, -errno. */
static int send_password(struct cfs_auth *auth, const char *password)
{
    const char *user = auth->profile->user;
    int result = 0;
    auth->attempted |= CFS_AUTH_PASSWORD;
    struct cfs_auth_patience patience = cfs_auth_patience_begin(auth);
    int waited = 0;
    while (waited == 0 &&
           (result = libssh2_userauth_password_ex(auth->session, user, (unsigned)strlen(user), password,
                                                  (unsigned)strlen(password), NULL)) == LIBSSH2_ERROR_EAGAIN)
        waited = cfs_auth_wait(auth);
    cfs_auth_patience_end(&patience);
    if (waited < 0)
        return waited;
    if (result == LIBSSH2_ERROR_PASSWORD_EXPIRED)
        return fail_expired(auth);
    result = cfs_auth_settle(auth, result);
    if (result > 0)
        cfs_auth_name_method(auth, "password");
    if (result != 0)
        return result;
    unsigned before = auth->methods;
    result = cfs_auth_list_methods(auth);
    if (result == 0 && auth->methods != before)
        cfs_auth_name_method(auth, "password");
    return result;
}

static int ask_for_password(struct cfs_auth *auth)
{
    char *text CFS_AUTO_FREE = cfs_text_format("Password of %s at %s: ", auth->profile->user, auth->profile->host);
    if (!text)
        return cfs_auth_fail_memory(auth);
    cfs_text_make_printable(text, false);
    unsigned before = auth->methods;
    for (int try = 0; try < TRIES_AT_PROMPT; try++) {
        char *password CFS_CLEANUP(cfs_secret_free) = NULL;
        int result = cfs_auth_ask(auth, text, false, &password);
        if (result < 0)
            return cfs_auth_fail_cancelled(auth);
        result = send_password(auth, password);
        if (result != 0 || auth->methods != before)
            return result;
    }
    cfs_auth_note(auth, "the password is wrong");
    return 0;
}

static int try_known_password(struct cfs_auth *auth)
{
    const char *password = NULL;
    unsigned before = auth->methods;
    int result = cfs_auth_take_password(auth, &password);
    if (result == -EACCES) {
        auth->attempted |= CFS_AUTH_PASSWORD; /* it is to blame, not a key that could not be used */
        return 0;
    }
    if (result == 0)
        result = send_password(auth, password);
    if (result == 0 && auth->methods == before)
        cfs_auth_note_wrong_password(auth);
    return result;
}

int cfs_auth_try_password(struct cfs_auth *auth)
{
    auth->finished |= CFS_AUTH_PASSWORD;
    if (auth->password_used)
        return 0; /* keyboard-interactive has asked for the same */
    if (cfs_auth_has_password(auth))
        return try_known_password(auth);
    auth->password_used = true;
    if (cfs_auth_can_ask(auth))
        return ask_for_password(auth);
    cfs_auth_note(auth, "nobody can be asked for the password");
    return 0;
}

/* The person, as the attempts of a login see him: asked by the prompter, and waited for while the server has him
 * approve the login elsewhere. */
#include "ssh/auth_priv.h"

#include "base/clock.h"
#include "ssh/password_command.h"
#include <errno.h>

bool cfs_auth_can_ask(const struct cfs_auth *auth)
{
    return auth->prompter && auth->prompter->can_ask(auth->prompter);
}

int cfs_auth_ask(struct cfs_auth *auth, const char *text, bool echo, char **ret_answer)
{
    if (!cfs_auth_can_ask(auth))
        return -ENOTTY;
    auth->person_waited_for = true;
    auth->waiter->pause(auth->waiter);
    int result = auth->prompter->ask(auth->prompter, text, echo, ret_answer);
    auth->waiter->resume(auth->waiter);
    return result;
}

void cfs_auth_tell(struct cfs_auth *auth, const char *text)
{
    if (auth->prompter && auth->prompter->tell)
        auth->prompter->tell(auth->prompter, text);
}

bool cfs_auth_has_password(const struct cfs_auth *auth)
{
    return !auth->password_used && (auth->profile->password || auth->profile->password_command);
}

static int run_command(struct cfs_auth *auth)
{
    char why[1400] = "";
    struct cfs_auth_patience patience = cfs_auth_patience_begin(auth);
    int result = cfs_ssh_password_command(auth->profile, auth->waiter, &auth->command_password, why, sizeof(why));
    cfs_auth_patience_end(&patience);
    if (result == -ENOMEM)
        return cfs_auth_fail_memory(auth);
    if (result == -ECANCELED)
        return cfs_auth_fail_cancelled(auth);
    if (result < 0)
        cfs_auth_note(auth, "%s", why);
    return result;
}

int cfs_auth_take_password(struct cfs_auth *auth, const char **ret_password)
{
    auth->password_used = true;
    if (auth->profile->password) {
        *ret_password = auth->profile->password;
        return 0;
    }
    int result = run_command(auth);
    if (result == 0)
        *ret_password = auth->command_password;
    return result;
}

void cfs_auth_note_wrong_password(struct cfs_auth *auth)
{
    cfs_auth_note(auth, "%s is wrong",
                  auth->command_password ? "the password that password_command has printed"
                                         : "the password of the profile");
}

/* Without anybody here, login_timeout holds: nobody could end the wait. */
struct cfs_auth_patience cfs_auth_patience_begin(struct cfs_auth *auth)
{
    struct cfs_auth_patience patience = {
        .auth = auth, .begun_ms = cfs_clock_ms(&cfs_system_clock), .is_paused = cfs_auth_can_ask(auth)};
    if (patience.is_paused) {
        auth->person_waited_for = true;
        auth->waiter->pause(auth->waiter);
    }
    return patience;
}

void cfs_auth_patience_end(struct cfs_auth_patience *patience)
{
    if (patience->is_paused)
        patience->auth->waiter->resume(patience->auth->waiter);
    if (cfs_clock_ms(&cfs_system_clock) - patience->begun_ms >= CFS_SSH_PERSONAL_MS)
        patience->auth->login.by_person = true;
}

/* Login by questions of the server (RFC 4256): one-time codes, and passwords where a server asks for them so. The
 * questions are the server's own words: printed without control characters, with the host's name in front. */
#include "ssh/auth_priv.h"

#include "base/text.h"
#include "ssh/auth_question.h"
#include <errno.h>
#include <string.h>

enum { TRIES_AT_PROMPT = 3 };

/* One attempt: what the callback needs, which libssh2 gives the transport alone. */
struct conversation {
    struct cfs_auth *auth;
    bool password_given;  /* the password that needs nobody has answered */
    bool asked;           /* a person has answered */
    int result;           /* of the first question that could not be answered */
    char unanswered[200]; /* that question */
};

static char *copy_printable(const char *text, int length, bool keep_newlines)
{
    char *copy = strndup(text ? text : "", length > 0 && text ? (size_t)length : 0);
    if (copy)
        cfs_text_make_printable(copy, keep_newlines);
    return copy;
}

static void tell(struct cfs_auth *auth, const char *text, int length)
{
    if (!text || length <= 0)
        return;
    char *copy CFS_AUTO_FREE = copy_printable(text, length, true);
    if (copy)
        cfs_auth_tell(auth, copy);
}

/* Asks a person, in the server's words. */
static int ask(struct conversation *conversation, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompt, char **ret_answer)
{
    const struct cfs_profile *profile = conversation->auth->profile;
    /* sshd puts what PAM's modules want to be read in front of the next question, in lines of their own. */
    char *question CFS_AUTO_FREE = copy_printable((const char *)prompt->text, (int)prompt->length, true);
    char *text CFS_AUTO_FREE = question ? cfs_text_format("(%s@%s) %s", profile->user, profile->host, question) : NULL;
    if (!text)
        return -ENOMEM;
    int result = cfs_auth_ask(conversation->auth, text, prompt->echo, ret_answer);
    conversation->asked |= result == 0;
    return result;
}

static void give(struct conversation *conversation, const char *answer, LIBSSH2_USERAUTH_KBDINT_RESPONSE *response)
{
    size_t length = strlen(answer);
    response->text = cfs_ssh_transport_allocate(conversation->auth->transport, length + 1);
    if (!response->text) {
        conversation->result = -ENOMEM;
        return;
    }
    memcpy(response->text, answer, length + 1);
    response->length = (unsigned)length;
}

static void answer_one(struct conversation *conversation, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompt, bool alone,
                       LIBSSH2_USERAUTH_KBDINT_RESPONSE *response)
{
    struct cfs_auth *auth = conversation->auth;
    if (conversation->result < 0)
        return; /* an empty answer: the attempt is over */
    if (cfs_auth_has_password(auth) &&
        cfs_auth_question_is_password((const char *)prompt->text, prompt->length, prompt->echo, alone)) {
        const char *password = NULL;
        conversation->result = cfs_auth_take_password(auth, &password);
        if (conversation->result == 0)
            give(conversation, password, response);
        conversation->password_given = conversation->result == 0;
        return;
    }
    char *answer CFS_CLEANUP(cfs_secret_free) = NULL;
    conversation->result = ask(conversation, prompt, &answer);
    if (conversation->result == 0) {
        give(conversation, answer, response);
        return;
    }
    char *text CFS_AUTO_FREE = copy_printable((const char *)prompt->text, (int)prompt->length, false);
    snprintf(conversation->unanswered, sizeof(conversation->unanswered), "%s", text ? text : "");
}

static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(answer_all)
{
    struct cfs_ssh_transport *transport = *abstract;
    struct conversation *conversation = transport->auth_context;
    if (cfs_auth_can_ask(conversation->auth)) {
        tell(conversation->auth, name, name_len);
        tell(conversation->auth, instruction, instruction_len);
    }
    for (int i = 0; i < num_prompts; i++)
        answer_one(conversation, &prompts[i], num_prompts == 1, &responses[i]);
}

static int run(struct cfs_auth *auth, struct conversation *conversation)
{
    const char *user = auth->profile->user;
    int result = 0, waited = 0;
    struct cfs_auth_patience patience = cfs_auth_patience_begin(auth);
    auth->transport->auth_context = conversation;
    while (waited == 0 && (result = libssh2_userauth_keyboard_interactive_ex(
                               auth->session, user, (unsigned)strlen(user), answer_all)) == LIBSSH2_ERROR_EAGAIN)
        waited = cfs_auth_wait(auth);
    auth->transport->auth_context = NULL;
    cfs_auth_patience_end(&patience);
    return waited < 0 ? waited : cfs_auth_settle(auth, result);
}

/* One conversation: 1, 0, -errno. */
static int converse(struct cfs_auth *auth, struct conversation *conversation)
{
    int result = run(auth, conversation);
    if (result > 0)
        cfs_auth_name_method(auth, "keyboard-interactive");
    if (result != 0)
        return result;
    if (conversation->result == -ECANCELED)
        return cfs_auth_fail_cancelled(auth);
    unsigned before = auth->methods;
    result = cfs_auth_list_methods(auth);
    if (result == 0 && auth->methods != before)
        cfs_auth_name_method(auth, "keyboard-interactive");
    return result;
}

int cfs_auth_try_interactive(struct cfs_auth *auth)
{
    bool can_ask = cfs_auth_can_ask(auth);
    auth->finished |= CFS_AUTH_INTERACTIVE;
    if (!can_ask && !cfs_auth_has_password(auth)) {
        cfs_auth_note(auth, "nobody can be asked the server's questions");
        return 0;
    }
    auth->attempted |= CFS_AUTH_INTERACTIVE;
    unsigned before = auth->methods;
    struct conversation conversation = {.auth = auth};
    for (int try = 0; try < TRIES_AT_PROMPT; try++) {
        conversation = (struct conversation){.auth = auth};
        int result = converse(auth, &conversation);
        if (result != 0 || auth->methods != before)
            return result;
        if (!conversation.asked)
            break; /* what was answered without a person is not answered once more */
    }
    if (conversation.result == -ENOTTY)
        cfs_auth_note(auth, "the server asks \"%s\", and nobody can be asked", conversation.unanswered);
    else if (conversation.password_given && !conversation.asked)
        cfs_auth_note_wrong_password(auth);
    else if (conversation.result != -EACCES) /* that has its note */
        cfs_auth_note(auth, "the answers to the server's questions were wrong");
    if (conversation.asked)
        auth->password_used = true; /* who has answered wrongly three times is not asked again under another name */
    return 0;
}

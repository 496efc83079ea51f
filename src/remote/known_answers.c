/* ssh's words for its questions: "Enter passphrase for key ...", "Enter PIN for ...", "USER@HOST's password: ", and
 * "(USER@HOST) " before what the server asks by keyboard-interactive. */
#include "remote/known_answers.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/secret.h"
#include "ssh/auth_question.h"
#include "ssh/password_command.h"
#include "ssh/wait.h"
#include <errno.h>
#include <string.h>

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_passphrase(const char *question)
{
    return begins_with(question, "Enter passphrase for ");
}

bool cfs_known_answers_is_for_key(const char *question)
{
    return is_passphrase(question) || begins_with(question, "Enter PIN for ");
}

/* The words of the server, without the names in front, which may be anything. */
static const char *words_of_server(const char *question)
{
    const char *end = question[0] == '(' ? strstr(question, ") ") : NULL;
    const char *at = memchr(question, '@', end ? (size_t)(end - question) : 0);
    return at ? end + 2 : question;
}

bool cfs_known_answers_is_password(const char *question)
{
    const char *words = words_of_server(question);
    if (cfs_known_answers_is_for_key(question))
        return false;
    /* Whether it is alone in its request ssh does not tell. */
    return (words == question && ends_with(question, "'s password: ")) ||
           cfs_auth_question_is_password(words, strlen(words), false, false);
}

bool cfs_known_answers_has_password(const struct cfs_known_answers *known)
{
    return !known->password_used && (known->profile->password || known->profile->password_command);
}

/* --- password_command --- */

struct patience {
    struct cfs_ssh_waiter waiter;
    int cancel_fd;
    int64_t deadline_ms;
};

static int wait_for(struct cfs_ssh_waiter *waiter, struct pollfd *polls, unsigned count)
{
    const struct patience *patience = cfs_container_of(waiter, struct patience, waiter);
    int ready = cfs_ssh_wait_polls(polls, count, patience->cancel_fd, patience->deadline_ms);
    return ready < 0 ? ready : 0;
}

static int run_command(struct cfs_known_answers *known, char **ret_answer)
{
    int64_t begun_ms = cfs_clock_ms(&cfs_system_clock);
    struct patience patience = {
        .waiter.wait_for = wait_for,
        .cancel_fd = known->cancel_fd,
        .deadline_ms = known->has_person ? INT64_MAX : begun_ms + known->profile->login_timeout_ms,
    };
    int result = cfs_ssh_password_command(known->profile, &patience.waiter, ret_answer, known->why, sizeof(known->why));
    known->by_person |= cfs_clock_ms(&cfs_system_clock) - begun_ms >= CFS_SSH_PERSONAL_MS;
    return result;
}

/* --- answers --- */

static int copy_of(const char *secret, char **ret_answer)
{
    char *copy = strdup(secret);
    if (!copy)
        return -ENOMEM;
    *ret_answer = copy;
    return 0;
}

/* The file that ssh names, cut at 100 bytes as there, is one of the profile's; any, where the profile names none. ssh
 * before 8.5 puts nothing in front of a server's questions: a server can imitate this one. */
static bool is_of_profile(const struct cfs_profile *profile, const char *question)
{
    char expected[160];
    if (!profile->identity_files || !profile->identity_files[0])
        return true;
    for (size_t i = 0; profile->identity_files[i]; i++) {
        snprintf(expected, sizeof(expected), "Enter passphrase for key '%.100s': ", profile->identity_files[i]);
        if (strcmp(question, expected) == 0)
            return true;
    }
    return false;
}

/* An ssh to a jump host may ask for the same key. */
static bool was_unlocked(const struct cfs_known_answers *known, const char *question, bool is_at_host)
{
    return known->unlocked_at_host == is_at_host &&
           strncmp(known->unlocked, question, sizeof(known->unlocked) - 1) == 0;
}

int cfs_known_answers_find(struct cfs_known_answers *known, const char *question, bool is_at_host, char **ret_answer)
{
    const struct cfs_profile *profile = known->profile;
    if (is_passphrase(question) && profile->passphrase && is_of_profile(profile, question) &&
        !was_unlocked(known, question, is_at_host)) {
        snprintf(known->unlocked, sizeof(known->unlocked), "%s", question);
        known->unlocked_at_host = is_at_host;
        return copy_of(profile->passphrase, ret_answer);
    }
    if (!is_at_host || !cfs_known_answers_has_password(known) || !cfs_known_answers_is_password(question))
        return -ENOENT;
    known->password_used = true;
    return profile->password ? copy_of(profile->password, ret_answer) : run_command(known, ret_answer);
}

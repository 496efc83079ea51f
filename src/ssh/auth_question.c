/* What a server's question (RFC 4256) asks for. There is no field that says it, only words for people: a password that
 * is known answers a question that names one, or a hidden one that stands alone and names nothing else. A code that is
 * taken for the password would be a failed login each time, and the password would be shown to what checks codes. */
#include "ssh/auth_question.h"

#include "base/cleanup.h"
#include <string.h>

enum { LONGEST = 300 };

static const char *const passwords[] = {"password", "passwort", "kennwort", "mot de passe", "first factor"};

/* Of pam_oath ("One-time password (OATH) for ..."), Google's and Duo's modules, S/Key, RADIUS, SSSD. */
static const char *const others[] = {
    "code",          "one-time",      "one time",     "onetime",      "otp",   "token",  "pin",     "verification",
    "authenticator", "second factor", "two-factor",   "2fa",          "mfa",   "duo",    "yubikey", "challenge",
    "response",      "option",        "new password", "old password", "again", "retype", "captcha"};

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte & 0x80);
}

/* A whole word: "pin" is not in "typing". */
static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *found = text; (found = strstr(found, word)); found++)
        if ((found == text || !is_letter(found[-1])) && !is_letter(found[length]))
            return true;
    return false;
}

static bool has_any(const char *text, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (has_word(text, words[i]))
            return true;
    return false;
}

bool cfs_auth_question_is_password(const char *text, size_t length, bool echo, bool alone)
{
    char lower[LONGEST + 1];
    if (echo || length > LONGEST)
        return false;
    for (size_t i = 0; i < length; i++)
        lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i] ? text[i] : ' ';
    lower[length] = '\0';
    if (has_any(lower, others, CFS_COUNT(others)))
        return false;
    return alone || has_any(lower, passwords, CFS_COUNT(passwords));
}

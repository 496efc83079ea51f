/* Rules for values that reach names, command lines and files: see check.h. */
#include "conf/check.h"

#include "base/cleanup.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_LENGTH = 255, USER_LENGTH = 255, ALGORITHMS_LENGTH = 2048, SHA256_LENGTH = 32 };

static bool has_blank_or_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    return false;
}

const char *cfs_check_host(const char *text)
{
    if (!*text || *text == '-' || strlen(text) > HOST_LENGTH || has_blank_or_control(text) ||
        strpbrk(text, "/[]@,*?!|#\"'\\`$;&<>(){}"))
        return "must be a host's name or address (an IPv6 address without brackets): no blanks, no '/' or '@' "
               "or other punctuation, and no '-' at the beginning";
    return NULL;
}

const char *cfs_check_user(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || *text == '-' || length > USER_LENGTH || has_blank_or_control(text) ||
        strpbrk(text, "/'\"`;&<>|(){}") || text[length - 1] == '\\')
        return "must be a login name: no blanks, no '/', no quotes or other signs of a shell, and no '-' at the "
               "beginning";
    return NULL;
}

const char *cfs_check_algorithms(const char *text)
{
    static const char reason[] = "must be names of algorithms, separated by commas, such as aes128-ctr,aes256-ctr";
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@";
    size_t length = strlen(text);
    if (length == 0 || length > ALGORITHMS_LENGTH)
        return reason;
    for (;;) {
        size_t name = strspn(text, allowed);
        if (name == 0 || *text == '-')
            return reason;
        text += name;
        if (*text == '\0')
            return NULL;
        if (*text++ != ',')
            return reason;
    }
}

const char *cfs_check_fingerprint(const char *text)
{
    static const char reason[] = "must be a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 characters";
    if (strncmp(text, "SHA256:", 7) != 0)
        return reason;
    uint8_t *bytes CFS_AUTO_FREE = NULL;
    size_t length = 0;
    if (cfs_base64_decode(text + 7, strlen(text + 7), &bytes, &length) < 0 || length != SHA256_LENGTH)
        return reason;
    return NULL;
}

const char *cfs_check_command(const char *text)
{
    bool is_quoted = false;
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "must be a program and its arguments, without control characters";
        is_quoted ^= *c == '"';
    }
    if (is_quoted || text[strspn(text, " \"")] == '\0')
        return "must be a program and its arguments, separated by blanks; each quote needs another one";
    return NULL;
}

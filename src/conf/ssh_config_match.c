/* Patterns of ssh_config files: see ssh_config_match.h. */
#include "conf/ssh_config_match.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static bool equal(char a, char b, bool any_case)
{
    return any_case ? tolower((unsigned char)a) == tolower((unsigned char)b) : a == b;
}

/* PATTERN ends at END. When a character does not fit, the last `*` takes one more; those before it need not be tried
 * again. */
static bool match_range(const char *text, const char *pattern, const char *end, bool any_case)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (pattern < end && (*pattern == '?' || equal(*pattern, *text, any_case))) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

bool cfs_ssh_config_match(const char *text, const char *pattern)
{
    return match_range(text, pattern, pattern + strlen(pattern), false);
}

static bool match_list(const char *text, const char *patterns, bool any_case)
{
    bool found = false;
    for (;;) {
        bool negated = *patterns == '!';
        if (negated)
            patterns++;
        const char *end = patterns + strcspn(patterns, ",");
        if (match_range(text, patterns, end, any_case)) {
            if (negated)
                return false;
            found = true;
        }
        if (!*end || !end[1])
            return found;
        patterns = end + 1;
    }
}

bool cfs_ssh_config_match_list(const char *text, const char *patterns)
{
    return match_list(text, patterns, false);
}

bool cfs_ssh_config_match_host(const char *host, const char *patterns)
{
    return match_list(host, patterns, true);
}

/* Takes a host out of the text of a known_hosts file. What must always hold: what is not changed is copied as it is,
 * with its ends of lines, and what is not understood is not changed. */
#include "ssh/known_hosts.h"

#include "ssh/known_hosts_line.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

void cfs_known_hosts_change_fini(struct cfs_known_hosts_change *change)
{
    cfs_buffer_fini(&change->text);
    free(change->hashed);
    *change = (struct cfs_known_hosts_change){0};
}

/* Takes the next name off a list between commas. */
static struct cfs_span next_name(struct cfs_span *names)
{
    const char *comma = memchr(names->text, ',', names->length);
    struct cfs_span name = {names->text, comma ? (size_t)(comma - names->text) : names->length};
    names->text += name.length + (comma ? 1 : 0);
    names->length -= name.length + (comma ? 1 : 0);
    return name;
}

static bool is_name(struct cfs_span span, const char *name)
{
    return span.length > 0 && span.length == strlen(name) && strncasecmp(span.text, name, span.length) == 0;
}

/* The names without NAME; whether somebody is left. What comes first must not be taken for a comment, a mark or a hash
 * now. */
static bool cut_name(struct cfs_span names, const char *name, struct cfs_buffer *rest)
{
    bool names_others = false;
    while (names.length > 0) {
        struct cfs_span one = next_name(&names);
        if (one.length == 0 || is_name(one, name))
            continue;
        names_others |= *one.text != '!';
        if (rest->length > 0 || strchr("#@|", *one.text))
            cfs_buffer_add(rest, ",", 1);
        cfs_buffer_add(rest, one.text, one.length);
    }
    return names_others;
}

static bool has_name(struct cfs_span names, const char *name)
{
    while (names.length > 0)
        if (is_name(next_name(&names), name))
            return true;
    return false;
}

/* 1: LINE (without its end) names the host in a way that can be taken out. */
static int look(struct cfs_span line, const char *name, struct cfs_span *ret_names, bool *ret_by_pattern)
{
    struct cfs_span rest = line, names = cfs_next_word(&rest);
    if (names.length == 0 || *names.text == '#' || *names.text == '@')
        return 0;
    struct cfs_span type = cfs_next_word(&rest), key = cfs_next_word(&rest);
    if (type.length == 0 || key.length == 0)
        return 0;
    int matches = cfs_known_hosts_names_match(names, name);
    if (matches <= 0)
        return matches == -ENOMEM ? matches : 0;
    *ret_names = names;
    *ret_by_pattern = *names.text != '|' && !has_name(names, name);
    return !*ret_by_pattern;
}

/* A line that stays, and may name the host by a pattern. */
static void keep_line(struct cfs_known_hosts_change *change, bool by_pattern)
{
    change->lines_kept++;
    if (by_pattern && change->by_pattern++ == 0)
        change->pattern_line = change->lines_kept;
}

static int forget_line(struct cfs_span whole, struct cfs_span names, const char *name,
                       struct cfs_known_hosts_change *change)
{
    struct cfs_buffer rest CFS_AUTO_BUFFER = {0};
    change->lines++;
    if (*names.text == '|') {
        if (!change->hashed && !(change->hashed = strndup(names.text, names.length)))
            return -ENOMEM;
        return 0;
    }
    bool names_others = cut_name(names, name, &rest);
    if (rest.failed)
        return -ENOMEM;
    if (!names_others)
        return 0;
    struct cfs_span left = {(const char *)rest.bytes, rest.length};
    int still = cfs_known_hosts_names_match(left, name);
    if (still == -ENOMEM)
        return still;
    keep_line(change, still > 0);
    const char *behind = names.text + names.length;
    cfs_buffer_add(&change->text, whole.text, (size_t)(names.text - whole.text));
    cfs_buffer_add(&change->text, rest.bytes, rest.length);
    cfs_buffer_add(&change->text, behind, (size_t)(whole.text + whole.length - behind));
    return 0;
}

int cfs_known_hosts_forget(const char *text, size_t length, const char *name, struct cfs_known_hosts_change *ret_change)
{
    struct cfs_known_hosts_change change CFS_AUTO_KNOWN_HOSTS_CHANGE = {0};
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        struct cfs_span whole = {text, end ? (size_t)(end + 1 - text) : length}, names = {0};
        struct cfs_span line = {text, whole.length - (end ? 1 : 0)};
        bool by_pattern = false;
        int result = look(line, name, &names, &by_pattern);
        if (result > 0) {
            result = forget_line(whole, names, name, &change);
        } else if (result == 0) {
            keep_line(&change, by_pattern);
            cfs_buffer_add(&change.text, whole.text, whole.length);
        }
        if (result < 0 || change.text.failed)
            return -ENOMEM;
        text += whole.length;
        length -= whole.length;
    }
    *ret_change = change;
    change = (struct cfs_known_hosts_change){0};
    return 0;
}

/* The parser of SOURCE: see source.h. */
#include "conf/source.h"

#include "conf/check.h"
#include <errno.h>
#include <string.h>

void cfs_source_fini(struct cfs_source *source)
{
    free(source->prefix);
    free(source->user);
    free(source->host);
    free(source->path);
    *source = (struct cfs_source){0};
}

static int refuse(const char *text, const char *what, struct cfs_error *error)
{
    return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE, "%.300s: %s", text, what);
}

/* The length of what stands before the colon that ends the host. A bracket opens an address at the beginning or after
 * an '@'. */
static size_t prefix_length(const char *text)
{
    bool bracketed = false;
    size_t i = 0;
    for (; text[i] && (bracketed || text[i] != ':'); i++) {
        if (text[i] == '[' && (i == 0 || text[i - 1] == '@'))
            bracketed = true;
        else if (text[i] == ']')
            bracketed = false;
    }
    return i;
}

static bool is_url(const char *text)
{
    static const char *const schemes[] = {"sftp://", "ssh://", "scp://", "sshfs://"};
    for (size_t i = 0; i < CFS_COUNT(schemes); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

static int check_shape(const char *text, size_t prefix, struct cfs_error *error)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return refuse(text, "the source has a control character in it", error);
    if (is_url(text))
        return refuse(text, "a source is PROFILE[:PATH] or [USER@]HOST:[PATH], not a URL", error);
    if (memchr(text, '[', prefix) && text[prefix] == '\0' && text[prefix - 1] != ']')
        return refuse(text, "the address has a [ without its ]", error);
    if (text[prefix] == ':' && (prefix == 0 || text[prefix + 1] == ':'))
        return refuse(text, "the host is missing; an IPv6 address must be in brackets: [::1]:", error);
    if (prefix == 0 || *text == '/')
        return refuse(text, "a source is PROFILE[:PATH] or [USER@]HOST:[PATH]", error);
    return 0;
}

/* HOST, or [HOST]. */
static char *copy_host(const char *host, size_t length)
{
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']')
        return strndup(host + 1, length - 2);
    return strndup(host, length);
}

int cfs_source_parse(const char *text, struct cfs_source *ret_source, struct cfs_error *error)
{
    size_t prefix = prefix_length(text);
    int result = check_shape(text, prefix, error);
    if (result < 0)
        return result;
    struct cfs_source source CFS_AUTO_SOURCE = {.prefix = strndup(text, prefix), .colon = text[prefix] == ':'};
    const char *at = memrchr(text, '@', prefix);
    const char *host = at ? at + 1 : text;
    source.host = copy_host(host, prefix - (size_t)(host - text));
    if (at)
        source.user = strndup(text, (size_t)(at - text));
    const char *path = source.colon ? text + prefix + 1 : "";
    if (*path)
        source.path = strdup(path);
    if (!source.prefix || !source.host || (at && !source.user) || (*path && !source.path))
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    *ret_source = source;
    source = (struct cfs_source){0};
    return 0;
}

int cfs_source_check(const struct cfs_source *source, const char *text, struct cfs_error *error)
{
    const char *reason = source->user ? cfs_check_user(source->user) : NULL;
    if (reason)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE, "%.300s: the user %s", text, reason);
    reason = cfs_check_host(source->host);
    if (reason)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE, "%.300s: the host %s", text, reason);
    return 0;
}

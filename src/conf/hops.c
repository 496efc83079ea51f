/* Hops on the way to a host: see hops.h. The host of a profile is reached through its `hop`, and that through its own:
 * the last one of the list is the profile's, and the first may have hops of its own. */
#include "conf/hops.h"

#include "conf/check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char form[] =
    "must be [USER@]HOST[:PORT], several separated by commas, the nearest first (an IPv6 address "
    "in brackets), or none";
static const char too_many[] = "must not name more than 8 hosts";

/* -1: not a port. */
static long port_of(const char *text)
{
    char *end = NULL;
    if (strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 5)
        return -1;
    long port = strtol(text, &end, 10);
    return port >= 1 && port <= 65535 ? port : -1;
}

/* WORD is cut up. */
static bool parse_hop(char *word, struct cfs_hop *ret_hop)
{
    char *at = strrchr(word, '@'), *host = at ? at + 1 : word, *port = NULL;
    struct cfs_hop hop = {0};
    bool is_bracketed = *host == '[';
    if (at)
        *at = '\0';
    if (is_bracketed) {
        char *end = strchr(++host, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        port = end[1] ? end + 2 : NULL;
        *end = '\0';
    } else if ((port = strchr(host, ':'))) {
        if (strchr(port + 1, ':'))
            return false; /* an address without brackets */
        *port++ = '\0';
    }
    long number = port ? port_of(port) : 0;
    if (number < 0 || cfs_check_host(host) || (at && (cfs_check_user(word) || strpbrk(word, ":[]"))))
        return false;
    snprintf(hop.source, sizeof(hop.source), "%s%s%s%s%s:", at ? word : "", at ? "@" : "", is_bracketed ? "[" : "",
             host, is_bracketed ? "]" : "");
    hop.port = (uint16_t)number;
    *ret_hop = hop;
    return true;
}

int cfs_hops_parse(const char *text, struct cfs_hop ret_hops[CFS_HOPS_MOST], const char **ret_reason)
{
    struct cfs_hop hops[CFS_HOPS_MOST];
    int count = 0;
    char *copy CFS_AUTO_FREE = strdup(text), *rest = copy, *word;
    if (!copy)
        return -ENOMEM;
    while ((word = strsep(&rest, ","))) {
        *ret_reason = count == CFS_HOPS_MOST ? too_many : form;
        if (count == CFS_HOPS_MOST || !parse_hop(word + strspn(word, " "), &hops[count]))
            return -EINVAL;
        count++;
    }
    memcpy(ret_hops, hops, (size_t)count * sizeof(hops[0]));
    return count;
}

const char *cfs_hops_check(const char *text)
{
    struct cfs_hop hops[CFS_HOPS_MOST];
    const char *reason = form;
    if (strcmp(text, "none") == 0)
        return NULL;
    return cfs_hops_parse(text, hops, &reason) < 0 ? reason : NULL;
}

static int load_hop(const struct cfs_hop_loading *common, const struct cfs_hop *hop, bool is_first,
                    struct cfs_profile **ret_profile, struct cfs_error *error)
{
    char options[32] = "";
    struct cfs_profile_request of_hop = *common->request;
    struct cfs_hop_loading loading = *common;
    if (hop->port)
        snprintf(options, sizeof(options), "port=%u", (unsigned)hop->port);
    of_hop.source = hop->source;
    of_hop.options = options;
    loading.request = &of_hop;
    loading.is_first = is_first;
    return cfs_hop_load(&loading, ret_profile, error);
}

int cfs_hops_load(const struct cfs_profile_request *request, unsigned depth, struct cfs_profile *profile,
                  struct cfs_error *error)
{
    struct cfs_hop hops[CFS_HOPS_MOST];
    struct cfs_profile *nearer CFS_CLEANUP(cfs_profile_free) = NULL;
    const char *reason = form;
    if (!profile->proxy_jump || strcmp(profile->proxy_jump, "none") == 0)
        return 0;
    if (depth >= CFS_HOPS_MOST)
        return cfs_error_set(error, ELOOP, CFS_FAILURE_CONFIG,
                             "proxy_jump = %.200s: the way leads through more than 8 hosts, or in a circle",
                             profile->proxy_jump);
    int count = cfs_hops_parse(profile->proxy_jump, hops, &reason);
    if (count < 0)
        return cfs_error_set(error, -count, CFS_FAILURE_CONFIG, "proxy_jump = %.200s: proxy_jump %s",
                             profile->proxy_jump, reason);
    const struct cfs_option *ssh_config = cfs_option_find("ssh_config", CFS_OPTION_ANYWHERE);
    const struct cfs_hop_loading common = {
        .request = request, .depth = depth + 1, .ssh_config = cfs_settings_get(profile->settings, ssh_config)};
    for (int i = 0; i < count; i++) {
        struct cfs_profile *hop = NULL;
        int result = load_hop(&common, &hops[i], i == 0, &hop, error);
        if (result < 0)
            return result;
        if (nearer)
            hop->hop = CFS_TAKE(nearer);
        nearer = hop;
    }
    profile->hop = CFS_TAKE(nearer);
    return 0;
}

/* PuTTY's sessions on Unix: a file for each, its name percent-encoded, with a line KEY=VALUE for each field. */
#include "conf/import_priv.h"

#include "base/text.h"
#include <errno.h>
#include <string.h>

enum field {
    HOST,
    PORT,
    USER,
    PROTOCOL,
    KEY_FILE,
    COMPRESSION,
    AGENT,
    FAMILY,
    LOGICAL_HOST,
    PROXY,
    PROXY_HOST,
    PROXY_PORT,
    PROXY_USER,
    PROXY_PASSWORD,
    FIELDS
};
static const char *const field_names[FIELDS] = {
    "HostName",      "PortNumber", "UserName",    "Protocol",  "PublicKeyFile", "Compression",   "TryAgent",
    "AddressFamily", "LogHost",    "ProxyMethod", "ProxyHost", "ProxyPort",     "ProxyUsername", "ProxyPassword"};

/* PuTTY's numbers of ways through a proxy. */
#define PROXY_NONE  "0"
#define PROXY_SOCKS "2"
#define PROXY_HTTP  "3"
#define PROXY_SSH   "6"

struct reading {
    struct cfs_import *import;
    char *texts[FIELDS];
};

static const char *text_of(const struct reading *reading, enum field field)
{
    return reading->texts[field] ? reading->texts[field] : "";
}

static bool is(const struct reading *reading, enum field field, const char *value)
{
    return strcmp(text_of(reading, field), value) == 0;
}

/* As the option proxy writes it. */
static void take_proxy_url(const struct reading *reading, struct cfs_import_site *site, const char *scheme)
{
    const char *host = text_of(reading, PROXY_HOST), *user = text_of(reading, PROXY_USER);
    const char *port = text_of(reading, PROXY_PORT);
    bool address = strchr(host, ':') != NULL;
    char *url CFS_AUTO_FREE = cfs_text_format("%s://%s%s%s%s%s%s%s", scheme, user, *user ? "@" : "", address ? "[" : "",
                                              host, address ? "]" : "", *port ? ":" : "", port);
    if (url)
        cfs_import_set(reading->import, site, "proxy", url);
    else
        reading->import->failed = true;
}

static void take_proxy(const struct reading *reading, struct cfs_import_site *site)
{
    struct cfs_import *import = reading->import;
    if (is(reading, PROXY, PROXY_SSH))
        cfs_import_set_jump(import, site, text_of(reading, PROXY_USER), text_of(reading, PROXY_HOST),
                            is(reading, PROXY_PORT, "80") ? "" : text_of(reading, PROXY_PORT), "");
    else if (is(reading, PROXY, PROXY_SOCKS))
        take_proxy_url(reading, site, "socks5");
    else if (is(reading, PROXY, PROXY_HTTP))
        take_proxy_url(reading, site, "http");
    else if (*text_of(reading, PROXY) && !is(reading, PROXY, PROXY_NONE))
        cfs_import_note(import, site, "the proxy %s was not taken", text_of(reading, PROXY_HOST));
    if (*text_of(reading, PROXY_PASSWORD))
        cfs_import_note(import, site, "the password of the proxy was not taken");
}

static void take_session(const struct reading *reading, const char *title)
{
    struct cfs_import *import = reading->import;
    struct cfs_import_site *site = cfs_import_begin(import, title);
    if (*text_of(reading, PROTOCOL) && !is(reading, PROTOCOL, "ssh"))
        cfs_import_skip(import, site, "it is not reached by SSH but by %s", text_of(reading, PROTOCOL));
    cfs_import_set_host(import, site, text_of(reading, HOST));
    cfs_import_set_port(import, site, text_of(reading, PORT));
    cfs_import_set(import, site, "user", text_of(reading, USER));
    cfs_import_set_key_file(import, site, text_of(reading, KEY_FILE));
    cfs_import_set(import, site, "compression", is(reading, COMPRESSION, "1") ? "yes" : "");
    cfs_import_set(import, site, "identity_agent", is(reading, AGENT, "0") ? "none" : "");
    cfs_import_set(import, site, "address_family",
                   is(reading, FAMILY, "1")   ? "inet"
                   : is(reading, FAMILY, "2") ? "inet6"
                                              : "");
    char *alias = reading->texts[LOGICAL_HOST], *port = alias ? strchr(alias, ':') : NULL;
    if (port && !strchr(port + 1, ':'))
        *port = '\0';
    cfs_import_set(import, site, "host_key_alias", alias);
    take_proxy(reading, site);
    cfs_import_end(import, site);
}

static void take_line(struct reading *reading, const char *line, size_t length)
{
    const char *equals = memchr(line, '=', length);
    for (int i = 0; equals && i < FIELDS; i++) {
        if (strlen(field_names[i]) != (size_t)(equals - line) ||
            memcmp(line, field_names[i], (size_t)(equals - line)) != 0)
            continue;
        size_t value = length - (size_t)(equals + 1 - line);
        free(reading->texts[i]);
        reading->texts[i] = strndup(equals + 1, i == PROXY_PASSWORD && value > 1 ? 1 : value);
        if (!reading->texts[i])
            reading->import->failed = true;
    }
}

int cfs_import_putty(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                     struct cfs_error *error)
{
    struct reading reading = {.import = import};
    char *title CFS_AUTO_FREE = strdup(name);
    const char *end = bytes + length;
    if (!title)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    cfs_import_decode_percent(title);
    if (strcmp(title, "Default Settings") == 0)
        return 0;
    if (length > 0 && memchr(bytes, '\0', length))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: this is no session of PuTTY's", name);
    while (bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end;
        take_line(&reading, bytes, (size_t)(stop - bytes) - (stop > bytes && stop[-1] == '\r'));
        bytes = newline ? newline + 1 : end;
    }
    take_session(&reading, title);
    for (int i = 0; i < FIELDS; i++)
        free(reading.texts[i]);
    return cfs_import_result(import, name, error);
}

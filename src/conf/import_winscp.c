/* WinSCP's sites: WinSCP.ini, a section [Sessions\NAME] for each, with a line KEY=VALUE for each field that differs
 * from its default. Names and values are percent-encoded, with a byte order mark in front where they are UTF-8; a / in
 * a name is a folder's. The notation is not ours (conf/ini.h): section names hold backslashes and percent signs, and
 * lines that are none are passed over. */
#include "conf/import_priv.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum field {
    HOST,
    PORT,
    USER,
    KEY_FILE,
    FOLDER,
    PROTOCOL,
    COMPRESSION,
    AGENT,
    FAMILY,
    PASSWORD,
    WORKSPACE,
    PROXY,
    TUNNEL,
    TUNNEL_HOST,
    TUNNEL_PORT,
    TUNNEL_USER,
    TUNNEL_KEY_FILE,
    FIELDS
};
static const char *const field_names[FIELDS] = {
    "HostName",    "PortNumber",     "UserName",         "PublicKeyFile",  "RemoteDirectory",    "FSProtocol",
    "Compression", "TryAgent",       "AddressFamily",    "Password",       "IsWorkspace",        "ProxyMethod",
    "Tunnel",      "TunnelHostName", "TunnelPortNumber", "TunnelUserName", "TunnelPublicKeyFile"};

struct reading {
    struct cfs_import *import;
    char *title; /* of the session that is being read; NULL: none */
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

static void take_session(struct reading *reading)
{
    struct cfs_import *import = reading->import;
    struct cfs_import_site *site = cfs_import_begin(import, reading->title);
    const char *protocol = text_of(reading, PROTOCOL);
    if (*protocol && strcmp(protocol, "0") != 0 && strcmp(protocol, "1") != 0 && strcmp(protocol, "2") != 0)
        cfs_import_skip(import, site, "it is not reached by SSH");
    if (is(reading, WORKSPACE, "1"))
        cfs_import_skip(import, site, "it is a part of a workspace, not a site");
    cfs_import_set_host(import, site, text_of(reading, HOST));
    cfs_import_set_port(import, site, text_of(reading, PORT));
    cfs_import_set(import, site, "user", text_of(reading, USER));
    cfs_import_set_key_file(import, site, text_of(reading, KEY_FILE));
    cfs_import_set(import, site, "remote_dir", text_of(reading, FOLDER));
    cfs_import_set(import, site, "compression", is(reading, COMPRESSION, "1") ? "yes" : "");
    cfs_import_set(import, site, "identity_agent", is(reading, AGENT, "0") ? "none" : "");
    cfs_import_set(import, site, "address_family",
                   is(reading, FAMILY, "1")   ? "inet"
                   : is(reading, FAMILY, "2") ? "inet6"
                                              : "");
    if (is(reading, TUNNEL, "1"))
        cfs_import_set_jump(import, site, text_of(reading, TUNNEL_USER), text_of(reading, TUNNEL_HOST),
                            text_of(reading, TUNNEL_PORT), text_of(reading, TUNNEL_KEY_FILE));
    if (*text_of(reading, PROXY) && !is(reading, PROXY, "0"))
        cfs_import_note(import, site, "the proxy was not taken");
    if (*text_of(reading, PASSWORD))
        cfs_import_note(import, site, "the password was not taken: you will be asked for it");
    cfs_import_end(import, site);
}

static void forget(struct reading *reading)
{
    free(CFS_TAKE(reading->title));
    for (int i = 0; i < FIELDS; i++)
        free(CFS_TAKE(reading->texts[i]));
}

static char *decode(struct reading *reading, const char *text, size_t length)
{
    char *copy = strndup(text, length);
    if (!copy) {
        reading->import->failed = true;
        return NULL;
    }
    cfs_import_decode_percent(copy);
    /* A mark stands before each part of a name that is UTF-8. */
    for (char *mark = copy; (mark = strstr(mark, "\xef\xbb\xbf"));)
        memmove(mark, mark + 3, strlen(mark + 3) + 1);
    return copy;
}

static void take_section(struct reading *reading, const char *line, size_t length)
{
    static const char prefix[] = "[Sessions\\";
    size_t start = strlen(prefix);
    if (reading->title)
        take_session(reading);
    forget(reading);
    if (length < start + 2 || strncasecmp(line, prefix, start) != 0 || line[length - 1] != ']')
        return;
    reading->title = decode(reading, line + start, length - start - 1);
    if (reading->title && strcmp(reading->title, "Default Settings") == 0)
        forget(reading);
}

static void take_value(struct reading *reading, const char *line, size_t length)
{
    const char *equals = memchr(line, '=', length);
    if (!equals || !reading->title)
        return;
    for (int i = 0; i < FIELDS; i++) {
        if (strlen(field_names[i]) != (size_t)(equals - line) ||
            strncasecmp(line, field_names[i], strlen(field_names[i])) != 0)
            continue;
        free(CFS_TAKE(reading->texts[i]));
        /* Of a password it is enough to know that it is there. */
        size_t value = length - (size_t)(equals + 1 - line);
        reading->texts[i] = decode(reading, equals + 1, i == PASSWORD && value > 1 ? 1 : value);
    }
}

int cfs_import_winscp(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                      struct cfs_error *error)
{
    struct reading reading = {.import = import};
    const char *end = bytes + length;
    size_t before = import->count;
    bool sections = false;
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        bytes += 3;
    if (memchr(bytes, '\0', (size_t)(end - bytes)))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: this is no file of WinSCP's", name);
    while (bytes < end && !import->failed) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end, *next = newline ? newline + 1 : end;
        if (stop > bytes && stop[-1] == '\r')
            stop--;
        if (stop > bytes && *bytes == '[') {
            sections = true;
            take_section(&reading, bytes, (size_t)(stop - bytes));
        } else {
            take_value(&reading, bytes, (size_t)(stop - bytes));
        }
        bytes = next;
    }
    if (reading.title)
        take_session(&reading);
    forget(&reading);
    int result = cfs_import_result(import, name, error);
    if (result == 0 && !sections && import->count == before)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: this is no file of WinSCP's", name);
    return result;
}

/* Lists of sites: see import.h and import_priv.h. */
#include "conf/import_priv.h"

#include "base/text.h"
#include "conf/profile_edit.h"
#include "conf/words.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void fini_site(struct cfs_import_site *site)
{
    free(site->title);
    cfs_words_free(site->keys);
    cfs_words_free(site->values);
    cfs_words_free(site->notes);
    free(site->skipped);
}

void cfs_import_fini(struct cfs_import *import)
{
    for (size_t i = 0; i < import->count; i++)
        fini_site(&import->sites[i]);
    free(import->sites);
    *import = (struct cfs_import){0};
}

struct cfs_import_site *cfs_import_begin(struct cfs_import *import, const char *title)
{
    if (import->count == import->capacity && !import->failed) {
        size_t capacity = import->capacity ? import->capacity * 2 : 16;
        struct cfs_import_site *grown =
            capacity <= CFS_IMPORT_SITES ? reallocarray(import->sites, capacity, sizeof(*grown)) : NULL;
        import->failed = grown == NULL;
        if (grown) {
            import->sites = grown;
            import->capacity = capacity;
        }
    }
    char *copy = import->failed ? NULL : strdup(title);
    if (!copy) {
        import->failed = true;
        return NULL;
    }
    struct cfs_import_site *site = &import->sites[import->count++];
    *site = (struct cfs_import_site){.title = copy};
    return site;
}

void cfs_import_title(struct cfs_import *import, struct cfs_import_site *site, const char *title)
{
    char *copy = site ? strdup(title) : NULL;
    if (!copy) {
        import->failed = true;
        return;
    }
    free(site->title);
    site->title = copy;
}

const char *cfs_import_get(const struct cfs_import_site *site, const char *key)
{
    for (size_t i = 0; site->keys && site->keys[i]; i++)
        if (strcmp(site->keys[i], key) == 0)
            return site->values[i];
    return NULL;
}

void cfs_import_set(struct cfs_import *import, struct cfs_import_site *site, const char *key, const char *value)
{
    if (!site || import->failed || !value || !*value || cfs_import_get(site, key))
        return;
    if (cfs_words_add(&site->keys, key) < 0 || cfs_words_add(&site->values, value) < 0)
        import->failed = true;
}

/* What can be shown; the caller frees. NULL: memory is short. */
static char *make_text(struct cfs_import *import, const char *format, va_list arguments) CFS_PRINTF(2, 0);
static char *make_text(struct cfs_import *import, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        import->failed = true;
        return NULL;
    }
    cfs_text_make_printable(text, false);
    return text;
}

void cfs_import_note(struct cfs_import *import, struct cfs_import_site *site, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text CFS_AUTO_FREE = make_text(import, format, arguments);
    va_end(arguments);
    if (text && site && cfs_words_add(&site->notes, text) < 0)
        import->failed = true;
}

void cfs_import_skip(struct cfs_import *import, struct cfs_import_site *site, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text CFS_AUTO_FREE = make_text(import, format, arguments);
    va_end(arguments);
    if (site && !site->skipped)
        site->skipped = CFS_TAKE(text);
}

void cfs_import_set_host(struct cfs_import *import, struct cfs_import_site *site, const char *host)
{
    const char *at = strrchr(host, '@');
    char *user CFS_AUTO_FREE = at ? strndup(host, (size_t)(at - host)) : NULL;
    host = at ? at + 1 : host;
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    char *name CFS_AUTO_FREE = bracketed ? strndup(host + 1, length - 2) : strdup(host);
    if (!name || (at && !user)) {
        import->failed = true;
        return;
    }
    cfs_import_set(import, site, "host", name);
    cfs_import_set(import, site, "user", user);
}

void cfs_import_set_port(struct cfs_import *import, struct cfs_import_site *site, const char *port)
{
    if (strcmp(port, "22") != 0 && strcmp(port, "0") != 0)
        cfs_import_set(import, site, "port", port);
}

void cfs_import_set_key_file(struct cfs_import *import, struct cfs_import_site *site, const char *path)
{
    if (!*path)
        return;
    char *unix_path CFS_AUTO_FREE = NULL, *value CFS_AUTO_FREE = NULL;
    if (isalpha((unsigned char)path[0]) && path[1] == ':') {
        if (path[0] != 'Z' && path[0] != 'z') {
            cfs_import_note(import, site,
                            "identity_file was not taken: %s is a path of Windows. Bring the key here, and say: "
                            "clusterfs set PROFILE identity_file=FILE",
                            path);
            return;
        }
        unix_path = strdup(path + 2); /* Wine's name for / */
        for (char *c = unix_path; c && *c; c++)
            if (*c == '\\')
                *c = '/';
        path = unix_path ? unix_path : "";
    }
    int result = cfs_profile_write_path("identity_file", path, &value);
    if (result == -EINVAL)
        cfs_import_note(import, site, "identity_file was not taken: the name of %s cannot be written into a profile",
                        path);
    else if (result < 0)
        import->failed = true;
    cfs_import_set(import, site, "identity_file", value);
}

void cfs_import_set_jump(struct cfs_import *import, struct cfs_import_site *site, const char *user, const char *host,
                         const char *port, const char *key_file)
{
    bool usual = !*port || strcmp(port, "22") == 0 || strcmp(port, "0") == 0, address = strchr(host, ':') != NULL;
    char *jump CFS_AUTO_FREE = cfs_text_format("%s%s%s%s%s%s%s", user, *user ? "@" : "", address ? "[" : "", host,
                                               address ? "]" : "", usual ? "" : ":", usual ? "" : port);
    if (!jump) {
        import->failed = true;
        return;
    }
    cfs_import_set(import, site, "proxy_jump", jump);
    if (*key_file)
        cfs_import_note(import, site,
                        "the jump host's own key %s was not taken. Make a profile for that host with the key, and name "
                        "the profile in proxy_jump",
                        key_file);
}

void cfs_import_end(struct cfs_import *import, struct cfs_import_site *site)
{
    if (site && !cfs_import_get(site, "host"))
        cfs_import_skip(import, site, "it has no host");
}

int cfs_import_result(const struct cfs_import *import, const char *name, struct cfs_error *error)
{
    if (!import->failed)
        return 0;
    if (import->count >= CFS_IMPORT_SITES)
        return cfs_error_set(error, E2BIG, CFS_FAILURE_CONFIG, "%s: there are more than %d sites in it", name,
                             CFS_IMPORT_SITES);
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void cfs_import_decode_percent(char *text)
{
    char *to = text;
    while (*text) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;
        if (low >= 0 && (high || low)) {
            *to++ = (char)(high * 16 + low);
            text += 3;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

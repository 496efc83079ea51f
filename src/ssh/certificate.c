/* The parser of certificates. A blob is
 *     string type, string nonce, (the key's own fields), uint64 serial, uint32 kind, string key id, string principals,
 *     uint64 valid after, uint64 valid before, string critical options, string extensions, string reserved,
 *     string authority's key, string signature
 * where principals is strings one after another, and options are pairs of strings, the second of which holds a string
 * again. What must always hold: a blob that is not read to its exact end is no certificate. */
#include "ssh/certificate.h"

#include "base/text.h"
#include "ssh/host_key.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char suffix[] = "-cert-v01@openssh.com";

/* The key without its certificate, and how many fields it has. */
static const struct key_kind {
    const char *type;
    int fields;
} kinds[] = {
    {"ssh-ed25519", 1},         /* the point */
    {"ssh-rsa", 2},             /* e, n */
    {"ecdsa-sha2-nistp256", 2}, /* the curve's name, the point */
    {"ecdsa-sha2-nistp384", 2},
    {"ecdsa-sha2-nistp521", 2},
};

enum { MAX_PRINCIPALS = 256 }; /* OpenSSH's */

void cfs_certificate_fini(struct cfs_certificate *certificate)
{
    cfs_buffer_fini(&certificate->blob);
    cfs_buffer_fini(&certificate->key);
    cfs_words_free(certificate->principals);
    free(certificate->source_addresses);
    free(certificate->authority);
    *certificate = (struct cfs_certificate){0};
}

/* --- reading --- */

/* The length of the type's name without the suffix; 0: no certificate. */
static size_t plain_length(const uint8_t *name, size_t length)
{
    const size_t suffix_length = sizeof(suffix) - 1;
    bool is_one = name && length > suffix_length && memcmp(name + length - suffix_length, suffix, suffix_length) == 0;
    return is_one ? length - suffix_length : 0;
}

bool cfs_certificate_is_one(const uint8_t *blob, size_t length)
{
    struct cfs_reader reader = cfs_reader_over(blob, length);
    size_t name_length;
    const uint8_t *name = cfs_read_string(&reader, &name_length);
    return plain_length(name, name_length) > 0;
}

static const struct key_kind *find_kind(const uint8_t *name, size_t length)
{
    for (size_t i = 0; i < CFS_COUNT(kinds); i++)
        if (strlen(kinds[i].type) == length && memcmp(kinds[i].type, name, length) == 0)
            return &kinds[i];
    return NULL;
}

static char *printable(const uint8_t *bytes, size_t length)
{
    char *text = strndup((const char *)bytes, length);
    if (text)
        cfs_text_make_printable(text, false);
    return text;
}

static int read_key(struct cfs_reader *reader, struct cfs_buffer *key)
{
    size_t length;
    const uint8_t *name = cfs_read_string(reader, &length);
    size_t plain = plain_length(name, length);
    if (plain == 0)
        return -EBADMSG;
    const struct key_kind *kind = find_kind(name, plain);
    if (!kind)
        return -EOPNOTSUPP;
    cfs_read_string(reader, &length); /* the nonce */
    const uint8_t *fields = reader->next;
    for (int i = 0; i < kind->fields; i++)
        cfs_read_string(reader, &length);
    if (reader->failed)
        return -EBADMSG;
    cfs_buffer_add_text(key, kind->type);
    cfs_buffer_add(key, fields, (size_t)(reader->next - fields));
    return key->failed ? -ENOMEM : 0;
}

static int read_principals(const uint8_t *bytes, size_t length, cfs_words *ret_principals)
{
    struct cfs_reader reader = cfs_reader_over(bytes, length);
    cfs_words names = calloc(MAX_PRINCIPALS + 1, sizeof(*names));
    int result = names ? 0 : -ENOMEM;
    for (size_t count = 0; result == 0 && reader.left > 0; count++) {
        size_t name_length;
        const uint8_t *name = cfs_read_string(&reader, &name_length);
        if (!name || count == MAX_PRINCIPALS || memchr(name, '\0', name_length))
            result = -EBADMSG;
        else if (!(names[count] = printable(name, name_length)))
            result = -ENOMEM;
    }
    if (result < 0)
        cfs_words_free(names);
    else
        *ret_principals = names;
    return result;
}

/* Of the options only those that explain a refusal are kept. */
static int read_options(const uint8_t *bytes, size_t length, char **ret_source_addresses)
{
    static const char source_address[] = "source-address";
    struct cfs_reader reader = cfs_reader_over(bytes, length);
    while (reader.left > 0) {
        size_t name_length, data_length, value_length;
        const uint8_t *name = cfs_read_string(&reader, &name_length), *data = cfs_read_string(&reader, &data_length);
        if (!name || !data)
            return -EBADMSG;
        if (*ret_source_addresses || name_length != strlen(source_address) ||
            memcmp(name, source_address, name_length) != 0)
            continue;
        struct cfs_reader inner = cfs_reader_over(data, data_length);
        const uint8_t *value = cfs_read_string(&inner, &value_length);
        if (!value)
            return -EBADMSG;
        *ret_source_addresses = printable(value, value_length);
        if (!*ret_source_addresses)
            return -ENOMEM;
    }
    return 0;
}

static int name_authority(const uint8_t *blob, size_t length, char **ret_authority)
{
    struct cfs_reader reader = cfs_reader_over(blob, length);
    size_t type_length;
    const uint8_t *type = cfs_read_string(&reader, &type_length);
    if (!type)
        return -EBADMSG;
    char *name CFS_AUTO_FREE = printable(type, type_length > 64 ? 64 : type_length);
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(blob, length);
    *ret_authority = name && fingerprint ? cfs_text_format("%s %s", name, fingerprint) : NULL;
    return *ret_authority ? 0 : -ENOMEM;
}

static int read_certificate(struct cfs_reader *reader, struct cfs_certificate *certificate)
{
    size_t principals_length, options_length, length, authority_length;
    int result = read_key(reader, &certificate->key);
    if (result < 0)
        return result;
    cfs_read_u64(reader); /* the serial number */
    uint32_t kind = cfs_read_u32(reader);
    cfs_read_string(reader, &length); /* the key id */
    const uint8_t *principals = cfs_read_string(reader, &principals_length);
    certificate->valid_after = cfs_read_u64(reader);
    certificate->valid_before = cfs_read_u64(reader);
    const uint8_t *options = cfs_read_string(reader, &options_length);
    cfs_read_string(reader, &length); /* extensions */
    cfs_read_string(reader, &length); /* reserved */
    const uint8_t *authority = cfs_read_string(reader, &authority_length);
    cfs_read_string(reader, &length); /* the signature */
    if (reader->failed || reader->left > 0 || (kind != CFS_CERTIFICATE_USER && kind != CFS_CERTIFICATE_HOST))
        return -EBADMSG;
    certificate->kind = (enum cfs_certificate_kind)kind;
    result = read_principals(principals, principals_length, &certificate->principals);
    if (result == 0)
        result = read_options(options, options_length, &certificate->source_addresses);
    return result < 0 ? result : name_authority(authority, authority_length, &certificate->authority);
}

int cfs_certificate_parse(const uint8_t *blob, size_t length, struct cfs_certificate *ret_certificate)
{
    struct cfs_certificate certificate CFS_AUTO_CERTIFICATE = {0};
    struct cfs_reader reader = cfs_reader_over(blob, length);
    int result = read_certificate(&reader, &certificate);
    if (result < 0)
        return result;
    cfs_buffer_add(&certificate.blob, blob, length);
    if (certificate.blob.failed)
        return -ENOMEM;
    *ret_certificate = certificate;
    certificate = (struct cfs_certificate){0};
    return 0;
}

int cfs_certificate_read(const char *path, struct cfs_certificate *ret_certificate)
{
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    int result = cfs_key_read_public_file(path, &blob);
    return result < 0 ? result : cfs_certificate_parse(blob.bytes, blob.length, ret_certificate);
}

/* --- explaining --- */

/* A time that a certificate names, for people: in UTC, as servers in other places mean it. */
static void format_time(uint64_t seconds, char *text, size_t size)
{
    time_t time = (time_t)seconds;
    struct tm broken_down;
    if (seconds > INT32_MAX * UINT64_C(100) || !gmtime_r(&time, &broken_down) ||
        strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &broken_down) == 0)
        snprintf(text, size, "the end of time");
}

static bool is_for(const struct cfs_certificate *certificate, const char *user)
{
    for (cfs_words name = certificate->principals; *name; name++)
        if (strcmp(*name, user) == 0)
            return true;
    return false;
}

/* "alice, bob": as many as there is room for. */
static void join_principals(const struct cfs_certificate *certificate, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (cfs_words name = certificate->principals; *name && used + 1 < size; name++) {
        int added = snprintf(text + used, size - used, "%s%s", used ? ", " : "", *name);
        used += added > 0 ? (size_t)added : 0;
    }
}

void cfs_certificate_describe(const struct cfs_certificate *certificate, char *text, size_t size)
{
    char names[200], when[40];
    join_principals(certificate, names, sizeof(names));
    format_time(certificate->valid_before, when, sizeof(when));
    snprintf(text, size, "a certificate of a %s, for %s, valid until %s, signed by %s",
             certificate->kind == CFS_CERTIFICATE_HOST ? "host" : "user", names[0] ? names : "nobody", when,
             certificate->authority);
}

static void explain_by_server(const struct cfs_certificate *certificate, char *text, size_t size)
{
    int used =
        snprintf(text, size, "the authority that has signed it (%s) is none that the server trusts, or it was revoked",
                 certificate->authority);
    if (certificate->source_addresses && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, ", or this machine is not in %s, where alone it is good",
                 certificate->source_addresses);
}

bool cfs_certificate_explain(const struct cfs_certificate *certificate, const char *user, time_t now, char *text,
                             size_t size)
{
    char when[40], names[200];
    if (certificate->kind == CFS_CERTIFICATE_HOST) {
        snprintf(text, size, "it is a host's and not a user's");
    } else if ((uint64_t)now >= certificate->valid_before) {
        format_time(certificate->valid_before, when, sizeof(when));
        snprintf(text, size, "it has expired, it was valid until %s: have it signed anew", when);
    } else if ((uint64_t)now < certificate->valid_after) {
        format_time(certificate->valid_after, when, sizeof(when));
        snprintf(text, size, "it is not valid before %s: wait, or see whether this machine's clock is right", when);
    } else if (!certificate->principals[0]) {
        snprintf(text, size, "it names no user: have it signed anew, for %s (ssh-keygen -s ... -n %s)", user, user);
    } else if (!is_for(certificate, user)) {
        join_principals(certificate, names, sizeof(names));
        snprintf(text, size, "it is for %s, and not for %s: correct the user, or have it signed anew", names, user);
    } else {
        explain_by_server(certificate, text, size);
        return false;
    }
    return true;
}

/* What somebody has given as his public key. It may be anything: a private key, which goes nowhere, a line with options
 * that its giver would like to have, what PuTTYgen saves (RFC 4716). Nothing passes that is not a whole public key. */
#include "base/text.h"
#include "ssh/authorized_keys.h"
#include "ssh/key_write.h"
#include "ssh/public_key.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { FILE_MOST = 64 << 10, LEAST_RSA_BITS = 1024, LINE_MOST = 8000 };

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

/* --- what is something else --- */

static int fail_private(const char *name, struct cfs_error *error)
{
    return cfs_error_set(error, ENOTSUP, CFS_FAILURE_KEY_FILE,
                         "%s is a private key. It belongs on its owner's machine alone, and nothing of it was sent. "
                         "Give the public one, which is mostly in %s.pub.",
                         name, name);
}

static int refuse_others(const char *name, const char *text, size_t length, struct cfs_error *error)
{
    static const char *const private_marks[] = {"PRIVATE KEY", "PuTTY-User-Key-File-"};
    static const char pem_mark[] = "-----BEGIN ";
    for (size_t i = 0; i < CFS_COUNT(private_marks); i++) {
        if (memmem(text, length, private_marks[i], strlen(private_marks[i])))
            return fail_private(name, error);
    }
    if (memmem(text, length, pem_mark, strlen(pem_mark)))
        return cfs_error_set(
            error, ENOTSUP, CFS_FAILURE_KEY_FILE,
            "%s is not in a form that SSH servers take. Convert it with: ssh-keygen -i -m PKCS8 -f '%s'", name, name);
    return 0;
}

/* --- RFC 4716 --- */

static const char ssh2_begin[] = "---- BEGIN SSH2 PUBLIC KEY ----";
static const char ssh2_end[] = "---- END SSH2 PUBLIC KEY ----";

struct ssh2 {
    struct cfs_buffer letters;
    char comment[1024];
};

static void take_header(const char *line, struct ssh2 *ssh2)
{
    static const char name[] = "Comment:";
    if (strncasecmp(line, name, strlen(name)) != 0)
        return;
    const char *value = line + strlen(name) + strspn(line + strlen(name), " \t\"");
    snprintf(ssh2->comment, sizeof(ssh2->comment), "%s", value);
    size_t length = strlen(ssh2->comment);
    while (length > 0 && strchr(" \t\"", ssh2->comment[length - 1]))
        ssh2->comment[--length] = '\0';
}

/* Lines between the first and the last: headers, of which a line that ends with a backslash goes on, and base64. */
static bool read_ssh2_lines(char *text, struct ssh2 *ssh2)
{
    char *rest = NULL;
    bool goes_on = false;
    const char *line = strtok_r(text, "\r\n", &rest);
    if (!line || strcmp(line, ssh2_begin) != 0)
        return false;
    while ((line = strtok_r(NULL, "\r\n", &rest)) && strcmp(line, ssh2_end) != 0) {
        if (!goes_on && !strchr(line, ':')) {
            cfs_buffer_add(&ssh2->letters, line, strlen(line));
            continue;
        }
        if (!goes_on)
            take_header(line, ssh2);
        goes_on = line[strlen(line) - 1] == '\\';
    }
    return line && !strtok_r(NULL, "\r\n", &rest) && ssh2->letters.length > 0;
}

/* The same key as a line. *RET_LINE is NULL if it is none. */
static int line_of_ssh2(const char *text, size_t length, char **ret_line)
{
    struct ssh2 ssh2 = {.comment = ""};
    char *copy CFS_AUTO_FREE = strndup(text, length);
    uint8_t *blob CFS_AUTO_FREE = NULL;
    size_t blob_length;
    bool is_good = copy && read_ssh2_lines(copy, &ssh2) && !ssh2.letters.failed &&
                   cfs_base64_decode((const char *)ssh2.letters.bytes, ssh2.letters.length, &blob, &blob_length) == 0;
    cfs_buffer_fini(&ssh2.letters);
    *ret_line = is_good ? cfs_key_write_public(blob, blob_length, ssh2.comment) : NULL;
    return copy ? 0 : -ENOMEM;
}

/* --- keys --- */

static int check_kind(const char *name, const struct cfs_authorized_key *key, struct cfs_error *error)
{
    struct cfs_public_key_facts facts;
    char type[64];
    int result = cfs_public_key_check(key->blob, key->blob_length, &facts);
    cfs_public_key_type(key->blob, key->blob_length, type, sizeof(type));
    if (result == -EOPNOTSUPP && strstr(type, "-cert-v01@"))
        return cfs_error_set(error, EOPNOTSUPP, CFS_FAILURE_KEY_FILE,
                             "%s:%u is a certificate, which stands in no authorized_keys. Give the key that it is for.",
                             name, key->line);
    if (result == -EOPNOTSUPP)
        return cfs_error_set(error, EOPNOTSUPP, CFS_FAILURE_KEY_FILE,
                             "%s:%u is a key of a kind (%s) that today's servers do not take. Ask for an Ed25519 key.",
                             name, key->line, type);
    if (result < 0)
        return cfs_error_set(error, EBADMSG, CFS_FAILURE_KEY_FILE,
                             "%s:%u is damaged: it is no whole %s key. Was it cut when it was copied?", name, key->line,
                             type);
    if (strcmp(facts.kind, "RSA") == 0 && facts.bits < LEAST_RSA_BITS)
        return cfs_error_set(error, EOPNOTSUPP, CFS_FAILURE_KEY_FILE,
                             "%s:%u is an RSA key of %u bits, which servers refuse. Ask for an Ed25519 key.", name,
                             key->line, facts.bits);
    return 0;
}

static bool has_control_characters(const char *text)
{
    for (; *text; text++) {
        if (iscntrl((unsigned char)*text))
            return true;
    }
    return false;
}

static int check_options(const char *name, const struct cfs_authorized_key *key, bool may_have_options,
                         struct cfs_error *error)
{
    if (!key->options)
        return 0;
    if (!may_have_options)
        return cfs_error_set(
            error, EPERM, CFS_FAILURE_KEY_FILE,
            "%s:%u has options in front of the key, which say what the server does with it: %.200s. If "
            "they shall hold, say --with-options; else take them out.",
            name, key->line, key->options);
    if (has_control_characters(key->options))
        return cfs_error_set(error, EBADMSG, CFS_FAILURE_KEY_FILE, "%s:%u has control characters in its options.", name,
                             key->line);
    return 0;
}

static int check_key(const char *name, struct cfs_authorized_key *key, bool may_have_options, struct cfs_error *error)
{
    int result = check_options(name, key, may_have_options, error);
    if (result == 0)
        result = check_kind(name, key, error);
    if (result == 0 && key->length > LINE_MOST)
        result = cfs_error_set(error, EFBIG, CFS_FAILURE_KEY_FILE, "%s:%u is too long.", name, key->line);
    cfs_text_make_printable(key->comment, false);
    return result;
}

static int check_all(const char *name, struct cfs_authorized_keys *keys, bool may_have_options, struct cfs_error *error)
{
    if (keys->odd_count > 0)
        return cfs_error_set(error, EBADMSG, CFS_FAILURE_KEY_FILE,
                             "%s:%u is not a public key; one looks like: ssh-ed25519 AAAAC3... name", name,
                             keys->odd[0]);
    if (keys->count == 0)
        return cfs_error_set(error, EBADMSG, CFS_FAILURE_KEY_FILE, "There is no public key in %s.", name);
    for (size_t i = 0; i < keys->count; i++) {
        int result = check_key(name, &keys->entries[i], may_have_options, error);
        if (result < 0)
            return result;
    }
    return 0;
}

int cfs_public_keys_parse(const char *name, const void *text, size_t length, bool may_have_options,
                          struct cfs_authorized_keys *ret_keys, struct cfs_error *error)
{
    static const char mark[] = "\xef\xbb\xbf"; /* Notepad's */
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0};
    char *line CFS_AUTO_FREE = NULL;
    const char *begin = text;
    if (length >= strlen(mark) && memcmp(begin, mark, strlen(mark)) == 0)
        begin += strlen(mark), length -= strlen(mark);
    int result = length > 0 ? refuse_others(name, begin, length, error) : 0;
    if (result < 0)
        return result;
    if (length >= strlen(ssh2_begin) && memcmp(begin, ssh2_begin, strlen(ssh2_begin)) == 0 &&
        line_of_ssh2(begin, length, &line) < 0)
        return no_memory(error);
    result = cfs_authorized_keys_parse(line ? line : begin, line ? strlen(line) : length, &keys);
    if (result < 0)
        return no_memory(error);
    result = check_all(name, &keys, may_have_options, error);
    if (result < 0)
        return result;
    *ret_keys = keys;
    keys = (struct cfs_authorized_keys){0};
    return 0;
}

/* --- files --- */

static int read_bytes(int fd, struct cfs_buffer *bytes)
{
    uint8_t *room = cfs_buffer_reserve(bytes, FILE_MOST + 1);
    if (!room)
        return -ENOMEM;
    for (;;) {
        ssize_t count = read(fd, room + bytes->length, FILE_MOST + 1 - bytes->length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        bytes->length += (size_t)count;
        if (bytes->length > FILE_MOST)
            return -EFBIG;
        if (count == 0)
            return 0;
    }
}

int cfs_public_keys_read(const char *path, bool may_have_options, struct cfs_authorized_keys *ret_keys,
                         struct cfs_error *error)
{
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    struct stat status;
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    cfs_buffer_init_secret(&bytes); /* in case it is a private key */
    int result = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;
    if (result == 0 && !S_ISREG(status.st_mode))
        result = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    if (result == 0)
        result = read_bytes(fd, &bytes);
    if (result == -EFBIG)
        return cfs_error_set(error, EFBIG, CFS_FAILURE_KEY_FILE, "%s is larger than keys can be (64 KiB).", path);
    if (result < 0)
        return cfs_error_set(error, -result, CFS_FAILURE_KEY_FILE, "The public key %s cannot be read: %s.", path,
                             strerror(-result));
    return cfs_public_keys_parse(path, bytes.bytes, bytes.length, may_have_options, ret_keys, error);
}

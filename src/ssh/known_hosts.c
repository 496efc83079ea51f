/* The parser of known_hosts files. A line is
 *     [@marker] names type base64-key [comment]
 * where names is "|1|salt|hash" (HMAC-SHA1 of the name) or patterns with ? * and !, separated by commas. libssh2's own
 * parser gives up a whole file for one bad line, and takes no notice of the markers: a revoked key would be a good one.
 * What must always hold: a line that is not understood in full is never an entry. */
#include "ssh/known_hosts.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "ssh/known_hosts_line.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 16 << 20 };

/* --- lines --- */

void cfs_known_hosts_fini(struct cfs_known_hosts *found)
{
    for (size_t i = 0; i < found->count; i++) {
        free(found->entries[i].type);
        free(found->entries[i].blob);
        free(found->entries[i].file);
    }
    free(found->entries);
    *found = (struct cfs_known_hosts){0};
}

static int add_entry(struct cfs_known_hosts *found, const struct cfs_known_host *entry)
{
    struct cfs_known_host *entries = reallocarray(found->entries, found->count + 1, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    found->entries = entries;
    found->entries[found->count++] = *entry;
    return 0;
}

/* The key's own first field must name the type that the line gives. */
static bool blob_has_type(const uint8_t *blob, size_t blob_length, struct cfs_span type)
{
    struct cfs_reader reader = cfs_reader_over(blob, blob_length);
    size_t length;
    const uint8_t *name = cfs_read_string(&reader, &length);
    return name && length == type.length && memcmp(name, type.text, length) == 0;
}

static int parse_mark(struct cfs_span *line, struct cfs_span *names, enum cfs_known_host_mark *ret_mark)
{
    *ret_mark = CFS_KNOWN_HOST_PLAIN;
    if (*names->text != '@')
        return 0;
    if (cfs_span_is(*names, "@revoked"))
        *ret_mark = CFS_KNOWN_HOST_REVOKED;
    else if (cfs_span_is(*names, "@cert-authority"))
        *ret_mark = CFS_KNOWN_HOST_AUTHORITY;
    else
        return -EINVAL;
    *names = cfs_next_word(line);
    return 0;
}

/* 0 (a comment, another host, an entry added), -EINVAL for a bad line, -ENOMEM. */
static int parse_line(const char *file_name, unsigned number, struct cfs_span line, const char *name,
                      struct cfs_known_hosts *found)
{
    struct cfs_span names = cfs_next_word(&line);
    if (names.length == 0 || *names.text == '#')
        return 0;
    struct cfs_known_host entry = {.line = number};
    if (parse_mark(&line, &names, &entry.mark) < 0)
        return -EINVAL;
    struct cfs_span type = cfs_next_word(&line), key = cfs_next_word(&line);
    if (names.length == 0 || type.length == 0 || key.length == 0)
        return -EINVAL;
    uint8_t *blob CFS_AUTO_FREE = NULL;
    int result = cfs_base64_decode(key.text, key.length, &blob, &entry.blob_length);
    if (result < 0)
        return result;
    if (!blob_has_type(blob, entry.blob_length, type))
        return -EINVAL;
    int matches = cfs_known_hosts_names_match(names, name);
    if (matches <= 0)
        return matches;
    char *type_text CFS_AUTO_FREE = strndup(type.text, type.length);
    char *file CFS_AUTO_FREE = strdup(file_name);
    if (!type_text || !file)
        return -ENOMEM;
    entry.type = type_text;
    entry.blob = blob;
    entry.file = file;
    result = add_entry(found, &entry);
    if (result == 0) /* they are the list's now */
        type_text = NULL, file = NULL, blob = NULL;
    return result;
}

int cfs_known_hosts_parse(const char *file_name, const char *text, size_t length, const char *name,
                          struct cfs_known_hosts *found)
{
    int bad = 0;
    for (unsigned number = 1; length > 0; number++) {
        const char *end = memchr(text, '\n', length);
        struct cfs_span line = {text, end ? (size_t)(end - text) : length};
        int result = parse_line(file_name, number, line, name, found);
        if (result == -ENOMEM)
            return result;
        bad += result < 0;
        text += line.length + (end ? 1 : 0);
        length -= line.length + (end ? 1 : 0);
    }
    return bad;
}

/* --- files --- */

static int read_all(int fd, struct cfs_buffer *text)
{
    for (;;) {
        uint8_t *room = cfs_buffer_reserve(text, 65536);
        if (!room)
            return -ENOMEM;
        ssize_t count = read(fd, room, 65536);
        if (count == 0)
            return 0;
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0)
            text->length += (size_t)count;
        if (text->length > MAX_FILE)
            return -EFBIG;
    }
}

int cfs_known_hosts_read(const char *path, const char *name, bool quiet, struct cfs_known_hosts *found)
{
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return 0;
    struct cfs_buffer text CFS_AUTO_BUFFER = {0};
    int result = read_all(fd, &text);
    if (result < 0)
        return result;
    int bad = cfs_known_hosts_parse(path, (const char *)text.bytes, text.length, name, found);
    if (bad > 0 && !quiet)
        cfs_log_warning("ssh", "%s: %d line%s could not be understood and %s skipped", path, bad, bad == 1 ? "" : "s",
                        bad == 1 ? "was" : "were");
    return bad < 0 ? bad : 0;
}

/* See known_hosts_edit.h. Those who add a line (known_hosts_append.c) hold the file's lock, so it is held here, too;
 * who waited for it finds that another file has taken the name, and begins again. */
#include "ssh/known_hosts_edit.h"

#include "base/text.h"
#include "conf/config_edit.h"
#include "ssh/host_key_priv.h"
#include "ssh/known_hosts.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { TRIES = 5 };

struct key {
    const char *type;
    const uint8_t *blob;
    size_t length;
};

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
}

/* Behind the others; a file that an editor has left without an end of its last line gets one. */
static int add_key(struct cfs_known_hosts_change *change, const char *name, const struct key *key)
{
    struct cfs_buffer *text = &change->text;
    char *base64 CFS_AUTO_FREE = cfs_base64_encode(key->blob, key->length, true);
    char *line CFS_AUTO_FREE =
        base64 ? cfs_text_format("%s%s %s %s\n", text->length > 0 && text->bytes[text->length - 1] != '\n' ? "\n" : "",
                                 change->hashed ? change->hashed : name, key->type, base64)
               : NULL;
    if (!line)
        return -ENOMEM;
    cfs_buffer_add(text, line, strlen(line));
    return text->failed ? -ENOMEM : 0;
}

static int edit_text(struct cfs_config_edit *edit, const char *name, const struct key *key,
                     struct cfs_known_hosts_edited *edited, struct cfs_error *error)
{
    struct cfs_known_hosts_change change CFS_AUTO_KNOWN_HOSTS_CHANGE = {0};
    int result = cfs_known_hosts_forget((const char *)edit->text.bytes, edit->text.length, name, &change);
    if (result == 0 && key)
        result = add_key(&change, name, key);
    if (result < 0)
        return no_memory(error);
    *edited = (struct cfs_known_hosts_edited){change.lines, change.by_pattern, change.pattern_line};
    if (change.lines == 0 && !key)
        return 0;
    struct cfs_buffer old = edit->text;
    edit->text = change.text;
    change.text = old;
    return cfs_config_edit_write(edit, error);
}

/* One attempt: -ESTALE when somebody else has changed the file meanwhile. */
static int edit_once(const char *path, const char *name, const struct key *key, struct cfs_known_hosts_edited *edited,
                     struct cfs_error *error)
{
    struct cfs_config_edit edit CFS_AUTO_CONFIG_EDIT = {.folder_fd = -1};
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT && !key)
        return 0;
    int result = fd < 0 ? 0 : cfs_known_hosts_lock(fd);
    if (result == -ETIMEDOUT)
        return cfs_error_set(error, EBUSY, CFS_FAILURE_SYSTEM, "%s: another program has it locked; try again", path);
    if (fd >= 0 && !cfs_known_hosts_is_still(fd, path))
        return -ESTALE;
    result = cfs_config_edit_init(path, CFS_CONFIG_FILE_LARGE, key, &edit, error);
    return result < 0 ? result : edit_text(&edit, name, key, edited, error);
}

static int edit_file(const char *path, const char *name, const struct key *key,
                     struct cfs_known_hosts_edited *ret_edited, struct cfs_error *error)
{
    struct cfs_known_hosts_edited edited = {0};
    struct cfs_error failure = {0};
    int result = -ESTALE;
    for (int i = 0; i < TRIES && result == -ESTALE; i++)
        result = edit_once(path, name, key, &edited, &failure);
    if (result < 0 && result != -ESTALE && error)
        *error = failure;
    if (result == -ESTALE)
        return cfs_error_set(error, ESTALE, CFS_FAILURE_SYSTEM,
                             "%s: other programs change it all the time; nothing was changed, try again", path);
    if (result == 0)
        *ret_edited = edited;
    return result;
}

int cfs_known_hosts_edit_forget(const char *path, const char *name, struct cfs_known_hosts_edited *ret_edited,
                                struct cfs_error *error)
{
    return edit_file(path, name, NULL, ret_edited, error);
}

int cfs_known_hosts_edit_replace(const char *path, const char *name, const char *type, const uint8_t *blob,
                                 size_t length, struct cfs_known_hosts_edited *ret_edited, struct cfs_error *error)
{
    struct key key = {type, blob, length};
    return edit_file(path, name, &key, ret_edited, error);
}

/* The identity files and the agent, each looked at by itself: whether it can be read, which key it is, whether it needs
 * a passphrase, whether the NAME.pub beside it belongs to it, and what its certificates say. Whether the server takes a
 * key is the login's matter.
 *
 * A file that cannot be used is a warning: another key may do, and then the mount works. When the login fails because
 * of it, check_connection.c makes it a failure, with the login's own sentence. */
#include "base/bytes.h"
#include "base/text.h"
#include "cli/check.h"
#include "cli/reach.h"
#include "ssh/agent.h"
#include "ssh/certificate.h"
#include "ssh/host_key.h"
#include "ssh/identity_files.h"
#include "ssh/key_file.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AGENT_LIMIT_MS = 10 * 1000, MOST_SHOWN = 12, PUBLIC_LINE = 16 * 1024 };

struct survey {
    struct cfs_check *check;
    struct cfs_buffer lines;   /* text for people, a line a file */
    struct cfs_buffer publics; /* lines for authorized_keys */
    unsigned usable, useless;
};

static void add_text(struct cfs_buffer *buffer, const char *text)
{
    if (buffer->length > 0)
        cfs_buffer_add_u8(buffer, '\n');
    cfs_buffer_add(buffer, text, strlen(text));
}

/* "ssh-ed25519": the first string of the blob. */
static void type_of(const uint8_t *blob, size_t length, char *type, size_t size)
{
    struct cfs_reader reader = cfs_reader_over(blob, length);
    size_t name_length = 0;
    const uint8_t *name = cfs_read_string(&reader, &name_length);
    snprintf(type, size, "%.*s", name ? (int)name_length : 1, name ? (const char *)name : "?");
    cfs_text_make_printable(type, false);
}

/* NAME.pub is what people give to the provider. True: it is there, and holds another key. */
static bool has_foreign_public_file(const char *path, const uint8_t *blob, size_t length)
{
    char *name CFS_AUTO_FREE = cfs_text_format("%s.pub", path);
    char line[PUBLIC_LINE], key[PUBLIC_LINE] = "";
    FILE *file = name ? fopen(name, "re") : NULL;
    if (!file)
        return false;
    bool is_read = fgets(line, sizeof(line), file) && sscanf(line, "%*s %16383s", key) == 1;
    fclose(file);
    uint8_t *bytes CFS_AUTO_FREE = NULL;
    size_t its_length = 0;
    if (!is_read || cfs_base64_decode(key, strlen(key), &bytes, &its_length) < 0)
        return false;
    return its_length != length || memcmp(bytes, blob, length) != 0;
}

/* What the key of a file that can be used is called, and what is to be said of it. */
static void describe(struct survey *survey, const struct cfs_key_file *key, bool is_locked)
{
    const char *path = cfs_key_file_path(key);
    char type[64] = "a key", text[1024];
    size_t length = 0;
    const uint8_t *blob = cfs_key_file_public_blob(key, &length);
    char *fingerprint CFS_AUTO_FREE = length > 0 ? cfs_host_key_fingerprint(blob, length) : NULL;
    char *base64 CFS_AUTO_FREE = length > 0 ? cfs_base64_encode(blob, length, true) : NULL;
    if (length > 0)
        type_of(blob, length, type, sizeof(type));
    snprintf(text, sizeof(text), "%.600s: %s %s%s", path, type, fingerprint ? fingerprint : "",
             is_locked ? ", protected by a passphrase" : "");
    add_text(&survey->lines, text);
    if (base64) {
        char *line CFS_AUTO_FREE = cfs_text_format("%s %s", type, base64);
        add_text(&survey->publics, line ? line : "");
    }
    if (length > 0 && has_foreign_public_file(path, blob, length)) {
        survey->useless++;
        cfs_check_hint(survey->check, CFS_CHECK_KEY_FILES,
                       "%s.pub belongs to another key. If you gave that to the provider, give him this one's: "
                       "ssh-keygen -y -f '%s' prints it.",
                       path, path);
    }
}

static void look_at_file(struct survey *survey, const char *path, bool is_usual)
{
    struct cfs_error error = {0};
    struct cfs_key_file *key CFS_CLEANUP(cfs_key_file_free) = NULL;
    const char *passphrase = survey->check->profile->passphrase;
    if (is_usual && access(path, F_OK) < 0)
        return;
    int result = cfs_key_file_open(path, &key, &error);
    if (result == 0)
        result = cfs_key_file_unlock(key, passphrase, NULL, &error);
    bool is_locked = key && result == -EKEYREJECTED && !passphrase;
    if (result < 0 && !is_locked) {
        survey->useless++;
        add_text(&survey->lines, error.text);
        return;
    }
    survey->usable++;
    describe(survey, key, is_locked);
}

/* What a certificate says of itself; whether the server knows who has signed it is the login's matter. */
static void look_at_certificate(struct survey *survey, const char *path, bool is_named)
{
    struct cfs_certificate certificate CFS_AUTO_CERTIFICATE = {0};
    char says[400], reason[400];
    int result = cfs_certificate_read(path, &certificate);
    if (!is_named && (result == -ENOENT || result == -ENOTDIR))
        return;
    if (result < 0)
        snprintf(says, sizeof(says), "no certificate that can be used (%s)",
                 result == -EBADMSG ? "it is damaged, or something else" : strerror(-result));
    else
        cfs_certificate_describe(&certificate, says, sizeof(says));
    char *line CFS_AUTO_FREE = cfs_text_format("%s: %s", path, says);
    add_text(&survey->lines, line ? line : "");
    bool is_useless = result < 0 || cfs_certificate_explain(&certificate, survey->check->profile->user, time(NULL),
                                                            reason, sizeof(reason));
    survey->useless += is_useless;
    if (result == 0 && is_useless)
        cfs_check_hint(survey->check, CFS_CHECK_KEY_FILES, "The certificate %s: %s.", path, reason);
}

static void look_at_certificates(struct survey *survey, cfs_words files)
{
    cfs_words named = survey->check->profile->certificate_files;
    for (size_t i = 0; named && named[i]; i++)
        look_at_certificate(survey, named[i], true);
    for (size_t i = 0; files[i]; i++) {
        char *path CFS_AUTO_FREE = cfs_text_format("%s-cert.pub", files[i]);
        if (path)
            look_at_certificate(survey, path, false);
    }
}

static void look_at_files(struct survey *survey, cfs_words files, bool is_usual)
{
    struct cfs_check *check = survey->check;
    for (size_t i = 0; files[i]; i++)
        look_at_file(survey, files[i], is_usual);
    look_at_certificates(survey, files);
    cfs_buffer_add_u8(&survey->lines, '\0');
    cfs_buffer_add_u8(&survey->publics, '\0');
    if (survey->lines.failed || survey->publics.failed)
        return;
    bool is_empty = survey->usable + survey->useless == 0;
    cfs_check_say(check, CFS_CHECK_KEY_FILES, survey->useless > 0 ? CFS_CHECK_WARNING : CFS_CHECK_OK, "%s",
                  is_empty ? "there is none: identity_file is not set, and ~/.ssh has none of the usual names"
                           : (const char *)survey->lines.bytes);
    if (survey->publics.length > 1)
        check->public_lines = strdup((const char *)survey->publics.bytes);
}

static void look_at_agent(struct cfs_check *check)
{
    const char *path = check->profile->identity_agent;
    struct cfs_agent *agent CFS_CLEANUP(cfs_agent_free) = NULL;
    struct cfs_agent_identities identities CFS_AUTO_AGENT_IDENTITIES = {0};
    if (!path || !*path) {
        cfs_check_say(check, CFS_CHECK_AGENT, CFS_CHECK_OK, "none is used");
        return;
    }
    int result = cfs_agent_open(path, AGENT_LIMIT_MS, &agent);
    if (result == 0)
        result = cfs_agent_list(agent, AGENT_LIMIT_MS, &identities);
    if (result < 0) {
        cfs_check_say(check, CFS_CHECK_AGENT, CFS_CHECK_WARNING, "the agent at %s cannot be used (%s)", path,
                      result == -EPERM ? "it refused to list its keys" : strerror(-result));
        return;
    }
    cfs_check_say(check, CFS_CHECK_AGENT, CFS_CHECK_OK, "%zu key%s at %s", identities.count,
                  identities.count == 1 ? "" : "s", path);
    for (size_t i = 0; i < identities.count && i < MOST_SHOWN; i++) {
        const struct cfs_agent_identity *identity = &identities.entries[i];
        char type[64];
        char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(identity->blob, identity->blob_length);
        type_of(identity->blob, identity->blob_length, type, sizeof(type));
        cfs_check_hint(check, CFS_CHECK_AGENT, "%s: %s %s", identity->comment, type, fingerprint ? fingerprint : "");
    }
}

void cfs_check_keys(struct cfs_check *check)
{
    struct survey survey = {.check = check};
    cfs_words files = NULL;
    bool is_usual = false;
    if (!cfs_reach_is_watched(check->profile)) {
        cfs_check_say(check, CFS_CHECK_KEY_FILES, CFS_CHECK_OK, "ssh has its own");
        cfs_check_say(check, CFS_CHECK_AGENT, CFS_CHECK_OK, "ssh looks at it by itself");
        return;
    }
    cfs_buffer_init(&survey.lines);
    cfs_buffer_init(&survey.publics);
    if (cfs_ssh_identity_files(check->profile, &files, &is_usual) == 0)
        look_at_files(&survey, files, is_usual);
    cfs_words_free(files);
    cfs_buffer_fini(&survey.lines);
    cfs_buffer_fini(&survey.publics);
    look_at_agent(check);
}

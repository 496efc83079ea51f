/* Identity files: opened, looked at, unlocked. The public key is known from the start where the file shows it, so that
 * a passphrase is asked for only after the server said that it would take this key. What must always hold: a private
 * key is read only from a file that nobody else can read, through one descriptor that is checked and then read. */
#include "ssh/key_file_priv.h"

#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { TRIES_AT_PROMPT = 3 };

void cfs_key_file_free(struct cfs_key_file *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->private_key);
    cfs_buffer_fini(&key->contents);
    cfs_buffer_fini(&key->public_blob);
    cfs_buffer_fini(&key->comment);
    free(key->path);
    free(key);
}

const char *cfs_key_file_path(const struct cfs_key_file *key)
{
    return key->path;
}

const uint8_t *cfs_key_file_public_blob(const struct cfs_key_file *key, size_t *ret_length)
{
    *ret_length = key->public_blob.length;
    return key->public_blob.bytes;
}

/* --- sentences --- */

static int fail_open(const char *path, int errno_value, struct cfs_error *error)
{
    if (errno_value == ENOENT || errno_value == ENOTDIR)
        return cfs_error_set(error, ENOENT, CFS_FAILURE_KEY_FILE,
                             "The identity file %s does not exist. Correct identity_file, or make a key with: "
                             "ssh-keygen -t ed25519 -f '%s'",
                             path, path);
    return cfs_error_set(error, errno_value, CFS_FAILURE_KEY_FILE,
                         "The identity file %s cannot be read: %s. It must belong to you; look at it with: ls -l '%s'",
                         path, strerror(errno_value), path);
}

static int fail_mode(const char *path, mode_t mode, struct cfs_error *error)
{
    return cfs_error_set(
        error, EPERM, CFS_FAILURE_KEY_FILE,
        "The identity file %s can be used by others (its mode is %04o), so it is not a secret and is not used. "
        "Run: chmod 600 '%s'",
        path, (unsigned)mode & 07777, path);
}

static int fail_read(const struct cfs_key_file *key, int result, struct cfs_error *error)
{
    const char *path = key->path;
    if (result == -EKEYREJECTED)
        return cfs_error_set(error, EKEYREJECTED, CFS_FAILURE_KEY_FILE,
                             "The passphrase of the identity file %s is wrong.", path);
    if (result == -EOPNOTSUPP && key->form == CFS_KEY_PPK)
        return cfs_error_set(error, EOPNOTSUPP, CFS_FAILURE_KEY_FILE,
                             "The identity file %s holds a key of a kind, or encrypted in a way, that clusterfs cannot "
                             "use. Use an Ed25519, RSA or ECDSA key in a file of version 2 or 3.",
                             path);
    if (result == -EOPNOTSUPP)
        return cfs_error_set(
            error, EOPNOTSUPP, CFS_FAILURE_KEY_FILE,
            "The identity file %s holds a key of a kind, or encrypted in a way, that clusterfs cannot use by "
            "itself. Load it into an agent with ssh-add '%s', or use an Ed25519, RSA or ECDSA key.",
            path, path);
    if (result == -ENOMEM)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    return cfs_error_set(error, EBADMSG, CFS_FAILURE_KEY_FILE,
                         "The identity file %s is damaged. Check it with: %s '%s'", path,
                         key->form == CFS_KEY_PPK ? "puttygen -L" : "ssh-keygen -y -f", path);
}

/* --- forms --- */

/* Texts that mark a file as something else than a private key that we can use. */
static int fail_form(const char *path, const char *text, size_t length, struct cfs_error *error)
{
    static const char *const public_marks[] = {"ssh-",
                                               "ecdsa-sha2-",
                                               "sk-ssh-",
                                               "sk-ecdsa-",
                                               "---- BEGIN SSH2 PUBLIC KEY",
                                               "-----BEGIN PUBLIC KEY",
                                               "-----BEGIN RSA PUBLIC KEY"};
    for (size_t i = 0; i < CFS_COUNT(public_marks); i++) {
        size_t mark = strlen(public_marks[i]);
        if (length < mark || memcmp(text, public_marks[i], mark) != 0)
            continue;
        size_t stem = strlen(path);
        bool has_suffix = stem > 4 && strcmp(path + stem - 4, ".pub") == 0;
        return cfs_error_set(error, ENOTSUP, CFS_FAILURE_KEY_FILE,
                             "The identity file %s is a public key. Name the private one%s%.*s.", path,
                             has_suffix ? ", which should be " : "", has_suffix ? (int)stem - 4 : 0, path);
    }
    return cfs_error_set(
        error, EBADMSG, CFS_FAILURE_KEY_FILE,
        "The identity file %s is not a private key: it is neither in OpenSSH's form nor PEM nor PuTTY's.", path);
}

static bool is_pem(const char *text, size_t length)
{
    static const char *const marks[] = {"-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----",
                                        "-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----",
                                        "-----BEGIN DSA PRIVATE KEY-----"};
    for (size_t i = 0; i < CFS_COUNT(marks); i++)
        if (cfs_key_find(text, length, marks[i]))
            return true;
    return false;
}

int cfs_key_file_adopt(struct cfs_key_file *key, EVP_PKEY *private_key)
{
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    int result = cfs_key_public_blob(private_key, &blob);
    if (result < 0) {
        EVP_PKEY_free(private_key);
        return result;
    }
    cfs_buffer_fini(&key->public_blob);
    key->public_blob = blob;
    blob = (struct cfs_buffer){0};
    key->private_key = private_key;
    cfs_buffer_fini(&key->contents);
    return 0;
}

static int read_private(struct cfs_key_file *key, const char *passphrase)
{
    const char *text = (const char *)key->contents.bytes;
    size_t length = key->contents.length;
    EVP_PKEY *private_key = NULL;
    static int (*const read[])(const char *, size_t, const char *, EVP_PKEY **, struct cfs_buffer *) = {
        [CFS_KEY_OPENSSH] = cfs_key_openssh_read_private,
        [CFS_KEY_PEM] = cfs_key_pem_read,
        [CFS_KEY_PPK] = cfs_key_ppk_read_private,
    };
    cfs_buffer_clear(&key->comment);
    int result = read[key->form](text, length, passphrase, &private_key, &key->comment);
    return result < 0 ? result : cfs_key_file_adopt(key, private_key);
}

static int recognise(struct cfs_key_file *key, struct cfs_error *error)
{
    const char *text = (const char *)key->contents.bytes;
    size_t length = key->contents.length;
    int result;
    if (cfs_key_find(text, length, "-----BEGIN OPENSSH PRIVATE KEY-----")) {
        key->form = CFS_KEY_OPENSSH;
        result = cfs_key_openssh_read_public(text, length, &key->public_blob, &key->encrypted);
    } else if (cfs_key_is_ppk(text, length)) {
        key->form = CFS_KEY_PPK;
        result = cfs_key_ppk_read_public(text, length, &key->public_blob, &key->encrypted);
    } else if (is_pem(text, length)) {
        key->form = CFS_KEY_PEM;
        key->encrypted = cfs_key_pem_is_encrypted(text, length);
        result = key->encrypted ? 0 : read_private(key, NULL);
    } else {
        return fail_form(key->path, text, length, error);
    }
    return result < 0 ? fail_read(key, result, error) : 0;
}

int cfs_key_file_parse(const char *path, const void *bytes, size_t length, struct cfs_key_file **ret_key,
                       struct cfs_error *error)
{
    struct cfs_key_file *key CFS_CLEANUP(cfs_key_file_free) = calloc(1, sizeof(*key));
    if (!key)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    cfs_buffer_init_secret(&key->contents);
    key->path = strdup(path);
    cfs_buffer_add(&key->contents, bytes, length);
    cfs_buffer_add_u8(&key->contents, 0); /* never an empty buffer without memory */
    if (!key->path || key->contents.failed)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    key->contents.length = length;
    int result = recognise(key, error);
    if (result == 0)
        *ret_key = CFS_TAKE(key);
    return result;
}

/* --- files --- */

/* Reads at most CFS_KEY_FILE_MAX bytes. */
static int read_bytes(int fd, struct cfs_buffer *bytes)
{
    for (;;) {
        uint8_t *room = cfs_buffer_reserve(bytes, 4096);
        if (!room)
            return -ENOMEM;
        ssize_t count = read(fd, room, 4096);
        if (count == 0)
            return 0;
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0)
            bytes->length += (size_t)count;
        if (bytes->length > CFS_KEY_FILE_MAX)
            return -EFBIG;
    }
}

/* The modes are those that ssh demands: others' files are the others' business, our own must be closed to them. */
static int check_descriptor(int fd, const char *path, struct cfs_error *error)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail_open(path, errno, error);
    if (S_ISDIR(status.st_mode))
        return cfs_error_set(error, EISDIR, CFS_FAILURE_KEY_FILE,
                             "The identity file %s is a folder. Name the key file in it.", path);
    if (!S_ISREG(status.st_mode))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_KEY_FILE, "The identity file %s is not a regular file.", path);
    if (status.st_uid == getuid() && (status.st_mode & 077) != 0)
        return fail_mode(path, status.st_mode, error);
    return 0;
}

static int read_private_file(const char *path, struct cfs_buffer *bytes, struct cfs_error *error)
{
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_open(path, errno, error);
    int checked = check_descriptor(fd, path, error);
    int result = checked == 0 || checked == -EPERM ? read_bytes(fd, bytes) : 0;
    if (result == -EFBIG)
        return cfs_error_set(error, EFBIG, CFS_FAILURE_KEY_FILE,
                             "The identity file %s is larger than a key can be (64 KiB). Is it the right file?", path);
    if (result < 0)
        return fail_open(path, -result, error);
    /* A public key may be read by all: whoever names it wants to hear that it is public. */
    if (checked == -EPERM && !cfs_key_find((const char *)bytes->bytes, bytes->length, "PRIVATE KEY") &&
        !cfs_key_find((const char *)bytes->bytes, bytes->length, "PuTTY-User-Key-File-"))
        return 0;
    return checked;
}

/* NAME.pub, for a private key that hides its public half. That it is missing or wrong is no fault. */
static void read_public_file(struct cfs_key_file *key)
{
    char *path CFS_AUTO_FREE = cfs_text_format("%s.pub", key->path);
    if (path && cfs_key_read_public_file(path, &key->public_blob) < 0)
        cfs_buffer_fini(&key->public_blob);
}

int cfs_key_read_public_file(const char *path, struct cfs_buffer *blob)
{
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&bytes); /* in case it is the private key after all */
    int result = read_bytes(fd, &bytes);
    return result < 0 ? result : cfs_key_read_public_line((const char *)bytes.bytes, bytes.length, blob);
}

int cfs_key_file_open(const char *path, struct cfs_key_file **ret_key, struct cfs_error *error)
{
    struct cfs_buffer bytes CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&bytes);
    struct cfs_key_file *key = NULL;
    int result = read_private_file(path, &bytes, error);
    if (result == 0)
        result = cfs_key_file_parse(path, bytes.bytes, bytes.length, &key, error);
    if (result < 0)
        return result;
    if (key->public_blob.length == 0)
        read_public_file(key);
    *ret_key = key;
    return 0;
}

/* --- unlocking --- */

static int fail_prompt(const struct cfs_key_file *key, int result, struct cfs_error *error)
{
    if (result == -ECANCELED)
        return cfs_error_set(error, ECANCELED, CFS_FAILURE_CANCELLED,
                             "No passphrase was given for the identity file %s.", key->path);
    if (key->form == CFS_KEY_PPK)
        return cfs_error_set(error, EKEYREJECTED, CFS_FAILURE_KEY_FILE,
                             "The identity file %s is protected by a passphrase, and nobody can be asked for it. Start "
                             "the mount from a terminal.",
                             key->path);
    return cfs_error_set(
        error, EKEYREJECTED, CFS_FAILURE_KEY_FILE,
        "The identity file %s is protected by a passphrase, and nobody can be asked for it. Load the key "
        "into an agent with ssh-add '%s', or start the mount from a terminal.",
        key->path, key->path);
}

/* Asks until the passphrase is right, TRIES_AT_PROMPT times at most. */
static int ask_and_unlock(struct cfs_key_file *key, struct cfs_prompter *prompter, struct cfs_error *error)
{
    if (!prompter || !prompter->can_ask(prompter))
        return fail_prompt(key, -ENOTTY, error);
    for (int try = 1;; try++) {
        char *text CFS_AUTO_FREE =
            cfs_text_format("%sPassphrase of %s: ", try == 1 ? "" : "That passphrase is wrong. ", key->path);
        if (!text)
            return fail_read(key, -ENOMEM, error);
        cfs_text_make_printable(text, false);
        char *passphrase CFS_CLEANUP(cfs_secret_free) = NULL;
        int result = prompter->ask(prompter, text, false, &passphrase);
        if (result < 0)
            return fail_prompt(key, result, error);
        result = read_private(key, passphrase);
        if (result != -EKEYREJECTED || try == TRIES_AT_PROMPT)
            return result < 0 ? fail_read(key, result, error) : 0;
    }
}

int cfs_key_file_unlock(struct cfs_key_file *key, const char *passphrase, struct cfs_prompter *prompter,
                        struct cfs_error *error)
{
    if (key->private_key)
        return 0;
    int result = -EKEYREJECTED;
    if (!key->encrypted || passphrase)
        result = read_private(key, key->encrypted ? passphrase : NULL);
    if (result != -EKEYREJECTED)
        return result < 0 ? fail_read(key, result, error) : 0;
    if (passphrase && (!prompter || !prompter->can_ask(prompter)))
        return fail_read(key, result, error);
    return ask_and_unlock(key, prompter, error);
}

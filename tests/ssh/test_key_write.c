/* Private keys written in OpenSSH's form: ssh-keygen reads them as we do, with and without a passphrase, whatever form
 * they come from. */
#include "lib/test.h"

#include "ssh/key_write.h"

#include "base/text.h"
#include "lib/scratch.h"
#include "ssh/key_file_priv.h"

static char *folder;

static int make_folder(void **state)
{
    folder = scratch_make();
    return 0;
}

static int remove_folder(void **state)
{
    scratch_remove(folder);
    return 0;
}

/* In the folder; what it prints is in the file "said". */
static void run_there(const char *command)
{
    char *line CFS_AUTO_FREE = cfs_text_format("umask 077 && cd '%s' && exec >said && %s", folder, command);
    assert_non_null(line);
    scratch_must_run("sh", "-c", line, NULL);
}

static struct cfs_key_file *open_key(const char *name, const char *passphrase)
{
    char *path CFS_AUTO_FREE = scratch_path(folder, name);
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    if (cfs_key_file_open(path, &key, &error) < 0 || cfs_key_file_unlock(key, passphrase, NULL, &error) < 0)
        fail_msg("%s: %s", name, error.text);
    return key;
}

static void write_key(const struct cfs_key_file *key, const char *comment, const char *passphrase, const char *name)
{
    struct cfs_buffer text CFS_AUTO_BUFFER;
    char *path CFS_AUTO_FREE = scratch_path(folder, name);
    cfs_buffer_init_secret(&text);
    assert_int_equal(cfs_key_write_private(key, comment, passphrase, &text), 0);
    scratch_write(path, text.bytes, text.length, 0600);
}

/* The two-word public key that ssh-keygen -y derives. */
static char *derive_public(const char *name, const char *passphrase)
{
    char *command CFS_AUTO_FREE = cfs_text_format("ssh-keygen -y -P '%s' -f %s", passphrase, name);
    run_there(command);
    char *said CFS_AUTO_FREE = scratch_path(folder, "said");
    size_t length;
    char *text = scratch_read(said, &length);
    char *end = strchr(strchr(text, ' ') + 1, ' ');
    if (end)
        *end = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* NAME, in whatever form, written anew: ssh-keygen derives the public key that it had, and we read it, too. */
static void assert_rewritten(const char *name, const char *passphrase, const char *new_passphrase)
{
    struct cfs_key_file *key = open_key(name, passphrase);
    write_key(key, "who@where", new_passphrase, "rewritten");
    size_t length;
    const uint8_t *blob = cfs_key_file_public_blob(key, &length);
    char *expected CFS_AUTO_FREE = cfs_key_write_public(blob, length, NULL);
    char *derived CFS_AUTO_FREE = derive_public("rewritten", new_passphrase ? new_passphrase : "");
    assert_string_equal(derived, expected);
    struct cfs_key_file *again = open_key("rewritten", new_passphrase);
    assert_int_equal(EVP_PKEY_eq(again->private_key, key->private_key), 1);
    char *comment CFS_AUTO_FREE = cfs_key_file_comment(again);
    assert_string_equal(comment, "who@where");
    cfs_key_file_free(again);
    cfs_key_file_free(key);
}

static void test_ssh_keygen_reads_every_kind_that_was_written(void **state)
{
    static const char *const kinds[] = {"-t rsa -b 2048",  "-t rsa -b 4096",  "-t ecdsa -b 256",
                                        "-t ecdsa -b 384", "-t ecdsa -b 521", "-t ed25519"};
    for (size_t i = 0; i < CFS_COUNT(kinds); i++) {
        char *command CFS_AUTO_FREE = cfs_text_format("rm -f key key.pub && ssh-keygen -q -N '' %s -f key", kinds[i]);
        run_there(command);
        assert_rewritten("key", NULL, NULL);
        assert_rewritten("key", NULL, "a new one, with spaces");
    }
}

static void test_other_forms_become_openssh(void **state)
{
    run_there("rm -f key key.pub && ssh-keygen -q -m PEM -t ecdsa -b 384 -N '' -f key");
    assert_rewritten("key", NULL, "x");
    run_there("rm -f key key.pub && ssh-keygen -q -m PEM -t rsa -b 2048 -N 'old one' -f key");
    assert_rewritten("key", "old one", NULL);
    run_there("rm -f key key.pub && ssh-keygen -q -m PKCS8 -t rsa -b 2048 -N '' -f key");
    assert_rewritten("key", NULL, "x");
    run_there("openssl genpkey -algorithm ed25519 -out key8");
    assert_rewritten("key8", NULL, NULL);
}

static void test_the_comment_stays(void **state)
{
    run_there("rm -f key key.pub && ssh-keygen -q -t ed25519 -C 'alice at work' -N '' -f key");
    struct cfs_key_file *key = open_key("key", NULL);
    char *comment CFS_AUTO_FREE = cfs_key_file_comment(key);
    assert_string_equal(comment, "alice at work");
    cfs_key_file_free(key);
}

static void test_a_public_key_is_told_from_others(void **state)
{
    run_there("rm -f key key.pub && ssh-keygen -q -t ed25519 -N '' -f key");
    run_there("rm -f other other.pub && ssh-keygen -q -t ed25519 -N '' -f other");
    struct cfs_key_file *key = open_key("key", NULL);
    char *own CFS_AUTO_FREE = scratch_path(folder, "key.pub"), *other CFS_AUTO_FREE = scratch_path(folder, "other.pub");
    assert_true(cfs_key_file_is_public_file_of(key, own));
    assert_false(cfs_key_file_is_public_file_of(key, other));
    assert_false(cfs_key_file_is_public_file_of(key, folder));
    cfs_key_file_free(key);
}

static void test_what_cannot_be_written_is_refused(void **state)
{
    char *path CFS_AUTO_FREE = scratch_path(folder, "key");
    struct cfs_buffer text CFS_AUTO_BUFFER;
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    cfs_buffer_init_secret(&text);
    run_there("rm -f key key.pub && ssh-keygen -q -t ed25519 -N 'locked' -f key");
    assert_int_equal(cfs_key_file_open(path, &key, &error), 0);
    assert_int_equal(cfs_key_write_private(key, "", NULL, &text), -ENOKEY);
    assert_int_equal(cfs_key_file_unlock(key, "locked", NULL, &error), 0);
    assert_int_equal(cfs_key_write_private(key, "", "", &text), -EINVAL);
    assert_int_equal(text.length, 0);
    assert_null(cfs_key_write_public((const uint8_t *)"\0\0\0\xff", 4, NULL));
    cfs_key_file_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ssh_keygen_reads_every_kind_that_was_written),
        cmocka_unit_test(test_other_forms_become_openssh),
        cmocka_unit_test(test_the_comment_stays),
        cmocka_unit_test(test_a_public_key_is_told_from_others),
        cmocka_unit_test(test_what_cannot_be_written_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* Lines of authorized_keys: read as sshd reads them, edited without touching anything else; and what people give as
 * their public key. */
#include "lib/test.h"

#include "ssh/authorized_keys.h"

#include "base/text.h"
#include "lib/scratch.h"
#include "ssh/key_write.h"
#include "ssh/public_key.h"
#include <errno.h>

#define ALICE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define BOB   "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6P"

static struct cfs_authorized_keys parse(const char *text)
{
    struct cfs_authorized_keys keys = {0};
    assert_int_equal(cfs_authorized_keys_parse(text, strlen(text), &keys), 0);
    return keys;
}

static void test_lines_are_read_as_sshd_reads_them(void **state)
{
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS =
        parse("# a comment\n\n  \t\n" ALICE " alice@work  \r\n"                    /* 4 */
              "\tfrom=\"10.0.0.1,b c\",command=\"say \\\"hi there\\\"\" " BOB "\n" /* 5 */
              "nonsense\n"                                                         /* 6 */
              "from=\"open " ALICE "\n"                                            /* 7: a quote that is not closed */
              "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f wrong type\n" /* 8 */
              "cert-authority " ALICE " without a newline");
    assert_int_equal(keys.count, 3);
    assert_int_equal(keys.entries[0].line, 4);
    assert_null(keys.entries[0].options);
    assert_string_equal(keys.entries[0].comment, "alice@work");
    assert_int_equal(keys.entries[1].line, 5);
    assert_string_equal(keys.entries[1].options, "from=\"10.0.0.1,b c\",command=\"say \\\"hi there\\\"\"");
    assert_string_equal(keys.entries[1].comment, "");
    assert_int_equal(keys.entries[2].line, 9);
    assert_true(cfs_authorized_key_is_authority(&keys.entries[2]));
    assert_false(cfs_authorized_key_is_authority(&keys.entries[1]));
    assert_int_equal(keys.odd_count, 3);
    assert_int_equal(keys.odd[0], 6);
    assert_int_equal(keys.odd[2], 8);
    /* The authority's line is not the one that lets alice in. */
    const struct cfs_authorized_key *alice = &keys.entries[0], *authority = &keys.entries[2];
    assert_ptr_equal(cfs_authorized_keys_find(&keys, alice), alice);
    assert_ptr_equal(cfs_authorized_keys_find(&keys, authority), authority);
}

static void test_a_word_in_quotes_makes_no_authority(void **state)
{
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = parse(
        "command=\"a,cert-authority\" " ALICE "\nno-pty,CERT-AUTHORITY,restrict " BOB "\nx-cert-authority " BOB "\n");
    assert_int_equal(keys.count, 3);
    assert_false(cfs_authorized_key_is_authority(&keys.entries[0]));
    assert_true(cfs_authorized_key_is_authority(&keys.entries[1]));
    assert_false(cfs_authorized_key_is_authority(&keys.entries[2]));
}

static void assert_edit(int (*edit)(const struct cfs_buffer *, const struct cfs_authorized_keys *, struct cfs_buffer *,
                                    size_t *),
                        const char *before_text, const char *keys_text, size_t expected_count, const char *expected)
{
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = parse(keys_text);
    struct cfs_buffer before CFS_AUTO_BUFFER = {0}, after CFS_AUTO_BUFFER = {0};
    size_t count;
    cfs_buffer_add(&before, before_text, strlen(before_text));
    assert_int_equal(edit(&before, &keys, &after, &count), 0);
    cfs_buffer_add_u8(&after, 0);
    assert_string_equal((const char *)after.bytes, expected);
    assert_int_equal(count, expected_count);
}

static void test_keys_are_added_once_and_all_else_stays(void **state)
{
    assert_edit(cfs_authorized_keys_add, "", ALICE " a\n", 1, ALICE " a\n");
    assert_edit(cfs_authorized_keys_add, "# mine\r\nodd\n" ALICE, BOB " b\n", 1,
                "# mine\r\nodd\n" ALICE "\n" BOB " b\n");
    assert_edit(cfs_authorized_keys_add, "x\n" ALICE " a", ALICE " other comment\n", 0, "x\n" ALICE " a");
    assert_edit(cfs_authorized_keys_add, "no-pty " ALICE "\r\n", ALICE "\n" BOB "\n" BOB " again\n", 1,
                "no-pty " ALICE "\r\n" BOB "\n");
    assert_edit(cfs_authorized_keys_add, "", "from=\"10.0.0.1\" " ALICE " a\n", 1, "from=\"10.0.0.1\" " ALICE " a\n");
    /* An authority's line lets alice in by certificates alone. */
    assert_edit(cfs_authorized_keys_add, "cert-authority " ALICE "\n", ALICE "\n", 1,
                "cert-authority " ALICE "\n" ALICE "\n");
    assert_edit(cfs_authorized_keys_add, "cert-authority " ALICE "\n", "cert-authority " ALICE "\n", 0,
                "cert-authority " ALICE "\n");
    assert_edit(cfs_authorized_keys_add, "", "cert-authority " ALICE "\n" ALICE "\n" ALICE " again\n", 2,
                "cert-authority " ALICE "\n" ALICE "\n");
}

static void test_keys_are_removed_and_all_else_stays(void **state)
{
    assert_edit(cfs_authorized_keys_remove, "# c\r\n" ALICE " a\r\n\r\n" BOB, ALICE "\n", 1, "# c\r\n\r\n" BOB);
    assert_edit(cfs_authorized_keys_remove, ALICE "\nodd \t\nno-pty " ALICE " x\n" BOB, ALICE "\n", 2, "odd \t\n" BOB);
    assert_edit(cfs_authorized_keys_remove, "# c\n" BOB "\n", ALICE "\n", 0, "# c\n" BOB "\n");
    assert_edit(cfs_authorized_keys_remove, ALICE, ALICE, 1, "");
    assert_edit(cfs_authorized_keys_remove, "", ALICE, 0, "");
}

/* --- what people give --- */

static void assert_given(const char *text, bool may_have_options, size_t expected)
{
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0};
    struct cfs_error error = {0};
    if (cfs_public_keys_parse("FILE", text, strlen(text), may_have_options, &keys, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(keys.count, expected);
}

static void assert_refused(const char *text, bool may_have_options, int expected, const char *words)
{
    struct cfs_authorized_keys keys = {0};
    struct cfs_error error = {0};
    assert_int_equal(cfs_public_keys_parse("FILE", text, strlen(text), may_have_options, &keys, &error), expected);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    if (!strstr(error.text, words))
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
    assert_null(keys.entries);
}

static void test_public_keys_that_are_given(void **state)
{
    assert_given(ALICE "\n", false, 1);
    assert_given("\xef\xbb\xbf" ALICE " alice\r\n" BOB "\r\n", false, 2);
    assert_given("restrict " ALICE "\n", true, 1);
    assert_given("---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"alice at \\\r\nwork\"\r\n"
                 "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFB\r\nUWFxgZGhscHR4f\r\n"
                 "---- END SSH2 PUBLIC KEY ----\r\n",
                 false, 1);
}

static void test_what_is_no_public_key_is_refused(void **state)
{
    assert_refused("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", true, -ENOTSUP, "is a private key");
    assert_refused("PuTTY-User-Key-File-3: ssh-ed25519\n", true, -ENOTSUP, "is a private key");
    assert_refused(ALICE "\n-----BEGIN RSA PRIVATE KEY-----\n", true, -ENOTSUP, "is a private key");
    assert_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n", false, -ENOTSUP, "ssh-keygen -i");
    assert_refused("", false, -EBADMSG, "no public key");
    assert_refused("# only this\n", false, -EBADMSG, "no public key");
    assert_refused(ALICE "\nhello\n", false, -EBADMSG, "FILE:2 is not a public key");
    assert_refused("restrict " ALICE "\n", false, -EPERM, "FILE:1 has options");
    assert_refused("command=\"\x1b[2J\" " ALICE "\n", true, -EBADMSG, "control characters");
    assert_refused("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAEAABAgMEBQYHCAkKCwwNDg8=\n", false, -EBADMSG, "damaged");
    assert_refused("ssh-dss AAAAB3NzaC1kc3M=\n", false, -EOPNOTSUPP, "today's servers");
    assert_refused("ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t\n", false,
                   -EOPNOTSUPP, "is a certificate");
    assert_refused("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", false, -EBADMSG, "not a public key");
}

/* --- what ssh-keygen makes --- */

static void test_keys_are_described_as_ssh_keygen_does(void **state)
{
    static const char *const kinds[] = {"-t rsa -b 2048",  "-t rsa -b 3071",  "-t ecdsa -b 256",
                                        "-t ecdsa -b 384", "-t ecdsa -b 521", "-t ed25519"};
    char *folder = scratch_make();
    char *public_path = scratch_path(folder, "key.pub"), *said_path = scratch_path(folder, "said");
    for (size_t i = 0; i < CFS_COUNT(kinds); i++) {
        char *command =
            cfs_text_format("cd '%s' && rm -f key key.pub && ssh-keygen -q -N '' %s -C 'some body' -f key && "
                            "ssh-keygen -lf key.pub >said",
                            folder, kinds[i]);
        scratch_must_run("sh", "-c", command, NULL);
        free(command);
        struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0};
        struct cfs_error error = {0};
        if (cfs_public_keys_read(public_path, false, &keys, &error) < 0)
            fail_msg("%s", error.text);
        size_t length;
        char *said = scratch_read(said_path, &length), *text = cfs_authorized_key_describe(&keys.entries[0]);
        said[strcspn(said, "\n")] = '\0';
        assert_string_equal(text, said);
        free(said);
        free(text);
    }
    free(public_path);
    free(said_path);
    scratch_remove(folder);
}

static void test_blobs_of_other_shapes_are_damaged(void **state)
{
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = parse(ALICE "\n");
    struct cfs_public_key_facts facts;
    uint8_t longer[128];
    size_t length = keys.entries[0].blob_length;
    assert_int_equal(cfs_public_key_check(keys.entries[0].blob, length, &facts), 0);
    memcpy(longer, keys.entries[0].blob, length);
    longer[length] = 0;
    assert_int_equal(cfs_public_key_check(longer, length + 1, &facts), -EBADMSG);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(cfs_public_key_check(longer, cut, &facts), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_read_as_sshd_reads_them),
        cmocka_unit_test(test_a_word_in_quotes_makes_no_authority),
        cmocka_unit_test(test_keys_are_added_once_and_all_else_stays),
        cmocka_unit_test(test_keys_are_removed_and_all_else_stays),
        cmocka_unit_test(test_public_keys_that_are_given),
        cmocka_unit_test(test_what_is_no_public_key_is_refused),
        cmocka_unit_test(test_keys_are_described_as_ssh_keygen_does),
        cmocka_unit_test(test_blobs_of_other_shapes_are_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Certificates of OpenSSH, as ssh-keygen makes them: what is read, what is refused, and why a server does not take
 * one. */
#include "lib/test.h"

#include "ssh/certificate.h"

#include "base/text.h"
#include "lib/scratch.h"
#include "ssh/key_file_priv.h"

static char *folder, *authority;

static int set_up(void **state)
{
    folder = scratch_make();
    authority = scratch_path(folder, "ca");
    int code = scratch_run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority, NULL);
    if (code == 127)
        skip();
    assert_int_equal(code, 0);
    return 0;
}

static int tear_down(void **state)
{
    free(authority);
    scratch_remove(folder);
    return 0;
}

/* A new key, and a certificate for it, signed with what stands in OPTIONS (words of a shell). */
static void make(const char *type, const char *options, struct cfs_buffer *ret_key, struct cfs_buffer *ret_certificate)
{
    char *command = cfs_text_format("cd '%s' && rm -f key key.pub key-cert.pub && ssh-keygen -q -t %s -N '' -f key && "
                                    "ssh-keygen -q -s ca -I id %s key.pub",
                                    folder, type, options);
    scratch_must_run("sh", "-c", command, NULL);
    char *key = scratch_path(folder, "key.pub"), *certificate = scratch_path(folder, "key-cert.pub");
    assert_int_equal(cfs_key_read_public_file(key, ret_key), 0);
    assert_int_equal(cfs_key_read_public_file(certificate, ret_certificate), 0);
    free(command);
    free(key);
    free(certificate);
}

static void test_every_kind_of_key(void **state)
{
    static const char *const types[] = {"ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "rsa -b 2048"};
    for (size_t i = 0; i < CFS_COUNT(types); i++) {
        struct cfs_buffer key CFS_AUTO_BUFFER = {0}, blob CFS_AUTO_BUFFER = {0};
        struct cfs_certificate certificate CFS_AUTO_CERTIFICATE = {0};
        make(types[i], "-n alice,bob -V 20200101000000:20300101000000 -O source-address=192.0.2.0/24", &key, &blob);
        assert_true(cfs_certificate_is_one(blob.bytes, blob.length));
        assert_false(cfs_certificate_is_one(key.bytes, key.length));
        assert_int_equal(cfs_certificate_parse(blob.bytes, blob.length, &certificate), 0);
        assert_int_equal(certificate.kind, CFS_CERTIFICATE_USER);
        assert_int_equal(certificate.key.length, key.length);
        assert_memory_equal(certificate.key.bytes, key.bytes, key.length);
        assert_int_equal(certificate.blob.length, blob.length);
        assert_string_equal(certificate.principals[0], "alice");
        assert_string_equal(certificate.principals[1], "bob");
        assert_null(certificate.principals[2]);
        assert_true(certificate.valid_after >= 1577750400 && certificate.valid_after <= 1577923200);
        assert_true(certificate.valid_before >= 1893369600 && certificate.valid_before <= 1893542400);
        assert_string_equal(certificate.source_addresses, "192.0.2.0/24");
        assert_memory_equal(certificate.authority, "ssh-ed25519 SHA256:", 19);
    }
}

static void test_a_certificate_of_a_host(void **state)
{
    struct cfs_buffer key CFS_AUTO_BUFFER = {0}, blob CFS_AUTO_BUFFER = {0};
    struct cfs_certificate certificate CFS_AUTO_CERTIFICATE = {0};
    make("ed25519", "-h -n host.example", &key, &blob);
    assert_int_equal(cfs_certificate_parse(blob.bytes, blob.length, &certificate), 0);
    assert_int_equal(certificate.kind, CFS_CERTIFICATE_HOST);
    char text[300];
    cfs_certificate_describe(&certificate, text, sizeof(text));
    assert_non_null(
        strstr(text, "of a host, for host.example, valid until the end of time, signed by ssh-ed25519 SHA256:"));
}

/* A parser that reads beyond what it was given is caught by the sanitizer: the bytes lie in memory of exactly that
 * size.
 */
static int parse_exactly(const uint8_t *bytes, size_t length)
{
    struct cfs_certificate certificate CFS_AUTO_CERTIFICATE = {0};
    uint8_t *copy CFS_AUTO_FREE = malloc(length + (length == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    return cfs_certificate_parse(copy, length, &certificate);
}

static void test_what_is_cut_or_longer_is_refused(void **state)
{
    struct cfs_buffer key CFS_AUTO_BUFFER = {0}, blob CFS_AUTO_BUFFER = {0};
    make("ecdsa", "-n alice -O source-address=192.0.2.0/24", &key, &blob);
    for (size_t length = 0; length < blob.length; length++)
        assert_int_equal(parse_exactly(blob.bytes, length), -EBADMSG);
    assert_int_equal(parse_exactly(blob.bytes, blob.length), 0);
    cfs_buffer_add_u8(&blob, 0);
    assert_int_equal(parse_exactly(blob.bytes, blob.length), -EBADMSG);
    assert_int_equal(parse_exactly(key.bytes, key.length), -EBADMSG);
}

static void test_another_kind_of_key_is_told(void **state)
{
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    cfs_buffer_add_text(&blob, "ssh-dss-cert-v01@openssh.com");
    assert_true(cfs_certificate_is_one(blob.bytes, blob.length));
    assert_int_equal(parse_exactly(blob.bytes, blob.length), -EOPNOTSUPP);
}

static void assert_explains(const char *options, const char *user, time_t now, bool by_itself, const char *part)
{
    struct cfs_buffer key CFS_AUTO_BUFFER = {0}, blob CFS_AUTO_BUFFER = {0};
    struct cfs_certificate certificate CFS_AUTO_CERTIFICATE = {0};
    char text[400], cut[20];
    make("ed25519", options, &key, &blob);
    assert_int_equal(cfs_certificate_parse(blob.bytes, blob.length, &certificate), 0);
    assert_int_equal(cfs_certificate_explain(&certificate, user, now, text, sizeof(text)), by_itself);
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
    cfs_certificate_explain(&certificate, user, now, cut, sizeof(cut));
    assert_memory_equal(cut, text, sizeof(cut) - 1);
}

static void test_why_a_server_does_not_take_it(void **state)
{
    static const char limits[] = "-n alice,bob -V 20200101000000:20200301000000";
    enum { MIDDLE = 1580515200 }; /* 2020-02-01 */
    assert_explains(limits, "alice", MIDDLE + 366 * 86400, true, "has expired, it was valid until 2020-0");
    assert_explains(limits, "alice", MIDDLE - 366 * 86400, true, "not valid before 20");
    assert_explains(limits, "carol", MIDDLE, true, "is for alice, bob, and not for carol");
    assert_explains(limits, "alice", MIDDLE, false, "none that the server trusts");
    assert_explains("-V always:forever", "alice", MIDDLE, true, "names no user");
    assert_explains("-n alice -O source-address=192.0.2.0/24", "alice", time(NULL), false, "not in 192.0.2.0/24");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_kind_of_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_certificate_of_a_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_cut_or_longer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_kind_of_key_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_why_a_server_does_not_take_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

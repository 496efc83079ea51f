/* The order and the sentences of a login: keys, several factors, and how it ends. */
#include "ssh/scripted_login.h"

#include <errno.h>

/* --- keys --- */

static void test_the_first_key_that_is_taken_signs(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    add_identity("ecdsa", "", "RFC4716");
    server.lists[0] = "publickey,password";
    server.key = &public_keys[1];
    server.algorithm = "ecdsa-sha2-nistp256";
    assert_int_equal(log_in(), 0);
    assert_int_equal(strncmp(server.log, "key key signed:", 15), 0);
    assert_non_null(strstr(method, "publickey /tmp/"));
    assert_true(server.waits > 0);
    assert_int_equal(fake.asked, 0);
    assert_int_equal(fake.told, 1); /* the banner */
    assert_string_equal(fake.last, "Welcome\nto ?[31m");
}

static void test_the_passphrase_is_asked_for_only_when_the_key_is_taken(void **state)
{
    add_identity("ed25519", "one", "RFC4716");
    add_identity("ed25519", "two", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[1];
    server.algorithm = "ssh-ed25519";
    fake.answers[0] = "two";
    assert_int_equal(log_in(), 0);
    assert_int_equal(fake.asked, 1);
    assert_string_equal(server.log, "key key signed:64 ");
    assert_true(server.pauses > 0);
}

static void test_a_hidden_public_key_needs_its_passphrase_first(void **state)
{
    add_identity("ecdsa", "long one", "PEM");
    char *public_path = NULL;
    assert_true(asprintf(&public_path, "%s.pub", identity_paths[0]) > 0);
    assert_int_equal(unlink(public_path), 0);
    free(public_path);
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    server.algorithm = "ecdsa-sha2-nistp256";
    fake.answers[0] = "long one";
    assert_int_equal(log_in(), 0);
    assert_int_equal(fake.asked, 1);
}

static void test_a_wrong_passphrase_says_so(void **state)
{
    static char wrong[] = "wrong";
    add_identity("ed25519", "right", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    server.algorithm = "ssh-ed25519";
    profile.passphrase = wrong;
    fake.nobody = true;
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_says("passphrase");
    assert_says(identity_paths[0]);
    assert_string_equal(server.log, "key unsigned ");
    fake.nobody = false;
    profile.passphrase = NULL;
    error = (struct cfs_error){0};
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
}

static void test_refused_keys_are_named(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says(identity_paths[0]);
    assert_says("SHA256:");
    assert_says("add the public key");
    assert_says("It accepts: publickey.");
}

static void test_not_more_than_five_keys_are_offered(void **state)
{
    for (int i = 0; i < 7; i++)
        add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key key key key key ");
    assert_says("2 more keys were not offered");
}

static void test_sha1_signatures_are_not_made(void **state)
{
    add_identity("rsa", "", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    server.algorithm = "ssh-rsa";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key unsigned ");
    assert_says("SHA-1");
    error = (struct cfs_error){0};
    server.algorithm = "rsa-sha2-512";
    assert_int_equal(log_in(), 0);
}

static void test_a_server_that_takes_no_rsa(void **state)
{
    add_identity("rsa", "", "RFC4716");
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key "); /* libssh2 would offer the other under the wrong name */
    assert_says("takes no RSA keys");
}

static void test_a_missing_identity_file_is_the_failure_when_nothing_was_offered(void **state)
{
    identity_paths[0] = scratch_path(folder, "missing");
    profile.identity_files = identity_paths;
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_says("does not exist");
    assert_string_equal(server.log, "");
}

static void test_no_key_at_all(void **state)
{
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("there is no key to offer");
    assert_says("identity_file");
    error = (struct cfs_error){0};
    profile.identity_agent = folder;
    assert_int_equal(log_in(), -EACCES);
    assert_says("the agent at");
}

static void test_the_usual_files_are_found(void **state)
{
    char *ssh = scratch_path(folder, ".ssh"), *path = scratch_path(folder, ".ssh/id_ed25519");
    scratch_must_run("mkdir", ssh, NULL);
    scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, NULL);
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key ");
    assert_says(path);
    free(ssh);
    free(path);
}

/* --- several factors --- */

static void test_a_key_and_then_a_code(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey", server.lists[1] = "keyboard-interactive";
    server.key = &public_keys[0];
    server.algorithm = "ssh-ed25519";
    server.prompts[0] = "Code: ";
    server.answers[0] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "key signed:64 interactive:123456 ");
    assert_non_null(strstr(method, "publickey /tmp/"));
    assert_non_null(strstr(method, ", keyboard-interactive"));
}

static void test_a_second_factor_that_cannot_be_given(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey", server.lists[1] = "keyboard-interactive";
    server.key = &public_keys[0];
    server.algorithm = "ssh-ed25519";
    fake.nobody = true;
    assert_int_equal(log_in(), -EACCES);
    assert_says("wants more");
    assert_says("nobody can be asked");
    assert_says("keyboard-interactive");
}

static void test_a_password_and_then_a_code(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "password", server.lists[1] = "keyboard-interactive";
    server.password = "secret";
    server.prompts[0] = "Code: ";
    server.answers[0] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:secret interactive:123456 ");
}

static void test_a_server_that_wants_nothing(void **state)
{
    assert_int_equal(log_in(), 0);
    assert_string_equal(method, "none");
}

static void test_methods_that_we_do_not_have(void **state)
{
    server.lists[0] = "gssapi-with-mic,hostbased";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("gssapi-with-mic");
}

/* --- the connection ends --- */

static void test_too_many_attempts(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    server.cut_after = 2;
    server.disconnect = "Too many authentication failures";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("too many attempts");
    assert_says("identities_only");
    assert_says(identity_paths[0]);
}

static void test_too_many_wrong_answers(void **state)
{
    server.lists[0] = "password";
    server.password = "right";
    fake.answers[0] = "wrong", fake.answers[1] = "again";
    server.cut_after = 2;
    server.disconnect = "Too many authentication failures";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("after too many wrong answers.");
    assert_null(strstr(error.text, "identit"));
}

static void test_a_connection_that_is_cut(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey,password";
    server.cut_after = 1;
    assert_int_equal(log_in(), -ECONNRESET);
    assert_int_equal(error.failure, CFS_FAILURE_LOST);
    assert_int_equal(fake.asked, 0); /* no password is asked for */
}

static int time_out(struct cfs_ssh_waiter *waiter_)
{
    return -ETIMEDOUT;
}

static int cancel(struct cfs_ssh_waiter *waiter_)
{
    return -ECANCELED;
}

static void test_waiting_ends(void **state)
{
    server.lists[0] = "password";
    waiter.wait = time_out;
    assert_int_equal(log_in(), -ETIMEDOUT);
    assert_int_equal(error.failure, CFS_FAILURE_TIMEOUT);
    assert_says("login_timeout");
    waiter.wait = cancel;
    error = (struct cfs_error){0};
    server.busy = false;
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scripted_login_set_up, scripted_login_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_key_that_is_taken_signs),
        TEST(test_the_passphrase_is_asked_for_only_when_the_key_is_taken),
        TEST(test_a_hidden_public_key_needs_its_passphrase_first),
        TEST(test_a_wrong_passphrase_says_so),
        TEST(test_refused_keys_are_named),
        TEST(test_not_more_than_five_keys_are_offered),
        TEST(test_sha1_signatures_are_not_made),
        TEST(test_a_server_that_takes_no_rsa),
        TEST(test_a_missing_identity_file_is_the_failure_when_nothing_was_offered),
        TEST(test_no_key_at_all),
        TEST(test_the_usual_files_are_found),
        TEST(test_a_key_and_then_a_code),
        TEST(test_a_second_factor_that_cannot_be_given),
        TEST(test_a_password_and_then_a_code),
        TEST(test_a_server_that_wants_nothing),
        TEST(test_methods_that_we_do_not_have),
        TEST(test_too_many_attempts),
        TEST(test_too_many_wrong_answers),
        TEST(test_a_connection_that_is_cut),
        TEST(test_waiting_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

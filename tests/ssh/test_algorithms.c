/* What we offer: host keys that known_hosts knows come first, certificates never. */
#include "lib/sshd.h"
#include "lib/test.h"
#include "ssh/algorithms.h"

static void known_types_come_first_and_all_are_offered(void **state)
{
    char list[CFS_SSH_ALGORITHM_LIST];
    char rsa[] = "ssh-rsa", nistp384[] = "ecdsa-sha2-nistp384", unknown[] = "ssh-dss";
    char *types[] = {rsa, unknown, nistp384, NULL};
    cfs_ssh_host_key_order(types, list);
    assert_string_equal(list, "ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256,"
                              "ecdsa-sha2-nistp521");
}

static void without_known_types_the_usual_order_stands(void **state)
{
    char list[CFS_SSH_ALGORITHM_LIST];
    char *types[] = {NULL};
    const char *expected = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"
                           "rsa-sha2-256";
    cfs_ssh_host_key_order(types, list);
    assert_string_equal(list, expected);
    cfs_ssh_host_key_order(NULL, list);
    assert_string_equal(list, expected);
    assert_null(strstr(list, "cert"));
}

static void libssh2_takes_our_lists(void **state)
{
    struct cfs_profile *profile = test_profile_new(22);
    struct cfs_error error = {0};
    assert_int_equal(libssh2_init(0), 0);
    LIBSSH2_SESSION *session = libssh2_session_init();
    assert_non_null(session);
    assert_int_equal(cfs_ssh_set_algorithms(session, profile, NULL, &error), 0);
    profile->compression = true;
    assert_int_equal(cfs_ssh_set_algorithms(session, profile, NULL, &error), 0);
    profile->ciphers = strdup("3des-nothing");
    assert_int_equal(cfs_ssh_set_algorithms(session, profile, NULL, &error), -EINVAL);
    assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
    assert_non_null(strstr(error.text, "3des-nothing"));
    libssh2_session_free(session);
    libssh2_exit();
    test_profile_free(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_types_come_first_and_all_are_offered),
        cmocka_unit_test(without_known_types_the_usual_order_stands),
        cmocka_unit_test(libssh2_takes_our_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

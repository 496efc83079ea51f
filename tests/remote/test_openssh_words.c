/* What ssh(1) says: facts for status, and failures with their kinds, from what OpenSSH 9.2 has said. */
#include "remote/openssh_words.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "lib/test.h"
#include <errno.h>
#include <string.h>

static void say(struct cfs_openssh_words *words, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)cfs_openssh_words_take(words, lines[i]);
}
#define SAY(words, ...) say(words, (const char *const[]){__VA_ARGS__}, CFS_COUNT(((const char *const[]){__VA_ARGS__})))

static void facts_are_found(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.22", "debug1: Connecting to gpu [192.0.2.7] port 2222.",
        "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.9",
        "debug1: kex: algorithm: sntrup761x25519-sha512",
        "debug1: kex: server->client cipher: aes128-ctr MAC: hmac-sha2-256 compression: none",
        "debug1: Server host key: ssh-ed25519 SHA256:8rUuL",
        "debug1: Host 'gpu' is known and matches the ED25519 host key.",
        "debug1: Server accepts key: /k/one ED25519 SHA256:abc explicit");
    assert_false(words.is_authenticated);
    SAY(&words, "Authenticated to gpu ([192.0.2.7]:2222) using \"publickey\".");
    assert_true(words.is_authenticated && words.is_host_known && words.facts.is_openssh);
    assert_string_equal(words.facts.address, "192.0.2.7 port 2222");
    assert_string_equal(words.facts.server_banner, "OpenSSH_9.9");
    assert_string_equal(words.facts.cipher, "aes128-ctr");
    assert_string_equal(words.facts.mac, "hmac-sha2-256");
    assert_string_equal(words.facts.kex, "sntrup761x25519-sha512");
    assert_string_equal(words.facts.host_key_type, "ssh-ed25519");
    assert_string_equal(words.facts.host_key_fingerprint, "SHA256:8rUuL");
    assert_string_equal(words.facts.login_method, "publickey /k/one ED25519 SHA256:abc explicit");
    assert_string_equal(words.facts.login_key, "SHA256:abc");
}

static void other_methods_are_told(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, "debug1: Server accepts key: /k/one ED25519 SHA256:abc explicit",
        "Authenticated to gpu (via proxy) using \"keyboard-interactive\".");
    assert_string_equal(words.facts.login_method, "keyboard-interactive");
    assert_string_equal(words.facts.login_key, "");
}

/* A touch is needed each time; of a key that was only looked at it is not. */
static void a_security_key_counts_where_it_has_logged_in(void **state)
{
    static const char accepted[] = "debug1: Server accepts key: /k/sk ED25519-SK SHA256:abc explicit authenticator";
    struct cfs_openssh_words by_key = {0}, by_password = {0}, by_both = {0};
    SAY(&by_key, accepted, "Authenticated to gpu ([192.0.2.7]:22) using \"publickey\".");
    assert_true(by_key.is_touched);
    SAY(&by_password, accepted, "Authenticated to gpu ([192.0.2.7]:22) using \"password\".");
    assert_false(by_password.is_touched);
    SAY(&by_both, accepted, "Authenticated using \"publickey\" with partial success.",
        "Authenticated to gpu ([192.0.2.7]:22) using \"password\".");
    assert_true(by_both.is_touched && by_both.is_partial);
}

/* With LogLevel VERBOSE in ssh_config the ssh that ProxyJump starts says when it is logged in. */
static void the_login_at_a_jump_host_is_not_the_login(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, "debug1: Executing proxy command: exec ssh -W '[gpu]:22' gate",
        "Authenticated to gate ([192.0.2.1]:22) using \"publickey\".");
    assert_false(words.is_authenticated);
    SAY(&words, "debug1: Server host key: ssh-ed25519 SHA256:own",
        "Authenticated to gpu (via proxy) using \"password\".");
    assert_true(words.is_authenticated);
    assert_string_equal(words.facts.login_method, "password");
}

#define JUMP                                                                                                           \
    "debug1: Setting implicit ProxyCommand from ProxyJump: ssh -W '[%h]:%p' gate",                                     \
        "debug1: Executing proxy command: exec ssh -W '[gpu]:22' gate"
#define GATE                                                                                                           \
    JUMP, "debug1: Connecting to gate [192.0.2.1] port 22.",                                                           \
        "debug1: Remote protocol version 2.0, remote software version Gate_1",                                         \
        "debug1: Authenticating to gate:22 as 'a'"

/* Where ssh_config has LogLevel DEBUG for it. */
static void the_host_key_of_a_jump_host_is_not_the_host_s(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, GATE, "debug1: kex: algorithm: gates", "debug1: Server host key: ssh-rsa SHA256:gate",
        "debug1: Host 'gate' is known and matches the RSA host key.", "debug1: SSH2_MSG_NEWKEYS sent",
        "Authenticated to gate ([192.0.2.1]:22) using \"publickey\".");
    assert_false(words.is_authenticated || words.is_host_known || words.has_keys);
    SAY(&words, "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.9",
        "debug1: Authenticating to gpu:22 as 'alice'", "debug1: kex: algorithm: own",
        "debug1: Server host key: ssh-ed25519 SHA256:own", "debug1: SSH2_MSG_NEWKEYS sent",
        "Authenticated to gpu (via proxy) using \"publickey\".");
    assert_true(words.is_authenticated);
    assert_false(words.is_host_known);
    assert_string_equal(words.facts.host_key_fingerprint, "SHA256:own");
    assert_string_equal(words.facts.server_banner, "OpenSSH_9.9");
    assert_string_equal(words.facts.kex, "own");
}

static void a_second_jump_host_s_login_is_not_the_login(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, JUMP, "Authenticated to gate ([192.0.2.1]:22) using \"publickey\".",
        "Authenticated to middle (via proxy) using \"publickey\".",
        "Authenticated to gpu (via proxy) using \"publickey\".");
    assert_false(words.is_authenticated);
    SAY(&words, "debug1: Authenticating to gpu:22 as 'alice'", "Authenticated to middle (via proxy) using \"none\".",
        "Authenticated to gp (via proxy) using \"none\".");
    assert_false(words.is_authenticated);
    SAY(&words, "Authenticated to gpu (via proxy) using \"password\".");
    assert_true(words.is_authenticated);
}

/* By the banner of the jump host before, or of the host after. */
static void an_arrival_that_is_told_twice_proves_no_host_key(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, GATE, "debug1: Authenticating to gpu:22 as 'alice'", "debug1: Server host key: ssh-rsa SHA256:forged",
        "debug1: Host 'gpu' is known and matches the RSA host key.", "debug1: Authenticating to gpu:22 as 'alice'",
        "debug1: Server host key: ssh-ed25519 SHA256:own", "Authenticated to gpu (via proxy) using \"publickey\".");
    assert_true(words.is_authenticated);
    assert_false(words.is_host_known);
    assert_string_equal(words.facts.host_key_fingerprint, "");
}

/* It is ssh's first words that count there: the last ones are those of who waited for it. */
static void what_a_jump_host_refuses_is_the_cause(void **state)
{
    struct cfs_openssh_words words = {0};
    struct cfs_error error = {0};
    SAY(&words, GATE, "debug1: SSH2_MSG_NEWKEYS sent");
    assert_int_equal(cfs_openssh_explain(&words, "gpu",
                                         "ssh ended with exit status 255: a@gate: Permission denied (publickey).\n"
                                         "Connection closed by UNKNOWN port 65535",
                                         &error),
                     -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_false(cfs_openssh_words_take(&words, "Killed by signal 1."));
}

/* Its banner comes behind the host key. */
static void a_server_cannot_forge_its_host_key(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, "debug1: Server host key: ssh-ed25519 SHA256:first", "debug1: Server host key: ssh-rsa SHA256:second",
        "Authenticated to gpu ([192.0.2.7]:22) using \"password\".",
        "debug1: Host 'gpu' is known and matches the ED25519 host key.");
    assert_string_equal(words.facts.host_key_fingerprint, "SHA256:first");
    assert_string_equal(words.facts.host_key_type, "ssh-ed25519");
    assert_false(words.is_host_known);
}

/* ssh shows it before the login, line by line, as it shows its own. */
static void a_banner_does_not_make_the_host_known(void **state)
{
    struct cfs_openssh_words words = {0};
    SAY(&words, "debug1: Server host key: ssh-ed25519 SHA256:another", "debug1: SSH2_MSG_NEWKEYS sent",
        "debug1: Host 'gpu' is known and matches the ED25519 host key.",
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
        "Authenticated to gpu ([192.0.2.7]:22) using \"password\".");
    assert_true(words.is_authenticated);
    assert_false(words.is_host_known);
    assert_false(words.has_host_changed);
}

static void only_what_is_for_people_is_kept(void **state)
{
    struct cfs_openssh_words words = {0};
    assert_false(cfs_openssh_words_take(&words, "debug1: SSH2_MSG_NEWKEYS sent"));
    assert_false(cfs_openssh_words_take(&words, "@@@@@@@@@@@@@@@@"));
    assert_false(cfs_openssh_words_take(&words, "Authenticated to gpu ([192.0.2.7]:22) using \"publickey\"."));
    assert_false(cfs_openssh_words_take(&words, "Transferred: sent 3472, received 3280 bytes, in 0.8 seconds"));
    assert_true(cfs_openssh_words_take(&words, "subsystem request failed on channel 0"));
}

static void failures_have_their_kinds(void **state)
{
    static const struct {
        const char *reason;
        enum cfs_failure failure;
    } rows[] = {
        {"ssh: Could not resolve hostname no.such.invalid: Name or service not known", CFS_FAILURE_NAME},
        {"ssh: connect to host 127.0.0.1 port 1: Connection refused", CFS_FAILURE_CONNECT},
        {"ssh: connect to host 192.0.2.1 port 22: Connection timed out", CFS_FAILURE_TIMEOUT},
        {"Connection timed out during banner exchange", CFS_FAILURE_TIMEOUT},
        {"ssh: connect to host 192.0.2.1 port 22: No route to host", CFS_FAILURE_CONNECT},
        {"ssh: connect to host 192.0.2.1 port 22: Network is unreachable", CFS_FAILURE_CONNECT},
        {"Host key verification failed.", CFS_FAILURE_HOST_KEY},
        {"root@127.0.0.1: Permission denied (publickey,password).", CFS_FAILURE_LOGIN},
        {"Received disconnect from 127.0.0.1 port 22:2: Too many authentication failures", CFS_FAILURE_LOGIN},
        {"Unable to negotiate with 127.0.0.1 port 22: no matching cipher found. Their offer: x", CFS_FAILURE_PROTOCOL},
        {"command-line: line 0: Bad configuration option: wrong", CFS_FAILURE_CONFIG},
        {"Bad owner or permissions on /home/alice/.ssh/config", CFS_FAILURE_CONFIG},
        {"kex_exchange_identification: Connection closed by remote host", CFS_FAILURE_CONNECT},
        {"subsystem request failed on channel 0", CFS_FAILURE_NO_SFTP},
        {"something new", CFS_FAILURE_CONNECT},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        const struct cfs_openssh_words words = {0};
        struct cfs_error error = {0};
        assert_true(cfs_openssh_explain(&words, "gpu", rows[i].reason, &error) < 0);
        if (error.failure != rows[i].failure || !strstr(error.text, "gpu"))
            fail_msg("%s: %s", rows[i].reason, error.text);
    }
}

/* Banners of sites speak of those who may not come in. */
static void a_banner_is_no_cause(void **state)
{
    static const char *const banners[] = {"Unauthorised: Permission denied (by law).",
                                          "subsystem request failed: call 555. Sessions have timed out."};
    const struct cfs_openssh_words in_login = {.has_keys = true};
    struct cfs_openssh_words logged_in = {.has_keys = true, .is_authenticated = true};
    for (size_t i = 0; i < CFS_COUNT(banners); i++) {
        struct cfs_error error = {0};
        char *reason CFS_AUTO_FREE =
            cfs_text_format("ssh ended with exit status 255: %s\nConnection closed by 192.0.2.7 port 22", banners[i]);
        assert_int_equal(cfs_openssh_explain(&in_login, "gpu", reason, &error), -ECONNRESET);
        assert_int_equal(error.failure, CFS_FAILURE_CONNECT);
        assert_int_equal(cfs_openssh_explain(&logged_in, "gpu", reason, &error), -EIO);
    }
}

static void the_last_words_are_the_cause(void **state)
{
    static const char *const reasons[] = {
        "ssh ended with exit status 255: Welcome\nalice@gpu: Permission denied (publickey,password).",
        "ssh ended with exit status 255: Welcome\nReceived disconnect from 192.0.2.7 port 22:2: Too many "
        "authentication "
        "failures\nDisconnected from 192.0.2.7 port 22"};
    const struct cfs_openssh_words words = {.has_keys = true};
    for (size_t i = 0; i < CFS_COUNT(reasons); i++) {
        struct cfs_error error = {0};
        assert_int_equal(cfs_openssh_explain(&words, "gpu", reasons[i], &error), -EACCES);
        assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    }
}

static void a_changed_host_key_is_told_with_its_place(void **state)
{
    struct cfs_openssh_words words = {0};
    struct cfs_error error = {0};
    SAY(&words, "debug1: Server host key: ssh-ed25519 SHA256:new",
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "Offending ED25519 key in /home/alice/kh:7",
        "Host key verification failed.");
    assert_true(cfs_openssh_explain(&words, "gpu", "Host key verification failed.", &error) < 0);
    assert_int_equal(error.failure, CFS_FAILURE_HOST_KEY);
    assert_non_null(strstr(error.text, "The host key of gpu has changed: it shows ssh-ed25519 SHA256:new, another one "
                                       "stands in /home/alice/kh:7. "));
}

static void a_key_that_cannot_be_used_is_the_cause(void **state)
{
    struct cfs_openssh_words words = {0};
    struct cfs_error error = {0};
    SAY(&words, "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @", "Load key \"/k\": bad permissions");
    assert_true(cfs_openssh_explain(&words, "gpu",
                                    "Load key \"/k\": bad permissions\nx: Permission denied (publickey).", &error) < 0);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_null(strchr(error.text, '\n'));
    assert_non_null(
        strstr(error.text, "use a key: Load key \"/k\": bad permissions;x: Permission denied (publickey). A"));
}

static void what_ends_behind_the_login_is_the_server(void **state)
{
    struct cfs_openssh_words words = {.is_authenticated = true};
    struct cfs_error error = {0};
    assert_true(cfs_openssh_explain(&words, "gpu", "ssh ended with exit status 1", &error) < 0);
    assert_int_equal(error.failure, CFS_FAILURE_NO_SFTP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_found),
        cmocka_unit_test(other_methods_are_told),
        cmocka_unit_test(a_security_key_counts_where_it_has_logged_in),
        cmocka_unit_test(the_login_at_a_jump_host_is_not_the_login),
        cmocka_unit_test(the_host_key_of_a_jump_host_is_not_the_host_s),
        cmocka_unit_test(a_second_jump_host_s_login_is_not_the_login),
        cmocka_unit_test(an_arrival_that_is_told_twice_proves_no_host_key),
        cmocka_unit_test(what_a_jump_host_refuses_is_the_cause),
        cmocka_unit_test(a_server_cannot_forge_its_host_key),
        cmocka_unit_test(a_banner_does_not_make_the_host_known),
        cmocka_unit_test(only_what_is_for_people_is_kept),
        cmocka_unit_test(failures_have_their_kinds),
        cmocka_unit_test(a_banner_is_no_cause),
        cmocka_unit_test(the_last_words_are_the_cause),
        cmocka_unit_test(a_changed_host_key_is_told_with_its_place),
        cmocka_unit_test(a_key_that_cannot_be_used_is_the_cause),
        cmocka_unit_test(what_ends_behind_the_login_is_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

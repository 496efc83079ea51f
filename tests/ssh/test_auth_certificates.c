/* Logging in at a real sshd that trusts an authority (TrustedUserCAKeys): certificates of every kind of key, from files
 * and from an agent; and what is said of those that the server does not take. No key is authorized by itself. */
#include "lib/test.h"

#include "base/text.h"
#include "lib/fake_prompter.h"
#include "lib/scratch.h"
#include "lib/sshd.h"
#include "ssh/agent.h"
#include "ssh/session.h"

static struct test_sshd sshd;
static char *folder, *configuration;
static struct cfs_profile *profile;
static struct fake_prompter fake;
static struct cfs_error error;
static struct cfs_ssh_facts facts;

static void make_key(const char *name, const char *type, const char *bits, const char *passphrase)
{
    char *path = scratch_path(folder, name);
    scratch_must_run("ssh-keygen", "-q", "-t", type, "-b", bits, "-a", "1", "-N", passphrase, "-C", name, "-f", path,
                     NULL);
    free(path);
}

static int set_up(void **state)
{
    if (!test_sshd_available())
        skip();
    folder = scratch_make();
    make_key("ca", "ed25519", "256", "");
    make_key("other_ca", "ed25519", "256", "");
    configuration = cfs_text_format("TrustedUserCAKeys %s/ca.pub", folder);
    test_sshd_start(&sshd, configuration);
    profile = test_sshd_profile(&sshd);
    fake_prompter_init(&fake);
    fake.nobody = true;
    assert_int_equal(setenv("HOME", folder, 1), 0); /* no key of the tester's */
    return 0;
}

static int tear_down(void **state)
{
    cfs_words_free(profile->certificate_files);
    test_profile_free(profile);
    profile = NULL;
    test_sshd_stop(&sshd);
    free(configuration);
    scratch_remove(folder);
    return 0;
}

/* A certificate for the key, signed by the authority, beside it: NAME-cert.pub. */
static void sign_with(const char *authority, const char *name, const char *user, const char *validity)
{
    char *ca = scratch_path(folder, authority), *key = cfs_text_format("%s/%s.pub", folder, name);
    scratch_must_run("ssh-keygen", "-q", "-s", ca, "-I", "test", "-n", user, "-V", validity, key, NULL);
    free(ca);
    free(key);
}

static void sign(const char *name)
{
    sign_with("ca", name, sshd.user, "always:forever");
}

static cfs_words one_word(char *word)
{
    cfs_words words = calloc(2, sizeof(*words));
    assert_non_null(words);
    words[0] = word;
    return words;
}

static void use_identity(const char *name)
{
    cfs_words_free(profile->identity_files);
    profile->identity_files = one_word(scratch_path(folder, name));
}

/* The certificate of one key, in a file that stands beside no key. */
static void use_certificate(const char *name)
{
    char *beside = cfs_text_format("%s/%s-cert.pub", folder, name);
    char *elsewhere = scratch_path(folder, "certificate");
    scratch_must_run("mv", beside, elsewhere, NULL);
    free(beside);
    cfs_words_free(profile->certificate_files);
    profile->certificate_files = one_word(elsewhere);
}

static int log_in(void)
{
    struct cfs_ssh_session *session = NULL;
    error = (struct cfs_error){0};
    int result = cfs_ssh_connect(profile, &fake.prompter, -1, NULL, &session, &error);
    if (result == 0)
        cfs_ssh_session_facts(session, &facts);
    cfs_ssh_session_free(session);
    return result;
}

#define assert_logs_in(by)                                                                                             \
    do {                                                                                                               \
        if (log_in() != 0)                                                                                             \
            fail_msg("no login: %s", error.text);                                                                      \
        if (!strstr(facts.login_method, by))                                                                           \
            fail_msg("\"%s\" is not in: %s", by, facts.login_method);                                                  \
    } while (0)

#define assert_refused(part)                                                                                           \
    do {                                                                                                               \
        assert_int_equal(log_in(), -EACCES);                                                                           \
        assert_int_equal(error.failure, CFS_FAILURE_LOGIN);                                                            \
        if (!strstr(error.text, part))                                                                                 \
            fail_msg("\"%s\" is not in: %s", part, error.text);                                                        \
    } while (0)

static const struct {
    const char *name, *type, *bits;
} kinds[] = {{"k_ed25519", "ed25519", "256"},
             {"k_ecdsa256", "ecdsa", "256"},
             {"k_ecdsa384", "ecdsa", "384"},
             {"k_ecdsa521", "ecdsa", "521"},
             {"k_rsa", "rsa", "2048"}};

static void test_a_certificate_beside_its_key_logs_in(void **state)
{
    for (size_t i = 0; i < CFS_COUNT(kinds); i++) {
        make_key(kinds[i].name, kinds[i].type, kinds[i].bits, "");
        use_identity(kinds[i].name);
        assert_refused("does not take the key");
        sign(kinds[i].name);
        assert_logs_in("-cert.pub");
    }
}

static void test_a_certificate_that_is_named_logs_in(void **state)
{
    make_key("k", "ed25519", "256", "");
    sign("k");
    use_identity("k");
    use_certificate("k");
    assert_logs_in("/certificate");
}

static void test_a_passphrase_is_asked_for_once(void **state)
{
    make_key("k", "ecdsa", "256", "correct horse");
    sign("k");
    use_identity("k");
    fake.nobody = false;
    fake.answers[0] = "correct horse";
    assert_logs_in("-cert.pub");
    assert_int_equal(fake.asked, 1);
}

/* A form that hides the public half: nothing but the name says that the certificate is this key's. */
static void test_a_certificate_beside_a_key_that_is_hidden(void **state)
{
    make_key("k", "rsa", "2048", "");
    make_key("wrong", "rsa", "2048", "");
    char *command = cfs_text_format("cd '%s' && for f in k wrong; do ssh-keygen -q -p -P '' -N secret -m PEM -f $f; "
                                    "done >/dev/null",
                                    folder);
    scratch_must_run("sh", "-c", command, NULL);
    free(command);
    sign("k");
    command = cfs_text_format("cd '%s' && rm k.pub wrong.pub && cp k-cert.pub wrong-cert.pub", folder);
    scratch_must_run("sh", "-c", command, NULL);
    free(command);
    static char passphrase[] = "secret";
    profile->passphrase = passphrase;
    use_identity("k");
    assert_logs_in("k-cert.pub");
    use_identity("wrong");
    assert_int_equal(log_in(), -EACCES);
    assert_non_null(strstr(error.text, "wrong-cert.pub is not that of the key"));
}

/* --- agent --- */

static char *agent_path, *agent_variable;
static pid_t agent_process;

static bool listens(const char *path)
{
    struct cfs_agent *agent = NULL;
    if (cfs_agent_open(path, TEST_LIMIT_MS, &agent))
        return false;
    cfs_agent_free(agent);
    return true;
}

static void start_agent(void)
{
    agent_path = scratch_path(folder, "agent");
    agent_variable = cfs_text_format("SSH_AUTH_SOCK=%s", agent_path);
    agent_process = scratch_start("timeout", "900", "ssh-agent", "-D", "-a", agent_path, NULL);
    test_wait_until(listens(agent_path));
    profile->identity_agent = agent_path;
}

static void stop_agent(void)
{
    scratch_stop(agent_process);
    profile->identity_agent = NULL;
    free(agent_path);
    free(agent_variable);
}

static void test_certificates_of_an_agent(void **state)
{
    start_agent();
    profile->identities_only = false;
    for (size_t i = 0; i < CFS_COUNT(kinds); i++) {
        make_key(kinds[i].name, kinds[i].type, kinds[i].bits, "");
        sign(kinds[i].name);
        char *path = scratch_path(folder, kinds[i].name);
        scratch_must_run("env", agent_variable, "ssh-add", "-q", path, NULL); /* both */
        scratch_must_run("rm", path, NULL);
        use_identity("none");
        assert_logs_in("(in the agent)");
        scratch_must_run("env", agent_variable, "ssh-add", "-q", "-D", NULL);
        free(path);
    }
    stop_agent();
}

/* The key is the agent's, the certificate lies in a file. */
static void test_an_agent_signs_for_a_certificate_in_a_file(void **state)
{
    start_agent();
    make_key("k", "rsa", "2048", "");
    char *path = scratch_path(folder, "k");
    scratch_must_run("env", agent_variable, "ssh-add", "-q", path, NULL);
    scratch_must_run("rm", path, NULL);
    sign("k");
    use_identity("k"); /* k.pub is there */
    assert_logs_in("k-cert.pub");
    use_identity("none");
    use_certificate("k");
    assert_logs_in("/certificate");
    free(path);
    stop_agent();
}

/* --- failing twins --- */

static void test_what_is_said_of_a_certificate_that_is_refused(void **state)
{
    make_key("k", "ed25519", "256", "");
    use_identity("k");
    sign_with("ca", "k", sshd.user, "20200101:20210101");
    assert_refused("k-cert.pub: it has expired, it was valid until 202");
    sign_with("ca", "k", sshd.user, "20990101:forever");
    assert_refused("k-cert.pub: it is not valid before 209");
    sign_with("ca", "k", "somebody,else", "always:forever");
    assert_refused("it is for somebody, else, and not for ");
    sign_with("other_ca", "k", sshd.user, "always:forever");
    assert_refused("the authority that has signed it (ssh-ed25519 SHA256:");
    sign("k");
    assert_logs_in("k-cert.pub");
}

static void test_what_is_no_users_certificate_of_this_key(void **state)
{
    make_key("k", "ed25519", "256", "");
    make_key("l", "ed25519", "256", "");
    use_identity("k");
    sign("l");
    use_certificate("l");
    assert_refused("/certificate is for none of the keys");
    char *ca = scratch_path(folder, "ca"), *key = scratch_path(folder, "k.pub");
    scratch_must_run("ssh-keygen", "-q", "-h", "-s", ca, "-I", "test", "-n", sshd.user, key, NULL);
    assert_refused("k-cert.pub is a host's and not a user's");
    free(ca);
    free(key);
}

static void test_a_named_certificate_that_cannot_be_used(void **state)
{
    cfs_words_free(profile->identity_files);
    profile->identity_files = calloc(1, sizeof(*profile->identity_files));
    profile->certificate_files = one_word(strdup("/nowhere/certificate"));
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_non_null(strstr(error.text, "/nowhere/certificate does not exist. Correct certificate_file"));
    cfs_words_free(profile->certificate_files);
    profile->certificate_files = one_word(scratch_path(folder, "ca.pub"));
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_non_null(strstr(error.text, "is no certificate that can be read"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_certificate_beside_its_key_logs_in),
        TEST(test_a_certificate_that_is_named_logs_in),
        TEST(test_a_passphrase_is_asked_for_once),
        TEST(test_a_certificate_beside_a_key_that_is_hidden),
        TEST(test_certificates_of_an_agent),
        TEST(test_an_agent_signs_for_a_certificate_in_a_file),
        TEST(test_what_is_said_of_a_certificate_that_is_refused),
        TEST(test_what_is_no_users_certificate_of_this_key),
        TEST(test_a_named_certificate_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

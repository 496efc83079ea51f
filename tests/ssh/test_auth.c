/* Logging in at a real sshd with keys of every kind, from files and from an agent; which algorithm signs; several
 * factors; and what is said when the server does not let us in. */
#include "lib/test.h"

#include "base/text.h"
#include "lib/fake_prompter.h"
#include "lib/scratch.h"
#include "lib/sshd.h"
#include "ssh/agent.h"
#include "ssh/session.h"
#include <sys/stat.h>

static struct test_sshd sshd;
static struct cfs_profile *profile;
static struct fake_prompter fake;
static struct cfs_error error;
static struct cfs_ssh_facts facts;

static int start(const char *extra)
{
    if (!test_sshd_available())
        skip();
    test_sshd_start(&sshd, extra);
    profile = test_sshd_profile(&sshd);
    fake_prompter_init(&fake);
    fake.nobody = true;
    assert_int_equal(setenv("HOME", sshd.folder, 1), 0); /* no key of the tester's */
    return 0;
}

static int stop(void **state)
{
    test_profile_free(profile);
    profile = NULL;
    if (sshd.folder)
        test_sshd_stop(&sshd);
    return 0;
}

/* Makes a key in the server's folder; its path. */
static char *make_key(const char *name, const char *type, const char *passphrase, bool authorized)
{
    char *path = scratch_path(sshd.folder, name), command[512];
    scratch_must_run("ssh-keygen", "-q", "-t", type, "-a", "1", "-N", passphrase, "-C", name, "-f", path, NULL);
    snprintf(command, sizeof(command), "cat '%s.pub' >> '%s/authorized_keys'", path, sshd.folder);
    if (authorized)
        scratch_must_run("sh", "-c", command, NULL);
    return path;
}

static void use_identities(const char *first, const char *second)
{
    cfs_words_free(profile->identity_files);
    profile->identity_files = calloc(3, sizeof(*profile->identity_files));
    assert_non_null(profile->identity_files);
    if (first)
        profile->identity_files[0] = strdup(first);
    if (second)
        profile->identity_files[1] = strdup(second);
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

#define assert_logs_in()                                                                                               \
    do {                                                                                                               \
        if (log_in() != 0)                                                                                             \
            fail_msg("no login: %s", error.text);                                                                      \
    } while (0)

#define assert_says(part)                                                                                              \
    do {                                                                                                               \
        if (!strstr(error.text, part))                                                                                 \
            fail_msg("\"%s\" is not in: %s", part, error.text);                                                        \
    } while (0)

/* --- agent --- */

static char *agent_path;
static pid_t agent_process;

/* The socket is there before the agent listens. */
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
    agent_path = scratch_path(sshd.folder, "agent");
    agent_process = scratch_start("timeout", "900", "ssh-agent", "-D", "-a", agent_path, NULL);
    test_wait_until(listens(agent_path));
    profile->identity_agent = agent_path;
}

static void stop_agent(void)
{
    scratch_stop(agent_process);
    profile->identity_agent = NULL;
    free(agent_path);
}

static void add_to_agent(const char *path)
{
    char *variable = cfs_text_format("SSH_AUTH_SOCK=%s", agent_path);
    scratch_must_run("env", variable, "ssh-add", "-q", path, NULL);
    free(variable);
}

/* --- tests --- */

static void test_every_kind_of_key_logs_in(void **state)
{
    static const char *const types[] = {"rsa", "ecdsa", "ed25519"};
    start("");
    for (size_t i = 0; i < CFS_COUNT(types); i++) {
        char *path = make_key(types[i], types[i], "", true);
        use_identities(path, NULL);
        assert_logs_in();
        assert_non_null(strstr(facts.login_method, path));
        free(path);
    }
}

static void test_a_passphrase(void **state)
{
    start("");
    char *path = make_key("locked", "ed25519", "correct horse", true);
    use_identities(path, NULL);
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_says("nobody can be asked");
    fake.nobody = false;
    fake.answers[0] = "wrong", fake.answers[1] = "correct horse";
    assert_logs_in();
    assert_int_equal(fake.asked, 2);
    free(path);
}

static void test_keys_of_an_agent(void **state)
{
    static const char *const types[] = {"rsa", "ecdsa", "ed25519"};
    start("");
    start_agent();
    profile->identities_only = false;
    for (size_t i = 0; i < CFS_COUNT(types); i++) {
        char *path = make_key(types[i], types[i], "", true),
             *variable = cfs_text_format("SSH_AUTH_SOCK=%s", agent_path);
        add_to_agent(path);
        use_identities("/nowhere/key", NULL);
        assert_logs_in();
        assert_non_null(strstr(facts.login_method, types[i]));
        assert_non_null(strstr(facts.login_method, "in the agent"));
        scratch_must_run("env", variable, "ssh-add", "-q", "-D", NULL);
        free(variable);
        free(path);
    }
    stop_agent();
}

static void test_identities_only_keeps_the_agents_other_keys_back(void **state)
{
    start("");
    start_agent();
    char *path = make_key("one", "ed25519", "long secret", true), *other = make_key("other", "ed25519", "", false);
    add_to_agent(other);
    use_identities(other, NULL);
    char *accepted = make_key("accepted", "ed25519", "", true);
    add_to_agent(accepted);
    profile->identities_only = true;
    assert_int_equal(log_in(), -EACCES);
    assert_says(other);
    profile->identities_only = false;
    assert_logs_in();
    assert_non_null(strstr(facts.login_method, "accepted"));
    /* A locked file whose key the agent holds needs no passphrase; nor does its public half alone. */
    char *public_path = cfs_text_format("%s.pub", accepted), *hidden = cfs_text_format("%s.hidden", accepted);
    assert_int_equal(rename(accepted, hidden), 0);
    profile->identities_only = true;
    use_identities(accepted, NULL);
    assert_logs_in();
    use_identities(public_path, NULL);
    assert_logs_in();
    free(public_path);
    free(hidden);
    free(accepted);
    free(path);
    free(other);
    stop_agent();
}

static void test_a_server_without_rsa(void **state)
{
    start("PubkeyAcceptedAlgorithms ssh-ed25519\n");
    char *path = make_key("rsa", "rsa", "", true);
    use_identities(path, NULL);
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says(path); /* how it is refused depends on what this sshd announces */
    use_identities(path, sshd.identity_path);
    (void)log_in(); /* a libssh2 that found no algorithm is stuck with RSA; it must end all the same */
    free(path);
}

static void test_refused_keys(void **state)
{
    start("");
    char *one = make_key("one", "ed25519", "", false), *two = make_key("two", "ecdsa", "", false);
    use_identities(one, two);
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says(one);
    assert_says(two);
    assert_says("SHA256:");
    assert_says("add the public key");
    use_identities(one, sshd.identity_path);
    assert_logs_in();
    free(one);
    free(two);
}

/* The first key is offered before anything was heard; RSA keys may have to be offered once more. */
static void test_a_refused_rsa_key_is_told_once(void **state)
{
    start("");
    char *one = make_key("one", "rsa", "", false);
    use_identities(one, NULL);
    assert_int_equal(log_in(), -EACCES);
    assert_says("It accepts: ");
    const char *first = strstr(error.text, one);
    assert_non_null(first);
    assert_null(strstr(first + 1, one));
    use_identities(one, sshd.identity_path);
    assert_logs_in();
    free(one);
}

/* How many keys the server has refused. */
static unsigned count_refused(void)
{
    char *log CFS_AUTO_FREE = scratch_read(sshd.log_path, NULL);
    unsigned count = 0;
    for (const char *at = log; (at = strstr(at, "Failed publickey")); at++)
        count++;
    return count;
}

static void test_a_session_beside_offers_the_key_that_was_taken_first(void **state)
{
    struct cfs_ssh_session *session = NULL, *beside = NULL;
    start("");
    char *one = make_key("one", "ed25519", "", false);
    use_identities(one, sshd.identity_path);
    assert_int_equal(cfs_ssh_connect(profile, &fake.prompter, -1, NULL, &session, &error), 0);
    unsigned refused = count_refused();
    assert_int_equal(refused, 1);
    assert_int_equal(cfs_ssh_connect_beside(session, profile, -1, &beside, &error), 0);
    cfs_ssh_session_facts(beside, &facts);
    assert_non_null(strstr(facts.login_method, sshd.identity_path));
    assert_int_equal(count_refused(), refused);
    cfs_ssh_session_free(beside);
    cfs_ssh_session_free(session);
    free(one);
}

static void test_too_many_attempts(void **state)
{
    start("MaxAuthTries 1\n");
    char *one = make_key("one", "ed25519", "", false);
    use_identities(one, sshd.identity_path);
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("too many attempts");
    free(one);
}

static void test_two_keys_as_two_factors(void **state)
{
    start("AuthenticationMethods publickey,publickey\n");
    char *one = make_key("one", "ed25519", "", true);
    use_identities(one, NULL);
    assert_int_equal(log_in(), -EACCES);
    use_identities(one, sshd.identity_path);
    assert_logs_in();
    free(one);
}

static void test_no_key(void **state)
{
    start("");
    use_identities(NULL, NULL);
    assert_int_equal(log_in(), -EACCES);
    assert_says("no key to offer");
    use_identities("/nowhere/key", NULL);
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_says("/nowhere/key");
}

#define TEST(function) cmocka_unit_test_teardown(function, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_kind_of_key_logs_in),
        TEST(test_a_passphrase),
        TEST(test_keys_of_an_agent),
        TEST(test_identities_only_keeps_the_agents_other_keys_back),
        TEST(test_a_server_without_rsa),
        TEST(test_refused_keys),
        TEST(test_a_refused_rsa_key_is_told_once),
        TEST(test_a_session_beside_offers_the_key_that_was_taken_first),
        TEST(test_too_many_attempts),
        TEST(test_two_keys_as_two_factors),
        TEST(test_no_key),
    };
    if (cfs_ssh_library_init() < 0)
        return 1;
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cfs_ssh_library_fini();
    return failures;
}

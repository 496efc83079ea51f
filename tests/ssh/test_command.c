/* proxy_command: a session over a program's stdin and stdout (sshd -i); what the program says when it fails; its end.
 */
#include "conf/command.h"
#include "lib/scratch.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "ssh/session.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct test_sshd sshd;

static struct cfs_profile *profile_with(char *command)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    profile->proxy_command = command;
    profile->port = sshd.port;
    return profile;
}

static const char *program(void)
{
    return access("/usr/sbin/sshd", X_OK) == 0 ? "/usr/sbin/sshd" : "/usr/local/sbin/sshd";
}

static pid_t pid_in(const char *path)
{
    char *text CFS_AUTO_FREE = access(path, R_OK) == 0 ? scratch_read(path, NULL) : NULL;
    return text ? (pid_t)atoi(text) : 0;
}

static void a_session_goes_by_a_program_that_ends_with_it(void **state)
{
    char *path CFS_AUTO_FREE = scratch_path(sshd.folder, "pid"), *command CFS_AUTO_FREE = NULL;
    assert_true(asprintf(&command, "sh -c \"echo $$ >%s; exec %s -i -f %s\"", path, program(), sshd.config_path) > 0);
    struct cfs_profile *profile = profile_with(command);
    struct cfs_ssh_session *session = NULL, *beside = NULL, *again = NULL;
    struct cfs_error error = {0};
    if (cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error) < 0)
        fail_msg("%s", error.text);
    pid_t pid = pid_in(path);
    assert_true(pid > 0 && kill(pid, 0) == 0);
    assert_int_equal(cfs_ssh_connect_beside(session, profile, -1, &beside, &error), 0);
    assert_int_not_equal(pid_in(path), pid);
    assert_int_equal(cfs_ssh_connect_again(session, profile, NULL, -1, &again, &error), 0);
    cfs_ssh_session_free(again);
    cfs_ssh_session_free(beside);
    cfs_ssh_session_free(session);
    test_wait_until(kill(pid, 0) < 0 && errno == ESRCH); /* reaped, too */
    test_profile_free(profile);
}

static void refuse(char *command, enum cfs_failure failure, const char *text)
{
    struct cfs_profile *profile = profile_with(command);
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    int rc = cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error);
    if (rc >= 0 || error.failure != failure || !strstr(error.text, text))
        fail_msg("%d, %s: %s", rc, cfs_failure_name(error.failure), error.text);
    test_profile_free(profile);
}

static void what_the_program_says_is_told(void **state)
{
    char says[] = "sh -c \"echo no way to %h >&2; exit 3\"", missing[] = "/nowhere/program %h";
    refuse(says, CFS_FAILURE_CONNECT, "sh ended with exit status 3: no way to 127.0.0.1");
    if (scratch_spawn_tells())
        refuse(missing, CFS_FAILURE_CONFIG, "Cannot run /nowhere/program");
}

static void a_program_that_says_nothing_ends_at_the_timeout(void **state)
{
    char *path CFS_AUTO_FREE = scratch_path(sshd.folder, "silent"), *command CFS_AUTO_FREE = NULL;
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    assert_true(asprintf(&command, "sh -c \"echo $$ >%s; exec sleep 1000\"", path) > 0);
    struct cfs_profile *profile = profile_with(command);
    profile->connect_timeout_ms = 2000;
    assert_int_equal(cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error), -ETIMEDOUT);
    test_wait_until(pid_in(path) <= 0 || (kill(pid_in(path), 0) < 0 && errno == ESRCH));
    test_profile_free(profile);
}

static void a_name_cannot_become_an_option_or_a_command(void **state)
{
    cfs_words words = NULL;
    assert_int_equal(cfs_command_expand("nc \"x y\" %h:%p -l%r 100%%", "-o a;b", 22, "%h", &words), 0);
    const char *const expected[] = {"nc", "x y", "-o a;b:22", "-l%h", "100%"};
    for (size_t i = 0; i < CFS_COUNT(expected); i++)
        assert_string_equal(words[i], expected[i]);
    assert_null(words[CFS_COUNT(expected)]);
    cfs_words_free(words);
    static const char *const wrong[] = {"", " ", "nc %", "nc %d", "nc \"a", "\"\" a"};
    for (size_t i = 0; i < CFS_COUNT(wrong); i++)
        assert_int_equal(cfs_command_expand(wrong[i], "h", 22, "u", &words), -EINVAL);
}

static int stop(void **state)
{
    test_sshd_stop(&sshd);
    cfs_ssh_library_fini();
    return 0;
}

static int start(void **state)
{
    test_sshd_start(&sshd, "");
    return cfs_ssh_library_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_goes_by_a_program_that_ends_with_it),
        cmocka_unit_test(what_the_program_says_is_told),
        cmocka_unit_test(a_program_that_says_nothing_ends_at_the_timeout),
        cmocka_unit_test(a_name_cannot_become_an_option_or_a_command),
    };
    if (!test_sshd_available()) {
        print_message("sshd or ssh-keygen is missing\n");
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}

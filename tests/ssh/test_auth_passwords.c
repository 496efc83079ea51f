/* Passwords, codes and other questions of a login, and the program that answers for the user (password_command). */
#include "ssh/scripted_login.h"

#include "base/text.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* --- questions and passwords --- */

static void test_a_password_of_the_profile(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "publickey,password";
    server.password = "secret";
    fake.nobody = true;
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:secret ");
    assert_string_equal(method, "password");
}

static void test_a_wrong_password_of_the_profile_is_sent_once(void **state)
{
    static char password[] = "wrong";
    profile.password = password;
    server.lists[0] = "keyboard-interactive,password";
    server.prompts[0] = "Password: ";
    server.answers[0] = "secret";
    server.password = "secret";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "interactive:wrong ");
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("password of the profile is wrong");
    assert_null(strstr(error.text, "wrong wrong"));
    assert_int_equal(fake.asked, 0);
}

static void test_the_password_is_asked_for_three_times(void **state)
{
    server.lists[0] = "password";
    server.password = "third";
    fake.answers[0] = "first", fake.answers[1] = "second", fake.answers[2] = "third";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:first password:second password:third ");
    assert_non_null(strstr(fake.last, "alice"));
    assert_false(fake.echo);
}

static void test_nobody_can_be_asked(void **state)
{
    fake.nobody = true;
    server.lists[0] = "keyboard-interactive,password";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "");
    assert_says("nobody can be asked");
}

static void test_giving_up_ends_the_login(void **state)
{
    server.lists[0] = "keyboard-interactive,password";
    server.prompts[0] = "Code: ";
    server.prompts[1] = "Again: ";
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    assert_int_equal(fake.asked, 1);
    server.lists[0] = "password";
    error = (struct cfs_error){0};
    assert_int_equal(log_in(), -ECANCELED);
}

static void test_an_expired_password(void **state)
{
    server.lists[0] = "password";
    server.expired = true;
    fake.answers[0] = "secret";
    assert_int_equal(log_in(), -EKEYEXPIRED);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("expired");
}

static void test_several_questions(void **state)
{
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Name\x07: ", server.prompts[1] = "Code: ";
    server.echoes[0] = true;
    server.answers[0] = "bob", server.answers[1] = "123456";
    fake.answers[0] = "bob", fake.answers[1] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "interactive:bob 123456 ");
    assert_string_equal(fake.last, "(alice@host.example) Code: ");
    assert_false(fake.echo);
    assert_int_equal(fake.told, 3); /* banner, name, instruction */
}

static void test_the_password_answers_a_hidden_question_alone(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Name: ";
    server.echoes[0] = true;
    server.answers[0] = "bob";
    fake.answers[0] = "bob";
    assert_int_equal(log_in(), 0); /* it echoes: not for a password */
    assert_int_equal(fake.asked, 1);
}

static void test_the_password_answers_its_own_question_among_several(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Password: ", server.prompts[1] = "Verification code: ";
    server.answers[0] = "secret", server.answers[1] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "interactive:secret 123456 ");
    assert_string_equal(fake.last, "(alice@host.example) Verification code: ");
    assert_int_equal(fake.asked, 1);
    assert_true(by_person);
}

static void test_a_code_is_never_answered_with_the_password(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    fake.nobody = true;
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Verification code: ";
    server.answers[0] = "123456";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "interactive: ");
    assert_says("the server asks \"Verification code: \", and nobody can be asked");
}

/* The profile's password_command is a script of these lines, which notes that it ran. */
static char *command_text;

static void use_command(const char *lines)
{
    char *path = scratch_path(folder, "command"), *text = NULL;
    assert_true(asprintf(&text, "#!/bin/sh\necho ran $* >>%s/ran\n%s\n", folder, lines) > 0);
    scratch_write_text(path, text, 0700);
    assert_true(asprintf(&command_text, "%s %%h \"%%r at work\"", path) > 0);
    profile.password_command = command_text;
    free(text);
    free(path);
}

static void assert_ran(const char *wanted)
{
    char *path = scratch_path(folder, "ran"), *text = scratch_read(path, NULL);
    assert_string_equal(text, wanted);
    free(text);
    free(path);
}

static void test_a_command_gives_the_password(void **state)
{
    use_command("echo secret; echo more; echo and more");
    server.lists[0] = "publickey,password";
    server.password = "secret";
    fake.nobody = true;
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:secret ");
    assert_ran("ran host.example alice at work\n");
    assert_false(by_person);
}

static void test_a_command_answers_the_question_for_the_password(void **state)
{
    use_command("printf secret");
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Password: ", server.prompts[1] = "Verification code: ";
    server.answers[0] = "secret", server.answers[1] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "interactive:secret 123456 ");
}

static void test_a_command_that_is_not_needed_does_not_run(void **state)
{
    use_command("echo secret");
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Verification code: ";
    server.answers[0] = fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    char *path = scratch_path(folder, "ran");
    assert_int_equal(access(path, F_OK), -1);
    free(path);
}

static void test_a_wrong_password_of_a_command_is_sent_once(void **state)
{
    use_command("echo wrong");
    server.lists[0] = "keyboard-interactive,password";
    server.prompts[0] = "Password: ";
    server.answers[0] = server.password = "secret";
    fake.answers[0] = "secret";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_string_equal(server.log, "interactive:wrong ");
    assert_says("the password that password_command has printed is wrong");
    assert_ran("ran host.example alice at work\n");
    assert_int_equal(fake.asked, 0);
}

static void fails_with(const char *lines, const char *part)
{
    use_command(lines);
    error = (struct cfs_error){0};
    server.lists[0] = "publickey,password";
    server.password = "secret";
    server.log[0] = '\0';
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_string_equal(server.log, "");
    assert_says(part);
    free(CFS_TAKE(command_text));
}

static void test_a_command_that_gives_no_password(void **state)
{
    identity_paths[0] = scratch_path(folder, "missing"); /* not this is to blame */
    profile.identity_files = identity_paths;
    fails_with("echo secret; echo 'the store is' >&2; echo locked >&2; exit 3",
               "password_command: command ended with exit status 3: the store is locked");
    fails_with("echo secret; kill -9 $$", "password_command: command was killed by signal 9");
    fails_with("echo; echo secret", "password_command: command printed no password");
    fails_with("exit 0", "password_command: command printed no password");
    fails_with("head -c 1024 /dev/zero | tr '\\0' x",
               "password_command: what command printed is longer than 1023 bytes");
    fails_with("exec >&-; head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1", "exit status 1: xxx");
}

static void test_a_command_that_is_not_there(void **state)
{
    static char none[] = "/no/such/program";
    profile.password_command = none;
    server.lists[0] = "publickey,password";
    assert_int_equal(log_in(), -EACCES);
    if (scratch_spawn_tells())
        assert_says("password_command: cannot run /no/such/program: No such file or directory");
}

static void test_a_command_may_print_a_lot_and_leave_something_running(void **state)
{
    use_command("echo secret; head -c 300000 /dev/zero; sleep 1000 & echo $! >\"${0%/*}/pid\"");
    server.lists[0] = "password";
    server.password = "secret";
    assert_int_equal(log_in(), 0);
    char *path = scratch_path(folder, "pid"), *text = scratch_read(path, NULL);
    assert_int_equal(kill(atoi(text), SIGKILL), 0);
    free(text);
    free(path);
}

static int give_up(struct cfs_ssh_waiter *waiter_, struct pollfd *polls, unsigned count)
{
    return -ECANCELED;
}

static int be_late(struct cfs_ssh_waiter *waiter_, struct pollfd *polls, unsigned count)
{
    return -ETIMEDOUT;
}

static void test_a_command_is_not_waited_for_without_end(void **state)
{
    waiter.wait_for = be_late;
    fails_with("exec sleep 1000", "command had not ended when login_timeout was over");
    waiter.wait_for = give_up;
    use_command("trap '' TERM; echo secret; exec sleep 1000");
    error = (struct cfs_error){0};
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
}

static void test_a_person_may_take_his_time_to_approve_elsewhere(void **state)
{
    server.lists[0] = "keyboard-interactive";
    assert_int_equal(log_in(), 0); /* no question: he is asked by his phone */
    assert_true(server.patient_waits > 0);
    server.stage = server.patient_waits = 0;
    server.lists[0] = "password";
    server.password = fake.answers[0] = "secret";
    assert_int_equal(log_in(), 0);
    assert_true(server.patient_waits > 0);
}

static void test_without_anybody_the_server_has_its_time_limit(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    fake.nobody = true;
    server.lists[0] = "password";
    server.password = "secret";
    assert_int_equal(log_in(), 0);
    assert_true(server.waits > 0);
    assert_int_equal(server.patient_waits, 0);
    assert_false(by_person);
}

static int tear_down(void **state)
{
    free(CFS_TAKE(command_text));
    return scripted_login_tear_down(state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scripted_login_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_password_of_the_profile),
        TEST(test_a_wrong_password_of_the_profile_is_sent_once),
        TEST(test_the_password_is_asked_for_three_times),
        TEST(test_nobody_can_be_asked),
        TEST(test_giving_up_ends_the_login),
        TEST(test_an_expired_password),
        TEST(test_several_questions),
        TEST(test_the_password_answers_a_hidden_question_alone),
        TEST(test_the_password_answers_its_own_question_among_several),
        TEST(test_a_code_is_never_answered_with_the_password),
        TEST(test_a_command_gives_the_password),
        TEST(test_a_command_answers_the_question_for_the_password),
        TEST(test_a_command_that_is_not_needed_does_not_run),
        TEST(test_a_wrong_password_of_a_command_is_sent_once),
        TEST(test_a_command_that_gives_no_password),
        TEST(test_a_command_that_is_not_there),
        TEST(test_a_command_may_print_a_lot_and_leave_something_running),
        TEST(test_a_command_is_not_waited_for_without_end),
        TEST(test_a_person_may_take_his_time_to_approve_elsewhere),
        TEST(test_without_anybody_the_server_has_its_time_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

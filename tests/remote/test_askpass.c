/* Questions of ssh's: who answers them, who may ask, and what is learned from it. */
#include "remote/askpass.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "conf/words.h"
#include "lib/test.h"
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 60 };

struct fixture {
    struct cfs_prompter prompter;
    struct cfs_profile profile;
    sem_t ended, stuck;
    struct cfs_askpass *askpass;
    const char *answer; /* of the person; NULL: gives up */
    int confirms;       /* what is said to a yes or no */
    char asked[256];    /* the last question */
    unsigned count;     /* of questions */
};

static struct fixture *of(struct cfs_prompter *prompter)
{
    return cfs_container_of(prompter, struct fixture, prompter);
}

static int ask(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    struct fixture *fixture = of(prompter);
    assert_false(echo);
    snprintf(fixture->asked, sizeof(fixture->asked), "%s", text);
    fixture->count++;
    if (!fixture->answer)
        return -ECANCELED;
    *ret_answer = strdup(fixture->answer);
    return 0;
}

static int confirm(struct cfs_prompter *prompter, const char *text)
{
    struct fixture *fixture = of(prompter);
    snprintf(fixture->asked, sizeof(fixture->asked), "%s", text);
    fixture->count++;
    return fixture->confirms;
}

static void tell(struct cfs_prompter *prompter, const char *text)
{
    (void)confirm(prompter, text);
}

static bool can_ask(struct cfs_prompter *prompter)
{
    return true;
}

static void ended(void *context)
{
    sem_post(&((struct fixture *)context)->ended);
}

static void stuck(void *context)
{
    sem_post(&((struct fixture *)context)->stuck);
}

static void await(sem_t *semaphore)
{
    test_wait_until(sem_trywait(semaphore) == 0);
}

static void begin(struct fixture *fixture, bool has_person)
{
    static char host[] = "gpu", user[] = "a";
    fixture->profile.host = host;
    fixture->profile.user = user;
    fixture->profile.login_timeout_ms = TEST_LIMIT_MS;
    fixture->prompter = (struct cfs_prompter){.ask = ask, .confirm = confirm, .can_ask = can_ask, .tell = tell};
    sem_init(&fixture->ended, 0, 0);
    sem_init(&fixture->stuck, 0, 0);
    const struct cfs_askpass_wish wish = {.profile = &fixture->profile,
                                          .prompter = has_person ? &fixture->prompter : NULL,
                                          .stuck = stuck,
                                          .ended = ended,
                                          .context = fixture};
    assert_int_equal(cfs_askpass_start(&wish, &fixture->askpass), 0);
}

static struct cfs_askpass_outcome end(struct fixture *fixture)
{
    struct cfs_askpass_outcome outcome;
    cfs_askpass_stop(fixture->askpass);
    await(&fixture->ended);
    cfs_askpass_free(fixture->askpass, &outcome);
    sem_destroy(&fixture->ended);
    sem_destroy(&fixture->stuck);
    return outcome;
}

static int call(const char *name, char kind, const char *question)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_un address;
    char message[CFS_ASKPASS_MESSAGE];
    int length = cfs_askpass_address(name, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, (socklen_t)length), 0);
    assert_true(cfs_askpass_is_ours(fd));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    message[0] = kind;
    size_t count = strlen(question);
    memcpy(message + 1, question, count);
    assert_int_equal(send(fd, message, count + 1, MSG_NOSIGNAL), count + 1);
    return fd;
}

/* EXPECTED: "+answer" or "-". */
static void expect(const struct fixture *fixture, char kind, const char *question, const char *expected)
{
    char message[CFS_ASKPASS_MESSAGE + 1];
    int fd CFS_AUTO_CLOSE = call(cfs_askpass_name(fixture->askpass), kind, question);
    ssize_t length = recv(fd, message, sizeof(message) - 1, 0);
    assert_true(length > 0);
    message[length] = '\0';
    assert_string_equal(message, expected);
}

/* A question that is left open: ssh, if nobody ended it, would wait. */
static void expect_stuck(struct fixture *fixture, const char *question)
{
    char byte;
    int fd CFS_AUTO_CLOSE = call(cfs_askpass_name(fixture->askpass), CFS_ASKPASS_ASK, question);
    await(&fixture->stuck);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* --- as ssh asks: this program again, started by a shell that was called as ssh is --- */

static int ask_as_program(const char *name, const char *question)
{
    char message[CFS_ASKPASS_MESSAGE];
    int fd CFS_AUTO_CLOSE = call(name, CFS_ASKPASS_ASK, question);
    ssize_t length = recv(fd, message, sizeof(message), 0);
    return length > 0 && write(STDOUT_FILENO, message, (size_t)length) == length ? 0 : 1;
}

/* A copy: the other thread looks at ours. */
static cfs_words make_environment(const struct fixture *fixture)
{
    char variable[128];
    cfs_words words = NULL;
    snprintf(variable, sizeof(variable), CFS_ASKPASS_VARIABLE "=%s", cfs_askpass_name(fixture->askpass));
    assert_int_equal(cfs_words_add(&words, variable), 0);
    for (size_t i = 0; environ[i]; i++)
        assert_int_equal(cfs_words_add(&words, environ[i]), 0);
    return words;
}

/* Its answer can be read from *RET_ANSWER. */
static pid_t start_shell(const struct fixture *fixture, const char *const words[4], const char *question,
                         int *ret_answer)
{
    const char *const arguments[] = {
        "sh",     "-c", "\"$0\" \"$1\"; exit \"$?\"", program_invocation_name, question, words[0], words[1], words[2],
        words[3], NULL};
    posix_spawn_file_actions_t actions;
    int pipes[2];
    pid_t pid;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    cfs_words environment CFS_CLEANUP(cfs_words_free) = make_environment(fixture);
    int error = posix_spawn(&pid, "/bin/sh", &actions, NULL, (char *const *)(uintptr_t)arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    assert_int_equal(error, 0);
    *ret_answer = pipes[0];
    return pid;
}

static void expect_end(pid_t pid, int fd, const char *expected)
{
    char answer[256] = "";
    size_t length = 0;
    int status;
    ssize_t count;
    while ((count = read(fd, answer + length, sizeof(answer) - 1 - length)) > 0)
        length += (size_t)count;
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_string_equal(answer, expected);
}

static void expect_of(const struct fixture *fixture, const char *const words[4], const char *question,
                      const char *expected)
{
    int fd;
    pid_t pid = start_shell(fixture, words, question, &fd);
    expect_end(pid, fd, expected);
}

/* The question is left open until the end. */
static struct cfs_askpass_outcome expect_stuck_of(struct fixture *fixture, const char *const words[4],
                                                  const char *question)
{
    int fd;
    pid_t pid = start_shell(fixture, words, question, &fd);
    await(&fixture->stuck);
    struct cfs_askpass_outcome outcome = end(fixture);
    expect_end(pid, fd, "");
    return outcome;
}

static const char *const login[] = {"-s", "--", "gpu", "sftp"}, *const hop[] = {"-W", "[gpu]:22", "--", "gate"};

/* --- tests --- */

static atomic_bool is_short_of_descriptors;
static atomic_uint in_vain;

/* Stands before libc's. */
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
    if (!is_short_of_descriptors)
        return (int)syscall(SYS_accept4, fd, address, length, flags);
    in_vain++;
    errno = EMFILE;
    return -1;
}

/* The question waits in the socket; whoever takes it must not ask for it without a pause. */
static void a_lack_of_descriptors_is_waited_for(void **state)
{
    enum { TIMES = 4, AT_LEAST_MS = 150 };
    struct fixture fixture = {.answer = "secret"};
    char message[CFS_ASKPASS_MESSAGE];
    begin(&fixture, true);
    is_short_of_descriptors = true;
    int64_t begun_ms = cfs_clock_ms(&cfs_system_clock);
    int fd CFS_AUTO_CLOSE = call(cfs_askpass_name(fixture.askpass), CFS_ASKPASS_ASK, "Code: ");
    test_wait_until(in_vain >= TIMES);
    bool is_patient = cfs_clock_ms(&cfs_system_clock) - begun_ms >= AT_LEAST_MS;
    is_short_of_descriptors = false;
    assert_int_equal(recv(fd, message, sizeof(message), 0), 7);
    (void)end(&fixture);
    assert_true(is_patient);
}

static void a_person_is_asked(void **state)
{
    struct fixture fixture = {.answer = "secret"};
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "Code:\033 ", "+secret");
    struct cfs_askpass_outcome outcome = end(&fixture);
    assert_string_equal(fixture.asked, "Code:? ");
    assert_true(outcome.by_person);
    assert_false(outcome.given_up);
}

static void without_a_person_nothing_is_answered(void **state)
{
    struct fixture fixture = {.answer = "secret", .confirms = 1};
    begin(&fixture, false);
    expect(&fixture, CFS_ASKPASS_CONFIRM, "Allow?", "-");
    expect(&fixture, CFS_ASKPASS_ASK, "continue (yes/no)? ", "-");
    expect(&fixture, CFS_ASKPASS_ASK, "Enter passphrase for key '/k': ", "-"); /* there may be another key */
    expect(&fixture, CFS_ASKPASS_ASK, "Enter PIN for 'token': ", "-");
    expect_stuck(&fixture, "a@gpu's password: ");
    struct cfs_askpass_outcome outcome = end(&fixture);
    assert_false(outcome.by_person);
    assert_string_equal(outcome.why, "it asks \"a@gpu's password: \", and nobody can be asked");
    assert_int_equal(fixture.count, 0);
}

static void what_the_profile_knows_is_said_once(void **state)
{
    struct fixture fixture = {.answer = "typed"};
    fixture.profile.password = (char[]){"word"};
    fixture.profile.passphrase = (char[]){"phrase"};
    begin(&fixture, false);
    expect_of(&fixture, login, "(a@gpu) Verification code: ", "-"); /* there is another method */
    expect_of(&fixture, login, "a@gpu's password: ", "+word");
    expect_of(&fixture, hop, "Enter passphrase for key '/k': ", "+phrase");
    expect_of(&fixture, hop, "Enter passphrase for key '/k': ", "-");
    expect_of(&fixture, login, "Enter passphrase for key '/k': ", "+phrase");
    expect_of(&fixture, login, "Enter passphrase for key '/other': ", "+phrase");
    expect_of(&fixture, login, "Enter passphrase for key '/other': ", "-");
    struct cfs_askpass_outcome outcome = end(&fixture);
    assert_false(outcome.by_person);
    assert_true(outcome.is_guess);
    assert_true(outcome.answered_ms > 0);
    begin(&fixture, true);
    expect_of(&fixture, login, "(a@gpu) Password: ", "+word");
    expect_of(&fixture, login, "(a@gpu) Password: ", "+typed");
    assert_true(end(&fixture).by_person);
}

/* Who else asks for one may be a server. */
static void the_passphrase_is_for_the_profile_s_keys(void **state)
{
    char path[] =
        "/k/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
    struct fixture fixture = {.answer = "typed"};
    fixture.profile.passphrase = (char[]){"phrase"};
    fixture.profile.identity_files = (char *[]){(char[]){"/k/one"}, path, NULL};
    begin(&fixture, true);
    expect_of(&fixture, login, "Enter passphrase for key '/k/other': ", "+typed");
    expect_of(&fixture, login, "Enter passphrase for key '/k/one' again: ", "+typed");
    expect_of(&fixture, login, "Enter passphrase for key '/k/one': ", "+phrase");
    char *question CFS_AUTO_FREE = cfs_text_format("Enter passphrase for key '%.100s': ", path);
    expect_of(&fixture, login, question, "+phrase");
    (void)end(&fixture);
}

/* By keyboard-interactive a server asks in words of its own. */
static void a_code_is_not_the_password(void **state)
{
    static const char *const questions[] = {
        "(a@gpu) One-time Password: ", "(a@gpu) Password or PIN: ", "(a@gpu) Verification code: "};
    struct fixture fixture = {.answer = "typed"};
    fixture.profile.password = (char[]){"word"};
    begin(&fixture, true);
    for (size_t i = 0; i < CFS_COUNT(questions); i++)
        expect_of(&fixture, login, questions[i], "+typed");
    expect_of(&fixture, login, "(code@pin) Password: ", "+word");
    (void)end(&fixture);
}

/* ssh_config has ProxyJump: the ssh that it starts asks by the same program. */
static void a_jump_host_is_not_told_the_password(void **state)
{
    struct fixture fixture = {.answer = "typed"};
    fixture.profile.password = (char[]){"word"};
    begin(&fixture, true);
    expect_of(&fixture, hop, "a@gate's password: ", "+typed");
    expect_of(&fixture, hop, "a@gpu's password: ", "+typed");
    expect_of(&fixture, login, "a@gpu's password: ", "+word");
    (void)end(&fixture);
}

/* A wrong password is not said again, nor an empty one in its place. */
static void a_second_question_is_left_open(void **state)
{
    struct fixture fixture = {.answer = NULL};
    fixture.profile.password = (char[]){"word"};
    begin(&fixture, false);
    expect_of(&fixture, login, "(a@gpu) Password: ", "+word");
    struct cfs_askpass_outcome outcome = expect_stuck_of(&fixture, login, "a@gpu's password: ");
    assert_string_equal(outcome.why, "the password of the profile is wrong");
    assert_false(outcome.is_guess || outcome.given_up);
}

static void a_command_knows_the_password(void **state)
{
    struct fixture fixture = {.answer = "typed"};
    fixture.profile.password_command = (char[]){"echo word of %r at %h"};
    begin(&fixture, true);
    expect_of(&fixture, hop, "a@gate's password: ", "+typed");
    expect_of(&fixture, login, "a@gpu's password: ", "+word of a at gpu");
    assert_true(cfs_askpass_asked_ms(fixture.askpass) > 0);
    (void)end(&fixture);
    fixture.profile.password_command = (char[]){"false"};
    begin(&fixture, true);
    struct cfs_askpass_outcome outcome = expect_stuck_of(&fixture, login, "a@gpu's password: ");
    assert_string_equal(outcome.why, "password_command: false ended with exit status 1");
    assert_false(outcome.by_person);
}

/* That somebody has accepted a key does not mean that he is needed for the next login. */
static void a_host_key_is_confirmed_in_ssh_s_words(void **state)
{
    struct fixture fixture = {.confirms = 1};
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "continue connecting (yes/no/[fingerprint])? ", "+yes");
    struct cfs_askpass_outcome outcome = end(&fixture);
    assert_false(outcome.by_person || outcome.given_up);
    fixture.confirms = 0;
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "continue connecting (yes/no/[fingerprint])? ", "+no");
    assert_true(end(&fixture).given_up);
}

static void who_gives_up_is_told_apart(void **state)
{
    struct fixture fixture = {.answer = NULL};
    begin(&fixture, true);
    expect_stuck(&fixture, "Code: ");
    assert_true(end(&fixture).given_up);
}

static void what_is_only_told_stays_until_the_end(void **state)
{
    struct fixture fixture = {.answer = "x"};
    char byte;
    begin(&fixture, true);
    int fd CFS_AUTO_CLOSE = call(cfs_askpass_name(fixture.askpass), CFS_ASKPASS_TELL, "Touch your key");
    expect(&fixture, CFS_ASKPASS_ASK, "PIN: ", "+x"); /* meanwhile */
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(end(&fixture).by_person);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    assert_int_equal(fixture.count, 2);
}

int main(int argc, char **argv)
{
    const char *name = getenv(CFS_ASKPASS_VARIABLE);
    if (name && argc == 2)
        return ask_as_program(name, argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_is_asked),
        cmocka_unit_test(without_a_person_nothing_is_answered),
        cmocka_unit_test(what_the_profile_knows_is_said_once),
        cmocka_unit_test(the_passphrase_is_for_the_profile_s_keys),
        cmocka_unit_test(a_code_is_not_the_password),
        cmocka_unit_test(a_jump_host_is_not_told_the_password),
        cmocka_unit_test(a_second_question_is_left_open),
        cmocka_unit_test(a_command_knows_the_password),
        cmocka_unit_test(a_host_key_is_confirmed_in_ssh_s_words),
        cmocka_unit_test(who_gives_up_is_told_apart),
        cmocka_unit_test(what_is_only_told_stays_until_the_end),
        cmocka_unit_test(a_lack_of_descriptors_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

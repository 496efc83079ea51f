/* Questions on a pseudo-terminal, and by an askpass program.
 *
 * A leader, the terminal's shell so to speak, stands between the test and the one who asks: it lives on when he ends by
 * a signal, and tells whether the echo is back. */
#include "base/thread.h"
#include "cli/terminal.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#define PROMPT "Secret: "
#define SECRET "hush-hush"

enum { RIGHT_ANSWER = 0, WRONG_ANSWER = 1, NO_ANSWER = 2 };

struct report {
    int status;  /* waitpid's, of the one who asked */
    int stopped; /* how often he was stopped */
    bool echo;   /* at his end, and whenever he was stopped */
};

static bool has_echo(int fd)
{
    struct termios settings;
    return tcgetattr(fd, &settings) == 0 && (settings.c_lflag & ECHO);
}

static _Noreturn void ask_and_end(void)
{
    struct cfs_prompter *prompter = cfs_terminal_prompter();
    char *answer = NULL;
    if (prompter->ask(prompter, PROMPT, false, &answer))
        _exit(NO_ANSWER);
    _exit(strcmp(answer, SECRET) == 0 ? RIGHT_ANSWER : WRONG_ANSWER);
}

static void *ask_on_thread(void *context)
{
    ask_and_end();
    return context;
}

/* On a thread that takes no signals, as with transport = openssh; the first one waits. */
static bool asks_on_thread;

static _Noreturn void ask_somewhere(void)
{
    pthread_t thread;
    if (!asks_on_thread)
        ask_and_end();
    if (cfs_thread_start(ask_on_thread, NULL, &thread) == 0)
        pthread_join(thread, NULL);
    _exit(NO_ANSWER);
}

/* Hands the terminal to the one who asks, as a shell does, and lets him go on when he was stopped. */
static _Noreturn void lead(int terminal, int report_fd)
{
    struct report report = {.echo = true};
    login_tty(terminal);
    signal(SIGTTOU, SIG_IGN);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        ask_somewhere();
    }
    setpgid(child, child);
    while (waitpid(child, &report.status, WUNTRACED) == child) {
        report.echo = report.echo && has_echo(STDIN_FILENO);
        if (!WIFSTOPPED(report.status))
            break;
        report.stopped++;
        kill(child, SIGCONT);
    }
    _exit(write(report_fd, &report, sizeof(report)) == (ssize_t)sizeof(report) ? 0 : 1);
}

struct conversation {
    int terminal; /* the person's end */
    int report_fd;
    pid_t leader;
    char shown[4096];
    size_t length;
};

static void start_conversation(struct conversation *conversation)
{
    int slave, pipes[2];
    memset(conversation, 0, sizeof(*conversation));
    assert_int_equal(openpty(&conversation->terminal, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(pipe(pipes), 0);
    conversation->leader = fork();
    assert_true(conversation->leader >= 0);
    if (conversation->leader == 0) {
        close(conversation->terminal);
        close(pipes[0]);
        lead(slave, pipes[1]);
    }
    close(slave);
    close(pipes[1]);
    conversation->report_fd = pipes[0];
}

static bool shows(const struct conversation *conversation, const char *text, int times)
{
    const char *next = conversation->shown;
    while (times > 0 && (next = strstr(next, text))) {
        next += strlen(text);
        times--;
    }
    return times == 0;
}

/* Until the prompt has been shown for the Nth time, and nothing that is typed is shown any more. */
static void wait_for_prompt(struct conversation *conversation, int times)
{
    struct pollfd polled = {.fd = conversation->terminal, .events = POLLIN};
    while (!shows(conversation, PROMPT, times)) {
        assert_int_equal(poll(&polled, 1, TEST_LIMIT_MS), 1);
        ssize_t got = read(conversation->terminal, conversation->shown + conversation->length,
                           sizeof(conversation->shown) - 1 - conversation->length);
        assert_true(got > 0);
        conversation->length += (size_t)got;
    }
    assert_false(has_echo(conversation->terminal));
}

static void type(const struct conversation *conversation, const char *text)
{
    assert_int_equal(write(conversation->terminal, text, strlen(text)), (ssize_t)strlen(text));
}

static struct report end_conversation(struct conversation *conversation)
{
    struct report report;
    struct pollfd polled = {.fd = conversation->report_fd, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, TEST_LIMIT_MS), 1);
    assert_int_equal(read(conversation->report_fd, &report, sizeof(report)), (ssize_t)sizeof(report));
    ssize_t got = read(conversation->terminal, conversation->shown + conversation->length,
                       sizeof(conversation->shown) - 1 - conversation->length);
    conversation->length += got > 0 ? (size_t)got : 0;
    close(conversation->report_fd);
    close(conversation->terminal);
    assert_int_equal(waitpid(conversation->leader, NULL, 0), conversation->leader);
    return report;
}

static void a_secret_is_read_and_not_shown(void **state)
{
    (void)state;
    struct conversation conversation;
    start_conversation(&conversation);
    wait_for_prompt(&conversation, 1);
    type(&conversation, SECRET "\n");
    struct report report = end_conversation(&conversation);
    assert_true(WIFEXITED(report.status));
    assert_int_equal(WEXITSTATUS(report.status), RIGHT_ANSWER);
    assert_true(report.echo);
    assert_null(strstr(conversation.shown, SECRET));
}

static void ctrl_c_ends_with_the_echo_on(void **state)
{
    (void)state;
    struct conversation conversation;
    start_conversation(&conversation);
    wait_for_prompt(&conversation, 1);
    type(&conversation, "hus\003");
    struct report report = end_conversation(&conversation);
    assert_true(WIFSIGNALED(report.status));
    assert_int_equal(WTERMSIG(report.status), SIGINT);
    assert_true(report.echo);
}

static void ctrl_c_ends_whichever_thread_asks(void **state)
{
    if (getenv("CLUSTERFS_VALGRIND"))
        skip(); /* a deadly signal of another thread takes effect there when this one has gone on */
    asks_on_thread = true;
    ctrl_c_ends_with_the_echo_on(state);
    asks_on_thread = false;
}

static void ctrl_z_stops_with_the_echo_on_and_the_question_is_asked_again(void **state)
{
    (void)state;
    struct conversation conversation;
    if (getenv("CLUSTERFS_VALGRIND"))
        skip(); /* no process stops by a signal under it */
    start_conversation(&conversation);
    wait_for_prompt(&conversation, 1);
    type(&conversation, "\032");
    wait_for_prompt(&conversation, 2);
    type(&conversation, SECRET "\n");
    struct report report = end_conversation(&conversation);
    assert_true(WIFEXITED(report.status));
    assert_int_equal(WEXITSTATUS(report.status), RIGHT_ANSWER);
    assert_int_equal(report.stopped, 1);
    assert_true(report.echo);
}

static void the_end_of_input_is_no_answer(void **state)
{
    (void)state;
    struct conversation conversation;
    start_conversation(&conversation);
    wait_for_prompt(&conversation, 1);
    type(&conversation, "\004");
    struct report report = end_conversation(&conversation);
    assert_true(WIFEXITED(report.status));
    assert_int_equal(WEXITSTATUS(report.status), NO_ANSWER);
    assert_true(report.echo);
}

/* --- askpass --- */

struct askpass {
    char *folder;
    char *program;
};

static int set_up(void **state)
{
    struct askpass *askpass = calloc(1, sizeof(*askpass));
    assert_non_null(askpass);
    askpass->folder = scratch_make();
    askpass->program = scratch_path(askpass->folder, "askpass");
    assert_int_equal(setenv("SSH_ASKPASS", askpass->program, 1), 0);
    assert_int_equal(setenv("SSH_ASKPASS_REQUIRE", "force", 1), 0);
    *state = askpass;
    return 0;
}

static int tear_down(void **state)
{
    struct askpass *askpass = *state;
    free(askpass->program);
    scratch_remove(askpass->folder);
    free(askpass);
    return 0;
}

static int ask_by(const struct askpass *askpass, const char *script, char **ret_answer)
{
    struct cfs_prompter *prompter = cfs_terminal_prompter();
    scratch_write_text(askpass->program, script, 0700);
    assert_true(prompter->can_ask(prompter));
    return prompter->ask(prompter, PROMPT, false, ret_answer);
}

static void an_askpass_program_answers_with_its_first_line(void **state)
{
    static const char *const scripts[] = {
        "#!/bin/sh\necho " SECRET "\n",
        "#!/bin/sh\nprintf " SECRET "\n", /* no newline */
        "#!/bin/sh\nprintf '" SECRET "\\r\\nmore\\n'\n",
        "#!/bin/sh\necho " SECRET "; head -c 1000000 /dev/zero\nexit 0\n", /* more than a pipe holds */
        "#!/bin/sh\ntest \"$1\" = '" PROMPT "' && echo " SECRET "\n",
    };
    for (size_t i = 0; i < CFS_COUNT(scripts); i++) {
        char *answer = NULL;
        assert_int_equal(ask_by(*state, scripts[i], &answer), 0);
        assert_string_equal(answer, SECRET);
        cfs_secret_free(answer);
    }
}

static void an_askpass_program_that_fails_has_no_answer(void **state)
{
    char *answer = NULL;
    assert_int_equal(ask_by(*state, "#!/bin/sh\necho " SECRET "\nexit 1\n", &answer), -ECANCELED);
    assert_int_equal(ask_by(*state, "#!/bin/sh\nkill -9 $$\n", &answer), -ECANCELED);
    assert_int_equal(ask_by(*state, "#!/bin/sh\nexit 0\n", &answer), -ECANCELED);
    assert_int_equal(ask_by(*state, "#!/bin/sh\nexit 127\n", &answer), -ENOTTY);
    assert_int_equal(setenv("SSH_ASKPASS", "/nonexistent/askpass", 1), 0);
    assert_int_equal(ask_by(*state, "", &answer), -ENOTTY);
    assert_null(answer);
}

static void an_askpass_program_with_one_answer_to_everything_is_not_asked_for_ever(void **state)
{
    struct askpass *askpass = *state;
    struct cfs_prompter *prompter = cfs_terminal_prompter();
    scratch_write_text(askpass->program, "#!/bin/sh\necho maybe\n", 0700);
    assert_int_equal(prompter->confirm(prompter, "Sure? "), -ECANCELED);
    scratch_write_text(askpass->program, "#!/bin/sh\necho yes\n", 0700);
    assert_int_equal(prompter->confirm(prompter, "Sure? "), 1);
    scratch_write_text(askpass->program, "#!/bin/sh\necho No\n", 0700);
    assert_int_equal(prompter->confirm(prompter, "Sure? "), 0);
}

static void *ask_one_that_ends_itself(void *context)
{
    char *answer = NULL;
    intptr_t result = ask_by(context, "#!/bin/sh\nkill -TERM $$\necho " SECRET "\n", &answer);
    cfs_secret_free(answer);
    return (void *)result;
}

static void an_askpass_program_takes_signals_whichever_thread_has_started_it(void **state)
{
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(cfs_thread_start(ask_one_that_ends_itself, *state, &thread), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((intptr_t)result, -ECANCELED);
}

static void *ask_on_this_stack(void *context)
{
    char *answer = NULL;
    if (ask_by(context, "#!/bin/sh\necho " SECRET "\n", &answer) == 0)
        cfs_secret_free(answer);
    return NULL;
}

/* Not by memmem, which a sanitizer would keep from a stack that is no longer in use. */
__attribute__((no_sanitize("address", "thread"))) static bool holds_secret(const volatile char *memory, size_t size)
{
    static const char part[] = "sh-hush";
    for (size_t at = 0; at + sizeof(part) <= size; at++) {
        size_t same = 0;
        while (same < sizeof(part) - 1 && memory[at + same] == part[same])
            same++;
        if (same == sizeof(part) - 1)
            return true;
    }
    return false;
}

static void answers_are_wiped_from_the_stack(void **state)
{
    enum { STACK = 1 << 20 };
    if (getenv("CLUSTERFS_VALGRIND"))
        skip();
    void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;
    assert_true(stack != MAP_FAILED);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, ask_on_this_stack, *state), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    assert_false(holds_secret(stack, STACK));
    munmap(stack, STACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_read_and_not_shown),
        cmocka_unit_test(ctrl_c_ends_with_the_echo_on),
        cmocka_unit_test(ctrl_c_ends_whichever_thread_asks),
        cmocka_unit_test(ctrl_z_stops_with_the_echo_on_and_the_question_is_asked_again),
        cmocka_unit_test(the_end_of_input_is_no_answer),
        cmocka_unit_test_setup_teardown(an_askpass_program_answers_with_its_first_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_askpass_program_that_fails_has_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_askpass_program_with_one_answer_to_everything_is_not_asked_for_ever, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_askpass_program_takes_signals_whichever_thread_has_started_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(answers_are_wiped_from_the_stack, set_up, tear_down),
    };
    unsetenv("SSH_ASKPASS_REQUIRE");
    signal(SIGPIPE, SIG_IGN); /* as in the program */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

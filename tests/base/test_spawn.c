/* What a program that we start has, and has not, of this process: descriptors, signals, environment, session. */
#include "lib/test.h"

#include "base/spawn.h"
#include "lib/scratch.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs it to its end; its exit status. */
static int run(const struct cfs_spawn *spawn)
{
    pid_t pid = -1;
    int status = 0;
    assert_int_equal(cfs_spawn(spawn, &pid), 0);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* What ARGV prints, started as SPAWN says but for stdout; the caller frees. */
static char *output_of(char *const argv[], struct cfs_spawn spawn)
{
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    spawn.argv = argv;
    spawn.streams[STDOUT_FILENO] = pipes[1];
    assert_int_equal(run(&spawn), 0);
    close(pipes[1]);
    char *text = calloc(1, 4096);
    assert_non_null(text);
    assert_true(read(pipes[0], text, 4095) >= 0);
    close(pipes[0]);
    return text;
}

static char *output_of_script(const char *script, struct cfs_spawn spawn)
{
    char *text CFS_AUTO_FREE = strdup(script);
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, text, NULL};
    return output_of(argv, spawn);
}

static const struct cfs_spawn inherits = {.streams = {CFS_SPAWN_INHERIT, CFS_SPAWN_INHERIT, CFS_SPAWN_INHERIT}};
static const struct cfs_spawn gets_nothing = {.streams = {CFS_SPAWN_NULL, CFS_SPAWN_NULL, CFS_SPAWN_NULL}};

static void a_child_may_have_no_streams(void **state CFS_UNUSED)
{
    char *text CFS_AUTO_FREE =
        output_of_script("cat; echo dropped >&2; readlink /proc/$$/fd/0 /proc/$$/fd/2", gets_nothing);
    assert_string_equal(text, "/dev/null\n/dev/null\n");
}

/* Descriptors of ours that have the numbers of a child's, in another order. */
static void numbers_may_be_those_of_the_child(void **state CFS_UNUSED)
{
    int input[2], errors[2], saved[3];
    char said[16] = "";
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    assert_int_equal(write(input[1], "hello", 5), 5);
    close(input[1]);
    for (int fd = 0; fd < 3; fd++)
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    dup3(input[0], 2, O_CLOEXEC);
    dup3(errors[1], 0, O_CLOEXEC);
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"read word; echo \"$word\" >&2; exit 5"}, NULL};
    const struct cfs_spawn spawn = {.argv = argv, .streams = {2, CFS_SPAWN_NULL, 0}};
    int status = run(&spawn);
    for (int fd = 0; fd < 3; fd++)
        if (saved[fd] >= 0) {
            dup2(saved[fd], fd);
            close(saved[fd]);
        }
    close(errors[1]);
    assert_int_equal(status, 5);
    assert_int_equal(read(errors[0], said, sizeof(said) - 1), 6);
    assert_string_equal(said, "hello\n");
    close(input[0]);
    close(errors[0]);
}

/* The bits of a line of /proc/self/status. */
static unsigned long long bits(const char *status, const char *name)
{
    const char *found = strstr(status, name);
    assert_non_null(found);
    return strtoull(found + strlen(name), NULL, 16);
}

static void a_child_has_none_of_our_signals(void **state CFS_UNUSED)
{
    char *const argv[] = {(char[]){"cat"}, (char[]){"/proc/self/status"}, NULL}; /* a shell may clear its mask */
    sigset_t all, before;
    sigfillset(&all);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
    char *text CFS_AUTO_FREE = output_of(argv, gets_nothing);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, handler);
    assert_int_equal(bits(text, "SigBlk:\t"), 0);
    assert_int_equal(bits(text, "SigIgn:\t") & 1ULL << (SIGPIPE - 1), 0);
}

static void a_child_can_have_another_environment_and_be_apart(void **state CFS_UNUSED)
{
    char *const environment[] = {(char[]){"WORD=said"}, (char[]){"PATH=/usr/bin:/bin"}, NULL};
    struct cfs_spawn spawn = inherits;
    spawn.environment = environment;
    spawn.is_apart = true;
    char *text CFS_AUTO_FREE = output_of_script("echo $WORD; cut -d' ' -f1,6 /proc/$$/stat", spawn);
    char *ids = strchr(text, '\n');
    assert_non_null(ids);
    *ids++ = '\0';
    assert_string_equal(text, "said");
    int process = 0, session = 0;
    assert_int_equal(sscanf(ids, "%d %d", &process, &session), 2);
    assert_int_equal(process, session);
}

static void without_options_a_child_has_our_environment(void **state CFS_UNUSED)
{
    assert_int_equal(setenv("CFS_TEST_WORD", "ours", 1), 0);
    char *text CFS_AUTO_FREE = output_of_script("echo $CFS_TEST_WORD", inherits);
    assert_string_equal(text, "ours\n");
}

static void a_program_that_is_not_there(void **state CFS_UNUSED)
{
    char *const argv[] = {(char[]){"/nonexistent/clusterfs-test"}, NULL};
    struct cfs_spawn spawn = inherits;
    pid_t pid;
    if (!scratch_spawn_tells())
        skip();
    spawn.argv = argv;
    assert_int_equal(cfs_spawn(&spawn, &pid), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_may_have_no_streams),
        cmocka_unit_test(numbers_may_be_those_of_the_child),
        cmocka_unit_test(a_child_has_none_of_our_signals),
        cmocka_unit_test(a_child_can_have_another_environment_and_be_apart),
        cmocka_unit_test(without_options_a_child_has_our_environment),
        cmocka_unit_test(a_program_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

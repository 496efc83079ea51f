/* A stream over a child process: what it says on stderr, how it ends, and that it does end. */
#include "lib/test.h"

#include "base/line_tail.h"
#include "base/stream.h"
#include "lib/scratch.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

struct child {
    struct cfs_loop *loop;
    struct cfs_stream *stream;
    char output[4096];
    size_t length;
    ssize_t end; /* what read said last, once it said no more than that */
    bool ended;
};

static void read_all(struct cfs_stream *stream, void *context)
{
    struct child *child = context;
    while (!child->ended) {
        ssize_t count =
            cfs_stream_read(stream, child->output + child->length, sizeof(child->output) - 1 - child->length);
        if (count == -EAGAIN)
            return;
        if (count > 0) {
            child->length += (size_t)count;
            child->output[child->length] = '\0';
        } else {
            child->end = count;
            child->ended = true;
        }
    }
}

static int set_up(void **state)
{
    static struct child child;
    child = (struct child){.loop = cfs_loop_new()};
    *state = &child;
    return child.loop ? 0 : -1;
}

static int tear_down(void **state)
{
    struct child *child = *state;
    cfs_stream_close(child->stream);
    cfs_loop_free(child->loop);
    return 0;
}

/* Runs a script; what it writes is in `output` from then on. */
static void run_script(struct child *child, const char *script)
{
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)script, NULL};
    assert_int_equal(cfs_stream_spawn(child->loop, argv, &child->stream), 0);
    child->stream->ready = read_all;
    child->stream->context = child;
}

static void close_child(struct child *child)
{
    cfs_stream_close(child->stream);
    child->stream = NULL;
}

static void cat_gives_back_what_it_is_given(void **state)
{
    enum { TOTAL = 1 << 20 };
    struct child *child = *state;
    char *const argv[] = {(char[]){"cat"}, NULL};
    static uint8_t sent[TOTAL], received[TOTAL];
    size_t written = 0, got = 0;
    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (uint8_t)(i * 2654435761U >> 24);
    assert_int_equal(cfs_stream_spawn(child->loop, argv, &child->stream), 0);
    test_run_until(child->loop, ({
                       struct iovec vector = {sent + written, TOTAL - written};
                       ssize_t count = written < TOTAL ? cfs_stream_write(child->stream, &vector, 1) : 0;
                       assert_true(count >= 0 || count == -EAGAIN);
                       written += count > 0 ? (size_t)count : 0;
                       count = cfs_stream_read(child->stream, received + got, TOTAL - got);
                       assert_true(count > 0 || count == -EAGAIN);
                       got += count > 0 ? (size_t)count : 0;
                       got == TOTAL;
                   }));
    assert_memory_equal(sent, received, TOTAL);
    assert_null(cfs_stream_reason(child->stream));
}

static void the_reason_has_the_status_and_the_last_words(void **state)
{
    struct child *child = *state;
    run_script(child, "echo out; printf 'Permission denied\\r\\n\\033[1mbye\\n' >&2; exit 3");
    test_run_until(child->loop, child->ended);
    assert_int_equal(child->end, 0);
    assert_string_equal(child->output, "out\n");
    assert_string_equal(cfs_stream_reason(child->stream), "sh ended with exit status 3: Permission denied\n?[1mbye");
    assert_int_equal(cfs_stream_read(child->stream, child->output, 1), 0);
}

static void a_signal_is_named(void **state)
{
    struct child *child = *state;
    run_script(child, "kill -9 $$");
    test_run_until(child->loop, child->ended);
    assert_string_equal(cfs_stream_reason(child->stream), "sh was killed by signal 9");
}

static void a_writer_learns_of_the_end_with_its_reason(void **state)
{
    struct child *child = *state;
    run_script(child, "echo 'no such host' >&2; echo out; exit 255");
    struct iovec vector = {(char[]){"hello"}, 5};
    ssize_t count = 0;
    test_run_until(child->loop, ({
                       count = cfs_stream_write(child->stream, &vector, 1);
                       count < 0 && count != -EAGAIN;
                   }));
    assert_true(count == -EPIPE || count == -ECONNRESET);
    assert_string_equal(cfs_stream_reason(child->stream), "sh ended with exit status 255: no such host");
    /* It left without reading: that is an end, not a failure of its own. */
    test_run_until(child->loop, child->ended || (read_all(child->stream, child), child->ended));
    assert_int_equal(child->end, 0);
    assert_string_equal(child->output, "out\n"); /* what it said is not lost */
}

static void what_it_says_before_its_end_can_be_asked_for(void **state)
{
    struct child *child = *state;
    run_script(child, "echo 'waiting for a touch' >&2; exec cat");
    test_run_until(child->loop, cfs_stream_reason(child->stream) != NULL);
    assert_string_equal(cfs_stream_reason(child->stream), "waiting for a touch");
    assert_false(child->ended);
}

static void a_program_that_does_not_exist_is_said_at_once(void **state)
{
    struct child *child = *state;
    if (!scratch_spawn_tells())
        skip();
    char *const argv[] = {(char[]){"/nonexistent/clusterfs-test"}, NULL};
    assert_int_equal(cfs_stream_spawn(child->loop, argv, &child->stream), -ENOENT);
    assert_null(child->stream);
}

/* The number that the child prints first. */
static pid_t printed_pid(struct child *child)
{
    test_run_until(child->loop, strchr(child->output, '\n') != NULL);
    pid_t pid = (pid_t)atol(child->output);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), 0);
    return pid;
}

static void assert_gone(pid_t pid)
{
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void closing_ends_a_child_that_reads_its_input(void **state)
{
    struct child *child = *state;
    run_script(child, "echo $$; exec cat");
    pid_t pid = printed_pid(child);
    close_child(child);
    assert_gone(pid);
}

static void closing_ends_a_child_that_does_not_read(void **state)
{
    struct child *child = *state;
    run_script(child, "echo $$; exec sleep 300");
    pid_t pid = printed_pid(child);
    close_child(child);
    assert_gone(pid);
}

static void closing_ends_a_child_that_ignores_sigterm(void **state)
{
    struct child *child = *state;
    run_script(child, "trap '' TERM; echo $$; exec sleep 300");
    pid_t pid = printed_pid(child);
    close_child(child);
    assert_gone(pid);
}

static void a_child_that_only_closes_its_output_has_ended_as_well(void **state)
{
    struct child *child = *state;
    run_script(child, "echo $$; exec sleep 300 <&- >&- 2>&-");
    pid_t pid = printed_pid(child);
    test_run_until(child->loop, child->ended);
    assert_int_equal(child->end, 0);
    assert_string_equal(cfs_stream_reason(child->stream), "sh closed its output");
    close_child(child);
    assert_gone(pid);
}

static void a_child_gets_signals_as_they_were_born(void **state)
{
    struct child *child = *state;
    sigset_t blocked, before;
    sigfillset(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
    run_script(child, "grep -E '^Sig(Blk|Ign)' /proc/self/status");
    signal(SIGPIPE, pipe_before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    test_run_until(child->loop, child->ended);
    assert_non_null(strstr(child->output, "SigBlk:\t0000000000000000\n"));
    const char *ignored = strstr(child->output, "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 8, NULL, 16) & 1ULL << (SIGPIPE - 1), 0);
}

static void a_process_without_stdin_can_spawn(void **state)
{
    struct child *child = *state;
    int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
    close(0); /* the socketpair or the pipe gets its number */
    run_script(child, "echo said >&2; cat; exit 4");
    struct iovec vector = {(char[]){"hello\n"}, 6};
    assert_int_equal(cfs_stream_write(child->stream, &vector, 1), 6);
    test_run_until(child->loop, child->length == 6);
    assert_string_equal(child->output, "hello\n");
    test_run_until(child->loop, cfs_stream_reason(child->stream) != NULL);
    assert_string_equal(cfs_stream_reason(child->stream), "said");
    close_child(child);
    if (saved >= 0) {
        dup2(saved, 0);
        close(saved);
    }
}

static bool keep_important(const char *line, void *context)
{
    ++*(int *)context;
    return line[0] == '!';
}

static void a_child_with_options_is_apart_and_says_what_is_worth_it(void **state)
{
    struct child *child = *state;
    int lines = 0;
    char *const argv[] = {
        (char[]){"sh"}, (char[]){"-c"},
        (char[]){"echo noise >&2; echo '!word' >&2; echo $$ $(cut -d' ' -f6 /proc/$$/stat) $KEY; exec cat"}, NULL};
    char *const environment[] = {(char[]){"PATH=/usr/bin:/bin"}, (char[]){"KEY=value"}, NULL};
    const struct cfs_child_options options = {
        .environment = environment, .is_apart = true, .line = keep_important, .context = &lines};
    assert_int_equal(cfs_stream_spawn_with(child->loop, argv, &options, &child->stream), 0);
    child->stream->ready = read_all;
    child->stream->context = child;
    test_run_until(child->loop, strchr(child->output, '\n') != NULL && lines == 2);
    char expected[64];
    int pid = (int)cfs_stream_child_pid(child->stream);
    snprintf(expected, sizeof(expected), "%d %d value\n", pid, pid); /* it leads its session */
    assert_string_equal(child->output, expected);
    assert_string_equal(cfs_stream_child_words(child->stream), "!word");
}

/* It is gone, or a zombie of whoever has adopted it. */
static bool has_ended(pid_t pid)
{
    char path[64], line[128] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *status = fopen(path, "r");
    bool is_there = status && fgets(line, sizeof(line), status);
    if (status)
        fclose(status);
    return !is_there || strstr(line, ") Z");
}

static void a_killed_child_takes_with_it_what_it_has_started(void **state)
{
    struct child *child = *state;
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"sleep 300 & echo $!; wait"}, NULL};
    const struct cfs_child_options options = {.is_apart = true};
    assert_int_equal(cfs_stream_spawn_with(child->loop, argv, &options, &child->stream), 0);
    child->stream->ready = read_all;
    child->stream->context = child;
    pid_t below = printed_pid(child);
    cfs_stream_child_kill(child->stream);
    test_run_until(child->loop, child->ended);
    assert_string_equal(cfs_stream_reason(child->stream), "sh was killed by signal 9");
    assert_int_equal(cfs_stream_child_pid(child->stream), 0);
    cfs_stream_child_kill(child->stream); /* whose number may be somebody else's by now: nothing happens */
    test_wait_until(has_ended(below));
}

/* --- the last lines --- */

static bool count_line(const char *line, void *context)
{
    ++*(int *)context;
    return true;
}

static void the_last_lines_are_kept(void **state)
{
    struct cfs_line_tail tail = {0};
    int lines = 0;
    for (int i = 0; i < 1000; i++) {
        char text[32];
        int length = snprintf(text, sizeof(text), "line %d\n\n", i);
        for (int j = 0; j < length; j++) /* byte by byte */
            cfs_line_tail_add(&tail, text + j, 1, count_line, &lines);
    }
    assert_int_equal(lines, 1000); /* empty lines do not count */
    assert_true(strlen(tail.text) < sizeof(tail.text));
    assert_true(strlen(tail.text) > sizeof(tail.text) / 2);
    assert_memory_equal(tail.text, "line ", 5); /* whole lines */
    assert_string_equal(tail.text + strlen(tail.text) - 8, "line 999");
}

static void an_endless_line_is_cut(void **state)
{
    struct cfs_line_tail tail = {0};
    char block[100];
    int lines = 0;
    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 1000; i++)
        cfs_line_tail_add(&tail, block, sizeof(block), count_line, &lines);
    assert_int_equal(lines, 0);
    cfs_line_tail_finish(&tail, count_line, &lines);
    cfs_line_tail_finish(&tail, count_line, &lines);
    assert_int_equal(lines, 1);
    assert_int_equal(strlen(tail.text), CFS_LINE_SIZE - 1);
    cfs_line_tail_add(&tail, "a\0b\n", 4, NULL, NULL);
    assert_string_equal(tail.text + CFS_LINE_SIZE - 1, "\na?b");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* A test that closes descriptor 0 must know that it is stdin and not, say, a loop's epoll. */
static void open_standard_descriptors(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

int main(void)
{
    open_standard_descriptors();
    const struct CMUnitTest tests[] = {
        TEST(cat_gives_back_what_it_is_given),
        TEST(the_reason_has_the_status_and_the_last_words),
        TEST(a_signal_is_named),
        TEST(a_writer_learns_of_the_end_with_its_reason),
        TEST(what_it_says_before_its_end_can_be_asked_for),
        TEST(a_program_that_does_not_exist_is_said_at_once),
        TEST(closing_ends_a_child_that_reads_its_input),
        TEST(closing_ends_a_child_that_does_not_read),
        TEST(closing_ends_a_child_that_ignores_sigterm),
        TEST(a_child_that_only_closes_its_output_has_ended_as_well),
        TEST(a_child_gets_signals_as_they_were_born),
        TEST(a_process_without_stdin_can_spawn),
        TEST(a_child_with_options_is_apart_and_says_what_is_worth_it),
        TEST(a_killed_child_takes_with_it_what_it_has_started),
        cmocka_unit_test(the_last_lines_are_kept),
        cmocka_unit_test(an_endless_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

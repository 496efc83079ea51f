/* The control server against clients that do not read, do not go away, or come when no descriptor is left. */
#include "ctl/control.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct fixture {
    char *folder;
    char *path;
    struct cfs_control_server *server;
};

static int set_up(void **state)
{
    static const struct cfs_ctl_source nothing; /* requests for status are for tests with a mount */
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->folder = scratch_make();
    fixture->path = scratch_path(fixture->folder, "s");
    assert_int_equal(cfs_control_serve(fixture->path, &nothing, &fixture->server), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    cfs_control_server_free(fixture->server);
    free(fixture->path);
    scratch_remove(fixture->folder);
    free(fixture);
    return 0;
}

static int connect_client(const struct fixture *fixture)
{
    int fd = cfs_control_connect(fixture->path, TEST_LIMIT_MS);
    assert_true(fd >= 0);
    return fd;
}

/* The server's answer to what it does not know shows that it lives. */
static void check_answers(int fd)
{
    struct cfs_buffer out CFS_AUTO_BUFFER;
    cfs_buffer_init(&out);
    assert_int_equal(cfs_control_ask(fd, "nonsense", &out), 0);
    assert_int_equal(out.length, strlen("unknown request\n"));
    assert_memory_equal(out.bytes, "unknown request\n", out.length);
}

static void the_end_of_the_connection_is_the_end_of_the_server(void **state)
{
    struct fixture *fixture = *state;
    int fd = connect_client(fixture);
    check_answers(fd);
    cfs_control_server_stop(fixture->server);
    assert_int_equal(cfs_control_wait_end(fd, 10), -ETIMEDOUT);
    assert_int_equal(access(fixture->path, F_OK), -1);
    cfs_control_server_free(fixture->server);
    fixture->server = NULL;
    assert_int_equal(cfs_control_wait_end(fd, TEST_LIMIT_MS), 0);
    close(fd);
}

static void its_last_words_reach_who_waits_for_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct cfs_buffer words CFS_AUTO_BUFFER;
    cfs_buffer_init(&words);
    int fd = connect_client(fixture);
    check_answers(fd);
    cfs_control_server_stop(fixture->server);
    cfs_control_server_tell(fixture->server, "2 changes \033[31mcould not be finished");
    assert_int_equal(cfs_control_wait_end(fd, TEST_LIMIT_MS), 0);
    cfs_control_server_free(fixture->server);
    fixture->server = NULL;
    assert_int_equal(cfs_control_read_end(fd, &words), 0);
    assert_string_equal((const char *)words.bytes, "2 changes ?[31mcould not be finished");
    close(fd);
}

static void a_server_that_ends_leaves_the_socket_of_the_next_one_alone(void **state)
{
    struct fixture *fixture = *state;
    static const struct cfs_ctl_source nothing;
    struct cfs_control_server *next;
    assert_int_equal(cfs_control_serve(fixture->path, &nothing, &next), 0);
    cfs_control_server_free(fixture->server);
    fixture->server = next;
    int fd = connect_client(fixture);
    check_answers(fd);
    close(fd);
}

static void a_client_that_does_not_read_is_dropped_and_others_are_served(void **state)
{
    struct fixture *fixture = *state;
    int greedy = connect_client(fixture), other = connect_client(fixture);
    ssize_t sent;
    do {
        sent = send(greedy, "nonsense\n", strlen("nonsense\n"), MSG_NOSIGNAL);
    } while (sent > 0);
    assert_true(errno == EPIPE || errno == ECONNRESET);
    check_answers(other);
    close(greedy);
    close(other);
}

static void a_request_without_end_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char request[4096];
    memset(request, 'x', sizeof(request));
    int fd = connect_client(fixture);
    assert_int_equal(send(fd, request, sizeof(request), MSG_NOSIGNAL), (ssize_t)sizeof(request));
    assert_int_equal(cfs_control_wait_end(fd, TEST_LIMIT_MS), 0);
    close(fd);
}

/* CPU time of the whole process, in milliseconds. */
static int64_t cpu_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000) +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void without_descriptors_clients_wait_and_the_server_rests(void **state)
{
    if (getenv("CLUSTERFS_VALGRIND")) /* it keeps descriptors of its own, and its own limit */
        skip();
    struct fixture *fixture = *state;
    struct rlimit before, none;
    int fd = connect_client(fixture);
    check_answers(fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    close(waiting); /* now the lowest number that is free */
    none = before;
    none.rlim_cur = (rlim_t)waiting + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    waiting = connect_client(fixture);

    int64_t until = cfs_clock_ms(&cfs_system_clock) + 1000, used = cpu_ms();
    assert_int_equal(cfs_control_wait_end(waiting, 1000), -ETIMEDOUT);
    while (cfs_clock_ms(&cfs_system_clock) < until)
        usleep(10 * 1000);
    used = cpu_ms() - used;
    check_answers(fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    check_answers(waiting);
    assert_true(used < 100); /* a loop that turns without end uses all that it gets, also where others work */
    close(waiting);
    close(fd);
}

static void answers_cannot_drive_a_terminal(void **state)
{
    (void)state;
    int pair[2];
    static const char answer[] = "\033[2Jone\0\ntwo\a\n\n";
    struct cfs_buffer out CFS_AUTO_BUFFER;
    cfs_buffer_init(&out);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[1], answer, sizeof(answer) - 1), (ssize_t)sizeof(answer) - 1);
    assert_int_equal(cfs_control_ask(pair[0], "status", &out), 0);
    assert_int_equal(out.length, strlen("?[2Jone?\ntwo?\n"));
    assert_memory_equal(out.bytes, "?[2Jone?\ntwo?\n", out.length);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_end_of_the_connection_is_the_end_of_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_last_words_reach_who_waits_for_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_ends_leaves_the_socket_of_the_next_one_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_dropped_and_others_are_served, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_request_without_end_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_descriptors_clients_wait_and_the_server_rests, set_up, tear_down),
        cmocka_unit_test(answers_cannot_drive_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The control socket's client against a peer that answers well, badly, or not at all; and where the socket lies. */
#include "ctl/control.h"
#include "lib/test.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

static void the_answer_ends_with_an_empty_line(void **state)
{
    (void)state;
    int pair[2];
    struct cfs_buffer out CFS_AUTO_BUFFER;
    cfs_buffer_init(&out);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    static const char answer[] = "one\ntwo\n\n";
    assert_int_equal(write(pair[1], answer, strlen(answer)), (ssize_t)strlen(answer));
    assert_int_equal(cfs_control_ask(pair[0], "status", &out), 0);
    assert_int_equal(out.length, strlen("one\ntwo\n"));
    char request[16] = "";
    assert_int_equal(read(pair[1], request, sizeof(request)), (ssize_t)strlen("status\n"));
    assert_string_equal(request, "status\n");
    close(pair[0]);
    close(pair[1]);
}

static void a_peer_that_goes_away_or_is_silent_is_an_error(void **state)
{
    (void)state;
    int pair[2];
    struct cfs_buffer out CFS_AUTO_BUFFER;
    cfs_buffer_init(&out);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct timeval limit = {.tv_usec = 50000};
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(cfs_control_ask(pair[0], "status", &out), -ETIMEDOUT);
    assert_int_equal(cfs_control_wait_end(pair[0], 10), -ETIMEDOUT);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    assert_int_equal(cfs_control_ask(pair[0], "status", &out), -ECONNRESET);
    assert_int_equal(cfs_control_wait_end(pair[0], TEST_LIMIT_MS), 0);
    close(pair[0]);
    close(pair[1]);
}

static void the_socket_lies_in_a_folder_that_only_its_owner_can_enter(void **state)
{
    (void)state;
    char folder[] = "/tmp/cfs.XXXXXX", expected[64];
    char *path = NULL;
    struct stat status;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);

    assert_int_equal(cfs_control_path("/mnt/a", getuid(), false, &path), -ENOENT);
    assert_int_equal(cfs_control_path("/mnt/a", getuid(), true, &path), 0);
    snprintf(expected, sizeof(expected), "%s/clusterfs", folder);
    assert_int_equal(stat(expected, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_memory_equal(path, expected, strlen(expected));
    assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
    char *found = NULL;
    assert_int_equal(cfs_control_path("/mnt/a", getuid(), false, &found), 0);
    assert_string_equal(found, path);
    free(found);
    assert_int_equal(cfs_control_path("/mnt/b", getuid(), false, &found), -ENOENT);
    assert_int_equal(unlink(path), 0);
    free(path);

    assert_int_equal(chmod(expected, 0777), 0);
    assert_int_equal(cfs_control_path("/mnt/a", getuid(), true, &path), -EPERM);
    assert_int_equal(rmdir(expected), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Sockets have short names: XDG_RUNTIME_DIR may be too deep for one, and is passed over then. */
static void a_folder_that_cannot_hold_the_socket_is_passed_over(void **state)
{
    (void)state;
    char folder[] = "/tmp/cfs.XXXXXX", deep[160], expected[192];
    char *path = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(deep, sizeof(deep), "%s/%0100d", folder, 0);
    assert_int_equal(mkdir(deep, 0700), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", deep, 1), 0);
    assert_int_equal(cfs_control_path("/mnt/a", getuid(), true, &path), 0);
    assert_memory_not_equal(path, folder, strlen(folder));
    *strrchr(path, '/') = '\0';
    (void)rmdir(path); /* unless mounts of this user use it */
    free(path);
    snprintf(expected, sizeof(expected), "%s/clusterfs", deep);
    assert_int_equal(rmdir(expected), 0);
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_ends_with_an_empty_line),
        cmocka_unit_test(a_peer_that_goes_away_or_is_silent_is_an_error),
        cmocka_unit_test(the_socket_lies_in_a_folder_that_only_its_owner_can_enter),
        cmocka_unit_test(a_folder_that_cannot_hold_the_socket_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The end of a session whose kernel is gone. The kernel is this test: its requests and the replies go over a pair of
 * sockets, and writev(2), by which replies are sent, says of a reply what the kernel says. */
#include "lib/test.h"

#include "fuse/session.h"
#include "lib/memory_remote.h"
#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ROOT = 1, INIT = 1, OPENDIR = 2, LIMIT_MS = 10000, MOMENT_MS = 300 };

static char source[] = "test";
static const struct cfs_profile profile = {
    .source = source, .attr_ttl_ms = 1000, .idmap = CFS_IDMAP_NONE, .symlinks = CFS_SYMLINKS_SAFE};

/* The request whose reply finds no kernel any more, and whether it has been sent. */
static atomic_int refused, was_refused;

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)vector, .msg_iovlen = (size_t)count};
    const struct fuse_out_header *header = vector[0].iov_base;
    if (header->unique != (uint64_t)refused)
        return sendmsg(fd, &message, 0);
    was_refused = 1;
    errno = ENOENT;
    return -1;
}

struct mount {
    struct memory_remote *memory;
    struct cfs_fs *fs;
    struct cfs_fuse_session *session;
    int kernel;
    pthread_t thread;
    atomic_bool is_over;
};

static void wait_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void ask(const struct mount *mount, uint64_t unique, uint32_t opcode, const void *body, size_t length)
{
    struct fuse_in_header header = {
        .len = (uint32_t)(sizeof(header) + length), .opcode = opcode, .unique = unique, .nodeid = ROOT};
    const struct iovec parts[] = {{&header, sizeof(header)}, {(void *)(uintptr_t)body, length}};
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = 2};
    assert_int_equal(sendmsg(mount->kernel, &message, 0), header.len);
}

static void *serve(void *context)
{
    struct mount *mount = context;
    assert_int_equal(cfs_fuse_session_run(mount->session), 0);
    cfs_fuse_session_free(mount->session);
    cfs_fs_free(mount->fs);
    mount->is_over = true;
    return NULL;
}

static void begin(struct mount *mount)
{
    const struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = 131072};
    struct cfs_error error = {0};
    char device[32], reply[256];
    int pair[2];
    *mount = (struct mount){.memory = memory_remote_new(NULL)};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    mount->kernel = pair[0];
    snprintf(device, sizeof(device), "/dev/fd/%d", pair[1]);
    mount->session = cfs_fuse_session_new(&profile);
    assert_non_null(mount->session);
    const struct cfs_fs_options options = {.profile = &profile,
                                           .clock = memory_remote_clock(mount->memory),
                                           .notifier = cfs_fuse_session_notifier(mount->session)};
    assert_int_equal(cfs_fs_new(memory_remote_as_remote(mount->memory), &options, &mount->fs), 0);
    assert_int_equal(cfs_fuse_session_mount(mount->session, mount->fs, device, &error), 0);
    assert_int_equal(pthread_create(&mount->thread, NULL, serve, mount), 0);
    ask(mount, INIT, FUSE_INIT, &init, sizeof(init));
    assert_true(recv(mount->kernel, reply, sizeof(reply), 0) > 0);
}

static void what_a_lost_reply_has_opened_is_closed_before_the_end(void **state)
{
    struct mount mount;
    const struct fuse_open_in open = {.flags = 0};
    (void)state;
    begin(&mount);
    refused = OPENDIR;
    ask(&mount, OPENDIR, FUSE_OPENDIR, &open, sizeof(open));
    for (int ms = 0; ms < LIMIT_MS && !was_refused; ms++) {
        (void)memory_remote_step(mount.memory);
        wait_a_moment();
    }
    assert_true(was_refused);
    assert_int_equal(memory_remote_in_flight(mount.memory), 1); /* the close */
    cfs_fuse_session_stop(mount.session);
    for (int ms = 0; ms < MOMENT_MS && !mount.is_over; ms++) /* it would not be so soon as that */
        wait_a_moment();
    assert_false(mount.is_over);
    (void)memory_remote_run(mount.memory);
    pthread_join(mount.thread, NULL);
    memory_remote_free(mount.memory);
    close(mount.kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_lost_reply_has_opened_is_closed_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

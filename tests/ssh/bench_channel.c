/* What a session's thread costs, cipher by cipher, over loopback: the measurement behind the order in
 * src/ssh/algorithms.c. Run it from a build without sanitizers: tests/ssh/bench_channel [MEBIBYTES [CIPHER...]] */
#include "lib/session_call.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "ssh/session.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const usual_ciphers[] = {
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
};

enum { BUFFER = 256 * 1024 };

static struct test_sshd sshd;
static uint8_t buffer[BUFFER];

struct transfer {
    struct cfs_ssh_session *session;
    const char *subsystem;
    struct cfs_stream *stream;
    uint64_t to_send, to_receive;
    struct timespec cpu;
    atomic_int done;
};

static void transfer_ready(struct cfs_stream *stream, void *context)
{
    struct transfer *transfer = context;
    ssize_t length = 1;
    while (transfer->to_send > 0 && length > 0) {
        const struct iovec piece = {.iov_base = buffer,
                                    .iov_len = transfer->to_send < BUFFER ? (size_t)transfer->to_send : BUFFER};
        length = cfs_stream_write(stream, &piece, 1);
        transfer->to_send -= length > 0 ? (uint64_t)length : 0;
    }
    while ((length = cfs_stream_read(stream, buffer, BUFFER)) > 0)
        transfer->to_receive -= (uint64_t)length < transfer->to_receive ? (uint64_t)length : transfer->to_receive;
    if (transfer->to_receive == 0 || (length <= 0 && length != -EAGAIN))
        transfer->done = 1;
}

static void begin(void *context)
{
    struct transfer *transfer = context;
    transfer->stream = cfs_ssh_open_subsystem(transfer->session, transfer->subsystem, 4 * 1024 * 1024);
    assert_non_null(transfer->stream);
    transfer->stream->ready = transfer_ready;
    transfer->stream->context = transfer;
}

static void finish(void *context)
{
    struct transfer *transfer = context;
    cfs_stream_close(transfer->stream);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &transfer->cpu);
}

static void measure(struct cfs_ssh_session *session, const char *subsystem, uint64_t to_send, uint64_t to_receive,
                    uint64_t size)
{
    struct transfer transfer = {
        .session = session, .subsystem = subsystem, .to_send = to_send, .to_receive = to_receive};
    test_call(cfs_ssh_session_loop(session), begin, &transfer);
    int64_t begun_ms = cfs_clock_ms(&cfs_system_clock);
    test_wait_until(transfer.done);
    int64_t took_ms = cfs_clock_ms(&cfs_system_clock) - begun_ms;
    test_call(cfs_ssh_session_loop(session), finish, &transfer);
    double cpu = (double)transfer.cpu.tv_sec + (double)transfer.cpu.tv_nsec / 1e9;
    printf("  %-6s %6.0f MB/s  %5.2f CPU s/GB", subsystem, (double)size / 1e3 / (double)(took_ms ? took_ms : 1),
           cpu * 1e9 / (double)size);
}

static struct cfs_ssh_session *connect_with(const char *cipher)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_error error = {0};
    struct cfs_ssh_session *session = NULL;
    profile->ciphers = strdup(cipher);
    if (cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error) < 0)
        printf("%s: %s\n", cipher, error.text);
    test_profile_free(profile);
    return session;
}

int main(int argc, char **argv)
{
    uint64_t mebibytes = argc > 1 ? strtoull(argv[1], NULL, 10) : 512;
    uint64_t size = mebibytes * 1024 * 1024;
    size_t count = argc > 2 ? (size_t)argc - 2 : CFS_COUNT(usual_ciphers);
    char subsystems[256];
    snprintf(subsystems, sizeof(subsystems),
             "Subsystem down head -c %llu /dev/zero\nSubsystem up head -c %llu | wc -c\n", (unsigned long long)size,
             (unsigned long long)size);
    if (cfs_ssh_library_init() < 0)
        return 1;
    test_sshd_start(&sshd, subsystems);
    for (size_t i = 0; i < count; i++) {
        const char *cipher = argc > 2 ? argv[i + 2] : usual_ciphers[i];
        printf("%-30s", cipher);
        for (int up = 0; up < 2; up++) { /* a session each, so that each thread's clock begins at zero */
            struct cfs_ssh_session *session = connect_with(cipher);
            if (session)
                measure(session, up ? "up" : "down", up ? size : 0, up ? 1 : size, size);
            cfs_ssh_session_free(session);
        }
        printf("\n");
    }
    test_sshd_stop(&sshd);
    cfs_ssh_library_fini();
    return 0;
}

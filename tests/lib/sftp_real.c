/* A client on a real sftp-server. */
#include "lib/test.h"

#include "lib/sftp_real.h"
#include <stdio.h>

static void on_ready(struct cfs_sftp_client *client, void *context)
{
    struct sftp_real *real = context;

    real->ready = true;
}

static void on_lost(struct cfs_sftp_client *client, int error, const char *reason, void *context)
{
    struct sftp_real *real = context;

    real->lost++;
    real->lost_error = error;
    snprintf(real->lost_reason, sizeof(real->lost_reason), "%s", reason);
}

void real_start_only(struct sftp_real *real, char *const argv[])
{
    const struct cfs_sftp_callbacks callbacks = {.ready = on_ready, .lost = on_lost, .context = real};
    struct cfs_stream *stream;

    if (!argv[0])
        skip();
    *real = (struct sftp_real){.loop = cfs_loop_new()};
    assert_non_null(real->loop);
    assert_int_equal(cfs_stream_spawn(real->loop, argv, &stream), 0);
    real->client = cfs_sftp_client_new(stream, &callbacks);
    assert_non_null(real->client);
}

void real_start(struct sftp_real *real, char *const argv[])
{
    int64_t limit;

    real_start_only(real, argv);
    limit = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
    while (!real->ready) {
        if (real->lost)
            fail_msg("the server was lost at the start: %s", real->lost_reason);
        assert_true(cfs_clock_ms(&cfs_system_clock) < limit);
        cfs_loop_run_once(real->loop, 1000);
    }
}

void real_stop(struct sftp_real *real)
{
    cfs_sftp_client_free(real->client);
    cfs_loop_free(real->loop);
}

void real_wait(struct sftp_real *real, const unsigned *count, unsigned wanted)
{
    int64_t limit = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
    unsigned before = *count;

    while (*count < wanted) {
        if (*count != before) {
            before = *count;
            limit = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
        }
        assert_true(cfs_clock_ms(&cfs_system_clock) < limit);
        cfs_loop_run_once(real->loop, 1000);
    }
}

int real_result(struct sftp_real *real, struct peer_answer *answer, int submitted)
{
    assert_int_equal(submitted, 0);
    real_wait(real, &answer->done, 1);
    return answer->error;
}

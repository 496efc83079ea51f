/* Processes are found by the numbers that they have written into lists in the scratch folder. */
#include "lib/lost_pool.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void lost_pool_open(struct pool_fixture *fixture, const char *before, uint32_t timeout_ms)
{
    /* One session: on a busy machine the servers seem to be far away, and another one would be begun. */
    const struct cfs_pool_options options = {.lanes = 2,
                                             .sessions = 1,
                                             .op_timeout_ms = TEST_LIMIT_MS / 3,
                                             .reconnects = true,
                                             .reconnect_timeout_ms = timeout_ms};
    assert_int_equal(pool_fixture_open(fixture, pool_fixture_transport(fixture, before), options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 2);
}

unsigned lost_pool_signal(struct pool_fixture *fixture, const char *list, int signal)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->folder, list);
    FILE *file = fopen(path, "r");
    unsigned count = 0;
    int pid;
    while (file && fscanf(file, "%d", &pid) == 1)
        count += pool_fixture_is_below_us(pid) && kill(pid, signal) == 0;
    if (file)
        fclose(file);
    return count;
}

static unsigned kill_all(struct pool_fixture *fixture)
{
    unsigned count = lost_pool_signal(fixture, "behind", SIGKILL);
    count += lost_pool_signal(fixture, "cats", SIGKILL);
    return count + lost_pool_signal(fixture, "pids", SIGKILL); /* may have ended by themselves, without the others */
}

void lost_pool_kill(struct pool_fixture *fixture)
{
    test_wait_until(kill_all(fixture) > 0); /* those before may just have been reaped */
}

void lost_pool_hold(struct pool_fixture *fixture, bool on)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->folder, "hold");
    if (on)
        close(open(path, O_CREAT | O_WRONLY, 0600));
    else
        unlink(path);
}

void lost_pool_cut(struct pool_fixture *fixture)
{
    lost_pool_hold(fixture, true);
    lost_pool_kill(fixture);
    test_wait_until(pool_fixture_status(fixture).state != CFS_POOL_CONNECTED);
}

void lost_pool_mend(struct pool_fixture *fixture)
{
    lost_pool_hold(fixture, false);
    test_wait_until(pool_fixture_status(fixture).connected);
}

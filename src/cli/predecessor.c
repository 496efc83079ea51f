/* By its control socket, like `clusterfs umount`: the end of the connection is the end of the process, and a few times
 * a second it is asked how much is left. That process has a drain_timeout of its own, and mostly it is that which ends
 * the wait for a server that takes nothing: so ours is a little longer. */
#include "cli/predecessor.h"
#include "base/clock.h"
#include "cli/drain.h"
#include "ctl/control.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { CONNECT_LIMIT_MS = 5000, STEP_MS = 200, GRACE_MS = 3000 };

struct wait {
    const char *mountpoint;
    int end_fd, ask_fd;
    bool answers, told;
    struct cfs_drain_left left; /* as told last */
    uint64_t least;             /* of bytes and changes */
    int64_t least_ms;           /* since when */
};

/* Whether there is anything to be waited for. */
static bool ask(struct wait *wait)
{
    wait->answers = wait->answers && cfs_drain_ask(wait->ask_fd, &wait->left) == 0;
    uint64_t sum = wait->left.bytes + wait->left.changes;
    if (sum < wait->least) {
        wait->least = sum;
        wait->least_ms = cfs_clock_ms(&cfs_system_clock);
    }
    return wait->left.is_ending || sum > 0;
}

static void show(struct wait *wait)
{
    char text[160];
    bool on_terminal = isatty(STDERR_FILENO);
    if ((wait->told && !on_terminal) || wait->least == 0)
        return;
    cfs_drain_describe(wait->left.bytes, wait->left.changes, 0, text, sizeof(text));
    fprintf(stderr, "%sclusterfs: waiting for the last mount on %s to finish: %s%s", on_terminal ? "\r\033[K" : "",
            wait->mountpoint, text, on_terminal ? "" : "\n");
    wait->told = true;
}

static int give_up(const struct wait *wait, uint32_t timeout_ms, struct cfs_error *error)
{
    char text[160];
    cfs_drain_describe(wait->left.bytes, wait->left.changes, 0, text, sizeof(text));
    return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                         "The last mount on %s has not ended (%s), and nothing has gone on for %u s.\n"
                         "`clusterfs umount --force %s` gives up what is left.",
                         wait->mountpoint, text, timeout_ms / 1000, wait->mountpoint);
}

static void tell_last_words(const struct wait *wait)
{
    struct cfs_buffer words CFS_AUTO_BUFFER;
    cfs_buffer_init(&words);
    if (cfs_control_read_end(wait->end_fd, &words) >= 0 && words.length > 0)
        fprintf(stderr, "clusterfs: %s\n", (const char *)words.bytes);
}

static int wait_for_end(struct wait *wait, uint32_t timeout_ms, struct cfs_error *error)
{
    int result = -ETIMEDOUT;
    while (result == -ETIMEDOUT && ask(wait)) {
        show(wait);
        if (timeout_ms && cfs_clock_ms(&cfs_system_clock) - wait->least_ms > (int64_t)timeout_ms + GRACE_MS)
            return give_up(wait, timeout_ms, error);
        result = cfs_control_wait_end(wait->end_fd, STEP_MS);
    }
    if (result == 0)
        tell_last_words(wait);
    return 0;
}

int cfs_predecessor_wait(const char *mountpoint, uint32_t timeout_ms, struct cfs_error *error)
{
    char *path CFS_AUTO_FREE = NULL;
    if (cfs_control_path(mountpoint, geteuid(), false, &path))
        return 0;
    int end_fd CFS_AUTO_CLOSE = cfs_control_connect(path, CONNECT_LIMIT_MS);
    int ask_fd CFS_AUTO_CLOSE = end_fd < 0 ? -1 : cfs_control_connect(path, CONNECT_LIMIT_MS);
    struct wait wait = {.mountpoint = mountpoint,
                        .end_fd = end_fd,
                        .ask_fd = ask_fd,
                        .answers = ask_fd >= 0,
                        .least = UINT64_MAX,
                        .least_ms = cfs_clock_ms(&cfs_system_clock)};
    int result = end_fd < 0 ? 0 : wait_for_end(&wait, timeout_ms, error);
    if (wait.told && isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    return result;
}

/* The end of one connection is the end of the mount; on the other one the mount is asked how much is left, a few times
 * a second. The rate is that at which it gets less, smoothed over a few seconds. */
#include "cli/drain.h"
#include "base/clock.h"
#include "base/text.h"
#include "ctl/control.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REDRAW_MS = 500, LINE_MS = 1000 };

struct drain {
    int ask_fd;
    enum cfs_drain_show show;
    bool drawn;
    int64_t asked_ms;
    uint64_t bytes, rate;
};

void cfs_drain_describe(uint64_t bytes, uint64_t changes, uint64_t rate, char *text, size_t size)
{
    char amount[16], speed[16];
    int used = snprintf(text, size, "%s", cfs_text_format_size(bytes, amount, sizeof(amount)));
    if (changes > 0)
        used += snprintf(text + used, size - (size_t)used, " and %" PRIu64 " %s", changes,
                         changes == 1 ? "change" : "changes");
    used += snprintf(text + used, size - (size_t)used, " to be written");
    if (rate > 0 && bytes > 0)
        snprintf(text + used, size - (size_t)used, ", %s/s, %" PRIu64 " s to go",
                 cfs_text_format_size(rate, speed, sizeof(speed)), bytes / rate + (bytes % rate != 0));
}

int cfs_drain_ask(int ask_fd, struct cfs_drain_left *ret_left)
{
    struct cfs_drain_left left = {0};
    char word[8] = "";
    struct cfs_buffer answer CFS_AUTO_BUFFER;
    cfs_buffer_init(&answer);
    int error = cfs_control_ask(ask_fd, "progress", &answer);
    if (error)
        return error;
    if (sscanf((const char *)answer.bytes, "left %" SCNu64 " %" SCNu64 " %7s", &left.bytes, &left.changes, word) < 2)
        return -EPROTO;
    left.is_ending = strcmp(word, "ending") == 0;
    *ret_left = left;
    return 0;
}

static void measure(struct drain *drain, uint64_t bytes)
{
    int64_t now_ms = cfs_clock_ms(&cfs_system_clock);
    if (drain->asked_ms > 0 && now_ms > drain->asked_ms && bytes <= drain->bytes) {
        uint64_t rate = (drain->bytes - bytes) * 1000 / (uint64_t)(now_ms - drain->asked_ms);
        drain->rate = drain->rate > 0 ? drain->rate - drain->rate / 4 + rate / 4 : rate;
    }
    drain->asked_ms = now_ms;
    drain->bytes = bytes;
}

static void show(struct drain *drain)
{
    struct cfs_drain_left left;
    char text[160];
    if (drain->ask_fd < 0 || drain->show == CFS_DRAIN_SILENT)
        return;
    if (cfs_drain_ask(drain->ask_fd, &left)) {
        drain->ask_fd = -1;
        return;
    }
    measure(drain, left.bytes);
    if (left.bytes == 0 && left.changes == 0)
        return;
    cfs_drain_describe(left.bytes, left.changes, drain->rate, text, sizeof(text));
    fprintf(stderr, drain->show == CFS_DRAIN_REDRAW ? "\r\033[K%s" : "%s\n", text);
    drain->drawn = true;
}

static int wait_for_end(int end_fd, int timeout_ms, struct drain *drain)
{
    int64_t started_ms = cfs_clock_ms(&cfs_system_clock);
    int step_ms = drain->show == CFS_DRAIN_REDRAW ? REDRAW_MS : LINE_MS, result;
    if (drain->show == CFS_DRAIN_LINES)
        show(drain);
    do {
        int64_t left_ms = timeout_ms < 0 ? step_ms : started_ms + timeout_ms - cfs_clock_ms(&cfs_system_clock);
        if (left_ms <= 0)
            return cfs_control_wait_end(end_fd, 0);
        result = cfs_control_wait_end(end_fd, left_ms < step_ms ? (int)left_ms : step_ms);
        if (result == -ETIMEDOUT)
            show(drain);
    } while (result == -ETIMEDOUT);
    return result;
}

int cfs_drain_wait(int end_fd, int ask_fd, int timeout_ms, enum cfs_drain_show how)
{
    struct drain drain = {.ask_fd = ask_fd, .show = how};
    int result = wait_for_end(end_fd, timeout_ms, &drain);
    if (drain.drawn && how == CFS_DRAIN_REDRAW)
        fprintf(stderr, "\r\033[K");
    return result;
}

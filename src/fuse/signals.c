/* Reads the masks of pending and blocked signals (proc(5), /proc/PID/status). */
#include "fuse/signals.h"
#include "base/cleanup.h"
#include <signal.h>
#include <stdint.h>
#include <string.h>

static uint64_t signal_mask(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    return line ? strtoull(line + strlen(field), NULL, 16) : 0;
}

bool cfs_fuse_wants_to_end(const char *status)
{
    static const int ending[] = {SIGKILL, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    uint64_t pending = signal_mask(status, "\nSigPnd:") | signal_mask(status, "\nShdPnd:");
    uint64_t blocked = signal_mask(status, "\nSigBlk:");
    for (size_t i = 0; i < CFS_COUNT(ending); i++) {
        uint64_t bit = UINT64_C(1) << (ending[i] - 1);
        if ((pending & bit) && (ending[i] == SIGKILL || !(blocked & bit)))
            return true;
    }
    return false;
}

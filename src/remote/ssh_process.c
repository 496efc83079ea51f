/* By /proc: who is whose child, and what it was called with. Programs that stand between us and ssh (ssh_command may be
 * a wrapper) change nothing in the end of its command line. */
#include "remote/ssh_process.h"

#include "base/cleanup.h"
#include <stdio.h>
#include <string.h>

/* 0: unknown. */
static pid_t parent_of(pid_t pid)
{
    char path[64], line[512];
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file CFS_AUTO_FCLOSE = fopen(path, "re");
    if (!file || !fgets(line, sizeof(line), file))
        return 0;
    const char *name_end = strrchr(line, ')'); /* the name may hold anything: proc(5) */
    return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* The last SIZE bytes of the command line of PID, zeros between its words. How many there are. */
static size_t end_of_command_line(pid_t pid, char *end, size_t size)
{
    char path[64];
    size_t length = 0;
    int byte;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    FILE *file CFS_AUTO_FCLOSE = fopen(path, "re");
    while (file && (byte = getc(file)) != EOF) {
        if (length == size)
            memmove(end, end + 1, --length);
        end[length++] = (char)byte;
    }
    return length;
}

bool cfs_ssh_process_asks_for(pid_t pid, const char *host)
{
    char wanted[512], end[512];
    pid_t parent = parent_of(pid);
    int length = snprintf(wanted, sizeof(wanted), "%c-s%c--%c%s%csftp%c", 0, 0, 0, host, 0, 0);
    if (parent <= 0 || length < 0 || (size_t)length >= sizeof(wanted))
        return false;
    size_t wanted_length = (size_t)length;
    return end_of_command_line(parent, end, wanted_length) == wanted_length && memcmp(end, wanted, wanted_length) == 0;
}

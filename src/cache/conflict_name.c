/* Names of copies. They end with time and number alone, so that what belongs to one file stands together in a listing.
 */
#include "cache/conflict_name.h"
#include "base/text.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

char *cfs_conflict_name(const char *path, time_t when, unsigned number)
{
    char ending[80], time[32], counted[16] = "";
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct tm parts = {.tm_year = 0};
    gmtime_r(&when, &parts);
    strftime(time, sizeof(time), "%Y%m%dT%H%M%S", &parts);
    if (number > 1)
        snprintf(counted, sizeof(counted), "-%u", number);
    snprintf(ending, sizeof(ending), ".clusterfs-conflict-%s%s", time, counted);
    size_t kept = strlen(name), most = NAME_MAX - strlen(ending);
    if (kept > most) {
        kept = most;
        while (kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80)
            kept--;
    }
    return cfs_text_format("%.*s%s", (int)((size_t)(name - path) + kept), path, ending);
}

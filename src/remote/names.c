/* What a server may call an entry of a folder. */
#include "remote/names.h"
#include <limits.h>
#include <string.h>

enum cfs_name_verdict cfs_name_judge(const char *name, size_t length)
{
    if (length == 0 || length > NAME_MAX)
        return CFS_NAME_BAD;
    if (memchr(name, '/', length) || memchr(name, '\0', length))
        return CFS_NAME_BAD;
    if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
        return CFS_NAME_DOTS;
    return CFS_NAME_GOOD;
}

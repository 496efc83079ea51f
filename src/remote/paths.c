/* Paths on the server: joining, with the bounds checked on this side. */
#include "remote/paths.h"
#include "base/text.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

/* One component of LENGTH bytes. */
static int check_component(const char *name, size_t length)
{
    if (length == 0 || (length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.'))
        return -EINVAL;
    return length > NAME_MAX ? -ENAMETOOLONG : 0;
}

static int check_relative(const char *relative)
{
    while (*relative) {
        size_t length = strcspn(relative, "/");
        int error = check_component(relative, length);
        if (error)
            return error;
        relative += length;
        if (*relative == '/' && *++relative == '\0')
            return -EINVAL;
    }
    return 0;
}

int cfs_path_join(const char *root, const char *relative, char **ret_path)
{
    int error = check_relative(relative);
    if (error)
        return error;
    bool needs_slash = *relative && root[strlen(root) - 1] != '/';
    if (strlen(root) + needs_slash + strlen(relative) >= PATH_MAX)
        return -ENAMETOOLONG;
    char *path = cfs_text_format("%s%s%s", root, needs_slash ? "/" : "", relative);
    if (!path)
        return -ENOMEM;
    *ret_path = path;
    return 0;
}

char *cfs_path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return strdup("/");
    return strndup(path, (size_t)(slash - path));
}

char *cfs_path_renamed(const char *path, const char *from, const char *to, bool *ret_concerned)
{
    size_t length = strlen(from);
    *ret_concerned = strncmp(path, from, length) == 0 && (path[length] == '\0' || path[length] == '/');
    return *ret_concerned ? cfs_text_format("%s%s", to, path + length) : NULL;
}

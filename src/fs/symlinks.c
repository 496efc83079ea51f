/* The target is walked name by name, with a stack of the names that stand after the leading "..". */
#include "fs/symlinks.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

struct walk {
    size_t climbs; /* leading ".." */
    char *names;   /* PATH_MAX bytes: "a/b/c" */
    size_t length;
};

static int append(struct walk *walk, const char *name, size_t length)
{
    if (walk->length + length + 2 > PATH_MAX)
        return -ENAMETOOLONG;
    if (walk->length > 0)
        walk->names[walk->length++] = '/';
    memcpy(walk->names + walk->length, name, length);
    walk->length += length;
    return 0;
}

static void climb(struct walk *walk)
{
    if (walk->length == 0) {
        walk->climbs++;
        return;
    }
    while (walk->length > 0 && walk->names[walk->length - 1] != '/')
        walk->length--;
    if (walk->length > 0)
        walk->length--;
}

static int take_apart(struct walk *walk, const char *target)
{
    for (const char *next = target; *next;) {
        size_t length = strcspn(next, "/");
        int result = 0;
        if (length == 2 && memcmp(next, "..", 2) == 0)
            climb(walk);
        else if (length > 0 && !(length == 1 && *next == '.'))
            result = append(walk, next, length);
        if (result < 0)
            return result;
        next += length;
        next += strspn(next, "/");
    }
    return 0;
}

/* What of an absolute, walked path lies below ROOT; NULL if it is elsewhere. */
static const char *below_root(const char *names, const char *root)
{
    size_t length = strlen(root);
    while (length > 0 && root[length - 1] == '/')
        length--;
    if (length == 0)
        return names;
    root++; /* NAMES has no leading '/' */
    length--;
    if (strncmp(names, root, length) != 0 || (names[length] != '/' && names[length] != '\0'))
        return NULL;
    return names + length + (names[length] == '/');
}

/* "../" as often as CLIMBS says, then NAMES; "." for the link's own folder. */
static int join(size_t climbs, const char *names, bool folder, char **ret_target)
{
    size_t length = strlen(names);
    if (climbs > PATH_MAX / 3 || climbs * 3 + length + 2 > PATH_MAX)
        return -ENAMETOOLONG;
    char *target = malloc(climbs * 3 + length + 3);
    if (!target)
        return -ENOMEM;
    char *end = target;
    for (size_t i = 0; i < climbs; i++, end += 3)
        memcpy(end, "../", 3);
    memcpy(end, names, length);
    end += length;
    if (end == target)
        *end++ = '.';
    else if (length == 0)
        end--; /* "../.." */
    if (folder && length > 0)
        *end++ = '/'; /* what ends with '/' must be a folder */
    *end = '\0';
    *ret_target = target;
    return 0;
}

static int make_safe(const char *root, size_t depth, const char *target, char **ret_target)
{
    size_t length = strlen(target);
    if (length == 0)
        return -EIO; /* no file system has such a link */
    if (length >= PATH_MAX)
        return -ENAMETOOLONG;
    char *names CFS_AUTO_FREE = calloc(1, PATH_MAX);
    if (!names)
        return -ENOMEM;
    struct walk walk = {.names = names};
    int result = take_apart(&walk, target);
    if (result < 0)
        return result;
    names[walk.length] = '\0';
    bool folder = target[length - 1] == '/' || (length > 1 && strcmp(target + length - 2, "/.") == 0);
    if (target[0] != '/')
        return walk.climbs > depth ? -EPERM : join(walk.climbs, names, folder, ret_target);
    const char *inside = below_root(names, root);
    return inside ? join(depth, inside, folder, ret_target) : -EPERM;
}

int cfs_symlink_target(enum cfs_symlinks how, const char *root, size_t depth, const char *target, char **ret_target)
{
    if (how == CFS_SYMLINKS_SAFE)
        return make_safe(root, depth, target, ret_target);
    char *copy = strdup(target);
    if (!copy)
        return -ENOMEM;
    *ret_target = copy;
    return 0;
}

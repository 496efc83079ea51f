/* Reads /proc/self/mountinfo: fields separated by blanks, octal escapes for blanks in paths, " - TYPE SOURCE OPTIONS"
 * at the end. */
#include "cli/mountpoint.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_octal(char digit)
{
    return digit >= '0' && digit <= '7';
}

/* Undoes \ooo, in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) && is_octal(from[3])) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Fills MOUNT with strings of its own. 1, 0 when the line is of another type, -ENOMEM. */
static int parse_line(char *line, struct cfs_mounted *mount)
{
    char *separator = strstr(line, " - ");
    char *rest, *type, *source, *options, *mountpoint = NULL, *field;
    if (!separator)
        return 0;
    *separator = '\0';
    rest = separator + 3;
    type = strsep(&rest, " ");
    source = strsep(&rest, " ");
    options = rest ? rest : line + strlen(line);
    if (!type || !source || strcmp(type, "fuse.clusterfs") != 0)
        return 0;
    rest = line;
    for (int i = 0; i < 5; i++) { /* id, parent, device, root, mount point */
        field = strsep(&rest, " ");
        mountpoint = field;
    }
    if (!mountpoint)
        return 0;
    unescape(mountpoint);
    unescape(source);
    const char *user = strstr(options, "user_id=");
    mount->uid = user ? (uid_t)strtoul(user + strlen("user_id="), NULL, 10) : 0;
    mount->mountpoint = strdup(mountpoint);
    mount->source = strdup(source);
    if (mount->mountpoint && mount->source)
        return 1;
    free(mount->mountpoint);
    free(mount->source);
    return -ENOMEM;
}

static int append(struct cfs_mounted_list *list, const struct cfs_mounted *mount)
{
    struct cfs_mounted *longer = reallocarray(list->mounts, list->count + 1, sizeof(*longer));
    if (!longer) {
        free(mount->mountpoint);
        free(mount->source);
        return -ENOMEM;
    }
    list->mounts = longer;
    list->mounts[list->count++] = *mount;
    return 0;
}

int cfs_mounted_read(const char *path, struct cfs_mounted_list *ret_list)
{
    struct cfs_mounted_list list = {0};
    char *line CFS_AUTO_FREE = NULL;
    size_t size = 0;
    FILE *file CFS_AUTO_FCLOSE = fopen(path ? path : "/proc/self/mountinfo", "re");
    if (!file)
        return -errno;
    while (getline(&line, &size, file) > 0) {
        struct cfs_mounted mount;
        line[strcspn(line, "\n")] = '\0';
        int result = parse_line(line, &mount);
        if (result > 0)
            result = append(&list, &mount);
        if (result < 0) {
            cfs_mounted_free(&list);
            return result;
        }
    }
    *ret_list = list;
    return 0;
}

void cfs_mounted_free(struct cfs_mounted_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->mounts[i].mountpoint);
        free(list->mounts[i].source);
    }
    free(list->mounts);
    *list = (struct cfs_mounted_list){0};
}

const struct cfs_mounted *cfs_mounted_find(const struct cfs_mounted_list *list, const char *mountpoint)
{
    for (size_t i = list->count; i > 0; i--) { /* later lines lie on top */
        if (strcmp(list->mounts[i - 1].mountpoint, mountpoint) == 0)
            return &list->mounts[i - 1];
    }
    return NULL;
}

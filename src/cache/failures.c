/* What was promised and could not be done: the log has a line for each file, the next use of its name is told once, and
 * the end of the mount is told how many there were, and of the first. */
#include "base/log.h"
#include "cache/behind_priv.h"
#include <stdio.h>
#include <string.h>

/* Beyond, the oldest is not told to the next use of its name; the log and the count have it all the same. */
enum { MOST_FAILURES = 512 };

struct failure {
    struct cfs_list link;
    int error;
    char path[]; /* NUL-terminated */
};

static struct failure *find(const struct cfs_behind *behind, const char *path)
{
    struct cfs_list *link;
    cfs_list_each (link, &behind->failures) {
        struct failure *failure = cfs_container_of(link, struct failure, link);
        if (strcmp(failure->path, path) == 0)
            return failure;
    }
    return NULL;
}

static void drop(struct cfs_behind *behind, struct failure *failure)
{
    cfs_list_remove(&failure->link);
    behind->failure_count--;
    free(failure);
}

static void remember(struct cfs_behind *behind, const char *path, int error)
{
    size_t size = strlen(path) + 1;
    struct failure *failure = malloc(sizeof(*failure) + size);
    if (!failure)
        return;
    failure->error = error;
    memcpy(failure->path, path, size);
    cfs_list_push_back(&behind->failures, &failure->link);
    if (++behind->failure_count > MOST_FAILURES)
        drop(behind, cfs_list_first(&behind->failures, struct failure, link));
}

void cfs_failure_note(struct cfs_behind *behind, const char *path, const char *what, int error)
{
    const char *name = path ? path : "a file without a name";
    if (path && find(behind, path))
        return;
    cfs_log_error("cache", "%s: %s: %s", name, what, strerror(-error));
    if (behind->failed.count++ == 0)
        snprintf(behind->failed.first, sizeof(behind->failed.first), "%s: %s: %s", name, what, strerror(-error));
    behind->last_error = error;
    if (behind->core.options.failed)
        behind->core.options.failed(behind->core.options.context, name, what, error);
    if (path)
        remember(behind, path, error);
}

int cfs_failure_tell(struct cfs_behind *behind, const char *path)
{
    struct failure *failure = find(behind, path);
    int error = failure ? failure->error : 0;
    if (failure)
        drop(behind, failure);
    return error;
}

void cfs_failure_forget(struct cfs_behind *behind, const char *path)
{
    struct failure *failure = find(behind, path);
    if (failure)
        drop(behind, failure);
    cfs_behind_log_forget(behind, path);
}

void cfs_failures_fini(struct cfs_behind *behind)
{
    struct failure *failure;
    while ((failure = cfs_list_first(&behind->failures, struct failure, link)))
        drop(behind, failure);
}

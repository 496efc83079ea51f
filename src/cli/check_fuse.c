/* This side of a mount: the mount point, and FUSE itself. Whether /dev/fuse can be opened, fusermount3 is there and
 * lets us mount, and user_allow_other is set where others are to be let in, is found out as a mount finds it out: by
 * mounting, for a moment, on the mount point or on a folder made for it. Nobody serves that mount; it is gone before
 * the kernel has had an answer. */
#include "base/text.h"
#include "cli/check.h"
#include "cli/mountpoint.h"
#include "cli/signals.h"
#include "fuse/session.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cfs_check_mount_point(struct cfs_check *check)
{
    struct cfs_error error = {0};
    if (!check->mountpoint)
        return;
    if (cfs_mountpoint_prepare(check->mountpoint, &check->prepared, &error))
        cfs_check_fail(check, CFS_CHECK_MOUNT_POINT, &error);
    else
        cfs_check_say(check, CFS_CHECK_MOUNT_POINT, CFS_CHECK_OK, "%s", check->prepared);
}

/* Signals wait: no mount may stay behind without its process. */
static int mount_for_a_moment(const struct cfs_profile *profile, const char *mountpoint, struct cfs_error *error)
{
    sigset_t before;
    struct cfs_fuse_session *session = cfs_fuse_session_new(profile);
    if (!session)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    cfs_signals_hold(&before);
    int result = cfs_fuse_session_mount(session, NULL, mountpoint, error);
    cfs_fuse_session_free(session);
    cfs_signals_release(&before);
    return result;
}

static int mount_on_own_folder(const struct cfs_profile *profile, struct cfs_error *error)
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    if (!folder || !*folder)
        folder = getenv("TMPDIR");
    char *path CFS_AUTO_FREE = cfs_text_format("%s/clusterfs-check-XXXXXX", folder && *folder ? folder : "/tmp");
    if (!path || !mkdtemp(path))
        return cfs_error_set(error, errno, CFS_FAILURE_SYSTEM, "Cannot make a folder to mount on (%s): %s.",
                             path ? path : "?", strerror(errno));
    int result = mount_for_a_moment(profile, path, error);
    (void)!rmdir(path);
    return result;
}

void cfs_check_fuse(struct cfs_check *check)
{
    struct cfs_error error = {0};
    const struct cfs_profile *profile = check->profile;
    bool is_in_use = check->findings[CFS_CHECK_MOUNT_POINT].mark == CFS_CHECK_FAILED;
    int result = check->prepared && !is_in_use ? mount_for_a_moment(profile, check->prepared, &error)
                                               : mount_on_own_folder(profile, &error);
    if (result)
        cfs_check_fail(check, CFS_CHECK_FUSE, &error);
    else
        cfs_check_say(check, CFS_CHECK_FUSE, CFS_CHECK_OK, "this machine lets you mount%s",
                      profile->allow_other || profile->allow_root ? ", and let others in" : "");
}

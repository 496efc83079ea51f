/* The life of a FUSE mount: libfuse's session, our options for it, and an orderly end.
 *
 * The end must not lose a reply, and none may be written to a descriptor that is closed, or somebody else's by then
 * (libfuse closes the device when it unmounts): first the workers stop taking requests, then calls still in flight are
 * interrupted and waited for, then the notices end, then the mount goes. A notice being sent may wait for pages that a
 * request holds which nobody has read yet: until it is through, requests are read, and refused. */
#include "base/clock.h"
#include "base/log.h"
#include "fuse/call.h"
#include "fuse/notices.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { LOOK_AGAIN_MS = 10 };

/* libfuse and fusermount3 say what went wrong in a line to the log: kept for the error's sentence. */
static _Thread_local char last_message[512];

static CFS_PRINTF(2, 0) void keep_message(enum fuse_log_level level, const char *format, va_list arguments)
{
    vsnprintf(last_message, sizeof(last_message), format, arguments);
    last_message[strcspn(last_message, "\n")] = '\0';
    if (level <= FUSE_LOG_ERR)
        cfs_log_info("fuse", "%s", last_message);
    else
        cfs_log_debug("fuse", "%s", last_message);
}

struct cfs_fuse_session *cfs_fuse_session_new(const struct cfs_profile *profile)
{
    struct cfs_fuse_session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->profile = profile;
    session->notices = cfs_fuse_notices_new();
    session->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&session->calls_changed, &attributes);
    pthread_cond_init(&session->calls_gone, NULL);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&session->calls_lock, NULL);
    cfs_list_init(&session->calls);
    if (!session->notices || session->stop_fd < 0) {
        cfs_fuse_session_free(session);
        return NULL;
    }
    return session;
}

struct cfs_fs_notifier cfs_fuse_session_notifier(struct cfs_fuse_session *session)
{
    return (struct cfs_fs_notifier){
        .node_changed = cfs_fuse_notices_node_changed,
        .entry_changed = cfs_fuse_notices_entry_changed,
        .context = session,
    };
}

/* --- mount --- */

static int add_option(struct fuse_args *arguments, const char *option)
{
    return fuse_opt_add_arg(arguments, "-o") || fuse_opt_add_arg(arguments, option) ? -ENOMEM : 0;
}

/* fsname=SOURCE, with what libfuse's option parser would take for its own escaped. */
static int add_source(struct fuse_args *arguments, const char *source)
{
    char *options CFS_AUTO_FREE = NULL;
    char *name CFS_AUTO_FREE = malloc(strlen(source) + sizeof("fsname="));
    if (!name)
        return -ENOMEM;
    strcpy(name, "fsname=");
    strcat(name, source);
    if (fuse_opt_add_opt_escaped(&options, name))
        return -ENOMEM;
    return add_option(arguments, options);
}

static int add_options(struct fuse_args *arguments, const struct cfs_profile *profile)
{
    const struct {
        bool wanted;
        const char *option;
    } options[] = {
        {true, "subtype=clusterfs"},
        {profile->default_permissions, "default_permissions"},
        {profile->allow_other, "allow_other"},
        /* allow_root has no meaning in the kernel: libfuse emulates it by allow_other and a check of the caller. */
        {profile->allow_root && !profile->allow_other, "allow_root"},
        {profile->read_only, "ro"},
        {true, profile->nosuid ? "nosuid" : "suid"},
        {true, profile->nodev ? "nodev" : "dev"},
        {profile->noexec, "noexec"},
        {profile->kernel_flags != NULL, profile->kernel_flags},
    };
    int error = fuse_opt_add_arg(arguments, "clusterfs") ? -ENOMEM : add_source(arguments, profile->source);
    for (size_t i = 0; i < CFS_COUNT(options) && !error; i++) {
        if (options[i].wanted)
            error = add_option(arguments, options[i].option);
    }
    return error;
}

static int new_fuse_session(struct cfs_fuse_session *session)
{
    struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
    int error = add_options(&arguments, session->profile);
    if (!error) {
        session->fuse = fuse_session_new(&arguments, &cfs_fuse_operations, sizeof(cfs_fuse_operations), session);
        if (!session->fuse)
            error = -EINVAL;
    }
    fuse_opt_free_args(&arguments);
    return error;
}

static int mount_failed(const struct cfs_profile *profile, const char *mountpoint, int error_number,
                        struct cfs_error *error)
{
    cfs_error_set(error, error_number, CFS_FAILURE_MOUNT, "Cannot mount on %s: %s.", mountpoint,
                  last_message[0] ? last_message : strerror(error_number));
    if (strstr(last_message, "/dev/fuse") || error_number == ENODEV || error_number == ENOENT)
        cfs_error_append(error, "\nIs the fuse module loaded, and may you open /dev/fuse? (modprobe fuse)");
    else if ((profile->allow_other || profile->allow_root) && geteuid() != 0) /* fusermount3 has said so on stderr */
        cfs_error_append(error, "\nTo let others in, root must write user_allow_other into /etc/fuse.conf.");
    return -error_number;
}

int cfs_fuse_session_mount(struct cfs_fuse_session *session, struct cfs_fs *fs, const char *mountpoint,
                           struct cfs_error *error)
{
    fuse_set_log_func(keep_message);
    last_message[0] = '\0';
    session->fs = fs;
    int result = new_fuse_session(session);
    if (result)
        return mount_failed(session->profile, mountpoint, -result, error);
    errno = 0;
    if (fuse_session_mount(session->fuse, mountpoint))
        return mount_failed(session->profile, mountpoint, errno ? errno : EPERM, error);
    session->mounted = true;
    result = cfs_fuse_connection_hook(session);
    if (!result)
        result = cfs_fuse_interrupts_start(session);
    if (!result)
        result = cfs_fuse_notices_start(session);
    if (result)
        return mount_failed(session->profile, mountpoint, -result, error);
    return 0;
}

/* --- run and end --- */

int cfs_fuse_session_run(struct cfs_fuse_session *session)
{
    return cfs_fuse_loop_run(session);
}

void cfs_fuse_session_stop(struct cfs_fuse_session *session)
{
    int before = errno;
    atomic_store(&session->stopping, true);
    if (write(session->stop_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0) {
        /* EAGAIN: the counter is full, so it is readable: all is well. */
    }
    errno = before;
}

/* The kernel ends the connection with the last descriptor of the device, and there is one alone. Something inert takes
 * its number, so that nobody reads from, or writes to, what is opened next. */
void cfs_fuse_session_abort(struct cfs_fuse_session *session)
{
    int inert CFS_AUTO_CLOSE = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (session->mounted && inert >= 0)
        (void)!dup3(inert, fuse_session_fd(session->fuse), O_CLOEXEC);
    cfs_fuse_session_stop(session);
}

size_t cfs_fuse_session_waiting(struct cfs_fuse_session *session, int64_t *ret_oldest_ms)
{
    pthread_mutex_lock(&session->calls_lock);
    const struct cfs_fuse_call *oldest = cfs_list_first(&session->calls, struct cfs_fuse_call, link);
    *ret_oldest_ms = oldest ? cfs_clock_ms(&cfs_system_clock) - oldest->since_ms : 0;
    size_t count = session->call_count;
    pthread_mutex_unlock(&session->calls_lock);
    return count;
}

size_t cfs_fuse_session_oldest(struct cfs_fuse_session *session, struct cfs_fuse_waiting *waiting, size_t room)
{
    int64_t now_ms = cfs_clock_ms(&cfs_system_clock);
    size_t count = 0;
    struct cfs_list *link;
    pthread_mutex_lock(&session->calls_lock);
    cfs_list_each (link, &session->calls) {
        const struct cfs_fuse_call *call = cfs_container_of(link, const struct cfs_fuse_call, link);
        if (count == room)
            break;
        waiting[count++] = (struct cfs_fuse_waiting){call->name, call->node, now_ms - call->since_ms};
    }
    pthread_mutex_unlock(&session->calls_lock);
    return count;
}

static void end_calls(struct cfs_fuse_session *session)
{
    pthread_mutex_lock(&session->calls_lock);
    struct cfs_list *link;
    cfs_list_each (link, &session->calls)
        cfs_fs_interrupt(session->fs, &cfs_container_of(link, struct cfs_fuse_call, link)->request);
    while (session->call_count > 0)
        pthread_cond_wait(&session->calls_gone, &session->calls_lock);
    pthread_mutex_unlock(&session->calls_lock);
}

static void end_notices(struct cfs_fuse_session *session)
{
    cfs_fuse_session_stop(session); /* from now on cfs_fuse_call_new refuses */
    struct fuse_buf buffer = {0};
    while (!cfs_fuse_notices_stop(session)) {
        struct pollfd device = {.fd = fuse_session_fd(session->fuse), .events = POLLIN};
        if (poll(&device, 1, LOOK_AGAIN_MS) > 0 && fuse_session_receive_buf(session->fuse, &buffer) > 0)
            fuse_session_process_buf(session->fuse, &buffer);
    }
    free(buffer.mem);
}

void cfs_fuse_session_free(struct cfs_fuse_session *session)
{
    if (!session)
        return;
    cfs_fuse_interrupts_stop(session);
    end_calls(session);
    if (session->notices)
        end_notices(session);
    if (session->mounted)
        fuse_session_unmount(session->fuse);
    if (session->fuse)
        fuse_session_destroy(session->fuse);
    cfs_fuse_notices_free(session->notices);
    if (session->stop_fd >= 0)
        close(session->stop_fd);
    pthread_cond_destroy(&session->calls_changed);
    pthread_cond_destroy(&session->calls_gone);
    pthread_mutex_destroy(&session->calls_lock);
    free(session);
}

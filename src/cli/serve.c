/* The journey of a mount: login, lanes, work folder, file system, FUSE, control socket, ready; and the way back in the
 * opposite order. Whatever goes wrong before `ready` leaves nothing mounted and says so in one sentence. */
#include "cli/serve.h"
#include "base/clock.h"
#include "base/log.h"
#include "cache/cache.h"
#include "cache/journal.h"
#include "cli/daemon.h"
#include "cli/drain.h"
#include "cli/ending.h"
#include "cli/guard.h"
#include "cli/journals.h"
#include "cli/login_desk.h"
#include "cli/losses.h"
#include "cli/mountpoint.h"
#include "cli/predecessor.h"
#include "cli/reach.h"
#include "ctl/control.h"
#include "fuse/session.h"
#include "remote/pool.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* Metadata, and two for data: on one login, which is one process of sshd, more lanes gain nothing. */
enum { DEFAULT_LANES = 3, MOST_CACHE = 1 << 30 };
/* So long after the first signal, at least, another one insists. */
enum { INSISTS_MS = 500 };

struct mount {
    const struct cfs_profile *profile;
    const char *mountpoint;
    bool background;
    struct cfs_remote *remote; /* the pool */
    struct cfs_remote *cache;  /* in front of it; NULL: none */
    struct cfs_journal *journal;
    struct cfs_fs *fs;
    pthread_mutex_t told_lock;
    struct cfs_fs *told; /* the fs, while it may be told of changes; the lock's */
    struct cfs_fuse_session *session;
    struct cfs_control_server *control;
    struct cfs_login_desk desk;
    char login_hint[4200];
    struct cfs_losses losses;
    struct cfs_guard guard;
    atomic_bool leaving; /* the session is about to go */
};

/* --- signals --- */

/* The session that a signal stops; NULL while connecting: then a signal ends the process, nothing being mounted yet. */
static struct cfs_fuse_session *_Atomic stoppable;
/* When SIGINT or SIGTERM came first, and whether somebody has insisted since. */
static _Atomic int64_t first_told_ms;
static atomic_bool is_insisted;

/* Programs like timeout(1) send a signal twice at once, to us and to our group: that is one. SIGHUP never insists: it
 * comes along when a terminal or a session of systemd ends. */
static void count(int number)
{
    int64_t never = 0, now_ms = cfs_clock_ms(&cfs_system_clock);
    if (number == SIGHUP || atomic_compare_exchange_strong(&first_told_ms, &never, now_ms))
        return;
    if (now_ms - atomic_load(&first_told_ms) >= INSISTS_MS)
        atomic_store(&is_insisted, true);
}

static void stop(int number)
{
    struct cfs_fuse_session *session = atomic_load(&stoppable);
    count(number);
    if (session)
        cfs_fuse_session_stop(session);
}

static void catch_signals(struct cfs_fuse_session *session)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    atomic_store(&stoppable, session);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* The session is about to go. A second signal still shortens the wait for the server. */
static void release_session(void)
{
    catch_signals(NULL);
}

/* --- the way there --- */

static int open_remote(struct mount *mount, struct cfs_error *error)
{
    const struct cfs_profile *profile = mount->profile;
    struct cfs_pool_options options = {
        .lanes = profile->channels ? profile->channels : DEFAULT_LANES,
        .sessions = profile->connections,
        .op_timeout_ms = profile->op_timeout_ms,
        .reconnects = true,
        .reconnect_timeout_ms = profile->reconnect_timeout_ms,
        .heartbeat_ms = profile->heartbeat_ms,
        .login_hint = mount->login_hint,
        .remote_dir = profile->remote_dir,
    };
    struct cfs_transport *transport;
    int result = cfs_reach(profile, NULL, &transport, error);
    if (result)
        return result;
    return cfs_pool_open(transport, &options, &mount->remote, error);
}

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

/* An eighth of the machine's memory, at most 1 GiB. */
static uint64_t usual_cache_size(void)
{
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t share = pages * page / 8;
    return share < MOST_CACHE ? share : MOST_CACHE;
}

static void remote_changed(void *context, const char *path, bool is_another)
{
    struct mount *mount = context;
    pthread_mutex_lock(&mount->told_lock);
    if (mount->told)
        cfs_fs_remote_changed(mount->told, path, is_another);
    pthread_mutex_unlock(&mount->told_lock);
}

static void tell(struct mount *mount, struct cfs_fs *fs)
{
    pthread_mutex_lock(&mount->told_lock);
    mount->told = fs;
    pthread_mutex_unlock(&mount->told_lock);
}

static void change_failed(void *context, const char *path, const char *what, int error)
{
    struct mount *mount = context;
    cfs_losses_add(&mount->losses, path, what, error);
}

static void data_lost(void *context, const char *path, int error)
{
    struct mount *mount = context;
    cfs_losses_add(&mount->losses, path, "it was open, and what was written to it is lost", error);
}

static void start_log(const struct cfs_profile *profile, bool background)
{
    cfs_log_set_level((enum cfs_log_level)profile->log_level);
    cfs_log_set_profile(profile->name);
    int result = profile->log_file ? cfs_log_to_file(profile->log_file) : 0;
    if (result)
        cfs_log_warning("mount", "cannot write the log to %s: %s", profile->log_file, strerror(-result));
    if (background && (result || !profile->log_file))
        cfs_log_to_syslog("clusterfs");
}

static void begin_log(void *context)
{
    const struct mount *mount = context;
    start_log(mount->profile, mount->background);
}

static int open_cache(struct mount *mount, struct cfs_error *error)
{
    const struct cfs_profile *profile = mount->profile;
    uint64_t size = profile->cache_size ? profile->cache_size : usual_cache_size();
    struct cfs_cache_options options = {
        .clock = &cfs_system_clock,
        .attr_ttl_ms = profile->attr_ttl_ms == CFS_ATTR_TTL_AUTO ? -1 : (int32_t)profile->attr_ttl_ms,
        .cache_size = size,
        .dirty_limit = profile->dirty_limit < size ? profile->dirty_limit : size,
        .durability = profile->durability == CFS_DURABLE_AT_FSYNC ? CFS_DURABILITY_FSYNC : CFS_DURABILITY_CLOSE,
        .prefetch = profile->prefetch,
        .number = cfs_fs_usual_number,
        .changed = remote_changed,
        .copies_conflicts = profile->conflict == CFS_CONFLICT_COPY,
        .failed = change_failed,
        .context = mount,
    };
    if (!profile->cache)
        return 0;
    options.journal = mount->journal;
    options.misses_journal = profile->journal && !mount->journal;
    return cfs_cache_new(mount->remote, &options, &mount->cache) ? no_memory(error) : 0;
}

static int open_fs(struct mount *mount, struct cfs_error *error)
{
    mount->journal = cfs_journals_open(mount->profile, mount->remote, begin_log, mount);
    int result = open_cache(mount, error);
    if (result)
        return result;
    mount->session = cfs_fuse_session_new(mount->profile);
    if (!mount->session)
        return no_memory(error);
    struct cfs_fs_options options = {
        .profile = mount->profile,
        .clock = &cfs_system_clock,
        .notifier = cfs_fuse_session_notifier(mount->session),
        .lost = data_lost,
        .context = mount,
    };
    if (cfs_fs_new(mount->cache ? mount->cache : mount->remote, &options, &mount->fs))
        return no_memory(error);
    tell(mount, mount->fs);
    /* From before the mount exists: a signal must not leave one without a process. */
    catch_signals(mount->session);
    return cfs_fuse_session_mount(mount->session, mount->fs, mount->mountpoint, error);
}

/* Logging in may have taken minutes: somebody else may have mounted there in the meantime, and unmounted. */
static int check_again(const struct cfs_profile *profile, const char *mountpoint, struct cfs_error *error)
{
    char *path CFS_AUTO_FREE = NULL;
    int result = cfs_mountpoint_prepare(mountpoint, &path, error);
    return result ? result : cfs_predecessor_wait(mountpoint, profile->drain_timeout_ms, error);
}

static size_t waiting(void *context, int64_t *ret_oldest_ms)
{
    return cfs_fuse_session_waiting(((struct mount *)context)->session, ret_oldest_ms);
}

static size_t oldest(void *context, struct cfs_ctl_request *requests, size_t room)
{
    struct cfs_fuse_waiting waiting[CFS_CTL_REQUESTS];
    size_t count = cfs_fuse_session_oldest(((struct mount *)context)->session, waiting,
                                           room < CFS_COUNT(waiting) ? room : CFS_COUNT(waiting));
    for (size_t i = 0; i < count; i++)
        requests[i] = (struct cfs_ctl_request){waiting[i].operation, waiting[i].node, waiting[i].age_ms};
    return count;
}

/* `clusterfs umount --force`. The control server's `leave` waits until this has ended. */
static void give_up(void *context)
{
    struct mount *mount = context;
    cfs_log_warning("mount", "%s is to end without waiting for the server", mount->mountpoint);
    if (!atomic_load(&mount->leaving))
        cfs_fuse_session_stop(mount->session);
    cfs_pool_give_up(mount->remote, "the mount was told to end by force");
}

static void login(void *context, int fd, bool can_ask)
{
    struct mount *mount = context;
    cfs_login_desk_take(&mount->desk, fd, can_ask);
}

/* A mount without a control socket works; only `status` and a waiting `umount` miss it. */
static void open_control(struct mount *mount)
{
    struct cfs_ctl_source source = {
        .profile = mount->profile,
        .mountpoint = mount->mountpoint,
        .remote = mount->remote,
        .cache = mount->cache,
        .fs = mount->fs,
        .waiting = waiting,
        .oldest = oldest,
        .give_up = give_up,
        .login = login,
        .context = mount,
        .since_ms = cfs_clock_ms(&cfs_system_clock),
    };
    char *path CFS_AUTO_FREE = NULL;
    mount->desk = (struct cfs_login_desk){.remote = mount->remote, .lock = PTHREAD_MUTEX_INITIALIZER};
    int result = cfs_control_path(mount->mountpoint, geteuid(), true, &path);
    if (!result)
        result = cfs_control_serve(path, &source, &mount->control);
    if (result)
        cfs_log_warning("mount", "no control socket for `clusterfs status`: %s", strerror(-result));
}

static int serve_until_end(struct mount *mount, struct cfs_error *error)
{
    open_control(mount);
    start_log(mount->profile, mount->background);
    cfs_log_info("mount", "%s is mounted on %s", mount->profile->source, mount->mountpoint);
    cfs_daemon_ready();
    cfs_pool_learn_space(mount->remote);
    cfs_guard_start(&mount->guard, mount->profile->watchdog_timeout_ms, mount->mountpoint, mount->session, mount->fs);
    int result = cfs_fuse_session_run(mount->session);
    if (result) {
        cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "Serving %s failed: %s.", mount->mountpoint,
                      strerror(-result));
        cfs_log_error("mount", "%s", error->text); /* nobody may be reading stderr any more */
        return result;
    }
    cfs_log_info("mount", "%s is unmounted", mount->mountpoint);
    return 0;
}

/* --- the way back --- */

/* What programs were told to be done has been done by now, or it must be told what has not. */
static int tell_losses(struct mount *mount, struct cfs_error *ret_error)
{
    struct cfs_error error = {0};
    struct cfs_buffer words CFS_AUTO_BUFFER;
    cfs_buffer_init(&words);
    if (cfs_losses_tell(&mount->losses, mount->mountpoint, &words) == 0)
        return 0;
    cfs_journals_tell_kept(mount->journal, &words);
    cfs_buffer_add_u8(&words, '\0');
    const char *text = words.failed ? "Changes could not be finished on the server; see the log." : (char *)words.bytes;
    cfs_error_set(&error, EIO, CFS_FAILURE_DATA, "%s", text);
    cfs_log_error("mount", "%.*s", (int)strcspn(text, "\n"), text);
    cfs_control_server_tell(mount->control, text);
    if (ret_error)
        *ret_error = error;
    return -EIO;
}

static void tell_what_is_left(struct mount *mount)
{
    char text[160];
    struct cfs_cache_status cache = {.calls = 0};
    if (mount->cache)
        cfs_cache_status(mount->cache, &cache);
    if (cache.dirty_bytes + cache.changes == 0)
        return;
    cfs_drain_describe(cache.dirty_bytes, cache.changes, 0, text, sizeof(text));
    cfs_log_info("mount", "%s%s", text,
                 atomic_load(&first_told_ms) ? "; another SIGINT (Ctrl-C) or SIGTERM gives it up" : "");
}

/* Waits for the server, for as long as it takes something. */
static void drain(struct mount *mount)
{
    struct cfs_ending ending;
    struct cfs_cache_failures failures;
    tell_what_is_left(mount);
    cfs_ending_start(&ending, mount->remote, mount->cache, mount->profile->drain_timeout_ms, &is_insisted);
    cfs_fuse_session_free(mount->session);
    cfs_fs_free(mount->fs);
    if (mount->cache)
        cfs_cache_finish(mount->cache, &failures);
    cfs_ending_stop(&ending);
}

static int close_all(struct mount *mount, struct cfs_error *error)
{
    struct cfs_ending ending;
    /* The control server asks all the others: who goes, is asked no more. `umount` waits for the end of its connection
     * to it: that comes last, when all else is done. */
    atomic_store(&mount->leaving, true);
    cfs_guard_leave(&mount->guard);
    cfs_control_server_leave(mount->control);
    tell(mount, NULL);
    drain(mount);
    cfs_control_server_stop(mount->control);
    cfs_login_desk_close(&mount->desk);
    int result = tell_losses(mount, error);
    cfs_ending_start(&ending, mount->remote, NULL, mount->profile->drain_timeout_ms, &is_insisted);
    cfs_cache_free(mount->cache);
    cfs_journal_free(mount->journal);
    cfs_ending_stop(&ending);
    cfs_pool_free(mount->remote);
    cfs_guard_stop(&mount->guard);
    cfs_control_server_free(mount->control);
    return result;
}

int cfs_serve(const struct cfs_profile *profile, const char *mountpoint, bool background, struct cfs_error *error)
{
    struct mount mount = {
        .profile = profile, .mountpoint = mountpoint, .background = background, .told_lock = PTHREAD_MUTEX_INITIALIZER};
    int result = cfs_ssh_library_init();
    if (result)
        return cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "The SSH library cannot be initialised.");
    cfs_losses_init(&mount.losses);
    snprintf(mount.login_hint, sizeof(mount.login_hint), "Log in with: clusterfs login %.4096s", mountpoint);
    result = open_remote(&mount, error);
    if (!result)
        result = check_again(profile, mountpoint, error);
    if (!result)
        result = open_fs(&mount, error);
    if (!result)
        result = serve_until_end(&mount, error);
    release_session();
    int unfinished = close_all(&mount, result ? NULL : error);
    cfs_losses_fini(&mount.losses);
    cfs_ssh_library_fini();
    return result ? result : unfinished;
}

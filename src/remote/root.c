/* Finds the work folder: where `remote_dir` leads, whether that is a folder, and who the server takes us for.
 *
 * sftp-server starts in the login folder, so that a relative path needs no question: "~/x" is "x", "~" and "" are ".".
 * "~user/x" is expanded by the server where it can (expand-path@openssh.com). Then REALPATH, STAT and a STAT of the
 * login folder leave together, behind INIT where the server is known to take them there (transport.h). The root is the
 * real path: a link that is moved later does not move the mount. */
#include "base/text.h"
#include "remote/pool_priv.h"
#include "sftp/protocol.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct root_operation {
    struct cfs_operation operation;
    struct cfs_root_search *search;
};

struct cfs_root_search {
    struct cfs_remote_call call;
    struct cfs_pool *pool;
    bool begun;       /* the loop's thread */
    bool done;        /* pool->lock */
    char *remote_dir; /* as people wrote it */
    char *asked;      /* as sent to the server */
    int64_t asked_ms; /* when it was sent; 0: it waited behind INIT */
    char *found;
    int path_error;
    unsigned answers;
    mode_t mode;
    struct cfs_remote_attributes attributes;
    int64_t stat_ms; /* when they were asked for */
    bool login_known;
    uid_t login_uid;
};

static struct cfs_root_search *search_of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct root_operation, operation)->search;
}

/* All three, in whatever order they came. */
static void answered(struct cfs_operation *operation)
{
    struct cfs_root_search *search = search_of(operation);
    if (++search->answers == 3)
        cfs_operation_finish(operation, search->path_error);
}

static void on_login(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct cfs_root_search *search = search_of(operation);
    if (search->asked_ms)
        cfs_pool_measured(search->pool, cfs_clock_ms(&cfs_system_clock) - search->asked_ms);
    if (reply->attributes && (reply->attributes->flags & SSH_FILEXFER_ATTR_UIDGID)) {
        search->login_known = true;
        search->login_uid = reply->attributes->uid;
    }
    answered(operation);
}

static void on_stat(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct cfs_root_search *search = search_of(operation);
    if (reply->error && !search->path_error)
        search->path_error = reply->error;
    if (reply->attributes && (reply->attributes->flags & SSH_FILEXFER_ATTR_PERMISSIONS))
        search->mode = reply->attributes->permissions;
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &search->attributes);
    answered(operation);
}

/* An absolute path that we are able to add names to. */
static bool is_usable(const struct cfs_sftp_name *name)
{
    return name->name_length > 0 && name->name_length < PATH_MAX && name->name[0] == '/' &&
           !memchr(name->name, '\0', name->name_length);
}

static void on_real_path(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct cfs_root_search *search = search_of(operation);
    if (reply->error)
        search->path_error = reply->error;
    else if (!is_usable(&reply->names[0]))
        search->path_error = -EPROTO;
    else if (!(search->found = strndup(reply->names[0].name, reply->names[0].name_length)))
        search->path_error = -ENOMEM;
    answered(operation);
}

static void ask(struct cfs_operation *operation, const char *path)
{
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_root_search *search = search_of(operation);
    search->stat_ms = cfs_clock_ms(&cfs_system_clock);
    search->asked_ms = cfs_sftp_client_is_ready(client) ? search->stat_ms : 0;
    struct cfs_step *step = operation->step;
    if (!cfs_step_sent(&step[0], cfs_sftp_realpath(client, cfs_step_arm(&step[0], operation, on_real_path), path)) ||
        !cfs_step_sent(&step[1], cfs_sftp_stat(client, cfs_step_arm(&step[1], operation, on_stat), path)))
        return;
    (void)!cfs_step_sent(&step[2], cfs_sftp_stat(client, cfs_step_arm(&step[2], operation, on_login), "."));
}

static void on_expanded(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->error || !is_usable(&reply->names[0])) {
        cfs_operation_finish(operation, reply->error ? reply->error : -EPROTO);
        return;
    }
    char *path CFS_AUTO_FREE = strndup(reply->names[0].name, reply->names[0].name_length);
    if (path)
        ask(operation, path);
    else
        cfs_operation_finish(operation, -ENOMEM);
}

static void start(struct cfs_operation *operation)
{
    const char *path = search_of(operation)->asked;
    struct cfs_step *step = &operation->step[3];
    if (path[0] != '~')
        ask(operation, path);
    else if (!cfs_step_sent(step, cfs_sftp_expand_path(cfs_operation_client(operation),
                                                       cfs_step_arm(step, operation, on_expanded), path)))
        return;
}

static void on_done(struct cfs_remote_call *call)
{
    struct cfs_root_search *search = cfs_container_of(call, struct cfs_root_search, call);
    if (!call->error)
        cfs_sessions_prepare(search->pool);
    pthread_mutex_lock(&search->pool->lock);
    search->done = true;
    pthread_cond_broadcast(&search->pool->changed);
    pthread_mutex_unlock(&search->pool->lock);
}

/* What to send for the profile's remote_dir; the caller frees. */
static char *path_to_ask(const char *remote_dir)
{
    if (!remote_dir || remote_dir[0] == '\0' || strcmp(remote_dir, "~") == 0)
        return strdup(".");
    if (strncmp(remote_dir, "~/", 2) != 0)
        return strdup(remote_dir);
    remote_dir += 2 + strspn(remote_dir + 2, "/");
    return strdup(*remote_dir ? remote_dir : ".");
}

static int explain(const char *remote_dir, int result, struct cfs_error *error)
{
    switch (-result) {
    case ENOENT:
        return cfs_error_set(error, ENOENT, CFS_FAILURE_REMOTE_PATH,
                             "The folder \"%s\" does not exist on the server. Create it there, or correct remote_dir.",
                             remote_dir);
    case EACCES:
        return cfs_error_set(error, EACCES, CFS_FAILURE_REMOTE_PATH,
                             "The server does not let this login into the folder \"%s\".", remote_dir);
    case ENOTDIR:
        return cfs_error_set(error, ENOTDIR, CFS_FAILURE_REMOTE_PATH, "\"%s\" on the server is not a folder.",
                             remote_dir);
    case EOPNOTSUPP:
        return cfs_error_set(error, EOPNOTSUPP, CFS_FAILURE_REMOTE_PATH,
                             "The server cannot tell what \"%s\" stands for. Write the whole path into remote_dir.",
                             remote_dir);
    case ETIMEDOUT:
        return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                             "The server did not answer in time when asked for the folder \"%s\".", remote_dir);
    case ENOTCONN:
        return cfs_error_set(error, ENOTCONN, CFS_FAILURE_LOST,
                             "The connection was lost while the folder \"%s\" was looked up.", remote_dir);
    default:
        return cfs_error_set(error, -result, CFS_FAILURE_REMOTE_PATH,
                             "The folder \"%s\" on the server cannot be used: %s.", remote_dir, strerror(-result));
    }
}

static uint32_t capabilities_of(uint32_t extensions)
{
    static const struct {
        enum cfs_sftp_extension extension;
        enum cfs_remote_capability capability;
    } pairs[] = {
        {CFS_SFTP_HARDLINK, CFS_REMOTE_CAN_LINK},
        {CFS_SFTP_POSIX_RENAME, CFS_REMOTE_CAN_RENAME_OVER},
        {CFS_SFTP_POSIX_RENAME, CFS_REMOTE_CAN_SET_AND_RENAME},
        {CFS_SFTP_COPY_DATA, CFS_REMOTE_CAN_COPY},
        {CFS_SFTP_FSYNC, CFS_REMOTE_CAN_FSYNC},
        {CFS_SFTP_STATVFS, CFS_REMOTE_CAN_STATFS},
        {CFS_SFTP_LSETSTAT, CFS_REMOTE_CAN_LSETSTAT},
        {CFS_SFTP_USERS_GROUPS_BY_ID, CFS_REMOTE_CAN_NAME_IDS},
    };
    uint32_t capabilities = CFS_REMOTE_CAN_PUT;
    for (size_t i = 0; i < CFS_COUNT(pairs); i++)
        capabilities |= extensions & pairs[i].extension ? pairs[i].capability : 0;
    return capabilities;
}

void cfs_root_begin(struct cfs_pool *pool)
{
    struct cfs_root_search *search = pool->search;
    if (search->begun)
        return;
    struct root_operation *root = cfs_operation_new(pool, &search->call, sizeof(*root), CFS_DIAGNOSE_LSTAT, start);
    search->begun = true;
    if (!root)
        return; /* on_done is told */
    root->search = search;
    cfs_operation_submit_path(&root->operation);
}

bool cfs_root_needs_version(const struct cfs_pool *pool)
{
    return pool->search->asked[0] == '~'; /* an extension */
}

/* --- after the connection was lost --- */

struct again {
    struct cfs_remote_call call;
    struct cfs_pool *pool;
    char reason[256]; /* "": it is where it was */
    unsigned answers;
};

struct again_operation {
    struct cfs_operation operation;
    struct again *again;
};

static struct again *again_of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct again_operation, operation)->again;
}

static void answered_again(struct cfs_operation *operation)
{
    if (++again_of(operation)->answers == 2)
        cfs_operation_finish(operation, 0);
}

static void on_path_again(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    const char *root = operation->pool->root;
    bool is_same = !reply->error && reply->names[0].name_length == strlen(root) &&
                   memcmp(reply->names[0].name, root, strlen(root)) == 0;
    if (!reply->error && !is_same)
        snprintf(again_of(operation)->reason, sizeof(again_of(operation)->reason),
                 "The work folder on the server is another one now; mount it anew.");
    answered_again(operation);
}

static void on_stat_again(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    bool is_folder = reply->attributes && (!(reply->attributes->flags & SSH_FILEXFER_ATTR_PERMISSIONS) ||
                                           S_ISDIR(reply->attributes->permissions));
    if (!is_folder)
        snprintf(again_of(operation)->reason, sizeof(again_of(operation)->reason), "The work folder is not there: %s.",
                 strerror(reply->error ? -reply->error : ENOTDIR));
    answered_again(operation);
}

static void start_again(struct cfs_operation *operation)
{
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = operation->step;
    const char *root = operation->pool->root;
    if (cfs_step_sent(&step[0], cfs_sftp_realpath(client, cfs_step_arm(&step[0], operation, on_path_again), root)))
        (void)!cfs_step_sent(&step[1], cfs_sftp_stat(client, cfs_step_arm(&step[1], operation, on_stat_again), root));
}

/* A connection that is lost meanwhile is begun anew in any case. */
static void on_found_again(struct cfs_remote_call *call)
{
    struct again *self = cfs_container_of(call, struct again, call);
    struct cfs_pool *pool = self->pool;
    if (call->error == 0)
        cfs_root_found_again(pool, self->reason[0] ? self->reason : NULL);
    else if (call->error != -ENOTCONN)
        cfs_root_found_again(pool, "The server does not tell of the work folder.");
    free(self);
}

void cfs_root_look_again(struct cfs_pool *pool)
{
    struct again *again = calloc(1, sizeof(*again));
    if (!again) {
        cfs_root_found_again(pool, "There is not enough memory.");
        return;
    }
    again->call.done = on_found_again;
    again->pool = pool;
    struct again_operation *self =
        cfs_operation_new(pool, &again->call, sizeof(*self), CFS_DIAGNOSE_LSTAT, start_again);
    if (!self)
        return; /* on_found_again is told */
    self->again = again;
    cfs_operation_submit(&self->operation, &pool->lanes[0], 0);
}

int cfs_root_new(struct cfs_pool *pool, const char *remote_dir)
{
    struct cfs_root_search *search = calloc(1, sizeof(*search));
    if (!search)
        return -ENOMEM;
    search->call.done = on_done;
    search->pool = pool;
    search->asked = path_to_ask(remote_dir);
    search->remote_dir = strdup(remote_dir && *remote_dir ? remote_dir : "~");
    pool->search = search;
    return search->asked && search->remote_dir ? 0 : -ENOMEM;
}

void cfs_root_free(struct cfs_root_search *search)
{
    if (!search)
        return;
    free(search->asked);
    free(search->remote_dir);
    free(search->found);
    free(search);
}

int cfs_root_wait(struct cfs_pool *pool, struct cfs_error *error)
{
    struct cfs_root_search *search = pool->search;
    pthread_mutex_lock(&pool->lock);
    while (!search->done)
        pthread_cond_wait(&pool->changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    int result = search->call.error;
    if (!result && search->mode && !S_ISDIR(search->mode))
        result = -ENOTDIR;
    if (!result && !search->found)
        result = -EPROTO;
    if (result)
        return explain(search->remote_dir, result, error);
    pool->root = CFS_TAKE(search->found);
    pool->facts = (struct cfs_remote_facts){
        .capabilities = capabilities_of(pool->extensions),
        .read_size = pool->limits.read_size,
        .write_size = pool->limits.write_size,
        .root = pool->root,
        .login_known = search->login_known,
        .login_uid = search->login_uid,
        .root_attributes = search->attributes,
        .root_asked_ms = search->stat_ms,
    };
    return 0;
}

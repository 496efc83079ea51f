/* Names for numeric ids: users-groups-by-id@openssh.com (PROTOCOL, section 4.11). The answer holds two strings, each a
 * list of strings in the order of the ids; an empty string is an id without a name. */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <string.h>

enum {
    IDS_MAX = 4096,  /* in one call: 16 KiB in the request */
    NAME_LIMIT = 255 /* a longer name is none */
};

struct ids_operation {
    struct cfs_operation operation;
    size_t uid_count, gid_count;
    struct cfs_remote_id_name *names;
    char *text;
    uint32_t ids[];
};

static struct ids_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct ids_operation, operation);
}

static void dispose(struct cfs_operation *operation)
{
    free(of(operation)->names);
    free(of(operation)->text);
}

static void reset(struct cfs_operation *operation)
{
    free(CFS_TAKE(of(operation)->names));
    free(CFS_TAKE(of(operation)->text));
}

/* What could be shown without harm: no control characters, no '/' or ':' (passwd(5)). */
static bool is_good(const uint8_t *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (name[i] < ' ' || name[i] == 0x7f || name[i] == '/' || name[i] == ':')
            return false;
    }
    return length <= NAME_LIMIT;
}

/* Reads COUNT names from one of the two lists. */
static int read_list(struct ids_operation *self, struct cfs_reader *body, size_t first, size_t count, char **text)
{
    size_t length;
    const uint8_t *list = cfs_read_string(body, &length);
    if (body->failed)
        return -EIO;
    struct cfs_reader names = cfs_reader_over(list, length);
    for (size_t i = first; i < first + count; i++) {
        const uint8_t *name = cfs_read_string(&names, &length);
        if (names.failed)
            return -EIO;
        if (!is_good(name, length))
            length = 0;
        memcpy(*text, name, length);
        (*text)[length] = '\0';
        self->names[i] = (struct cfs_remote_id_name){
            .id = self->ids[i], .is_group = first > 0 || self->uid_count == 0, .name = *text};
        *text += length + 1;
    }
    return 0;
}

static int read_names(struct ids_operation *self, const struct cfs_reader *reply)
{
    struct cfs_reader body = *reply;
    size_t count = self->uid_count + self->gid_count;
    self->names = calloc(count + 1, sizeof(*self->names));
    self->text = malloc(body.left + count + 1);
    if (!self->names || !self->text)
        return -ENOMEM;
    char *text = self->text;
    int error = read_list(self, &body, 0, self->uid_count, &text);
    return error ? error : read_list(self, &body, self->uid_count, self->gid_count, &text);
}

static void on_names(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct ids_operation *self = of(operation);
    if (reply->error || !reply->extended) {
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    int error = read_names(self, reply->extended);
    operation->result.names = self->names;
    operation->result.count = self->uid_count + self->gid_count;
    cfs_operation_finish(operation, error);
}

static void start(struct cfs_operation *operation)
{
    struct ids_operation *self = of(operation);
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_names);
    (void)!cfs_step_sent(step,
                         cfs_sftp_users_groups_by_id(cfs_operation_client(operation), armed, self->ids, self->uid_count,
                                                     self->ids + self->uid_count, self->gid_count));
}

void cfs_pool_id_names(struct cfs_remote *remote, struct cfs_remote_call *call, const uint32_t *uids, size_t uid_count,
                       const uint32_t *gids, size_t gid_count)
{
    bool too_many = uid_count > IDS_MAX || gid_count > IDS_MAX - uid_count;
    size_t count = too_many ? 0 : uid_count + gid_count;
    struct ids_operation *self = cfs_operation_new(
        cfs_pool_of(remote), call, sizeof(*self) + count * sizeof(self->ids[0]), CFS_DIAGNOSE_ID_NAMES, start);
    if (!self)
        return;
    self->operation.dispose = dispose;
    self->operation.reset = reset;
    self->operation.replay = CFS_REPLAY_FREELY;
    if (too_many) {
        cfs_operation_set_error(&self->operation, -E2BIG);
    } else {
        self->uid_count = uid_count;
        self->gid_count = gid_count;
        if (uid_count)
            memcpy(self->ids, uids, uid_count * sizeof(*uids));
        if (gid_count)
            memcpy(self->ids + uid_count, gids, gid_count * sizeof(*gids));
    }
    cfs_operation_submit_path(&self->operation);
}

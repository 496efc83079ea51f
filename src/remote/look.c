/* Looking at a file by a handle. */
#include "remote/look.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

int cfs_look_choose(uint64_t size, uint64_t ret_places[CFS_LOOK_PLACES])
{
    uint64_t random;
    if (size < CFS_LOOK_BYTES)
        size = CFS_LOOK_BYTES;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        return -errno;
    ret_places[0] = random % size;
    ret_places[1] = size - CFS_LOOK_BYTES;
    return 0;
}

bool cfs_look_ask(struct cfs_look *look, struct cfs_operation *operation, struct cfs_lane *lane,
                  const struct cfs_sftp_handle *handle, const uint64_t *places, cfs_part_function *then)
{
    struct cfs_step *step = look->asked;
    struct cfs_sftp_request *armed = cfs_step_arm_on(step, operation, lane, then);
    look->waiting++;
    if (!cfs_step_sent(step, cfs_sftp_fstat(lane->client, armed, handle)))
        return false;
    for (int i = 0; i < CFS_LOOK_PLACES && places; i++) {
        step++;
        armed = cfs_step_arm_on(step, operation, lane, then);
        armed->destination = look->bytes[i];
        look->waiting++;
        if (!cfs_step_sent(step, cfs_sftp_read(lane->client, armed, handle, places[i], CFS_LOOK_BYTES)))
            return false;
    }
    return true;
}

bool cfs_look_has(const struct cfs_look *look, const struct cfs_step *step)
{
    return step >= look->asked && step < look->asked + CFS_COUNT(look->asked);
}

void cfs_look_note(struct cfs_look *look, const struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &look->attributes);
    if (step > look->asked)
        look->length[step - look->asked - 1] = reply->error ? 0 : reply->data_length;
    look->waiting--;
}

bool cfs_looks_agree(const struct cfs_look *look, const struct cfs_look *other)
{
    const struct cfs_remote_attributes *a = &look->attributes, *b = &other->attributes;
    const unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES | CFS_REMOTE_MODE | CFS_REMOTE_OWNER;
    if ((a->valid & b->valid & needed) != needed || !S_ISREG(a->mode))
        return false;
    if (a->size != b->size || a->mtime != b->mtime || a->mode != b->mode || a->uid != b->uid || a->gid != b->gid)
        return false;
    for (int i = 0; i < CFS_LOOK_PLACES; i++) {
        if (look->length[i] != other->length[i] || memcmp(look->bytes[i], other->bytes[i], look->length[i]) != 0)
            return false;
    }
    return true;
}

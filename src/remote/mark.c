/* The mark by which a file that is being written is known again by another handle.
 *
 * SFTP tells no inode numbers, and of a file that is written size and mtime change with every moment. But what a handle
 * sets, only a handle of the same file sees. So its own handle sets an atime at random, which no write touches, and a
 * handle that sees just this atime leads to the same file. Nothing has to rest for it.
 *
 * The protocol sets atime and mtime together only. Therefore the mark goes immediately in front of a write of the own
 * handle, on its channel, in whose order the server works: the mtime is the server's own again at once. In the same way
 * the mark is taken back, the atime set to now; where no write follows by that handle, the file keeps it: a time of the
 * last day and a half. (Programs that clean up by atime look at weeks.)
 *
 * Who may write a file but does not own it cannot set its times: such files have no marks, hence no stripes. */
#include "remote/pool_priv.h"
#include <sys/random.h>
#include <time.h>

enum { MARK_BITS = 17 };

static struct cfs_sftp_attributes times(uint32_t atime, uint32_t mtime)
{
    return (struct cfs_sftp_attributes){.flags = SSH_FILEXFER_ATTR_ACMODTIME, .atime = atime, .mtime = mtime};
}

void cfs_mark_want(struct cfs_remote_file *file)
{
    switch (file->mark.state) {
    case CFS_MARK_NONE:
        file->mark.state = CFS_MARK_WANTED;
        break;
    case CFS_MARK_OVER:
        file->mark.state = CFS_MARK_SET;
        break;
    default:
        break;
    }
}

void cfs_mark_end(struct cfs_remote_file *file)
{
    if (file->mark.state == CFS_MARK_SET)
        file->mark.state = CFS_MARK_OVER;
    else if (file->mark.state == CFS_MARK_WANTED)
        file->mark.state = CFS_MARK_NONE;
}

bool cfs_mark_needs_write(const struct cfs_remote_file *file)
{
    return file->mark.state == CFS_MARK_WANTED || file->mark.state == CFS_MARK_OVER;
}

bool cfs_mark_is_seen(const struct cfs_remote_file *file, const struct cfs_remote_attributes *attributes)
{
    return file->mark.state == CFS_MARK_SET && attributes->valid & CFS_REMOTE_TIMES &&
           attributes->atime == (int64_t)file->mark.atime;
}

static void on_answer(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    (void)operation;
    struct cfs_marking *marking = cfs_container_of(step, struct cfs_marking, step);
    struct cfs_remote_file *file = CFS_TAKE(marking->file);
    file->mark.state = reply->error ? CFS_MARK_NONE : CFS_MARK_SET;
    file->not_to_stripe |= reply->error != 0;
    cfs_stripes_marked(file);
}

void cfs_marking_end(struct cfs_marking *marking)
{
    struct cfs_remote_file *file = CFS_TAKE(marking->file);
    if (!file)
        return;
    file->mark.state = CFS_MARK_NONE;
    cfs_stripes_marked(file);
}

static void on_taken_back(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    (void)operation;
    (void)step;
    (void)reply; /* an atime: nobody misses it */
}

bool cfs_marking_send(struct cfs_marking *marking, struct cfs_operation *write, struct cfs_remote_file *file)
{
    bool sets = file->mark.state == CFS_MARK_WANTED;
    uint32_t random = 0, now = (uint32_t)time(NULL);
    if (sets && getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0) {
        file->mark.state = CFS_MARK_NONE;
        cfs_stripes_marked(file);
        return true;
    }
    if (sets)
        file->mark.atime = now - (random & ((1u << MARK_BITS) - 1)) - 1;
    const struct cfs_sftp_attributes attributes = times(sets ? file->mark.atime : now, now);
    file->mark.state = sets ? CFS_MARK_SENT : CFS_MARK_NONE;
    marking->file = sets ? file : NULL;
    struct cfs_sftp_request *armed =
        cfs_step_arm_on(&marking->step, write, file->lane, sets ? on_answer : on_taken_back);
    return cfs_step_sent(&marking->step, cfs_sftp_fsetstat(file->lane->client, armed, &file->handle, &attributes));
}

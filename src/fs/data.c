/* Operations on the content of open files: read, write, fallocate, lseek, copy_range. By handle: they need no path, and
 * work on files without a name. Writes go through: the reply tells that the server has the data.
 *
 * SFTP has no append (what OpenSSH makes of SSH_FXF_APPEND depends on one handle a lane), so an append looks for the
 * end of the file and writes there. Two programs of this mount that append to a file take turns and never overwrite
 * each other; between this machine and others there is a gap, as on NFS: of a round trip, and while what this mount has
 * appended is on its way to the server. */
#include "fs/fs_priv.h"
#include "fs/pages.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The server does nothing else on the lane while it copies: `cp` asks again for the rest. */
enum { COPY_LIMIT = 64 << 20 };

struct data {
    struct cfs_step step;
    struct cfs_open_file *file;  /* referenced */
    struct cfs_open_file *other; /* copy_range: the source. Referenced, or NULL */
    uint64_t offset;
    size_t length;
    const void *bytes;
    void *buffer;           /* read */
    uint64_t wanted_offset; /* append: where the kernel believes the end to be */
    int whence;
    bool changing, has_turn;
    struct cfs_page_use use; /* read, write */
};

static struct data *data_of(struct cfs_step *step)
{
    return cfs_container_of(step, struct data, step);
}

static void release_data(struct cfs_step *step)
{
    struct data *data = data_of(step);
    cfs_pages_leave(step->fs, &data->use);
    if (data->changing)
        cfs_node_change_end(step->fs, data->file->node, 0);
    if (data->has_turn)
        cfs_turn_give(step->fs, &data->file->node->ends);
    if (data->file)
        cfs_file_put(data->file);
    if (data->other)
        cfs_file_put(data->other);
}

/* NULL: it has been answered. */
static struct data *new_data(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file,
                             uint64_t offset, uint64_t length)
{
    struct data *data = cfs_step_new(fs, request, sizeof(*data), release_data);
    if (!data)
        return NULL;
    int result = cfs_file_get(file) ? 0 : -EBADF;
    if (result == 0)
        data->file = file;
    if (result == 0 && (offset > INT64_MAX || length > INT64_MAX - offset))
        result = -EFBIG;
    if (result < 0) {
        cfs_step_reply(&data->step, result);
        return NULL;
    }
    data->offset = offset;
    data->length = (size_t)length;
    return data;
}

static void begin_change(struct data *data)
{
    cfs_node_change_begin(data->step.fs, data->file->node);
    data->changing = true;
}

/* --- read --- */

static void read_now(struct cfs_step *step, int error);

static void read_done(struct cfs_step *step, int error)
{
    const struct data *data = data_of(step);
    size_t length = step->call.result.length;
    if (error == 0 && !cfs_pages_read_done(step->fs, &data->use)) {
        read_now(step, 0);
        return;
    }
    if (error == 0) {
        step->request->result.length = length < data->length ? length : data->length;
        atomic_fetch_add(&step->fs->counts.bytes_read, step->request->result.length);
    }
    cfs_step_reply(step, error);
}

static void read_now(struct cfs_step *step, int error)
{
    struct data *data = data_of(step);
    struct cfs_pages *pages = &data->file->node->pages;
    int may = error < 0 ? error : cfs_pages_read(step, pages, &data->use, data->offset, data->length, read_now);
    if (may > 0)
        cfs_step_call(step, read_done, read, data->file->remote, data->offset, data->length, data->buffer);
    else if (may < 0)
        cfs_step_reply(step, may);
}

void cfs_fs_read(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, uint64_t offset,
                 size_t length, void *buffer)
{
    request->result.length = 0;
    struct data *data = new_data(fs, request, file, offset, length);
    if (!data)
        return;
    data->buffer = buffer;
    cfs_step_may_be_old(&data->step);
    if (length == 0)
        cfs_step_reply(&data->step, 0);
    else
        read_now(&data->step, 0);
}

/* --- write --- */

static void write_done(struct cfs_step *step, int error)
{
    struct data *data = data_of(step);
    const struct cfs_fs_notifier *notifier = &step->fs->notifier;
    if (error == 0) {
        step->request->result.length = data->length;
        atomic_fetch_add(&step->fs->counts.bytes_written, data->length);
    }
    /* The kernel has put the data into its pages where it believed the end to be: wrong, if others have appended, too.
     */
    if (data->wanted_offset != data->offset && notifier->node_changed)
        notifier->node_changed(notifier->context, data->file->node->id, 0, 0);
    else if (data->use.is_overtaken && notifier->node_changed)
        notifier->node_changed(notifier->context, data->file->node->id, (int64_t)data->use.begin,
                               (int64_t)(data->use.end - data->use.begin));
    cfs_step_reply(step, error);
}

static void write_at_offset(struct data *data)
{
    begin_change(data);
    cfs_step_call(&data->step, write_done, write, data->file->remote, data->offset, data->length, data->bytes);
}

static void write_at_end(struct cfs_step *step, int error)
{
    struct data *data = data_of(step);
    const struct cfs_remote_attributes *attributes = &step->call.result.attributes;
    if (error == 0 && !(attributes->valid & CFS_REMOTE_SIZE))
        error = -EIO;
    if (error == 0 && (attributes->size > INT64_MAX || data->length > INT64_MAX - attributes->size))
        error = -EFBIG;
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    data->offset = attributes->size;
    write_at_offset(data);
}

static void look_for_end(struct cfs_step *step, int error)
{
    struct data *data = data_of(step);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    data->has_turn = true;
    if (step->fs->remote->operations->find_end)
        cfs_step_call(step, write_at_end, find_end, data->file->remote);
    else
        cfs_step_call(step, write_at_end, fstat, data->file->remote);
}

void cfs_fs_write(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, uint64_t offset,
                  size_t length, const void *bytes)
{
    request->result.length = 0;
    struct data *data = new_data(fs, request, file, offset, length);
    if (!data)
        return;
    data->bytes = bytes;
    data->wanted_offset = offset;
    if (length == 0) {
        cfs_step_reply(&data->step, 0);
        return;
    }
    cfs_pages_write(fs, &file->node->pages, &data->use, offset, length);
    if (file->flags & O_APPEND)
        cfs_turn_take(&data->step, &file->node->ends, look_for_end);
    else
        write_at_offset(data);
}

/* --- fallocate: SFTP reserves nothing; the file becomes as long as was asked for --- */

static void extend(struct cfs_step *step, int error)
{
    struct data *data = data_of(step);
    const struct cfs_remote_attributes *attributes = &step->call.result.attributes;
    uint64_t end = data->offset + data->length;
    if (error == 0 && !(attributes->valid & CFS_REMOTE_SIZE))
        error = -EIO;
    if (error < 0 || attributes->size >= end) {
        cfs_step_reply(step, error);
        return;
    }
    struct cfs_remote_attributes longer = {.valid = CFS_REMOTE_SIZE, .size = end};
    begin_change(data);
    cfs_step_call(step, cfs_step_reply, fsetattr, data->file->remote, &longer);
}

static void look_before_extending(struct cfs_step *step, int error)
{
    struct data *data = data_of(step);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    data->has_turn = true;
    cfs_step_call(step, extend, fstat, data->file->remote);
}

void cfs_fs_fallocate(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, int mode,
                      uint64_t offset, uint64_t length)
{
    struct data *data = new_data(fs, request, file, offset, length);
    if (!data)
        return;
    if (mode != 0)
        cfs_step_reply(&data->step, -EOPNOTSUPP);
    else
        cfs_turn_take(&data->step, &file->node->ends, look_before_extending);
}

/* --- lseek: a server that tells of holes there is not; all is data, and a hole begins at the end --- */

static void sought(struct cfs_step *step, int error)
{
    const struct data *data = data_of(step);
    const struct cfs_remote_attributes *attributes = &step->call.result.attributes;
    if (error == 0 && !(attributes->valid & CFS_REMOTE_SIZE))
        error = -EIO;
    if (error == 0 && data->offset >= attributes->size)
        error = -ENXIO;
    if (error == 0)
        step->request->result.offset = data->whence == SEEK_DATA ? data->offset : attributes->size;
    cfs_step_reply(step, error);
}

void cfs_fs_lseek(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, uint64_t offset,
                  int whence)
{
    struct data *data = new_data(fs, request, file, offset, 0);
    if (!data)
        return;
    data->whence = whence;
    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        cfs_step_reply(&data->step, -EINVAL);
    else
        cfs_step_call(&data->step, sought, fstat, file->remote);
}

/* --- copy_range --- */

static void copied(struct cfs_step *step, int error)
{
    const struct data *data = data_of(step);
    size_t length = step->call.result.length;
    if (error == 0)
        step->request->result.length = length < data->length ? length : data->length;
    /* The kernel then copies by reading and writing. */
    cfs_step_reply(step, error == -EXDEV ? -EOPNOTSUPP : error);
}

void cfs_fs_copy_range(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *from, uint64_t from_offset,
                       struct cfs_open_file *to, uint64_t to_offset, size_t length)
{
    request->result.length = 0;
    struct data *data = new_data(fs, request, to, to_offset, length);
    if (!data)
        return;
    int result = from_offset > INT64_MAX || length > INT64_MAX - from_offset ? -EOVERFLOW : 0;
    if (result == 0 && !(fs->facts->capabilities & CFS_REMOTE_CAN_COPY))
        result = -EOPNOTSUPP;
    if (result == 0 && !cfs_file_get(from))
        result = -EBADF;
    else if (result == 0)
        data->other = from;
    if (result < 0 || length == 0) {
        cfs_step_reply(&data->step, result);
        return;
    }
    data->length = length < COPY_LIMIT ? length : COPY_LIMIT;
    begin_change(data);
    cfs_step_call(&data->step, copied, copy, from->remote, from_offset, to->remote, to_offset, data->length);
}

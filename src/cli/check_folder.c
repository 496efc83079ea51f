/* What programs will meet in the work folder: whether it can be listed, how much room there is, whether a file can be
 * made and written, by a temporary one, what the server's clock says of it, and how fast it goes to and fro.
 *
 * The temporary file loses its name at once, and is used by its handle: whatever ends this process, nothing is left
 * behind. A server that does not allow that (no Unix) has it removed at the end. */
#include "base/text.h"
#include "cli/check.h"
#include "cli/signals.h"
#include "cli/waited.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LITTLE_ROOM = 64 * 1024 * 1024,
    CLOCK_MAY_DIFFER_S = 5, /* see cache/content_version.c: what the cache allows for */
};

/* WHAT, and why. */
static void fail(struct cfs_check *check, enum cfs_check_step step, const char *what, int result)
{
    struct cfs_error error = {0};
    cfs_error_set(&error, -result, cfs_waited_failure(result), "%s: %s.", what, strerror(-result));
    cfs_check_fail(check, step, &error);
}

/* --- reading --- */

static void list(struct cfs_check *check, struct cfs_remote *remote)
{
    struct cfs_waited waited;
    int error = cfs_waited_run(remote, &waited, open_listing, "");
    if (error) {
        fail(check, CFS_CHECK_READING, "The work folder cannot be listed", error);
        return;
    }
    struct cfs_remote_listing *listing = waited.call.result.listing;
    error = cfs_waited_run(remote, &waited, read_listing, listing);
    size_t count = waited.call.result.count;
    int closed = cfs_waited_run(remote, &waited, close_listing, listing);
    if (error || closed)
        fail(check, CFS_CHECK_READING, "The work folder cannot be listed", error ? error : closed);
    else
        cfs_check_say(check, CFS_CHECK_READING, CFS_CHECK_OK, count ? "it can be listed" : "it can be listed: empty");
}

/* --- room --- */

static void full(struct cfs_check *check, const char *what)
{
    fail(check, CFS_CHECK_SPACE, what, -ENOSPC);
    cfs_check_hint(check, CFS_CHECK_SPACE,
                   "It can be mounted and read; what is written there will fail. Remove files "
                   "there, or ask the provider for more space.");
}

static void look_at_room(struct cfs_check *check, struct cfs_remote *remote)
{
    struct cfs_waited waited;
    char available[16], all[16];
    int error = cfs_waited_run(remote, &waited, statfs);
    const struct cfs_remote_statfs *statfs = &waited.call.result.statfs;
    if (error == -EOPNOTSUPP) {
        cfs_check_say(check, CFS_CHECK_SPACE, CFS_CHECK_OK, "the server does not tell");
        return;
    }
    if (error) {
        fail(check, CFS_CHECK_SPACE, "The server does not tell the free space", error);
        return;
    }
    uint64_t unit = statfs->fragment_size ? statfs->fragment_size : statfs->block_size, bytes = 0, size = 0;
    if (__builtin_mul_overflow(statfs->blocks_available, unit, &bytes) || bytes > INT64_MAX)
        bytes = INT64_MAX;
    if (__builtin_mul_overflow(statfs->blocks, unit, &size))
        size = UINT64_MAX;
    check->measures.free_bytes = (int64_t)bytes;
    if (statfs->blocks > 0 && bytes == 0)
        full(check, "The disk of the work folder is full");
    else if (statfs->files > 0 && statfs->files_free == 0)
        full(check, "The disk of the work folder has no room for another file");
    else
        cfs_check_say(check, CFS_CHECK_SPACE,
                      statfs->blocks > 0 && bytes < LITTLE_ROOM ? CFS_CHECK_WARNING : CFS_CHECK_OK, "%s of %s",
                      cfs_text_format_size(bytes, available, sizeof(available)),
                      cfs_text_format_size(size, all, sizeof(all)));
}

/* --- writing --- */

struct temporary {
    char name[64];
    struct cfs_remote_file *file;
    bool has_name;
};

/* Signals wait for these two round trips: after them nothing is left behind. */
static int make_temporary(struct cfs_remote *remote, struct temporary *temporary)
{
    struct cfs_waited waited;
    struct timespec now;
    sigset_t before;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(temporary->name, sizeof(temporary->name), ".clusterfs-check-%lx-%lx", (unsigned long)now.tv_nsec,
             (unsigned long)getpid());
    cfs_signals_hold(&before);
    int error = cfs_waited_run(remote, &waited, open, temporary->name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (error == 0) {
        temporary->file = waited.call.result.file;
        temporary->has_name = cfs_waited_run(remote, &waited, unlink, temporary->name) != 0;
    }
    cfs_signals_release(&before);
    return error;
}

/* Some file systems tell only at its end that a file could not be written. */
static void drop_temporary(struct cfs_check *check, struct cfs_remote *remote, struct temporary *temporary)
{
    struct cfs_waited waited;
    bool has_failed = check->findings[CFS_CHECK_WRITING].mark == CFS_CHECK_FAILED ||
                      check->findings[CFS_CHECK_SPEED].mark == CFS_CHECK_FAILED;
    int error = cfs_waited_run(remote, &waited, close, temporary->file);
    if (error && !has_failed)
        fail(check, CFS_CHECK_WRITING, "A file can be written in the work folder, but not closed", error);
    error = temporary->has_name ? cfs_waited_run(remote, &waited, unlink, temporary->name) : 0;
    if (error)
        cfs_check_hint(check, CFS_CHECK_WRITING, "The file %s is left in the work folder: %s.", temporary->name,
                       strerror(-error));
}

static void cannot_make(struct cfs_check *check, struct cfs_remote *remote, int error)
{
    const struct cfs_remote_attributes *root = &remote->operations->facts(remote)->root_attributes;
    fail(check, CFS_CHECK_WRITING, "No file can be made in the work folder", error);
    if (error == -EACCES && (root->valid & CFS_REMOTE_MODE) && (root->valid & CFS_REMOTE_OWNER))
        cfs_check_hint(check, CFS_CHECK_WRITING,
                       "It belongs to user %u there, with mode %04o. Ask its owner to let you write, name another "
                       "folder with remote_dir, or set ro = yes if you only read.",
                       (unsigned)root->uid, (unsigned)(root->mode & 07777));
    else if (error == -EROFS || error == -EACCES)
        cfs_check_hint(check, CFS_CHECK_WRITING,
                       "Name another folder with remote_dir, or set ro = yes if you only read.");
}

static void compare_clocks(struct cfs_check *check, time_t before, time_t after, int64_t changed)
{
    int64_t ahead_s = changed > after ? changed - after : changed < before ? changed - before : 0;
    check->measures.clock_ahead_s = ahead_s;
    check->measures.clock_is_known = true;
    if (ahead_s >= -CLOCK_MAY_DIFFER_S && ahead_s <= CLOCK_MAY_DIFFER_S) {
        cfs_check_say(check, CFS_CHECK_CLOCK, CFS_CHECK_OK, "the server's is right to %d s",
                      (int)(ahead_s < 0 ? -ahead_s : ahead_s) + 1);
        return;
    }
    cfs_check_say(check, CFS_CHECK_CLOCK, CFS_CHECK_WARNING, "the server's is %lld s %s ours",
                  (long long)(ahead_s < 0 ? -ahead_s : ahead_s), ahead_s < 0 ? "behind" : "ahead of");
    cfs_check_hint(check, CFS_CHECK_CLOCK,
                   "Programs that compare times of files here and there (make, rsync -u) will "
                   "be wrong. Set the clock that is wrong (NTP).");
}

/* A few bytes, and their time. */
static int write_little(struct cfs_check *check, struct cfs_remote *remote, struct cfs_remote_file *file)
{
    static const char text[] = "clusterfs check\n";
    struct cfs_waited waited;
    time_t before = time(NULL);
    int error = cfs_waited_run(remote, &waited, write, file, 0, sizeof(text) - 1, text);
    time_t after = time(NULL);
    if (error)
        return error;
    error = cfs_waited_run(remote, &waited, fstat, file);
    if (error == 0 && (waited.call.result.attributes.valid & CFS_REMOTE_TIMES))
        compare_clocks(check, before, after, waited.call.result.attributes.mtime);
    return error;
}

static void measure(struct cfs_check *check, struct cfs_remote *remote, struct cfs_remote_file *file)
{
    int64_t room = check->measures.free_bytes;
    int error = cfs_check_throughput(check, remote, file, room < 0 ? UINT64_MAX : (uint64_t)room / 4);
    if (error == -EBADMSG)
        fail(check, CFS_CHECK_SPEED, "What was read back is not what was written", error);
    else if (error == -ENOSPC || error == -EDQUOT)
        fail(check, CFS_CHECK_WRITING, "A file of some megabytes cannot be written to the work folder", error);
    else if (error)
        fail(check, CFS_CHECK_SPEED, "Some megabytes could not be written and read back", error);
}

static void write_there(struct cfs_check *check, struct cfs_remote *remote)
{
    struct temporary temporary = {.file = NULL};
    if (check->profile->read_only) {
        cfs_check_say(check, CFS_CHECK_WRITING, CFS_CHECK_NOT_REACHED, "it is mounted to be read only (ro)");
        return;
    }
    int error = make_temporary(remote, &temporary);
    if (error) {
        cannot_make(check, remote, error);
        return;
    }
    error = write_little(check, remote, temporary.file);
    if (error)
        fail(check, CFS_CHECK_WRITING, "A file can be made in the work folder, but not written", error);
    else
        cfs_check_say(check, CFS_CHECK_WRITING, CFS_CHECK_OK, "files can be made, written and removed");
    if (!error)
        measure(check, remote, temporary.file);
    drop_temporary(check, remote, &temporary);
}

/* --- all of it --- */

static void tell_speed(struct cfs_check *check)
{
    const struct cfs_check_measures *measures = &check->measures;
    char written[16] = "", read[16] = "";
    if (check->findings[CFS_CHECK_SPEED].mark != CFS_CHECK_NOT_REACHED || measures->round_trip_us < 0)
        return;
    if (measures->written_per_s < 0 || measures->read_per_s < 0) {
        cfs_check_say(check, CFS_CHECK_SPEED, CFS_CHECK_OK, "an answer takes %.1f ms",
                      (double)measures->round_trip_us / 1000);
        return;
    }
    cfs_check_say(check, CFS_CHECK_SPEED, CFS_CHECK_OK,
                  "an answer takes %.1f ms; one connection writes %s and reads %s a second",
                  (double)measures->round_trip_us / 1000,
                  cfs_text_format_size((uint64_t)measures->written_per_s, written, sizeof(written)),
                  cfs_text_format_size((uint64_t)measures->read_per_s, read, sizeof(read)));
}

void cfs_check_folder(struct cfs_check *check, struct cfs_remote *remote)
{
    list(check, remote);
    cfs_check_tell(check, CFS_CHECK_READING);
    look_at_room(check, remote);
    cfs_check_tell(check, CFS_CHECK_SPACE);
    int error = cfs_check_round_trip(check, remote);
    if (error)
        fail(check, CFS_CHECK_SPEED, "The server does not answer", error);
    write_there(check, remote);
    tell_speed(check);
    cfs_check_tell(check, CFS_CHECK_SPEED);
}

/* What is done behind: how often a program waits for the server while it fills folders, that the server has all of it
 * after a sync, in order, and what becomes of what fails. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The open of the remote in memory tells no attributes: it is looked at. */
enum { ROUND_TRIP_MS = 40, M = 1 << 20, OPEN_LOOKS = 1 };

static void begin(struct cache_fixture *fixture, enum cfs_durability durability)
{
    struct memory_remote_options memory = {.latency_ms = ROUND_TRIP_MS, .tells_changes = true};
    cache_fixture_init(fixture, &memory);
    fixture->options.cache_size = fixture->options.dirty_limit = M;
    fixture->options.durability = durability;
    cache_fixture_start(fixture);
    memory_remote_advance(fixture->memory, 1000000);
}

static int64_t now(const struct cache_fixture *fixture)
{
    return cfs_clock_ms(memory_remote_clock(fixture->memory));
}

/* How often the program waited for the server since *BEFORE, which becomes now. */
static int64_t waited(const struct cache_fixture *fixture, int64_t *before)
{
    int64_t since = now(fixture) - *before;
    *before = now(fixture);
    return since / ROUND_TRIP_MS;
}

struct released {
    struct cfs_remote_call call;
};

static void was_released(struct cfs_remote_call *call)
{
    free(cfs_container_of(call, struct released, call));
}

/* A close for which nobody waits, as that of FUSE. */
static void release(struct cache_fixture *fixture, struct cfs_remote_file *file)
{
    struct released *released = calloc(1, sizeof(*released));
    assert_non_null(released);
    released->call.done = was_released;
    fixture->operations->close(fixture->cache, &released->call, file);
    cache_turn(fixture);
}

static struct cfs_remote_file *make(struct cache_fixture *fixture, const char *path)
{
    struct cfs_remote_file *file = NULL;
    assert_int_equal(cache_lstat(fixture, path, NULL), -ENOENT);
    assert_int_equal(cache_open(fixture, path, O_CREAT | O_EXCL | O_WRONLY, &file), 0);
    return file;
}

/* Makes, writes, and closes, as far as a program waits for that. */
static void copy_in(struct cache_fixture *fixture, const char *path, const char *content)
{
    struct cfs_remote_file *file = make(fixture, path);
    assert_int_equal(cache_write(fixture, file, 0, strlen(content), content), 0);
    assert_int_equal(cache_flush(fixture, file), 0);
    release(fixture, file);
}

static void set(struct cache_fixture *fixture, const char *path)
{
    const struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    const struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0640};
    assert_int_equal(cache_lstat(fixture, path, NULL), 0);
    assert_int_equal(cache_setattr(fixture, path, &times), 0);
    assert_int_equal(cache_lstat(fixture, path, NULL), 0);
    assert_int_equal(cache_setattr(fixture, path, &mode), 0);
}

static void test_a_copy_into_a_folder_of_our_own_waits_once_a_file(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin(fixture, CFS_DURABILITY_CLOSE);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    int64_t clock = now(fixture);
    copy_in(fixture, "new/first", "data");
    assert_int_equal(waited(fixture, &clock), 1);
    set(fixture, "new/first");
    assert_int_equal(cache_lstat(fixture, "new", NULL), 0);
    assert_int_equal(waited(fixture, &clock), 0);
    assert_int_equal(cache_rename(fixture, "new/first", "new/file", CFS_REMOTE_RENAME_REPLACE), 0);
    assert_int_equal(waited(fixture, &clock), 1);
    cache_fixture_fini(fixture);
}

/* As rm does: a look at the folder before each. */
static void test_names_that_go_cost_a_round_trip_each(void **state)
{
    enum { FILES = 5 };
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_attributes is, was;
    char path[32];
    begin(fixture, CFS_DURABILITY_CLOSE);
    memory_remote_poke_mkdir(fixture->memory, "full");
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "full/f%d", i);
        memory_remote_poke_file(fixture->memory, path, "x", 1);
    }
    assert_int_equal(cache_lstat(fixture, "full", &was), 0);
    int64_t clock = now(fixture);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "full/f%d", i);
        memory_remote_advance(fixture->memory, 1000);
        assert_int_equal(cache_unlink(fixture, path), 0);
        assert_int_equal(cache_lstat(fixture, "full", &is), 0);
        assert_true(is.mtime > was.mtime);
        was = is;
    }
    assert_int_equal((now(fixture) - clock - FILES * 1000) / ROUND_TRIP_MS, FILES);
    assert_int_equal(cache_rmdir(fixture, "full"), 0);
    cache_fixture_fini(fixture);
}

/* A folder of our own, after which the server's clock and our ids are known. */
static void begin_behind(struct cache_fixture *fixture)
{
    begin(fixture, CFS_DURABILITY_FSYNC);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    assert_int_equal(cache_sync(fixture), 0);
}

static void expect_server(struct cache_fixture *fixture, const char *path, const char *content)
{
    char bytes[64];
    ssize_t length = memory_remote_peek(fixture->memory, path, 0, bytes, sizeof(bytes));
    assert_int_equal(length, strlen(content));
    assert_memory_equal(bytes, content, strlen(content));
}

static struct cfs_cache_failures finish(struct cache_fixture *fixture)
{
    struct cfs_cache_failures failures;
    (void)cache_sync(fixture);
    cfs_cache_finish(fixture->cache, &failures);
    return failures;
}

static void test_making_many_files_waits_for_nothing(void **state)
{
    struct cache_fixture f, *fixture = &f;
    char path[64];
    begin_behind(fixture);
    int64_t clock = now(fixture);
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "new/d%d", i);
        if (i % 10 == 0)
            assert_int_equal(cache_mkdir(fixture, path), 0);
        snprintf(path, sizeof(path), "new/d%d/f%d", i / 10 * 10, i);
        copy_in(fixture, path, "data");
        set(fixture, path);
    }
    assert_int_equal(waited(fixture, &clock), 0);
    assert_int_equal(cache_sync(fixture), 0);
    assert_in_range(waited(fixture, &clock), 3, 12); /* all at once */
    for (int i = 0; i < 100; i++) {
        struct cfs_remote_attributes is;
        snprintf(path, sizeof(path), "new/d%d/f%d", i / 10 * 10, i);
        expect_server(fixture, path, "data");
        assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), path, &is), 0);
        assert_int_equal(is.mode, S_IFREG | 0640);
        assert_int_equal(is.mtime, 6);
    }
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_SETATTR), 100); /* two of each file as one */
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

/* As rsync does: opens what it has written to set mode and times, and renames it into its place. */
static int replace(struct cache_fixture *fixture, const char *temporary, const char *path, const char *content)
{
    struct cfs_remote_file *file;
    (void)cache_lstat(fixture, path, NULL);
    copy_in(fixture, temporary, content);
    assert_int_equal(cache_open(fixture, temporary, O_RDONLY, &file), 0);
    set(fixture, temporary);
    release(fixture, file);
    return cache_rename(fixture, temporary, path, CFS_REMOTE_RENAME_REPLACE);
}

static void test_files_take_the_place_of_others_in_order(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin_behind(fixture);
    int64_t clock = now(fixture);
    assert_int_equal(replace(fixture, "new/.tmp1", "new/file", "first"), 0);
    assert_int_equal(replace(fixture, "new/.tmp2", "new/file", "second"), 0);
    assert_int_equal(waited(fixture, &clock), 0);
    assert_int_equal(cache_lstat(fixture, "new/.tmp1", NULL), -ENOENT);
    assert_int_equal(cache_sync(fixture), 0);
    expect_server(fixture, "new/file", "second");
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_OPEN), 2); /* not opened to set its mode */
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

static void test_what_is_on_its_way_can_be_read(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file;
    char bytes[16];
    begin_behind(fixture);
    copy_in(fixture, "new/file", "data");
    assert_int_equal(cache_open(fixture, "new/file", O_RDONLY, &file), 0);
    assert_int_equal(cache_rename(fixture, "new/file", "new/moved", CFS_REMOTE_RENAME_REPLACE), 0);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(bytes), bytes), 4);
    assert_memory_equal(bytes, "data", 4);
    assert_int_equal(cache_close(fixture, file), 0);
    copy_in(fixture, "new/gone", "gone");
    assert_int_equal(cache_open(fixture, "new/gone", O_RDONLY, &file), 0);
    assert_int_equal(cache_unlink(fixture, "new/gone"), 0);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(bytes), bytes), 4);
    assert_memory_equal(bytes, "gone", 4);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

static void test_a_file_that_cannot_be_made_is_told(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin_behind(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file");
    memory_remote_fail_all(fixture->memory, MEMORY_OPEN, -ENOSPC);
    struct cfs_remote_file *other = make(fixture, "new/other");
    assert_int_equal(cache_write(fixture, other, 0, 4, "data"), 0);
    cache_run(fixture);
    memory_remote_fail_all(fixture->memory, MEMORY_OPEN, 0);
    assert_int_equal(cache_write(fixture, other, 4, 4, "data"), -ENOSPC);
    assert_int_equal(cache_flush(fixture, other), -ENOSPC);
    (void)cache_close(fixture, other);
    (void)cache_close(fixture, file);
    assert_int_equal(cache_lstat(fixture, "new/other", NULL), -ENOENT);
    struct cfs_cache_failures failures = finish(fixture);
    assert_in_range(failures.count, 1, 2);
    assert_non_null(strstr(failures.first, strerror(ENOSPC)));
    cache_fixture_fini(fixture);
}

static void test_what_could_not_be_written_takes_no_place(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file;
    begin_behind(fixture);
    copy_in(fixture, "new/file", "old");
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_fail_all(fixture->memory, MEMORY_WRITE, -ENOSPC);
    int error = replace(fixture, "new/.tmp", "new/file", "new");
    assert_true(error == 0 || error == -ENOSPC); /* it may have become known by then */
    assert_int_equal(cache_sync(fixture), -ENOSPC);
    assert_int_equal(cache_sync(fixture), 0); /* told once */
    expect_server(fixture, "new/file", "old");
    file = make(fixture, "new/synced");
    assert_int_equal(cache_write(fixture, file, 0, 4, "data"), 0);
    struct cache_call call;
    cache_call_init(&call);
    fixture->operations->fsync(fixture->cache, &call.call, file);
    assert_int_equal(cache_wait(fixture, &call), -ENOSPC);
    (void)cache_close(fixture, file);
    memory_remote_fail_all(fixture->memory, MEMORY_WRITE, 0);
    assert_true(finish(fixture).count > 0);
    cache_fixture_fini(fixture);
}

static void test_of_what_was_only_read_nothing_is_lost(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file;
    begin_behind(fixture);
    copy_in(fixture, "new/file", "data");
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_advance(fixture->memory, 100000); /* it is not ours any more */
    assert_int_equal(cache_open(fixture, "new/file", O_RDONLY, &file), 0);
    memory_remote_fail_all(fixture->memory, MEMORY_CLOSE, -ENOTCONN);
    (void)cache_close(fixture, file);
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_fail_all(fixture->memory, MEMORY_CLOSE, 0);
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

static void test_a_refused_rename_leaves_the_other_file(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin_behind(fixture);
    copy_in(fixture, "new/file", "old");
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_fail_all(fixture->memory, MEMORY_RENAME, -EACCES);
    assert_int_equal(replace(fixture, "new/.tmp", "new/file", "new"), 0);
    assert_int_equal(cache_sync(fixture), -EACCES);
    memory_remote_fail_all(fixture->memory, MEMORY_RENAME, 0);
    expect_server(fixture, "new/file", "old");
    expect_server(fixture, "new/.tmp", "new");
    assert_int_equal(cache_lstat(fixture, "new/.tmp", NULL), 0);
    assert_int_equal(finish(fixture).count, 1);
    cache_fixture_fini(fixture);
}

static void test_all_below_a_folder_that_was_refused_fails_with_it(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin_behind(fixture);
    memory_remote_fail_all(fixture->memory, MEMORY_MKDIR, -EACCES);
    assert_int_equal(cache_mkdir(fixture, "new/a"), 0);
    assert_int_equal(cache_mkdir(fixture, "new/a/b"), 0);
    copy_in(fixture, "new/a/b/file", "data");
    uint64_t opens = memory_remote_count(fixture->memory, MEMORY_OPEN);
    assert_int_equal(cache_sync(fixture), -EACCES);
    memory_remote_fail_all(fixture->memory, MEMORY_MKDIR, 0);
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_OPEN), opens);
    assert_int_equal(cache_lstat(fixture, "new/a", NULL), -ENOENT);
    assert_int_equal(finish(fixture).count, 3);
    cache_fixture_fini(fixture);
}

static void test_what_somebody_else_has_made_meanwhile_is_not_overwritten(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file;
    begin_behind(fixture);
    assert_int_equal(cache_lstat(fixture, "new/theirs", NULL), -ENOENT);
    memory_remote_poke_file(fixture->memory, "new/theirs", "theirs", 6);
    memory_remote_poke_file(fixture->memory, "new/shared", "theirs", 6);
    copy_in(fixture, "new/theirs", "ours");
    assert_int_equal(cache_open(fixture, "new/shared", O_CREAT | O_WRONLY, &file), 0);
    assert_int_equal(cache_write(fixture, file, 0, 2, "ou"), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(cache_sync(fixture), -EEXIST);
    expect_server(fixture, "new/theirs", "theirs");
    expect_server(fixture, "new/shared", "oueirs");
    assert_int_equal(finish(fixture).count, 1);
    cache_fixture_fini(fixture);
}

static void test_a_lost_connection_is_told_for_all_that_was_on_its_way(void **state)
{
    struct cache_fixture f, *fixture = &f;
    char path[32];
    begin_behind(fixture);
    memory_remote_hold(fixture->memory, MEMORY_OPEN);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "new/file%d", i);
        copy_in(fixture, path, "data");
    }
    memory_remote_disconnect(fixture->memory);
    memory_remote_release(fixture->memory, MEMORY_OPEN);
    struct cfs_cache_failures failures = finish(fixture);
    assert_int_equal(failures.count, 20);
    assert_non_null(strstr(failures.first, strerror(ENOTCONN)));
    memory_remote_reconnect(fixture->memory);
    cache_fixture_fini(fixture);
}

static void test_beyond_the_bound_programs_wait(void **state)
{
    struct cache_fixture f, *fixture = &f;
    char path[32];
    struct cache_call call;
    bool completed = true;
    begin_behind(fixture);
    memory_remote_hold(fixture->memory, MEMORY_MKDIR);
    unsigned made = 0;
    while (completed && made < 2000) {
        snprintf(path, sizeof(path), "new/%u", made++);
        cache_call_init(&call);
        fixture->operations->mkdir(fixture->cache, &call.call, path, 0755);
        cache_turn(fixture);
        completed = call.completed;
    }
    assert_in_range(made, 100, 1000);
    memory_remote_release(fixture->memory, MEMORY_MKDIR);
    assert_int_equal(cache_wait(fixture, &call), 0);
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

static void test_a_mode_that_cannot_be_set_is_told_to_the_next_use(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file;
    begin(fixture, CFS_DURABILITY_CLOSE);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    copy_in(fixture, "new/file", "data");
    memory_remote_fail_all(fixture->memory, MEMORY_SETATTR, -EPERM);
    set(fixture, "new/file");
    (void)cache_sync(fixture);
    memory_remote_fail_all(fixture->memory, MEMORY_SETATTR, 0);
    assert_int_equal(cache_open(fixture, "new/file", O_RDONLY, &file), -EPERM);
    assert_int_equal(cache_open(fixture, "new/file", O_RDONLY, &file), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(finish(fixture).count, 1);
    cache_fixture_fini(fixture);
}

/* What was to be set goes with a rename. */
/* The look behind a flush, which the server has answered before it was asked to set the mode, is told after that. */
static void test_a_late_answer_does_not_undo_what_was_set(void **state)
{
    static const struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0600};
    struct cfs_remote_attributes is;
    struct cache_fixture f, *fixture = &f;
    begin(fixture, CFS_DURABILITY_CLOSE);
    struct cfs_remote_file *file = make(fixture, "file");
    assert_int_equal(cache_sync(fixture), 0);
    assert_int_equal(cache_write(fixture, file, 0, 4, "text"), 0);
    struct cache_call flush;
    uint64_t looks = memory_remote_count(fixture->memory, MEMORY_FSTAT);
    cache_call_init(&flush);
    fixture->operations->flush(fixture->cache, &flush.call, file);
    memory_remote_advance(fixture->memory, ROUND_TRIP_MS * 3 / 4);
    assert_true(memory_remote_count(fixture->memory, MEMORY_FSTAT) > looks);
    memory_remote_hold(fixture->memory, MEMORY_FSTAT);
    assert_int_equal(cache_wait(fixture, &flush), 0);
    assert_int_equal(cache_setattr(fixture, "file", &mode), 0);
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_release(fixture->memory, MEMORY_FSTAT);
    cache_run(fixture);
    assert_int_equal(cache_lstat(fixture, "file", &is), 0);
    assert_int_equal(is.mode, S_IFREG | 0600);
    assert_int_equal(cache_close(fixture, file), 0);
    cache_fixture_fini(fixture);
}

static void test_what_is_written_while_the_size_is_set_counts(void **state)
{
    static const struct cfs_remote_attributes size = {.valid = CFS_REMOTE_SIZE, .size = 2};
    static const struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    struct cfs_remote_attributes is;
    struct cache_call setting, writing;
    struct cache_fixture f, *fixture = &f;
    begin(fixture, CFS_DURABILITY_CLOSE);
    struct cfs_remote_file *file = make(fixture, "file");
    assert_int_equal(cache_sync(fixture), 0);
    cache_call_init(&setting);
    cache_call_init(&writing);
    fixture->operations->setattr(fixture->cache, &setting.call, "file", S_IFREG, &size);
    fixture->operations->write(fixture->cache, &writing.call, file, 10, 4, "text");
    assert_int_equal(cache_wait(fixture, &setting), 0);
    assert_int_equal(cache_wait(fixture, &writing), 0);
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(cache_setattr(fixture, "file", &times), 0);
    assert_int_equal(cache_lstat(fixture, "file", &is), 0);
    assert_int_equal(is.size, 14);
    assert_int_equal(is.mtime, 6);
    assert_int_equal(cache_close(fixture, file), 0);
    cache_fixture_fini(fixture);
}

static void test_a_time_that_was_guessed_is_told_only_until_it_is_known(void **state)
{
    static const struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0600};
    struct cfs_remote_attributes guessed, is, told;
    struct cache_fixture f, *fixture = &f;
    begin(fixture, CFS_DURABILITY_CLOSE);
    struct cfs_remote_file *file = make(fixture, "file");
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_advance(fixture->memory, 999 - now(fixture) % 1000); /* it arrives in the next second */
    assert_int_equal(cache_write(fixture, file, 0, 4, "text"), 0);
    assert_int_equal(cache_setattr(fixture, "file", &mode), 0);
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(cache_lstat(fixture, "file", &guessed), 0);
    assert_int_equal(cache_sync(fixture), 0);
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "file", &is), 0);
    assert_int_equal(is.mtime, guessed.mtime + 1);
    assert_int_equal(cache_lstat(fixture, "file", &told), 0);
    assert_int_equal(told.mtime, is.mtime);
    assert_int_equal(cache_close(fixture, file), 0);
    cache_fixture_fini(fixture);
}

static void test_a_rename_takes_along_what_is_to_be_set(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_attributes is;
    struct cache_call call;
    begin(fixture, CFS_DURABILITY_CLOSE);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    copy_in(fixture, "new/a", "data");
    set(fixture, "new/a");
    assert_int_equal(cache_rename(fixture, "new/a", "new/file", CFS_REMOTE_RENAME_REPLACE), 0);
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_SETATTR), 0);
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "new/file", &is), 0);
    assert_int_equal(is.mode, S_IFREG | 0640);
    assert_int_equal(is.mtime, 6);
    /* It cannot be set: the rename is done, and the next use of the file is told. */
    copy_in(fixture, "new/b", "data");
    set(fixture, "new/b");
    memory_remote_fail_all(fixture->memory, MEMORY_SETATTR, -EPERM);
    assert_int_equal(cache_rename(fixture, "new/b", "new/refused", CFS_REMOTE_RENAME_REPLACE), 0);
    memory_remote_fail_all(fixture->memory, MEMORY_SETATTR, 0);
    expect_server(fixture, "new/refused", "data");
    assert_int_equal(cache_setattr(fixture, "new/refused", &is), -EPERM);
    /* It is given up before it is sent: it is set under the name that the file keeps. */
    copy_in(fixture, "new/c", "data");
    memory_remote_hold(fixture->memory, MEMORY_UNLINK);
    memory_remote_poke_file(fixture->memory, "new/old", "", 0);
    struct cache_call unlinking;
    cache_call_init(&unlinking);
    fixture->operations->unlink(fixture->cache, &unlinking.call, "new/old");
    set(fixture, "new/c");
    cache_call_init(&call);
    fixture->operations->rename(fixture->cache, &call.call, "new/c", "new/old", CFS_REMOTE_RENAME_REPLACE);
    cache_turn(fixture);
    fixture->operations->cancel(fixture->cache, &call.call);
    assert_int_equal(cache_wait(fixture, &call), -EINTR);
    memory_remote_release(fixture->memory, MEMORY_UNLINK);
    assert_int_equal(cache_wait(fixture, &unlinking), 0);
    assert_int_equal(cache_sync(fixture), -EPERM);
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "new/c", &is), 0);
    assert_int_equal(is.mode, S_IFREG | 0640);
    assert_int_equal(is.mtime, 6);
    assert_int_equal(finish(fixture).count, 1);
    cache_fixture_fini(fixture);
}

static void test_what_may_be_refused_waits_for_the_server(void **state)
{
    struct cache_fixture f, *fixture = &f;
    const struct cfs_remote_attributes owner = {.valid = CFS_REMOTE_OWNER, .uid = 4711, .gid = 4711};
    begin_behind(fixture);
    memory_remote_poke_file(fixture->memory, "theirs", "theirs", 6);
    copy_in(fixture, "new/file", "data");
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_fail_all(fixture->memory, MEMORY_SETATTR, -EPERM);
    assert_int_equal(cache_setattr(fixture, "new/file", &owner), -EPERM);
    assert_int_equal(cache_setattr(fixture, "theirs", &(struct cfs_remote_attributes){CFS_REMOTE_MODE, .mode = 0600}),
                     -EPERM);
    memory_remote_fail_all(fixture->memory, MEMORY_SETATTR, 0);
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

/* It waits for the server, since nothing can be kept in a journal, and its program is killed: what was written is
 * written all the same, and nothing is told to be lost. HELD: what the server does not do meanwhile. */
static void expect_nothing_lost_by_an_interrupt(enum memory_operation held)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call flush;
    begin(fixture, CFS_DURABILITY_FSYNC);
    cfs_cache_free(fixture->cache);
    fixture->options.misses_journal = true;
    cache_fixture_start(fixture);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    memory_remote_hold(fixture->memory, held);
    struct cfs_remote_file *file = make(fixture, "new/file");
    assert_int_equal(cache_write(fixture, file, 0, 4, "data"), 0);
    cache_call_init(&flush);
    fixture->operations->flush(fixture->cache, &flush.call, file);
    cache_run(fixture);
    assert_false(flush.completed);
    fixture->operations->cancel(fixture->cache, &flush.call);
    assert_int_equal(cache_wait(fixture, &flush), -EINTR);
    release(fixture, file);
    memory_remote_release(fixture->memory, held);
    assert_int_equal(cache_sync(fixture), 0);
    expect_server(fixture, "new/file", "data");
    assert_int_equal(cache_open(fixture, "new/file", O_RDONLY, &file), 0);
    release(fixture, file);
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

static void test_a_flush_that_was_interrupted_loses_nothing(void **state)
{
    expect_nothing_lost_by_an_interrupt(MEMORY_WRITE); /* it was under way */
    expect_nothing_lost_by_an_interrupt(MEMORY_OPEN);  /* it waited for its turn */
}

/* It came while an open of the file was on its way, which fails. */
static void expect_renamed_behind_an_open(int error)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call open, rename;
    begin(fixture, CFS_DURABILITY_CLOSE);
    memory_remote_poke_file(fixture->memory, "old", "old", 3);
    memory_remote_hold(fixture->memory, MEMORY_OPEN);
    if (error != -EINTR)
        memory_remote_fail(fixture->memory, MEMORY_OPEN, 1, error);
    cache_call_init(&open);
    fixture->operations->open(fixture->cache, &open.call, "old", O_RDONLY, 0);
    cache_call_init(&rename);
    fixture->operations->rename(fixture->cache, &rename.call, "old", "new", CFS_REMOTE_RENAME_REPLACE);
    cache_run(fixture);
    if (error == -EINTR)
        fixture->operations->cancel(fixture->cache, &open.call);
    memory_remote_release(fixture->memory, MEMORY_OPEN);
    assert_int_equal(cache_wait(fixture, &open), error);
    assert_int_equal(cache_wait(fixture, &rename), 0);
    expect_server(fixture, "new", "old");
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

static void test_an_open_that_fails_is_no_matter_to_anothers_rename(void **state)
{
    expect_renamed_behind_an_open(-EACCES);
    expect_renamed_behind_an_open(-EINTR);
}

/* It waited for the file to be made. */
static void test_a_file_whose_removal_was_given_up_can_be_written_on(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call flush, unlink;
    begin(fixture, CFS_DURABILITY_CLOSE);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    struct cfs_remote_file *file = make(fixture, "new/file");
    assert_int_equal(cache_write(fixture, file, 0, 4, "data"), 0);
    memory_remote_hold(fixture->memory, MEMORY_PUT);
    cache_call_init(&flush);
    fixture->operations->flush(fixture->cache, &flush.call, file);
    cache_call_init(&unlink);
    fixture->operations->unlink(fixture->cache, &unlink.call, "new/file");
    cache_run(fixture);
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_UNLINK), 0);
    fixture->operations->cancel(fixture->cache, &unlink.call);
    assert_int_equal(cache_wait(fixture, &unlink), -EINTR);
    memory_remote_release(fixture->memory, MEMORY_PUT);
    assert_int_equal(cache_wait(fixture, &flush), 0);
    assert_int_equal(cache_write(fixture, file, 4, 4, "more"), 0);
    assert_int_equal(cache_flush(fixture, file), 0);
    release(fixture, file);
    expect_server(fixture, "new/file", "datamore");
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

/* OUTCOME: of the put. */
static void write_on_behind_a_removal(int outcome)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call flush, unlink;
    struct cfs_remote_file *file = NULL;
    begin(fixture, CFS_DURABILITY_CLOSE);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    assert_int_equal(cache_lstat(fixture, "new/file", NULL), -ENOENT);
    assert_int_equal(cache_open(fixture, "new/file", O_CREAT | O_WRONLY, &file), 0);
    assert_int_equal(cache_write(fixture, file, 0, 4, "data"), 0);
    memory_remote_hold(fixture->memory, MEMORY_PUT);
    if (outcome < 0)
        memory_remote_fail(fixture->memory, MEMORY_PUT, 1, outcome);
    cache_call_init(&flush);
    fixture->operations->flush(fixture->cache, &flush.call, file);
    cache_call_init(&unlink);
    fixture->operations->unlink(fixture->cache, &unlink.call, "new/file");
    cache_run(fixture);
    memory_remote_release(fixture->memory, MEMORY_PUT);
    assert_int_equal(cache_wait(fixture, &flush), 0);
    assert_int_equal(cache_wait(fixture, &unlink), 0);
    assert_int_equal(cache_write(fixture, file, 4, 4, "more"), 0);
    assert_int_equal(cache_flush(fixture, file), 0);
    release(fixture, file);
    cache_run(fixture);
    assert_int_equal(memory_remote_open_files(fixture->memory), 0);
    assert_int_equal(finish(fixture).count, 0);
    cache_fixture_fini(fixture);
}

static void test_a_file_that_is_removed_while_it_is_put_can_be_written_on(void **state)
{
    write_on_behind_a_removal(0);
    write_on_behind_a_removal(-EEXIST); /* somebody else has made it: it is opened as it is */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_go_cost_a_round_trip_each),
        cmocka_unit_test(test_a_copy_into_a_folder_of_our_own_waits_once_a_file),
        cmocka_unit_test(test_making_many_files_waits_for_nothing),
        cmocka_unit_test(test_files_take_the_place_of_others_in_order),
        cmocka_unit_test(test_what_is_on_its_way_can_be_read),
        cmocka_unit_test(test_a_file_that_cannot_be_made_is_told),
        cmocka_unit_test(test_what_could_not_be_written_takes_no_place),
        cmocka_unit_test(test_of_what_was_only_read_nothing_is_lost),
        cmocka_unit_test(test_a_refused_rename_leaves_the_other_file),
        cmocka_unit_test(test_all_below_a_folder_that_was_refused_fails_with_it),
        cmocka_unit_test(test_what_somebody_else_has_made_meanwhile_is_not_overwritten),
        cmocka_unit_test(test_a_lost_connection_is_told_for_all_that_was_on_its_way),
        cmocka_unit_test(test_beyond_the_bound_programs_wait),
        cmocka_unit_test(test_a_mode_that_cannot_be_set_is_told_to_the_next_use),
        cmocka_unit_test(test_a_late_answer_does_not_undo_what_was_set),
        cmocka_unit_test(test_what_is_written_while_the_size_is_set_counts),
        cmocka_unit_test(test_a_time_that_was_guessed_is_told_only_until_it_is_known),
        cmocka_unit_test(test_a_rename_takes_along_what_is_to_be_set),
        cmocka_unit_test(test_what_may_be_refused_waits_for_the_server),
        cmocka_unit_test(test_a_flush_that_was_interrupted_loses_nothing),
        cmocka_unit_test(test_an_open_that_fails_is_no_matter_to_anothers_rename),
        cmocka_unit_test(test_a_file_whose_removal_was_given_up_can_be_written_on),
        cmocka_unit_test(test_a_file_that_is_removed_while_it_is_put_can_be_written_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The end of a file system with files that programs still have open: what was written to them is flushed, all are
 * closed, and who asked is told which of them could not be written. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

struct losses {
    unsigned count;
    char path[64];
    int error;
};

static void lost(void *context, const char *path, int error)
{
    struct losses *losses = context;
    losses->count++;
    snprintf(losses->path, sizeof(losses->path), "%s", path);
    losses->error = error;
}

struct end {
    struct cfs_fs *fs;
    atomic_bool is_over;
};

static void *end_fs(void *context)
{
    struct end *end = context;
    cfs_fs_free(end->fs);
    atomic_store(&end->is_over, true);
    return NULL;
}

/* It waits for the remote, which this thread turns. */
static void end(struct fs_fixture *fixture)
{
    struct end end = {.fs = CFS_TAKE(fixture->fs)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_fs, &end), 0);
    while (!atomic_load(&end.is_over))
        fs_fixture_turn(fixture);
    pthread_join(thread, NULL);
    assert_int_equal(memory_remote_open_files(fixture->memory), 0);
    memory_remote_free(fixture->memory);
}

static void start(struct fs_fixture *fixture, struct losses *losses)
{
    *losses = (struct losses){.count = 0};
    fs_fixture_init(fixture, NULL);
    fixture->lost = lost;
    fixture->lost_context = losses;
    fs_fixture_start(fixture);
}

static struct cfs_open_file *leave_open(struct fs_fixture *fixture, const char *name)
{
    struct cfs_open_file *file = NULL;
    assert_int_equal(fs_create(fixture, CFS_ROOT_NODE, name, 0644, O_WRONLY, &file, NULL), 0);
    assert_int_equal(fs_write(fixture, file, 0, "abc", 3), 3);
    return file;
}

static void what_is_open_is_flushed_and_closed(void **state)
{
    struct fs_fixture fixture;
    struct losses losses;
    struct cfs_open_file *file = NULL;
    (void)state;
    start(&fixture, &losses);
    (void)leave_open(&fixture, "written");
    memory_remote_poke_file(fixture.memory, "read", "abc", 3);
    uint64_t node = fs_walk(&fixture, "read");
    assert_int_equal(fs_open(&fixture, node, O_RDONLY, &file), 0);
    end(&fixture);
    assert_int_equal(losses.count, 0);
}

static void what_could_not_be_written_is_told_by_its_name(void **state)
{
    struct fs_fixture fixture;
    struct losses losses;
    (void)state;
    start(&fixture, &losses);
    (void)leave_open(&fixture, "lost");
    memory_remote_fail(fixture.memory, MEMORY_FLUSH, 1, -ENOSPC);
    end(&fixture);
    assert_int_equal(losses.count, 1);
    assert_string_equal(losses.path, "lost");
    assert_int_equal(losses.error, -ENOSPC);
}

static void also_what_has_no_name_any_more(void **state)
{
    struct fs_fixture fixture;
    struct losses losses;
    (void)state;
    start(&fixture, &losses);
    (void)leave_open(&fixture, "gone");
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "gone"), 0);
    memory_remote_fail(fixture.memory, MEMORY_FLUSH, 1, -EIO);
    end(&fixture);
    assert_int_equal(losses.count, 1);
    assert_non_null(strstr(losses.path, "without a name"));
    assert_int_equal(losses.error, -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_open_is_flushed_and_closed),
        cmocka_unit_test(what_could_not_be_written_is_told_by_its_name),
        cmocka_unit_test(also_what_has_no_name_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Interrupts: each request is answered once, soon, and leaves nothing behind. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

static struct fs_fixture fixture;

static int start(void **state)
{
    (void)state;
    fs_fixture_init(&fixture, NULL);
    fs_fixture_start(&fixture);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fs_fixture_fini(&fixture);
    return 0;
}

static void a_call_in_flight_is_cancelled(void **state)
{
    struct fs_call call;
    memory_remote_hold(fixture.memory, MEMORY_LSTAT);
    fs_call_init(&call);
    cfs_fs_lookup(fixture.fs, &call.request, CFS_ROOT_NODE, "file");
    cfs_fs_interrupt(fixture.fs, &call.request);
    cfs_fs_interrupt(fixture.fs, &call.request);
    assert_false(atomic_load(&call.replied)); /* never from inside */
    memory_remote_release(fixture.memory, MEMORY_LSTAT);
    assert_int_equal(fs_call_wait(&fixture, &call), -EINTR);
}

static void an_answered_request_is_left_alone(void **state)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_lookup(fixture.fs, &call.request, CFS_ROOT_NODE, "file");
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    cfs_fs_interrupt(fixture.fs, &call.request);
    memory_remote_run(fixture.memory);
    assert_int_equal(call.replies, 1);
}

static void who_waits_for_a_claim_gives_up(void **state)
{
    struct fs_call rename, look;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    uint64_t node = fs_walk(&fixture, "file");
    memory_remote_hold(fixture.memory, MEMORY_RENAME);
    fs_call_init(&rename);
    fs_call_init(&look);
    cfs_fs_rename(fixture.fs, &rename.request, CFS_ROOT_NODE, "file", CFS_ROOT_NODE, "new", 0);
    cfs_fs_getattr(fixture.fs, &look.request, node, NULL);
    cfs_fs_interrupt(fixture.fs, &look.request);
    test_wait_until(atomic_load(&look.replied)); /* from the file system's own thread */
    assert_int_equal(look.request.error, -EINTR);
    memory_remote_release(fixture.memory, MEMORY_RENAME);
    assert_int_equal(fs_call_wait(&fixture, &rename), 0);
    fs_forget(&fixture, node);
}

static void a_rename_that_gave_up_lets_others_pass(void **state)
{
    struct fs_call look, rename, later;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    uint64_t node = fs_walk(&fixture, "file");
    fs_call_init(&look);
    fs_call_init(&rename);
    fs_call_init(&later);
    memory_remote_hold(fixture.memory, MEMORY_LSTAT);
    cfs_fs_getattr(fixture.fs, &look.request, node, NULL);
    cfs_fs_rename(fixture.fs, &rename.request, CFS_ROOT_NODE, "file", CFS_ROOT_NODE, "new", 0);
    cfs_fs_getattr(fixture.fs, &later.request, node, NULL);
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_LSTAT);
    cfs_fs_interrupt(fixture.fs, &rename.request);
    test_wait_until(atomic_load(&rename.replied));
    assert_int_equal(rename.request.error, -EINTR);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_LSTAT), before + 1);
    memory_remote_release(fixture.memory, MEMORY_LSTAT);
    assert_int_equal(fs_call_wait(&fixture, &look), 0);
    assert_int_equal(fs_call_wait(&fixture, &later), 0);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_RENAME), 0);
    fs_forget(&fixture, node);
}

static void who_waits_for_a_turn_gives_up(void **state)
{
    enum { WRITERS = 3 };
    struct fs_call writes[WRITERS];
    struct cfs_open_file *file = NULL;
    char content[16];
    memory_remote_poke_file(fixture.memory, "log", "", 0);
    uint64_t node = fs_walk(&fixture, "log");
    assert_int_equal(fs_open(&fixture, node, O_WRONLY | O_APPEND, &file), 0);
    memory_remote_hold(fixture.memory, MEMORY_FSTAT);
    for (int i = 0; i < WRITERS; i++) {
        fs_call_init(&writes[i]);
        cfs_fs_write(fixture.fs, &writes[i].request, file, 0, 1, &"abc"[i]);
    }
    cfs_fs_interrupt(fixture.fs, &writes[1].request);
    test_wait_until(atomic_load(&writes[1].replied));
    assert_int_equal(writes[1].request.error, -EINTR);
    memory_remote_release(fixture.memory, MEMORY_FSTAT);
    assert_int_equal(fs_call_wait(&fixture, &writes[0]), 0);
    assert_int_equal(fs_call_wait(&fixture, &writes[2]), 0);
    assert_int_equal(memory_remote_peek(fixture.memory, "log", 0, content, sizeof(content)), 2);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

/* The folder was made: whoever is interrupted only then is told so, and not that it failed. */
static void what_is_done_is_not_undone(void **state)
{
    struct fs_call call;
    fs_call_init(&call);
    memory_remote_hold(fixture.memory, MEMORY_LSTAT);
    cfs_fs_mkdir(fixture.fs, &call.request, CFS_ROOT_NODE, "folder", 0755);
    memory_remote_run(fixture.memory);
    cfs_fs_interrupt(fixture.fs, &call.request);
    memory_remote_release(fixture.memory, MEMORY_LSTAT);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    fs_forget(&fixture, call.request.result.entry.node);
}

static void an_interrupted_open_leaves_no_handle(void **state)
{
    struct fs_call call;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    uint64_t node = fs_walk(&fixture, "file");
    memory_remote_hold(fixture.memory, MEMORY_OPEN);
    fs_call_init(&call);
    cfs_fs_open(fixture.fs, &call.request, node, O_RDONLY);
    cfs_fs_interrupt(fixture.fs, &call.request);
    memory_remote_release(fixture.memory, MEMORY_OPEN);
    int error = fs_call_wait(&fixture, &call);
    if (error == 0)
        fs_release(&fixture, call.request.result.file); /* the answer was faster */
    else
        assert_int_equal(error, -EINTR);
    memory_remote_run(fixture.memory);
    assert_int_equal(memory_remote_open_files(fixture.memory), 0);
    fs_forget(&fixture, node);
}

static void an_interrupted_listing_begins_anew(void **state)
{
    struct fs_call call;
    struct cfs_open_folder *folder = NULL;
    char *names CFS_AUTO_FREE = NULL;
    uint64_t next;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    assert_int_equal(fs_open_folder(&fixture, CFS_ROOT_NODE, &folder), 0);
    memory_remote_hold(fixture.memory, MEMORY_READ_LISTING);
    fs_call_init(&call);
    cfs_fs_read_folder(fixture.fs, &call.request, folder, 0, false, fs_add_entry);
    cfs_fs_interrupt(fixture.fs, &call.request);
    memory_remote_run(fixture.memory);
    memory_remote_release(fixture.memory, MEMORY_READ_LISTING);
    assert_int_equal(fs_call_wait(&fixture, &call), -EINTR);
    assert_int_equal(fs_read_folder(&fixture, folder, 0, false, 10, &names, &next), 0);
    assert_string_equal(names, ". .. file ");
    fs_release_folder(&fixture, folder);
}

/* A release must reach the server, whatever the program's signals. */
static void a_release_is_not_interrupted(void **state)
{
    struct fs_call call;
    struct cfs_open_file *file = NULL;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    uint64_t node = fs_walk(&fixture, "file");
    assert_int_equal(fs_open(&fixture, node, O_RDONLY, &file), 0);
    fs_call_init(&call);
    cfs_fs_release(fixture.fs, &call.request, file);
    cfs_fs_interrupt(fixture.fs, &call.request);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    assert_int_equal(memory_remote_open_files(fixture.memory), 0);
    fs_forget(&fixture, node);
}

/* --- from many threads --- */

static void *interrupt_again_and_again(void *context)
{
    struct fs_call *calls = context;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 32; i++)
            cfs_fs_interrupt(fixture.fs, &calls[i].request);
        sched_yield();
    }
    return NULL;
}

static void interrupts_race_with_replies(void **state)
{
    enum { CALLS = 32 };
    static struct fs_call calls[CALLS];
    pthread_t thread;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    uint64_t node = fs_walk(&fixture, "file");
    for (int i = 0; i < CALLS; i++)
        fs_call_init(&calls[i]);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_again_and_again, calls), 0);
    for (int i = 0; i < CALLS; i++)
        cfs_fs_getattr(fixture.fs, &calls[i].request, node, NULL);
    for (int i = 0; i < CALLS; i++) {
        int error = fs_call_wait(&fixture, &calls[i]);
        assert_true(error == 0 || error == -EINTR);
    }
    pthread_join(thread, NULL);
    fs_forget(&fixture, node);
}

#define fs_test(function) cmocka_unit_test_setup_teardown(function, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fs_test(a_call_in_flight_is_cancelled),        fs_test(an_answered_request_is_left_alone),
        fs_test(who_waits_for_a_claim_gives_up),       fs_test(a_rename_that_gave_up_lets_others_pass),
        fs_test(who_waits_for_a_turn_gives_up),        fs_test(what_is_done_is_not_undone),
        fs_test(an_interrupted_open_leaves_no_handle), fs_test(an_interrupted_listing_begins_anew),
        fs_test(a_release_is_not_interrupted),         fs_test(interrupts_race_with_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

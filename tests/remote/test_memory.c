/* The in-memory remote keeps the contract, under several seeds, with and without latency. */
#include "lib/memory_remote.h"
#include "lib/remote_conformance.h"
#include "lib/remote_sync.h"
#include "lib/test.h"
#include <fcntl.h>

struct fixture {
    struct remote_driver driver; /* first: it is what *state points at */
    struct memory_remote *memory;
};

static struct memory_remote_options options;

static bool turn(void *context)
{
    return memory_remote_step(context);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->memory = memory_remote_new(&options);
    fixture->driver.remote = memory_remote_as_remote(fixture->memory);
    fixture->driver.turn = turn;
    fixture->driver.context = fixture->memory;
    *state = &fixture->driver;
    return 0;
}

static struct memory_remote *memory_of(void **state)
{
    return ((struct fixture *)*state)->memory;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    memory_remote_free(fixture->memory);
    free(fixture);
    return 0;
}

/* --- what the conformance suite cannot ask for --- */

static void a_fault_strikes_the_nth_call_once(void **state)
{
    memory_remote_fail(memory_of(state), MEMORY_LSTAT, 2, -EIO);
    assert_int_equal(sync_lstat(*state, "", NULL), 0);
    assert_int_equal(sync_lstat(*state, "", NULL), -EIO);
    assert_int_equal(sync_lstat(*state, "", NULL), 0);
}

static void a_fault_after_the_effect_leaves_the_effect(void **state)
{
    memory_remote_fail_after(memory_of(state), MEMORY_MKDIR, 1, -ENOTCONN);
    assert_int_equal(sync_mkdir(*state, "folder", 0755), -ENOTCONN);
    assert_int_equal(sync_lstat(*state, "folder", NULL), 0);
}

static void a_lost_reply_times_out(void **state)
{
    const struct cfs_clock *clock = memory_remote_clock(memory_of(state));
    int64_t before = cfs_clock_ms(clock);
    memory_remote_lose_reply(memory_of(state), MEMORY_LSTAT, 1);
    assert_int_equal(sync_lstat(*state, "", NULL), -ETIMEDOUT);
    assert_int_equal(cfs_clock_ms(clock) - before, 30000);
}

static void a_lost_connection_fails_all_until_it_is_back(void **state)
{
    struct cfs_remote_file *file;
    assert_int_equal(sync_open(*state, "f", O_RDWR | O_CREAT, 0644, &file), 0);
    memory_remote_disconnect(memory_of(state));
    assert_int_equal(sync_write(*state, file, 0, "x", 1), -ENOTCONN);
    assert_int_equal(sync_lstat(*state, "", NULL), -ENOTCONN);
    memory_remote_reconnect(memory_of(state));
    assert_int_equal(sync_write(*state, file, 0, "x", 1), 0);
    memory_remote_disconnect(memory_of(state));
    assert_int_equal(sync_close(*state, file), -ENOTCONN);
    assert_int_equal(memory_remote_open_files(memory_of(state)), 0);
}

static void what_is_held_waits(void **state)
{
    struct sync_call sync;
    sync_init(&sync);
    memory_remote_hold(memory_of(state), MEMORY_LSTAT);
    memory_remote_as_remote(memory_of(state))
        ->operations->lstat(memory_remote_as_remote(memory_of(state)), &sync.call, "");
    assert_int_equal(memory_remote_run(memory_of(state)), 0);
    assert_false(sync_is_done(&sync));
    memory_remote_release(memory_of(state), MEMORY_LSTAT);
    assert_int_equal(sync_wait(*state, &sync), 0);
    sync_fini(&sync);
}

static void pokes_are_seen(void **state)
{
    char buffer[8];
    struct cfs_remote_attributes attributes;
    memory_remote_poke_file(memory_of(state), "f", "abc", 3);
    memory_remote_poke_append(memory_of(state), "f", "d", 1);
    memory_remote_poke_mtime(memory_of(state), "f", 77);
    assert_int_equal(sync_lstat(*state, "f", &attributes), 0);
    assert_int_equal(attributes.size, 4);
    assert_int_equal(attributes.mtime, 77);
    assert_int_equal(memory_remote_peek(memory_of(state), "f", 1, buffer, 8), 3);
    assert_memory_equal(buffer, "bcd", 3);
}

static void a_full_disk_is_enospc(void **state)
{
    struct cfs_remote_file *file;
    memory_tree_set_capacity(memory_remote_tree(memory_of(state)), 4);
    assert_int_equal(sync_open(*state, "f", O_RDWR | O_CREAT, 0644, &file), 0);
    assert_int_equal(sync_write(*state, file, 0, "12345", 5), -ENOSPC);
    assert_int_equal(sync_write(*state, file, 0, "1234", 4), 0);
    assert_int_equal(sync_close(*state, file), 0);
}

/* Two writes to two files: under some seed the second is done first. */
static void calls_on_different_files_are_reordered(void **state)
{
    bool reordered = false;
    for (uint64_t seed = 0; seed < 20 && !reordered; seed++) {
        struct memory_remote_options seeded = {.seed = seed};
        struct memory_remote *memory = memory_remote_new(&seeded);
        struct cfs_remote *remote = memory_remote_as_remote(memory);
        struct sync_call first, second;
        sync_init(&first);
        sync_init(&second);
        remote->operations->mkdir(remote, &first.call, "a", 0755);
        remote->operations->mkdir(remote, &second.call, "a", 0755);
        memory_remote_run(memory);
        reordered = first.call.error == -EEXIST && second.call.error == 0;
        sync_fini(&first);
        sync_fini(&second);
        memory_remote_free(memory);
    }
    assert_true(reordered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fault_strikes_the_nth_call_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fault_after_the_effect_leaves_the_effect, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_reply_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_connection_fails_all_until_it_is_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(pokes_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_enospc, setup, teardown),
        cmocka_unit_test(calls_on_different_files_are_reordered),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        options = (struct memory_remote_options){
            .seed = seed, .latency_ms = seed % 2 ? 0 : 40, .jitter_ms = 10 * (uint32_t)(seed / 2)};
        failures += remote_conformance("in memory", setup, teardown);
    }
    options = (struct memory_remote_options){.seed = 5, .no_capabilities = ~0u};
    return failures + remote_conformance("in memory, a poor server", setup, teardown);
}

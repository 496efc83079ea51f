/* Reads of the pages of a write that is under way: see fs/pages.h. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>

enum { FAR = 1 << 20 };

static struct fs_fixture fixture;
static uint64_t node;
static struct cfs_open_file *file, *other; /* of two programs */
static struct fs_call writing, reading;
static char buffer[16];

static int start(void **state)
{
    (void)state;
    fs_fixture_init(&fixture, NULL);
    fs_fixture_start(&fixture);
    memory_remote_poke_file(fixture.memory, "file", "old content", 11);
    node = fs_walk(&fixture, "file");
    assert_int_equal(fs_open(&fixture, node, O_RDWR, &file), 0);
    assert_int_equal(fs_open(&fixture, node, O_RDWR, &other), 0);
    fs_call_init(&writing);
    fs_call_init(&reading);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    memory_remote_release(fixture.memory, MEMORY_READ);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    fs_fixture_run(&fixture);
    fs_release(&fixture, file);
    fs_release(&fixture, other);
    fs_forget(&fixture, node);
    fs_fixture_fini(&fixture);
    return 0;
}

static void begin_write(const char *text)
{
    cfs_fs_write(fixture.fs, &writing.request, file, 0, strlen(text), text);
    memory_remote_run(fixture.memory);
}

static void begin_read(uint64_t offset)
{
    cfs_fs_read(fixture.fs, &reading.request, other, offset, sizeof(buffer), buffer);
    memory_remote_run(fixture.memory);
}

static void expect_read(const char *expected)
{
    assert_int_equal(fs_call_wait(&fixture, &reading), 0);
    assert_int_equal(reading.request.result.length, strlen(expected));
    assert_memory_equal(buffer, expected, strlen(expected));
}

static void a_read_waits_for_a_write_of_its_pages(void **state)
{
    (void)state;
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    begin_write("NEW");
    begin_read(4);
    assert_false(atomic_load(&reading.replied));
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_READ), 0);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    expect_read("content");
    assert_int_equal(fs_call_wait(&fixture, &writing), 0);
}

static void a_read_of_other_pages_does_not(void **state)
{
    (void)state;
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    begin_write("NEW");
    begin_read(FAR);
    expect_read("");
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(fs_call_wait(&fixture, &writing), 0);
}

static void a_read_that_a_write_overtook_is_made_again(void **state)
{
    (void)state;
    memory_remote_hold(fixture.memory, MEMORY_READ);
    begin_read(0);
    begin_write("NEW");
    assert_int_equal(fs_call_wait(&fixture, &writing), 0);
    memory_remote_release(fixture.memory, MEMORY_READ);
    expect_read("NEW content");
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_READ), 2);
}

static void made_again_it_waits_for_the_write(void **state)
{
    (void)state;
    memory_remote_hold(fixture.memory, MEMORY_READ);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    begin_read(0);
    begin_write("NEW");
    memory_remote_release(fixture.memory, MEMORY_READ);
    memory_remote_run(fixture.memory);
    assert_false(atomic_load(&reading.replied));
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    expect_read("NEW content");
    assert_int_equal(fs_call_wait(&fixture, &writing), 0);
}

static void a_write_that_fails_holds_nobody_up(void **state)
{
    (void)state;
    memory_remote_fail(fixture.memory, MEMORY_WRITE, 1, -ENOSPC);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    begin_write("NEW");
    begin_read(0);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(fs_call_wait(&fixture, &writing), -ENOSPC);
    expect_read("old content");
}

/* Somebody else changes the file, and it is opened again: the kernel drops its pages. */
static void drop(void)
{
    struct cfs_open_file *third;
    memory_remote_poke_file(fixture.memory, "file", "the others' content", 19);
    struct fs_call opening;
    fs_call_init(&opening);
    cfs_fs_open(fixture.fs, &opening.request, node, O_RDONLY);
    assert_int_equal(fs_call_wait(&fixture, &opening), 0);
    assert_false(opening.request.result.keep_cache);
    third = opening.request.result.file;
    fs_release(&fixture, third);
}

static unsigned drops_by_write(const char *text)
{
    unsigned before = fixture.nodes_changed;
    fs_call_init(&writing);
    begin_write(text);
    assert_int_equal(fs_call_wait(&fixture, &writing), 0);
    return fixture.nodes_changed - before;
}

static void read_once(uint64_t offset)
{
    fs_call_init(&reading);
    begin_read(offset);
    assert_int_equal(fs_call_wait(&fixture, &reading), 0);
}

static void what_was_dropped_and_read_before_a_write_is_dropped_again(void **state)
{
    (void)state;
    drop();
    read_once(4);
    assert_int_equal(drops_by_write("NEW"), 1);
    assert_int_equal(fixture.changed_node, node);
    assert_int_equal(fixture.changed_offset, 0);
    assert_int_equal(drops_by_write("NEW"), 0); /* not read since */
    read_once(FAR);
    assert_int_equal(drops_by_write("NEW"), 0);
    read_once(4);
    memory_remote_advance(fixture.memory, 10 * 1000);
    assert_int_equal(drops_by_write("NEW"), 0); /* dropped long ago */
}

static void what_was_not_dropped_stays(void **state)
{
    (void)state;
    memory_remote_advance(fixture.memory, 10 * 1000);
    read_once(4);
    assert_int_equal(drops_by_write("NEW"), 0);
}

static void a_read_that_waits_can_be_interrupted(void **state)
{
    (void)state;
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    begin_write("NEW");
    begin_read(0);
    cfs_fs_interrupt(fixture.fs, &reading.request);
    assert_int_equal(fs_call_wait(&fixture, &reading), -EINTR);
    assert_false(atomic_load(&writing.replied));
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(fs_call_wait(&fixture, &writing), 0);
    fs_call_init(&reading);
    begin_read(0);
    expect_read("NEW content");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_read_waits_for_a_write_of_its_pages, start, finish),
        cmocka_unit_test_setup_teardown(a_read_of_other_pages_does_not, start, finish),
        cmocka_unit_test_setup_teardown(a_read_that_a_write_overtook_is_made_again, start, finish),
        cmocka_unit_test_setup_teardown(made_again_it_waits_for_the_write, start, finish),
        cmocka_unit_test_setup_teardown(a_write_that_fails_holds_nobody_up, start, finish),
        cmocka_unit_test_setup_teardown(what_was_dropped_and_read_before_a_write_is_dropped_again, start, finish),
        cmocka_unit_test_setup_teardown(what_was_not_dropped_stays, start, finish),
        cmocka_unit_test_setup_teardown(a_read_that_waits_can_be_interrupted, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

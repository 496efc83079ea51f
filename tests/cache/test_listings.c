/* Listings: from memory, shared, streamed, fetched ahead, and true in the face of own changes. */
#include "lib/test.h"

#include "base/text.h"
#include "lib/cache_fixture.h"
#include <fcntl.h>
#include <stdlib.h>

static void make_old(struct cache_fixture *fixture, const char *path)
{
    memory_remote_poke_mtime(fixture->memory, path, 1600000000);
}

static int setup(void **state)
{
    static struct cache_fixture fixture;
    cache_fixture_init(&fixture, NULL);
    memory_remote_poke_mkdir(fixture.memory, "folder");
    for (int i = 0; i < 3; i++) {
        char *path = cfs_text_format("folder/%d", i);
        memory_remote_poke_file(fixture.memory, path, "x", 1);
        make_old(&fixture, path);
        free(path);
    }
    make_old(&fixture, "folder");
    cache_fixture_start(&fixture);
    assert_int_equal(cache_lstat(&fixture, "folder", NULL), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    cache_fixture_fini(*state);
    return 0;
}

static void assert_lists(struct cache_fixture *fixture, const char *path, const char *expected)
{
    int error;
    char *names = cache_list(fixture, path, &error);
    assert_int_equal(error, 0);
    assert_string_equal(names, expected);
    free(names);
}

static uint64_t cost_of_listing(struct cache_fixture *fixture, const char *path, const char *expected)
{
    cache_run(fixture);
    cache_cost(fixture);
    assert_lists(fixture, path, expected);
    cache_run(fixture);
    return cache_cost(fixture);
}

static uint64_t cost_of_lstat(struct cache_fixture *fixture, const char *path, int error)
{
    cache_run(fixture);
    cache_cost(fixture);
    assert_int_equal(cache_lstat(fixture, path, NULL), error);
    return cache_cost(fixture);
}

static void test_a_listing_is_kept_with_its_attributes(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cost_of_listing(fixture, "folder", "0 1 2 "), 4); /* open, a batch, the end, close */
    assert_int_equal(cost_of_listing(fixture, "folder", "0 1 2 "), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/1", 0), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/none", -ENOENT), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/none/deeper", -ENOENT), 0);
}

static void test_a_listing_is_asked_for_again_when_it_is_old(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_lists(fixture, "folder", "0 1 2 ");
    memory_remote_poke_remove(fixture->memory, "folder/1");
    memory_remote_poke_file(fixture->memory, "folder/new", "", 0);
    memory_remote_advance(fixture->memory, 9999);
    assert_int_equal(cost_of_listing(fixture, "folder", "0 1 2 "), 0);
    memory_remote_advance(fixture->memory, 1);
    assert_int_equal(cost_of_listing(fixture, "folder", "0 2 new "), 4);
    assert_int_equal(cost_of_lstat(fixture, "folder/1", -ENOENT), 0);
}

static void test_a_missing_folder_is_an_error(void **state)
{
    struct cache_fixture *fixture = *state;
    int error;
    assert_null(cache_list(fixture, "none", &error));
    assert_int_equal(error, -ENOENT);
    assert_null(cache_list(fixture, "folder/1", &error));
    assert_int_equal(error, -ENOTDIR);
}

static void test_own_changes_show_in_a_listing_from_memory(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_lists(fixture, "folder", "0 1 2 ");
    assert_int_equal(cache_unlink(fixture, "folder/0"), 0);
    assert_int_equal(cost_of_listing(fixture, "folder", "1 2 "), 0);
    assert_int_equal(cache_rename(fixture, "folder/1", "folder/renamed", CFS_REMOTE_RENAME_NOREPLACE), 0);
    assert_int_equal(cost_of_listing(fixture, "folder", "2 renamed "), 0);
    assert_int_equal(cache_mkdir(fixture, "folder/sub"), 0);
    assert_int_equal(cost_of_listing(fixture, "folder", "2 renamed sub "), 0);
    assert_int_equal(cost_of_listing(fixture, "folder/sub", ""), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/1", -ENOENT), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/renamed", 0), 0);
}

static void test_a_folder_that_was_moved_takes_its_listing_along(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_lists(fixture, "folder", "0 1 2 ");
    assert_int_equal(cache_rename(fixture, "folder", "moved", CFS_REMOTE_RENAME_NOREPLACE), 0);
    assert_int_equal(cost_of_listing(fixture, "moved", "0 1 2 "), 0);
    assert_int_equal(cost_of_lstat(fixture, "moved/1", 0), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/1", -ENOENT), 0);
}

static void test_after_an_unknown_outcome_the_folder_is_listed_again(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_lists(fixture, "folder", "0 1 2 ");
    memory_remote_fail_after(fixture->memory, MEMORY_MKDIR, 1, -EIO);
    assert_int_equal(cache_mkdir(fixture, "folder/maybe"), -EIO);
    assert_lists(fixture, "folder", "0 1 2 maybe ");
}

static void test_files_whose_attributes_are_old_are_listed_again_when_there_are_many(void **state)
{
    struct cache_fixture *fixture = *state;
    for (int i = 3; i < 8; i++) {
        char *path = cfs_text_format("folder/%d", i);
        memory_remote_poke_file(fixture->memory, path, "x", 1);
        free(path);
    }
    make_old(fixture, "folder");
    assert_lists(fixture, "folder", "0 1 2 3 4 5 6 7 ");
    memory_remote_advance(fixture->memory, 999);
    assert_int_equal(cost_of_listing(fixture, "folder", "0 1 2 3 4 5 6 7 "), 0);
    memory_remote_advance(fixture->memory, 1);
    assert_int_equal(cost_of_listing(fixture, "folder", "0 1 2 3 4 5 6 7 "), 4);
}

/* A listing opened by hand, with its first batch asked for and held. */
struct held {
    struct cache_call open, read;
    struct cfs_remote_listing *listing;
};

static void open_held(struct cache_fixture *fixture, struct held *held)
{
    cache_call_init(&held->open);
    cache_call_init(&held->read);
    memory_remote_hold(fixture->memory, MEMORY_READ_LISTING);
    fixture->operations->open_listing(fixture->cache, &held->open.call, "folder");
    assert_int_equal(cache_wait(fixture, &held->open), 0);
    held->listing = held->open.call.result.listing;
    fixture->operations->read_listing(fixture->cache, &held->read.call, held->listing);
}

static void close_held(struct cache_fixture *fixture, struct held *held)
{
    struct cache_call close;
    cache_call_init(&close);
    fixture->operations->close_listing(fixture->cache, &close.call, held->listing);
    assert_int_equal(cache_wait(fixture, &close), 0);
    cache_call_fini(&held->open);
    cache_call_fini(&held->read);
    cache_call_fini(&close);
}

static void test_a_file_removed_while_its_folder_is_listed_does_not_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct memory_remote_options options = {.seed = seed, .latency_ms = 10, .jitter_ms = 40, .listing_batch = 2};
        struct cache_fixture f, *fixture = &f;
        cache_fixture_init(fixture, &options);
        memory_remote_poke_mkdir(fixture->memory, "folder");
        memory_remote_poke_file(fixture->memory, "folder/a", "", 0);
        memory_remote_poke_file(fixture->memory, "folder/b", "", 0);
        memory_remote_poke_file(fixture->memory, "folder/c", "", 0);
        memory_remote_advance(fixture->memory, 1000000);
        cache_fixture_start(fixture);
        assert_int_equal(cache_lstat(fixture, "folder", NULL), 0);
        struct cache_call open, change;
        cache_call_init(&open);
        cache_call_init(&change);
        fixture->operations->open_listing(fixture->cache, &open.call, "folder");
        for (uint64_t steps = seed % 9; steps > 0; steps--)
            memory_remote_step(fixture->memory);
        if (seed % 3 == 0)
            fixture->operations->unlink(fixture->cache, &change.call, "folder/b");
        else if (seed % 3 == 1)
            fixture->operations->rename(fixture->cache, &change.call, "folder/b", "folder/d",
                                        CFS_REMOTE_RENAME_REPLACE);
        else
            fixture->operations->mkdir(fixture->cache, &change.call, "folder/d", 0755);
        assert_int_equal(cache_wait(fixture, &change), 0);
        assert_int_equal(cache_wait(fixture, &open), 0);
        cache_run(fixture);
        assert_int_equal(cache_lstat(fixture, "folder/b", NULL), seed % 3 == 2 ? 0 : -ENOENT);
        assert_int_equal(cache_lstat(fixture, "folder/d", NULL), seed % 3 == 0 ? -ENOENT : 0);
        int error;
        char *names = cache_list(fixture, "folder", &error);
        assert_int_equal(strstr(names, "b ") != NULL, seed % 3 == 2);
        assert_int_equal(strstr(names, "d ") != NULL, seed % 3 != 0);
        free(names);
        struct held held = {.open = open, .listing = open.call.result.listing};
        cache_call_init(&held.read);
        close_held(fixture, &held);
        cache_call_fini(&change);
        cache_fixture_fini(fixture);
    }
}

static void test_equal_listings_are_one(void **state)
{
    struct cache_fixture *fixture = *state;
    struct held first;
    cache_cost(fixture);
    open_held(fixture, &first);
    struct cache_call open, read;
    cache_call_init(&open);
    cache_call_init(&read);
    fixture->operations->open_listing(fixture->cache, &open.call, "folder");
    assert_int_equal(cache_wait(fixture, &open), 0);
    fixture->operations->read_listing(fixture->cache, &read.call, open.call.result.listing);
    memory_remote_release(fixture->memory, MEMORY_READ_LISTING);
    assert_int_equal(cache_wait(fixture, &first.read), 0);
    assert_int_equal(cache_wait(fixture, &read), 0);
    assert_string_equal(first.read.names, "0 1 2 ");
    assert_string_equal(read.names, "0 1 2 ");
    cache_run(fixture);
    assert_int_equal(cache_cost(fixture), 4);
    close_held(fixture, &first);
    struct held second = {.open = open, .read = read, .listing = open.call.result.listing};
    close_held(fixture, &second);
}

static void test_a_cancelled_read_leaves_the_listing_usable(void **state)
{
    struct cache_fixture *fixture = *state;
    struct held held;
    open_held(fixture, &held);
    fixture->operations->cancel(fixture->cache, &held.read.call);
    assert_int_equal(cache_wait(fixture, &held.read), -EINTR);
    cache_call_fini(&held.read);
    memory_remote_release(fixture->memory, MEMORY_READ_LISTING);
    cache_call_init(&held.read);
    fixture->operations->read_listing(fixture->cache, &held.read.call, held.listing);
    assert_int_equal(cache_wait(fixture, &held.read), 0);
    assert_string_equal(held.read.names, "0 1 2 ");
    close_held(fixture, &held);
}

static void test_a_cancelled_open_leaves_nothing_behind(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call open;
    cache_call_init(&open);
    memory_remote_hold(fixture->memory, MEMORY_OPEN_LISTING);
    fixture->operations->open_listing(fixture->cache, &open.call, "folder");
    fixture->operations->cancel(fixture->cache, &open.call);
    assert_int_equal(cache_wait(fixture, &open), -EINTR);
    memory_remote_release(fixture->memory, MEMORY_OPEN_LISTING);
    cache_call_fini(&open);
}

static void test_an_error_in_the_middle_is_told_and_not_kept(void **state)
{
    struct cache_fixture *fixture = *state;
    int error;
    memory_remote_fail(fixture->memory, MEMORY_READ_LISTING, 2, -EIO);
    assert_null(cache_list(fixture, "folder", &error));
    assert_int_equal(error, -EIO);
    assert_int_equal(cost_of_listing(fixture, "folder", "0 1 2 "), 4);
}

static void make_many(struct cache_fixture *fixture, unsigned count)
{
    memory_remote_poke_mkdir(fixture->memory, "many");
    for (unsigned i = 0; i < count; i++) {
        char *path = cfs_text_format("many/%u", i);
        memory_remote_poke_file(fixture->memory, path, "", 0);
        free(path);
    }
}

static void test_a_huge_folder_streams_and_memory_is_bounded(void **state)
{
    struct cache_fixture *fixture = *state;
    make_many(fixture, 25000);
    struct cache_call open, read;
    cache_call_init(&open);
    fixture->operations->open_listing(fixture->cache, &open.call, "many");
    assert_int_equal(cache_wait(fixture, &open), 0);
    struct held held = {.open = open, .listing = open.call.result.listing};
    cache_call_init(&held.read);
    cache_run(fixture); /* reads ahead, but not all */
    assert_true(memory_remote_count(fixture->memory, MEMORY_READ_LISTING) <= 101);
    size_t total = 0;
    for (bool ended = false; !ended;) {
        cache_call_init(&read);
        fixture->operations->read_listing(fixture->cache, &read.call, held.listing);
        assert_int_equal(cache_wait(fixture, &read), 0);
        total += read.call.result.count;
        ended = read.call.result.count == 0;
        cache_call_fini(&read);
    }
    assert_int_equal(total, 25000);
    close_held(fixture, &held);
}

static void test_a_listing_that_nobody_reads_on_is_closed(void **state)
{
    struct cache_fixture *fixture = *state;
    make_many(fixture, 12000);
    struct cache_call open;
    cache_call_init(&open);
    fixture->operations->open_listing(fixture->cache, &open.call, "many");
    assert_int_equal(cache_wait(fixture, &open), 0);
    struct held held = {.open = open, .listing = open.call.result.listing};
    cache_call_init(&held.read);
    cache_run(fixture);
    close_held(fixture, &held);
    cache_run(fixture);
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_CLOSE_LISTING), 1);
}

static void test_few_names_may_be_kept(void **state)
{
    (void)state;
    struct cache_fixture f, *fixture = &f;
    cache_fixture_init(fixture, NULL);
    fixture->options.entries = 100;
    make_many(fixture, 500);
    cache_fixture_start(fixture);
    int error;
    for (int i = 0; i < 3; i++) {
        char *names = cache_list(fixture, "many", &error);
        assert_int_equal(error, 0);
        free(names);
        assert_int_equal(cache_lstat(fixture, "many/499", NULL), 0);
        assert_int_equal(cache_lstat(fixture, "many/none", NULL), -ENOENT);
    }
    struct cfs_cache_status status;
    cfs_cache_status(fixture->cache, &status);
    assert_true(status.names <= 100);
    cache_fixture_fini(fixture);
}

/* --- walks --- */

static void make_tree(struct cache_fixture *fixture, unsigned folders)
{
    memory_remote_poke_mkdir(fixture->memory, "tree");
    for (unsigned i = 0; i < folders; i++) {
        char *path = cfs_text_format("tree/%02u", i);
        memory_remote_poke_mkdir(fixture->memory, path);
        make_old(fixture, path);
        free(path);
        path = cfs_text_format("tree/%02u/file", i);
        memory_remote_poke_file(fixture->memory, path, "", 0);
        make_old(fixture, path);
        free(path);
    }
    make_old(fixture, "tree");
}

static void test_the_listings_that_a_walk_will_want_are_fetched_ahead(void **state)
{
    struct memory_remote_options options = {.latency_ms = 40};
    struct cache_fixture f, *fixture = &f;
    (void)state;
    cache_fixture_init(fixture, &options);
    make_tree(fixture, 48);
    cache_fixture_start(fixture);
    const struct cfs_clock *clock = memory_remote_clock(fixture->memory);
    int64_t before = cfs_clock_ms(clock);
    int error;
    free(cache_list(fixture, "tree", &error));
    for (unsigned i = 0; i < 48; i++) {
        char *path = cfs_text_format("tree/%02u", i);
        assert_lists(fixture, path, "file ");
        free(path);
    }
    /* Alone, each would take three round trips: 5.9 s. */
    assert_true(cfs_clock_ms(clock) - before < 1200);
    cache_run(fixture);
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_OPEN_LISTING), 49);
    cache_fixture_fini(fixture);
}

static void test_fetching_ahead_stops_when_it_is_not_used(void **state)
{
    (void)state;
    struct cache_fixture f, *fixture = &f;
    cache_fixture_init(fixture, NULL);
    make_tree(fixture, 99);
    cache_fixture_start(fixture);
    int error;
    free(cache_list(fixture, "tree", &error));
    assert_lists(fixture, "tree/00", "file ");
    cache_run(fixture);
    assert_true(memory_remote_count(fixture->memory, MEMORY_OPEN_LISTING) <= 2 + 64);
    cache_fixture_fini(fixture);
}

static void test_a_single_listing_fetches_nothing_ahead(void **state)
{
    (void)state;
    struct cache_fixture f, *fixture = &f;
    cache_fixture_init(fixture, NULL);
    make_tree(fixture, 20);
    cache_fixture_start(fixture);
    int error;
    free(cache_list(fixture, "tree", &error));
    cache_run(fixture);
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_OPEN_LISTING), 1);
    cache_fixture_fini(fixture);
}

static void test_folders_that_stand_before_the_walk_are_listed_ahead_too(void **state)
{
    struct memory_remote_options options = {.latency_ms = 40};
    struct cache_fixture f, *fixture = &f;
    (void)state;
    cache_fixture_init(fixture, &options);
    fixture->options.prefetch = true;
    make_tree(fixture, 48);
    cache_fixture_start(fixture);
    const struct cfs_clock *clock = memory_remote_clock(fixture->memory);
    int64_t before = cfs_clock_ms(clock);
    int error;
    free(cache_list(fixture, "tree", &error));
    for (unsigned i = 48; i-- > 0;) { /* as a program's own order may be */
        char *path = cfs_text_format("tree/%02u", i);
        assert_lists(fixture, path, "file ");
        free(path);
    }
    assert_true(cfs_clock_ms(clock) - before < 1200);
    cache_run(fixture);
    assert_true(memory_remote_count(fixture->memory, MEMORY_OPEN_LISTING) <= 49);
    cache_fixture_fini(fixture);
}

static void test_one_name_asked_for_again_and_again_is_no_reason_to_list(void **state)
{
    (void)state;
    struct cache_fixture f, *fixture = &f;
    cache_fixture_init(fixture, NULL);
    fixture->options.prefetch = true;
    make_tree(fixture, 3);
    cache_fixture_start(fixture);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(cache_lstat(fixture, "tree/00", NULL), 0);
        memory_remote_advance(fixture->memory, 61000);
    }
    cache_run(fixture);
    assert_int_equal(memory_remote_count(fixture->memory, MEMORY_OPEN_LISTING), 0);
    cache_fixture_fini(fixture);
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(test_a_listing_is_kept_with_its_attributes),
        with_folder(test_a_listing_is_asked_for_again_when_it_is_old),
        with_folder(test_a_missing_folder_is_an_error),
        with_folder(test_own_changes_show_in_a_listing_from_memory),
        with_folder(test_a_folder_that_was_moved_takes_its_listing_along),
        with_folder(test_after_an_unknown_outcome_the_folder_is_listed_again),
        with_folder(test_files_whose_attributes_are_old_are_listed_again_when_there_are_many),
        cmocka_unit_test(test_a_file_removed_while_its_folder_is_listed_does_not_come_back),
        with_folder(test_equal_listings_are_one),
        with_folder(test_a_cancelled_read_leaves_the_listing_usable),
        with_folder(test_a_cancelled_open_leaves_nothing_behind),
        with_folder(test_an_error_in_the_middle_is_told_and_not_kept),
        with_folder(test_a_huge_folder_streams_and_memory_is_bounded),
        with_folder(test_a_listing_that_nobody_reads_on_is_closed),
        cmocka_unit_test(test_few_names_may_be_kept),
        cmocka_unit_test(test_the_listings_that_a_walk_will_want_are_fetched_ahead),
        cmocka_unit_test(test_fetching_ahead_stops_when_it_is_not_used),
        cmocka_unit_test(test_a_single_listing_fetches_nothing_ahead),
        cmocka_unit_test(test_folders_that_stand_before_the_walk_are_listed_ahead_too),
        cmocka_unit_test(test_one_name_asked_for_again_and_again_is_no_reason_to_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

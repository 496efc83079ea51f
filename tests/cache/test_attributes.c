/* What lstat, readlink and fstat are answered from: times to live, absence, own changes, overtaken replies. What is
 * asked of the remote is counted. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include "lib/fake_clock.h"
#include <fcntl.h>
#include <sys/stat.h>

/* A file that was last changed AGE_S seconds ago. */
static void poke_old(struct cache_fixture *fixture, const char *path, int64_t age_s)
{
    const struct cfs_clock *clock = memory_remote_clock(fixture->memory);
    memory_remote_poke_mtime(fixture->memory, path, clock->wall(clock).tv_sec - age_s);
}

static int setup(void **state)
{
    static struct cache_fixture fixture;
    cache_fixture_init(&fixture, NULL);
    memory_remote_poke_mkdir(fixture.memory, "folder");
    memory_remote_poke_file(fixture.memory, "folder/old", "old", 3);
    memory_remote_poke_file(fixture.memory, "folder/young", "young", 5);
    poke_old(&fixture, "folder/old", 1000000);
    poke_old(&fixture, "folder", 1000000);
    poke_old(&fixture, "", 1000000);
    cache_fixture_start(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    cache_fixture_fini(*state);
    return 0;
}

static void advance(struct cache_fixture *fixture, int64_t ms)
{
    memory_remote_advance(fixture->memory, ms);
}

static uint64_t cost_of_lstat(struct cache_fixture *fixture, const char *path, int error)
{
    cache_cost(fixture);
    assert_int_equal(cache_lstat(fixture, path, NULL), error);
    return cache_cost(fixture);
}

static void test_an_old_file_is_asked_for_once_a_minute(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 0);
    advance(fixture, 59999);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 0);
    advance(fixture, 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 1);
}

static void test_a_young_file_is_asked_for_once_a_second(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cost_of_lstat(fixture, "folder/young", 0), 1);
    advance(fixture, 999);
    assert_int_equal(cost_of_lstat(fixture, "folder/young", 0), 0);
    advance(fixture, 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/young", 0), 1);
}

static void test_a_file_that_is_seen_changing_is_young_whatever_its_times_say(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 1);
    memory_remote_poke_append(fixture->memory, "folder/old", "more", 4);
    poke_old(fixture, "folder/old", 1000000);
    advance(fixture, 60000);
    struct cfs_remote_attributes attributes;
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
    assert_int_equal(attributes.size, 7);
    advance(fixture, 1000);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 1);
}

static void test_what_is_known_of_the_root_is_not_asked_for_again(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_attributes attributes;
    (void)state;
    cache_fixture_init(fixture, NULL);
    memory_remote_tell_root(fixture->memory, 1000000);
    cache_fixture_start(fixture);
    cache_cost(fixture);
    assert_int_equal(cache_lstat(fixture, "", &attributes), 0);
    assert_int_equal(attributes.mode, S_IFDIR | 0755);
    assert_int_equal(cache_cost(fixture), 0);
    advance(fixture, 60000);
    assert_int_equal(cost_of_lstat(fixture, "", 0), 1);
    cache_fixture_fini(fixture);
}

static void test_a_fixed_time_to_live_is_obeyed(void **state)
{
    struct cache_fixture f, *fixture = &f;
    (void)state;
    cache_fixture_init(fixture, NULL);
    fixture->options.attr_ttl_ms = 5000;
    memory_remote_poke_file(fixture->memory, "file", "", 0);
    cache_fixture_start(fixture);
    assert_int_equal(cost_of_lstat(fixture, "file", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "none", -ENOENT), 1);
    advance(fixture, 4999);
    assert_int_equal(cost_of_lstat(fixture, "file", 0), 0);
    assert_int_equal(cost_of_lstat(fixture, "none", -ENOENT), 0);
    advance(fixture, 1);
    assert_int_equal(cost_of_lstat(fixture, "file", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "none", -ENOENT), 1);
    cache_fixture_fini(fixture);
}

static void test_without_a_time_to_live_every_call_is_passed_on(void **state)
{
    struct cache_fixture f, *fixture = &f;
    (void)state;
    cache_fixture_init(fixture, NULL);
    fixture->options.attr_ttl_ms = 0;
    memory_remote_poke_file(fixture->memory, "file", "", 0);
    cache_fixture_start(fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cost_of_lstat(fixture, "file", 0), 1);
        assert_int_equal(cost_of_lstat(fixture, "none", -ENOENT), 1);
    }
    cache_fixture_fini(fixture);
}

static void test_absence_lives_a_second_and_up_to_ten_in_an_old_folder(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cost_of_lstat(fixture, "folder/none", -ENOENT), 1);
    advance(fixture, 999);
    assert_int_equal(cost_of_lstat(fixture, "folder/none", -ENOENT), 0);
    advance(fixture, 1);
    assert_int_equal(cost_of_lstat(fixture, "folder", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/none", -ENOENT), 1);
    advance(fixture, 9999);
    assert_int_equal(cost_of_lstat(fixture, "folder/none", -ENOENT), 0);
    advance(fixture, 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/none", -ENOENT), 1);
}

static void test_an_absent_folder_has_no_files(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cost_of_lstat(fixture, "none", -ENOENT), 1);
    assert_int_equal(cost_of_lstat(fixture, "none/file", -ENOENT), 0);
}

static void test_own_changes_are_seen_at_once(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    assert_int_equal(cache_lstat(fixture, "folder/new", NULL), -ENOENT);
    assert_int_equal(cache_create(fixture, "folder/new", "12345"), 0);
    assert_int_equal(cache_lstat(fixture, "folder/new", &attributes), 0);
    assert_int_equal(attributes.size, 5);
    assert_int_equal(cache_rename(fixture, "folder/new", "folder/old", CFS_REMOTE_RENAME_REPLACE), 0);
    assert_int_equal(cache_lstat(fixture, "folder/new", NULL), -ENOENT);
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
    assert_int_equal(attributes.size, 5);
    assert_int_equal(cache_unlink(fixture, "folder/old"), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", -ENOENT), 0);
}

static void test_a_file_written_through_a_handle_is_asked_for(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(fixture, "folder/old", O_RDWR, &file), 0);
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
    assert_int_equal(cache_fstat(fixture, file, &attributes), 0);
    assert_int_equal(cache_write(fixture, file, 3, 4, "more"), 0);
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
    assert_int_equal(attributes.size, 7);
    assert_int_equal(cache_fstat(fixture, file, &attributes), 0);
    assert_int_equal(attributes.size, 7);
    assert_int_equal(cache_close(fixture, file), 0);
}

static void test_fstat_tells_what_the_file_is_now(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(fixture, "folder/old", O_RDWR, &file), 0);
    for (int i = 1; i <= 3; i++) {
        memory_remote_poke_append(fixture->memory, "folder/old", "x", 1);
        assert_int_equal(cache_fstat(fixture, file, &attributes), 0);
        assert_int_equal(attributes.size, 3 + i);
    }
    assert_int_equal(cache_close(fixture, file), 0);
}

static void test_after_a_rename_the_handle_still_changes_the_name(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(fixture, "folder/old", O_RDWR, &file), 0);
    assert_int_equal(cache_rename(fixture, "folder", "moved", CFS_REMOTE_RENAME_NOREPLACE), 0);
    assert_int_equal(cache_lstat(fixture, "moved/old", &attributes), 0);
    assert_int_equal(cache_write(fixture, file, 3, 4, "more"), 0);
    assert_int_equal(cache_lstat(fixture, "moved/old", &attributes), 0);
    assert_int_equal(attributes.size, 7);
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), -ENOENT);
    assert_int_equal(cache_close(fixture, file), 0);
}

static void test_an_open_file_whose_name_went_to_another_keeps_its_own_attributes(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(fixture, "folder/old", O_RDONLY, &file), 0);
    memory_remote_poke_rename(fixture->memory, "folder/young", "folder/old");
    advance(fixture, 60000);
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
    assert_int_equal(attributes.size, 5);
    assert_int_equal(cache_fstat(fixture, file, &attributes), 0);
    assert_int_equal(attributes.size, 3);
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
    assert_int_equal(attributes.size, 5);
    assert_int_equal(cache_close(fixture, file), 0);
}

static void test_two_names_of_one_file_are_always_asked_for(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cache_link(fixture, "folder/old", "folder/twin"), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/twin", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "folder/twin", 0), 1);
}

static void test_set_times_and_modes_are_known_without_asking(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes,
        set = {.valid = CFS_REMOTE_TIMES | CFS_REMOTE_MODE, .mode = 0600, .atime = 1600000000, .mtime = 1600000001};
    assert_int_equal(cache_lstat(fixture, "folder/old", NULL), 0);
    assert_int_equal(cache_setattr(fixture, "folder/old", &set), 0);
    cache_cost(fixture);
    assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
    assert_int_equal(attributes.mtime, 1600000001);
    assert_int_equal(attributes.mode & 07777, 0600);
    assert_int_equal(cache_cost(fixture), 0);
    set = (struct cfs_remote_attributes){.valid = CFS_REMOTE_SIZE, .size = 1};
    assert_int_equal(cache_setattr(fixture, "folder/old", &set), 0);
    assert_int_equal(cost_of_lstat(fixture, "folder/old", 0), 1);
}

static void test_a_folder_is_asked_for_after_a_change_in_it(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes before, after;
    assert_int_equal(cache_lstat(fixture, "folder", &before), 0);
    assert_int_equal(cache_unlink(fixture, "folder/old"), 0);
    assert_int_equal(cache_lstat(fixture, "folder", &after), 0);
    assert_true(after.mtime > before.mtime);
}

static void test_names_in_a_folder_of_our_own_making_are_known_to_be_absent(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cache_mkdir(fixture, "own"), 0);
    assert_int_equal(cost_of_lstat(fixture, "own/file", -ENOENT), 0);
    assert_int_equal(cache_create(fixture, "own/file", "x"), 0);
    assert_int_equal(cost_of_lstat(fixture, "own/file", 0), 1);
    assert_int_equal(cost_of_lstat(fixture, "own/other", -ENOENT), 0);
}

static void create_exclusively(struct cache_fixture *fixture, const char *path)
{
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(fixture, path, O_RDWR | O_CREAT | O_EXCL, &file), 0);
    assert_int_equal(cache_close(fixture, file), 0);
}

/* rsync makes the folders first, and comes back to fill them. */
static void test_a_tree_of_our_own_making_is_known_while_it_is_being_filled(void **state)
{
    struct cache_fixture *fixture = *state;
    char path[32];
    assert_int_equal(cache_mkdir(fixture, "own"), 0);
    assert_int_equal(cache_mkdir(fixture, "own/a"), 0);
    assert_int_equal(cache_mkdir(fixture, "own/b"), 0);
    for (int i = 0; i < 12; i++) {
        snprintf(path, sizeof(path), "own/a/%d", i);
        create_exclusively(fixture, path);
        snprintf(path, sizeof(path), "own/b/none%d", i);
        assert_int_equal(cost_of_lstat(fixture, path, -ENOENT), 0);
        memory_remote_advance(fixture->memory, 5000);
    }
    /* A minute: the server may have other plans with it by now. */
    assert_int_equal(cost_of_lstat(fixture, "own/b/later", -ENOENT), 1);
}

static void test_a_tree_of_our_own_making_is_asked_for_when_nobody_fills_it(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cache_mkdir(fixture, "own"), 0);
    assert_int_equal(cache_mkdir(fixture, "own/a"), 0);
    assert_int_equal(cache_mkdir(fixture, "own/b"), 0);
    create_exclusively(fixture, "own/a/file");
    memory_remote_advance(fixture->memory, 9000);
    assert_int_equal(cost_of_lstat(fixture, "own/b/none", -ENOENT), 0);
    memory_remote_advance(fixture->memory, 2000);
    assert_int_equal(cost_of_lstat(fixture, "own/b/other", -ENOENT), 1);
    /* Folders alone may have been made for the server's side. */
    assert_int_equal(cache_mkdir(fixture, "for"), 0);
    assert_int_equal(cache_mkdir(fixture, "for/server"), 0);
    memory_remote_advance(fixture->memory, 3000);
    memory_remote_poke_file(fixture->memory, "for/server/result", "x", 1);
    assert_int_equal(cost_of_lstat(fixture, "for/server/result", 0), 1);
}

static void test_a_reply_that_a_change_overtook_is_not_kept(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call call;
    cache_call_init(&call);
    memory_remote_hold(fixture->memory, MEMORY_LSTAT);
    fixture->operations->lstat(fixture->cache, &call.call, "folder/old");
    assert_int_equal(cache_unlink(fixture, "folder/old"), 0);
    /* Another program makes it again, the held look sees that one; our own knowledge is younger. */
    memory_remote_release(fixture->memory, MEMORY_LSTAT);
    assert_int_equal(cache_wait(fixture, &call), -ENOENT);
    assert_true(call.call.result.attributes.keep_ms == CFS_REMOTE_KEEP_NOT);
    cache_call_fini(&call);
}

static void test_a_late_reply_does_not_bring_a_removed_file_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct memory_remote_options options = {.seed = seed, .latency_ms = 10, .jitter_ms = 40};
        struct cache_fixture f, *fixture = &f;
        struct cache_call look, removal;
        cache_fixture_init(fixture, &options);
        memory_remote_poke_file(fixture->memory, "file", "x", 1);
        cache_fixture_start(fixture);
        cache_call_init(&look);
        cache_call_init(&removal);
        fixture->operations->lstat(fixture->cache, &look.call, "file");
        fixture->operations->unlink(fixture->cache, &removal.call, "file");
        assert_int_equal(cache_wait(fixture, &removal), 0);
        cache_run(fixture);
        assert_int_equal(look.completed, 1);
        assert_int_equal(cache_lstat(fixture, "file", NULL), -ENOENT);
        cache_call_fini(&look);
        cache_call_fini(&removal);
        cache_fixture_fini(fixture);
    }
}

static void test_after_an_unknown_outcome_the_name_is_asked_for(void **state)
{
    struct cache_fixture *fixture = *state;
    assert_int_equal(cache_lstat(fixture, "folder/old", NULL), 0);
    memory_remote_fail_after(fixture->memory, MEMORY_UNLINK, 1, -ETIMEDOUT);
    assert_int_equal(cache_unlink(fixture, "folder/old"), -ETIMEDOUT);
    assert_int_equal(cache_lstat(fixture, "folder/old", NULL), -ENOENT);
    memory_remote_fail_after(fixture->memory, MEMORY_RENAME, 1, -EIO);
    assert_int_equal(cache_rename(fixture, "folder/young", "folder/old", CFS_REMOTE_RENAME_REPLACE), -EIO);
    assert_int_equal(cache_lstat(fixture, "folder/old", NULL), 0);
    assert_int_equal(cache_lstat(fixture, "folder/young", NULL), -ENOENT);
}

static void test_open_shows_what_is_there_now(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    for (int i = 1; i <= 20; i++) { /* with and without attributes in the reply */
        struct cfs_remote_file *file;
        assert_int_equal(cache_lstat(fixture, "folder/old", NULL), 0);
        memory_remote_poke_append(fixture->memory, "folder/old", "x", 1);
        assert_int_equal(cache_open(fixture, "folder/old", O_RDONLY, &file), 0);
        assert_int_equal(cache_fstat(fixture, file, &attributes), 0);
        assert_int_equal(attributes.size, 3 + i);
        assert_int_equal(cache_lstat(fixture, "folder/old", &attributes), 0);
        assert_int_equal(attributes.size, 3 + i);
        assert_int_equal(cache_close(fixture, file), 0);
    }
}

static void test_link_targets_are_kept(void **state)
{
    struct cache_fixture *fixture = *state;
    char target[64];
    memory_remote_poke_symlink(fixture->memory, "target", "link");
    advance(fixture, 100000);
    assert_int_equal(cache_lstat(fixture, "link", NULL), 0);
    assert_int_equal(cache_readlink(fixture, "link", target, sizeof(target)), 0);
    cache_cost(fixture);
    assert_int_equal(cache_readlink(fixture, "link", target, sizeof(target)), 0);
    assert_string_equal(target, "target");
    assert_int_equal(cache_cost(fixture), 0);
    assert_int_equal(cache_unlink(fixture, "link"), 0);
    assert_int_equal(cache_symlink(fixture, "other", "link"), 0);
    assert_int_equal(cache_readlink(fixture, "link", target, sizeof(target)), 0);
    assert_string_equal(target, "other");
}

static void test_the_caller_is_told_how_long_it_may_keep_an_answer(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call call;
    uint32_t first = 60000;
    for (int i = 0; i < 2; i++) {
        cache_call_init(&call);
        fixture->operations->lstat(fixture->cache, &call.call, "folder/old");
        assert_int_equal(cache_wait(fixture, &call), 0);
        assert_int_equal(call.call.result.attributes.keep_ms, first - 1000 * (uint32_t)i);
        advance(fixture, 1000);
    }
    cache_call_init(&call);
    fixture->operations->lstat(fixture->cache, &call.call, "folder/none");
    assert_int_equal(cache_wait(fixture, &call), -ENOENT);
    assert_int_equal(call.call.result.attributes.keep_ms, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_old_file_is_asked_for_once_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_young_file_is_asked_for_once_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_seen_changing_is_young_whatever_its_times_say, setup,
                                        teardown),
        cmocka_unit_test(test_what_is_known_of_the_root_is_not_asked_for_again),
        cmocka_unit_test(test_a_fixed_time_to_live_is_obeyed),
        cmocka_unit_test(test_without_a_time_to_live_every_call_is_passed_on),
        cmocka_unit_test_setup_teardown(test_absence_lives_a_second_and_up_to_ten_in_an_old_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_absent_folder_has_no_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_changes_are_seen_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_written_through_a_handle_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fstat_tells_what_the_file_is_now, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_a_rename_the_handle_still_changes_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_open_file_whose_name_went_to_another_keeps_its_own_attributes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_two_names_of_one_file_are_always_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_times_and_modes_are_known_without_asking, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_is_asked_for_after_a_change_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_in_a_folder_of_our_own_making_are_known_to_be_absent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_tree_of_our_own_making_is_known_while_it_is_being_filled, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_tree_of_our_own_making_is_asked_for_when_nobody_fills_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_reply_that_a_change_overtook_is_not_kept, setup, teardown),
        cmocka_unit_test(test_a_late_reply_does_not_bring_a_removed_file_back),
        cmocka_unit_test_setup_teardown(test_after_an_unknown_outcome_the_name_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_shows_what_is_there_now, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_targets_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_caller_is_told_how_long_it_may_keep_an_answer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

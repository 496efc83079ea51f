/* Blocks: what is found, what is thrown out first, and what may not be touched. */
#include "lib/test.h"

#include "cache/blocks.h"

static unsigned emptied;

static void on_emptied(struct cfs_block_owner *owner)
{
    (void)owner;
    emptied++;
}

struct fixture {
    struct cfs_blocks blocks;
    struct cfs_block_owner file, other;
};

static void init(struct fixture *fixture, uint64_t blocks)
{
    emptied = 0;
    assert_int_equal(cfs_blocks_init(&fixture->blocks, blocks * CFS_BLOCK_SIZE), 0);
    cfs_block_owner_init(&fixture->file, on_emptied);
    cfs_block_owner_init(&fixture->other, on_emptied);
}

static void fini(struct fixture *fixture)
{
    cfs_blocks_drop(&fixture->blocks, &fixture->file, 0, UINT64_MAX);
    cfs_blocks_drop(&fixture->blocks, &fixture->other, 0, UINT64_MAX);
    assert_int_equal(fixture->blocks.bytes, 0);
    assert_int_equal(fixture->blocks.kept_bytes, 0);
    assert_int_equal(fixture->blocks.table.count, 0);
    cfs_blocks_fini(&fixture->blocks);
}

/* A whole block is fetched and read. */
static void scan(struct fixture *fixture, struct cfs_block_owner *owner, uint64_t index)
{
    struct cfs_block *block = cfs_blocks_make(&fixture->blocks, owner, index, CFS_BLOCK_PAGES);
    assert_non_null(block);
    block->valid = UINT32_MAX;
    for (uint32_t page = 0; page < CFS_BLOCK_PAGES; page++)
        cfs_blocks_read(&fixture->blocks, block, cfs_block_mask(page, 1));
    cfs_blocks_trim(&fixture->blocks);
}

static void test_blocks_are_found_by_file_and_index(void **state)
{
    struct fixture fixture;
    init(&fixture, 8);
    scan(&fixture, &fixture.file, 3);
    assert_non_null(cfs_blocks_find(&fixture.blocks, &fixture.file, 3));
    assert_null(cfs_blocks_find(&fixture.blocks, &fixture.file, 4));
    assert_null(cfs_blocks_find(&fixture.blocks, &fixture.other, 3));
    fini(&fixture);
    assert_int_equal(emptied, 1);
}

static void test_the_least_recently_used_goes_first_and_the_budget_holds(void **state)
{
    struct fixture fixture;
    init(&fixture, 4);
    for (uint64_t i = 0; i < 6; i++)
        scan(&fixture, &fixture.file, i);
    assert_int_equal(fixture.blocks.bytes, 4 * CFS_BLOCK_SIZE);
    assert_null(cfs_blocks_find(&fixture.blocks, &fixture.file, 1));
    assert_non_null(cfs_blocks_find(&fixture.blocks, &fixture.file, 2));
    fini(&fixture);
}

static void test_a_large_scan_throws_out_nothing_that_is_used_again(void **state)
{
    struct fixture fixture;
    init(&fixture, 20);
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 10; i++)
            scan(&fixture, &fixture.file, i);
    for (uint64_t i = 0; i < 1000; i++)
        scan(&fixture, &fixture.other, i);
    for (uint64_t i = 0; i < 10; i++)
        assert_non_null(cfs_blocks_find(&fixture.blocks, &fixture.file, i));
    fini(&fixture);
}

static void test_what_was_used_again_long_ago_goes_in_the_end(void **state)
{
    struct fixture fixture;
    init(&fixture, 20);
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 15; i++)
            scan(&fixture, &fixture.file, i);
    for (int round = 0; round < 3; round++)
        for (uint64_t i = 0; i < 15; i++)
            for (int twice = 0; twice < 2; twice++)
                scan(&fixture, &fixture.other, i);
    for (uint64_t i = 0; i < 15; i++)
        assert_non_null(cfs_blocks_find(&fixture.blocks, &fixture.other, i));
    assert_true(fixture.file.count <= 5);
    fini(&fixture);
}

static void test_pages_on_their_way_stay_and_are_spoiled_when_forgotten(void **state)
{
    struct fixture fixture;
    init(&fixture, 1);
    struct cfs_block *block = cfs_blocks_make(&fixture.blocks, &fixture.file, 0, 4);
    block->fetching = cfs_block_mask(0, 2);
    block->valid = cfs_block_mask(2, 2);
    assert_null(cfs_blocks_make(&fixture.blocks, &fixture.file, 0, CFS_BLOCK_PAGES)); /* it cannot be moved */
    for (uint64_t i = 1; i < 4; i++)
        scan(&fixture, &fixture.file, i);
    cfs_blocks_drop(&fixture.blocks, &fixture.file, CFS_PAGE_SIZE, UINT64_MAX);
    assert_ptr_equal(cfs_blocks_find(&fixture.blocks, &fixture.file, 0), block);
    assert_int_equal(block->valid, 0);
    assert_int_equal(block->spoiled, cfs_block_mask(1, 1));
    block->fetching = block->spoiled = 0;
    assert_ptr_equal(cfs_blocks_make(&fixture.blocks, &fixture.file, 0, CFS_BLOCK_PAGES), block);
    assert_int_equal(block->pages, CFS_BLOCK_PAGES);
    fini(&fixture);
}

static void test_small_blocks_cost_what_they_hold_and_unread_prefetches_are_counted(void **state)
{
    struct fixture fixture;
    init(&fixture, 1);
    struct cfs_block *block = cfs_blocks_make(&fixture.blocks, &fixture.file, 0, 3);
    assert_int_equal(fixture.blocks.bytes, 4 * CFS_PAGE_SIZE);
    block->valid = block->prefetched = 7;
    cfs_blocks_read(&fixture.blocks, block, 1);
    cfs_blocks_drop(&fixture.blocks, &fixture.file, 0, UINT64_MAX);
    assert_int_equal(fixture.blocks.wasted, 0); /* dropped, because it was wrong */
    scan(&fixture, &fixture.file, 1);
    block = cfs_blocks_make(&fixture.blocks, &fixture.file, 2, 3);
    block->valid = block->prefetched = 7;
    scan(&fixture, &fixture.file, 3);
    assert_int_equal(fixture.blocks.wasted, 3 * CFS_PAGE_SIZE);
    fini(&fixture);
}

static void test_the_memory_of_whole_blocks_is_kept_for_the_next_ones(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 16);
    for (uint64_t i = 0; i < 100; i++) {
        scan(&fixture, &fixture.file, i);
        cfs_blocks_trim(&fixture.blocks);
    }
    assert_in_range(fixture.blocks.spares, 0, fixture.blocks.most_spares);
    cfs_blocks_drop(&fixture.blocks, &fixture.file, 0, UINT64_MAX);
    assert_int_equal(fixture.blocks.spares, fixture.blocks.most_spares);
    assert_int_equal(fixture.blocks.most_spares, 2); /* an eighth of the budget */
    /* A block that has grown takes one, too, with what it has. */
    struct cfs_block *block = cfs_blocks_make(&fixture.blocks, &fixture.file, 0, 1);
    memset(block->data, 7, CFS_PAGE_SIZE);
    assert_ptr_equal(cfs_blocks_make(&fixture.blocks, &fixture.file, 0, CFS_BLOCK_PAGES), block);
    assert_int_equal(fixture.blocks.spares, 1);
    for (size_t i = 0; i < CFS_PAGE_SIZE; i++)
        assert_int_equal(block->data[i], 7);
    block->valid = 1;
    fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_found_by_file_and_index),
        cmocka_unit_test(test_the_least_recently_used_goes_first_and_the_budget_holds),
        cmocka_unit_test(test_a_large_scan_throws_out_nothing_that_is_used_again),
        cmocka_unit_test(test_what_was_used_again_long_ago_goes_in_the_end),
        cmocka_unit_test(test_pages_on_their_way_stay_and_are_spoiled_when_forgotten),
        cmocka_unit_test(test_small_blocks_cost_what_they_hold_and_unread_prefetches_are_counted),
        cmocka_unit_test(test_the_memory_of_whole_blocks_is_kept_for_the_next_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

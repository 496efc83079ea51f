/* Dirty extents, against an array of bytes. */
#include "lib/test.h"

#include "cache/extents.h"
#include <stdio.h>
#include <stdlib.h>

enum { SPACE = 4000, LIMIT = 100 };

struct model {
    struct cfs_extents extents;
    int bytes[SPACE]; /* -1: not there */
    size_t count;
};

static void init(struct model *model)
{
    cfs_extents_init(&model->extents, sizeof(struct cfs_extent), LIMIT);
    for (int i = 0; i < SPACE; i++)
        model->bytes[i] = -1;
    model->count = 0;
}

static void write_bytes(struct model *model, uint64_t offset, size_t length, uint8_t value, uint64_t number)
{
    uint8_t data[SPACE];
    size_t added, before = model->count;
    for (size_t i = 0; i < length; i++) {
        data[i] = (uint8_t)(value + i);
        model->count += model->bytes[offset + i] < 0;
        model->bytes[offset + i] = data[i];
    }
    assert_int_equal(cfs_extents_write(&model->extents, offset, length, data, NULL, number, &added), 0);
    assert_int_equal(added, model->count - before);
}

static void check(const struct model *model)
{
    size_t total = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < model->extents.count; i++) {
        const struct cfs_extent *extent = model->extents.of[i];
        assert_true(extent->length > 0 && extent->length <= LIMIT && extent->capacity <= LIMIT);
        assert_true(extent->offset >= end);
        end = cfs_extent_end(extent);
        for (size_t j = 0; j < extent->length; j++)
            assert_int_equal(extent->data[j], model->bytes[extent->offset + j]);
        total += extent->length;
    }
    assert_int_equal(total, model->count);
}

static void take(struct model *model, size_t place)
{
    struct cfs_extent *extent = cfs_extents_take(&model->extents, place);
    for (size_t i = 0; i < extent->length; i++)
        model->bytes[extent->offset + i] = -1;
    model->count -= extent->length;
    cfs_extent_free(extent);
}

static void test_small_writes_become_extents_of_full_size(void **state)
{
    struct model model;
    init(&model);
    for (unsigned i = 0; i < 50; i++)
        write_bytes(&model, i * 7, 7, (uint8_t)i, i + 1);
    assert_int_equal(model.extents.count, 4);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(model.extents.of[i]->length, LIMIT);
    assert_int_equal(model.extents.of[0]->first_written, 1);
    check(&model);
    cfs_extents_fini(&model.extents);
}

static void test_what_is_written_again_is_replaced(void **state)
{
    struct model model;
    init(&model);
    write_bytes(&model, 100, 50, 1, 1);
    write_bytes(&model, 120, 10, 200, 2);
    write_bytes(&model, 90, 70, 77, 3);
    check(&model);
    assert_int_equal(model.count, 70);
    assert_int_equal(cfs_extents_find(&model.extents, 0), 0);
    assert_int_equal(cfs_extents_find(&model.extents, 160), model.extents.count);
    cfs_extents_fini(&model.extents);
}

static void test_random_writes_match_a_plain_array(void **state)
{
    const char *given = getenv("CLUSTERFS_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 1;
    struct model model;
    init(&model);
    printf("seed %u\n", seed);
    srandom(seed);
    for (unsigned i = 1; i < 20000; i++) {
        size_t length = 1 + (size_t)random() % (random() % 4 ? 20 : 300);
        if (random() % 8 == 0 && model.extents.count)
            take(&model, (size_t)random() % model.extents.count);
        write_bytes(&model, (uint64_t)random() % (SPACE - length), length, (uint8_t)random(), i);
        if (i % 16 == 0)
            check(&model);
    }
    cfs_extents_fini(&model.extents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_writes_become_extents_of_full_size),
        cmocka_unit_test(test_what_is_written_again_is_replaced),
        cmocka_unit_test(test_random_writes_match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

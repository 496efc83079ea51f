/* The hash table, and the list beside it. */
#include "lib/test.h"

#include "base/hash.h"
#include "base/list.h"

enum { MANY = 20000 };

struct entry {
    struct cfs_hash_link link;
    uint64_t key;
    bool seen;
};

static bool has_key(const struct cfs_hash_link *link, const void *key)
{
    return cfs_container_of(link, const struct entry, link)->key == *(const uint64_t *)key;
}

static struct entry *find(const struct cfs_hash *table, uint64_t key)
{
    struct cfs_hash_link *link = cfs_hash_find(table, cfs_hash_number(key), has_key, &key);
    return link ? cfs_container_of(link, struct entry, link) : NULL;
}

/* The vectors of the reference implementation (vectors_sip64), key 00 01 .. 0f, input 00 01 ... */
static void siphash_is_siphash(void **state)
{
    static const struct {
        size_t length;
        uint64_t hash;
    } vectors[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
        {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
    };
    uint8_t input[16];
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    for (size_t i = 0; i < CFS_COUNT(vectors); i++) {
        uint64_t hash = cfs_siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, input, vectors[i].length);
        assert_true(hash == vectors[i].hash);
    }
}

static void a_hash_is_the_same_within_a_process(void **state)
{
    assert_true(cfs_hash_bytes("name", 4) == cfs_hash_bytes("name", 4));
    assert_true(cfs_hash_bytes("name", 4) != cfs_hash_bytes("name", 3));
    assert_true(cfs_hash_number(1) != cfs_hash_number(2));
}

static void thousands_are_found_and_removed(void **state)
{
    struct cfs_hash table;
    struct entry *entries = calloc(MANY, sizeof(*entries));
    assert_non_null(entries);
    assert_int_equal(cfs_hash_init(&table), 0);
    for (uint64_t i = 0; i < MANY; i++) {
        entries[i].key = i * 3;
        cfs_hash_insert(&table, cfs_hash_number(i * 3), &entries[i].link);
    }
    assert_int_equal(table.count, MANY);
    assert_true(table.bucket_count >= MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_ptr_equal(find(&table, i * 3), &entries[i]);
        assert_null(find(&table, i * 3 + 1));
    }
    for (uint64_t i = 0; i < MANY; i += 2)
        cfs_hash_remove(&table, &entries[i].link);
    assert_int_equal(table.count, MANY / 2);
    for (uint64_t i = 0; i < MANY; i++)
        assert_ptr_equal(find(&table, i * 3), i % 2 ? &entries[i] : NULL);
    cfs_hash_fini(&table);
    free(entries);
}

static void equal_hashes_are_told_apart_by_the_key(void **state)
{
    struct cfs_hash table;
    struct entry entries[50] = {{.key = 0}};
    assert_int_equal(cfs_hash_init(&table), 0);
    for (uint64_t i = 0; i < CFS_COUNT(entries); i++) {
        entries[i].key = i;
        cfs_hash_insert(&table, 4711, &entries[i].link);
    }
    cfs_hash_remove(&table, &entries[20].link);
    for (uint64_t i = 0; i < CFS_COUNT(entries); i++)
        assert_ptr_equal(cfs_hash_find(&table, 4711, has_key, &i), i == 20 ? NULL : &entries[i].link);
    uint64_t key = 1;
    assert_null(cfs_hash_find(&table, 4711 + table.bucket_count, has_key, &key)); /* the same chain, another hash */
    cfs_hash_fini(&table);
}

static void mark_and_remove_odd(struct cfs_hash_link *link, void *context)
{
    struct entry *entry = cfs_container_of(link, struct entry, link);
    assert_false(entry->seen);
    entry->seen = true;
    if (entry->key % 2)
        cfs_hash_remove(context, link);
}

static void each_visits_all_once_and_may_remove(void **state)
{
    struct cfs_hash table;
    struct entry *entries = calloc(MANY, sizeof(*entries));
    assert_non_null(entries);
    assert_int_equal(cfs_hash_init(&table), 0);
    for (uint64_t i = 0; i < MANY; i++) {
        entries[i].key = i;
        cfs_hash_insert(&table, cfs_hash_number(i), &entries[i].link);
    }
    cfs_hash_each(&table, mark_and_remove_odd, &table);
    assert_int_equal(table.count, MANY / 2);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_true(entries[i].seen);
        assert_ptr_equal(find(&table, i), i % 2 ? NULL : &entries[i]);
    }
    cfs_hash_fini(&table);
    free(entries);
}

static void free_entry(struct cfs_hash_link *link, void *context)
{
    ++*(unsigned *)context;
    free(cfs_container_of(link, struct entry, link));
}

static void each_may_free_what_it_visits(void **state)
{
    struct cfs_hash table;
    unsigned freed = 0;
    assert_int_equal(cfs_hash_init(&table), 0);
    for (uint64_t i = 0; i < MANY; i++) {
        struct entry *entry = calloc(1, sizeof(*entry));
        assert_non_null(entry);
        cfs_hash_insert(&table, cfs_hash_number(i), &entry->link);
    }
    cfs_hash_each(&table, free_entry, &freed);
    assert_int_equal(freed, MANY);
    cfs_hash_fini(&table);
}

struct item {
    int number;
    struct cfs_list link;
};

static void assert_numbers(const struct cfs_list *list, const char *expected)
{
    char numbers[32] = "";
    const struct cfs_list *link;
    cfs_list_each (link, list) {
        size_t length = strlen(numbers);
        snprintf(numbers + length, sizeof(numbers) - length, "%d",
                 cfs_container_of(link, const struct item, link)->number);
    }
    assert_string_equal(numbers, expected);
}

static void a_list_keeps_its_order(void **state)
{
    struct item items[6];
    struct cfs_list a, b, *link, *following;
    cfs_list_init(&a);
    cfs_list_init(&b);
    for (int i = 0; i < 6; i++) {
        items[i].number = i;
        cfs_list_push_back(i < 3 ? &a : &b, &items[i].link);
    }
    cfs_list_splice(&a, &b);
    assert_numbers(&a, "012345");
    assert_true(cfs_list_empty(&b));
    cfs_list_splice(&a, &b);
    assert_numbers(&a, "012345");
    cfs_list_remove(&items[3].link);
    cfs_list_remove(&items[3].link); /* no harm */
    cfs_list_push_front(&a, &items[3].link);
    assert_numbers(&a, "301245");
    assert_ptr_equal(cfs_list_first(&a, struct item, link), &items[3]);
    cfs_list_each_safe (link, following, &a) {
        if (cfs_container_of(link, struct item, link)->number % 2)
            cfs_list_remove(link);
    }
    assert_numbers(&a, "024");
    assert_ptr_equal(cfs_list_pop_front(&a), &items[0].link);
    assert_numbers(&a, "24");
    assert_null(cfs_list_pop_front(&b));
    assert_null(cfs_list_first(&b, struct item, link));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_is_siphash),
        cmocka_unit_test(a_hash_is_the_same_within_a_process),
        cmocka_unit_test(thousands_are_found_and_removed),
        cmocka_unit_test(equal_hashes_are_told_apart_by_the_key),
        cmocka_unit_test(each_visits_all_once_and_may_remove),
        cmocka_unit_test(each_may_free_what_it_visits),
        cmocka_unit_test(a_list_keeps_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

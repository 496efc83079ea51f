/* Readers and buffers: bounds, failure that stays, and that a secret is wiped. */
#include "lib/test.h"

#include "base/bytes.h"

static void a_reader_reads_network_order(void **state)
{
    static const uint8_t bytes[] = {7, 0, 0, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 3, 'a', 'b', 'c', 9};
    struct cfs_reader reader = cfs_reader_over(bytes, sizeof(bytes));
    size_t length = 0;
    assert_int_equal(cfs_read_u8(&reader), 7);
    assert_int_equal(cfs_read_u32(&reader), 0x102);
    assert_true(cfs_read_u64(&reader) == 0x0102030405060708);
    const uint8_t *text = cfs_read_string(&reader, &length);
    assert_int_equal(length, 3);
    assert_memory_equal(text, "abc", 3);
    assert_ptr_equal(cfs_read_bytes(&reader, 1), &bytes[sizeof(bytes) - 1]);
    assert_int_equal(reader.left, 0);
    assert_false(reader.failed);
}

static void a_failed_reader_gives_zero_for_ever(void **state)
{
    static const uint8_t bytes[] = {0, 0, 1};
    struct cfs_reader reader = cfs_reader_over(bytes, sizeof(bytes));
    size_t length = 99;
    assert_int_equal(cfs_read_u32(&reader), 0);
    assert_true(reader.failed);
    /* There were three bytes, but nothing that follows a failure can be trusted. */
    assert_int_equal(cfs_read_u8(&reader), 0);
    assert_true(cfs_read_u64(&reader) == 0);
    assert_null(cfs_read_bytes(&reader, 0));
    assert_null(cfs_read_string(&reader, &length));
    assert_int_equal(length, 0);
}

static void a_string_longer_than_its_packet_is_refused(void **state)
{
    static const uint32_t claims[] = {4, 5, 0x7fffffff, 0x80000000, 0xfffffffb, 0xffffffff};
    for (size_t i = 0; i < CFS_COUNT(claims); i++) {
        struct cfs_buffer buffer CFS_AUTO_BUFFER;
        cfs_buffer_init(&buffer);
        cfs_buffer_add_u32(&buffer, claims[i]);
        cfs_buffer_add(&buffer, "abc", 3);
        struct cfs_reader reader = cfs_reader_over(buffer.bytes, buffer.length);
        size_t length = 99;
        assert_null(cfs_read_string(&reader, &length));
        assert_int_equal(length, 0);
        assert_true(reader.failed);
    }
}

static void an_empty_string_is_no_failure(void **state)
{
    static const uint8_t bytes[4];
    struct cfs_reader reader = cfs_reader_over(bytes, sizeof(bytes));
    size_t length = 99;
    assert_non_null(cfs_read_string(&reader, &length));
    assert_int_equal(length, 0);
    assert_false(reader.failed);
    reader = cfs_reader_over(NULL, 0);
    assert_non_null(cfs_read_bytes(&reader, 0));
    assert_false(reader.failed);
    assert_int_equal(cfs_read_u8(&reader), 0);
    assert_true(reader.failed);
}

static void what_a_buffer_takes_a_reader_gives(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER;
    cfs_buffer_init(&buffer);
    for (uint32_t i = 0; i < 1000; i++) {
        cfs_buffer_add_u8(&buffer, (uint8_t)i);
        cfs_buffer_add_u32(&buffer, i * 0x1000193);
        cfs_buffer_add_u64(&buffer, i * 0x100000001b3);
        cfs_buffer_add_string(&buffer, "string", i % 7);
        cfs_buffer_add_text(&buffer, "text");
        assert_true(buffer.length <= buffer.capacity);
    }
    assert_false(buffer.failed);
    struct cfs_reader reader = cfs_reader_over(buffer.bytes, buffer.length);
    for (uint32_t i = 0; i < 1000; i++) {
        size_t length = 0;
        assert_int_equal(cfs_read_u8(&reader), (uint8_t)i);
        assert_int_equal(cfs_read_u32(&reader), i * 0x1000193);
        assert_true(cfs_read_u64(&reader) == i * 0x100000001b3);
        assert_memory_equal(cfs_read_string(&reader, &length), "string", i % 7);
        assert_int_equal(length, i % 7);
        assert_memory_equal(cfs_read_string(&reader, &length), "text", 4);
        assert_int_equal(length, 4);
    }
    assert_false(reader.failed);
    assert_int_equal(reader.left, 0);
}

static void a_length_can_be_set_afterwards_within_the_buffer_only(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER;
    cfs_buffer_init(&buffer);
    cfs_buffer_add_u8(&buffer, 1);
    cfs_buffer_add_u32(&buffer, 0);
    cfs_buffer_set_u32(&buffer, 1, 0xa0b0c0d0);
    static const uint8_t expected[] = {1, 0xa0, 0xb0, 0xc0, 0xd0};
    assert_int_equal(buffer.length, sizeof(expected));
    assert_memory_equal(buffer.bytes, expected, sizeof(expected));
    cfs_buffer_set_u32(&buffer, 2, 0);
    assert_true(buffer.failed);
    cfs_buffer_clear(&buffer);
    assert_false(buffer.failed);
    cfs_buffer_set_u32(&buffer, 0, 0);
    assert_true(buffer.failed);
    cfs_buffer_clear(&buffer);
    cfs_buffer_set_u32(&buffer, SIZE_MAX - 1, 0);
    assert_true(buffer.failed);
}

static void a_buffer_without_memory_fails_and_stays_so(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER;
    cfs_buffer_init(&buffer);
    cfs_buffer_add_text(&buffer, "before");
    size_t length = buffer.length;
    assert_null(cfs_buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer.failed);
    assert_null(cfs_buffer_reserve(&buffer, 1));
    cfs_buffer_add_text(&buffer, "after");
    assert_int_equal(buffer.length, length);
    cfs_buffer_fini(&buffer);
    assert_false(buffer.failed);
    cfs_buffer_add_string(&buffer, "", (size_t)UINT32_MAX + 1); /* does not fit its own length field */
    assert_true(buffer.failed);
}

static void reserved_room_is_the_callers_to_fill(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER;
    cfs_buffer_init(&buffer);
    for (int i = 0; i < 100; i++) {
        uint8_t *room = cfs_buffer_reserve(&buffer, 100);
        assert_non_null(room);
        memset(room, i, 100);
        buffer.length += 50; /* less than reserved */
    }
    assert_int_equal(buffer.length, 5000);
    for (size_t i = 0; i < buffer.length; i++)
        assert_int_equal(buffer.bytes[i], i / 50);
}

static void a_secret_is_wiped_when_it_is_cleared(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&buffer);
    for (int i = 0; i < 100; i++)
        cfs_buffer_add(&buffer, "passphrase", 10); /* grows several times */
    assert_memory_equal(buffer.bytes + 990, "passphrase", 10);
    cfs_buffer_clear(&buffer);
    for (size_t i = 0; i < buffer.capacity; i++)
        assert_int_equal(i < 1000 ? buffer.bytes[i] : 0, 0);
    cfs_buffer_fini(&buffer);
    assert_true(buffer.secret); /* what is added next is a secret too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_reads_network_order),
        cmocka_unit_test(a_failed_reader_gives_zero_for_ever),
        cmocka_unit_test(a_string_longer_than_its_packet_is_refused),
        cmocka_unit_test(an_empty_string_is_no_failure),
        cmocka_unit_test(what_a_buffer_takes_a_reader_gives),
        cmocka_unit_test(a_length_can_be_set_afterwards_within_the_buffer_only),
        cmocka_unit_test(a_buffer_without_memory_fails_and_stays_so),
        cmocka_unit_test(reserved_room_is_the_callers_to_fill),
        cmocka_unit_test(a_secret_is_wiped_when_it_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

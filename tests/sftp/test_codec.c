/* Attributes on the wire. */
#include "lib/test.h"

#include "sftp/attributes.h"

static struct cfs_sftp_attributes round_trip(const struct cfs_sftp_attributes *attributes)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct cfs_sftp_attributes result = {.flags = 0xffff};
    struct cfs_reader reader;

    cfs_sftp_attributes_write(&buffer, attributes);
    assert_false(buffer.failed);
    reader = cfs_reader_over(buffer.bytes, buffer.length);
    cfs_sftp_attributes_read(&reader, &result);
    assert_false(reader.failed);
    assert_int_equal(reader.left, 0);
    return result;
}

static void every_set_of_attributes_survives(void **state)
{
    const struct cfs_sftp_attributes all = {
        .size = 0x123456789abcdef0, .uid = 1000, .gid = 0xffffffff, .permissions = 0100644, .atime = 1, .mtime = 2};

    for (uint32_t flags = 0; flags < 16; flags++) {
        struct cfs_sftp_attributes some = all;
        struct cfs_sftp_attributes result;

        some.flags = flags;
        result = round_trip(&some);
        assert_int_equal(result.flags, flags);
        assert_int_equal(result.size, flags & SSH_FILEXFER_ATTR_SIZE ? all.size : 0);
        assert_int_equal(result.uid, flags & SSH_FILEXFER_ATTR_UIDGID ? all.uid : 0);
        assert_int_equal(result.gid, flags & SSH_FILEXFER_ATTR_UIDGID ? all.gid : 0);
        assert_int_equal(result.permissions, flags & SSH_FILEXFER_ATTR_PERMISSIONS ? all.permissions : 0);
        assert_int_equal(result.atime, flags & SSH_FILEXFER_ATTR_ACMODTIME ? all.atime : 0);
        assert_int_equal(result.mtime, flags & SSH_FILEXFER_ATTR_ACMODTIME ? all.mtime : 0);
    }
}

static void fields_stand_in_the_order_of_the_draft(void **state)
{
    static const uint8_t wire[] = {
        0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0x81, 0xa4, 0, 0, 0, 5, 0, 0, 0, 6,
    };
    struct cfs_reader reader = cfs_reader_over(wire, sizeof(wire));
    struct cfs_sftp_attributes attributes;
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};

    cfs_sftp_attributes_read(&reader, &attributes);
    assert_false(reader.failed);
    assert_int_equal(attributes.size, 256);
    assert_int_equal(attributes.uid, 7);
    assert_int_equal(attributes.gid, 8);
    assert_int_equal(attributes.permissions, 0100644);
    assert_int_equal(attributes.atime, 5);
    assert_int_equal(attributes.mtime, 6);
    cfs_sftp_attributes_write(&buffer, &attributes);
    assert_int_equal(buffer.length, sizeof(wire));
    assert_memory_equal(buffer.bytes, wire, sizeof(wire));
}

static void extended_pairs_are_skipped(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct cfs_sftp_attributes attributes;
    struct cfs_reader reader;

    cfs_buffer_add_u32(&buffer, SSH_FILEXFER_ATTR_EXTENDED | SSH_FILEXFER_ATTR_PERMISSIONS);
    cfs_buffer_add_u32(&buffer, 0755);
    cfs_buffer_add_u32(&buffer, 2);
    for (int i = 0; i < 4; i++)
        cfs_buffer_add_text(&buffer, "a pair's half");
    cfs_buffer_add_u32(&buffer, 4711);
    reader = cfs_reader_over(buffer.bytes, buffer.length);
    cfs_sftp_attributes_read(&reader, &attributes);
    assert_int_equal(attributes.flags, SSH_FILEXFER_ATTR_PERMISSIONS);
    assert_int_equal(cfs_read_u32(&reader), 4711);
    assert_false(reader.failed);
}

static void a_cut_anywhere_fails_and_leaves_the_result_alone(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};

    cfs_buffer_add_u32(&buffer, 15 | SSH_FILEXFER_ATTR_EXTENDED);
    for (int i = 0; i < 7; i++)
        cfs_buffer_add_u32(&buffer, 1);
    cfs_buffer_add_u32(&buffer, 1);
    cfs_buffer_add_text(&buffer, "name");
    cfs_buffer_add_text(&buffer, "data");
    for (size_t length = 0; length < buffer.length; length++) {
        struct cfs_reader reader = cfs_reader_over(buffer.bytes, length);
        struct cfs_sftp_attributes attributes = {.flags = 4711};

        cfs_sftp_attributes_read(&reader, &attributes);
        assert_true(reader.failed);
        assert_int_equal(attributes.flags, 4711);
    }
}

/* The loop over the pairs must end with the packet, not with the count. */
static void a_count_of_four_billion_pairs_ends_at_once(void **state)
{
    static const uint8_t wire[] = {0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0};
    struct cfs_reader reader = cfs_reader_over(wire, sizeof(wire));
    struct cfs_sftp_attributes attributes;

    cfs_sftp_attributes_read(&reader, &attributes);
    assert_true(reader.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_of_attributes_survives),
        cmocka_unit_test(fields_stand_in_the_order_of_the_draft),
        cmocka_unit_test(extended_pairs_are_skipped),
        cmocka_unit_test(a_cut_anywhere_fails_and_leaves_the_result_alone),
        cmocka_unit_test(a_count_of_four_billion_pairs_ends_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The records of a journal: what was written is read again, and nothing else ever is: whatever is torn, damaged or put
 * in another order, what is read is a beginning of what was written, unchanged. */
#include "lib/test.h"

#include "cache/journal_record.h"
#include <stdlib.h>

static const uint64_t KEY = 0x0123456789abcdef;

struct written {
    struct cfs_buffer bytes;
    size_t count;
    size_t begins[16]; /* and where the last one ends */
};

static void add(struct written *written, const struct cfs_journal_record *record, uint64_t synced)
{
    written->count++;
    cfs_journal_write_record(&written->bytes, record, KEY, written->count, synced);
    written->begins[written->count] = written->bytes.length;
}

static struct cfs_journal_record sample(size_t place)
{
    static const uint8_t bytes[] = "some bytes of a file";
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_MODE | CFS_REMOTE_TIMES, .mode = 0640, .mtime = 7};
    const struct cfs_remote_attributes known = {.valid = CFS_REMOTE_SIZE, .size = 21, .uid = 5};
    const struct cfs_journal_record all[] = {
        {.type = CFS_JOURNAL_FOLDER, .number = 1, .path = "folder", .mode = 0755},
        {.type = CFS_JOURNAL_MAKE, .number = 2, .path = "folder/file", .mode = 0644},
        {.type = CFS_JOURNAL_DATA, .number = 3, .offset = 9, .length = sizeof(bytes), .data = bytes},
        {.type = CFS_JOURNAL_FLUSH, .number = 3, .path = "folder/file", .count = 1, .end = 30, .is_new = true},
        {.type = CFS_JOURNAL_SYNCED},
        {.type = CFS_JOURNAL_SET, .number = 4, .path = "folder/file", .set = set, .known = known},
        {.type = CFS_JOURNAL_RENAME,
         .number = 5,
         .path = "folder/file",
         .other = "folder/f2",
         .known_other = known,
         .server_time = -1},
        {.type = CFS_JOURNAL_DONE, .number = 1},
    };
    return all[place % CFS_COUNT(all)];
}

enum { SAMPLES = 8 };

static void write_samples(struct written *written)
{
    *written = (struct written){.count = 0};
    cfs_buffer_init(&written->bytes);
    uint8_t *head = cfs_buffer_reserve(&written->bytes, CFS_JOURNAL_HEAD);
    assert_non_null(head);
    cfs_journal_write_head("user@host:22 /work", KEY, head);
    written->bytes.length += CFS_JOURNAL_HEAD;
    written->begins[0] = CFS_JOURNAL_HEAD;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct cfs_journal_record record = sample(i);
        add(written, &record, i >= 4 ? 4 : 0);
    }
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same(const struct cfs_journal_record *a, const struct cfs_journal_record *b)
{
    return a->type == b->type && a->number == b->number && is_same_text(a->path, b->path) &&
           is_same_text(a->other, b->other) && a->mode == b->mode && a->offset == b->offset && a->length == b->length &&
           (a->length == 0 || memcmp(a->data, b->data, a->length) == 0) && a->count == b->count && a->end == b->end &&
           a->is_new == b->is_new && a->rewrites == b->rewrites && a->server_time == b->server_time &&
           memcmp(&a->set, &b->set, sizeof(a->set)) == 0 && memcmp(&a->known, &b->known, sizeof(a->known)) == 0 &&
           memcmp(&a->known_other, &b->known_other, sizeof(a->known_other)) == 0;
}

/* How many samples are read, all of them right; RET_END: what came then. */
static size_t read_samples(const uint8_t *bytes, size_t length, int *ret_end)
{
    struct cfs_journal_cursor cursor = cfs_journal_begin(bytes, length, KEY);
    struct cfs_journal_record record;
    size_t count = 0;
    int found;
    while ((found = cfs_journal_next(&cursor, &record)) > 0) {
        const struct cfs_journal_record expected = sample(count++);
        assert_true(is_same(&record, &expected));
    }
    cfs_journal_end(&cursor);
    *ret_end = found;
    return count;
}

static void test_what_was_written_is_read(void **state)
{
    struct written written;
    uint64_t key = 0;
    int end;
    write_samples(&written);
    assert_int_equal(cfs_journal_read_head(written.bytes.bytes, written.bytes.length, "user@host:22 /work", &key), 0);
    assert_true(key == KEY);
    assert_int_equal(read_samples(written.bytes.bytes, written.bytes.length, &end), SAMPLES);
    assert_int_equal(end, 0);
    assert_int_equal(cfs_journal_read_head(written.bytes.bytes, written.bytes.length, "user@host:22 /", &key), -EXDEV);
    assert_int_equal(cfs_journal_read_head(written.bytes.bytes, CFS_JOURNAL_HEAD - 1, "user@host:22 /work", &key),
                     -EBADMSG);
    cfs_buffer_fini(&written.bytes);
}

/* An exact copy on the heap, so that the sanitizer sees a read behind the end. */
static void test_a_torn_end_is_the_end(void **state)
{
    struct written written;
    int end;
    write_samples(&written);
    for (size_t length = CFS_JOURNAL_HEAD; length <= written.bytes.length; length++) {
        uint8_t *torn = malloc(length);
        assert_non_null(torn);
        memcpy(torn, written.bytes.bytes, length);
        size_t whole = 0;
        while (whole < SAMPLES && written.begins[whole + 1] <= length + 7) /* the padding may be missing */
            whole++;
        size_t count = read_samples(torn, length, &end);
        assert_int_equal(end, 0);
        assert_in_range(count, whole > 0 ? whole - 1 : 0, whole);
        free(torn);
    }
    cfs_buffer_fini(&written.bytes);
}

static size_t record_at(const struct written *written, size_t place)
{
    size_t record = 0;
    while (written->begins[record + 1] <= place)
        record++;
    return record;
}

static void test_no_flipped_bit_is_believed(void **state)
{
    struct written written;
    uint64_t key;
    int end;
    write_samples(&written);
    for (size_t place = 0; place < written.bytes.length; place++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            written.bytes.bytes[place] ^= (uint8_t)(1 << bit);
            if (place < CFS_JOURNAL_HEAD) {
                assert_int_equal(
                    cfs_journal_read_head(written.bytes.bytes, CFS_JOURNAL_HEAD, "user@host:22 /work", &key), -EBADMSG);
            } else {
                size_t record = record_at(&written, place);
                size_t count = read_samples(written.bytes.bytes, written.bytes.length, &end);
                /* In the padding nothing is lost. */
                assert_true(count == record || count == SAMPLES);
                if (count < 4)
                    assert_int_equal(end, -EBADMSG); /* it was on the disk once */
            }
            written.bytes.bytes[place] ^= (uint8_t)(1 << bit);
        }
    }
    cfs_buffer_fini(&written.bytes);
}

static void test_the_order_counts(void **state)
{
    struct written written;
    int end;
    write_samples(&written);
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t j = 0; j < SAMPLES; j++) {
            struct cfs_buffer mixed;
            cfs_buffer_init(&mixed);
            cfs_buffer_add(&mixed, written.bytes.bytes, written.begins[i]);
            cfs_buffer_add(&mixed, written.bytes.bytes + written.begins[j], written.begins[j + 1] - written.begins[j]);
            assert_false(mixed.failed);
            assert_int_equal(read_samples(mixed.bytes, mixed.length, &end), i == j ? i + 1 : i);
            cfs_buffer_fini(&mixed);
        }
    }
    cfs_buffer_fini(&written.bytes);
}

/* The checksum is right, but we do not write such things. */
static void test_what_makes_no_sense_is_bad(void **state)
{
    static const char *const paths[] = {"", "/absolute", "..", "a/../b", "a//b", "a/", ".", "a/.", "../up"};
    for (size_t i = 0; i < CFS_COUNT(paths); i++) {
        const struct cfs_journal_record record = {.type = CFS_JOURNAL_MAKE, .number = 1, .path = paths[i]};
        struct cfs_journal_record read;
        struct written written;
        write_samples(&written);
        written.bytes.length = CFS_JOURNAL_HEAD;
        written.count = 0;
        add(&written, &record, 0);
        struct cfs_journal_cursor cursor = cfs_journal_begin(written.bytes.bytes, written.bytes.length, KEY);
        assert_int_equal(cfs_journal_next(&cursor, &read), -EBADMSG);
        cfs_journal_end(&cursor);
        cfs_buffer_fini(&written.bytes);
    }
}

static void test_a_length_beyond_all_is_none(void **state)
{
    struct written written;
    int end;
    write_samples(&written);
    memset(written.bytes.bytes + CFS_JOURNAL_HEAD + 4, 0xff, 4);
    assert_int_equal(read_samples(written.bytes.bytes, written.begins[1], &end), 0);
    assert_int_equal(end, 0);
    cfs_buffer_fini(&written.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),   cmocka_unit_test(test_a_torn_end_is_the_end),
        cmocka_unit_test(test_no_flipped_bit_is_believed), cmocka_unit_test(test_the_order_counts),
        cmocka_unit_test(test_what_makes_no_sense_is_bad), cmocka_unit_test(test_a_length_beyond_all_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

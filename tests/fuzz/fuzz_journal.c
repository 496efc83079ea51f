/* A journal as the next mount finds it. With an even first byte the rest is the file itself; with an odd one it is the
 * bodies of records whose checksums are right, each behind two bytes of length. Checked: no memory fault, and what is
 * read leads nowhere out of the mount, and lies in the input. */
#include "cache/journal_record.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void check_path(const char *path)
{
    must(path && *path && *path != '/' && !strstr(path, "//") && strcmp(path, "..") != 0);
    must(strncmp(path, "../", 3) != 0 && !strstr(path, "/../"));
}

static void check(const struct cfs_journal_record *record, const uint8_t *bytes, size_t length)
{
    if (record->type < CFS_JOURNAL_DATA)
        check_path(record->path);
    if (record->type == CFS_JOURNAL_RENAME)
        check_path(record->other);
    if (record->type == CFS_JOURNAL_DATA)
        must(record->data >= bytes && record->length <= length - (size_t)(record->data - bytes));
    must(!(record->set.valid & CFS_REMOTE_SIZE));
}

static void read_records(const uint8_t *bytes, size_t length, uint64_t key)
{
    struct cfs_journal_cursor cursor = cfs_journal_begin(bytes, length, key);
    struct cfs_journal_record record;
    while (cfs_journal_next(&cursor, &record) > 0)
        check(&record, bytes, length);
    must(cursor.next <= length);
    cfs_journal_end(&cursor);
}

static void read_bodies(const uint8_t *data, size_t size)
{
    struct cfs_buffer journal CFS_AUTO_BUFFER;
    cfs_buffer_init(&journal);
    uint8_t *head = cfs_buffer_reserve(&journal, CFS_JOURNAL_HEAD);
    if (!head)
        return;
    cfs_journal_write_head("identity", 1, head);
    journal.length += CFS_JOURNAL_HEAD;
    for (uint64_t sequence = 1; size >= 2; sequence++) {
        size_t length = ((size_t)data[0] << 8) | data[1];
        data += 2;
        size -= 2;
        length = length < size ? length : size;
        cfs_journal_write_body(&journal, data, length, 1, sequence);
        data += length;
        size -= length;
    }
    if (!journal.failed)
        read_records(journal.bytes, journal.length, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t key = 1;
    if (size == 0)
        return 0;
    if (data[0] % 2) {
        read_bodies(data + 1, size - 1);
        return 0;
    }
    if (cfs_journal_read_head(data + 1, size - 1, "identity", &key) < 0)
        key = 1;
    read_records(data + 1, size - 1, key);
    return 0;
}

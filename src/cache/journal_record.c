/* The records of a journal as bytes. A record on the disk:
 *
 *   uint32 magic · uint32 length of the body · uint64 sequence · uint64 synced · uint64 checksum · body · zeros to 8
 *
 * The checksum is SipHash-2-4 under the journal's key of the body, and, as a hash of its own that goes into the key, of
 * the length and both numbers. A body is its type, the change's number, and what the type names, in one fixed order. */
#include "cache/journal_record.h"
#include "base/hash.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { MAGIC = 0x43464a52, RECORD_HEAD = 32, ALIGN = 8, FORMAT = 1, MOST_BODY = CFS_JOURNAL_MOST_DATA + 16384 };
enum { IS_NEW = 1, REWRITES = 2 };

static const char JOURNAL_MAGIC[8] = "CFSJRNL\n";

/* --- the head --- */

static void put_be64(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* magic, version, key, checksum, identity. */
enum { HEAD_KEY = 12, HEAD_SUM = 20, HEAD_IDENTITY = 28 };

static uint64_t sum_of_head(const uint8_t *head)
{
    static const uint8_t none[8];
    uint8_t copy[CFS_JOURNAL_HEAD];
    memcpy(copy, head, sizeof(copy));
    memcpy(copy + HEAD_SUM, none, sizeof(none));
    return cfs_siphash(0x636c757374657266, 0x736a6f75726e616c, copy, sizeof(copy));
}

void cfs_journal_write_head(const char *identity, uint64_t key, uint8_t *ret_head)
{
    size_t length = strlen(identity);
    if (length > CFS_JOURNAL_MOST_IDENTITY)
        length = CFS_JOURNAL_MOST_IDENTITY;
    memset(ret_head, 0, CFS_JOURNAL_HEAD);
    memcpy(ret_head, JOURNAL_MAGIC, sizeof(JOURNAL_MAGIC));
    ret_head[11] = FORMAT;
    put_be64(ret_head + HEAD_KEY, key);
    memcpy(ret_head + HEAD_IDENTITY, identity, length);
    put_be64(ret_head + HEAD_SUM, sum_of_head(ret_head));
}

int cfs_journal_read_head(const uint8_t *bytes, size_t length, const char *identity, uint64_t *ret_key)
{
    if (length < CFS_JOURNAL_HEAD || memcmp(bytes, JOURNAL_MAGIC, sizeof(JOURNAL_MAGIC)) != 0)
        return -EBADMSG;
    struct cfs_reader reader = cfs_reader_over(bytes + sizeof(JOURNAL_MAGIC), HEAD_IDENTITY - sizeof(JOURNAL_MAGIC));
    uint32_t version = cfs_read_u32(&reader);
    uint64_t key = cfs_read_u64(&reader), sum = cfs_read_u64(&reader);
    if (version != FORMAT || sum != sum_of_head(bytes) || bytes[CFS_JOURNAL_HEAD - 1] != 0)
        return -EBADMSG;
    if (strcmp((const char *)bytes + HEAD_IDENTITY, identity) != 0)
        return -EXDEV;
    *ret_key = key;
    return 0;
}

/* --- writing --- */

static void add_attributes(struct cfs_buffer *body, const struct cfs_remote_attributes *attributes)
{
    cfs_buffer_add_u32(body, attributes->valid);
    cfs_buffer_add_u32(body, attributes->mode);
    cfs_buffer_add_u32(body, attributes->uid);
    cfs_buffer_add_u32(body, attributes->gid);
    cfs_buffer_add_u64(body, attributes->size);
    cfs_buffer_add_u64(body, (uint64_t)attributes->atime);
    cfs_buffer_add_u64(body, (uint64_t)attributes->mtime);
}

static void add_body(struct cfs_buffer *body, const struct cfs_journal_record *record)
{
    cfs_buffer_add_u8(body, (uint8_t)record->type);
    cfs_buffer_add_u64(body, record->number);
    if (record->type == CFS_JOURNAL_DONE || record->type == CFS_JOURNAL_SYNCED)
        return;
    if (record->type == CFS_JOURNAL_DATA) {
        cfs_buffer_add_u64(body, record->offset);
        cfs_buffer_add_string(body, record->data, record->length);
        return;
    }
    cfs_buffer_add_text(body, record->path);
    cfs_buffer_add_u32(body, record->mode);
    if (record->type == CFS_JOURNAL_MAKE || record->type == CFS_JOURNAL_FOLDER)
        return;
    add_attributes(body, &record->set);
    add_attributes(body, &record->known);
    cfs_buffer_add_u64(body, (uint64_t)record->server_time);
    if (record->type == CFS_JOURNAL_RENAME) {
        cfs_buffer_add_text(body, record->other);
        add_attributes(body, &record->known_other);
    } else if (record->type == CFS_JOURNAL_FLUSH) {
        cfs_buffer_add_u8(body, (uint8_t)((record->is_new ? IS_NEW : 0) | (record->rewrites ? REWRITES : 0)));
        cfs_buffer_add_u64(body, record->end);
        cfs_buffer_add_u64(body, record->arrived);
        cfs_buffer_add_u32(body, record->count);
    }
}

static uint64_t checksum(uint64_t key, const uint8_t *head, const uint8_t *body, size_t length)
{
    uint64_t of_head = cfs_siphash(key, MAGIC, head, RECORD_HEAD - 8);
    return cfs_siphash(key, of_head, body, length);
}

size_t cfs_journal_size_of(const struct cfs_journal_record *record)
{
    size_t texts = (record->path ? strlen(record->path) : 0) + (record->other ? strlen(record->other) : 0);
    return RECORD_HEAD + 256 + texts + record->length;
}

/* What stands from BEGIN on, a body behind room for its head, becomes a record. */
static void seal(struct cfs_buffer *buffer, size_t begin, uint64_t key, uint64_t sequence, uint64_t synced)
{
    static const uint8_t zeros[ALIGN];
    if (buffer->failed)
        return;
    size_t length = buffer->length - begin - RECORD_HEAD;
    cfs_buffer_set_u32(buffer, begin, MAGIC);
    cfs_buffer_set_u32(buffer, begin + 4, (uint32_t)length);
    uint8_t *head = buffer->bytes + begin;
    put_be64(head + 8, sequence);
    put_be64(head + 16, synced);
    put_be64(head + 24, checksum(key, head, head + RECORD_HEAD, length));
    cfs_buffer_add(buffer, zeros, (ALIGN - length % ALIGN) % ALIGN);
}

static const uint8_t NO_HEAD[RECORD_HEAD];

void cfs_journal_write_record(struct cfs_buffer *buffer, const struct cfs_journal_record *record, uint64_t key,
                              uint64_t sequence, uint64_t synced)
{
    size_t begin = buffer->length;
    cfs_buffer_add(buffer, NO_HEAD, RECORD_HEAD);
    add_body(buffer, record);
    seal(buffer, begin, key, sequence, synced);
}

void cfs_journal_write_body(struct cfs_buffer *buffer, const uint8_t *body, size_t length, uint64_t key,
                            uint64_t sequence)
{
    size_t begin = buffer->length;
    cfs_buffer_add(buffer, NO_HEAD, RECORD_HEAD);
    cfs_buffer_add(buffer, body, length);
    seal(buffer, begin, key, sequence, 0);
}

/* --- reading --- */

struct cfs_journal_cursor cfs_journal_begin(const uint8_t *bytes, size_t length, uint64_t key)
{
    size_t next = length < CFS_JOURNAL_HEAD ? length : CFS_JOURNAL_HEAD;
    return (struct cfs_journal_cursor){.bytes = bytes, .length = length, .next = next, .key = key};
}

void cfs_journal_end(struct cfs_journal_cursor *cursor)
{
    free(CFS_TAKE(cursor->path));
    free(CFS_TAKE(cursor->other));
}

struct found {
    size_t length; /* of the body */
    uint64_t sequence, synced;
};

/* Whether a whole record stands at PLACE. */
static bool find(const struct cfs_journal_cursor *cursor, size_t place, struct found *ret_found)
{
    size_t left = cursor->length - place;
    if (left < RECORD_HEAD)
        return false;
    const uint8_t *head = cursor->bytes + place;
    struct cfs_reader reader = cfs_reader_over(head, RECORD_HEAD);
    uint32_t magic = cfs_read_u32(&reader), length = cfs_read_u32(&reader);
    struct found found = {.length = length};
    found.sequence = cfs_read_u64(&reader);
    found.synced = cfs_read_u64(&reader);
    uint64_t sum = cfs_read_u64(&reader);
    if (magic != MAGIC || length > MOST_BODY || length > left - RECORD_HEAD)
        return false;
    if (sum != checksum(cursor->key, head, head + RECORD_HEAD, length))
        return false;
    *ret_found = found;
    return true;
}

/* Nothing whole stands where the next record should be. If something that comes later says that it was on the disk
 * once, it is damaged. */
static int judge_end(const struct cfs_journal_cursor *cursor)
{
    uint64_t missing = cursor->sequence + 1;
    struct found found;
    for (size_t place = cursor->next; place < cursor->length; place += ALIGN) {
        if (find(cursor, place, &found) && found.synced >= missing)
            return -EBADMSG;
    }
    return 0;
}

static void read_attributes(struct cfs_reader *body, struct cfs_remote_attributes *ret_attributes)
{
    ret_attributes->valid = cfs_read_u32(body);
    ret_attributes->mode = cfs_read_u32(body);
    ret_attributes->uid = cfs_read_u32(body);
    ret_attributes->gid = cfs_read_u32(body);
    ret_attributes->size = cfs_read_u64(body);
    ret_attributes->atime = (int64_t)cfs_read_u64(body);
    ret_attributes->mtime = (int64_t)cfs_read_u64(body);
}

/* A path of the mount (remote.h): nothing in it leads elsewhere. */
static bool is_sane_path(const uint8_t *text, size_t length)
{
    if (length == 0 || length >= PATH_MAX || memchr(text, '\0', length))
        return false;
    for (size_t begin = 0; begin <= length;) {
        const uint8_t *slash = memchr(text + begin, '/', length - begin);
        size_t part = slash ? (size_t)(slash - text) - begin : length - begin;
        bool is_dots = part <= 2 && memcmp(text + begin, "..", part) == 0; /* an empty one, too */
        if (is_dots || part > NAME_MAX)
            return false;
        begin += part + 1;
    }
    return true;
}

static int read_path(struct cfs_reader *body, char **path)
{
    size_t length;
    const uint8_t *text = cfs_read_string(body, &length);
    if (!text || !is_sane_path(text, length))
        return -EBADMSG;
    free(*path);
    *path = strndup((const char *)text, length);
    return *path ? 0 : -ENOMEM;
}

static bool may_be_set(const struct cfs_remote_attributes *set)
{
    return (set->valid & ~(unsigned)(CFS_REMOTE_MODE | CFS_REMOTE_TIMES | CFS_REMOTE_OWNER)) == 0;
}

static int read_data(struct cfs_reader *body, struct cfs_journal_record *record)
{
    record->offset = cfs_read_u64(body);
    record->data = cfs_read_string(body, &record->length);
    bool sane = record->data && record->length <= CFS_JOURNAL_MOST_DATA && record->offset <= INT64_MAX &&
                record->length <= INT64_MAX - record->offset;
    return sane ? 0 : -EBADMSG;
}

static int read_change(struct cfs_journal_cursor *cursor, struct cfs_reader *body, struct cfs_journal_record *record)
{
    int error = read_path(body, &cursor->path);
    record->path = cursor->path;
    record->mode = cfs_read_u32(body) & 07777;
    if (error < 0 || record->type == CFS_JOURNAL_MAKE || record->type == CFS_JOURNAL_FOLDER)
        return error;
    read_attributes(body, &record->set);
    read_attributes(body, &record->known);
    record->server_time = (int64_t)cfs_read_u64(body);
    if (record->type == CFS_JOURNAL_RENAME) {
        error = read_path(body, &cursor->other);
        record->other = cursor->other;
        read_attributes(body, &record->known_other);
    } else if (record->type == CFS_JOURNAL_FLUSH) {
        uint8_t flags = cfs_read_u8(body);
        record->is_new = flags & IS_NEW;
        record->rewrites = flags & REWRITES;
        record->end = cfs_read_u64(body);
        record->arrived = cfs_read_u64(body);
        record->count = cfs_read_u32(body);
    }
    return error < 0 ? error : may_be_set(&record->set) ? 0 : -EBADMSG;
}

/* The checksum was right: what makes no sense now was written so, which we do not do. */
static int read_body(struct cfs_journal_cursor *cursor, struct cfs_reader *body, struct cfs_journal_record *record)
{
    int error = 0;
    record->type = (enum cfs_journal_type)cfs_read_u8(body);
    record->number = cfs_read_u64(body);
    if (record->type < CFS_JOURNAL_MAKE || record->type >= CFS_JOURNAL_TYPES)
        return -EBADMSG;
    if (record->type == CFS_JOURNAL_DATA)
        error = read_data(body, record);
    else if (record->type != CFS_JOURNAL_DONE && record->type != CFS_JOURNAL_SYNCED)
        error = read_change(cursor, body, record);
    if (error == 0 && (body->failed || body->left > 0))
        error = -EBADMSG;
    return error;
}

int cfs_journal_next(struct cfs_journal_cursor *cursor, struct cfs_journal_record *ret_record)
{
    struct cfs_journal_record record = {.type = CFS_JOURNAL_DONE};
    struct found found;
    if (cursor->next >= cursor->length || !find(cursor, cursor->next, &found))
        return judge_end(cursor);
    if (found.sequence != cursor->sequence + 1)
        return judge_end(cursor);
    struct cfs_reader body = cfs_reader_over(cursor->bytes + cursor->next + RECORD_HEAD, found.length);
    int error = read_body(cursor, &body, &record);
    if (error < 0)
        return error;
    size_t padded = found.length + (ALIGN - found.length % ALIGN) % ALIGN;
    cursor->sequence = found.sequence;
    cursor->next += RECORD_HEAD + padded;
    if (cursor->next > cursor->length)
        cursor->next = cursor->length;
    *ret_record = record;
    return 1;
}

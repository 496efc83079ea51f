/* The records of a journal (journal.h), as bytes: pure functions, for who writes them, who reads them after a crash,
 * and the fuzzer.
 *
 * A journal is a head of CFS_JOURNAL_HEAD bytes (format, a random key, whose journal it is) and records behind it, in
 * the order of their sequence numbers, each with a checksum under the key that covers its place in the sequence: a
 * record of another journal, twice, or at another place is none. All numbers are in network order (base/bytes.h).
 *
 * A crash may tear the end: what was not yet on the disk is missing, or garbage. That is normal, and the end of the
 * journal. But each record says up to which sequence number all was on the disk when it was written: where one of those
 * is damaged, the journal is bad, and says so (-EBADMSG). */
#ifndef CFS_CACHE_JOURNAL_RECORD_H
#define CFS_CACHE_JOURNAL_RECORD_H

#include "base/bytes.h"
#include "remote/remote.h"

enum { CFS_JOURNAL_HEAD = 4096, CFS_JOURNAL_MOST_DATA = 1 << 20, CFS_JOURNAL_MOST_IDENTITY = 3000 };

enum cfs_journal_type {
    CFS_JOURNAL_MAKE = 1, /* a file at `path`, with `mode` */
    CFS_JOURNAL_FOLDER,   /* a folder, likewise */
    CFS_JOURNAL_RENAME,   /* `path` is called `other`; `set` is set before */
    CFS_JOURNAL_SET,      /* of what is at `path`: `set` */
    CFS_JOURNAL_FLUSH,    /* the `count` records of data before it belong to the file at `path` */
    CFS_JOURNAL_DATA,     /* `length` bytes at `offset`, of the flush that follows */
    CFS_JOURNAL_DONE,     /* the change `number` is on the server */
    CFS_JOURNAL_SYNCED,   /* nothing: it says that what stands before it was on the disk (`synced`) */
    CFS_JOURNAL_TYPES,
};

/* One record. What its type does not name is 0. */
struct cfs_journal_record {
    enum cfs_journal_type type;
    uint64_t number; /* of the change it belongs to */
    const char *path, *other;
    mode_t mode;
    struct cfs_remote_attributes set; /* no size */
    /* rename, set, flush: by what the file is known, before the change. valid = 0: unknown. Flush: as its handle was
     * opened; nothing if all that is in it came by that handle (`is_new`). */
    struct cfs_remote_attributes known, known_other;
    bool is_new;
    bool rewrites;       /* flush: bytes that were written before have been written again, or what was there */
    uint64_t end;        /* flush: how far the file was written */
    uint64_t arrived;    /* flush: how far the server had acknowledged it */
    int64_t server_time; /* rename, flush: the server's, as far as it is known, in seconds */
    uint32_t count;
    uint64_t offset;
    size_t length;
    const uint8_t *data; /* in the memory that was read */
};

/* The head, CFS_JOURNAL_HEAD bytes. IDENTITY has at most CFS_JOURNAL_MOST_IDENTITY bytes. */
void cfs_journal_write_head(const char *identity, uint64_t key, uint8_t *ret_head);
/* 0; -EBADMSG: no head of a journal of this format; -EXDEV: the journal of another IDENTITY. */
CFS_CHECKED int cfs_journal_read_head(const uint8_t *bytes, size_t length, const char *identity, uint64_t *ret_key);

/* How many bytes RECORD takes, at most. */
size_t cfs_journal_size_of(const struct cfs_journal_record *record);
/* Appends RECORD, which is the SEQUENCEth (from 1), written when all up to SYNCED were on the disk. The buffer may
 * fail.
 */
void cfs_journal_write_record(struct cfs_buffer *buffer, const struct cfs_journal_record *record, uint64_t key,
                              uint64_t sequence, uint64_t synced);

/* The same with any bytes for a body: for the fuzzer. */
void cfs_journal_write_body(struct cfs_buffer *buffer, const uint8_t *body, size_t length, uint64_t key,
                            uint64_t sequence);

/* Reads the records behind a head. */
struct cfs_journal_cursor {
    const uint8_t *bytes; /* the whole journal */
    size_t length;
    size_t next;       /* where the next record begins */
    uint64_t key;      /* of the head */
    uint64_t sequence; /* of the last record; 0: none yet */
    char *path, *other;
};
struct cfs_journal_cursor cfs_journal_begin(const uint8_t *bytes, size_t length, uint64_t key);
/* 1 and a record, whose pointers live until the next call or cfs_journal_end; 0: the end, which may be torn; -EBADMSG:
 * what was on the disk is damaged; -ENOMEM. */
CFS_CHECKED int cfs_journal_next(struct cfs_journal_cursor *cursor, struct cfs_journal_record *ret_record);
void cfs_journal_end(struct cfs_journal_cursor *cursor);

#endif

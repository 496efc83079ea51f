/* The programs of test_model: what each does, one operation after another, and what it must be told, by its model. */
#ifndef CFS_TESTS_FS_PROGRAMS_H
#define CFS_TESTS_FS_PROGRAMS_H

#include "lib/test.h"

#include "fs/model.h"
#include "lib/fs_fixture.h"

enum {
    PROGRAMS = 4,
    OPEN_FILES = 3,
    WRITE_LIMIT = 300,
    RECORD = 8,
    FAULT = -EIO, /* what a lost connection ends with */
};

struct open_file {
    struct cfs_open_file *file; /* NULL: free */
    struct model_file *model;
    uint64_t node;
    bool appends;
};

struct program {
    unsigned number;
    uint64_t folder; /* nodes, with a lookup each; 0: not known */
    uint64_t nodes[MODEL_NAMES];
    struct model model;
    struct open_file open[OPEN_FILES];
    unsigned folder_version;
    struct cfs_open_file *log;
    unsigned records, acknowledged;
    bool log_uncertain;

    /* The operation at work. */
    struct fs_call call;
    bool busy, leaves;
    void (*check)(struct program *program, int error);
    int name, other;
    struct open_file *slot;
    size_t offset, length;
    uint8_t data[WRITE_LIMIT], buffer[WRITE_LIMIT * 2];
    unsigned left;
};

struct world {
    struct fs_fixture fixture;
    struct program programs[PROGRAMS];
    uint64_t random_state;
    bool faults;         /* in this round */
    bool cached, behind; /* with the cache; with durability = fsync */
    bool believes;       /* see test_model.c */
};
extern struct world world;

uint32_t program_random(uint32_t limit);
const char *program_name(int name);
bool program_is_fault(int error);
bool program_is_open(const struct program *program, const struct model_file *file);
bool program_may_be_gone(const struct model_file *file);
/* Fails the test if ERROR is not EXPECTED, nor explained by a fault. */
void program_expect(struct program *program, int error, int expected);
/* The next operation: CHECK is called with its error. */
void program_begin(struct program *program, void (*check)(struct program *program, int error));
/* Gives a lookup back. */
void program_forget(uint64_t *node);
/* NAME: NULL for the folder itself. */
bool program_is_on_server(const struct program *program, const char *name);
struct model_file *program_new_file(void);
void program_check_size(struct model_file *file, off_t size);

/* With the cache: what was written behind, or is to be set behind, has failed: it is told to whatever comes next. */
void program_note_fault(struct program *program);
/* A fault may explain a difference, of which nobody has been told yet. */
bool program_may_differ(void);
void programs_believe(void);

/* Operations: of `name`, `other`, `slot`. What cannot be done is not begun. */
void program_lookup(struct program *program);
void program_create(struct program *program);
void program_unlink(struct program *program);
void program_rename(struct program *program);
void program_list(struct program *program);
void program_open(struct program *program);
void program_write(struct program *program);
void program_read(struct program *program);
void program_getattr(struct program *program);
void program_truncate(struct program *program);
void program_release(struct program *program);
void program_fsync(struct program *program);

/* Names and contents as the file system shows them are those that the server has (compare_server.c). */
void compare_with_server(void);

#endif

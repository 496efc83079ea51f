/* The reference that test_model compares the file system with: one folder with a few names, files that may be open or
 * without a name. Plain memory, no tricks. */
#ifndef CFS_TESTS_FS_MODEL_H
#define CFS_TESTS_FS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_NAMES = 6, MODEL_SIZE = 8192 };

struct model_file {
    unsigned references; /* a name, open files */
    bool uncertain;      /* a write failed: nobody knows what is in it */
    bool shared;         /* was open twice: after a fault the two may not know of each other */
    size_t size;
    uint8_t bytes[MODEL_SIZE];
};

struct model {
    struct model_file *files[MODEL_NAMES]; /* NULL: no such name */
};

struct model_file *model_file_new(void);
void model_file_get(struct model_file *file);
void model_file_put(struct model_file *file); /* NULL is fine */
void model_file_write(struct model_file *file, size_t offset, const void *bytes, size_t length);
void model_file_truncate(struct model_file *file, size_t size);

/* FILE's reference becomes the model's; what had the name loses it. NULL: the name goes. */
void model_set(struct model *model, int name, struct model_file *file);
void model_rename(struct model *model, int from, int to);
void model_fini(struct model *model);

#endif

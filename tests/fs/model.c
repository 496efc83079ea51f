/* Reference counts and memcpy. */
#include "fs/model.h"

#include <stdlib.h>
#include <string.h>

struct model_file *model_file_new(void)
{
    struct model_file *file = calloc(1, sizeof(*file));
    if (!file)
        abort();
    file->references = 1;
    return file;
}

void model_file_get(struct model_file *file)
{
    file->references++;
}

void model_file_put(struct model_file *file)
{
    if (file && --file->references == 0)
        free(file);
}

void model_file_truncate(struct model_file *file, size_t size)
{
    if (size < file->size)
        memset(file->bytes + size, 0, file->size - size);
    file->size = size;
}

void model_file_write(struct model_file *file, size_t offset, const void *bytes, size_t length)
{
    memcpy(file->bytes + offset, bytes, length);
    if (offset + length > file->size)
        file->size = offset + length;
}

void model_set(struct model *model, int name, struct model_file *file)
{
    model_file_put(model->files[name]);
    model->files[name] = file;
}

void model_rename(struct model *model, int from, int to)
{
    if (from == to)
        return;
    model_set(model, to, model->files[from]);
    model->files[from] = NULL;
}

void model_fini(struct model *model)
{
    for (int i = 0; i < MODEL_NAMES; i++)
        model_set(model, i, NULL);
}

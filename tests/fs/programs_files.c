/* What programs do to open files. */
#include "fs/programs.h"

#include <fcntl.h>
#include <stdio.h>

static void check_open(struct program *program, int error)
{
    /* A fault has made the file look like another one: the kernel looks the name up anew. */
    if (error == -ESTALE && world.cached && world.faults) {
        program_forget(&program->nodes[program->name]);
        program_note_fault(program);
        return;
    }
    program_expect(program, error, 0);
    if (error)
        return;
    program->model.files[program->name]->shared |= program_is_open(program, program->model.files[program->name]);
    *program->slot = (struct open_file){.file = program->call.request.result.file,
                                        .model = program->model.files[program->name],
                                        .node = program->nodes[program->name],
                                        .appends = program->length};
    model_file_get(program->slot->model);
}

void program_open(struct program *program)
{
    if (program->slot->file || !program->nodes[program->name] || !program->model.files[program->name])
        return;
    program_begin(program, check_open);
    program->length = program_random(3) == 0;
    cfs_fs_open(world.fixture.fs, &program->call.request, program->nodes[program->name],
                O_RDWR | (program->length ? O_APPEND : 0));
}

static void check_write(struct program *program, int error)
{
    struct open_file *slot = program->slot;
    program_expect(program, error, 0);
    if (error) {
        slot->model->uncertain = true;
        return;
    }
    assert_int_equal(program->call.request.result.length, program->length);
    if (!slot->model->uncertain)
        model_file_write(slot->model, slot->appends ? slot->model->size : program->offset, program->data,
                         program->length);
}

void program_write(struct program *program)
{
    struct open_file *slot = program->slot;
    program->length = 1 + program_random(WRITE_LIMIT);
    program->offset = program_random(MODEL_SIZE / 2);
    if (!slot->file || slot->model->size + program->length > MODEL_SIZE)
        return;
    for (size_t i = 0; i < program->length; i++)
        program->data[i] = (uint8_t)program_random(256);
    program_begin(program, check_write);
    cfs_fs_write(world.fixture.fs, &program->call.request, slot->file, program->offset, program->length, program->data);
}

static void check_read(struct program *program, int error)
{
    struct model_file *file = program->slot->model;
    program_expect(program, error, 0);
    if (error || file->uncertain)
        return;
    size_t there = program->offset < file->size ? file->size - program->offset : 0;
    size_t expected = there < program->length ? there : program->length;
    if (program->call.request.result.length == expected &&
        memcmp(program->buffer, file->bytes + program->offset, expected) == 0)
        return;
    if (!program_may_differ())
        fail_msg("program %u has not read what it wrote: %zu bytes at %zu, got %zu", program->number, expected,
                 program->offset, program->call.request.result.length);
}

void program_read(struct program *program)
{
    if (!program->slot->file)
        return;
    program->offset = program_random(MODEL_SIZE / 2);
    program->length = 1 + program_random(sizeof(program->buffer));
    program_begin(program, check_read);
    cfs_fs_read(world.fixture.fs, &program->call.request, program->slot->file, program->offset, program->length,
                program->buffer);
}

static void check_getattr(struct program *program, int error)
{
    program_expect(program, error, 0);
    if (error == 0)
        program_check_size(program->slot->model, program->call.request.result.attributes.st_size);
}

/* By the node alone: by path, or by a handle when there is no path. */
void program_getattr(struct program *program)
{
    if (!program->slot->file)
        return;
    program_begin(program, check_getattr);
    cfs_fs_getattr(world.fixture.fs, &program->call.request, program->slot->node,
                   program_random(2) ? program->slot->file : NULL);
}

static void check_truncate(struct program *program, int error)
{
    struct model_file *file = program->slot->model;
    program_expect(program, error, 0);
    if (error) {
        file->uncertain = true;
        return;
    }
    if (!file->uncertain && !program_may_differ())
        assert_int_equal(program->call.request.result.attributes.st_size, program->length);
    model_file_truncate(file, program->length);
}

void program_truncate(struct program *program)
{
    struct stat wanted = {.st_size = (off_t)program_random(MODEL_SIZE / 2)};
    if (!program->slot->file)
        return;
    program->length = (size_t)wanted.st_size;
    program_begin(program, check_truncate);
    cfs_fs_setattr(world.fixture.fs, &program->call.request, program->slot->node,
                   program_random(2) ? program->slot->file : NULL, &wanted, CFS_SET_SIZE);
}

/* What the server has of FILE, if it still has a name: the bytes read, or negative. */
static ssize_t peek_file(const struct program *program, const struct model_file *file, uint8_t *content)
{
    ssize_t length = -ENOENT;
    for (int i = 0; i < MODEL_NAMES && length < 0; i++) {
        for (int top_name = 0; top_name < 2 && length < 0 && program->model.files[i] == file; top_name++) {
            char path[64];
            snprintf(path, sizeof(path), "%s/p%u.%u/%s", top_name ? "moved" : "top", program->number,
                     program->folder_version, program_name(i));
            length = memory_remote_peek(world.fixture.memory, path, 0, content, MODEL_SIZE + 1);
        }
    }
    return length;
}

/* The file was said to be on the server. */
static bool is_as_flushed(const struct program *program, const struct model_file *file)
{
    uint8_t content[MODEL_SIZE + 1];
    ssize_t length = file->uncertain ? -ENOENT : peek_file(program, file, content);
    return length < 0 || (length == (ssize_t)file->size && memcmp(content, file->bytes, file->size) == 0);
}

static void check_flushed(struct program *program, int error)
{
    struct model_file *file = program->slot->model;
    program_expect(program, error, 0);
    if (error)
        file->uncertain = true;
    if (!is_as_flushed(program, file) && !program_may_differ())
        fail_msg("program %u was told that a file is on the server", program->number);
}

void program_fsync(struct program *program)
{
    if (!program->slot->file)
        return;
    program_begin(program, check_flushed);
    cfs_fs_fsync(world.fixture.fs, &program->call.request, program->slot->file, program_random(2));
}

static void check_release(struct program *program, int error)
{
    (void)error;
    model_file_put(program->slot->model);
    *program->slot = (struct open_file){.file = NULL};
}

/* As the kernel does, at each close. */
static void check_flush(struct program *program, int error)
{
    struct model_file *file = program->slot->model;
    unsigned handles = 0;
    if (world.behind)
        program_expect(program, error, 0);
    else
        check_flushed(program, error);
    for (int i = 0; i < OPEN_FILES; i++)
        handles += program->open[i].model == file;
    if (handles == 1 && !world.behind && !(file->shared && program_may_differ()) && !is_as_flushed(program, file))
        fail_msg("program %u was never told what became of its data", program->number);
    program_begin(program, check_release);
    cfs_fs_release(world.fixture.fs, &program->call.request, program->slot->file);
}

void program_release(struct program *program)
{
    if (!program->slot->file)
        return;
    program_begin(program, world.cached ? check_flush : check_release);
    if (world.cached)
        cfs_fs_flush(world.fixture.fs, &program->call.request, program->slot->file);
    else
        cfs_fs_release(world.fixture.fs, &program->call.request, program->slot->file);
}

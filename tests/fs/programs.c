/* What the programs of test_model have in common: the random numbers, what they expect, what the server has. */
#include "fs/programs.h"

#include <stdio.h>

struct world world;

uint32_t program_random(uint32_t limit)
{
    world.random_state = world.random_state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(world.random_state >> 33) % limit;
}

bool program_is_fault(int error)
{
    return error == FAULT || error == -ETIMEDOUT;
}

const char *program_name(int name)
{
    static const char *const names[MODEL_NAMES] = {"a", "b", "c", "d", "e", "f"};
    return names[name];
}

/* --- with the cache: what is not as it should be --- */

static void make_uncertain(struct model_file *file)
{
    if (file)
        file->uncertain = true;
}

/* What was written behind, or is to be set behind, has failed: it is told to whatever comes next on the file. */
void program_note_fault(struct program *program)
{
    make_uncertain(program->slot->model);
    make_uncertain(program->model.files[program->name]);
    make_uncertain(program->model.files[program->other]);
}

void programs_believe(void)
{
    world.believes = true;
    for (int i = 0; i < PROGRAMS; i++) {
        for (int name = 0; name < MODEL_NAMES; name++)
            make_uncertain(world.programs[i].model.files[name]);
        for (int slot = 0; slot < OPEN_FILES; slot++)
            make_uncertain(world.programs[i].open[slot].model);
    }
}

bool program_may_differ(void)
{
    return world.cached && world.faults;
}

bool program_is_open(const struct program *program, const struct model_file *file)
{
    bool is_open = false;
    for (int i = 0; i < OPEN_FILES; i++)
        is_open |= file && program->open[i].model == file;
    return is_open;
}

bool program_may_be_gone(const struct model_file *file)
{
    return program_may_differ() && file && file->uncertain;
}

void program_expect(struct program *program, int error, int expected)
{
    if (world.believes)
        return;
    /* A small file is made when it is closed, or when it must be: if that fails, it was never there. */
    if (error == -ENOENT && expected == 0 && program_may_differ()) {
        program_note_fault(program);
        return;
    }
    if (error != expected && !(world.faults && program_is_fault(error)))
        fail_msg("program %u, name %d: %s (%d), expected %d", program->number, program->name, strerror(-error), error,
                 expected);
}

void program_begin(struct program *program, void (*check)(struct program *program, int error))
{
    program->busy = true;
    program->check = check;
    fs_call_init(&program->call);
}

void program_forget(uint64_t *node)
{
    if (*node)
        fs_forget(&world.fixture, *node);
    *node = 0;
}

/* --- what the server really has --- */

bool program_is_on_server(const struct program *program, const char *name)
{
    struct cfs_remote_attributes attributes;
    struct memory_tree *tree = memory_remote_tree(world.fixture.memory);
    const char *tops[] = {"top", "moved"};
    for (unsigned i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/p%u.%u%s%s", tops[i], program->number, program->folder_version,
                 name ? "/" : "", name ? name : "");
        if (memory_tree_lstat(tree, path, &attributes) == 0)
            return true;
    }
    return false;
}

struct model_file *program_new_file(void)
{
    struct model_file *file = model_file_new();
    file->uncertain = world.believes;
    return file;
}

void program_check_size(struct model_file *file, off_t size)
{
    /* After a fault the name may stand for another file for a while, or the file for none. */
    if (!file->uncertain && size != (off_t)file->size && !program_may_differ())
        fail_msg("a file of %zu bytes is told to have %lld", file->size, (long long)size);
}

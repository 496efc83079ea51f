/* What programs do to names: lookup, create, unlink, rename, list. */
#include "fs/programs.h"

#include <fcntl.h>

/* The name is there, or not, as the file system says. */
static const struct model_file *adopt(struct program *program, bool is_there)
{
    if (!is_there) {
        model_set(&program->model, program->name, NULL);
        program_forget(&program->nodes[program->name]);
    } else if (!program->model.files[program->name]) {
        model_set(&program->model, program->name, program_new_file());
    }
    return program->model.files[program->name];
}

static void check_lookup(struct program *program, int error)
{
    const struct cfs_entry *entry = &program->call.request.result.entry;
    const struct model_file *file = program->model.files[program->name];
    program_expect(program, error, 0);
    if (error)
        return;
    if (!entry->node && program_is_open(program, file) && program_may_differ())
        program_note_fault(program); /* it could not be made: its handle will tell */
    if (world.believes || program_may_be_gone(file))
        file = adopt(program, entry->node != 0);
    if ((entry->node != 0) != (file != NULL))
        fail_msg("program %u: %s is %sthere", program->number, program_name(program->name), entry->node ? "" : "not ");
    if (!file)
        return;
    program_check_size(program->model.files[program->name], entry->attributes.st_size);
    /* A fault may have made it look like another file. */
    if (program->nodes[program->name] && !(world.cached && world.faults))
        assert_int_equal(entry->node, program->nodes[program->name]);
    program_forget(&program->nodes[program->name]);
    program->nodes[program->name] = entry->node;
}

void program_lookup(struct program *program)
{
    program_begin(program, check_lookup);
    cfs_fs_lookup(world.fixture.fs, &program->call.request, program->folder, program_name(program->name));
}

static void check_create(struct program *program, int error)
{
    struct open_file *slot = program->slot;
    struct model_file *file = program->model.files[program->name];
    program_expect(program, error, 0);
    if (error)
        return; /* OPEN fails without effect */
    if (!file) {
        file = program_new_file();
        model_set(&program->model, program->name, file);
    }
    file->shared |= program_is_open(program, file);
    program_forget(&program->nodes[program->name]);
    program->nodes[program->name] = program->call.request.result.entry.node;
    *slot = (struct open_file){
        .file = program->call.request.result.file, .model = file, .node = program->nodes[program->name]};
    model_file_get(file);
}

void program_create(struct program *program)
{
    if (program->slot->file)
        return;
    program_begin(program, check_create);
    cfs_fs_create(world.fixture.fs, &program->call.request, program->folder, program_name(program->name), 0644, O_RDWR);
}

static void check_unlink(struct program *program, int error)
{
    bool was_there = program->model.files[program->name] != NULL;
    program_expect(program, error, was_there ? 0 : -ENOENT);
    if (program_is_fault(error))
        program_forget(&program->nodes[program->name]); /* as the kernel is told to */
    if (error &&
        !(program_is_fault(error) && !world.believes && !program_is_on_server(program, program_name(program->name))))
        return;
    model_set(&program->model, program->name, NULL);
    program_forget(&program->nodes[program->name]);
}

void program_unlink(struct program *program)
{
    program_begin(program, check_unlink);
    cfs_fs_unlink(world.fixture.fs, &program->call.request, program->folder, program_name(program->name));
}

static void check_rename(struct program *program, int error)
{
    bool was_there = program->model.files[program->name] != NULL;
    program_expect(program, error, was_there ? 0 : -ENOENT);
    if (program_is_fault(error)) {
        program_forget(&program->nodes[program->name]);
        program_forget(&program->nodes[program->other]);
    }
    bool done = error == 0 || (program_is_fault(error) && !world.believes && was_there &&
                               !program_is_on_server(program, program_name(program->name)));
    if (!done)
        return;
    model_rename(&program->model, program->name, program->other);
    program_forget(&program->nodes[program->other]);
    program->nodes[program->other] = program->nodes[program->name];
    program->nodes[program->name] = 0;
}

void program_rename(struct program *program)
{
    if (program->name == program->other)
        return;
    program_begin(program, check_rename);
    cfs_fs_rename(world.fixture.fs, &program->call.request, program->folder, program_name(program->name),
                  program->folder, program_name(program->other), 0);
}

static void check_list(struct program *program, int error)
{
    struct cfs_open_folder *folder = program->call.request.result.folder;
    program_expect(program, error, 0);
    if (error == 0) {
        program_begin(program, NULL);
        cfs_fs_release_folder(world.fixture.fs, &program->call.request, folder);
    }
}

void program_list(struct program *program)
{
    program_begin(program, check_list);
    cfs_fs_open_folder(world.fixture.fs, &program->call.request, program->folder);
}

/* Random operations of several programs at once, compared with a reference model.
 *
 * Each program works in a folder of its own, one operation after another, so that its model knows every answer; all
 * of them run at the same time, over a remote that delays and reorders, while another program renames the folder that
 * all of them lie in, and they rename their own. No answer may depend on any of that. They also append to one log: each
 * record that was acknowledged is in it once, whole. In some rounds calls fail, with or without effect, or are never
 * answered; then an operation on names is looked up on the server, and a file that was written to is no longer
 * compared.
 *
 * CLUSTERFS_TEST_SEED and CLUSTERFS_TEST_ROUNDS repeat a failure and look for more. */
#include "lib/test.h"

#include "fs/model.h"
#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    PROGRAMS = 4,
    OPEN_FILES = 3,
    OPERATIONS = 250, /* of each program, in a round */
    ROUNDS = 200,
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

static struct fs_fixture fixture;
static struct program programs[PROGRAMS];
static uint64_t random_state;
static bool faults;
static unsigned faults_left; /* in this round */

/* Said when a round fails: cmocka leaves the test by a jump. */
static uint64_t current_seed;

static int say_seed(void **state)
{
    (void)state;
    print_message("the last round was CLUSTERFS_TEST_SEED=%llu\n", (unsigned long long)current_seed);
    return 0;
}

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % limit;
}

static bool is_fault(int error)
{
    return error == FAULT || error == -ETIMEDOUT;
}

static const char *name_of(int name)
{
    static const char *const names[MODEL_NAMES] = {"a", "b", "c", "d", "e", "f"};
    return names[name];
}

static void assert_error(const struct program *program, int error, int expected)
{
    if (error != expected && !(faults && is_fault(error)))
        fail_msg("program %u, name %d: %s (%d), expected %d", program->number, program->name, strerror(-error), error,
                 expected);
}

static void begin(struct program *program, void (*check)(struct program *program, int error))
{
    program->busy = true;
    program->check = check;
    fs_call_init(&program->call);
}

static void forget(uint64_t *node)
{
    if (*node)
        fs_forget(&fixture, *node);
    *node = 0;
}

/* --- what the server really has --- */

static bool is_on_server(const struct program *program, const char *name)
{
    struct cfs_remote_attributes attributes;
    struct memory_tree *tree = memory_remote_tree(fixture.memory);
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

/* --- names --- */

static void check_lookup(struct program *program, int error)
{
    const struct cfs_entry *entry = &program->call.request.result.entry;
    const struct model_file *file = program->model.files[program->name];
    assert_error(program, error, 0);
    if (error)
        return;
    if ((entry->node != 0) != (file != NULL))
        fail_msg("program %u: %s is %sthere", program->number, name_of(program->name), entry->node ? "" : "not ");
    if (!file)
        return;
    if (!file->uncertain)
        assert_int_equal(entry->attributes.st_size, file->size);
    if (program->nodes[program->name])
        assert_int_equal(entry->node, program->nodes[program->name]);
    forget(&program->nodes[program->name]);
    program->nodes[program->name] = entry->node;
}

static void start_lookup(struct program *program)
{
    begin(program, check_lookup);
    cfs_fs_lookup(fixture.fs, &program->call.request, program->folder, name_of(program->name));
}

static void check_create(struct program *program, int error)
{
    struct open_file *slot = program->slot;
    struct model_file *file = program->model.files[program->name];
    assert_error(program, error, 0);
    if (error)
        return; /* OPEN fails without effect */
    if (!file) {
        file = model_file_new();
        model_set(&program->model, program->name, file);
    }
    forget(&program->nodes[program->name]);
    program->nodes[program->name] = program->call.request.result.entry.node;
    *slot = (struct open_file){
        .file = program->call.request.result.file, .model = file, .node = program->nodes[program->name]};
    model_file_get(file);
}

static void start_create(struct program *program)
{
    if (program->slot->file)
        return;
    begin(program, check_create);
    cfs_fs_create(fixture.fs, &program->call.request, program->folder, name_of(program->name), 0644, O_RDWR);
}

static void check_unlink(struct program *program, int error)
{
    bool was_there = program->model.files[program->name] != NULL;
    assert_error(program, error, was_there ? 0 : -ENOENT);
    if (is_fault(error))
        forget(&program->nodes[program->name]); /* as the kernel is told to */
    if (error && !(is_fault(error) && !is_on_server(program, name_of(program->name))))
        return;
    model_set(&program->model, program->name, NULL);
    forget(&program->nodes[program->name]);
}

static void start_unlink(struct program *program)
{
    begin(program, check_unlink);
    cfs_fs_unlink(fixture.fs, &program->call.request, program->folder, name_of(program->name));
}

static void check_rename(struct program *program, int error)
{
    bool was_there = program->model.files[program->name] != NULL;
    assert_error(program, error, was_there ? 0 : -ENOENT);
    if (is_fault(error)) {
        forget(&program->nodes[program->name]);
        forget(&program->nodes[program->other]);
    }
    bool done = error == 0 || (is_fault(error) && was_there && !is_on_server(program, name_of(program->name)));
    if (!done)
        return;
    model_rename(&program->model, program->name, program->other);
    forget(&program->nodes[program->other]);
    program->nodes[program->other] = program->nodes[program->name];
    program->nodes[program->name] = 0;
}

static void start_rename(struct program *program)
{
    if (program->name == program->other)
        return;
    begin(program, check_rename);
    cfs_fs_rename(fixture.fs, &program->call.request, program->folder, name_of(program->name), program->folder,
                  name_of(program->other), 0);
}

static void check_list(struct program *program, int error)
{
    struct cfs_open_folder *folder = program->call.request.result.folder;
    assert_error(program, error, 0);
    if (error == 0) {
        begin(program, NULL);
        cfs_fs_release_folder(fixture.fs, &program->call.request, folder);
    }
}

static void start_list(struct program *program)
{
    begin(program, check_list);
    cfs_fs_open_folder(fixture.fs, &program->call.request, program->folder);
}

/* --- open files --- */

static void check_open(struct program *program, int error)
{
    assert_error(program, error, 0);
    if (error)
        return;
    *program->slot = (struct open_file){.file = program->call.request.result.file,
                                        .model = program->model.files[program->name],
                                        .node = program->nodes[program->name],
                                        .appends = program->length};
    model_file_get(program->slot->model);
}

static void start_open(struct program *program)
{
    if (program->slot->file || !program->nodes[program->name] || !program->model.files[program->name])
        return;
    begin(program, check_open);
    program->length = random_below(3) == 0;
    cfs_fs_open(fixture.fs, &program->call.request, program->nodes[program->name],
                O_RDWR | (program->length ? O_APPEND : 0));
}

static void check_write(struct program *program, int error)
{
    struct open_file *slot = program->slot;
    assert_error(program, error, 0);
    if (error) {
        slot->model->uncertain = true;
        return;
    }
    assert_int_equal(program->call.request.result.length, program->length);
    if (!slot->model->uncertain)
        model_file_write(slot->model, slot->appends ? slot->model->size : program->offset, program->data,
                         program->length);
}

static void start_write(struct program *program)
{
    struct open_file *slot = program->slot;
    program->length = 1 + random_below(WRITE_LIMIT);
    program->offset = random_below(MODEL_SIZE / 2);
    if (!slot->file || slot->model->size + program->length > MODEL_SIZE)
        return;
    for (size_t i = 0; i < program->length; i++)
        program->data[i] = (uint8_t)random_below(256);
    begin(program, check_write);
    cfs_fs_write(fixture.fs, &program->call.request, slot->file, program->offset, program->length, program->data);
}

static void check_read(struct program *program, int error)
{
    const struct model_file *file = program->slot->model;
    assert_error(program, error, 0);
    if (error || file->uncertain)
        return;
    size_t there = program->offset < file->size ? file->size - program->offset : 0;
    size_t expected = there < program->length ? there : program->length;
    assert_int_equal(program->call.request.result.length, expected);
    assert_memory_equal(program->buffer, file->bytes + program->offset, expected);
}

static void start_read(struct program *program)
{
    if (!program->slot->file)
        return;
    program->offset = random_below(MODEL_SIZE / 2);
    program->length = 1 + random_below(sizeof(program->buffer));
    begin(program, check_read);
    cfs_fs_read(fixture.fs, &program->call.request, program->slot->file, program->offset, program->length,
                program->buffer);
}

static void check_getattr(struct program *program, int error)
{
    const struct model_file *file = program->slot->model;
    assert_error(program, error, 0);
    if (error == 0 && !file->uncertain)
        assert_int_equal(program->call.request.result.attributes.st_size, file->size);
}

/* By the node alone: by path, or by a handle when there is no path. */
static void start_getattr(struct program *program)
{
    if (!program->slot->file)
        return;
    begin(program, check_getattr);
    cfs_fs_getattr(fixture.fs, &program->call.request, program->slot->node,
                   random_below(2) ? program->slot->file : NULL);
}

static void check_truncate(struct program *program, int error)
{
    struct model_file *file = program->slot->model;
    assert_error(program, error, 0);
    if (error) {
        file->uncertain = true;
        return;
    }
    assert_int_equal(program->call.request.result.attributes.st_size, program->length);
    model_file_truncate(file, program->length);
}

static void start_truncate(struct program *program)
{
    struct stat wanted = {.st_size = (off_t)random_below(MODEL_SIZE / 2)};
    if (!program->slot->file)
        return;
    program->length = (size_t)wanted.st_size;
    begin(program, check_truncate);
    cfs_fs_setattr(fixture.fs, &program->call.request, program->slot->node,
                   random_below(2) ? program->slot->file : NULL, &wanted, CFS_SET_SIZE);
}

static void check_release(struct program *program, int error)
{
    (void)error;
    model_file_put(program->slot->model);
    *program->slot = (struct open_file){.file = NULL};
}

static void start_release(struct program *program)
{
    if (!program->slot->file)
        return;
    begin(program, check_release);
    cfs_fs_release(fixture.fs, &program->call.request, program->slot->file);
}

/* --- the log --- */

static void check_append(struct program *program, int error)
{
    assert_error(program, error, 0);
    if (error == 0)
        program->acknowledged |= 1u << program->records;
    program->records++;
}

static void start_append(struct program *program)
{
    if (program->records == 32)
        return;
    char text[RECORD + 1];
    snprintf(text, sizeof(text), "p%u.%04u\n", program->number, program->records);
    memcpy(program->data, text, RECORD);
    begin(program, check_append);
    cfs_fs_write(fixture.fs, &program->call.request, program->log, 0, RECORD, program->data);
}

static void check_log(void)
{
    char content[PROGRAMS * 32 * RECORD + 1];
    ssize_t length = memory_remote_peek(fixture.memory, "log", 0, content, sizeof(content));
    assert_true(length >= 0);
    assert_int_equal(length % RECORD, 0);
    unsigned seen[PROGRAMS] = {0};
    for (ssize_t at = 0; at < length; at += RECORD) {
        unsigned program = (unsigned)(content[at + 1] - '0');
        unsigned record = (unsigned)strtoul((char[]){content[at + 5], content[at + 6], '\0'}, NULL, 10);
        assert_true(content[at] == 'p' && program < PROGRAMS && record < 32);
        assert_false(seen[program] & 1u << record);
        seen[program] |= 1u << record;
    }
    for (unsigned i = 0; i < PROGRAMS; i++)
        assert_int_equal(seen[i] & programs[i].acknowledged, programs[i].acknowledged);
}

/* --- folders that move --- */

static void check_move_own(struct program *program, int error)
{
    assert_error(program, error, 0);
    bool stayed = error != 0;
    if (is_fault(error)) {
        /* Whether or not it moved: we shall go on in another folder if the file system does not know. */
        stayed = is_on_server(program, NULL);
        program->leaves = !stayed;
    }
    program->folder_version += !stayed;
}

static uint64_t top;

static void start_move_own(struct program *program)
{
    char from[32], to[32];
    snprintf(from, sizeof(from), "p%u.%u", program->number, program->folder_version);
    snprintf(to, sizeof(to), "p%u.%u", program->number, program->folder_version + 1);
    begin(program, check_move_own);
    cfs_fs_rename(fixture.fs, &program->call.request, top, from, top, to, 0);
}

static struct fs_call mover;
static bool mover_busy, is_moved;
static unsigned moves_left;

static void move_top(void)
{
    if (mover_busy && atomic_load(&mover.replied)) {
        mover_busy = false;
        assert_int_equal(mover.request.error, 0);
        is_moved = !is_moved;
    }
    if (!mover_busy && moves_left > 0 && random_below(30) == 0) {
        moves_left--;
        mover_busy = true;
        fs_call_init(&mover);
        cfs_fs_rename(fixture.fs, &mover.request, CFS_ROOT_NODE, is_moved ? "moved" : "top", CFS_ROOT_NODE,
                      is_moved ? "top" : "moved", 0);
    }
}

/* --- a round --- */

static void add_fault(void)
{
    if (faults_left == 0)
        return;
    faults_left--;
    /* What is opened and not answered would stay open; the mover's rename must succeed. */
    static const enum memory_operation operations[] = {MEMORY_LSTAT, MEMORY_SETATTR,  MEMORY_UNLINK, MEMORY_WRITE,
                                                       MEMORY_FSTAT, MEMORY_FSETATTR, MEMORY_READ};
    enum memory_operation operation = operations[random_below(CFS_COUNT(operations))];
    unsigned nth = 1 + random_below(5);
    switch (random_below(4)) {
    case 0:
        memory_remote_fail_after(fixture.memory, operation, nth, FAULT);
        break;
    case 1:
        memory_remote_lose_reply(fixture.memory, operation, nth);
        break;
    case 2:
        memory_remote_fail(fixture.memory, MEMORY_OPEN, nth, FAULT);
        break;
    default:
        memory_remote_fail(fixture.memory, operation, nth, FAULT);
    }
}

static void start_something(struct program *program)
{
    static void (*const starts[])(struct program * program) = {
        start_lookup, start_lookup, start_create,   start_unlink,  start_rename,  start_open,   start_open,
        start_write,  start_write,  start_write,    start_read,    start_read,    start_append, start_getattr,
        start_list,   start_list,   start_truncate, start_release, start_move_own};
    program->name = (int)random_below(MODEL_NAMES);
    program->other = (int)random_below(MODEL_NAMES);
    program->slot = &program->open[random_below(OPEN_FILES)];
    program->left--;
    starts[random_below(CFS_COUNT(starts))](program);
}

static bool run_program(struct program *program)
{
    if (program->busy && atomic_load(&program->call.replied)) {
        assert_int_equal(program->call.replies, 1);
        program->busy = false;
        if (program->check)
            program->check(program, program->call.request.error);
    }
    if (!program->busy && program->left > 0 && !program->leaves)
        start_something(program);
    return program->busy || (program->left > 0 && !program->leaves);
}

static void start_program(struct program *program, unsigned number)
{
    struct cfs_entry entry;
    char name[32];
    memset(program, 0, sizeof(*program));
    program->number = number;
    program->left = OPERATIONS;
    snprintf(name, sizeof(name), "p%u.0", number);
    assert_int_equal(fs_mkdir(&fixture, top, name, 0755, &entry), 0);
    program->folder = entry.node;
    uint64_t log = fs_walk(&fixture, "log");
    assert_int_equal(fs_open(&fixture, log, O_WRONLY | O_APPEND, &program->log), 0);
    fs_forget(&fixture, log);
}

static void finish_program(struct program *program)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        if (program->open[i].file)
            fs_release(&fixture, program->open[i].file);
        model_file_put(program->open[i].model);
    }
    for (int i = 0; i < MODEL_NAMES; i++) {
        const struct model_file *file = program->model.files[i];
        uint8_t content[MODEL_SIZE + 1];
        char path[64];
        snprintf(path, sizeof(path), "%s/p%u.%u/%s", is_moved ? "moved" : "top", program->number,
                 program->folder_version, name_of(i));
        ssize_t length = memory_remote_peek(fixture.memory, path, 0, content, sizeof(content));
        assert_int_equal(length >= 0, file != NULL);
        if (file && !file->uncertain) {
            assert_int_equal(length, file->size);
            assert_memory_equal(content, file->bytes, file->size);
        }
        forget(&program->nodes[i]);
    }
    model_fini(&program->model);
    forget(&program->folder);
    fs_release(&fixture, program->log);
}

static void run_round(uint64_t seed)
{
    random_state = seed * 2862933555777941757 + 3037000493;
    struct memory_remote_options options = {.seed = seed,
                                            .latency_ms = random_below(3) * 20,
                                            .jitter_ms = random_below(3) * 15,
                                            .listing_batch = 1 + random_below(5),
                                            .tells_changes = random_below(2),
                                            .listing_ahead = random_below(CFS_REMOTE_LISTING_AHEAD + 1)};
    faults = seed % 2 == 0;
    is_moved = mover_busy = false;
    moves_left = 60;
    faults_left = 8; /* as many as the remote takes at once */
    fs_fixture_init(&fixture, &options);
    memory_remote_poke_mkdir(fixture.memory, "top");
    memory_remote_poke_file(fixture.memory, "log", "", 0);
    fs_fixture_start(&fixture);
    top = fs_walk(&fixture, "top");
    for (unsigned i = 0; i < PROGRAMS; i++)
        start_program(&programs[i], i);
    for (bool busy = true; busy;) {
        move_top();
        busy = mover_busy;
        for (unsigned i = 0; i < PROGRAMS; i++)
            busy |= run_program(&programs[i]);
        if (faults && random_below(100) == 0)
            add_fault();
        memory_remote_step(fixture.memory);
    }
    check_log();
    memory_remote_run(fixture.memory);
    for (unsigned i = 0; i < PROGRAMS; i++)
        finish_program(&programs[i]);
    fs_forget(&fixture, top);
    fs_fixture_fini(&fixture);
}

static void programs_see_what_they_did(void **state)
{
    (void)state;
    const char *seed_text = getenv("CLUSTERFS_TEST_SEED");
    const char *rounds_text = getenv("CLUSTERFS_TEST_ROUNDS");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    uint64_t rounds = rounds_text ? strtoull(rounds_text, NULL, 10) : ROUNDS;
    for (uint64_t i = 0; i < rounds; i++) {
        current_seed = seed + i;
        run_round(seed + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(programs_see_what_they_did, say_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Random operations of several programs at once, compared with a reference model.
 *
 * Each program works in a folder of its own, one operation after another, so that its model knows every answer; all
 * of them run at the same time, over a remote that delays and reorders, while another program renames the folder that
 * all of them lie in, and they rename their own. No answer may depend on any of that. They also append to one log: each
 * record that was acknowledged is in it once, whole. In some rounds calls fail, with or without effect, or are never
 * answered; then an operation on names is looked up on the server, and a file that was written to is no longer
 * compared.
 *
 * The same with the cache in between, in both durabilities. Then, too:
 * - When flush (durability = close) or fsync returns 0, the server has every byte.
 * - What a fault has taken is told to who flushes, before all have closed the file.
 * - With durability = fsync and faults, what was told to be done may not come true: from the first fault on, the
 *   model believes what the file system says (programs_believe).
 * - In the end, when the times to live are over, the file system shows what the server has: names and contents.
 *
 * CLUSTERFS_TEST_SEED and CLUSTERFS_TEST_ROUNDS repeat a failure and look for more; CLUSTERFS_TEST_TRACE tells what the
 * programs do. */
#include "fs/programs.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { OPERATIONS = 250 /* of each program, in a round */, ROUNDS = 200 };

static unsigned faults_left; /* in this round */

/* Said when a round fails: cmocka leaves the test by a jump. */
static uint64_t current_seed;

static int say_seed(void **state)
{
    (void)state;
    print_message("the last round was CLUSTERFS_TEST_SEED=%llu\n", (unsigned long long)current_seed);
    return 0;
}

/* --- the log --- */

static void check_append(struct program *program, int error)
{
    program_expect(program, error, 0);
    if (error == 0)
        program->acknowledged |= 1u << program->records;
    else if (world.cached)
        program->log_uncertain = true; /* what was written before did not arrive */
    program->records++;
}

static void start_append(struct program *program)
{
    if (program->records == 32)
        return;
    char text[RECORD + 1];
    snprintf(text, sizeof(text), "p%u.%04u\n", program->number, program->records);
    memcpy(program->data, text, RECORD);
    program_begin(program, check_append);
    cfs_fs_write(world.fixture.fs, &program->call.request, program->log, 0, RECORD, program->data);
}

static void check_log(void)
{
    char content[PROGRAMS * 32 * RECORD + 1];
    ssize_t length = memory_remote_peek(world.fixture.memory, "log", 0, content, sizeof(content));
    assert_true(length >= 0);
    assert_int_equal(length % RECORD, 0);
    unsigned seen[PROGRAMS] = {0};
    static const char lost[RECORD]; /* a write that failed after others were appended leaves a hole */
    for (ssize_t at = 0; at < length; at += RECORD) {
        if (world.cached && world.faults && memcmp(content + at, lost, RECORD) == 0)
            continue;
        unsigned program = (unsigned)(content[at + 1] - '0');
        unsigned record = (unsigned)strtoul((char[]){content[at + 5], content[at + 6], '\0'}, NULL, 10);
        assert_true(content[at] == 'p' && program < PROGRAMS && record < 32);
        assert_false(seen[program] & 1u << record);
        seen[program] |= 1u << record;
    }
    for (unsigned i = 0; i < PROGRAMS; i++) {
        if (!world.programs[i].log_uncertain)
            assert_int_equal(seen[i] & world.programs[i].acknowledged, world.programs[i].acknowledged);
    }
}

/* --- folders that move --- */

static void check_move_own(struct program *program, int error)
{
    program_expect(program, error, 0);
    bool stayed = error != 0;
    if (world.believes && error) {
        program->leaves = true;
    } else if (program_is_fault(error)) {
        /* Whether or not it moved: we shall go on in another folder if the file system does not know. */
        stayed = program_is_on_server(program, NULL);
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
    program_begin(program, check_move_own);
    cfs_fs_rename(world.fixture.fs, &program->call.request, top, from, top, to, 0);
}

static struct fs_call mover;
static bool mover_busy, is_moved;
static unsigned moves_left;

static void move_top(void)
{
    if (mover_busy && atomic_load(&mover.replied)) {
        mover_busy = false;
        assert_true(mover.request.error == 0 || world.believes);
        is_moved ^= mover.request.error == 0;
    }
    if (!mover_busy && moves_left > 0 && program_random(30) == 0) {
        moves_left--;
        mover_busy = true;
        fs_call_init(&mover);
        cfs_fs_rename(world.fixture.fs, &mover.request, CFS_ROOT_NODE, is_moved ? "moved" : "top", CFS_ROOT_NODE,
                      is_moved ? "top" : "moved", 0);
    }
}

/* --- a round --- */

static void add_fault(void)
{
    if (faults_left == 0)
        return;
    faults_left--;
    if (world.behind)
        programs_believe();
    /* What is opened and not answered would stay open; the mover's rename must succeed. */
    static const enum memory_operation operations[] = {MEMORY_LSTAT, MEMORY_SETATTR,  MEMORY_UNLINK, MEMORY_WRITE,
                                                       MEMORY_FSTAT, MEMORY_FSETATTR, MEMORY_READ,   MEMORY_FSYNC};
    enum memory_operation operation = operations[program_random(CFS_COUNT(operations))];
    unsigned nth = 1 + program_random(5);
    switch (program_random(4)) {
    case 0:
        memory_remote_fail_after(world.fixture.memory, operation, nth, FAULT);
        break;
    case 1:
        memory_remote_lose_reply(world.fixture.memory, operation, nth);
        break;
    case 2:
        memory_remote_fail(world.fixture.memory, MEMORY_OPEN, nth, FAULT);
        break;
    default:
        memory_remote_fail(world.fixture.memory, operation, nth, FAULT);
    }
}

/* With CLUSTERFS_TEST_TRACE, for who looks for what a seed has found. */
static void trace(const struct program *program, const char *what)
{
    if (!getenv("CLUSTERFS_TEST_TRACE"))
        return;
    fprintf(stderr, "%lld ms: program %u: %s %s %s, slot %d, %zu at %zu\n",
            (long long)cfs_clock_ms(memory_remote_clock(world.fixture.memory)), program->number, what,
            program_name(program->name), program_name(program->other), (int)(program->slot - program->open),
            program->length, program->offset);
}

static void start_something(struct program *program)
{
    static const struct {
        void (*start)(struct program *program);
        const char *name;
    } starts[] = {
        {program_lookup, "lookup"},   {program_lookup, "lookup"},   {program_create, "create"},
        {program_unlink, "unlink"},   {program_rename, "rename"},   {program_open, "open"},
        {program_open, "open"},       {program_write, "write"},     {program_write, "write"},
        {program_write, "write"},     {program_read, "read"},       {program_read, "read"},
        {start_append, "append"},     {program_getattr, "getattr"}, {program_list, "list"},
        {program_list, "list"},       {program_truncate, "cut"},    {program_release, "release"},
        {start_move_own, "move own"}, {program_fsync, "fsync"},
    };
    program->name = (int)program_random(MODEL_NAMES);
    program->other = (int)program_random(MODEL_NAMES);
    program->slot = &program->open[program_random(OPEN_FILES)];
    program->left--;
    size_t what = program_random(CFS_COUNT(starts));
    starts[what].start(program);
    if (program->busy)
        trace(program, starts[what].name);
}

static bool run_program(struct program *program)
{
    if (program->busy && atomic_load(&program->call.replied)) {
        assert_int_equal(program->call.replies, 1);
        program->busy = false;
        if (program->call.request.error)
            trace(program, strerror(-program->call.request.error));
        if (world.cached && program_is_fault(program->call.request.error))
            program_note_fault(program);
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
    assert_int_equal(fs_mkdir(&world.fixture, top, name, 0755, &entry), 0);
    program->folder = entry.node;
    uint64_t log = fs_walk(&world.fixture, "log");
    assert_int_equal(fs_open(&world.fixture, log, O_WRONLY | O_APPEND, &program->log), 0);
    fs_forget(&world.fixture, log);
}

/* Until all is on the server. */
static int flush(struct cfs_open_file *file)
{
    struct fs_call call;
    fs_call_init(&call);
    if (world.behind)
        cfs_fs_fsync(world.fixture.fs, &call.request, file, false);
    else
        cfs_fs_flush(world.fixture.fs, &call.request, file);
    return fs_call_wait(&world.fixture, &call);
}

static void close_files(struct program *program)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        struct open_file *slot = &program->open[i];
        if (!slot->file)
            continue;
        if (world.cached && flush(slot->file))
            slot->model->uncertain = true;
        fs_release(&world.fixture, slot->file);
        model_file_put(slot->model);
    }
    program->log_uncertain |= flush(program->log) < 0;
    fs_release(&world.fixture, program->log);
}

static void finish_program(struct program *program)
{
    for (int i = 0; i < MODEL_NAMES; i++) {
        const struct model_file *file = program->model.files[i];
        uint8_t content[MODEL_SIZE + 1];
        char path[64];
        snprintf(path, sizeof(path), "%s/p%u.%u/%s", is_moved ? "moved" : "top", program->number,
                 program->folder_version, program_name(i));
        ssize_t length = memory_remote_peek(world.fixture.memory, path, 0, content, sizeof(content));
        assert_true(world.believes || program_may_be_gone(file) || (length >= 0) == (file != NULL));
        if (file && !file->uncertain) {
            assert_int_equal(length, file->size);
            assert_memory_equal(content, file->bytes, file->size);
        }
        program_forget(&program->nodes[i]);
    }
    model_fini(&program->model);
    program_forget(&program->folder);
}

/* A program that waits for ever fails the test. */
static void turn(void)
{
    static unsigned idle;
    idle = fs_fixture_turn(&world.fixture) ? 0 : idle + 1;
    if (idle > 100000)
        fail_msg("nothing is left to do, and a program waits");
    if (idle > 1)
        sched_yield();
}

static void run_round(uint64_t seed)
{
    world.random_state = seed * 2862933555777941757 + 3037000493;
    struct memory_remote_options options = {.seed = seed,
                                            .latency_ms = program_random(3) * 20,
                                            .jitter_ms = program_random(3) * 15,
                                            .listing_batch = 1 + program_random(5),
                                            .tells_changes = program_random(2),
                                            .listing_ahead = program_random(CFS_REMOTE_LISTING_AHEAD + 1)};
    static const uint64_t sizes[] = {0, 4000, 1 << 20};
    world.faults = seed % 2 == 0;
    is_moved = mover_busy = world.believes = false;
    moves_left = 60;
    faults_left = 8; /* as many as the remote takes at once */
    fs_fixture_init(&world.fixture, &options);
    world.fixture.is_cached = world.cached;
    world.fixture.cache_options =
        (struct cfs_cache_options){.attr_ttl_ms = program_random(2) ? -1 : 2000,
                                   .entries = program_random(3) ? 0 : 10,
                                   .cache_size = sizes[program_random(CFS_COUNT(sizes))],
                                   .dirty_limit = sizes[program_random(CFS_COUNT(sizes))],
                                   .prefetch = program_random(2),
                                   .durability = world.behind ? CFS_DURABILITY_FSYNC : CFS_DURABILITY_CLOSE};
    memory_remote_poke_mkdir(world.fixture.memory, "top");
    memory_remote_poke_file(world.fixture.memory, "log", "", 0);
    fs_fixture_start(&world.fixture);
    top = fs_walk(&world.fixture, "top");
    for (unsigned i = 0; i < PROGRAMS; i++)
        start_program(&world.programs[i], i);
    for (bool busy = true; busy;) {
        move_top();
        busy = mover_busy;
        for (unsigned i = 0; i < PROGRAMS; i++)
            busy |= run_program(&world.programs[i]);
        if (world.faults && program_random(100) == 0)
            add_fault();
        turn();
    }
    for (unsigned i = 0; i < PROGRAMS; i++)
        close_files(&world.programs[i]);
    fs_fixture_run(&world.fixture);
    check_log();
    for (unsigned i = 0; i < PROGRAMS; i++)
        finish_program(&world.programs[i]);
    fs_forget(&world.fixture, top);
    if (world.cached)
        compare_with_server();
    fs_fixture_fini(&world.fixture);
}

static void run_rounds(void)
{
    const char *seed_text = getenv("CLUSTERFS_TEST_SEED");
    const char *rounds_text = getenv("CLUSTERFS_TEST_ROUNDS");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    uint64_t rounds = rounds_text ? strtoull(rounds_text, NULL, 10) : ROUNDS;
    for (uint64_t i = 0; i < rounds; i++) {
        current_seed = seed + i;
        run_round(seed + i);
    }
}

static void programs_see_what_they_did(void **state)
{
    (void)state;
    world.cached = world.behind = false;
    run_rounds();
}

static void programs_see_what_they_did_through_the_cache(void **state)
{
    (void)state;
    world.cached = true;
    world.behind = false;
    run_rounds();
}

static void programs_see_what_is_finished_behind(void **state)
{
    (void)state;
    world.cached = world.behind = true;
    run_rounds();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(programs_see_what_they_did, say_seed),
        cmocka_unit_test_teardown(programs_see_what_they_did_through_the_cache, say_seed),
        cmocka_unit_test_teardown(programs_see_what_is_finished_behind, say_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

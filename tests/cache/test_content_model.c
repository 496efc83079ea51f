/* Contents against a plain array of bytes: seeded random reads, writes, truncations, copies, flushes, opens, closes,
 * renames and removals, many in flight at once, by several handles, with delays, reordering and little memory; and
 * changes behind the back while nobody has the file open, also within one second and of the same size, as far as they
 * can be seen; and growth while it is open.
 *
 * What is expected of a call is settled when it is submitted: the contents keep the order of calls on one file even
 * over several handles. */
#include "lib/test.h"

#include "lib/contents_fixture.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILES = 3, HANDLES = 3, SPACE = 600 * 1024, IN_FLIGHT = 12 };

enum kind { NONE, READ, WRITE, TRUNCATE, TRUNCATE_PATH, FLUSH, FSYNC, FSTAT };

struct operation {
    struct sync_call sync;
    enum kind kind;
    int file;
    size_t length, expected_length;
    uint8_t *got, *expected;
};

struct model {
    struct contents_fixture fixture;
    uint64_t random;
    size_t space; /* bytes used of each file: in little space all meets all */
    uint8_t *bytes[FILES];
    size_t size[FILES];
    /* By others, since we opened it last; a change in place must not hide behind growth. And whether such a change
     * could hide within the second: see cache/content_check.c. */
    enum { UNCHANGED, GROWN, CHANGED } foreign[FILES];
    bool hides[FILES];
    char name[FILES][32];
    struct cfs_remote_file *handle[FILES][HANDLES];
    struct operation operations[IN_FLIGHT];
    unsigned names;
    int only_read; /* one file, or -1 */
};

static uint64_t draw(struct model *model, uint64_t below)
{
    uint64_t z = (model->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static void fill(struct model *model, uint8_t *bytes, size_t length)
{
    uint8_t begin = (uint8_t)draw(model, 256), step = (uint8_t)(1 + draw(model, 7));
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(begin + i * step);
}

static uint64_t some_offset(struct model *model, int file)
{
    switch (draw(model, 4)) {
    case 0:
        return draw(model, model->space);
    case 1:
        return model->size[file];
    case 2:
        return 0;
    default:
        return draw(model, model->size[file] + 1);
    }
}

static size_t some_length(struct model *model, uint64_t offset)
{
    static const size_t most[] = {10, 5000, 140000, 300000};
    size_t length = 1 + draw(model, most[draw(model, CFS_COUNT(most))]);
    return offset + length > model->space ? model->space - offset : length;
}

/* --- calls in flight --- */

static void check_read(const struct operation *operation)
{
    assert_int_equal(operation->sync.call.result.length, operation->expected_length);
    for (size_t i = 0; i < operation->expected_length; i++) {
        if (operation->got[i] != operation->expected[i])
            fail_msg("byte %zu of %zu is %u, not %u", i, operation->expected_length, operation->got[i],
                     operation->expected[i]);
    }
}

static void finish(struct model *model, struct operation *operation)
{
    if (operation->kind == NONE)
        return;
    assert_int_equal(sync_wait(&model->fixture.driver, &operation->sync), 0);
    if (operation->kind == READ)
        check_read(operation);
    if (operation->kind == FSTAT)
        assert_int_equal(operation->sync.call.result.attributes.size, operation->expected_length);
    sync_fini(&operation->sync);
    free(operation->got);
    free(operation->expected);
    memset(operation, 0, sizeof(*operation));
}

static void finish_all(struct model *model)
{
    for (int i = 0; i < IN_FLIGHT; i++)
        finish(model, &model->operations[i]);
}

static void start_read(struct model *model, struct operation *operation, struct cfs_remote_file *handle)
{
    const struct cfs_remote_operations *operations = model->fixture.contents->operations;
    int file = operation->file;
    uint64_t offset = some_offset(model, file);
    size_t length = some_length(model, offset) + 1;
    operation->got = malloc(length);
    operation->expected = malloc(length);
    assert_true(operation->got && operation->expected);
    if (offset < model->size[file])
        operation->expected_length = model->size[file] - offset < length ? model->size[file] - offset : length;
    memcpy(operation->expected, model->bytes[file] + offset, operation->expected_length);
    operations->read(model->fixture.contents, &operation->sync.call, handle, offset, length, operation->got);
}

static void start_write(struct model *model, struct operation *operation, struct cfs_remote_file *handle)
{
    const struct cfs_remote_operations *operations = model->fixture.contents->operations;
    int file = operation->file;
    uint64_t offset = some_offset(model, file);
    size_t length = some_length(model, offset);
    uint8_t *data CFS_AUTO_FREE = malloc(length + 1);
    assert_non_null(data);
    fill(model, data, length);
    operations->write(model->fixture.contents, &operation->sync.call, handle, offset, length, data);
    memcpy(model->bytes[file] + offset, data, length);
    if (length && offset + length > model->size[file])
        model->size[file] = offset + length;
}

static void start_truncate(struct model *model, struct operation *operation, struct cfs_remote_file *handle)
{
    const struct cfs_remote_operations *operations = model->fixture.contents->operations;
    int file = operation->file;
    struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = some_offset(model, file)};
    if (operation->kind == TRUNCATE)
        operations->fsetattr(model->fixture.contents, &operation->sync.call, handle, &set);
    else
        operations->setattr(model->fixture.contents, &operation->sync.call, model->name[file], S_IFREG, &set);
    if (set.size < model->size[file])
        memset(model->bytes[file] + set.size, 0, model->size[file] - set.size);
    model->size[file] = set.size;
}

static void start(struct model *model, struct operation *operation, enum kind kind, int file,
                  struct cfs_remote_file *handle)
{
    const struct cfs_remote_operations *operations = model->fixture.contents->operations;
    struct cfs_remote_call *call = &operation->sync.call;
    sync_init(&operation->sync);
    operation->kind = kind;
    operation->file = file;
    sync_begin(&operation->sync);
    if (kind == READ)
        start_read(model, operation, handle);
    else if (kind == WRITE)
        start_write(model, operation, handle);
    else if (kind == FLUSH)
        operations->flush(model->fixture.contents, call, handle);
    else if (kind == FSYNC)
        operations->fsync(model->fixture.contents, call, handle);
    else
        start_truncate(model, operation, handle);
    sync_submitted(&operation->sync);
}

static void some_call(struct model *model)
{
    static const enum kind kinds[] = {READ,  READ,  READ,     READ,          WRITE, WRITE,
                                      WRITE, WRITE, TRUNCATE, TRUNCATE_PATH, FLUSH, FSYNC};
    struct operation *operation = &model->operations[draw(model, IN_FLIGHT)];
    int file = (int)draw(model, FILES);
    struct cfs_remote_file *handle = model->handle[file][draw(model, HANDLES)];
    finish(model, operation);
    if (!handle)
        return;
    enum kind kind = kinds[draw(model, CFS_COUNT(kinds))];
    if (file == model->only_read)
        kind = READ;
    model->hides[file] |= kind != READ;
    start(model, operation, kind, file, handle);
}

/* --- at rest --- */

static void check_server(struct model *model, int file)
{
    uint8_t *bytes CFS_AUTO_FREE = malloc(SPACE + 1);
    assert_non_null(bytes);
    assert_int_equal(memory_remote_peek(model->fixture.memory, model->name[file], 0, bytes, SPACE + 1),
                     model->size[file]);
    assert_memory_equal(bytes, model->bytes[file], model->size[file]);
}

static void close_handle(struct model *model, int file, int handle)
{
    if (!model->handle[file][handle])
        return;
    assert_int_equal(sync_close(&model->fixture.driver, CFS_TAKE(model->handle[file][handle])), 0);
}

static void open_handle(struct model *model, int file, int handle)
{
    bool truncates = draw(model, 8) == 0 && file != model->only_read;
    close_handle(model, file, handle);
    finish_all(model);
    model->foreign[file] = UNCHANGED;
    model->hides[file] |= truncates;
    model->handle[file][handle] =
        contents_open(&model->fixture, model->name[file], O_RDWR | (truncates ? O_TRUNC : O_CREAT));
    if (truncates) {
        memset(model->bytes[file], 0, model->size[file]);
        model->size[file] = 0;
    }
}

static void close_all(struct model *model, int file)
{
    finish_all(model);
    for (int i = 0; i < HANDLES; i++)
        close_handle(model, file, i);
    check_server(model, file);
}

static void poke(struct model *model, int file, uint64_t offset, size_t length)
{
    fill(model, model->bytes[file] + offset, length);
    if (length && offset + length > model->size[file])
        model->size[file] = offset + length;
    memory_remote_poke_write(model->fixture.memory, model->name[file], offset, model->bytes[file] + offset, length);
}

static void append_behind_the_back(struct model *model, int file)
{
    model->foreign[file] = GROWN;
    model->hides[file] = true;
    poke(model, file, model->size[file], some_length(model, model->size[file]));
}

static void change_in_place(struct model *model, int file)
{
    uint64_t offset = draw(model, model->size[file] + 1);
    size_t length = some_length(model, offset);
    model->foreign[file] = CHANGED;
    if (model->hides[file])
        memory_remote_advance(model->fixture.memory, 1000 + (int64_t)draw(model, 4000));
    poke(model, file, offset, offset + length > model->size[file] ? model->size[file] - offset : length);
}

/* All of it, perhaps to the same size. */
static void make_anew(struct model *model, int file)
{
    size_t size = draw(model, 2) ? model->size[file] : draw(model, model->space);
    model->foreign[file] = CHANGED;
    memset(model->bytes[file], 0, SPACE);
    fill(model, model->bytes[file], size);
    model->size[file] = size;
    memory_remote_poke_file(model->fixture.memory, model->name[file], model->bytes[file], size);
}

/* Another program changes the file, perhaps within the second. */
static void change_behind_the_back(struct model *model, int file)
{
    close_all(model, file);
    if (draw(model, 2))
        memory_remote_advance(model->fixture.memory, (int64_t)draw(model, 5000));
    unsigned kind = (unsigned)draw(model, 3);
    if (kind == 0 || (kind == 1 && model->foreign[file] == GROWN) || (kind == 2 && model->foreign[file] == CHANGED))
        make_anew(model, file);
    else if (kind == 1)
        change_in_place(model, file);
    else
        append_behind_the_back(model, file);
    if (draw(model, 2))
        memory_remote_advance(model->fixture.memory, (int64_t)draw(model, 5000));
}

/* Opens, reads all, closes, and lets somebody change it. */
static void reread(struct model *model, int file)
{
    close_all(model, file);
    for (int i = 0; i < 3; i++) {
        model->handle[file][0] = contents_open(&model->fixture, model->name[file], O_RDONLY);
        model->foreign[file] = UNCHANGED;
        uint8_t *bytes CFS_AUTO_FREE = malloc(SPACE);
        assert_non_null(bytes);
        assert_int_equal(sync_read(&model->fixture.driver, model->handle[file][0], 0, bytes, SPACE), model->size[file]);
        assert_memory_equal(bytes, model->bytes[file], model->size[file]);
        change_behind_the_back(model, file);
    }
}

/* A log that somebody has open. */
static void append_to_open(struct model *model, int file)
{
    struct cfs_remote_attributes attributes;
    struct cfs_remote_file *handle = model->handle[file][draw(model, HANDLES)];
    finish_all(model);
    if (!handle || model->foreign[file] == CHANGED)
        return;
    assert_int_equal(sync_flush(&model->fixture.driver, handle), 0);
    append_behind_the_back(model, file);
    assert_int_equal(sync_fstat(&model->fixture.driver, handle, &attributes), 0);
    assert_int_equal(attributes.size, model->size[file]);
}

static void rename_file(struct model *model, int file)
{
    char name[32];
    finish_all(model);
    snprintf(name, sizeof(name), "file%u", model->names++);
    assert_int_equal(sync_rename(&model->fixture.driver, model->name[file], name, CFS_REMOTE_RENAME_REPLACE), 0);
    strcpy(model->name[file], name);
}

/* FILE takes the place of OTHER, whose handles go on with what they have. */
static void rename_over(struct model *model, int file, int other)
{
    close_all(model, other);
    assert_int_equal(
        sync_rename(&model->fixture.driver, model->name[file], model->name[other], CFS_REMOTE_RENAME_REPLACE), 0);
    strcpy(model->name[file], model->name[other]);
    snprintf(model->name[other], sizeof(model->name[other]), "file%u", model->names++);
    memory_remote_poke_file(model->fixture.memory, model->name[other], "", 0);
    memset(model->bytes[other], 0, SPACE);
    model->size[other] = 0;
    model->foreign[other] = CHANGED;
    model->hides[file] = model->hides[other] = true;
}

static void at_rest(struct model *model)
{
    int file = (int)draw(model, FILES);
    switch (draw(model, 9)) {
    case 7:
    case 8:
        append_to_open(model, file);
        break;
    case 6:
        reread(model, file);
        break;
    case 0:
        change_behind_the_back(model, file);
        break;
    case 1:
        rename_file(model, file);
        break;
    case 2:
        rename_over(model, file, (file + 1) % FILES);
        break;
    case 3:
        close_all(model, file);
        break;
    default:
        open_handle(model, file, (int)draw(model, HANDLES));
    }
}

/* --- rounds --- */

static void run_round(uint64_t seed, unsigned steps)
{
    struct model *model CFS_AUTO_FREE = calloc(1, sizeof(*model));
    assert_non_null(model);
    model->random = seed;
    model->space = draw(model, 2) ? SPACE : 20000;
    model->only_read = (int)draw(model, FILES + 1) - 1;
    unsigned rest = draw(model, 2) ? 12 : 80;
    static const uint64_t sizes[] = {0, 100000, 1 << 20, 16 << 20};
    struct memory_remote_options memory = {
        .seed = seed, .latency_ms = (uint32_t)draw(model, 3) * 20, .jitter_ms = (uint32_t)draw(model, 2) * 30};
    struct cfs_cache_options options = {
        .cache_size = sizes[draw(model, 4)], .dirty_limit = sizes[draw(model, 4)], .prefetch = draw(model, 2)};
    contents_fixture_init(&model->fixture, &memory, &options);
    for (int i = 0; i < FILES; i++) {
        model->bytes[i] = calloc(1, SPACE);
        assert_non_null(model->bytes[i]);
        snprintf(model->name[i], sizeof(model->name[i]), "file%u", model->names++);
        memory_remote_poke_file(model->fixture.memory, model->name[i], "", 0);
    }
    for (unsigned i = 0; i < steps; i++) {
        if (draw(model, rest) == 0)
            at_rest(model);
        else
            some_call(model);
    }
    for (int i = 0; i < FILES; i++)
        close_all(model, i);
    contents_fixture_fini(&model->fixture);
    for (int i = 0; i < FILES; i++)
        free(model->bytes[i]);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 10) : otherwise;
}

static void test_contents_match_a_plain_array(void **state)
{
    uint64_t seed = number_of("CLUSTERFS_TEST_SEED", 1), rounds = number_of("CLUSTERFS_TEST_ROUNDS", 60);
    for (uint64_t i = 0; i < rounds; i++) {
        printf("seed %llu\n", (unsigned long long)(seed + i));
        fflush(stdout);
        run_round(seed + i, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents_match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The cache over a pool with several sessions, from a seed: random reads, writes, truncations, renames, flushes and
 * opens of two files, by two handles each, while the servers of the further sessions, or of any, are killed at random
 * moments, in the middle of what they move. No call may fail, and all that is read, in the end by the server's own
 * files, is what was written. */
#include "lib/test.h"

#include "cache/cache.h"
#include "lib/find_sftp_server.h"
#include "lib/pool_fixture.h"
#include "lib/scratch.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SESSIONS = 3, FILES = 2, HANDLES = 2, SPACE = 3 << 20, MOST = 700 * 1024, STEPS = 120, ROUNDS = 8 };

struct model {
    bool all;                    /* any server may be killed, and the connection is made again */
    struct remote_driver driver; /* of the cache */
    struct pool_fixture *pool;
    uint64_t random;
    uint8_t *bytes[FILES];
    size_t size[FILES];
    char name[FILES][32];
    unsigned names, killed;
    struct cfs_remote_file *handle[FILES][HANDLES];
    uint8_t *buffer;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    uint64_t z = (model->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

/* A server of a further session, if there is one. */
static void kill_one(struct model *model)
{
    char *path CFS_AUTO_FREE = scratch_path(model->pool->folder, model->all ? "pids" : "further");
    FILE *file = fopen(path, "r");
    int pid = 0, chosen = 0;
    for (uint64_t count = 1; file && fscanf(file, "%d", &pid) == 1; count++) {
        if (draw(model, count) == 0)
            chosen = pid;
    }
    if (file)
        fclose(file);
    if (chosen && pool_fixture_is_below_us(chosen))
        model->killed += kill(chosen, SIGKILL) == 0;
}

static void write_some(struct model *model, size_t file, struct cfs_remote_file *handle)
{
    size_t offset = draw(model, model->size[file] + 1), length = 1 + draw(model, MOST);
    if (offset + length > SPACE)
        length = SPACE - offset;
    uint8_t first = (uint8_t)draw(model, 256);
    for (size_t i = 0; i < length; i++)
        model->bytes[file][offset + i] = (uint8_t)(first + i * 7 + (i >> 9));
    if (length && offset + length > model->size[file])
        model->size[file] = offset + length;
    assert_int_equal(sync_write(&model->driver, handle, offset, model->bytes[file] + offset, length), 0);
}

static void read_some(struct model *model, size_t file, struct cfs_remote_file *handle)
{
    size_t offset = draw(model, model->size[file] + 1), length = 1 + draw(model, MOST);
    size_t there = model->size[file] - offset < length ? model->size[file] - offset : length;
    assert_int_equal(sync_read(&model->driver, handle, offset, model->buffer, length), there);
    assert_memory_equal(model->buffer, model->bytes[file] + offset, there);
}

static void truncate_file(struct model *model, size_t file, struct cfs_remote_file *handle)
{
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = draw(model, SPACE)};
    assert_int_equal(sync_fsetattr(&model->driver, handle, &set), 0);
    if (set.size < model->size[file])
        memset(model->bytes[file] + set.size, 0, model->size[file] - set.size);
    model->size[file] = set.size;
}

static void rename_file(struct model *model, size_t file)
{
    char name[32];
    snprintf(name, sizeof(name), "file%u", model->names++);
    assert_int_equal(sync_rename(&model->driver, model->name[file], name, CFS_REMOTE_RENAME_REPLACE), 0);
    memcpy(model->name[file], name, sizeof(name));
}

static void reopen(struct model *model, size_t file, size_t handle)
{
    struct cfs_remote_file **open = &model->handle[file][handle];
    if (*open)
        assert_int_equal(sync_close(&model->driver, *open), 0);
    assert_int_equal(sync_open(&model->driver, model->name[file], O_RDWR | O_CREAT, 0644, open), 0);
}

static void step(struct model *model)
{
    size_t file = draw(model, FILES), number = draw(model, HANDLES);
    struct cfs_remote_file *handle = model->handle[file][number];
    if (draw(model, 30) == 0)
        kill_one(model);
    switch (draw(model, 12)) {
    case 0:
        assert_int_equal(sync_flush(&model->driver, handle), 0);
        break;
    case 1:
        reopen(model, file, number);
        break;
    case 2:
        if (draw(model, 3) == 0)
            truncate_file(model, file, handle);
        else
            rename_file(model, file);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        read_some(model, file, handle);
        break;
    default:
        write_some(model, file, handle);
    }
}

static void check_server(struct model *model, size_t file)
{
    char *path CFS_AUTO_FREE = scratch_path(model->pool->work, model->name[file]);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_int_equal(fread(model->buffer, 1, SPACE, stream), model->size[file]);
    fclose(stream);
    assert_memory_equal(model->buffer, model->bytes[file], model->size[file]);
}

/* The servers of further sessions note their numbers in a file of their own. */
static struct cfs_transport_operations noting;
static const struct cfs_transport_operations *plain;

static struct cfs_stream *open_stream(struct cfs_transport *transport, unsigned session)
{
    if (session > 0)
        setenv("FURTHER_SESSION", "1", 1);
    struct cfs_stream *stream = plain->open_stream(transport, session);
    unsetenv("FURTHER_SESSION");
    return stream;
}

static struct cfs_transport *noting_transport(struct pool_fixture *fixture)
{
    struct cfs_transport *transport =
        pool_fixture_transport(fixture, "[ -z \"$FURTHER_SESSION\" ] || echo $$ >>\"$1/further\"");
    plain = transport->operations;
    noting = *plain;
    noting.open_stream = open_stream;
    transport->operations = &noting;
    return transport;
}

static void open_all(struct model *model)
{
    const struct cfs_pool_options pool = {
        .lanes = 2, .sessions = SESSIONS, .bulk_piece = 1, .op_timeout_ms = TEST_LIMIT_MS, .reconnects = model->all};
    /* Little memory: most of what is read comes from the servers. */
    const struct cfs_cache_options cache = {
        .clock = &cfs_system_clock, .attr_ttl_ms = -1, .cache_size = 1 << 20, .dirty_limit = 1 << 20, .prefetch = true};
    assert_int_equal(pool_fixture_open(model->pool, noting_transport(model->pool), pool), 0);
    assert_int_equal(cfs_cache_new(model->pool->driver.remote, &cache, &model->driver.remote), 0);
    for (size_t file = 0; file < FILES; file++) {
        model->bytes[file] = calloc(1, SPACE);
        assert_non_null(model->bytes[file]);
        snprintf(model->name[file], sizeof(model->name[file]), "file%u", model->names++);
        for (size_t handle = 0; handle < HANDLES; handle++)
            reopen(model, file, handle);
    }
}

static void close_all(struct model *model)
{
    for (size_t file = 0; file < FILES; file++) {
        for (size_t handle = 0; handle < HANDLES; handle++)
            assert_int_equal(sync_close(&model->driver, model->handle[file][handle]), 0);
        check_server(model, file);
        free(model->bytes[file]);
    }
    cfs_cache_free(model->driver.remote);
}

static unsigned run_round(uint64_t seed, bool all)
{
    struct model model = {.all = all, .random = seed, .buffer = malloc(SPACE + MOST)};
    void *state;
    assert_non_null(model.buffer);
    assert_int_equal(pool_fixture_make(&state), 0);
    model.pool = state;
    open_all(&model);
    for (unsigned i = 0; i < STEPS; i++)
        step(&model);
    close_all(&model);
    assert_int_equal(atomic_load(&model.pool->lost), 0);
    assert_int_equal(pool_fixture_remove(&state), 0);
    free(model.buffer);
    return model.killed;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 10) : otherwise;
}

static void run_rounds(bool all)
{
    uint64_t seed = number_of("CLUSTERFS_TEST_SEED", 1), rounds = number_of("CLUSTERFS_TEST_ROUNDS", ROUNDS);
    unsigned killed = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        printf("seed %llu\n", (unsigned long long)(seed + i));
        fflush(stdout);
        killed += run_round(seed + i, all);
    }
    printf("%u servers were killed\n", killed);
    assert_true(killed >= rounds / 2);
}

static void what_was_written_survives_sessions_that_are_killed(void **state)
{
    (void)state;
    run_rounds(false);
}

static void what_was_written_survives_connections_that_are_lost(void **state)
{
    (void)state;
    run_rounds(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_survives_sessions_that_are_killed),
        cmocka_unit_test(what_was_written_survives_connections_that_are_lost),
    };
    if (!find_sftp_server())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

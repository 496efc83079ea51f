/* A mount that loses its connection again and again, from a seed: while it is lost, everything that was seen before is
 * told as it was, with what is written here, whatever others do to it meanwhile; as soon as it is found again,
 * everything is told as it is. CLUSTERFS_TEST_SEED, CLUSTERFS_TEST_ROUNDS. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    FOLDERS = 2,
    FILES = 6,
    OWN = 0,
    MOST = 40000,
    MOST_CLOSING = 200,
    OUTAGES = 6,
    LOOKS = 12,
    HOUR_MS = 3600 * 1000
};

struct state {
    bool present;
    size_t size;
    uint8_t byte; /* all of it */
};

static struct cache_fixture fixture;
static uint64_t seed, random_state;
static struct state known[FOLDERS][FILES], there[FOLDERS][FILES]; /* to the mount; on the server */
static uint8_t bytes[2 * MOST];

static uint64_t below(uint64_t limit)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % limit;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

#define expect(what)                                                                                                   \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            fail_msg("seed %llu: %s", (unsigned long long)seed, #what);                                                \
    } while (0)

static const char *path_of(unsigned folder, unsigned file)
{
    static char path[32];
    snprintf(path, sizeof(path), "d%u/f%u", folder, file);
    return path;
}

/* --- the others --- */

static void change_file(unsigned folder, unsigned file)
{
    struct state *state = &there[folder][file];
    const char *path = path_of(folder, file);
    size_t size = below(4) ? 1 + below(MOST - 1) : 0;
    if (state->present && below(4) == 0) {
        memory_remote_poke_remove(fixture.memory, path);
        state->present = false;
        return;
    }
    *state = (struct state){true, size == state->size ? size + 1 : size, (uint8_t)(1 + below(255))};
    memset(bytes, state->byte, state->size);
    memory_remote_poke_file(fixture.memory, path, bytes, state->size);
}

static void change_some(void)
{
    for (uint64_t count = below(6); count > 0; count--)
        change_file((unsigned)below(FOLDERS), 1 + (unsigned)below(FILES - 1));
}

/* --- what the mount tells --- */

/* Of a file with bytes that are not on the server yet a close waits for them; no program does, for one that it reads.
 */
static struct cache_call closing[MOST_CLOSING];
static size_t closing_count;

static void close_file(struct cfs_remote_file *file)
{
    struct cache_call *call = &closing[closing_count++];
    expect(closing_count <= MOST_CLOSING);
    cache_call_init(call);
    fixture.operations->close(fixture.cache, &call->call, file);
}

static void wait_for_closes(void)
{
    while (closing_count > 0)
        expect(cache_wait(&fixture, &closing[--closing_count]) == 0);
}

static void expect_look(const struct state *state, unsigned folder, unsigned file)
{
    struct cfs_remote_attributes attributes;
    int error = cache_lstat(&fixture, path_of(folder, file), &attributes);
    expect(error == (state->present ? 0 : -ENOENT));
    expect(error < 0 || attributes.size == state->size);
}

static void expect_bytes(const struct state *state, struct cfs_remote_file *file)
{
    size_t size = state->size;
    expect(cache_read(&fixture, file, 0, size + 100, bytes) == (ssize_t)size);
    expect(size == 0 || (bytes[0] == state->byte && memcmp(bytes, bytes + 1, size - 1) == 0));
}

static void expect_content(const struct state *state, unsigned folder, unsigned name)
{
    struct cfs_remote_file *file;
    struct cfs_remote_attributes attributes;
    if (!state->present)
        return;
    expect(cache_open(&fixture, path_of(folder, name), O_RDONLY, &file) == 0);
    expect_bytes(state, file);
    expect(cache_fstat(&fixture, file, &attributes) == 0 && attributes.size == state->size);
    close_file(file);
}

static void expect_listed(const struct state *states, unsigned folder)
{
    char path[8], name[16];
    int error;
    snprintf(path, sizeof(path), "d%u", folder);
    char *listed CFS_AUTO_FREE = cache_list(&fixture, path, &error);
    expect(error == 0);
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%u ", i);
        expect((strstr(listed, name) != NULL) == states[i].present);
    }
}

static void expect_all(struct state states[FOLDERS][FILES])
{
    for (unsigned folder = 0; folder < FOLDERS; folder++) {
        expect_listed(states[folder], folder);
        for (unsigned i = 0; i < FILES; i++) {
            expect_look(&states[folder][i], folder, i);
            expect_content(&states[folder][i], folder, i);
        }
    }
}

static void expect_some(struct state states[FOLDERS][FILES])
{
    for (int i = 0; i < LOOKS; i++) {
        unsigned folder = (unsigned)below(FOLDERS), file = (unsigned)below(FILES);
        switch (below(3)) {
        case 0:
            expect_listed(states[folder], folder);
            break;
        case 1:
            expect_look(&states[folder][file], folder, file);
            break;
        default:
            expect_content(&states[folder][file], folder, file);
        }
    }
}

/* --- an outage --- */

/* What was under way is told as it was. */
static void lose_under_way(void)
{
    struct cache_call look, open;
    unsigned folder = (unsigned)below(FOLDERS), file = (unsigned)below(FILES);
    const struct state *state = &known[folder][file];
    memory_remote_advance(fixture.memory, HOUR_MS);
    cache_turn(&fixture);
    cache_call_init(&look);
    cache_call_init(&open);
    look.call.when_lost = open.call.when_lost = CFS_REMOTE_TELL_OLD;
    fixture.operations->lstat(fixture.cache, &look.call, path_of(folder, file));
    if (state->present)
        fixture.operations->open(fixture.cache, &open.call, path_of(folder, file), O_RDONLY, 0);
    for (uint64_t steps = below(5); steps > 0; steps--)
        (void)memory_remote_step(fixture.memory);
    memory_remote_lose(fixture.memory);
    expect(cache_wait(&fixture, &look) == (state->present ? 0 : -ENOENT));
    expect(!state->present || look.call.result.attributes.size == state->size);
    if (!state->present)
        return;
    expect(cache_wait(&fixture, &open) == 0);
    expect_bytes(state, open.call.result.file);
    close_file(open.call.result.file);
}

/* FILE, in the first folder, is ours alone, and becomes longer. */
static void append(struct cfs_remote_file *file)
{
    struct state *own = &known[0][OWN];
    size_t length = 1 + below(1000);
    memset(bytes, own->byte, length);
    expect(cache_write(&fixture, file, own->size, length, bytes) == 0);
    own->size += length;
}

static void outage(void)
{
    struct cfs_remote_file *file;
    fixture.when_lost = below(2) ? CFS_REMOTE_TELL_OLD : CFS_REMOTE_WAIT; /* no matter, while there is a connection */
    memory_remote_advance(fixture.memory, HOUR_MS); /* what changed just now is not kept over the next open */
    cache_turn(&fixture);
    expect_all(there);
    memcpy(known, there, sizeof(known));
    expect(cache_open(&fixture, path_of(0, OWN), O_RDWR, &file) == 0);
    fixture.when_lost = CFS_REMOTE_TELL_OLD;
    lose_under_way();
    memory_remote_advance(fixture.memory, (int64_t)below(HOUR_MS));
    cache_turn(&fixture);
    expect_some(known);
    change_some();
    append(file);
    expect_some(known);
    expect_all(known);
    there[0][OWN] = known[0][OWN];
    memory_remote_find(fixture.memory);
    expect(cache_flush(&fixture, file) == 0);
    if (below(2))
        expect_all(there);
    expect(cache_close(&fixture, file) == 0);
    wait_for_closes();
}

static void one_round(void)
{
    const struct memory_remote_options options = {
        .seed = seed, .latency_ms = 40, .jitter_ms = 10, .tells_changes = seed & 1, .listing_batch = 3};
    random_state = seed;
    cache_fixture_init(&fixture, &options);
    fixture.options.cache_size = fixture.options.dirty_limit = 4 << 20;
    fixture.options.prefetch = seed & 2;
    memset(there, 0, sizeof(there));
    for (unsigned folder = 0; folder < FOLDERS; folder++) {
        char path[8];
        snprintf(path, sizeof(path), "d%u", folder);
        memory_remote_poke_mkdir(fixture.memory, path);
        for (unsigned i = 0; i < FILES; i++)
            change_file(folder, i);
    }
    memory_remote_advance(fixture.memory, HOUR_MS);
    cache_fixture_start(&fixture);
    for (int i = 0; i < OUTAGES; i++)
        outage();
    fixture.when_lost = CFS_REMOTE_WAIT;
    expect_all(there);
    wait_for_closes();
    cache_fixture_fini(&fixture);
}

static void old_is_told_without_a_connection_and_never_with_one(void **state)
{
    uint64_t first = number_of("CLUSTERFS_TEST_SEED", 1), rounds = number_of("CLUSTERFS_TEST_ROUNDS", 100);
    for (seed = first; seed < first + rounds; seed++)
        one_round();
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(old_is_told_without_a_connection_and_never_with_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

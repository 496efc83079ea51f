/* Contents over the memory remote. */
#include "lib/contents_fixture.h"
#include "lib/test.h"
#include <fcntl.h>
#include <stdlib.h>

enum { MEBIBYTE = 1 << 20 };

void contents_turn(struct contents_fixture *fixture)
{
    for (int i = 0; i < 4; i++)
        cfs_loop_run_once(fixture->loop, 0);
}

/* A call that is never answered ends the test. */
static bool turn(void *context)
{
    struct contents_fixture *fixture = context;
    contents_turn(fixture);
    bool stepped = memory_remote_step(fixture->memory);
    contents_turn(fixture);
    return stepped || memory_remote_step(fixture->memory) || fixture->idle_turns++ < 100;
}

void contents_run(struct contents_fixture *fixture)
{
    do
        contents_turn(fixture);
    while (memory_remote_run(fixture->memory) > 0);
    contents_turn(fixture);
}

void contents_fixture_init(struct contents_fixture *fixture, const struct memory_remote_options *options,
                           const struct cfs_cache_options *cache)
{
    struct cfs_cache_options with = {.cache_size = 16 * MEBIBYTE, .dirty_limit = 4 * MEBIBYTE, .prefetch = true};
    memset(fixture, 0, sizeof(*fixture));
    fixture->memory = memory_remote_new(options);
    fixture->loop = cfs_loop_new();
    assert_non_null(fixture->loop);
    if (cache)
        with = *cache;
    with.clock = memory_remote_clock(fixture->memory);
    assert_int_equal(
        cfs_contents_new(memory_remote_as_remote(fixture->memory), &with, fixture->loop, &fixture->contents), 0);
    fixture->driver = (struct remote_driver){.remote = fixture->contents, .turn = turn, .context = fixture};
}

void contents_fixture_fini(struct contents_fixture *fixture)
{
    contents_run(fixture);
    struct cfs_cache_status status = contents_status(fixture);
    assert_int_equal(status.dirty_bytes, 0);
    cfs_contents_free(fixture->contents);
    cfs_loop_free(fixture->loop);
    memory_remote_free(fixture->memory);
}

struct cfs_cache_status contents_status(struct contents_fixture *fixture)
{
    struct cfs_cache_status status = {.calls = 0};
    cfs_contents_status(fixture->contents, &status);
    return status;
}

uint8_t content_byte(uint64_t offset)
{
    return (uint8_t)((offset * 31) ^ (offset >> 8) ^ (offset >> 16) ^ (offset >> 24));
}

void contents_poke(struct contents_fixture *fixture, const char *path, size_t length)
{
    uint8_t *bytes CFS_AUTO_FREE = malloc(length + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = content_byte(i);
    memory_remote_poke_file(fixture->memory, path, bytes, length);
    memory_remote_poke_mtime(fixture->memory, path, 1000000000);
}

struct cfs_remote_file *contents_open(struct contents_fixture *fixture, const char *path, int flags)
{
    struct cfs_remote_file *file = NULL;
    assert_int_equal(sync_open(&fixture->driver, path, flags, 0644, &file), 0);
    return file;
}

uint64_t contents_expect(struct contents_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, size_t length)
{
    uint64_t before = memory_remote_count(fixture->memory, MEMORY_OPERATIONS);
    uint8_t *bytes CFS_AUTO_FREE = malloc(length + 1);
    assert_non_null(bytes);
    assert_int_equal(sync_read(&fixture->driver, file, offset, bytes, length), length);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != content_byte(offset + i))
            fail_msg("the byte at %llu is %u, not %u", (unsigned long long)(offset + i), bytes[i],
                     content_byte(offset + i));
    }
    return memory_remote_count(fixture->memory, MEMORY_OPERATIONS) - before;
}

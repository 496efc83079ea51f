/* The whole cache with its own thread, used by several threads at once, over a remote that answers on yet another one:
 * for ThreadSanitizer above all. Each thread has its part of every file, where it must read what it wrote. */
#include "lib/test.h"

#include "lib/contents_fixture.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 4, FILES = 2, PART = 150000, STEPS = 250 };

struct world {
    struct memory_remote *memory;
    struct remote_driver driver; /* no turn: the remote has threads */
    atomic_bool ends;
};

struct worker {
    struct world *world;
    pthread_t thread;
    unsigned number;
    uint64_t random;
    struct cfs_remote_file *files[FILES];
    uint8_t bytes[FILES][PART];
};

static uint64_t draw(struct worker *worker, uint64_t below)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (worker->random >> 33) % below;
}

static void *serve(void *context)
{
    struct world *world = context;
    while (!atomic_load(&world->ends)) {
        if (!memory_remote_step(world->memory))
            usleep(50);
    }
    return NULL;
}

static void need(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "a thread failed: %s\n", what);
    abort();
}

static void open_file(struct worker *worker, unsigned file)
{
    char name[8] = {(char)('a' + file)};
    need(sync_open(&worker->world->driver, name, O_RDWR | O_CREAT, 0644, &worker->files[file]) == 0, "open");
}

static void write_some(struct worker *worker, unsigned file, uint64_t at, size_t length)
{
    memset(worker->bytes[file] + at, (int)draw(worker, 256), length);
    need(sync_write(&worker->world->driver, worker->files[file], worker->number * (uint64_t)PART + at,
                    worker->bytes[file] + at, length) == 0,
         "write");
}

static void read_some(struct worker *worker, unsigned file, uint64_t at, size_t length)
{
    uint8_t *bytes CFS_AUTO_FREE = malloc(length);
    need(bytes && sync_read(&worker->world->driver, worker->files[file], worker->number * (uint64_t)PART + at, bytes,
                            length) == (ssize_t)length,
         "read");
    need(memcmp(bytes, worker->bytes[file] + at, length) == 0, "what was read is what was written");
}

static void cancel_some(struct worker *worker, unsigned file)
{
    struct cfs_remote *remote = worker->world->driver.remote;
    struct sync_call sync;
    uint8_t *bytes CFS_AUTO_FREE = malloc(PART);
    need(bytes != NULL, "memory");
    sync_init(&sync);
    remote->operations->read(remote, &sync.call, worker->files[file], draw(worker, THREADS) * PART, PART, bytes);
    remote->operations->cancel(remote, &sync.call);
    int error = sync_wait(&worker->world->driver, &sync);
    need(error == 0 || error == -EINTR, "a cancelled read");
    sync_fini(&sync);
}

static void step(struct worker *worker)
{
    struct cfs_remote_attributes attributes;
    struct remote_driver *driver = &worker->world->driver;
    unsigned file = (unsigned)draw(worker, FILES);
    uint64_t at = draw(worker, PART);
    size_t length = 1 + draw(worker, PART - at);
    switch (draw(worker, 12)) {
    case 0:
        need(sync_flush(driver, worker->files[file]) == 0, "flush");
        break;
    case 1:
        need(sync_close(driver, worker->files[file]) == 0, "close");
        open_file(worker, file);
        break;
    case 2:
        cancel_some(worker, file);
        break;
    case 3:
        need(sync_fstat(driver, worker->files[file], &attributes) == 0, "fstat");
        break;
    case 4:
        need(sync_lstat(driver, file ? "b" : "a", &attributes) == 0, "lstat");
        break;
    case 5:
    case 6:
    case 7:
        write_some(worker, file, at, length);
        break;
    default:
        read_some(worker, file, at, length);
    }
}

static void *work(void *context)
{
    struct worker *worker = context;
    for (unsigned i = 0; i < FILES; i++) {
        open_file(worker, i);
        write_some(worker, i, 0, PART);
    }
    for (unsigned i = 0; i < STEPS; i++)
        step(worker);
    for (unsigned i = 0; i < FILES; i++)
        need(sync_close(&worker->world->driver, worker->files[i]) == 0, "close");
    return NULL;
}

static void check_server(const struct world *world, const struct worker *worker)
{
    uint8_t *bytes CFS_AUTO_FREE = malloc(PART);
    assert_non_null(bytes);
    for (unsigned i = 0; i < FILES; i++) {
        char name[8] = {(char)('a' + i)};
        assert_int_equal(memory_remote_peek(world->memory, name, worker->number * (uint64_t)PART, bytes, PART), PART);
        assert_memory_equal(bytes, worker->bytes[i], PART);
    }
}

static void told(void *context, const char *path, bool is_another)
{
    (void)path;
    (void)is_another;
    atomic_fetch_add((atomic_uint *)context, 1);
}

static void run(const struct cfs_cache_options *options)
{
    static struct worker workers[THREADS];
    struct world world = {.memory = memory_remote_new(NULL)};
    atomic_uint changes = 0;
    struct cfs_cache_options with = *options;
    pthread_t server;
    with.clock = &cfs_system_clock; /* each second, open files are asked about */
    with.changed = told;
    with.context = &changes;
    assert_int_equal(cfs_cache_new(memory_remote_as_remote(world.memory), &with, &world.driver.remote), 0);
    assert_int_equal(pthread_create(&server, NULL, serve, &world), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.world = &world, .number = i, .random = i + 1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    cfs_cache_free(world.driver.remote);
    atomic_store(&world.ends, true);
    pthread_join(server, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        check_server(&world, &workers[i]);
    memory_remote_free(world.memory);
}

static void test_threads_read_what_they_wrote(void **state)
{
    struct cfs_cache_options options = {
        .attr_ttl_ms = -1, .cache_size = 32 << 20, .dirty_limit = 32 << 20, .prefetch = true};
    run(&options);
}

static void test_threads_with_little_memory_wait_for_each_other_and_end(void **state)
{
    struct cfs_cache_options options = {.cache_size = 200000, .dirty_limit = 100000, .prefetch = true};
    run(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_read_what_they_wrote),
        cmocka_unit_test(test_threads_with_little_memory_wait_for_each_other_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

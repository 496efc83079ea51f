/* Many threads at once, as FUSE's workers are: one thread turns the remote, others submit, interrupt and forget. What
 * happens differs from run to run; that each request is answered once and nothing is left does not. Mostly for
 * ThreadSanitizer. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

enum { WORKERS = 4, OPERATIONS = 150 };

static struct fs_fixture fixture;
static atomic_bool stops;

static void *turn(void *context)
{
    (void)context;
    while (!atomic_load(&stops)) {
        if (!memory_remote_step(fixture.memory))
            sched_yield();
    }
    memory_remote_run(fixture.memory);
    return NULL;
}

/* The turning thread brings the reply. */
static int wait_for(struct fs_call *call)
{
    test_wait_until(atomic_load(&call->replied));
    return call->request.error;
}

static int start(void **state)
{
    static pthread_t turner;
    fs_fixture_init(&fixture, NULL);
    fs_fixture_start(&fixture);
    memory_remote_poke_mkdir(fixture.memory, "folder");
    memory_remote_poke_file(fixture.memory, "folder/log", "", 0);
    atomic_store(&stops, false);
    *state = &turner;
    return pthread_create(&turner, NULL, turn, NULL);
}

static int stop_turning(void **state)
{
    atomic_store(&stops, true);
    return pthread_join(*(pthread_t *)*state, NULL);
}

static int finish(void **state)
{
    (void)state;
    fs_fixture_fini(&fixture);
    return 0;
}

static uint64_t look_up(uint64_t parent, const char *name)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_lookup(fixture.fs, &call.request, parent, name);
    if (wait_for(&call) < 0)
        return 0;
    return call.request.result.entry.node;
}

/* Waits a bit, interrupts, and gives the outcome. */
static int interrupt_and_wait(struct fs_call *call, int round)
{
    for (int i = 0; i < round % 7; i++)
        sched_yield();
    if (round % 3 == 0)
        cfs_fs_interrupt(fixture.fs, &call->request);
    return wait_for(call);
}

static void append(struct cfs_open_file *file, int round)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_write(fixture.fs, &call.request, file, 0, 4, "line");
    interrupt_and_wait(&call, round);
}

static void rename_folder(int round)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_rename(fixture.fs, &call.request, CFS_ROOT_NODE, round % 2 ? "folder" : "moved", CFS_ROOT_NODE,
                  round % 2 ? "moved" : "folder", 0);
    interrupt_and_wait(&call, round);
}

static void open_and_close(uint64_t node, int round)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_open(fixture.fs, &call.request, node, O_RDWR | O_APPEND);
    if (interrupt_and_wait(&call, round) < 0)
        return;
    struct cfs_open_file *file = call.request.result.file;
    append(file, round);
    fs_call_init(&call);
    cfs_fs_release(fixture.fs, &call.request, file);
    wait_for(&call);
}

static void *work(void *context)
{
    int number = *(int *)context;
    for (int round = 0; round < OPERATIONS; round++) {
        uint64_t folder = look_up(CFS_ROOT_NODE, round % 2 ? "folder" : "moved");
        uint64_t log = folder ? look_up(folder, "log") : 0;
        struct fs_call call;
        if (log) {
            fs_call_init(&call);
            cfs_fs_getattr(fixture.fs, &call.request, log, NULL);
            interrupt_and_wait(&call, round + number);
            open_and_close(log, round + number);
            cfs_fs_forget(fixture.fs, log, 1);
        }
        if (number == 0)
            rename_folder(round);
        if (folder)
            cfs_fs_forget(fixture.fs, folder, 1);
    }
    return NULL;
}

static void workers_do_not_get_in_each_others_way(void **state)
{
    pthread_t threads[WORKERS];
    int numbers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(stop_turning(state), 0);
    char bytes[4];
    ssize_t length = memory_remote_peek(fixture.memory, "folder/log", 0, bytes, 4);
    if (length < 0)
        length = memory_remote_peek(fixture.memory, "moved/log", 0, bytes, 4);
    assert_int_equal(length, 4);
    assert_memory_equal(bytes, "line", 4);
}

/* The kernel went away without releasing anything. */
static void what_is_left_open_is_closed_at_the_end(void **state)
{
    struct fs_call call;
    uint64_t folder = look_up(CFS_ROOT_NODE, "folder");
    uint64_t log = look_up(folder, "log");
    for (int i = 0; i < 3; i++) {
        fs_call_init(&call);
        cfs_fs_open(fixture.fs, &call.request, log, O_RDONLY);
        assert_int_equal(wait_for(&call), 0);
    }
    fs_call_init(&call);
    cfs_fs_open_folder(fixture.fs, &call.request, folder);
    assert_int_equal(wait_for(&call), 0);
    cfs_fs_free(fixture.fs);
    assert_int_equal(stop_turning(state), 0);
    assert_int_equal(memory_remote_open_files(fixture.memory), 0);
    memory_remote_free(fixture.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(workers_do_not_get_in_each_others_way, start, finish),
        cmocka_unit_test_setup(what_is_left_open_is_closed_at_the_end, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

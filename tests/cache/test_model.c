/* Random operations through the cache, from a seed, while another program changes the same tree on the remote, replies
 * come late and out of order, and calls fail. Held against the remote's own tree:
 *
 * - What this mount changed is seen at once: after a change and without a remote one since, lstat and listings through
 * the cache tell what is.
 * - What was changed on the remote is seen when the times to live are over.
 * - An open shows what is there.
 *
 * Each round ends with all calls done and the time moved on by more than any time to live; then all names are compared.
 */
#include "lib/test.h"

#include "base/text.h"
#include "lib/cache_fixture.h"
#include "lib/memory_remote_priv.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { IN_FLIGHT = 12, STEPS = 150, LONGEST_TTL_MS = 60000 };

struct model {
    struct cache_fixture fixture;
    uint64_t random;
    struct cache_call calls[IN_FLIGHT];
    bool used[IN_FLIGHT];
    struct cfs_remote_file *file; /* open, or NULL */
    unsigned told;
    bool behind; /* durability = fsync: all is on the server after a sync; a time that was foreseen may differ by the
                    second, for a second */
    bool alone;  /* no other program changes anything: then all is seen at once, whatever overtook what */
    bool links;  /* hard links are made: by SFTP one cannot see that two names are one file, so attributes are not
                    compared */
};

/* splitmix64 */
static uint64_t draw(struct model *model, uint64_t below)
{
    uint64_t z = (model->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static const char *const paths[] = {"a",   "b", "d",   "d/a", "d/b", "d/e",   "d/e/a",
                                    "d/c", "e", "e/a", "e/b", "e/d", "e/d/a", "c"};

static const char *some_path(struct model *model)
{
    size_t few = 3; /* where much happens at once */
    return paths[draw(model, draw(model, 2) ? few : CFS_COUNT(paths))];
}

/* With CLUSTERFS_TEST_TRACE, for who looks for what a seed has found: what is asked of the cache; what the cache asks
 * of the remote is told by that (lib/memory_trace.c). */
static void trace(const char *format, ...) CFS_PRINTF(1, 2);

static void trace(const char *format, ...)
{
    va_list arguments;
    if (!getenv("CLUSTERFS_TEST_TRACE"))
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* --- what is, and what the cache says --- */

static void compare_name(struct model *model, const char *path)
{
    struct cfs_remote_attributes is, told;
    int expected = memory_tree_lstat(memory_remote_tree(model->fixture.memory), path, &is);
    int error = cache_lstat(&model->fixture, path, &told);
    bool both_gone = (expected == -ENOENT || expected == -ENOTDIR) && (error == -ENOENT || error == -ENOTDIR);
    if (both_gone)
        return;
    if (error != expected)
        fail_msg("\"%s\": %d is told, %d is", path, error, expected);
    if (error == 0 && model->links)
        assert_int_equal(is.mode & S_IFMT, told.mode & S_IFMT);
    else if (error == 0 && (is.size != told.size || is.mode != told.mode || (is.mtime != told.mtime && !model->behind)))
        fail_msg("\"%s\": size %llu, mode %o, mtime %lld are told; %llu, %o, %lld are", path,
                 (unsigned long long)told.size, told.mode, (long long)told.mtime, (unsigned long long)is.size, is.mode,
                 (long long)is.mtime);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a b c ", sorted. */
static char *sorted(char **names)
{
    size_t count = 0;
    while (names[count])
        count++;
    qsort(names, count, sizeof(*names), by_name);
    char *text = memory_need(strdup(""));
    for (size_t i = 0; i < count; i++) {
        char *longer = memory_need(cfs_text_format("%s%s ", text, names[i]));
        free(text);
        text = longer;
    }
    return text;
}

static char *sort_text(char *text)
{
    char *names[64] = {NULL}, *next = text;
    for (size_t i = 0; i < 63 && (names[i] = strtok_r(next, " ", &next)); i++)
        ;
    return sorted(names);
}

static void compare_listing(struct model *model, const char *path)
{
    struct memory_node *node;
    int error, expected = memory_tree_open_folder(memory_remote_tree(model->fixture.memory), path, &node);
    char *told = cache_list(&model->fixture, path, &error);
    if ((error == 0) != (expected == 0))
        fail_msg("the listing of \"%s\": %d is told, %d is", path, error, expected);
    if (expected == 0) {
        char **names = memory_node_names(node);
        char *is = sorted(names), *sorted_told = sort_text(told);
        if (strcmp(is, sorted_told) != 0)
            fail_msg("the listing of \"%s\": \"%s\" is told, \"%s\" is", path, sorted_told, is);
        free(is);
        free(sorted_told);
        memory_names_free(names);
        memory_node_put(memory_remote_tree(model->fixture.memory), node);
    }
    free(told);
}

static void compare_all(struct model *model)
{
    /* What was written behind has its mtime when it arrives. */
    if (model->file)
        (void)cache_flush(&model->fixture, model->file);
    (void)cache_sync(&model->fixture);
    compare_listing(model, "");
    for (size_t i = 0; i < CFS_COUNT(paths); i++) {
        compare_name(model, paths[i]);
        compare_listing(model, paths[i]);
    }
    for (size_t i = 0; i < CFS_COUNT(paths); i++)
        compare_name(model, paths[i]);
}

/* --- changes --- */

/* By another program. */
static void change_remotely(struct model *model)
{
    struct memory_tree *tree = memory_remote_tree(model->fixture.memory);
    struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = draw(model, 1000)};
    struct memory_node *node;
    const char *path = some_path(model), *other = some_path(model);
    int error = 0;
    switch (draw(model, 6)) {
    case 0:
        error = memory_tree_mkdir(tree, path, 0755);
        break;
    case 1:
        error = memory_tree_unlink(tree, path);
        break;
    case 2:
        error = memory_tree_rmdir(tree, path);
        break;
    case 3:
        error = memory_tree_rename(tree, path, other, CFS_REMOTE_RENAME_REPLACE);
        break;
    case 4:
        error = memory_tree_setattr(tree, path, &set);
        break;
    default:
        error = memory_tree_open(tree, path, O_CREAT, 0644, &node);
        if (error == 0)
            memory_node_put(tree, node);
    }
    (void)error; /* whatever can be done */
}

/* Through the cache, with *CALL. */
static void submit_change(struct model *model, struct cache_call *call)
{
    const struct cfs_remote_operations *operations = model->fixture.operations;
    struct cfs_remote *cache = model->fixture.cache;
    struct cfs_remote_attributes set = {
        .valid = (unsigned)draw(model, 16), .size = draw(model, 1000), .mode = 0600, .mtime = 1600000000};
    const char *path = some_path(model), *other = some_path(model);
    uint64_t kind = draw(model, 7);
    if (model->links && kind == 4)
        kind = 5;
    static const char *const kinds[] = {"mkdir", "unlink", "rmdir", "symlink", "rename", "link", "setattr"};
    trace("%s \"%s\" \"%s\" set %x size %llu [%p]", kinds[kind], path, other, set.valid, (unsigned long long)set.size,
          (void *)call);
    switch (kind) {
    case 0:
        operations->mkdir(cache, &call->call, path, 0755);
        break;
    case 1:
        operations->unlink(cache, &call->call, path);
        break;
    case 2:
        operations->rmdir(cache, &call->call, path);
        break;
    case 3:
        operations->symlink(cache, &call->call, "/nowhere", path);
        break;
    case 4:
        operations->rename(cache, &call->call, path, other, CFS_REMOTE_RENAME_REPLACE);
        break;
    case 5:
        if (!model->links)
            path = other; /* refused */
        operations->link(cache, &call->call, path, other);
        break;
    default:
        operations->setattr(cache, &call->call, path, S_IFREG, &set);
    }
}

/* --- a round --- */

static void reap(struct model *model)
{
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        if (!model->used[i] || !model->calls[i].completed)
            continue;
        trace("[%p] = %d", (void *)&model->calls[i], model->calls[i].call.error);
        cache_call_fini(&model->calls[i]);
        model->used[i] = false;
    }
}

/* A call that stays in flight for a while: a change, or a look. */
static void submit_something(struct model *model)
{
    size_t i = draw(model, IN_FLIGHT);
    struct cache_call *call = &model->calls[i];
    reap(model);
    if (model->used[i]) {
        if (draw(model, 4) == 0) {
            trace("cancel [%p]", (void *)call);
            model->fixture.operations->cancel(model->fixture.cache, &call->call);
        }
        return;
    }
    cache_call_init(call);
    model->used[i] = true;
    if (draw(model, 2))
        submit_change(model, call);
    else if (draw(model, 2))
        model->fixture.operations->lstat(model->fixture.cache, &call->call, some_path(model));
    else
        model->fixture.operations->readlink(model->fixture.cache, &call->call, some_path(model));
}

static void list_something(struct model *model)
{
    int error;
    const char *path = draw(model, 3) ? some_path(model) : "";
    trace("list \"%s\"", path);
    free(cache_list(&model->fixture, path, &error));
}

static void close_file(struct model *model)
{
    int error = cache_close(&model->fixture, CFS_TAKE(model->file));
    /* A small file is made now: somebody else may have put a folder in its place. */
    assert_true(error == 0 || error == -EIO || error == -ETIMEDOUT || model->behind || !model->alone);
}

static void use_file(struct model *model)
{
    const char *path = some_path(model);
    if (model->file && draw(model, 3) == 0) {
        trace("close");
        close_file(model);
    } else if (model->file) {
        trace("write");
        int error = cache_write(&model->fixture, model->file, draw(model, 2000), 4, "text");
        assert_true(error == 0 || error == -EBADF || error == -EIO || error == -ETIMEDOUT || model->behind ||
                    !model->alone);
    } else {
        static const int flags[] = {O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_TRUNC};
        int how = flags[draw(model, CFS_COUNT(flags))];
        trace("open \"%s\" %o", path, how);
        int error = cache_open(&model->fixture, path, how, &model->file);
        trace("open \"%s\" = %d", path, error);
        if (error < 0)
            model->file = NULL;
    }
}

static void finish_calls(struct model *model)
{
    cache_run(&model->fixture);
    cache_run(&model->fixture);
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        if (model->used[i])
            cache_wait(&model->fixture, &model->calls[i]);
    }
    reap(model);
}

/* Those that were set strike the next call, all of them. */
static void use_up_faults(struct model *model)
{
    struct cache_call call;
    cache_call_init(&call);
    model->fixture.operations->statfs(model->fixture.cache, &call.call);
    cache_wait(&model->fixture, &call);
}

/* Own changes alone, one after another: each is seen at once. */
static void change_and_compare(struct model *model)
{
    finish_calls(model);
    use_up_faults(model);
    if (model->file && !model->alone) /* another program may have moved it */
        close_file(model);
    trace("change and compare");
    if (model->alone)
        compare_all(model);
    else
        memory_remote_advance(model->fixture.memory, LONGEST_TTL_MS); /* earlier remote changes show */
    for (uint64_t changes = draw(model, 6); changes > 0; changes--) {
        struct cache_call call;
        cache_call_init(&call);
        submit_change(model, &call);
        cache_wait(&model->fixture, &call);
        trace("[%p] = %d", (void *)&call, call.call.error);
        cache_call_fini(&call);
        if (draw(model, 3) == 0)
            use_file(model);
        if (draw(model, 2))
            compare_all(model);
    }
    compare_all(model);
}

/* The next call, whatever it is: has its effect or not, and is told so late, or wrongly. */
static void set_fault(struct model *model)
{
    int error = draw(model, 2) ? -EIO : -ETIMEDOUT;
    switch (draw(model, 3)) {
    case 0:
        memory_remote_fail(model->fixture.memory, MEMORY_OPERATIONS, 1, error);
        break;
    case 1:
        memory_remote_lose_reply(model->fixture.memory, MEMORY_OPERATIONS, 1);
        break;
    default:
        memory_remote_fail_after(model->fixture.memory, MEMORY_OPERATIONS, 1, error);
    }
}

static void step(struct model *model)
{
    switch (draw(model, 10)) {
    case 0:
        if (!model->alone)
            change_remotely(model);
        break;
    case 1:
        list_something(model);
        break;
    case 2:
        use_file(model);
        break;
    case 3:
        memory_remote_advance(model->fixture.memory, (int64_t)draw(model, 3000));
        break;
    case 4:
        if (draw(model, 10) == 0)
            change_and_compare(model);
        break;
    case 5:
        if (draw(model, 10) == 0)
            set_fault(model);
        break;
    default:
        submit_something(model);
        for (uint64_t turns = draw(model, 4); turns > 0; turns--) {
            memory_remote_step(model->fixture.memory);
            cache_turn(&model->fixture);
        }
    }
}

/* That somebody is told makes the cache ask about open files. */
static void told(void *context, const char *path, bool is_another)
{
    struct model *model = context;
    (void)is_another;
    assert_true(*path);
    model->told++;
}

static void play(uint64_t seed)
{
    struct memory_remote_options options = {
        .seed = seed, .latency_ms = seed % 3 * 10, .jitter_ms = seed % 5 * 10, .listing_batch = 1 + seed % 4};
    struct model model = {.random = seed, .links = seed % 4 == 1, .alone = seed % 2 == 0};
    cache_fixture_init(&model.fixture, &options);
    model.fixture.options.entries = seed % 4 == 0 ? 6 : 0;
    model.fixture.options.attr_ttl_ms = seed % 7 == 0 ? 3000 : -1;
    if (seed % 3 == 0)
        model.fixture.options.cache_size = model.fixture.options.dirty_limit = 1 << 20;
    model.behind = seed % 3 == 0 && seed % 5 < 3;
    model.fixture.options.durability = model.behind ? CFS_DURABILITY_FSYNC : CFS_DURABILITY_CLOSE;
    if (seed % 2 == 0 || seed % 5 == 0) {
        model.fixture.options.changed = told;
        model.fixture.options.context = &model;
    }
    memory_remote_advance(model.fixture.memory, (int64_t)draw(&model, 1000000));
    cache_fixture_start(&model.fixture);
    for (unsigned i = 0; i < STEPS; i++)
        step(&model);
    change_and_compare(&model);
    if (model.file)
        close_file(&model);
    cache_fixture_fini(&model.fixture);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_own_changes_show_at_once_and_remote_ones_when_the_time_to_live_is_over(void **state)
{
    (void)state;
    uint64_t seed = from_environment("CLUSTERFS_TEST_SEED", 1);
    uint64_t rounds = from_environment("CLUSTERFS_TEST_ROUNDS", 400);
    for (uint64_t i = 0; i < rounds; i++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)(seed + i));
        play(seed + i);
    }
    fprintf(stderr, "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_changes_show_at_once_and_remote_ones_when_the_time_to_live_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Random programs that go through folders, from a seed, while this mount and another machine change the files: what a
 * program reads is what the file was when it was opened, or, where the other machine changed it, within the second
 * before. What this mount did is always seen.
 *
 * Times of modification are old, so that files are opened ahead, and no two versions of a file look alike. */
#include "lib/test.h"

#include "base/text.h"
#include "cache/ahead.h"
#include "lib/cache_fixture.h"
#include "lib/memory_remote_priv.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FOLDERS = 3, IN_EACH = 12, FILES = FOLDERS * IN_EACH, STEPS = 300, LENGTH = 40, HISTORY = 400 };

/* What a file was, and until when. */
struct version {
    char text[LENGTH]; /* "": it was not there */
    int64_t until_ms;
};

struct file {
    struct version past[HISTORY]; /* since this mount changed it last */
    size_t count;
    char now[LENGTH];
};

struct model {
    struct cache_fixture fixture;
    uint64_t random;
    struct file files[FILES];
    unsigned versions;
    size_t at; /* where the program is */
    uint64_t used;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    uint64_t z = (model->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static const char *path_of(size_t number)
{
    static char path[4][64];
    static unsigned next;
    char *text = path[next++ % 4];
    snprintf(text, sizeof(path[0]), "tree/folder%zu/file%02zu", number / IN_EACH, number % IN_EACH);
    return text;
}

static int64_t now(struct model *model)
{
    return cfs_clock_ms(memory_remote_clock(model->fixture.memory));
}

static void new_text(struct model *model, char *text)
{
    snprintf(text, LENGTH, "version %u%.*s", ++model->versions, (int)draw(model, 20), "....................");
}

/* --- changes --- */

static void make_old(struct model *model, const char *path)
{
    memory_remote_poke_mtime(model->fixture.memory, path, 1000000000 + model->versions);
}

static void change_there(struct model *model, size_t number)
{
    struct file *file = &model->files[number];
    if (file->count == HISTORY)
        return;
    /* A time of ours that is on its way makes another program's file of the same size look like ours. */
    (void)cache_sync(&model->fixture);
    struct version *past = &file->past[file->count++];
    strcpy(past->text, file->now);
    past->until_ms = now(model);
    if (file->now[0] && draw(model, 8) == 0) {
        memory_remote_poke_remove(model->fixture.memory, path_of(number));
        file->now[0] = '\0';
        return;
    }
    if (file->now[0] && draw(model, 4) == 0) /* another file in its place */
        memory_remote_poke_remove(model->fixture.memory, path_of(number));
    new_text(model, file->now);
    memory_remote_poke_file(model->fixture.memory, path_of(number), file->now, strlen(file->now));
    make_old(model, path_of(number));
}

static void set_old_time(struct model *model, size_t number)
{
    struct cfs_remote_attributes set = {
        .valid = CFS_REMOTE_TIMES, .atime = 1000000000, .mtime = 1000000000 + model->versions};
    assert_int_equal(cache_setattr(&model->fixture, path_of(number), &set), 0);
}

static void write_here(struct model *model, size_t number)
{
    struct file *file = &model->files[number];
    new_text(model, file->now);
    assert_int_equal(cache_create(&model->fixture, path_of(number), file->now), 0);
    if (draw(model, 2))
        set_old_time(model, number);
    file->count = 0;
}

static void write_by_rename(struct model *model, size_t number)
{
    struct file *file = &model->files[number];
    new_text(model, file->now);
    memory_remote_poke_file(model->fixture.memory, "new", file->now, strlen(file->now));
    make_old(model, "new");
    assert_int_equal(cache_rename(&model->fixture, "new", path_of(number), CFS_REMOTE_RENAME_REPLACE), 0);
    file->count = 0;
}

static void remove_here(struct model *model, size_t number)
{
    struct file *file = &model->files[number];
    int error = cache_unlink(&model->fixture, path_of(number));
    assert_int_equal(error, file->now[0] ? 0 : -ENOENT);
    file->now[0] = '\0';
    file->count = 0;
}

static void change_here(struct model *model, size_t number)
{
    switch (draw(model, 3)) {
    case 0:
        remove_here(model, number);
        break;
    case 1:
        write_by_rename(model, number);
        break;
    default:
        write_here(model, number);
    }
}

/* --- reading --- */

static bool may_be(const struct file *file, const char *text, int64_t since_ms)
{
    bool is = strcmp(file->now, text) == 0;
    for (size_t i = 0; i < file->count && !is; i++)
        is = file->past[i].until_ms > since_ms && strcmp(file->past[i].text, text) == 0;
    return is;
}

static void read_one(struct model *model, size_t number)
{
    struct cfs_remote_file *file;
    char text[LENGTH + 1] = "";
    int64_t before = now(model);
    int error = cache_open(&model->fixture, path_of(number), O_RDONLY, &file);
    assert_true(error == 0 || error == -ENOENT);
    if (error == 0) {
        ssize_t length = cache_read(&model->fixture, file, 0, LENGTH, text);
        /* One that we have just made is opened without asking. */
        assert_true(length > 0 || length == -ESTALE || length == -ENOENT);
        assert_int_equal(cache_close(&model->fixture, file), 0);
    }
    if (!may_be(&model->files[number], text, before - CFS_AHEAD_MS))
        fail_msg("%s is \"%s\", was read as \"%s\" at %lld", path_of(number), model->files[number].now, text,
                 (long long)before);
}

/* The next files in order, with things happening in between. */
static void go_on(struct model *model)
{
    for (uint64_t count = 1 + draw(model, 10); count > 0; count--) {
        read_one(model, model->at);
        model->at = (model->at + 1) % FILES;
        if (draw(model, 6) == 0)
            change_there(model, (model->at + draw(model, 6)) % FILES);
        if (draw(model, 10) == 0)
            change_here(model, (model->at + draw(model, 6)) % FILES);
        if (draw(model, 10) == 0)
            memory_remote_advance(model->fixture.memory, (int64_t)draw(model, 1500));
    }
}

static void list_all(struct model *model)
{
    static const char *const folders[] = {"", "tree", "tree/folder0", "tree/folder1", "tree/folder2"};
    int error;
    for (size_t i = 0; i < CFS_COUNT(folders); i++)
        free(cache_list(&model->fixture, folders[i], &error));
}

static void step(struct model *model)
{
    switch (draw(model, 8)) {
    case 0:
        list_all(model);
        break;
    case 1:
        memory_remote_advance(model->fixture.memory, (int64_t)draw(model, 12000));
        break;
    case 2:
        model->at = draw(model, FILES);
        break;
    case 3: /* a slow program: what was opened ahead is too old, and still open */
        read_one(model, model->at);
        change_there(model, (model->at + 1) % FILES);
        memory_remote_advance(model->fixture.memory, CFS_AHEAD_MS);
        read_one(model, (model->at + 1) % FILES);
        break;
    default:
        go_on(model);
    }
}

static uint64_t play(uint64_t seed)
{
    struct memory_remote_options options = {
        .seed = seed, .latency_ms = seed % 4 * 15, .jitter_ms = seed % 3 * 10, .listing_batch = 1 + seed % 20};
    struct model *model CFS_AUTO_FREE = memory_need(calloc(1, sizeof(*model)));
    model->random = seed;
    cache_fixture_init(&model->fixture, &options);
    model->fixture.options.cache_size = 8 << 20;
    model->fixture.options.dirty_limit = seed % 2 ? 1 << 20 : 0;
    model->fixture.options.attr_ttl_ms = seed % 5 == 0 ? 500 : -1;
    memory_remote_poke_mkdir(model->fixture.memory, "tree");
    for (size_t i = 0; i < FILES; i++) {
        char folder[32];
        snprintf(folder, sizeof(folder), "tree/folder%zu", i / IN_EACH);
        if (i % IN_EACH == 0)
            memory_remote_poke_mkdir(model->fixture.memory, folder);
        new_text(model, model->files[i].now);
        memory_remote_poke_file(model->fixture.memory, path_of(i), model->files[i].now, strlen(model->files[i].now));
        make_old(model, path_of(i));
    }
    cache_fixture_start(&model->fixture);
    list_all(model);
    for (unsigned i = 0; i < STEPS; i++)
        step(model);
    struct cfs_cache_status status;
    cfs_cache_status(model->fixture.cache, &status);
    cache_fixture_fini(&model->fixture);
    return status.prefetch_used_files;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_what_is_read_is_what_was_there_when_it_was_opened_or_a_second_before(void **state)
{
    (void)state;
    uint64_t seed = from_environment("CLUSTERFS_TEST_SEED", 1), used = 0;
    uint64_t rounds = from_environment("CLUSTERFS_TEST_ROUNDS", 60);
    for (uint64_t i = 0; i < rounds; i++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)(seed + i));
        used += play(seed + i);
    }
    fprintf(stderr, "\n%llu files were opened ahead and used\n", (unsigned long long)used);
    assert_true(used >= rounds * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read_is_what_was_there_when_it_was_opened_or_a_second_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

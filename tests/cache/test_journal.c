/* The journal under the cache, over the remote in memory. A program makes folders and files; at some moment the process
 * ends, with the journal as it is on the disk then, and what was on its way done or not, as the seed decides. Then the
 * journal is replayed: all that a close had acknowledged is there, and what somebody else has written meanwhile is
 * untouched. CLUSTERFS_TEST_SEED, CLUSTERFS_TEST_ROUNDS. */
#include "lib/test.h"

#include "base/log.h"
#include "cache/journal_folder.h"
#include "cache/journal_replay.h"
#include "lib/cache_fixture.h"
#include "lib/scratch.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char IDENTITY[] = "user@host:22 /work";
static const char CONFLICT[] = ".clusterfs-conflict-19700101T000001";

enum { FILES = 14, OLD_FILES = 2, MOST_CONTENT = 9000, M = 1 << 20, LATER_MS = 20000 };

struct file {
    char path[64];   /* where it should be */
    char before[64]; /* where it is if its rename was not promised yet; or "" */
    uint8_t content[MOST_CONTENT], acknowledged[MOST_CONTENT]; /* as written; as of the last flush */
    uint8_t times[MOST_CONTENT];                               /* that it was written since */
    size_t length, acknowledged_length;
    struct cfs_remote_file *open;
    bool is_acknowledged; /* some flush has said that all is well */
    bool is_old;          /* it was there before */
    bool is_theirs;       /* somebody else has written it since the end */
};

struct model {
    struct cache_fixture fixture;
    struct cfs_journal *journal;
    char *scratch, *folder;
    uint64_t random;
    struct file files[FILES];
    size_t count;
    uint8_t *journal_bytes; /* as they were at the end */
    size_t journal_length;
};

static uint64_t draw(struct model *model, uint64_t limit)
{
    model->random = model->random * 6364136223846793005 + 1442695040888963407;
    return (model->random >> 33) % limit;
}

static void begin(struct model *model, uint64_t seed, uint64_t limit)
{
    struct memory_remote_options memory = {.seed = seed, .latency_ms = 40, .jitter_ms = 20, .tells_changes = true};
    memset(model, 0, sizeof(*model));
    model->random = seed;
    model->scratch = scratch_make();
    model->folder = scratch_path(model->scratch, "journal");
    cache_fixture_init(&model->fixture, &memory);
    assert_int_equal(cfs_journal_create(model->folder, IDENTITY, limit, false, &model->journal), 0);
    model->fixture.options.cache_size = model->fixture.options.dirty_limit = M;
    model->fixture.options.durability = CFS_DURABILITY_FSYNC;
    model->fixture.options.journal = model->journal;
    cache_fixture_start(&model->fixture);
    memory_remote_advance(model->fixture.memory, 1000000);
    assert_int_equal(cache_mkdir(&model->fixture, "top"), 0);
}

/* --- the program --- */

static struct file *draw_file(struct model *model, bool is_open)
{
    struct file *found = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (!model->files[i].open == !is_open && draw(model, ++seen) == 0)
            found = &model->files[i];
    }
    return found;
}

static void make(struct model *model)
{
    struct file *file = &model->files[model->count];
    if (model->count == FILES)
        return;
    char folder[32];
    snprintf(folder, sizeof(folder), "top/d%u", (unsigned)draw(model, 3));
    if (cache_lstat(&model->fixture, folder, NULL) == -ENOENT)
        assert_int_equal(cache_mkdir(&model->fixture, folder), 0);
    snprintf(file->path, sizeof(file->path), "%s/f%zu", folder, model->count);
    assert_int_equal(cache_lstat(&model->fixture, file->path, NULL), -ENOENT);
    assert_int_equal(cache_open(&model->fixture, file->path, O_CREAT | O_EXCL | O_WRONLY, &file->open), 0);
    model->count++;
}

/* At the end, mostly; else over what is there. */
static void write_to(struct model *model, struct file *file)
{
    uint8_t bytes[2000];
    size_t offset = draw(model, 4) > 0 ? file->length : draw(model, file->length + 1), most = MOST_CONTENT - offset;
    if (most == 0)
        return;
    size_t length = 1 + draw(model, most < sizeof(bytes) ? most : sizeof(bytes));
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)draw(model, 256);
    assert_int_equal(cache_write(&model->fixture, file->open, offset, length, bytes), 0);
    memcpy(file->content + offset, bytes, length);
    for (size_t i = offset; i < offset + length; i++)
        file->times[i] += file->times[i] < 2;
    file->length = offset + length > file->length ? offset + length : file->length;
}

static void write_some(struct model *model)
{
    struct file *file = draw_file(model, true);
    if (file)
        write_to(model, file);
}

static void flush(struct model *model, struct file *file)
{
    assert_int_equal(cache_flush(&model->fixture, file->open), 0);
    memcpy(file->acknowledged, file->content, file->length);
    memset(file->times, 0, sizeof(file->times));
    file->acknowledged_length = file->length;
    file->is_acknowledged = true;
}

static void flush_one(struct model *model)
{
    struct file *file = draw_file(model, true);
    if (file)
        flush(model, file);
}

static void close_one(struct model *model)
{
    struct file *file = draw_file(model, true);
    if (!file)
        return;
    if (file->length == 0)
        write_to(model, file);
    flush(model, file);
    assert_int_equal(cache_close(&model->fixture, CFS_TAKE(file->open)), 0);
}

static void open_again(struct model *model)
{
    struct file *file = draw_file(model, false);
    if (file)
        assert_int_equal(cache_open(&model->fixture, file->path, O_WRONLY, &file->open), 0);
}

static void set_times(struct model *model)
{
    const struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    const struct file *file = draw_file(model, false);
    if (file)
        (void)cache_setattr(&model->fixture, file->path, &times);
}

static void rename_one(struct model *model)
{
    struct file *file = draw_file(model, false);
    if (!file || *file->before || file->is_old)
        return;
    memcpy(file->before, file->path, sizeof(file->before));
    strcat(file->path, "-renamed");
    assert_int_equal(cache_lstat(&model->fixture, file->path, NULL), -ENOENT);
    assert_int_equal(cache_rename(&model->fixture, file->before, file->path, CFS_REMOTE_RENAME_REPLACE), 0);
}

static void step(struct model *model)
{
    static void (*const all[])(struct model *) = {make,      make,      write_some, write_some, write_some, flush_one,
                                                  close_one, close_one, set_times,  rename_one, open_again};
    all[draw(model, CFS_COUNT(all))](model);
    for (uint64_t i = draw(model, 12); i > 0; i--) {
        (void)memory_remote_step(model->fixture.memory);
        cache_turn(&model->fixture);
    }
}

/* --- the end of the process --- */

static char *find_journal(const struct model *model)
{
    char *found = NULL;
    DIR *folder CFS_AUTO_CLOSEDIR = opendir(model->folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (strstr(entry->d_name, ".journal"))
            found = scratch_path(model->folder, entry->d_name);
    }
    return found;
}

/* The journal's file, as it is on the disk. */
static void keep_journal(struct model *model)
{
    char *path CFS_AUTO_FREE = find_journal(model);
    assert_non_null(path);
    model->journal_bytes = (uint8_t *)scratch_read(path, &model->journal_length);
}

/* What is in flight takes effect, or not; nothing more comes. */
static void crash(struct model *model)
{
    keep_journal(model);
    memory_remote_disconnect(model->fixture.memory);
    memory_remote_release(model->fixture.memory, MEMORY_OPEN);
    for (size_t i = 0; i < model->count; i++) {
        if (model->files[i].open)
            (void)cache_close(&model->fixture, CFS_TAKE(model->files[i].open));
    }
    (void)cache_sync(&model->fixture);
    for (int second = 0; second < 4; second++) {
        memory_remote_advance(model->fixture.memory, 1000);
        cache_run(&model->fixture);
    }
    cfs_cache_free(model->fixture.cache);
    memory_remote_reconnect(model->fixture.memory);
}

static bool turn(void *context)
{
    return memory_remote_step(context);
}

static int replay(struct model *model, struct cfs_journal_replayed *ret_replayed)
{
    const struct cfs_journal_replay options = {
        .server = {.remote = memory_remote_as_remote(model->fixture.memory),
                   .turn = turn,
                   .context = model->fixture.memory},
        .identity = IDENTITY,
        .now = {.tv_sec = 1},
    };
    return cfs_journal_replay_bytes(&options, model->journal_bytes, model->journal_length, ret_replayed);
}

static void end(struct model *model)
{
    cfs_journal_free(model->journal);
    cfs_loop_free(model->fixture.loop);
    memory_remote_free(model->fixture.memory);
    scratch_remove(model->scratch);
    free(model->folder);
    free(model->journal_bytes);
}

/* --- what must hold --- */

static bool has_content(struct model *model, const char *path, const void *content, size_t length)
{
    static uint8_t is[MOST_CONTENT + 1];
    ssize_t count = memory_remote_peek(model->fixture.memory, path, 0, is, sizeof(is));
    return count == (ssize_t)length && memcmp(is, content, length) == 0;
}

/* Each byte is as it was acknowledged, or as it was written since. */
static bool is_ours(struct model *model, const char *path, const struct file *file)
{
    static uint8_t is[MOST_CONTENT + 1];
    ssize_t count = memory_remote_peek(model->fixture.memory, path, 0, is, sizeof(is));
    if (count < (ssize_t)file->acknowledged_length || count > (ssize_t)file->length)
        return false;
    for (size_t i = 0; i < (size_t)count; i++) {
        bool was_acknowledged = i < file->acknowledged_length;
        bool right = is[i] == file->content[i] || (was_acknowledged ? is[i] == file->acknowledged[i] : is[i] == 0);
        if (!right && file->times[i] < 2) /* else there was something in between */
            return false;
    }
    return true;
}

/* What the server had acknowledged before the close is not in the journal: there are holes in its place. */
static bool is_copy(struct model *model, const char *path, const struct file *file)
{
    static uint8_t is[MOST_CONTENT + 1];
    ssize_t count = memory_remote_peek(model->fixture.memory, path, 0, is, sizeof(is));
    for (ssize_t i = 0; i < count; i++) {
        if (is[i] != file->acknowledged[i] && is[i] != file->content[i] && is[i] != 0 && file->times[i] < 2)
            return false;
    }
    return count > 0 && count <= (ssize_t)file->length;
}

static const char THEIRS[] = "somebody else has written this";

static void expect_ours(struct model *model, const struct file *file)
{
    if (!is_ours(model, file->path, file) && !(*file->before && is_ours(model, file->before, file)))
        fail_msg("%s is not as it was acknowledged", file->path);
}

static void expect_theirs(struct model *model, const struct file *file, bool had_arrived)
{
    char beside[128], beside_before[128];
    snprintf(beside, sizeof(beside), "%s%s", file->path, CONFLICT);
    snprintf(beside_before, sizeof(beside_before), "%s%s", file->before, CONFLICT);
    if (!has_content(model, file->path, THEIRS, strlen(THEIRS)))
        fail_msg("%s was overwritten", file->path);
    if (!had_arrived && !is_copy(model, beside, file) && !is_copy(model, beside_before, file) &&
        !is_ours(model, file->before, file))
        fail_msg("there is no copy of %s", file->path);
}

/* Some time later, somebody else writes to some files. */
static void write_theirs(struct model *model, bool had_arrived[FILES])
{
    memory_remote_advance(model->fixture.memory, LATER_MS);
    for (size_t i = 0; i < model->count; i++) {
        struct file *file = &model->files[i];
        uint8_t byte;
        if (!file->is_acknowledged || draw(model, 6) > 0 ||
            memory_remote_peek(model->fixture.memory, file->path, 0, &byte, 1) < 0)
            continue; /* its folder may not be there either */
        had_arrived[i] = is_ours(model, file->path, file);
        memory_remote_poke_file(model->fixture.memory, file->path, THEIRS, strlen(THEIRS));
        file->is_theirs = true;
    }
}

static void begin_with_old_files(struct model *model, uint64_t seed)
{
    begin(model, seed, 64 * M);
    memory_remote_poke_mkdir(model->fixture.memory, "old");
    for (; model->count < OLD_FILES; model->count++) {
        struct file *file = &model->files[model->count];
        snprintf(file->path, sizeof(file->path), "old/f%zu", model->count);
        file->length = file->acknowledged_length = 1 + draw(model, 3000);
        for (size_t i = 0; i < file->length; i++)
            file->content[i] = file->acknowledged[i] = (uint8_t)draw(model, 256);
        file->is_old = file->is_acknowledged = true;
        memory_remote_poke_file(model->fixture.memory, file->path, file->content, file->length);
    }
    memory_remote_advance(model->fixture.memory, 1000000);
}

static void run_round(uint64_t seed)
{
    struct model model;
    struct cfs_journal_replayed replayed;
    bool had_arrived[FILES] = {false};
    begin_with_old_files(&model, seed);
    for (uint64_t steps = draw(&model, 60); steps > 0; steps--)
        step(&model);
    crash(&model);
    write_theirs(&model, had_arrived);
    assert_int_equal(replay(&model, &replayed), 0);
    assert_int_equal(replayed.lost, 0);
    for (size_t i = 0; i < model.count; i++) {
        if (model.files[i].is_theirs)
            expect_theirs(&model, &model.files[i], had_arrived[i]);
        else if (model.files[i].is_acknowledged)
            expect_ours(&model, &model.files[i]);
    }
    end(&model);
}

static uint64_t number_of(const char *variable, uint64_t usual)
{
    const char *text = getenv(variable);
    return text && *text ? strtoull(text, NULL, 10) : usual;
}

static void test_what_was_acknowledged_is_there_after_any_end(void **state)
{
    uint64_t seed = number_of("CLUSTERFS_TEST_SEED", 1), rounds = number_of("CLUSTERFS_TEST_ROUNDS", 150);
    for (uint64_t i = 0; i < rounds; i++) {
        printf("seed %llu\n", (unsigned long long)(seed + i));
        fflush(stdout);
        run_round(seed + i);
    }
}

/* --- when it cannot be kept --- */

/* A flush of a file of LENGTH bytes, while the server makes nothing. */
static void flush_held(struct model *model, size_t length, struct cache_call *call)
{
    struct file *file = &model->files[0];
    assert_int_equal(cache_lstat(&model->fixture, "top/file", NULL), -ENOENT);
    memory_remote_hold(model->fixture.memory, MEMORY_OPEN);
    assert_int_equal(cache_open(&model->fixture, "top/file", O_CREAT | O_EXCL | O_WRONLY, &file->open), 0);
    assert_int_equal(cache_write(&model->fixture, file->open, 0, length, file->content), 0);
    cache_call_init(call);
    model->fixture.operations->flush(model->fixture.cache, &call->call, file->open);
    cache_run(&model->fixture);
}

/* And then it does. */
static void finish_flush(struct model *model, struct cache_call *call)
{
    memory_remote_release(model->fixture.memory, MEMORY_OPEN);
    assert_int_equal(cache_wait(&model->fixture, call), 0);
    assert_int_equal(cache_close(&model->fixture, CFS_TAKE(model->files[0].open)), 0);
    cache_fixture_fini(&model->fixture);
    cfs_journal_free(model->journal);
    scratch_remove(model->scratch);
    free(model->folder);
}

static void test_flush_does_not_wait_for_the_server(void **state)
{
    struct model model;
    struct cache_call call;
    struct cfs_journal_status status;
    begin(&model, 1, M);
    flush_held(&model, 5000, &call);
    assert_true(call.completed);
    cfs_journal_status(model.journal, &status);
    assert_int_equal(status.outstanding, 2); /* its making, and the flush */
    assert_int_equal(status.syncs, 1);
    char *path CFS_AUTO_FREE = find_journal(&model);
    assert_non_null(path);
    finish_flush(&model, &call);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_what_does_not_fit_waits_for_the_server(void **state)
{
    struct model model;
    struct cache_call call;
    begin(&model, 1, CFS_JOURNAL_HEAD + 2000);
    flush_held(&model, 5000, &call);
    assert_false(call.completed);
    finish_flush(&model, &call);
}

static void test_a_full_disk_makes_flush_wait_for_the_server(void **state)
{
    struct model model;
    struct cache_call call;
    struct rlimit before, limit;
    begin(&model, 1, M);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = CFS_JOURNAL_HEAD + 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    flush_held(&model, 5000, &call);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(call.completed);
    finish_flush(&model, &call);
}

static void test_where_none_can_be_kept_flush_waits_for_the_server(void **state)
{
    struct model model;
    struct cache_call call;
    begin(&model, 1, M);
    cfs_cache_free(model.fixture.cache);
    model.fixture.options.journal = NULL;
    model.fixture.options.misses_journal = true;
    cache_fixture_start(&model.fixture);
    assert_int_equal(cache_mkdir(&model.fixture, "top/own"), 0);
    flush_held(&model, 5000, &call);
    assert_false(call.completed);
    finish_flush(&model, &call);
}

/* The times that a program has set before it closed the file are set behind the data. */
static void test_times_that_were_set_before_the_close_stay(void **state)
{
    struct model model;
    struct cfs_journal_replayed replayed;
    struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    begin(&model, 1, M);
    struct file *file = &model.files[model.count++];
    assert_int_equal(cache_lstat(&model.fixture, "top/file", NULL), -ENOENT);
    memory_remote_hold(model.fixture.memory, MEMORY_OPEN);
    assert_int_equal(cache_open(&model.fixture, "top/file", O_CREAT | O_EXCL | O_WRONLY, &file->open), 0);
    assert_int_equal(cache_write(&model.fixture, file->open, 0, 700, file->content), 0);
    assert_int_equal(cache_setattr(&model.fixture, "top/file", &times), 0);
    assert_int_equal(cache_flush(&model.fixture, file->open), 0);
    crash(&model);
    for (int again = 0; again < 2; again++) { /* what is done twice changes nothing */
        assert_int_equal(replay(&model, &replayed), 0);
        assert_true(has_content(&model, "top/file", file->content, 700));
        cache_fixture_start(&model.fixture);
        assert_int_equal(cache_lstat(&model.fixture, "top/file", &times), 0);
        assert_int_equal(times.mtime, 6);
        (void)cache_sync(&model.fixture);
        cfs_cache_free(model.fixture.cache);
    }
    end(&model);
}

/* One program closes its descriptor of a file while a write by another one's waits for room. */
static void flush_beside_a_write(uint64_t seed)
{
    enum { FIRST = 5000, SECOND = 3000, ROOM = 6000 };
    struct model model;
    struct cache_call write;
    struct cfs_journal_replayed replayed;
    begin(&model, seed, M);
    cfs_cache_free(model.fixture.cache);
    model.fixture.options.dirty_limit = ROOM;
    cache_fixture_start(&model.fixture);
    struct file *file = &model.files[model.count++];
    memset(file->content, 'x', FIRST + SECOND);
    assert_int_equal(cache_mkdir(&model.fixture, "top/own"), 0);
    assert_int_equal(cache_lstat(&model.fixture, "top/own/file", NULL), -ENOENT);
    assert_int_equal(cache_open(&model.fixture, "top/own/file", O_CREAT | O_EXCL | O_WRONLY, &file->open), 0);
    cache_run(&model.fixture);
    memory_remote_hold(model.fixture.memory, MEMORY_WRITE);
    assert_int_equal(cache_write(&model.fixture, file->open, 0, FIRST, file->content), 0);
    cache_call_init(&write);
    model.fixture.operations->write(model.fixture.cache, &write.call, file->open, FIRST, SECOND, file->content + FIRST);
    cache_turn(&model.fixture);
    assert_false(write.completed);
    assert_int_equal(cache_flush(&model.fixture, file->open), 0);
    assert_false(write.completed);
    memory_remote_release(model.fixture.memory, MEMORY_WRITE);
    assert_int_equal(cache_wait(&model.fixture, &write), 0);
    assert_int_equal(cache_flush(&model.fixture, file->open), 0);
    crash(&model);
    assert_int_equal(replay(&model, &replayed), 0);
    assert_true(has_content(&model, "top/own/file", file->content, FIRST + SECOND));
    end(&model);
}

static void test_a_write_that_another_flush_has_passed_is_not_forgotten(void **state)
{
    for (uint64_t seed = 1; seed <= 8; seed++) /* which says whether the server gets what is on its way */
        flush_beside_a_write(seed);
}

/* --- the folder --- */

static enum cfs_journal_fate count_it(void *context, const char *path, int fd)
{
    (void)path;
    *(int *)context += fd >= 0;
    return CFS_JOURNAL_IS_BAD;
}

static void test_a_journal_that_is_held_is_left_alone(void **state)
{
    struct cfs_journal *journal;
    int found = 0;
    char *scratch = scratch_make(), *folder CFS_AUTO_FREE = scratch_path(scratch, "a/b");
    assert_int_equal(cfs_journal_each(folder, IDENTITY, count_it, &found), 0);
    assert_int_equal(cfs_journal_create(folder, IDENTITY, M, true, &journal), 0);
    assert_int_equal(cfs_journal_each(folder, IDENTITY, count_it, &found), 0);
    cfs_journal_free(journal);
    assert_int_equal(cfs_journal_each(folder, IDENTITY, count_it, &found), 0);
    scratch_remove(scratch);
}

static void test_a_folder_that_is_open_to_others_is_not_used(void **state)
{
    struct cfs_journal *journal;
    int found = 0;
    char *scratch = scratch_make(), *folder CFS_AUTO_FREE = scratch_path(scratch, "open");
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(cfs_journal_create(folder, IDENTITY, M, true, &journal), -EPERM);
    assert_int_equal(cfs_journal_each(folder, IDENTITY, count_it, &found), -EPERM);
    scratch_remove(scratch);
}

/* Somebody may wait for many things at once: they go together. */
struct waiting {
    struct cfs_journal_waiter waiter;
    int error;
};

static void was_told(struct cfs_journal_waiter *waiter, int error)
{
    __atomic_store_n(&cfs_container_of(waiter, struct waiting, waiter)->error, error, __ATOMIC_RELEASE);
}

static void test_a_thread_writes_what_was_added(void **state)
{
    enum { WAITING = 200 };
    struct cfs_journal *journal;
    struct cfs_journal_status status;
    static struct waiting waiting[WAITING];
    char *scratch = scratch_make(), *folder CFS_AUTO_FREE = scratch_path(scratch, "journal");
    assert_int_equal(cfs_journal_create(folder, IDENTITY, M, true, &journal), 0);
    for (int i = 0; i < WAITING; i++) {
        struct cfs_journal_record record = {.type = CFS_JOURNAL_MAKE, .path = "file"};
        record.number = cfs_journal_number(journal);
        assert_true(cfs_journal_add(journal, &record));
        waiting[i] = (struct waiting){.waiter.done = was_told, .error = 1};
        cfs_journal_wait(journal, &waiting[i].waiter);
    }
    for (int i = 0; i < WAITING; i++)
        test_wait_until(__atomic_load_n(&waiting[i].error, __ATOMIC_ACQUIRE) == 0);
    cfs_journal_status(journal, &status);
    assert_int_equal(status.outstanding, WAITING);
    for (int i = 0; i < WAITING; i++)
        cfs_journal_done(journal, (uint64_t)i + 1);
    cfs_journal_free(journal);
    scratch_remove(scratch);
}

/* Times are set before a close that waits for the server, since the journal is full by then. */
static void test_nothing_is_left_in_it_when_all_is_done(void **state)
{
    const struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    struct model model;
    struct cfs_journal_status status;
    begin(&model, 1, CFS_JOURNAL_HEAD + 4000);
    struct file *file = &model.files[0];
    assert_int_equal(cache_lstat(&model.fixture, "top/file", NULL), -ENOENT);
    assert_int_equal(cache_open(&model.fixture, "top/file", O_CREAT | O_EXCL | O_WRONLY, &file->open), 0);
    assert_int_equal(cache_write(&model.fixture, file->open, 0, 500, file->content), 0);
    assert_int_equal(cache_setattr(&model.fixture, "top/file", &times), 0);
    memory_remote_hold(model.fixture.memory, MEMORY_MKDIR);
    for (int i = 0; i < 100; i++) {
        char path[32];
        snprintf(path, sizeof(path), "top/full%d", i);
        assert_int_equal(cache_lstat(&model.fixture, path, NULL), -ENOENT);
        assert_int_equal(cache_mkdir(&model.fixture, path), 0);
    }
    assert_int_equal(cache_flush(&model.fixture, file->open), 0);
    memory_remote_release(model.fixture.memory, MEMORY_MKDIR);
    assert_int_equal(cache_close(&model.fixture, CFS_TAKE(file->open)), 0);
    assert_int_equal(cache_sync(&model.fixture), 0);
    cfs_journal_status(model.journal, &status);
    assert_int_equal(status.outstanding, 0);
    cache_fixture_fini(&model.fixture);
    cfs_journal_free(model.journal);
    scratch_remove(model.scratch);
    free(model.folder);
}

int main(void)
{
    cfs_log_set_level(getenv("CLUSTERFS_TEST_TRACE") ? CFS_LOG_DEBUG : CFS_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flush_does_not_wait_for_the_server),
        cmocka_unit_test(test_what_does_not_fit_waits_for_the_server),
        cmocka_unit_test(test_a_full_disk_makes_flush_wait_for_the_server),
        cmocka_unit_test(test_where_none_can_be_kept_flush_waits_for_the_server),
        cmocka_unit_test(test_times_that_were_set_before_the_close_stay),
        cmocka_unit_test(test_a_write_that_another_flush_has_passed_is_not_forgotten),
        cmocka_unit_test(test_nothing_is_left_in_it_when_all_is_done),
        cmocka_unit_test(test_a_journal_that_is_held_is_left_alone),
        cmocka_unit_test(test_a_folder_that_is_open_to_others_is_not_used),
        cmocka_unit_test(test_a_thread_writes_what_was_added),
        cmocka_unit_test(test_what_was_acknowledged_is_there_after_any_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The replay: the journal is read twice, first to see that it is whole and what is done already, then to do the rest in
 * order. What is known of a path that the journal has dealt with goes with it (a place), through renames. */
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "cache/conflict_name.h"
#include "cache/journal_replay_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum state {
    UNKNOWN,
    MADE,      /* by this replay: it is ours */
    PROVEN,    /* compared: it is ours */
    ELSEWHERE, /* somebody else has the name; ours is called `alias` */
    LOST,      /* it could not be done; nor can what follows */
};

struct place {
    struct cfs_hash_link link;
    enum state state;
    char *alias; /* or NULL */
    char path[]; /* NUL-terminated */
};

struct numbers {
    uint64_t *of;
    size_t count, room;
};

struct replay {
    const struct cfs_journal_replay *options;
    struct cfs_journal_server server;
    struct cfs_journal_cursor cursor;
    struct cfs_hash places;
    struct numbers done;
    struct cfs_journal_ranges ranges; /* of the flush that comes next, */
    size_t room;
    uint64_t gathered; /* which has this number */
    struct cfs_journal_replayed replayed;
};

/* --- what is done already --- */

static int add_number(struct numbers *numbers, uint64_t number)
{
    if (numbers->count == numbers->room) {
        size_t room = numbers->room ? numbers->room * 2 : 64;
        uint64_t *of = reallocarray(numbers->of, room, sizeof(*of));
        if (!of)
            return -ENOMEM;
        numbers->of = of;
        numbers->room = room;
    }
    numbers->of[numbers->count++] = number;
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool is_done(const struct replay *replay, uint64_t number)
{
    const struct numbers *done = &replay->done;
    return done->count > 0 && bsearch(&number, done->of, done->count, sizeof(number), compare_numbers);
}

/* Reads all of it. -EBADMSG, -EXDEV, -ENOMEM. */
static int survey(struct replay *replay, const uint8_t *bytes, size_t length)
{
    struct cfs_journal_record record;
    uint64_t key;
    int found, error = cfs_journal_read_head(bytes, length, replay->options->identity, &key);
    if (error < 0)
        return error;
    replay->cursor = cfs_journal_begin(bytes, length, key);
    while ((found = cfs_journal_next(&replay->cursor, &record)) > 0) {
        if (record.type == CFS_JOURNAL_DONE && (error = add_number(&replay->done, record.number)) < 0)
            return error;
    }
    cfs_journal_end(&replay->cursor);
    replay->cursor = cfs_journal_begin(bytes, length, key);
    if (replay->done.count > 0)
        qsort(replay->done.of, replay->done.count, sizeof(*replay->done.of), compare_numbers);
    return found;
}

/* --- places --- */

static bool is_at(const struct cfs_hash_link *link, const void *path)
{
    return strcmp(cfs_container_of(link, const struct place, link)->path, path) == 0;
}

static struct place *find(struct replay *replay, const char *path)
{
    struct cfs_hash_link *link = cfs_hash_find(&replay->places, cfs_hash_bytes(path, strlen(path)), is_at, path);
    return link ? cfs_container_of(link, struct place, link) : NULL;
}

static enum state state_of(struct replay *replay, const char *path)
{
    const struct place *place = find(replay, path);
    return place ? place->state : UNKNOWN;
}

/* ALIAS is the place's then. */
static int know(struct replay *replay, const char *path, enum state state, char *alias)
{
    struct place *place = find(replay, path);
    if (!place) {
        size_t size = strlen(path) + 1;
        place = calloc(1, sizeof(*place) + size);
        if (!place) {
            free(alias);
            return -ENOMEM;
        }
        memcpy(place->path, path, size);
        cfs_hash_insert(&replay->places, cfs_hash_bytes(path, size - 1), &place->link);
    }
    free(place->alias);
    place->state = state;
    place->alias = alias;
    return 0;
}

static void free_place(struct cfs_hash_link *link, void *context)
{
    struct place *place = cfs_container_of(link, struct place, link);
    (void)context;
    free(place->alias);
    free(place);
}

/* --- what cannot be done --- */

/* Trying again later may help. */
static bool is_for_later(int error)
{
    return cfs_remote_outcome_is_unknown(error) || error == -ENOSPC || error == -EDQUOT || error == -EROFS ||
           error == -ENOMEM;
}

/* 0, or the error that ends the replay. */
static int lose(struct replay *replay, const char *path, int error)
{
    if (is_for_later(error))
        return error;
    cfs_log_error("journal", "%s: what an earlier mount had promised cannot be done: %s", path, strerror(-error));
    replay->replayed.lost++;
    return know(replay, path, LOST, NULL);
}

static void tell_conflict(struct replay *replay, const char *path, const char *alias)
{
    cfs_log_warning("journal", "%s was changed by somebody else meanwhile; what was written here is in %s", path,
                    alias);
    if (replay->replayed.conflicts++ == 0)
        snprintf(replay->replayed.conflict, sizeof(replay->replayed.conflict), "%s", alias);
}

enum { MOST_NAMES = 100 };

/* RANGES go beside PATH. */
static int put_beside(struct replay *replay, const char *path, mode_t mode, const struct cfs_journal_ranges *ranges)
{
    const struct place *place = find(replay, path);
    if (place && place->state == ELSEWHERE)
        return cfs_journal_write_ranges(&replay->server, place->alias, O_WRONLY, 0, ranges);
    for (unsigned number = 1; number <= MOST_NAMES; number++) {
        char *alias = cfs_conflict_name(path, replay->options->now.tv_sec, number);
        if (!alias)
            return -ENOMEM;
        int error = cfs_journal_write_ranges(&replay->server, alias, O_WRONLY | O_CREAT | O_EXCL,
                                             mode ? mode | S_IWUSR : 0600, ranges);
        if (error == 0) {
            tell_conflict(replay, path, alias);
            return know(replay, path, ELSEWHERE, alias);
        }
        free(alias);
        if (error != -EEXIST)
            return lose(replay, path, error);
    }
    return lose(replay, path, -EEXIST);
}

/* --- changes --- */

static int make_file(struct replay *replay, const struct cfs_journal_record *record)
{
    struct cfs_remote_file *file;
    int error = cfs_server_open(&replay->server, record->path, O_WRONLY | O_CREAT | O_EXCL, record->mode, &file);
    if (error == -EEXIST)
        return know(replay, record->path, UNKNOWN, NULL); /* what is written to it will tell whose it is */
    if (error < 0)
        return lose(replay, record->path, error);
    error = cfs_server_close(&replay->server, file);
    return error < 0 ? lose(replay, record->path, error) : know(replay, record->path, MADE, NULL);
}

static int make_folder(struct replay *replay, const struct cfs_journal_record *record)
{
    struct cfs_remote_attributes is;
    int error = cfs_server_mkdir(&replay->server, record->path, record->mode);
    if (error == -EEXIST && cfs_server_lstat(&replay->server, record->path, &is) == 0 && S_ISDIR(is.mode))
        error = 0;
    return error < 0 ? lose(replay, record->path, error) : 0;
}

/* As far as its size tells. */
static bool is_known(struct replay *replay, const char *path, const struct cfs_remote_attributes *known,
                     const struct cfs_remote_attributes *is)
{
    enum state state = state_of(replay, path);
    return state == MADE || state == PROVEN || !(known->valid & is->valid & CFS_REMOTE_SIZE) || S_ISDIR(is->mode) ||
           is->size <= known->size; /* what was written and not flushed may be missing */
}

static int set_attributes(struct replay *replay, const char *path, const struct cfs_remote_attributes *known,
                          const struct cfs_remote_attributes *set)
{
    const struct place *place = find(replay, path);
    struct cfs_remote_attributes is = {.mode = S_IFREG};
    int error = 0;
    if (set->valid == 0 || (place && place->state == LOST))
        return 0;
    bool is_ours = place && place->state != UNKNOWN;
    const char *at = place && place->alias ? place->alias : path;
    if (!is_ours)
        error = cfs_server_lstat(&replay->server, at, &is);
    if (error == 0 && !is_ours && !is_known(replay, path, known, &is))
        error = -ESTALE;
    if (error == 0 && S_ISLNK(is.mode))
        error = -ESTALE;
    if (error == 0)
        error = cfs_server_setattr(&replay->server, at, is.mode & S_IFMT, set);
    if (error < 0 && is_for_later(error))
        return error;
    if (error < 0)
        cfs_log_warning("journal", "%s: mode or times of an earlier mount are not set: %s", path, strerror(-error));
    return 0;
}

static int write_file(struct replay *replay, const struct cfs_journal_record *flush,
                      const struct cfs_journal_ranges *ranges)
{
    enum state state = state_of(replay, flush->path);
    enum cfs_journal_verdict verdict = CFS_JOURNAL_GO_ON;
    struct cfs_remote_attributes is;
    if (state == LOST || ranges->count == 0)
        return 0;
    if (state == ELSEWHERE)
        return put_beside(replay, flush->path, flush->mode, ranges);
    int error = state == MADE ? 0 : cfs_server_lstat(&replay->server, flush->path, &is);
    if (error == -ENOENT)
        return put_beside(replay, flush->path, flush->mode, ranges);
    if (error == 0 && state == PROVEN && !S_ISREG(is.mode))
        state = UNKNOWN;
    if (error == 0 && state != MADE)
        error = cfs_journal_judge(&replay->server, flush, ranges, &is, &verdict);
    if (error == -EACCES) /* it cannot be compared */
        verdict = CFS_JOURNAL_IS_ANOTHER;
    else if (error < 0)
        return lose(replay, flush->path, error);
    if (verdict == CFS_JOURNAL_IS_ANOTHER && state == PROVEN)
        verdict = CFS_JOURNAL_GO_ON;
    if (verdict == CFS_JOURNAL_IS_ANOTHER)
        return put_beside(replay, flush->path, flush->mode, ranges);
    if (verdict == CFS_JOURNAL_GO_ON) {
        error = cfs_journal_write_ranges(&replay->server, flush->path, O_WRONLY, 0, ranges);
        if (error < 0)
            return lose(replay, flush->path, error);
        replay->replayed.files++;
    }
    return know(replay, flush->path, PROVEN, NULL);
}

/* Ours was put beside something already, or is to be put beside what stands in its new place. */
static int move_beside(struct replay *replay, const char *from, const char *to)
{
    for (unsigned number = 1; number <= MOST_NAMES; number++) {
        char *alias = cfs_conflict_name(to, replay->options->now.tv_sec, number);
        if (!alias)
            return -ENOMEM;
        struct cfs_remote_attributes is;
        int error = cfs_server_lstat(&replay->server, alias, &is);
        if (error == -ENOENT)
            error = cfs_server_rename(&replay->server, from, alias, CFS_REMOTE_RENAME_NOREPLACE);
        else if (error == 0)
            error = -EEXIST;
        if (error == 0) {
            tell_conflict(replay, to, alias);
            return know(replay, to, ELSEWHERE, alias);
        }
        free(alias);
        if (error != -EEXIST)
            return lose(replay, to, error);
    }
    return lose(replay, to, -EEXIST);
}

/* What stands in the new place may be replaced: it is ours, or what it was when it was to be replaced. */
static bool may_replace(struct replay *replay, const struct cfs_journal_record *record,
                        const struct cfs_remote_attributes *is)
{
    const unsigned both = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    enum state state = state_of(replay, record->other);
    if (S_ISDIR(is->mode))
        return false;
    if (state == MADE || state == PROVEN)
        return true;
    if ((record->known_other.valid & is->valid & both) == both)
        return is->size == record->known_other.size && is->mtime == record->known_other.mtime;
    return is->valid & CFS_REMOTE_TIMES && record->server_time > 0 && is->mtime <= record->server_time;
}

static int rename_file(struct replay *replay, const struct cfs_journal_record *record)
{
    struct place *place = find(replay, record->path);
    enum state state = place ? place->state : UNKNOWN;
    struct cfs_remote_attributes from, to;
    if (state == LOST)
        return know(replay, record->other, LOST, NULL);
    if (state == ELSEWHERE) {
        char *alias CFS_AUTO_FREE = CFS_TAKE(place->alias);
        place->state = UNKNOWN;
        return move_beside(replay, alias, record->other);
    }
    int error = cfs_server_lstat(&replay->server, record->path, &from);
    if (error == -ENOENT) /* it had been renamed before the end, or is gone by now */
        return know(replay, record->other, UNKNOWN, NULL);
    if (error == 0 && !is_known(replay, record->path, &record->known, &from))
        error = -ESTALE;
    if (error == 0)
        error = set_attributes(replay, record->path, &record->known, &record->set);
    if (error == 0)
        error = cfs_server_lstat(&replay->server, record->other, &to);
    bool same = false;
    if (error == 0 && !may_replace(replay, record, &to)) {
        if (S_ISREG(to.mode) && to.size == from.size)
            error = cfs_journal_is_same(&replay->server, record->path, record->other, to.size, &same);
        if (error == 0 && !same)
            return move_beside(replay, record->path, record->other);
    }
    if (error == 0 || error == -ENOENT)
        error = cfs_server_rename(&replay->server, record->path, record->other, CFS_REMOTE_RENAME_REPLACE);
    if (error < 0)
        return lose(replay, record->other, error);
    if (place)
        place->state = UNKNOWN;
    return know(replay, record->other, state == UNKNOWN ? PROVEN : state, NULL);
}

/* --- going through them --- */

/* Bytes of a flush that is to come. */
static int gather(struct replay *replay, const struct cfs_journal_record *record)
{
    struct cfs_journal_ranges *ranges = &replay->ranges;
    if (replay->gathered != record->number)
        ranges->count = 0;
    replay->gathered = record->number;
    if (ranges->count == replay->room) {
        size_t room = replay->room ? replay->room * 2 : 16;
        struct cfs_journal_range *of = reallocarray(ranges->of, room, sizeof(*of));
        if (!of)
            return -ENOMEM;
        ranges->of = of;
        replay->room = room;
    }
    ranges->of[ranges->count++] =
        (struct cfs_journal_range){.offset = record->offset, .length = record->length, .data = record->data};
    return 0;
}

static int replay_flush(struct replay *replay, const struct cfs_journal_record *record)
{
    struct cfs_journal_ranges *ranges = &replay->ranges;
    if (replay->gathered != record->number)
        ranges->count = 0;
    int error = ranges->count == record->count ? write_file(replay, record, ranges) : -EBADMSG;
    ranges->count = 0;
    return error;
}

static int replay_record(struct replay *replay, const struct cfs_journal_record *record)
{
    switch (record->type) {
    case CFS_JOURNAL_MAKE:
        return make_file(replay, record);
    case CFS_JOURNAL_FOLDER:
        return make_folder(replay, record);
    case CFS_JOURNAL_SET:
        return set_attributes(replay, record->path, &record->known, &record->set);
    case CFS_JOURNAL_RENAME:
        return rename_file(replay, record);
    case CFS_JOURNAL_DATA:
        return gather(replay, record);
    case CFS_JOURNAL_FLUSH:
        return replay_flush(replay, record);
    default:
        return 0;
    }
}

/* What was lost or put beside is done once more if this replay does not come to its end: what follows depends on it. */
static void mark_done(struct replay *replay, const struct cfs_journal_record *record)
{
    enum state state = state_of(replay, record->other ? record->other : record->path);
    replay->replayed.changes++;
    if (replay->options->is_done && state != LOST && state != ELSEWHERE)
        replay->options->is_done(replay->options->context, record->number);
}

static int go_through(struct replay *replay)
{
    struct cfs_journal_record record;
    int found;
    while ((found = cfs_journal_next(&replay->cursor, &record)) > 0) {
        if (record.type >= CFS_JOURNAL_DONE || is_done(replay, record.number))
            continue;
        int error = replay_record(replay, &record);
        if (error < 0)
            return error;
        if (record.type != CFS_JOURNAL_DATA)
            mark_done(replay, &record);
    }
    return found;
}

int cfs_journal_replay_bytes(const struct cfs_journal_replay *options, const uint8_t *bytes, size_t length,
                             struct cfs_journal_replayed *ret_replayed)
{
    struct replay replay = {.options = options, .server = options->server};
    if (cfs_hash_init(&replay.places) < 0)
        return -ENOMEM;
    int error = survey(&replay, bytes, length);
    if (error == 0)
        error = go_through(&replay);
    cfs_journal_end(&replay.cursor);
    cfs_hash_each(&replay.places, free_place, NULL);
    cfs_hash_fini(&replay.places);
    free(replay.done.of);
    free(replay.ranges.of);
    *ret_replayed = replay.replayed;
    return error;
}

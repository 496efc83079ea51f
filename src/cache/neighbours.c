/* Neighbours: courses, their queues, and what is opened ahead next. */
#include "cache/neighbours.h"
#include "cache/ahead.h"
#include "cache/cache_priv.h"
#include "cache/contents.h"
#include "cache/fetch.h"
#include "cache/walk.h"
#include <stdlib.h>
#include <sys/stat.h>

enum {
    FIRST_WINDOW = 4,
    LARGEST_WINDOW = CFS_AHEAD_FILES,
    SMALLEST_WINDOW = 4,
    BATCH = 8,         /* calls handed down in one go: a program's own must not wait behind more */
    SCAN_LIMIT = 2000, /* entries of the queue looked at in one go */
    QUEUE_LIMIT = 20000,
    SEARCH_LIMIT = 64,       /* how far ahead in the queue a program may open a file */
    NEAR = 4,                /* files come in order if so few were left out */
    CAUTION = 2,             /* pairs in order until a course is believed in; twice as many after it was for nothing, */
    MOST_CAUTION = 32,       /* at most */
    TRIES = 16,              /* pairs that are looked at; of those that follow only each 16th */
    PAUSE_MS = CFS_AHEAD_MS, /* a program that opened nothing for so long gets nothing more */
    YOUNG_MS = 300,          /* a file that was opened ahead so lately was almost late */
    OLD_MS = 700,
    AGAIN_MS = 10000, /* in this time a file is opened ahead for nothing so often: */
    MOST_TRIES = 3,
    MOST_WASTED = 2 * LARGEST_WINDOW, /* files in a row, until it stops */
    SMALLEST_CACHE = 4 << 20,
};

struct item {
    struct cfs_list link;
    struct cfs_name *name; /* referenced */
    bool asked;            /* a folder whose listing we asked for */
};

/* --- names --- */

static bool is_kind(const struct cfs_name *name, mode_t type)
{
    return name->presence == CFS_NAME_PRESENT && name->attributes.valid & CFS_REMOTE_MODE &&
           (name->attributes.mode & S_IFMT) == type;
}

static bool was_opened_ahead(const struct cfs_cache *cache, const struct cfs_name *name)
{
    return name->ahead_tries > 0 && cfs_clock_ms(cache->clock) - name->opened_ahead_ms < AGAIN_MS;
}

/* Again and again, for nothing. */
static bool was_tried(const struct cfs_cache *cache, struct cfs_name *name)
{
    if (!was_opened_ahead(cache, name))
        name->ahead_tries = 0;
    return name->ahead_tries >= MOST_TRIES;
}

static bool is_wanted(const struct cfs_cache *cache, struct cfs_name *name)
{
    const struct cfs_remote_attributes *attributes = &name->attributes;
    const struct cfs_clock *clock = cache->clock;
    return !name->ahead && !name->detached && !name->is_shared && name->changing == 0 &&
           attributes->valid & CFS_REMOTE_TIMES &&
           clock->wall(clock).tv_sec - attributes->mtime >= CFS_AHEAD_SETTLED_S && !was_tried(cache, name);
}

/* --- the queue --- */

static void drop_item(struct cfs_cache *cache, struct cfs_course *course, struct item *item)
{
    cfs_list_remove(&item->link);
    course->queued--;
    cfs_name_put(&cache->names, item->name);
    free(item);
}

static void clear_queue(struct cfs_cache *cache, struct cfs_course *course)
{
    while (!cfs_list_empty(&course->queue))
        drop_item(cache, course, cfs_list_first(&course->queue, struct item, link));
    cfs_name_put(&cache->names, CFS_TAKE(course->base));
}

static void insert(struct cfs_cache *cache, struct cfs_course *course, struct cfs_list *before, struct cfs_name *name)
{
    struct item *item = course->queued < QUEUE_LIMIT ? calloc(1, sizeof(*item)) : NULL;
    if (!item)
        return;
    item->name = name;
    cfs_name_get(&cache->names, name);
    cfs_list_insert_before(before, &item->link);
    course->queued++;
}

/* What comes behind AFTER (NULL: all) in FOLDER is to come first. */
static void expand(struct cfs_cache *cache, struct cfs_course *course, struct cfs_name *folder,
                   const struct cfs_name *after)
{
    size_t count = 0;
    struct cfs_list *before = course->queue.next;
    struct cfs_name **names CFS_AUTO_FREE =
        cfs_order_entries(folder, after, course->order, cache->options.number, &count);
    folder->expanded_by = course->id;
    for (size_t i = 0; i < count; i++)
        insert(cache, course, before, names[i]);
}

/* The queue is empty: on with what comes behind its folder. False: there is nothing. */
static bool go_up(struct cfs_cache *cache, struct cfs_course *course)
{
    struct cfs_name *folder = course->base, *parent = folder ? folder->parent : NULL;
    if (!parent || !cfs_walk_was_listed(cache, parent) || parent->expanded_by == course->id)
        return false;
    expand(cache, course, parent, folder);
    cfs_name_get(&cache->names, parent);
    course->base = parent;
    cfs_name_put(&cache->names, folder);
    return true;
}

/* The place of NAME among the next files; 0: it is not there. What comes before it, if little, was left out. */
static uint64_t pass(struct cfs_cache *cache, struct cfs_course *course, const struct cfs_name *name)
{
    struct cfs_list *link, *following;
    unsigned files = 0, scanned = 0;
    cfs_list_each (link, &course->queue) {
        const struct item *item = cfs_container_of(link, const struct item, link);
        files += is_kind(item->name, S_IFREG);
        if (item->name == name)
            break;
        if (++scanned >= SEARCH_LIMIT)
            return 0;
    }
    if (link == &course->queue)
        return 0;
    cfs_list_each_safe (link, following, &course->queue) {
        struct item *item = cfs_container_of(link, struct item, link);
        bool is_last = item->name == name, is_file = is_kind(item->name, S_IFREG);
        if (is_last || (is_file && files <= NEAR)) {
            course->number += is_file && files <= NEAR;
            drop_item(cache, course, item);
        }
        if (is_last)
            break;
    }
    return files <= NEAR ? course->number : course->number + files;
}

/* --- courses --- */

static void set_at(struct cfs_cache *cache, struct cfs_course *course, struct cfs_name *name)
{
    struct cfs_name *before = course->at;
    cfs_name_get(&cache->names, name);
    course->at = name;
    course->at_ms = cfs_clock_ms(cache->clock);
    cfs_name_put(&cache->names, before);
}

static void stop(struct cfs_cache *cache, struct cfs_course *course)
{
    clear_queue(cache, course);
    course->window = 0;
    course->evidence = (struct cfs_order_evidence){.pairs = 0};
}

static void start(struct cfs_cache *cache, struct cfs_course *course, struct cfs_name *name, enum cfs_order order)
{
    clear_queue(cache, course);
    course->order = order;
    course->id = ++cache->neighbours.last_id;
    course->window = course->window > FIRST_WINDOW ? course->window : FIRST_WINDOW;
    course->wasted = 0;
    course->at_number = course->number;
    course->base = name->parent;
    if (!course->base)
        return;
    cfs_name_get(&cache->names, course->base);
    expand(cache, course, course->base, name);
}

static bool is_in_folder_of(const struct cfs_course *course, const struct cfs_name *name)
{
    return course->at && name->parent && course->at->parent == name->parent && course->at != name;
}

/* Another file of one folder was opened: what that says of the order. */
static bool note(struct cfs_cache *cache, struct cfs_course *course, const struct cfs_name *name,
                 enum cfs_order *ret_order)
{
    struct cfs_order_evidence *evidence = &course->evidence;
    if (evidence->pairs < TRIES || evidence->pairs % TRIES == 0)
        cfs_order_note(evidence, course->at, name, cache->options.number);
    else
        evidence->pairs++;
    return cfs_order_find(evidence, course->window ? 1 : course->caution, ret_order);
}

/* A file that the course knew of is opened. */
static void came(struct cfs_cache *cache, struct cfs_course *course, struct cfs_name *name, uint64_t number)
{
    enum cfs_order order;
    bool in_order = number > course->at_number && number <= course->at_number + NEAR;
    course->at_number = number;
    if (!in_order && course->window && is_in_folder_of(course, name) && note(cache, course, name, &order) &&
        order != course->order)
        start(cache, course, name, order);
    set_at(cache, course, name);
    cfs_walk_goes_on(cache);
}

/* One that it did not. */
static void strayed(struct cfs_cache *cache, struct cfs_course *course, struct cfs_name *name)
{
    enum cfs_order order;
    if (was_opened_ahead(cache, name)) { /* the program is slow, no more */
        name->ahead_tries = 0;
    } else if (is_in_folder_of(course, name)) {
        if (note(cache, course, name, &order))
            start(cache, course, name, order);
        else if (course->window)
            stop(cache, course);
    } else {
        stop(cache, course);
    }
    set_at(cache, course, name);
}

/* The course that NAME may belong to, or the one that has rested for the longest. */
static struct cfs_course *course_for(struct cfs_cache *cache, const struct cfs_name *name)
{
    struct cfs_course *oldest = &cache->neighbours.course[0];
    for (size_t i = 0; i < CFS_COURSES; i++) {
        struct cfs_course *course = &cache->neighbours.course[i];
        if (course->at && course->at->parent == name->parent)
            return course;
        if (!course->at || (oldest->at && course->at_ms < oldest->at_ms))
            oldest = course;
    }
    return oldest;
}

static void missed(struct cfs_cache *cache, struct cfs_name *name)
{
    for (size_t i = 0; i < CFS_COURSES; i++) {
        struct cfs_course *course = &cache->neighbours.course[i];
        uint64_t number = course->window ? pass(cache, course, name) : 0;
        if (number) {
            came(cache, course, name, number);
            return;
        }
    }
    strayed(cache, course_for(cache, name), name);
}

/* Files should be open for a while when they are wanted, not for long. */
static void adapt(struct cfs_course *course, enum cfs_ahead_answer answer, int64_t age_ms)
{
    unsigned window = course->window;
    if (answer != CFS_AHEAD_LATE) {
        course->wasted = 0;
        course->caution = CAUTION;
        course->used++;
    }
    if (window == 0)
        return;
    if (answer == CFS_AHEAD_LATE)
        window /= 2;
    else if (answer == CFS_AHEAD_WAITS || age_ms < YOUNG_MS)
        window *= 2;
    else if (age_ms > OLD_MS)
        window -= window / 4;
    course->window = window > LARGEST_WINDOW ? LARGEST_WINDOW : window < SMALLEST_WINDOW ? SMALLEST_WINDOW : window;
}

bool cfs_neighbours_open(struct cfs_cache *cache, struct cfs_name *name, struct cfs_ahead_waiter *waiter,
                         bool *ret_waits)
{
    unsigned number_of_course = 0;
    uint64_t number = 0;
    int64_t age_ms = 0;
    if (!cache->neighbours.enabled)
        return false;
    enum cfs_ahead_answer answer = cfs_ahead_claim(cache, name, waiter, &number_of_course, &number, &age_ms);
    struct cfs_course *course = &cache->neighbours.course[number_of_course];
    if (answer != CFS_AHEAD_NONE) {
        adapt(course, answer, age_ms);
        came(cache, course, name, number);
    } else {
        missed(cache, name);
    }
    *ret_waits = answer == CFS_AHEAD_WAITS;
    return answer == CFS_AHEAD_WAITS || answer == CFS_AHEAD_TAKEN;
}

void cfs_neighbours_listed(struct cfs_cache *cache, struct cfs_name *folder)
{
    for (size_t i = 0; i < CFS_COURSES; i++) {
        struct cfs_course *course = &cache->neighbours.course[i];
        if (!course->window || !folder->parent || folder->parent->expanded_by != course->id ||
            folder->expanded_by == course->id)
            continue;
        const struct item *first = cfs_list_first(&course->queue, const struct item, link);
        if (!first || first->name != folder)
            insert(cache, course, course->queue.next, folder);
    }
}

void cfs_neighbours_settled(struct cfs_cache *cache, unsigned course)
{
    cache->neighbours.course[course].outstanding--;
}

/* Too many files were opened ahead for so slow a program: fewer are, and this one again when it goes on. */
static void open_again(struct cfs_cache *cache, struct cfs_course *course, struct cfs_name *name)
{
    int64_t now = cfs_clock_ms(cache->clock);
    if (now != course->slowed_ms) { /* files expire many at a time */
        unsigned window = course->used / 2;
        course->slowed_ms = now;
        course->used = 0;
        course->window = window > LARGEST_WINDOW ? LARGEST_WINDOW : window < SMALLEST_WINDOW ? SMALLEST_WINDOW : window;
    }
    insert(cache, course, course->queue.next, name);
}

void cfs_neighbours_expired(struct cfs_cache *cache, unsigned number, struct cfs_name *name)
{
    struct cfs_course *course = &cache->neighbours.course[number];
    if (!course->window)
        return;
    open_again(cache, course, name);
    if (++course->wasted <= MOST_WASTED)
        return;
    stop(cache, course);
    course->caution = course->caution * 2 < MOST_CAUTION ? course->caution * 2 : MOST_CAUTION;
}

/* --- what to open --- */

struct plan {
    struct cfs_ahead *ahead; /* or */
    struct cfs_fetch *fetch;
    char *path;
};

/* A file of the queue leaves it, perhaps to be opened. */
static bool take_file(struct cfs_cache *cache, struct cfs_course *course, struct item *item, struct plan *ret_plan)
{
    struct cfs_name *name = item->name;
    unsigned number = (unsigned)(course - cache->neighbours.course);
    bool is_planned = false;
    course->number++;
    char *path = is_wanted(cache, name) ? cfs_name_path(name) : NULL;
    struct cfs_ahead *ahead = path ? cfs_ahead_new(cache, name, number, course->number) : NULL;
    if (ahead) {
        *ret_plan = (struct plan){.ahead = ahead, .path = path};
        course->outstanding++;
        is_planned = true;
    } else {
        free(path);
    }
    drop_item(cache, course, item);
    return is_planned;
}

enum step { STEP_ON, STEP_PLANNED, STEP_WAIT };

/* A folder of the queue: what is in it takes its place. */
static enum step take_folder(struct cfs_cache *cache, struct cfs_course *course, struct item *item,
                             struct plan *ret_plan)
{
    struct cfs_name *folder = item->name;
    bool is_listed = cfs_name_is_listed(&cache->names, folder);
    bool is_new = folder->expanded_by != course->id && !folder->detached && cfs_walk_is_on(cache);
    if (is_new && !is_listed && cfs_fetch_find(cache, folder))
        return STEP_WAIT;
    if (is_new && !is_listed && !item->asked) {
        item->asked = true;
        ret_plan->fetch = cfs_walk_fetch(cache, folder, &ret_plan->path);
        return ret_plan->fetch ? STEP_PLANNED : STEP_ON;
    }
    cfs_name_get(&cache->names, folder);
    drop_item(cache, course, item);
    if (is_new && is_listed)
        expand(cache, course, folder, NULL);
    cfs_name_put(&cache->names, folder);
    return STEP_ON;
}

static enum step take_next(struct cfs_cache *cache, struct cfs_course *course, struct plan *ret_plan)
{
    struct item *item = cfs_list_first(&course->queue, struct item, link);
    if (!item)
        return go_up(cache, course) ? STEP_ON : STEP_WAIT;
    if (is_kind(item->name, S_IFREG))
        return take_file(cache, course, item, ret_plan) ? STEP_PLANNED : STEP_ON;
    if (is_kind(item->name, S_IFDIR))
        return take_folder(cache, course, item, ret_plan);
    drop_item(cache, course, item);
    return STEP_ON;
}

static bool has_room(const struct cfs_cache *cache, const struct cfs_course *course, uint64_t budget)
{
    const struct cfs_aheads *aheads = &cache->aheads;
    return course->outstanding < course->window && aheads->count < CFS_AHEAD_FILES && aheads->bytes < budget &&
           !aheads->stopped && cfs_clock_ms(cache->clock) - course->at_ms < PAUSE_MS;
}

static size_t make_plans(struct cfs_cache *cache, struct cfs_course *course, uint64_t budget, struct plan *plans,
                         size_t count)
{
    for (unsigned scanned = 0; scanned < SCAN_LIMIT && count < BATCH && has_room(cache, course, budget); scanned++) {
        enum step step = take_next(cache, course, &plans[count]);
        if (step == STEP_WAIT)
            break;
        count += step == STEP_PLANNED;
    }
    return count;
}

void cfs_neighbours_on(struct cfs_cache *cache)
{
    struct plan plans[BATCH] = {{NULL, NULL, NULL}};
    size_t count = 0;
    struct cfs_remote *lower = cache->lower;
    if (!cache->neighbours.enabled || (lower->operations->is_lost && lower->operations->is_lost(lower)))
        return;
    uint64_t budget = cfs_contents_ahead_budget(cache->contents);
    pthread_mutex_lock(&cache->names_lock);
    for (size_t i = 0; i < CFS_COURSES; i++)
        count = make_plans(cache, &cache->neighbours.course[i], budget, plans, count);
    pthread_mutex_unlock(&cache->names_lock);
    for (size_t i = 0; i < count; i++) {
        if (plans[i].ahead)
            cfs_ahead_begin(plans[i].ahead, plans[i].path);
        else
            cfs_fetch_begin(plans[i].fetch, plans[i].path);
        free(plans[i].path);
    }
}

/* --- life --- */

void cfs_neighbours_init(struct cfs_cache *cache)
{
    const struct cfs_cache_options *options = &cache->options;
    cache->neighbours.enabled =
        cache->keeps_names && cache->contents && options->prefetch && options->cache_size >= SMALLEST_CACHE;
    for (size_t i = 0; i < CFS_COURSES; i++) {
        cache->neighbours.course[i].caution = CAUTION;
        cfs_list_init(&cache->neighbours.course[i].queue);
    }
}

void cfs_neighbours_stop(struct cfs_cache *cache)
{
    for (size_t i = 0; i < CFS_COURSES; i++) {
        struct cfs_course *course = &cache->neighbours.course[i];
        stop(cache, course);
        cfs_name_put(&cache->names, CFS_TAKE(course->at));
    }
}

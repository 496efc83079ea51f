/* Open folders. The listing is read from the server as the program asks for it, a batch when what is there has been
 * handed out, and kept while the folder is open, so that offsets stay valid: 0 is ".", 1 is "..", N + 2 is entry N of
 * the server's order. In a huge folder only a window is kept. Going back to the start, or to before the window, lists
 * anew; so does going on after a failure. Reads of one open folder take turns.
 *
 * With PLUS an entry counts as a lookup, if its attributes may still be used: complete, not older than the TTL, and not
 * overtaken by a change of our own; else the kernel gets the name alone, and looks it up when it needs it. The remote
 * fetches batches ahead of our calls: marks of the last calls say how old a batch may be. */
#include "fs/folder_entries.h"
#include "fs/fs_priv.h"
#include <errno.h>
#include <stdlib.h>

enum { OFFSET_OF_ENTRIES = 2, LISTINGS_A_READ = 3 };

/* When something was submitted: what an answer cannot be older than. */
struct mark {
    uint64_t started; /* cfs_stamp() */
    int64_t asked_ms;
};

struct cfs_open_folder {
    struct cfs_list of_fs; /* the lock's */
    struct cfs_fs *fs;
    struct cfs_node *node; /* referenced */
    struct cfs_turn turn;
    struct cfs_remote_call close; /* where no request waits */

    /* Whoever has the turn. */
    struct cfs_remote_listing *listing; /* NULL: to be opened */
    struct cfs_folder_entries entries;
    struct mark marks[CFS_REMOTE_LISTING_AHEAD]; /* of the last calls on the listing; the oldest is the next to go */
    unsigned oldest_mark;
    bool ended;
    uint64_t furthest; /* the highest number asked for */
};

struct reading {
    struct cfs_step step;
    struct cfs_open_folder *folder;
    struct cfs_node *node; /* open_folder: referenced */
    uint64_t offset;
    bool plus, has_turn;
    cfs_add_entry *add;
    unsigned openings; /* of the listing, by this request */
    struct mark asked; /* the batch */
    int failure;       /* to be told when the listing is closed */
    struct cfs_remote_attributes *asked_owners;
};

static struct reading *reading_of(struct cfs_step *step)
{
    return cfs_container_of(step, struct reading, step);
}

/* --- life --- */

static struct cfs_open_folder *new_folder(struct cfs_fs *fs, struct cfs_node *node)
{
    struct cfs_open_folder *folder = calloc(1, sizeof(*folder));
    if (!folder)
        return NULL;
    folder->fs = fs;
    folder->node = node;
    cfs_list_init(&folder->turn.waiting);
    pthread_mutex_lock(&fs->lock);
    cfs_node_get(node);
    cfs_list_push_back(&fs->folders, &folder->of_fs);
    pthread_mutex_unlock(&fs->lock);
    return folder;
}

/* The listing must have been given to somebody who closes it. */
static void free_folder(struct cfs_open_folder *folder)
{
    struct cfs_fs *fs = folder->fs;
    pthread_mutex_lock(&fs->lock);
    cfs_list_remove(&folder->of_fs);
    cfs_node_put(&fs->tree, folder->node);
    pthread_mutex_unlock(&fs->lock);
    cfs_folder_entries_clear(&folder->entries);
    free(folder);
}

static void count_closed(struct cfs_fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    fs->closing--;
    pthread_cond_broadcast(&fs->idle);
    pthread_mutex_unlock(&fs->lock);
}

static void discarded_closed(struct cfs_remote_call *call)
{
    struct cfs_open_folder *folder = cfs_container_of(call, struct cfs_open_folder, close);
    struct cfs_fs *fs = folder->fs;
    free_folder(folder);
    count_closed(fs);
}

void cfs_folder_discard(struct cfs_open_folder *folder)
{
    struct cfs_fs *fs = folder->fs;
    if (!folder->listing) {
        free_folder(folder);
        return;
    }
    pthread_mutex_lock(&fs->lock);
    fs->closing++;
    pthread_mutex_unlock(&fs->lock);
    folder->close.done = discarded_closed;
    fs->remote->operations->close_listing(fs->remote, &folder->close, CFS_TAKE(folder->listing));
}

struct cfs_open_folder *cfs_folder_left_over(struct cfs_fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    struct cfs_open_folder *folder = cfs_list_first(&fs->folders, struct cfs_open_folder, of_fs);
    if (folder)
        cfs_list_remove(&folder->of_fs);
    pthread_mutex_unlock(&fs->lock);
    return folder;
}

/* --- how old a batch may be --- */

static struct mark mark_now(struct cfs_fs *fs)
{
    return (struct mark){.started = cfs_stamp(fs), .asked_ms = cfs_clock_ms(fs->clock)};
}

/* The listing is about to be opened: the remote may ask for the first batches at once. */
static void set_marks(struct cfs_open_folder *folder)
{
    for (size_t i = 0; i < CFS_REMOTE_LISTING_AHEAD; i++)
        folder->marks[i] = mark_now(folder->fs);
}

/* A batch is about to be read: since when its attributes hold. */
static struct mark take_mark(struct cfs_open_folder *folder)
{
    struct mark *oldest = &folder->marks[folder->oldest_mark++ % CFS_REMOTE_LISTING_AHEAD];
    struct mark taken = *oldest;
    *oldest = mark_now(folder->fs);
    return taken;
}

/* --- open --- */

static void release_open(struct cfs_step *step)
{
    struct reading *reading = reading_of(step);
    if (reading->folder)
        cfs_folder_discard(reading->folder);
    cfs_fs_put_node(step->fs, reading->node);
}

static void folder_opened(struct cfs_step *step, int error)
{
    struct reading *reading = reading_of(step);
    if (error == 0) {
        reading->folder->listing = step->call.result.listing;
        step->request->result.folder = CFS_TAKE(reading->folder);
    }
    cfs_step_reply(step, error);
}

static void open_claimed(struct cfs_step *step, int error)
{
    struct reading *reading = reading_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error == 0 && !(reading->folder = new_folder(step->fs, reading->node)))
        error = -ENOMEM;
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    set_marks(reading->folder);
    cfs_step_call(step, folder_opened, open_listing, path);
}

void cfs_fs_open_folder(struct cfs_fs *fs, struct cfs_request *request, uint64_t node)
{
    struct reading *reading = cfs_step_new(fs, request, sizeof(*reading), release_open);
    if (!reading)
        return;
    cfs_step_may_be_old(&reading->step);
    if (!(reading->node = cfs_fs_node(fs, node))) {
        cfs_step_reply(&reading->step, -ESTALE);
        return;
    }
    reading->step.claim.node[0] = reading->node;
    cfs_claim_take(&reading->step, open_claimed);
}

/* --- handing out --- */

/* Whether the kernel may have the attributes; if so, for how long. */
static bool may_be_told(struct cfs_fs *fs, const struct cfs_node *folder, const struct cfs_folder_entry *entry,
                        uint32_t *ret_ttl_ms)
{
    unsigned all = CFS_REMOTE_MODE | CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_TIMES;
    int64_t age = cfs_clock_ms(fs->clock) - entry->asked_ms;
    uint32_t ttl_ms = cfs_attributes_ttl_ms(fs, &entry->attributes);
    if ((entry->attributes.valid & all) != all || age > ttl_ms)
        return false;
    pthread_mutex_lock(&fs->lock);
    const struct cfs_node *child = cfs_tree_child(&fs->tree, folder, entry->name);
    bool overtaken = child ? child->named_at > entry->started || cfs_changed_since(child, entry->started)
                           : cfs_changed_since(folder, entry->started);
    pthread_mutex_unlock(&fs->lock);
    *ret_ttl_ms = ttl_ms - (age > 0 ? (uint32_t)age : 0);
    return !overtaken;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

static void describe_plainly(struct cfs_fs *fs, const struct cfs_node *folder, const struct cfs_folder_entry *entry,
                             struct cfs_entry *ret_entry)
{
    pthread_mutex_lock(&fs->lock);
    uint64_t ino = cfs_tree_ino(&fs->tree, folder, entry->name);
    pthread_mutex_unlock(&fs->lock);
    mode_t type = entry->attributes.valid & CFS_REMOTE_MODE ? entry->attributes.mode & S_IFMT : 0;
    /* Without memory, or without a path: any number but 0, which programs take for a deleted entry. */
    *ret_entry = (struct cfs_entry){.attributes = {.st_ino = ino ? ino : UINT64_MAX, .st_mode = type}};
}

static bool add_entry(struct reading *reading, const struct cfs_folder_entry *listed, uint64_t next)
{
    struct cfs_fs *fs = reading->step.fs;
    struct cfs_node *folder = reading->folder->node;
    struct cfs_entry entry;
    uint32_t ttl_ms;
    if (reading->plus && may_be_told(fs, folder, listed, &ttl_ms) &&
        cfs_entry_make(fs, folder, listed->name, &listed->attributes, listed->started, false, &entry) == 0) {
        entry.attributes_ttl_ms = at_most(entry.attributes_ttl_ms, ttl_ms);
        entry.entry_ttl_ms = at_most(entry.entry_ttl_ms, ttl_ms);
    } else {
        describe_plainly(fs, folder, listed, &entry);
    }
    if (reading->add(reading->step.request, listed->name, &entry, next))
        return true;
    if (entry.node)
        cfs_fs_forget(fs, entry.node, 1);
    return false;
}

static bool add_dots(struct reading *reading, uint64_t offset)
{
    const struct cfs_node *node = reading->folder->node;
    pthread_mutex_lock(&reading->step.fs->lock);
    uint64_t ino = offset == 1 && node->parent ? node->parent->ino : node->ino;
    pthread_mutex_unlock(&reading->step.fs->lock);
    struct cfs_entry entry = {.attributes = {.st_ino = ino, .st_mode = S_IFDIR}};
    return reading->add(reading->step.request, offset == 0 ? "." : "..", &entry, offset + 1);
}

static void hand_out(struct cfs_step *step, int error)
{
    (void)error;
    struct reading *reading = reading_of(step);
    struct cfs_open_folder *folder = reading->folder;
    uint64_t offset = reading->offset;
    while (offset < OFFSET_OF_ENTRIES && add_dots(reading, offset))
        offset++;
    const struct cfs_folder_entry *entry;
    while (offset >= OFFSET_OF_ENTRIES &&
           (entry = cfs_folder_entries_at(&folder->entries, offset - OFFSET_OF_ENTRIES)) &&
           add_entry(reading, entry, offset + 1))
        offset++;
    if (offset > folder->furthest)
        folder->furthest = offset;
    if (offset > OFFSET_OF_ENTRIES)
        cfs_folder_entries_trim(&folder->entries, offset - OFFSET_OF_ENTRIES);
    cfs_step_reply(step, 0);
}

/* --- reading --- */

static void go_on(struct reading *reading);

static void release_reading(struct cfs_step *step)
{
    struct reading *reading = reading_of(step);
    free(reading->asked_owners);
    if (reading->has_turn)
        cfs_turn_give(step->fs, &reading->folder->turn);
}

static void reopened(struct cfs_step *step, int error)
{
    struct reading *reading = reading_of(step);
    cfs_claim_drop(step);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    reading->folder->listing = step->call.result.listing;
    go_on(reading);
}

static void reopen_claimed(struct cfs_step *step, int error)
{
    struct reading *reading = reading_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error == -ENOENT) {
        reading->folder->ended = true; /* a removed folder is empty */
        hand_out(step, 0);
    } else if (error < 0) {
        cfs_step_reply(step, error);
    } else {
        set_marks(reading->folder);
        cfs_step_call(step, reopened, open_listing, path);
    }
}

static void reopen(struct reading *reading)
{
    if (++reading->openings > LISTINGS_A_READ) {
        cfs_step_reply(&reading->step, -EIO);
        return;
    }
    reading->step.claim.node[0] = reading->folder->node;
    cfs_claim_take(&reading->step, reopen_claimed);
}

static void closed_to_begin_anew(struct cfs_step *step, int error)
{
    (void)error;
    cfs_step_unshield(step);
    reopen(reading_of(step));
}

/* Forgets the listing; the step goes on with THEN when it is closed. */
static void drop_listing(struct reading *reading, cfs_step_function *then)
{
    struct cfs_open_folder *folder = reading->folder;
    cfs_folder_entries_clear(&folder->entries);
    folder->ended = false;
    folder->furthest = 0;
    if (!folder->listing) {
        then(&reading->step, 0);
        return;
    }
    struct cfs_remote_listing *listing = CFS_TAKE(folder->listing);
    cfs_step_shield(&reading->step); /* or it would leak */
    cfs_step_call(&reading->step, then, close_listing, listing);
}

static void closed_after_failure(struct cfs_step *step, int error)
{
    (void)error;
    cfs_step_reply(step, reading_of(step)->failure);
}

/* Owners are asked for with the batch, for all of it. */
static void prepare_owners(struct reading *reading, const struct cfs_remote_entry *entries, size_t count,
                           cfs_step_function *then)
{
    free(reading->asked_owners);
    reading->asked_owners = NULL;
    if (reading->plus && reading->step.fs->profile->idmap == CFS_IDMAP_NAME)
        reading->asked_owners = calloc(count, sizeof(*reading->asked_owners));
    for (size_t i = 0; reading->asked_owners && i < count; i++)
        reading->asked_owners[i] = entries[i].attributes;
    cfs_attributes_prepare(&reading->step, reading->asked_owners, reading->asked_owners ? count : 0, then);
}

static void batch_prepared(struct cfs_step *step, int error)
{
    (void)error;
    go_on(reading_of(step));
}

static void batch_read(struct cfs_step *step, int error)
{
    struct reading *reading = reading_of(step);
    struct cfs_open_folder *folder = reading->folder;
    const struct cfs_remote_result *result = &step->call.result;
    if (error == 0 && result->count > 0)
        error = cfs_folder_entries_add(&folder->entries, result->entries, result->count, reading->asked.started,
                                       reading->asked.asked_ms);
    if (error < 0) {
        reading->failure = error;
        drop_listing(reading, closed_after_failure); /* a batch is missing: the next read begins anew */
    } else if (result->count == 0) {
        folder->ended = true;
        hand_out(step, 0);
    } else {
        cfs_folder_entries_trim(&folder->entries,
                                reading->offset > OFFSET_OF_ENTRIES ? reading->offset - OFFSET_OF_ENTRIES : 0);
        prepare_owners(reading, result->entries, result->count, batch_prepared);
    }
}

/* Hands out, or sees to it that there is something to hand out. */
static void go_on(struct reading *reading)
{
    struct cfs_open_folder *folder = reading->folder;
    uint64_t number = reading->offset > OFFSET_OF_ENTRIES ? reading->offset - OFFSET_OF_ENTRIES : 0;
    if (number < folder->entries.first)
        drop_listing(reading, closed_to_begin_anew);
    else if (folder->ended || cfs_folder_entries_at(&folder->entries, number))
        hand_out(&reading->step, 0);
    else if (!folder->listing)
        reopen(reading);
    else {
        reading->asked = take_mark(folder);
        cfs_step_call(&reading->step, batch_read, read_listing, folder->listing);
    }
}

static void read_in_turn(struct cfs_step *step, int error)
{
    struct reading *reading = reading_of(step);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    reading->has_turn = true;
    /* rewinddir(3) shows what is there now. */
    if (reading->offset == 0 && reading->folder->furthest > 0)
        drop_listing(reading, closed_to_begin_anew);
    else
        go_on(reading);
}

void cfs_fs_read_folder(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_folder *folder, uint64_t offset,
                        bool plus, cfs_add_entry *add)
{
    struct reading *reading = cfs_step_new(fs, request, sizeof(*reading), release_reading);
    if (!reading)
        return;
    cfs_step_may_be_old(&reading->step);
    reading->folder = folder;
    reading->offset = offset;
    reading->plus = plus;
    reading->add = add;
    cfs_turn_take(&reading->step, &folder->turn, read_in_turn);
}

/* --- release, fsync --- */

static void released(struct cfs_step *step, int error)
{
    (void)error;
    struct reading *reading = reading_of(step);
    free_folder(CFS_TAKE(reading->folder));
    cfs_step_reply(step, 0);
}

static void release_in_turn(struct cfs_step *step, int error)
{
    (void)error;
    drop_listing(reading_of(step), released);
}

void cfs_fs_release_folder(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_folder *folder)
{
    struct reading *reading = cfs_step_new(fs, request, sizeof(*reading), NULL);
    if (!reading)
        return; /* closed with the file system */
    reading->folder = folder;
    cfs_step_shield(&reading->step);
    cfs_turn_take(&reading->step, &folder->turn, release_in_turn);
}

/* SFTP has nothing that makes a name durable; but what was told to be done is done on the server then, all of it. */
void cfs_fs_fsync_folder(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_folder *folder)
{
    (void)folder;
    struct cfs_step *step = fs->remote->operations->sync ? cfs_step_new(fs, request, sizeof(*step), NULL) : NULL;
    if (step)
        cfs_step_call(step, cfs_step_reply, sync);
    else if (!fs->remote->operations->sync)
        cfs_request_reply(fs, request, 0);
}

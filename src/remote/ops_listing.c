/* Listings: several READDIRs are in flight for each, as sftp-server gives 100 names a time; the batches are handed out
 * in the order in which they were asked for.
 *
 * A listing is a ring of slots: `first` is the one that is handed out next. Each slot is asked again as soon as its
 * batch has been handed out, until the server has said that there is no more. Its requests belong to no operation: at
 * most one operation, the reader, waits for the first slot. Everything is on the loop's thread, on the metadata lane.
 *
 * When the connection is lost in the middle, the folder is opened again and listed from its beginning, in whatever
 * order the server has it then; what was handed out before is left out. For that the listing keeps the hashes of those
 * names.
 */
#include "base/hash.h"
#include "base/log.h"
#include "remote/names.h"
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <string.h>

enum { SLOTS = CFS_REMOTE_LISTING_AHEAD };

/* Entries and their names. */
struct batch {
    size_t count;
    char *text;
    struct cfs_remote_entry entries[];
};

struct slot {
    struct cfs_sftp_request request;
    struct cfs_remote_listing *listing;
    enum { SLOT_EMPTY, SLOT_ASKED, SLOT_ANSWERED } state;
    int error;           /* negative; -ENODATA: the end */
    struct batch *batch; /* NULL with an error */
};

struct listing_operation {
    struct cfs_operation operation;
    struct cfs_remote_listing *listing;
    struct batch *batch; /* being handed out */
};

struct cfs_remote_listing {
    struct cfs_pool *pool;
    struct cfs_lane *lane;
    unsigned generation; /* of the lane to which the handle belongs */
    struct cfs_sftp_handle handle;
    bool is_lost;   /* requests were, with their connection */
    uint64_t *told; /* hashes of the names that were handed out */
    size_t told_count, told_room;
    size_t left_out; /* so many of them, sorted, are not handed out again */
    struct slot slots[SLOTS];
    unsigned first;
    int ended; /* -ENODATA, or the error that ended it; nothing is asked any more */
    bool warned;
    struct listing_operation *reader;
    char *path; /* for the log */
};

static void free_batch(struct batch *batch)
{
    if (batch)
        free(batch->text);
    free(batch);
}

/* --- what was handed out --- */

static int note_told(struct cfs_remote_listing *listing, const struct batch *batch)
{
    size_t needed = listing->told_count + batch->count;
    if (!listing->pool->again.is_wanted)
        return 0;
    if (needed > listing->told_room) {
        size_t room = 2 * needed;
        uint64_t *told = reallocarray(listing->told, room, sizeof(*told));
        if (!told)
            return -ENOMEM;
        listing->told = told;
        listing->told_room = room;
    }
    for (size_t i = 0; i < batch->count; i++)
        listing->told[listing->told_count++] = cfs_hash_bytes(batch->entries[i].name, batch->entries[i].name_length);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void leave_out_told(struct cfs_remote_listing *listing)
{
    if (listing->told_count > 0)
        qsort(listing->told, listing->told_count, sizeof(*listing->told), compare);
    listing->left_out = listing->told_count;
}

static bool was_told(const struct cfs_remote_listing *listing, const struct cfs_sftp_name *name)
{
    uint64_t hash = listing->left_out > 0 ? cfs_hash_bytes(name->name, name->name_length) : 0;
    return listing->left_out > 0 && bsearch(&hash, listing->told, listing->left_out, sizeof(hash), compare);
}

/* --- batches --- */

static size_t text_size(const struct cfs_sftp_reply *reply)
{
    size_t size = 1;
    for (size_t i = 0; i < reply->name_count; i++) {
        if (cfs_name_judge(reply->names[i].name, reply->names[i].name_length) == CFS_NAME_GOOD)
            size += reply->names[i].name_length + 1;
    }
    return size;
}

static bool is_wanted(struct cfs_remote_listing *listing, const struct cfs_sftp_name *name)
{
    enum cfs_name_verdict verdict = cfs_name_judge(name->name, name->name_length);
    if (verdict == CFS_NAME_BAD && !listing->warned) {
        cfs_log_warning("pool", "the server sent a bad name in a listing of %s; it is left out", listing->path);
        listing->warned = true;
    }
    return verdict == CFS_NAME_GOOD && !was_told(listing, name);
}

/* The names of a reply, without those that nobody wants. NULL if memory is short. */
static struct batch *new_batch(struct cfs_remote_listing *listing, const struct cfs_sftp_reply *reply)
{
    struct batch *batch = calloc(1, sizeof(*batch) + reply->name_count * sizeof(struct cfs_remote_entry));
    char *text = malloc(text_size(reply));
    if (!batch || !text) {
        free(batch);
        free(text);
        return NULL;
    }
    batch->text = text;
    for (size_t i = 0; i < reply->name_count; i++) {
        const struct cfs_sftp_name *name = &reply->names[i];
        struct cfs_remote_entry *entry = &batch->entries[batch->count];
        if (!is_wanted(listing, name))
            continue;
        memcpy(text, name->name, name->name_length);
        text[name->name_length] = '\0';
        entry->name = text;
        entry->name_length = name->name_length;
        cfs_attributes_from_wire(&name->attributes, &entry->attributes);
        text += name->name_length + 1;
        batch->count++;
    }
    return batch;
}

/* --- the ring --- */

static void hand_out(struct cfs_remote_listing *listing);

static void take_answer(struct slot *slot, const struct cfs_sftp_reply *reply)
{
    struct cfs_remote_listing *listing = slot->listing;
    if (!reply->from_server && reply->error != -EPROTO && !listing->ended && listing->pool->again.is_wanted) {
        slot->state = SLOT_EMPTY;
        listing->is_lost = true;
        return;
    }
    slot->state = SLOT_ANSWERED;
    slot->error = reply->from_server ? reply->error : reply->error == -EPROTO ? -EIO : -ENOTCONN;
    /* An answer without names would have us ask for ever; OpenSSH's client takes it for the end, too. */
    if (!slot->error && reply->name_count == 0)
        slot->error = -ENODATA;
    if (!slot->error) {
        slot->batch = new_batch(listing, reply);
        slot->error = slot->batch ? 0 : -ENOMEM;
    }
    if (slot->error && !listing->ended)
        listing->ended = slot->error;
}

static void on_names(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct slot *slot = cfs_container_of(request, struct slot, request);
    if (reply->from_server)
        slot->listing->lane->last_reply_ms = cfs_loop_now_ms(slot->listing->pool->loop);
    take_answer(slot, reply);
    hand_out(slot->listing);
}

static bool is_open(const struct cfs_remote_listing *listing)
{
    return listing->lane->client && !listing->lane->doomed && listing->generation == listing->lane->generation;
}

static void ask(struct cfs_remote_listing *listing, struct slot *slot)
{
    if (listing->ended || slot->state != SLOT_EMPTY)
        return;
    slot->listing = listing;
    slot->request = (struct cfs_sftp_request){.done = on_names};
    slot->state = SLOT_ASKED;
    int error =
        is_open(listing) ? cfs_sftp_readdir(listing->lane->client, &slot->request, &listing->handle) : -ENOTCONN;
    if (error == -ENOTCONN && listing->pool->again.is_wanted) {
        slot->state = SLOT_EMPTY;
        listing->is_lost = true;
    } else if (error) {
        slot->state = SLOT_ANSWERED;
        slot->error = error;
        listing->ended = error;
    }
}

static void ask_all(struct cfs_remote_listing *listing)
{
    for (unsigned i = 0; i < SLOTS; i++)
        ask(listing, &listing->slots[(listing->first + i) % SLOTS]);
}

/* Takes the answer out of the first slot and asks for another; NULL for an error or the end, which stay in the ring. */
static struct batch *take_first(struct cfs_remote_listing *listing)
{
    struct slot *slot = &listing->slots[listing->first];
    struct batch *batch = slot->batch;
    if (!batch)
        return NULL;
    slot->batch = NULL;
    slot->state = SLOT_EMPTY;
    listing->first = (listing->first + 1) % SLOTS;
    ask_all(listing);
    return batch;
}

/* What is in the ring may have gaps, or the rest cannot be asked for. */
static bool must_be_opened(const struct cfs_remote_listing *listing)
{
    return !listing->ended && listing->pool->again.is_wanted && (listing->is_lost || !is_open(listing));
}

/* Gives the reader the next batch that is not empty, the end, or the error, if it is there. */
static void hand_out(struct cfs_remote_listing *listing)
{
    while (listing->reader) {
        struct listing_operation *reader = listing->reader;
        if (must_be_opened(listing)) {
            listing->reader = NULL;
            cfs_operation_lost(&reader->operation);
            return;
        }
        struct slot *slot = &listing->slots[listing->first];
        int error = slot->state == SLOT_ANSWERED ? slot->error : listing->ended;
        if (slot->state == SLOT_ASKED)
            return;
        struct batch *batch = take_first(listing);
        if (batch && batch->count == 0) {
            free_batch(batch);
            continue;
        }
        if (batch && note_told(listing, batch) < 0) {
            free_batch(batch);
            listing->ended = error = -ENOMEM;
            batch = NULL;
        }
        listing->reader = NULL;
        reader->batch = batch;
        reader->operation.result.entries = batch ? batch->entries : NULL;
        reader->operation.result.count = batch ? batch->count : 0;
        cfs_operation_finish(&reader->operation, batch || error == -ENODATA ? 0 : error);
        return;
    }
}

/* --- opening --- */

static void on_opened(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->error) {
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    struct cfs_remote_listing *listing = calloc(1, sizeof(*listing));
    if (!listing) {
        cfs_lane_discard(operation->lane, reply->handle);
        cfs_operation_finish(operation, -ENOMEM);
        return;
    }
    listing->pool = operation->pool;
    listing->lane = operation->lane;
    listing->generation = operation->lane->generation;
    listing->handle = *reply->handle;
    listing->path = CFS_TAKE(operation->path);
    ask_all(listing);
    operation->result.listing = listing;
    cfs_operation_finish(operation, 0);
}

static void start_open(struct cfs_operation *operation)
{
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_opened);
    (void)!cfs_step_sent(step, cfs_sftp_opendir(cfs_operation_client(operation), armed, operation->path));
}

void cfs_pool_open_listing(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    struct cfs_operation *operation =
        cfs_operation_new(cfs_pool_of(remote), call, sizeof(*operation), CFS_DIAGNOSE_OPEN_LISTING, start_open);
    if (!operation)
        return;
    operation->replay = CFS_REPLAY_FREELY;
    cfs_operation_set_path(operation, path);
    cfs_operation_submit_path(operation);
}

/* --- reading --- */

static struct listing_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct listing_operation, operation);
}

/* Also when it was given up: then the batch that it waited for stays in the ring. */
static void dispose_read(struct cfs_operation *operation)
{
    free_batch(of(operation)->batch);
}

static void give_up_read(struct cfs_operation *operation)
{
    struct cfs_remote_listing *listing = of(operation)->listing;
    if (listing->reader == of(operation))
        listing->reader = NULL;
}

static void empty_ring(struct cfs_remote_listing *listing)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &listing->slots[i];
        if (slot->state == SLOT_ASKED && listing->lane->client)
            cfs_sftp_cancel(listing->lane->client, &slot->request);
        free_batch(CFS_TAKE(slot->batch));
        slot->state = SLOT_EMPTY;
        slot->error = 0;
    }
    listing->first = 0;
}

static void on_opened_again(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct cfs_remote_listing *listing = of(operation)->listing;
    if (reply->error) {
        listing->ended = reply->error;
        cfs_operation_finish(operation, reply->error);
        return;
    }
    empty_ring(listing);
    leave_out_told(listing);
    listing->handle = *reply->handle;
    listing->generation = operation->lane->generation;
    listing->is_lost = false;
    listing->reader = of(operation);
    ask_all(listing);
    hand_out(listing);
}

static void start_read(struct cfs_operation *operation)
{
    struct listing_operation *self = of(operation);
    struct cfs_step *step = &operation->step[0];
    if (must_be_opened(self->listing)) {
        struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_opened_again);
        (void)!cfs_step_sent(step, cfs_sftp_opendir(cfs_operation_client(operation), armed, self->listing->path));
        return;
    }
    self->listing->reader = self;
    hand_out(self->listing);
}

static struct listing_operation *new_operation(struct cfs_remote *remote, struct cfs_remote_call *call,
                                               struct cfs_remote_listing *listing,
                                               void (*start)(struct cfs_operation *operation))
{
    struct listing_operation *self =
        cfs_operation_new(cfs_pool_of(remote), call, sizeof(*self), CFS_DIAGNOSE_HANDLE, start);
    if (self)
        self->listing = listing;
    return self;
}

void cfs_pool_read_listing(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_listing *listing)
{
    struct listing_operation *self = new_operation(remote, call, listing, start_read);
    if (!self)
        return;
    self->operation.dispose = dispose_read;
    self->operation.replay = CFS_REPLAY_FREELY;
    self->operation.ending = give_up_read;
    cfs_operation_submit(&self->operation, listing->lane, 0);
}

/* --- closing --- */

/* Before `done`, whatever came of it: the listing is no more. */
static void free_listing(struct cfs_operation *operation)
{
    struct cfs_remote_listing *listing = of(operation)->listing;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (listing->slots[i].state == SLOT_ASKED && listing->lane->client)
            cfs_sftp_cancel(listing->lane->client, &listing->slots[i].request);
        free_batch(listing->slots[i].batch);
    }
    free(listing->told);
    free(listing->path);
    free(listing);
}

static void start_close(struct cfs_operation *operation)
{
    if (!is_open(of(operation)->listing)) {
        cfs_operation_finish(operation, -ENOTCONN);
        return;
    }
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, cfs_operation_finish_reply);
    (void)!cfs_step_sent(step, cfs_sftp_close(cfs_operation_client(operation), armed, &of(operation)->listing->handle));
}

void cfs_pool_close_listing(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_listing *listing)
{
    struct listing_operation *self = new_operation(remote, call, listing, start_close);
    if (!self)
        return;
    self->operation.uncancellable = true;
    self->operation.ending = free_listing;
    cfs_operation_submit(&self->operation, listing->lane, 0);
}

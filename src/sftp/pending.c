/* The requests in flight, by id. Ids count up, so that the low bits of an id pick the bucket; a chain forms only when
 * some request stays unanswered for much longer than the others. An id is not given out again while it is in use. */
#include "sftp/client_priv.h"
#include <errno.h>

enum {
    FIRST_BUCKETS = 64,
    MOST_SPARE = 1024,
};

static struct cfs_sftp_pending **bucket_of(const struct cfs_sftp_pending_table *table, uint32_t id)
{
    return &table->buckets[id & (table->bucket_count - 1)];
}

int cfs_sftp_pending_init(struct cfs_sftp_pending_table *table)
{
    *table = (struct cfs_sftp_pending_table){.bucket_count = FIRST_BUCKETS, .next_id = 1};
    cfs_list_init(&table->order);
    table->buckets = calloc(table->bucket_count, sizeof(struct cfs_sftp_pending *));
    return table->buckets ? 0 : -ENOMEM;
}

void cfs_sftp_pending_fini(struct cfs_sftp_pending_table *table)
{
    while (table->spare) {
        struct cfs_sftp_pending *pending = table->spare;

        table->spare = pending->next;
        free(pending);
    }
    free(table->buckets);
    table->buckets = NULL;
}

/* Without memory for more buckets the chains become longer, and nothing else happens. */
static void grow(struct cfs_sftp_pending_table *table)
{
    size_t bucket_count = table->bucket_count * 2;
    struct cfs_sftp_pending **buckets = calloc(bucket_count, sizeof(struct cfs_sftp_pending *));
    struct cfs_list *link;

    if (!buckets)
        return;
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = bucket_count;
    cfs_list_each (link, &table->order) {
        struct cfs_sftp_pending *pending = cfs_container_of(link, struct cfs_sftp_pending, link);
        struct cfs_sftp_pending **bucket = bucket_of(table, pending->id);

        pending->next = *bucket;
        *bucket = pending;
    }
}

static struct cfs_sftp_pending *allocate(struct cfs_sftp_pending_table *table)
{
    struct cfs_sftp_pending *pending = table->spare;

    if (!pending)
        return calloc(1, sizeof(*pending));
    table->spare = pending->next;
    table->spare_count--;
    *pending = (struct cfs_sftp_pending){0};
    return pending;
}

struct cfs_sftp_pending *cfs_sftp_pending_add(struct cfs_sftp_pending_table *table)
{
    struct cfs_sftp_pending *pending = allocate(table);
    struct cfs_sftp_pending **bucket;

    if (!pending)
        return NULL;
    if (table->count >= table->bucket_count)
        grow(table);
    while (cfs_sftp_pending_find(table, table->next_id))
        table->next_id++;
    pending->id = table->next_id++;
    bucket = bucket_of(table, pending->id);
    pending->next = *bucket;
    *bucket = pending;
    cfs_list_push_back(&table->order, &pending->link);
    table->count++;
    return pending;
}

struct cfs_sftp_pending *cfs_sftp_pending_find(const struct cfs_sftp_pending_table *table, uint32_t id)
{
    struct cfs_sftp_pending *pending = *bucket_of(table, id);

    while (pending && pending->id != id)
        pending = pending->next;
    return pending;
}

void cfs_sftp_pending_remove(struct cfs_sftp_pending_table *table, struct cfs_sftp_pending *pending)
{
    struct cfs_sftp_pending **position = bucket_of(table, pending->id);

    while (*position != pending)
        position = &(*position)->next;
    *position = pending->next;
    cfs_list_remove(&pending->link);
    table->count--;
    if (table->spare_count >= MOST_SPARE) {
        free(pending);
        return;
    }
    pending->next = table->spare;
    table->spare = pending;
    table->spare_count++;
}

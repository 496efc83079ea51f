/* The table of what this mount has made. */
#include "cache/own.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* TELL_MS: what comes of the program that has just made the change; others tell it again for their own time. */
enum { BELIEVED_MS = 60000, TELL_MS = 250, LIMIT = 8192, FOLDER_SIZE = 4096 };

static const unsigned ALL = CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_MODE | CFS_REMOTE_TIMES;

bool cfs_path_is_at_or_below(const char *path, const char *top)
{
    size_t length = strlen(top);
    return length == 0 || (strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0'));
}

/* --- the table --- */

static bool has_path(const struct cfs_hash_link *link, const void *path)
{
    return strcmp(cfs_container_of(link, const struct cfs_own, link)->path, path) == 0;
}

int cfs_own_init(struct cfs_own_table *table, const struct cfs_clock *clock, int32_t attr_ttl_ms)
{
    bool is_shorter = attr_ttl_ms >= 0 && attr_ttl_ms < TELL_MS;
    *table = (struct cfs_own_table){.clock = clock, .tell_ms = is_shorter ? attr_ttl_ms : TELL_MS};
    cfs_list_init(&table->all);
    return cfs_hash_init(&table->by_path);
}

static void detach(struct cfs_own_table *table, struct cfs_own *own)
{
    cfs_hash_remove(&table->by_path, &own->link);
    cfs_list_remove(&own->of_all);
    own->made = own->makes = false;
    own->known_until_ms = 0;
    free(CFS_TAKE(own->path));
    if (own->pins == 0)
        free(own);
}

void cfs_own_fini(struct cfs_own_table *table)
{
    struct cfs_own *own;
    while ((own = cfs_list_first(&table->all, struct cfs_own, of_all)))
        detach(table, own);
    cfs_hash_fini(&table->by_path);
}

static bool is_over(const struct cfs_own_table *table, const struct cfs_own *own)
{
    return own->pins == 0 && cfs_clock_ms(table->clock) - own->used_ms > BELIEVED_MS;
}

static void use(struct cfs_own_table *table, struct cfs_own *own)
{
    own->used_ms = cfs_clock_ms(table->clock);
    cfs_list_remove(&own->of_all);
    cfs_list_push_back(&table->all, &own->of_all);
}

struct cfs_own *cfs_own_find(struct cfs_own_table *table, const char *path)
{
    struct cfs_hash_link *link = cfs_hash_find(&table->by_path, cfs_hash_bytes(path, strlen(path)), has_path, path);
    if (!link)
        return NULL;
    struct cfs_own *own = cfs_container_of(link, struct cfs_own, link);
    if (is_over(table, own)) {
        detach(table, own);
        return NULL;
    }
    use(table, own);
    return own;
}

static void make_room(struct cfs_own_table *table)
{
    struct cfs_list *link, *next;
    if (table->by_path.count < LIMIT)
        return;
    cfs_list_each_safe (link, next, &table->all) {
        struct cfs_own *own = cfs_container_of(link, struct cfs_own, of_all);
        if (own->pins > 0)
            continue;
        detach(table, own);
        return;
    }
}

struct cfs_own *cfs_own_enter(struct cfs_own_table *table, const char *path)
{
    struct cfs_own *own = cfs_own_find(table, path);
    if (own)
        return own;
    make_room(table);
    own = calloc(1, sizeof(*own));
    if (!own || !(own->path = strdup(path))) {
        free(own);
        return NULL;
    }
    cfs_hash_insert(&table->by_path, cfs_hash_bytes(path, strlen(path)), &own->link);
    cfs_list_init(&own->of_all);
    use(table, own);
    return own;
}

void cfs_own_pin(struct cfs_own *own)
{
    own->pins++;
}

void cfs_own_unpin(struct cfs_own_table *table, struct cfs_own *own)
{
    if (!own || --own->pins > 0)
        return;
    if (own->path)
        use(table, own);
    else
        free(own);
}

static void forget_below(struct cfs_own_table *table, const char *path)
{
    struct cfs_list *link, *next;
    cfs_list_each_safe (link, next, &table->all) {
        struct cfs_own *own = cfs_container_of(link, struct cfs_own, of_all);
        if (cfs_path_is_at_or_below(own->path, path) && strcmp(own->path, path) != 0)
            detach(table, own);
    }
}

static bool may_have_more_below(const struct cfs_own *own)
{
    return !own || own->makes || !own->made || S_ISDIR(own->attributes.mode);
}

void cfs_own_forget(struct cfs_own_table *table, const char *path)
{
    struct cfs_own *own = cfs_own_find(table, path);
    if (may_have_more_below(own))
        forget_below(table, path);
    if (own)
        detach(table, own);
}

void cfs_own_move(struct cfs_own_table *table, const char *from, const char *to)
{
    struct cfs_own *own = cfs_own_find(table, from);
    char *path = own ? strdup(to) : NULL;
    if (strcmp(from, to) == 0) {
        free(path);
        return;
    }
    if (may_have_more_below(own))
        forget_below(table, from);
    cfs_own_forget(table, to);
    if (!path) {
        if (own)
            detach(table, own);
        return;
    }
    cfs_hash_remove(&table->by_path, &own->link);
    free(own->path);
    own->path = path;
    cfs_hash_insert(&table->by_path, cfs_hash_bytes(path, strlen(path)), &own->link);
}

/* --- what is known --- */

static char *folder_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strndup(path, slash ? (size_t)(slash - path) : 0);
}

void cfs_own_saw_made(struct cfs_own_table *table, const char *path, const struct cfs_remote_attributes *made)
{
    char *folder CFS_AUTO_FREE = folder_path(path);
    struct cfs_own *own = folder && made->valid & CFS_REMOTE_OWNER ? cfs_own_enter(table, folder) : NULL;
    if (!own)
        return;
    own->makes = true;
    own->uid = made->uid;
    own->gid = made->gid;
}

const struct cfs_own *cfs_own_folder_of(struct cfs_own_table *table, const char *path)
{
    char *folder CFS_AUTO_FREE = folder_path(path);
    const struct cfs_own *own = folder ? cfs_own_find(table, folder) : NULL;
    return own && own->makes ? own : NULL;
}

struct cfs_own *cfs_own_entry_of_folder(struct cfs_own_table *table, const char *path)
{
    char *folder CFS_AUTO_FREE = *path ? folder_path(path) : NULL;
    struct cfs_own *own = folder ? cfs_own_find(table, folder) : NULL;
    return own && own->made && !S_ISDIR(own->attributes.mode) ? NULL : own; /* nothing can be in a file */
}

static int64_t wall_ms(const struct cfs_own_table *table)
{
    struct timespec now = table->clock->wall(table->clock);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cfs_own_server_time(const struct cfs_own_table *table)
{
    int64_t now = wall_ms(table) + table->ahead_ms;
    return now > 0 ? now / 1000 : 0;
}

void cfs_own_saw_time(struct cfs_own_table *table, int64_t mtime)
{
    table->ahead_ms = mtime * 1000 - wall_ms(table);
}

void cfs_own_foresee(const struct cfs_own_table *table, const struct cfs_own *folder, mode_t mode,
                     struct cfs_remote_attributes *ret_attributes)
{
    bool inherits = S_ISDIR(mode) && folder->made && folder->attributes.mode & S_ISGID;
    int64_t now = cfs_own_server_time(table);
    *ret_attributes = (struct cfs_remote_attributes){.valid = ALL,
                                                     .mode = inherits ? mode | S_ISGID : mode,
                                                     .uid = folder->uid,
                                                     .gid = folder->gid,
                                                     .size = S_ISDIR(mode) ? FOLDER_SIZE : 0,
                                                     .atime = now,
                                                     .mtime = now};
}

void cfs_own_written(const struct cfs_own_table *table, struct cfs_own *own, uint64_t end)
{
    int64_t now = cfs_own_server_time(table);
    own->changes++;
    if (own->attributes.size < end)
        own->attributes.size = end;
    if (own->attributes.mtime < now)
        own->attributes.mtime = now;
    own->is_guessed = true;
    own->known_until_ms = 0;
}

static void make_known(const struct cfs_own_table *table, struct cfs_own *own)
{
    own->known_until_ms = cfs_clock_ms(table->clock) + table->tell_ms;
}

void cfs_own_filled(const struct cfs_own_table *table, struct cfs_own *own)
{
    int64_t now = cfs_own_server_time(table);
    if (own->attributes.mtime < now)
        own->attributes.mtime = now;
    if (own->made)
        make_known(table, own);
}

void cfs_own_looked(const struct cfs_own_table *table, struct cfs_own *own,
                    const struct cfs_remote_attributes *attributes)
{
    if ((attributes->valid & ALL) != ALL || own->pending > 0)
        return;
    own->attributes = *attributes;
    own->is_guessed = false;
    if (own->made || table->fills_behind)
        make_known(table, own);
}

void cfs_own_tell(const struct cfs_own_table *table, const struct cfs_own *own,
                  struct cfs_remote_attributes *ret_attributes)
{
    *ret_attributes = own->attributes;
    if (own->is_guessed && !table->fills_behind)
        ret_attributes->keep_ms = CFS_REMOTE_KEEP_NOT;
}

bool cfs_own_is_known(const struct cfs_own_table *table, const struct cfs_own *own)
{
    if ((own->attributes.valid & ALL) != ALL)
        return false;
    return (own->made && (own->pending > 0 || own->filling > 0)) || cfs_clock_ms(table->clock) < own->known_until_ms;
}

void cfs_own_set(const struct cfs_own_table *table, struct cfs_own *own, const struct cfs_remote_attributes *set)
{
    struct cfs_remote_attributes *attributes = &own->attributes;
    own->changes++;
    if (set->valid & CFS_REMOTE_MODE) {
        attributes->mode = (attributes->mode & S_IFMT) | (set->mode & 07777);
        own->makes = own->makes && (set->mode & (S_IWUSR | S_IXUSR)) == (S_IWUSR | S_IXUSR);
    }
    if (set->valid & CFS_REMOTE_OWNER && (set->uid != own->uid || set->gid != own->gid))
        own->makes = false;
    if (set->valid & CFS_REMOTE_SIZE) {
        attributes->size = set->size;
        own->known_until_ms = 0;
    }
    if (set->valid & CFS_REMOTE_TIMES) {
        attributes->atime = set->atime;
        attributes->mtime = set->mtime;
        own->is_guessed = false;
        if (own->made && !(set->valid & CFS_REMOTE_SIZE))
            make_known(table, own);
    }
}

bool cfs_own_may_set(const struct cfs_own *own, const struct cfs_remote_attributes *set)
{
    const struct cfs_remote_attributes *is = &own->attributes;
    bool keeps_owner = !(set->valid & CFS_REMOTE_OWNER) || (set->uid == is->uid && set->gid == is->gid);
    /* What links allow differs from server to server; and such bits are dropped by some. */
    bool plain = !S_ISLNK(is->mode) && (!(set->valid & CFS_REMOTE_MODE) || !(set->mode & 07000));
    return own->made && (is->valid & ALL) == ALL && keeps_owner && plain && !(set->valid & CFS_REMOTE_SIZE);
}

bool cfs_own_learn(struct cfs_own *own, const struct cfs_remote_attributes *attributes)
{
    struct cfs_remote_attributes *is = &own->attributes;
    bool differs = false;
    if (attributes->valid & CFS_REMOTE_OWNER) {
        differs = is->uid != attributes->uid || is->gid != attributes->gid;
        is->uid = attributes->uid;
        is->gid = attributes->gid;
        own->uid = attributes->uid;
        own->gid = attributes->gid;
    }
    if (attributes->valid & CFS_REMOTE_MODE && own->pending == 0) {
        differs = differs || is->mode != attributes->mode;
        is->mode = attributes->mode;
    }
    return differs;
}

/* The tree of names: a hash table by (parent, name), children in lists, the names that nothing holds in a list by their
 * last use. */
#include "cache/names.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct key {
    const struct cfs_name *parent;
    const char *text;
    size_t length;
};

static uint64_t hash_of(const struct cfs_name *parent, const char *text, size_t length)
{
    return cfs_hash_bytes(text, length) ^ cfs_hash_number((uintptr_t)parent);
}

static bool matches(const struct cfs_hash_link *link, const void *context)
{
    const struct cfs_name *name = cfs_container_of(link, const struct cfs_name, link);
    const struct key *key = context;
    return name->parent == key->parent && strncmp(name->text, key->text, key->length) == 0 &&
           name->text[key->length] == '\0';
}

struct cfs_name *cfs_name_child(struct cfs_names *names, struct cfs_name *parent, const char *text, size_t length)
{
    struct key key = {parent, text, length};
    struct cfs_hash_link *link = cfs_hash_find(&names->table, hash_of(parent, text, length), matches, &key);
    return link ? cfs_container_of(link, struct cfs_name, link) : NULL;
}

/* --- life --- */

static struct cfs_name *new_name(const char *text, size_t length)
{
    struct cfs_name *name = calloc(1, sizeof(*name));
    if (!name || !(name->text = strndup(text, length))) {
        free(name);
        return NULL;
    }
    name->incarnation = 1;
    cfs_list_init(&name->children);
    cfs_list_init(&name->sibling);
    cfs_list_init(&name->lru);
    return name;
}

static void free_name(struct cfs_name *name)
{
    free(name->target);
    free(name->text);
    free(name);
}

/* Into its parent's folder. */
static void attach(struct cfs_names *names, struct cfs_name *name, struct cfs_name *parent)
{
    name->parent = parent;
    cfs_name_get(names, parent);
    cfs_list_push_back(&parent->children, &name->sibling);
    cfs_hash_insert(&names->table, hash_of(parent, name->text, strlen(name->text)), &name->link);
}

/* Out of it. */
static void detach(struct cfs_names *names, struct cfs_name *name)
{
    struct cfs_name *parent = name->parent;
    cfs_hash_remove(&names->table, &name->link);
    cfs_list_remove(&name->sibling);
    name->parent = NULL;
    cfs_name_put(names, parent);
}

/* Frees a name that nothing holds. */
static void drop(struct cfs_names *names, struct cfs_name *name)
{
    if (name->changed_at > names->forgotten_at)
        names->forgotten_at = name->changed_at;
    cfs_list_remove(&name->lru);
    if (name->parent)
        detach(names, name);
    free_name(name);
}

void cfs_name_get(struct cfs_names *names, struct cfs_name *name)
{
    (void)names;
    if (name->references++ == 0)
        cfs_list_remove(&name->lru);
}

void cfs_name_put(struct cfs_names *names, struct cfs_name *name)
{
    if (!name || --name->references > 0)
        return;
    if (name->detached)
        drop(names, name);
    else
        cfs_list_push_back(&names->lru, &name->lru);
}

static void evict(struct cfs_names *names)
{
    struct cfs_name *name;
    while (names->table.count >= names->limit && (name = cfs_list_first(&names->lru, struct cfs_name, lru))) {
        if (name->presence != CFS_NAME_ABSENT) {
            name->parent->complete = false;
            name->parent->lost_at = ++names->stamp;
        }
        drop(names, name);
    }
}

size_t cfs_names_count(const struct cfs_names *names)
{
    return names->table.count;
}

int cfs_names_init(struct cfs_names *names, const struct cfs_clock *clock, int32_t attr_ttl_ms, size_t limit)
{
    *names = (struct cfs_names){.clock = clock, .attr_ttl_ms = attr_ttl_ms, .limit = limit};
    cfs_list_init(&names->lru);
    int error = cfs_hash_init(&names->table);
    if (error < 0)
        return error;
    names->root = new_name("", 0);
    if (!names->root) {
        cfs_hash_fini(&names->table);
        return -ENOMEM;
    }
    names->root->is_root = true;
    names->root->references = 1;
    return 0;
}

void cfs_names_fini(struct cfs_names *names)
{
    struct cfs_name *name;
    while ((name = cfs_list_first(&names->lru, struct cfs_name, lru)))
        drop(names, name);
    free_name(names->root);
    cfs_hash_fini(&names->table);
}

/* --- finding --- */

static void use(struct cfs_names *names, struct cfs_name *name)
{
    if (name->references > 0)
        return;
    cfs_list_remove(&name->lru);
    cfs_list_push_back(&names->lru, &name->lru);
}

struct cfs_name *cfs_names_find(struct cfs_names *names, const char *path)
{
    struct cfs_name *name = names->root;
    while (name && *path) {
        size_t length = strcspn(path, "/");
        name = cfs_name_child(names, name, path, length);
        path += length + (path[length] == '/');
    }
    if (name)
        use(names, name);
    return name;
}

struct cfs_name *cfs_name_enter_child(struct cfs_names *names, struct cfs_name *parent, const char *text, size_t length)
{
    struct cfs_name *name = cfs_name_child(names, parent, text, length);
    if (!name) {
        cfs_name_get(names, parent); /* must not be evicted itself */
        evict(names);
        name = new_name(text, length);
        if (name)
            attach(names, name, parent);
        cfs_name_put(names, parent);
        if (!name)
            return NULL;
    }
    cfs_name_get(names, name);
    return name;
}

struct cfs_name *cfs_names_enter(struct cfs_names *names, const char *path)
{
    struct cfs_name *name = names->root;
    cfs_name_get(names, name);
    while (name && *path) {
        size_t length = strcspn(path, "/");
        struct cfs_name *parent = name;
        name = cfs_name_enter_child(names, parent, path, length);
        cfs_name_put(names, parent);
        path += length + (path[length] == '/');
    }
    return name;
}

char *cfs_name_path(const struct cfs_name *name)
{
    size_t length = 0;
    const struct cfs_name *top = name;
    for (; top->parent; top = top->parent)
        length += strlen(top->text) + 1;
    char *path = top->is_root ? malloc(length + 1) : NULL;
    if (!path)
        return NULL;
    path[length ? length - 1 : 0] = '\0';
    char *end = path + (length ? length - 1 : 0);
    for (const struct cfs_name *part = name; part->parent; part = part->parent) {
        size_t count = strlen(part->text);
        end -= count;
        memcpy(end, part->text, count);
        if (end > path)
            *--end = '/';
    }
    return path;
}

/* --- clearing and moving --- */

/* What is known of the name alone. */
static void forget(struct cfs_name *name)
{
    name->presence = CFS_NAME_UNKNOWN;
    name->attributes.valid = 0;
    name->freshness.ttl_ms = name->completeness.ttl_ms = 0;
    name->complete = name->is_shared = name->made_here = false;
    name->filled_ms = 0;
    name->seen_changed_ms = 0;
    free(CFS_TAKE(name->target));
}

/* A walk of all below, children before their folders; without recursion: a path may have a thousand components. */
static struct cfs_name *deepest(struct cfs_name *name)
{
    while (!cfs_list_empty(&name->children))
        name = cfs_list_first(&name->children, struct cfs_name, sibling);
    return name;
}

static struct cfs_name *next_in_subtree(struct cfs_name *name, const struct cfs_name *top)
{
    struct cfs_list *next = name->sibling.next;
    if (name == top)
        return NULL;
    if (next != &name->parent->children)
        return deepest(cfs_container_of(next, struct cfs_name, sibling));
    return name->parent;
}

/* IS_ANOTHER: other things have the names from now on. */
static void clear(struct cfs_names *names, struct cfs_name *top, bool is_another)
{
    struct cfs_name *name = deepest(top), *next;
    for (; name; name = next) {
        forget(name);
        name->incarnation += is_another;
        next = next_in_subtree(name, top);
        if (name == top || name->references > 0)
            continue;
        name->parent->lost_at = ++names->stamp; /* it may just have been listed */
        drop(names, name);                      /* puts its parent, which is not freed by that: it is not detached */
    }
}

void cfs_name_clear(struct cfs_names *names, struct cfs_name *top)
{
    clear(names, top, true);
}

void cfs_name_doubt(struct cfs_names *names, struct cfs_name *name)
{
    clear(names, name, false);
    if (name->parent)
        name->parent->complete = false;
}

bool cfs_name_changed_below(const struct cfs_names *names, struct cfs_name *top, uint64_t since)
{
    struct cfs_name *name = deepest(top);
    for (; name != top; name = next_in_subtree(name, top)) {
        if (name->changing > 0 || name->changed_at > since)
            return true;
    }
    return names->forgotten_at > since;
}

void cfs_name_cast_adrift(struct cfs_name *top)
{
    for (struct cfs_name *name = deepest(top); name; name = next_in_subtree(name, top))
        name->drift++;
}

void cfs_name_drop_unused(struct cfs_names *names, struct cfs_name *name)
{
    if (name->references == 0)
        drop(names, name);
}

static bool is_below(const struct cfs_name *name, const struct cfs_name *top)
{
    while (name && name != top)
        name = name->parent;
    return name == top;
}

/* Where a name was moved away: what was asked before must not bring it back. */
static void leave_absence(struct cfs_names *names, struct cfs_name *folder, const char *text)
{
    struct cfs_name *name = cfs_name_enter_child(names, folder, text, strlen(text));
    uint64_t stamp = cfs_names_stamp(names);
    if (!name) {
        names->forgotten_at = stamp;
        return;
    }
    name->changed_at = name->moved_at = stamp;
    cfs_name_removed(names, name);
    cfs_name_put(names, name);
}

void cfs_name_move(struct cfs_names *names, struct cfs_name *name, struct cfs_name *to)
{
    if (is_below(name, to) || is_below(to, name) || !name->parent || !to->parent) {
        cfs_name_doubt(names, name);
        cfs_name_doubt(names, to);
        return;
    }
    struct cfs_name *from = name->parent, *folder = to->parent;
    cfs_name_get(names, from);
    cfs_name_get(names, folder);
    cfs_name_get(names, name);
    cfs_name_get(names, to);
    cfs_name_clear(names, to);
    detach(names, to);
    to->detached = true;
    detach(names, name);
    char *text = name->text;
    name->text = to->text;
    to->text = text;
    attach(names, name, folder);
    leave_absence(names, from, text);
    cfs_name_put(names, to);
    cfs_name_put(names, name);
    cfs_name_put(names, folder);
    cfs_name_put(names, from);
}

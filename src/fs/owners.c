/* One lock over two numbers and, with idmap = name, a table of the ids that were translated. */
#include "fs/owners.h"

#include "base/hash.h"
#include "base/list.h"
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* How sure we are of the login's uid: by the work folder, the home folder, what we made. */
enum certainty { UNKNOWN, GUESSED, LIKELY, SURE };

struct translation {
    struct cfs_hash_link link;
    bool is_group;
    uint32_t remote, local;
};

struct cfs_owners {
    const struct cfs_profile *profile;
    bool by_name;
    pthread_mutex_t lock; /* protects the rest */
    enum certainty certainty;
    uid_t login_uid;
    struct cfs_hash translations;
};

int cfs_owners_new(const struct cfs_profile *profile, const struct cfs_remote_facts *facts,
                   struct cfs_owners **ret_owners)
{
    struct cfs_owners *owners = calloc(1, sizeof(*owners));
    if (!owners)
        return -ENOMEM;
    if (cfs_hash_init(&owners->translations) < 0) {
        free(owners);
        return -ENOMEM;
    }
    pthread_mutex_init(&owners->lock, NULL);
    owners->profile = profile;
    owners->by_name = profile->idmap == CFS_IDMAP_NAME && (facts->capabilities & CFS_REMOTE_CAN_NAME_IDS);
    /* A home folder of root's is that of a login in a chroot, or a service's. */
    bool is_evidence =
        facts->login_known && (facts->login_uid != 0 || !profile->user || !strcmp(profile->user, "root"));
    owners->certainty = is_evidence ? LIKELY : UNKNOWN;
    owners->login_uid = facts->login_uid;
    *ret_owners = owners;
    return 0;
}

static void free_translation(struct cfs_hash_link *link, void *context)
{
    (void)context;
    free(cfs_container_of(link, struct translation, link));
}

void cfs_owners_free(struct cfs_owners *owners)
{
    if (!owners)
        return;
    cfs_hash_each(&owners->translations, free_translation, NULL);
    cfs_hash_fini(&owners->translations);
    pthread_mutex_destroy(&owners->lock);
    free(owners);
}

static void saw(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes, enum certainty certainty)
{
    if (!(attributes->valid & CFS_REMOTE_OWNER))
        return;
    pthread_mutex_lock(&owners->lock);
    if (owners->certainty < certainty) {
        owners->certainty = certainty;
        owners->login_uid = attributes->uid;
    }
    pthread_mutex_unlock(&owners->lock);
}

void cfs_owners_saw_own(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes)
{
    saw(owners, attributes, SURE);
}

void cfs_owners_saw_root(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes)
{
    if (attributes->uid != 0)
        saw(owners, attributes, GUESSED);
}

/* --- the table of names; under the lock --- */

static uint64_t hash_of(bool is_group, uint32_t id)
{
    return cfs_hash_number((uint64_t)is_group << 32 | id);
}

static bool is_of(const struct cfs_hash_link *link, const void *key)
{
    const struct translation *one = cfs_container_of(link, const struct translation, link);
    const struct translation *wanted = key;
    return one->is_group == wanted->is_group && one->remote == wanted->remote;
}

static struct translation *find(struct cfs_owners *owners, bool is_group, uint32_t id)
{
    struct translation key = {.is_group = is_group, .remote = id};
    struct cfs_hash_link *link = cfs_hash_find(&owners->translations, hash_of(is_group, id), is_of, &key);
    return link ? cfs_container_of(link, struct translation, link) : NULL;
}

static uint32_t translate(struct cfs_owners *owners, bool is_group, uint32_t id)
{
    const struct translation *known = find(owners, is_group, id);
    return known ? known->local : id;
}

struct search {
    bool is_group, found, taken;
    uint32_t local, remote;
};

static void search_back(struct cfs_hash_link *link, void *context)
{
    const struct translation *one = cfs_container_of(link, struct translation, link);
    struct search *search = context;
    if (one->is_group != search->is_group)
        return;
    if (one->local == search->local) {
        search->found = true;
        search->remote = one->remote;
    }
    search->taken |= one->remote == search->local;
}

static int translate_back(struct cfs_owners *owners, bool is_group, uint32_t local, uint32_t *ret_remote)
{
    struct search search = {.is_group = is_group, .local = local};
    cfs_hash_each(&owners->translations, search_back, &search);
    if (!search.found && search.taken)
        return -EPERM; /* there, the number is somebody else's */
    *ret_remote = search.found ? search.remote : local;
    return 0;
}

static bool ask_one(struct cfs_owners *owners, bool is_group, uint32_t id, uint32_t *ids, size_t *count)
{
    if (find(owners, is_group, id))
        return true;
    for (size_t i = 0; i < *count; i++) {
        if (ids[i] == id)
            return true;
    }
    if (*count == CFS_OWNERS_BATCH)
        return false;
    ids[(*count)++] = id;
    return true;
}

bool cfs_owners_ask(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes,
                    struct cfs_unknown_ids *ids)
{
    if (!owners->by_name || !(attributes->valid & CFS_REMOTE_OWNER))
        return true;
    pthread_mutex_lock(&owners->lock);
    bool room = ask_one(owners, false, attributes->uid, ids->uids, &ids->uid_count) &&
                ask_one(owners, true, attributes->gid, ids->gids, &ids->gid_count);
    pthread_mutex_unlock(&owners->lock);
    return room;
}

static uint32_t local_id(bool is_group, const char *name, uint32_t otherwise)
{
    enum { ROOM = 16384 };
    char *room CFS_AUTO_FREE = malloc(ROOM);
    struct passwd user, *user_found = NULL;
    struct group group, *group_found = NULL;
    if (!room || name[0] == '\0')
        return otherwise;
    if (is_group)
        return getgrnam_r(name, &group, room, ROOM, &group_found) == 0 && group_found ? group.gr_gid : otherwise;
    return getpwnam_r(name, &user, room, ROOM, &user_found) == 0 && user_found ? user.pw_uid : otherwise;
}

void cfs_owners_learn_name(struct cfs_owners *owners, bool is_group, uint32_t id, const char *name)
{
    uint32_t local = local_id(is_group, name, id);
    pthread_mutex_lock(&owners->lock);
    struct translation *known = find(owners, is_group, id);
    if (!known && (known = calloc(1, sizeof(*known)))) {
        known->is_group = is_group;
        known->remote = id;
        cfs_hash_insert(&owners->translations, hash_of(is_group, id), &known->link);
    }
    if (known)
        known->local = local;
    pthread_mutex_unlock(&owners->lock);
}

/* --- both ways --- */

/* Under the lock. */
static bool is_login(const struct cfs_owners *owners, uid_t uid)
{
    return owners->certainty != UNKNOWN && uid == owners->login_uid;
}

void cfs_owners_to_local(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes, uid_t *ret_uid,
                         gid_t *ret_gid)
{
    const struct cfs_profile *profile = owners->profile;
    uid_t uid = attributes->uid;
    gid_t gid = attributes->gid;
    pthread_mutex_lock(&owners->lock);
    if (profile->idmap == CFS_IDMAP_USER) {
        if (is_login(owners, attributes->uid)) {
            uid = profile->uid;
            gid = profile->gid;
        }
    } else {
        uid = profile->uid_set ? profile->uid : translate(owners, false, uid);
        gid = profile->gid_set ? profile->gid : translate(owners, true, gid);
    }
    pthread_mutex_unlock(&owners->lock);
    *ret_uid = uid;
    *ret_gid = gid;
}

/* Under the lock. */
static void login_to_remote(const struct cfs_owners *owners, const struct cfs_remote_attributes *current,
                            const uid_t *uid, const gid_t *gid, uid_t *ret_uid, gid_t *ret_gid)
{
    const struct cfs_profile *profile = owners->profile;
    *ret_uid = current->uid;
    if (uid && *uid != profile->uid)
        *ret_uid = *uid;
    else if (uid && owners->certainty != UNKNOWN)
        *ret_uid = owners->login_uid;
    bool keeps_group = !gid || (*gid == profile->gid && is_login(owners, *ret_uid));
    *ret_gid = keeps_group ? current->gid : *gid;
}

int cfs_owners_to_remote(struct cfs_owners *owners, const struct cfs_remote_attributes *current, const uid_t *uid,
                         const gid_t *gid, uid_t *ret_uid, gid_t *ret_gid)
{
    uid_t remote_uid = current->uid;
    gid_t remote_gid = current->gid;
    int result = 0;
    pthread_mutex_lock(&owners->lock);
    if (owners->profile->idmap == CFS_IDMAP_USER) {
        login_to_remote(owners, current, uid, gid, &remote_uid, &remote_gid);
    } else {
        if (uid)
            result = translate_back(owners, false, *uid, &remote_uid);
        if (gid && result == 0)
            result = translate_back(owners, true, *gid, &remote_gid);
    }
    pthread_mutex_unlock(&owners->lock);
    if (result < 0)
        return result;
    *ret_uid = remote_uid;
    *ret_gid = remote_gid;
    return 0;
}

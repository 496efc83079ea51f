/* A list of keys in DER, each in pages of its own (base/secret.h). OpenSSL's form of a key, which lies in ordinary
 * memory and is wiped by OpenSSL, is made from it for the time of a login only. */
#include "ssh/kept_keys.h"
#include "base/list.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

struct kept_key {
    struct cfs_list link;
    char *path;
    struct cfs_buffer public_blob;
    uint8_t *secret; /* cfs_secret_map */
    size_t length;
};

struct cfs_kept_keys {
    pthread_mutex_t lock;
    struct cfs_list keys; /* the lock's */
};

static void forget(struct kept_key *key)
{
    if (!key)
        return;
    cfs_secret_unmap(key->secret, key->length);
    cfs_buffer_fini(&key->public_blob);
    free(key->path);
    free(key);
}
CFS_DEFINE_CLEANUP(struct kept_key, forget)

struct cfs_kept_keys *cfs_kept_keys_new(void)
{
    struct cfs_kept_keys *kept = calloc(1, sizeof(*kept));
    if (!kept)
        return NULL;
    pthread_mutex_init(&kept->lock, NULL);
    cfs_list_init(&kept->keys);
    return kept;
}

void cfs_kept_keys_free(struct cfs_kept_keys *kept)
{
    struct cfs_list *link;
    if (!kept)
        return;
    while ((link = cfs_list_pop_front(&kept->keys)))
        forget(cfs_container_of(link, struct kept_key, link));
    pthread_mutex_destroy(&kept->lock);
    free(kept);
}

/* The lock is held. */
static struct kept_key *find(struct cfs_kept_keys *kept, const struct cfs_key_file *file)
{
    struct cfs_list *link;
    cfs_list_each (link, &kept->keys) {
        struct kept_key *key = cfs_container_of(link, struct kept_key, link);
        if (strcmp(key->path, file->path) == 0)
            return key;
    }
    return NULL;
}

/* -ENOMEM, or what mlock(2) says. */
static int copy(const struct cfs_key_file *file, struct kept_key **ret_key)
{
    struct kept_key *key CFS_CLEANUP(forget) = calloc(1, sizeof(*key));
    int length = i2d_PrivateKey(file->private_key, NULL);
    if (!key || length <= 0)
        return -ENOMEM;
    key->path = strdup(file->path);
    cfs_buffer_add(&key->public_blob, file->public_blob.bytes, file->public_blob.length);
    if (!key->path || key->public_blob.failed)
        return -ENOMEM;
    int error = cfs_secret_map((size_t)length, (void **)&key->secret);
    if (error)
        return error;
    key->length = (size_t)length;
    uint8_t *end = key->secret;
    if (i2d_PrivateKey(file->private_key, &end) != length)
        return -ENOMEM;
    *ret_key = CFS_TAKE(key);
    return 0;
}

int cfs_kept_keys_keep(struct cfs_kept_keys *kept, const struct cfs_key_file *file)
{
    struct kept_key *key = NULL;
    if (!file->private_key)
        return -EINVAL;
    int error = copy(file, &key);
    ERR_clear_error();
    if (error)
        return error;
    pthread_mutex_lock(&kept->lock);
    struct kept_key *before = find(kept, file);
    if (before)
        cfs_list_remove(&before->link);
    cfs_list_push_back(&kept->keys, &key->link);
    pthread_mutex_unlock(&kept->lock);
    forget(before);
    return 0;
}

static bool is_same(const struct kept_key *key, const struct cfs_key_file *file)
{
    return file->public_blob.length == 0 ||
           (file->public_blob.length == key->public_blob.length &&
            memcmp(file->public_blob.bytes, key->public_blob.bytes, key->public_blob.length) == 0);
}

bool cfs_kept_keys_unlock(struct cfs_kept_keys *kept, struct cfs_key_file *file)
{
    EVP_PKEY *private_key = NULL;
    if (file->private_key)
        return false;
    pthread_mutex_lock(&kept->lock);
    const struct kept_key *key = find(kept, file);
    if (key && is_same(key, file)) {
        const unsigned char *next = key->secret;
        private_key = d2i_AutoPrivateKey(NULL, &next, (long)key->length);
    }
    pthread_mutex_unlock(&kept->lock);
    ERR_clear_error();
    return private_key && cfs_key_file_adopt(file, private_key) == 0;
}

/* The hash table. An array of chains, doubled when there are as many links as chains; it never shrinks, so a VISIT of
 * cfs_hash_each may take its own link out. The hash is SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012) with a key drawn once a process. */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { FIRST_BUCKET_COUNT = 16 };

/* --- SipHash --- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
    sip->v0 = rotate(sip->v0, 32);
    sip->v2 += sip->v3;
    sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 += sip->v3;
    sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
    sip->v2 += sip->v1;
    sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
    sip->v2 = rotate(sip->v2, 32);
}

static inline void sip_word(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip_round(sip);
    sip->v0 ^= word;
}

uint64_t cfs_siphash(uint64_t key0, uint64_t key1, const void *bytes, size_t length)
{
    struct sip sip = {
        .v0 = key0 ^ 0x736f6d6570736575,
        .v1 = key1 ^ 0x646f72616e646f6d,
        .v2 = key0 ^ 0x6c7967656e657261,
        .v3 = key1 ^ 0x7465646279746573,
    };
    const uint8_t *next = bytes;
    size_t left = length;
    for (; left >= 8; next += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        sip_word(&sip, le64toh(word));
    }
    uint64_t last = (uint64_t)length << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)next[i] << (8 * i);
    sip_word(&sip, last);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

/* --- the key of this process --- */

static uint64_t process_key[2];
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void draw_process_key(void)
{
    size_t drawn = 0;
    while (drawn < sizeof(process_key)) {
        ssize_t count = getrandom((uint8_t *)process_key + drawn, sizeof(process_key) - drawn, 0);
        if (count > 0)
            drawn += (size_t)count;
        else if (errno != EINTR)
            break;
    }
    if (drawn == sizeof(process_key))
        return;
    /* A kernel without getrandom(2): what an outsider cannot easily guess is still better than a constant. */
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    process_key[0] ^= (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uint64_t)getpid() << 48;
    process_key[1] ^= (uint64_t)(uintptr_t)&now ^ (uint64_t)(uintptr_t)&process_key << 20;
}

uint64_t cfs_hash_bytes(const void *bytes, size_t length)
{
    pthread_once(&process_key_once, draw_process_key);
    return cfs_siphash(process_key[0], process_key[1], bytes, length);
}

uint64_t cfs_hash_number(uint64_t number)
{
    return cfs_hash_bytes(&number, sizeof(number));
}

/* --- the table --- */

int cfs_hash_init(struct cfs_hash *table)
{
    struct cfs_hash_link **buckets = calloc(FIRST_BUCKET_COUNT, sizeof(struct cfs_hash_link *));
    if (!buckets)
        return -ENOMEM;
    *table = (struct cfs_hash){.buckets = buckets, .bucket_count = FIRST_BUCKET_COUNT};
    return 0;
}

void cfs_hash_fini(struct cfs_hash *table)
{
    free(table->buckets);
    *table = (struct cfs_hash){0};
}

static struct cfs_hash_link **bucket_of(const struct cfs_hash *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static void push(struct cfs_hash *table, struct cfs_hash_link *link)
{
    struct cfs_hash_link **bucket = bucket_of(table, link->hash);
    link->next = *bucket;
    *bucket = link;
}

static void grow(struct cfs_hash *table)
{
    size_t old_count = table->bucket_count;
    struct cfs_hash_link **old_buckets = table->buckets;
    struct cfs_hash_link **buckets = calloc(old_count * 2, sizeof(struct cfs_hash_link *));
    if (!buckets)
        return;
    table->buckets = buckets;
    table->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        for (struct cfs_hash_link *link = old_buckets[i], *next; link; link = next) {
            next = link->next;
            push(table, link);
        }
    }
    free(old_buckets);
}

void cfs_hash_insert(struct cfs_hash *table, uint64_t hash, struct cfs_hash_link *link)
{
    if (table->count >= table->bucket_count)
        grow(table);
    link->hash = hash;
    push(table, link);
    table->count++;
}

void cfs_hash_remove(struct cfs_hash *table, struct cfs_hash_link *link)
{
    for (struct cfs_hash_link **at = bucket_of(table, link->hash); *at; at = &(*at)->next) {
        if (*at == link) {
            *at = link->next;
            link->next = NULL;
            table->count--;
            return;
        }
    }
}

struct cfs_hash_link *cfs_hash_find(const struct cfs_hash *table, uint64_t hash,
                                    bool (*matches)(const struct cfs_hash_link *link, const void *key), const void *key)
{
    for (struct cfs_hash_link *link = *bucket_of(table, hash); link; link = link->next) {
        if (link->hash == hash && matches(link, key))
            return link;
    }
    return NULL;
}

void cfs_hash_each(struct cfs_hash *table, void (*visit)(struct cfs_hash_link *link, void *context), void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        for (struct cfs_hash_link *link = table->buckets[i], *next; link; link = next) {
            next = link->next;
            visit(link, context);
        }
    }
}

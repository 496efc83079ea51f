/* Keys that were unlocked once: the same file is unlocked by them, another one is not; their memory is locked. */
#include "lib/fake_prompter.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include "ssh/kept_keys.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PASSPHRASE "correct horse"

struct fixture {
    char *folder;
    struct cfs_kept_keys *kept;
};

static int make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->folder = scratch_make();
    fixture->kept = cfs_kept_keys_new();
    assert_non_null(fixture->kept);
    *state = fixture;
    return 0;
}

static int destroy(void **state)
{
    struct fixture *fixture = *state;
    cfs_kept_keys_free(fixture->kept);
    scratch_remove(fixture->folder);
    free(fixture);
    return 0;
}

/* TYPE for ssh-keygen, FORM "PEM" or "RFC4716" (OpenSSH's own). The caller frees the path. */
static char *make_key(const struct fixture *fixture, const char *type, const char *form)
{
    char *path = scratch_path(fixture->folder, "key");
    char *public_path = scratch_path(fixture->folder, "key.pub");
    unlink(path);
    scratch_must_run("ssh-keygen", "-q", "-t", type, "-m", form, "-N", PASSPHRASE, "-f", path, NULL);
    if (strcmp(form, "PEM") == 0)
        unlink(public_path); /* then the file hides its public half */
    free(public_path);
    return path;
}

static struct cfs_key_file *open_key(const char *path)
{
    struct cfs_key_file *key = NULL;
    struct cfs_error error = {0};
    assert_int_equal(cfs_key_file_open(path, &key, &error), 0);
    return key;
}

static void keep(struct fixture *fixture, const char *path)
{
    struct cfs_error error = {0};
    struct cfs_key_file *key CFS_CLEANUP(cfs_key_file_free) = open_key(path);
    assert_false(cfs_kept_keys_unlock(fixture->kept, key));
    assert_int_equal(cfs_kept_keys_keep(fixture->kept, key), -EINVAL); /* it is locked */
    assert_int_equal(cfs_key_file_unlock(key, PASSPHRASE, NULL, &error), 0);
    assert_int_equal(cfs_kept_keys_keep(fixture->kept, key), 0);
}

static void check_signs(struct fixture *fixture, const char *path, const char *algorithm)
{
    uint8_t *signature = NULL;
    size_t length = 0;
    struct cfs_key_file *key CFS_CLEANUP(cfs_key_file_free) = open_key(path);
    assert_true(cfs_kept_keys_unlock(fixture->kept, key));
    assert_int_equal(cfs_key_file_sign(key, algorithm, "data", 4, &signature, &length), 0);
    assert_true(length > 0);
    free(signature);
}

static void a_kept_key_signs(void **state)
{
    static const struct {
        const char *type, *form, *algorithm;
    } kinds[] = {
        {"ed25519", "RFC4716", "ssh-ed25519"},
        {"ecdsa", "RFC4716", "ecdsa-sha2-nistp256"},
        {"ecdsa", "PEM", "ecdsa-sha2-nistp256"},
        {"rsa", "PEM", "rsa-sha2-512"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < CFS_COUNT(kinds); i++) {
        char *path CFS_AUTO_FREE = make_key(fixture, kinds[i].type, kinds[i].form);
        cfs_kept_keys_free(fixture->kept);
        fixture->kept = cfs_kept_keys_new();
        assert_non_null(fixture->kept);
        keep(fixture, path);
        check_signs(fixture, path, kinds[i].algorithm);
        check_signs(fixture, path, kinds[i].algorithm);
    }
}

static void another_key_in_the_file_is_locked(void **state)
{
    struct fixture *fixture = *state;
    char *path CFS_AUTO_FREE = make_key(fixture, "ed25519", "RFC4716");
    keep(fixture, path);
    free(make_key(fixture, "ed25519", "RFC4716"));
    struct cfs_key_file *key CFS_CLEANUP(cfs_key_file_free) = open_key(path);
    assert_false(cfs_kept_keys_unlock(fixture->kept, key));
    keep(fixture, path);
    check_signs(fixture, path, "ssh-ed25519");
}

static unsigned long locked_kib(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) && sscanf(line, "VmLck: %lu", &kib) != 1)
        ;
    fclose(file);
    return kib;
}

/* The sanitizers let mlock(2) do nothing. */
static void their_memory_is_locked(void **state)
{
    struct fixture *fixture = *state;
    unsigned long before = locked_kib();
    void *memory = NULL;
    assert_int_equal(cfs_secret_map(4096, &memory), 0);
    bool is_without_effect = locked_kib() == before && mlock(memory, 4096) == 0 && locked_kib() == before;
    cfs_secret_unmap(memory, 4096);
    if (is_without_effect)
        skip();
    char *path CFS_AUTO_FREE = make_key(fixture, "ed25519", "RFC4716");
    keep(fixture, path);
    assert_true(locked_kib() > before);
    cfs_kept_keys_free(fixture->kept);
    fixture->kept = NULL;
    assert_int_equal(locked_kib(), before);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, make, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(a_kept_key_signs),
        CHECK(another_key_in_the_file_is_locked),
        CHECK(their_memory_is_locked),
    };
    void *memory = NULL;
    if (cfs_secret_map(4096, &memory) < 0) {
        printf("skipped: memory cannot be locked here\n");
        return 77;
    }
    cfs_secret_unmap(memory, 4096);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

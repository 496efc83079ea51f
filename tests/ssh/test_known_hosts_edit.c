/* Changing known_hosts files: which lines go, which stay as they are to the byte, and what the file is afterwards. */
#include "lib/test.h"

#include "ssh/known_hosts_edit.h"

#include "base/bytes.h"
#include "base/text.h"
#include "lib/scratch.h"
#include "ssh/host_key_priv.h"
#include "ssh/known_hosts.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

/* Any 32 bytes do for a key. */
#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/"

/* TEXT without "host" is REST. */
static void assert_forgets_of(const char *name, const char *text, const char *rest, size_t lines, size_t by_pattern)
{
    struct cfs_known_hosts_change change CFS_AUTO_KNOWN_HOSTS_CHANGE = {0};
    assert_int_equal(cfs_known_hosts_forget(text, strlen(text), name, &change), 0);
    cfs_buffer_add_u8(&change.text, 0);
    assert_string_equal((const char *)change.text.bytes, rest);
    assert_int_equal(change.lines, lines);
    assert_int_equal(change.by_pattern, by_pattern);
}

#define assert_forgets(text, rest, lines) assert_forgets_of("host", text, rest, lines, 0)
#define assert_keeps(text)                assert_forgets_of("host", text, text, 0, 0)

static void test_a_line_of_its_own_goes(void **state)
{
    assert_forgets("host " KEY_A "\n", "", 1);
    assert_forgets("HOST " KEY_A " comment", "", 1);
    assert_forgets("a " KEY_A "\r\nhost " KEY_A "\r\nb " KEY_B "\r\n", "a " KEY_A "\r\nb " KEY_B "\r\n", 1);
    assert_forgets("\n# host\n\n host " KEY_A "\nb " KEY_B, "\n# host\n\nb " KEY_B, 1);
    assert_forgets("host " KEY_A "\nb " KEY_B "\nhost ssh-rsa AAAA\n", "b " KEY_B "\n", 2);
    assert_forgets_of("[host]:2222", "host " KEY_A "\n[host]:2222 " KEY_B "\n", "host " KEY_A "\n", 1, 0);
}

static void test_a_line_of_several_keeps_the_others(void **state)
{
    assert_forgets("a,host,192.0.2.1 " KEY_A " c d\n", "a,192.0.2.1 " KEY_A " c d\n", 1);
    assert_forgets("\thost,a\t" KEY_A "\n", "\ta\t" KEY_A "\n", 1);
    assert_forgets("host,host " KEY_A "\n", "", 1);
    assert_forgets("host,!a " KEY_A "\n", "", 1); /* who is left out is nobody's name */
    assert_forgets(",host, " KEY_A "\n", "", 1);
    assert_forgets("host,#a " KEY_A "\n,host,@revoked,b " KEY_A "\n", ",#a " KEY_A "\n,@revoked,b " KEY_A "\n", 2);
}

static void test_what_stays(void **state)
{
    assert_keeps("");
    assert_keeps("hosts " KEY_A "\n");
    assert_keeps("[host]:2222 " KEY_A "\n");
    assert_keeps("#host " KEY_A "\n");
    assert_keeps("@revoked host " KEY_A "\n");
    assert_keeps("@cert-authority host " KEY_A "\n");
    assert_keeps("host\nhost ssh-ed25519\n"); /* not understood */
    assert_keeps("*,!host " KEY_A "\n");
    assert_keeps("|1|xx|yy " KEY_A "\n");
    assert_forgets_of("host", "h* " KEY_A "\n*,b " KEY_B "\n", "h* " KEY_A "\n*,b " KEY_B "\n", 0, 2);
    assert_forgets_of("host", "host,h* " KEY_A "\n", "h* " KEY_A "\n", 1, 1);
}

/* --- files --- */

static char *folder, *path;
static struct cfs_error error;
static struct cfs_known_hosts_edited edited;
static uint8_t *blob_b;
static size_t blob_b_length;

static int set_up(void **state)
{
    const char *base64 = strchr(KEY_B, ' ') + 1;
    folder = scratch_make();
    path = scratch_path(folder, "known_hosts");
    error = (struct cfs_error){0};
    edited = (struct cfs_known_hosts_edited){0};
    return cfs_base64_decode(base64, strlen(base64), &blob_b, &blob_b_length);
}

static int tear_down(void **state)
{
    free(path);
    free(blob_b);
    scratch_remove(folder);
    return 0;
}

static int forget(const char *name)
{
    return cfs_known_hosts_edit_forget(path, name, &edited, &error);
}

static int replace(const char *name)
{
    return cfs_known_hosts_edit_replace(path, name, "ssh-ed25519", blob_b, blob_b_length, &edited, &error);
}

static void assert_contains(const char *expected)
{
    char *text CFS_AUTO_FREE = scratch_read(path, NULL);
    assert_string_equal(text, expected);
}

static void test_the_file_stays_what_it_was(void **state)
{
    struct stat before, after;
    char *target CFS_AUTO_FREE = scratch_path(folder, "real");
    scratch_write_text(target, "# mine\nhost " KEY_A "\nb " KEY_A "\n", 0640);
    assert_int_equal(symlink("real", path), 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(replace("host"), 0);
    assert_int_equal(edited.lines, 1);
    assert_contains("# mine\nb " KEY_A "\nhost " KEY_B "\n");
    assert_int_equal(lstat(path, &after), 0);
    assert_true(S_ISLNK(after.st_mode));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_uid, before.st_uid);
    assert_int_equal(scratch_run("sh", "-c", "test $(ls -A \"$1\" | wc -l) -eq 2", "sh", folder, NULL), 0);
}

static void test_a_file_is_not_touched_for_nothing(void **state)
{
    struct stat before, after;
    scratch_write_text(path, "b " KEY_A, 0600);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(forget("host"), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
    assert_contains("b " KEY_A);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(forget("host"), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_a_missing_file_is_made(void **state)
{
    struct stat status;
    free(path);
    path = scratch_path(folder, "ssh/known_hosts");
    assert_int_equal(replace("host"), 0);
    assert_contains("host " KEY_B "\n");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void test_a_file_without_its_last_newline_gets_it(void **state)
{
    scratch_write_text(path, "host " KEY_A "\nb " KEY_A, 0600);
    assert_int_equal(replace("host"), 0);
    assert_contains("b " KEY_A "\nhost " KEY_B "\n");
}

/* As ssh-keygen -H hashes it; the name is not in the file in the clear afterwards. */
static void test_a_hashed_name_stays_hashed(void **state)
{
    scratch_write_text(path, "[host.example]:2222 " KEY_A "\nother.example " KEY_A "\n", 0600);
    int code = scratch_run("ssh-keygen", "-H", "-f", path, NULL);
    if (code == 127)
        skip();
    assert_int_equal(code, 0);
    char *before CFS_AUTO_FREE = scratch_read(path, NULL);
    const char *second = strchr(before, '\n') + 1;
    assert_int_equal(replace("[host.example]:2222"), 0);
    assert_int_equal(edited.lines, 1);
    char *after CFS_AUTO_FREE = scratch_read(path, NULL);
    assert_memory_equal(after, second, strlen(second)); /* the other line is first now, as it was */
    assert_null(strstr(after, "host.example"));
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    assert_int_equal(cfs_known_hosts_read(path, "[host.example]:2222", false, &found), 0);
    assert_int_equal(found.count, 1);
    assert_memory_equal(found.entries[0].blob, blob_b, blob_b_length);
    assert_int_equal(forget("[host.example]:2222"), 0);
    assert_contains(second);
}

static void test_a_failure_leaves_the_file(void **state)
{
    scratch_write_text(path, "host " KEY_A "\n", 0600);
    char *name CFS_AUTO_FREE = scratch_path(folder, "second");
    assert_int_equal(link(path, name), 0);
    assert_int_equal(forget("host"), -EMLINK);
    assert_non_null(strstr(error.text, "known_hosts"));
    assert_contains("host " KEY_A "\n");
    free(path);
    path = strdup("/dev/null");
    assert_true(replace("host") < 0);
}

/* --- several at once --- */

enum { ROUNDS = 30 };

/* Both give NULL if all went well. */
static void *append(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        char *name CFS_AUTO_FREE = cfs_text_format("new%d", i);
        if (cfs_known_hosts_append(path, name, "ssh-ed25519", blob_b, blob_b_length) < 0)
            return path;
    }
    return NULL;
}

static void *edit(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct cfs_known_hosts_edited mine;
        struct cfs_error failure = {0};
        char *name CFS_AUTO_FREE = cfs_text_format("old%d", i);
        if (cfs_known_hosts_edit_forget(path, name, &mine, &failure) < 0 || mine.lines != 1)
            return path;
    }
    return NULL;
}

/* Who waits for the lock of a file that is replaced meanwhile adds to the new one. */
static void test_no_line_is_lost_to_an_edit(void **state)
{
    struct cfs_buffer text CFS_AUTO_BUFFER = {0};
    pthread_t threads[2];
    void *results[2] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        char *line CFS_AUTO_FREE = cfs_text_format("old%d " KEY_A "\n", i);
        cfs_buffer_add(&text, line, strlen(line));
    }
    scratch_write(path, text.bytes, text.length, 0600);
    assert_int_equal(pthread_create(&threads[0], NULL, append, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, edit, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], &results[i]), 0);
    assert_null(results[0]);
    assert_null(results[1]);
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    for (int i = 0; i < ROUNDS; i++) {
        char *name CFS_AUTO_FREE = cfs_text_format("new%d", i), *old CFS_AUTO_FREE = cfs_text_format("old%d", i);
        assert_int_equal(cfs_known_hosts_read(path, name, true, &found), 0);
        assert_int_equal(found.count, i + 1);
        assert_int_equal(cfs_known_hosts_read(path, old, true, &found), 0);
        assert_int_equal(found.count, i + 1);
    }
}

static void *append_one(void *unused)
{
    return cfs_known_hosts_append(path, "new", "ssh-ed25519", blob_b, blob_b_length) < 0 ? path : NULL;
}

/* How many descriptors of this process are the file that FD is. */
static int count_descriptors(int fd)
{
    struct stat wanted, status;
    int count = 0;
    assert_int_equal(fstat(fd, &wanted), 0);
    for (int i = 0; i < 1024; i++)
        count += fstat(i, &status) == 0 && status.st_dev == wanted.st_dev && status.st_ino == wanted.st_ino;
    return count;
}

/* The lock that it waits for is that of a file which has no name any more when the lock is its. */
static void test_who_waits_for_a_lock_adds_to_the_new_file(void **state)
{
    pthread_t thread;
    void *result = NULL;
    scratch_write_text(path, "a " KEY_A "\n", 0600);
    char *other CFS_AUTO_FREE = scratch_path(folder, "other");
    scratch_write_text(other, "b " KEY_A "\n", 0600);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(cfs_known_hosts_lock(fd), 0);
    assert_int_equal(pthread_create(&thread, NULL, append_one, NULL), 0);
    test_wait_until(count_descriptors(fd) == 2);
    assert_int_equal(rename(other, path), 0);
    close(fd);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    assert_contains("b " KEY_A "\nnew " KEY_B "\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_of_its_own_goes),
        cmocka_unit_test(test_a_line_of_several_keeps_the_others),
        cmocka_unit_test(test_what_stays),
        TEST(test_the_file_stays_what_it_was),
        TEST(test_a_file_is_not_touched_for_nothing),
        TEST(test_a_missing_file_is_made),
        TEST(test_a_file_without_its_last_newline_gets_it),
        TEST(test_a_hashed_name_stays_hashed),
        TEST(test_a_failure_leaves_the_file),
        TEST(test_no_line_is_lost_to_an_edit),
        TEST(test_who_waits_for_a_lock_adds_to_the_new_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

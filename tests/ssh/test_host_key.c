/* The host key policy: each policy against known, unknown, changed and revoked keys, pins, aliases, ports; what is
 * recorded and what is not. */
#include "lib/test.h"

#include "ssh/host_key.h"

#include "base/bytes.h"
#include "base/text.h"
#include "lib/fake_prompter.h"
#include "lib/scratch.h"
#include "ssh/host_key_priv.h"
#include <pthread.h>
#include <sys/stat.h>

/* A host key of each of two types, and a second one of the first type. */
static struct cfs_buffer key_a, key_b, key_rsa;
static char *line_a, *line_b, *line_rsa; /* "TYPE BASE64" */
static char *print_a, *print_b;

static char *folder, *path, *second_path;
static char *files[3];
static struct fake_prompter fake;
static struct cfs_profile profile;
static struct cfs_error error;

static char *make_key(struct cfs_buffer *blob, const char *type, uint8_t fill)
{
    uint8_t bytes[32];
    memset(bytes, fill, sizeof(bytes));
    cfs_buffer_add_text(blob, type);
    cfs_buffer_add_string(blob, bytes, sizeof(bytes));
    char *text = cfs_base64_encode(blob->bytes, blob->length, true), *line = cfs_text_format("%s %s", type, text);
    free(text);
    return line;
}

static int make_keys(void **state)
{
    line_a = make_key(&key_a, "ssh-ed25519", 1);
    line_b = make_key(&key_b, "ssh-ed25519", 2);
    line_rsa = make_key(&key_rsa, "ssh-rsa", 3);
    print_a = cfs_host_key_fingerprint(key_a.bytes, key_a.length);
    print_b = cfs_host_key_fingerprint(key_b.bytes, key_b.length);
    return 0;
}

static int free_keys(void **state)
{
    cfs_buffer_fini(&key_a);
    cfs_buffer_fini(&key_b);
    cfs_buffer_fini(&key_rsa);
    free(line_a);
    free(line_b);
    free(line_rsa);
    free(print_a);
    free(print_b);
    return 0;
}

static int set_up(void **state)
{
    static char host[] = "host.example";
    folder = scratch_make();
    path = scratch_path(folder, "ssh/known_hosts");
    second_path = scratch_path(folder, "global");
    files[0] = path, files[1] = second_path, files[2] = NULL;
    profile = (struct cfs_profile){.host = host, .port = 22, .known_hosts = files};
    error = (struct cfs_error){0};
    fake_prompter_init(&fake);
    return 0;
}

static int tear_down(void **state)
{
    free(path);
    free(second_path);
    scratch_remove(folder);
    return 0;
}

/* Writes the second file, which is only read: one key behind what begins its line. */
static void know(const char *names, const char *line)
{
    char *text = NULL;
    assert_true(asprintf(&text, "%s %s\n", names, line) > 0);
    scratch_write_text(second_path, text, 0644);
    free(text);
}

static int check(const struct cfs_buffer *key)
{
    error = (struct cfs_error){0};
    int result = cfs_host_key_check(&profile, key->bytes, key->length, &fake.prompter, &error);
    assert_true((result == 0) == (error.failure == CFS_FAILURE_NONE));
    return result;
}

static bool was_recorded(void)
{
    return access(path, F_OK) == 0;
}

#define assert_says(part)                                                                                              \
    do {                                                                                                               \
        if (!strstr(error.text, part))                                                                                 \
            fail_msg("\"%s\" is not in: %s", part, error.text);                                                        \
    } while (0)

static void test_a_known_key_is_taken_under_every_policy(void **state)
{
    know("host.example", line_a);
    for (int policy = CFS_HOST_KEY_AUTO; policy <= CFS_HOST_KEY_ACCEPT_NEW; policy++) {
        profile.host_key_policy = (enum cfs_host_key_policy)policy;
        assert_int_equal(check(&key_a), 0);
    }
    assert_int_equal(fake.confirmed, 0);
    assert_false(was_recorded());
}

static void test_a_changed_key_is_refused_under_every_policy(void **state)
{
    know("# a comment\nhost.example", line_a);
    fake.confirmation = 1;
    for (int policy = CFS_HOST_KEY_AUTO; policy <= CFS_HOST_KEY_ACCEPT_NEW; policy++) {
        profile.host_key_policy = (enum cfs_host_key_policy)policy;
        assert_int_equal(check(&key_b), -EKEYREJECTED);
        assert_int_equal(error.failure, CFS_FAILURE_HOST_KEY);
        assert_says("has changed");
        assert_says(print_a);
        assert_says(print_b);
        assert_says("global:2");
        assert_says("clusterfs hostkey trust 'host.example:'");
        assert_int_equal(check(&key_rsa), -EKEYREJECTED); /* of another type */
    }
    assert_int_equal(fake.confirmed, 0);
    assert_false(was_recorded());
}

static void test_an_unknown_key_under_strict(void **state)
{
    profile.host_key_policy = CFS_HOST_KEY_STRICT;
    fake.confirmation = 1;
    assert_int_equal(check(&key_a), -ENOKEY);
    assert_int_equal(error.failure, CFS_FAILURE_HOST_KEY);
    assert_says(print_a);
    assert_says("host_key_policy=accept-new");
    assert_says("host_key_fingerprint");
    assert_int_equal(fake.confirmed, 0);
    assert_false(was_recorded());
    know("@cert-authority *.example", line_a);
    assert_int_equal(check(&key_a), -ENOKEY); /* an authority's key is no host's key */
    assert_says("global:1 names an authority");
    assert_says("cannot verify certificates of hosts");
}

static void test_an_unknown_key_under_ask(void **state)
{
    profile.host_key_policy = CFS_HOST_KEY_ASK;
    fake.confirmation = 0;
    assert_int_equal(check(&key_a), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    assert_int_equal(fake.confirmed, 1);
    assert_non_null(strstr(fake.last, print_a));
    fake.confirmation = -ECANCELED;
    assert_int_equal(check(&key_a), -ECANCELED);
    assert_false(was_recorded());
    fake.nobody = true;
    assert_int_equal(check(&key_a), -ENOKEY);
    assert_says("nobody can be asked");
    fake.nobody = false;
    fake.confirmation = 1;
    assert_int_equal(check(&key_a), 0);
    assert_true(was_recorded());
    assert_int_equal(check(&key_a), 0);
    assert_int_equal(fake.confirmed, 3); /* not again */
}

static void test_auto_asks_who_can_be_asked(void **state)
{
    fake.nobody = true;
    assert_int_equal(check(&key_a), -ENOKEY);
    fake.nobody = false;
    fake.confirmation = 1;
    assert_int_equal(check(&key_a), 0);
    assert_int_equal(fake.confirmed, 1);
    assert_true(was_recorded());
}

static void test_accept_new_records_once(void **state)
{
    struct stat status;
    profile.host_key_policy = CFS_HOST_KEY_ACCEPT_NEW;
    mode_t mask = umask(022);
    assert_int_equal(check(&key_a), 0);
    assert_int_equal(check(&key_a), 0);
    umask(mask);
    assert_int_equal(fake.confirmed, 0);
    char *text = scratch_read(path, NULL), *expected = cfs_text_format("host.example %s\n", line_a);
    assert_string_equal(text, expected);
    free(text);
    free(expected);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    char *above = scratch_path(folder, "ssh");
    assert_int_equal(stat(above, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    free(above);
    assert_int_equal(check(&key_b), -EKEYREJECTED); /* from now on it is known */
}

static void test_a_file_without_a_last_newline_gets_one(void **state)
{
    char *above = scratch_path(folder, "ssh");
    assert_int_equal(mkdir(above, 0700), 0);
    free(above);
    scratch_write_text(path, "other ssh-rsa AAAA", 0640);
    profile.host_key_policy = CFS_HOST_KEY_ACCEPT_NEW;
    assert_int_equal(check(&key_a), 0);
    char *text = scratch_read(path, NULL), *expected = cfs_text_format("other ssh-rsa AAAA\nhost.example %s\n", line_a);
    assert_string_equal(text, expected);
    free(text);
    free(expected);
}

static void test_a_record_that_cannot_be_made_does_not_stop_the_login(void **state)
{
    scratch_write_text(second_path, "", 0600);
    char *below = cfs_text_format("%s/x/known_hosts", second_path);
    char *others[] = {below, NULL};
    profile.known_hosts = others;
    profile.host_key_policy = CFS_HOST_KEY_ACCEPT_NEW;
    assert_int_equal(check(&key_a), 0);
    profile.known_hosts = others + 1; /* none at all */
    assert_int_equal(check(&key_a), 0);
    profile.known_hosts = NULL;
    assert_int_equal(check(&key_a), 0);
    free(below);
}

static void test_a_revoked_key_is_refused_whatever_else_is_known(void **state)
{
    char *text = cfs_text_format("host.example %s\n@revoked *.example %s\n", line_a, line_a);
    scratch_write_text(second_path, text, 0600);
    free(text);
    profile.host_key_policy = CFS_HOST_KEY_ACCEPT_NEW;
    assert_int_equal(check(&key_a), -EKEYREVOKED);
    assert_int_equal(error.failure, CFS_FAILURE_HOST_KEY);
    assert_says("revoked");
    assert_says("global:2");
    profile.host_key_fingerprint = print_a;
    assert_int_equal(check(&key_a), -EKEYREVOKED);
    profile.host_key_fingerprint = NULL;
    assert_int_equal(check(&key_b), -EKEYREJECTED); /* the known key, though revoked, is not this one */
    static char port_host[] = "other.example";
    profile.host = port_host;
    profile.port = 2222;
    assert_int_equal(check(&key_a), -EKEYREVOKED); /* "*.example" has no port; it is revoked on all */
    assert_int_equal(check(&key_b), 0);
}

static void test_pins(void **state)
{
    profile.host_key_policy = CFS_HOST_KEY_STRICT;
    profile.host_key_fingerprint = print_a;
    assert_int_equal(check(&key_a), 0);
    assert_false(was_recorded());
    assert_int_equal(check(&key_b), -EKEYREJECTED);
    assert_int_equal(error.failure, CFS_FAILURE_HOST_KEY);
    assert_says("host_key_fingerprint");
    assert_says(print_a);
    assert_says(print_b);
    know("host.example", line_b);
    assert_int_equal(check(&key_b), -EKEYREJECTED); /* known_hosts does not overrule the pin */
    assert_int_equal(check(&key_a), 0);
    char *padded = cfs_text_format("%s=", print_a), *longer = cfs_text_format("%sA", print_a);
    profile.host_key_fingerprint = padded;
    assert_int_equal(check(&key_a), 0);
    profile.host_key_fingerprint = longer;
    assert_int_equal(check(&key_a), -EKEYREJECTED);
    longer[20] = '\0';
    assert_int_equal(check(&key_a), -EKEYREJECTED);
    free(padded);
    free(longer);
}

static void test_aliases_and_ports(void **state)
{
    static char alias[] = "Alias";
    profile.host_key_policy = CFS_HOST_KEY_STRICT;
    know("alias", line_a);
    assert_int_equal(check(&key_a), -ENOKEY);
    profile.host_key_alias = alias;
    assert_int_equal(check(&key_a), 0);
    profile.port = 2222;
    assert_int_equal(check(&key_a), 0); /* an alias has no port */
    profile.host_key_alias = NULL;
    know("[host.example]:2222", line_a);
    assert_int_equal(check(&key_a), 0);
    assert_int_equal(check(&key_b), -EKEYREJECTED);
    profile.port = 22;
    assert_int_equal(check(&key_a), -ENOKEY);
    /* The bare name vouches for its own key on any port, and says nothing about another. */
    know("host.example", line_a);
    profile.port = 2222;
    assert_int_equal(check(&key_a), 0);
    assert_int_equal(check(&key_b), -ENOKEY);
    profile.host_key_policy = CFS_HOST_KEY_ACCEPT_NEW;
    assert_int_equal(check(&key_b), 0);
    char *text = scratch_read(path, NULL);
    assert_int_equal(strncmp(text, "[host.example]:2222 ssh-ed25519 ", 32), 0);
    free(text);
}

static void test_known_types(void **state)
{
    cfs_words types = NULL;
    char *text = cfs_text_format("host.example %s\nhost.example %s\n*.example %s\n@cert-authority * %s\n", line_rsa,
                                 line_a, line_b, line_a);
    scratch_write_text(second_path, text, 0600);
    free(text);
    assert_int_equal(cfs_host_key_known_types(&profile, &types), 0);
    assert_string_equal(types[0], "ssh-rsa");
    assert_string_equal(types[1], "ssh-ed25519");
    assert_null(types[2]);
    cfs_words_free(types);
    text = cfs_text_format("host.example %s\n@revoked * %s\n", line_a, line_a);
    scratch_write_text(second_path, text, 0600);
    free(text);
    assert_int_equal(cfs_host_key_known_types(&profile, &types), 0);
    assert_null(types[0]);
    cfs_words_free(types);
    profile.known_hosts = NULL;
    assert_int_equal(cfs_host_key_known_types(&profile, &types), 0);
    assert_null(types[0]);
    cfs_words_free(types);
}

static void test_a_key_that_makes_no_sense(void **state)
{
    struct cfs_buffer odd CFS_AUTO_BUFFER = {0};
    profile.host_key_policy = CFS_HOST_KEY_STRICT;
    cfs_buffer_add_text(&odd, "\x1b[31m\nred");
    assert_int_equal(check(&odd), -ENOKEY);
    assert_null(strchr(error.text, '\x1b'));
    odd.length = 3;
    assert_int_equal(check(&odd), -ENOKEY);
}

static void *append_many(void *context)
{
    const struct cfs_buffer *key = context;
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof(name), "host%d", i);
        if (cfs_known_hosts_append(path, name, "ssh-ed25519", key->bytes, key->length) < 0)
            return context;
    }
    return NULL;
}

static void test_lines_of_several_writers_do_not_mix(void **state)
{
    pthread_t threads[3];
    for (size_t i = 0; i < CFS_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, i == 0 ? &key_a : &key_b), 0);
    for (size_t i = 0; i < CFS_COUNT(threads); i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    char *text = scratch_read(path, NULL);
    size_t lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        char *key = strchr(line, ' ');
        assert_non_null(key);
        assert_true(strcmp(key + 1, line_a) == 0 || strcmp(key + 1, line_b) == 0);
    }
    assert_int_equal(lines, 80); /* each host has both keys once, whoever came first */
    free(text);
}

static void a_new_key_is_not_taken_while_a_file_cannot_be_read(void **state)
{
    static const enum cfs_host_key_policy policies[] = {CFS_HOST_KEY_ACCEPT_NEW, CFS_HOST_KEY_ASK, CFS_HOST_KEY_STRICT};
    assert_int_equal(symlink(second_path, second_path), 0); /* a loop: nobody can open it, root neither */
    files[0] = path;
    files[1] = second_path;
    for (size_t i = 0; i < CFS_COUNT(policies); i++) {
        profile.host_key_policy = policies[i];
        assert_int_equal(cfs_host_key_check(&profile, key_a.bytes, key_a.length, NULL, &error), -EACCES);
        assert_int_equal(error.failure, CFS_FAILURE_HOST_KEY);
        assert_non_null(strstr(error.text, second_path));
        assert_int_equal(access(path, F_OK), -1); /* and nothing is recorded */
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_key_is_not_taken_while_a_file_cannot_be_read),
        TEST(test_a_known_key_is_taken_under_every_policy),
        TEST(test_a_changed_key_is_refused_under_every_policy),
        TEST(test_an_unknown_key_under_strict),
        TEST(test_an_unknown_key_under_ask),
        TEST(test_auto_asks_who_can_be_asked),
        TEST(test_accept_new_records_once),
        TEST(test_a_file_without_a_last_newline_gets_one),
        TEST(test_a_record_that_cannot_be_made_does_not_stop_the_login),
        TEST(test_a_revoked_key_is_refused_whatever_else_is_known),
        TEST(test_pins),
        TEST(test_aliases_and_ports),
        TEST(test_known_types),
        TEST(test_a_key_that_makes_no_sense),
        TEST(test_lines_of_several_writers_do_not_mix),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}

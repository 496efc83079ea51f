/* The known_hosts parser: names in all their forms, markers, bad lines, files. */
#include "lib/test.h"

#include "ssh/known_hosts.h"

#include "base/log.h"
#include "lib/scratch.h"
#include <sys/stat.h>

/* Any 32 bytes do for a key: the parser looks at the type alone. */
#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/"

/* How many lines of TEXT match NAME; BAD ones are compared as well. */
static size_t count(const char *text, const char *name, int bad)
{
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    assert_int_equal(cfs_known_hosts_parse("f", text, strlen(text), name, &found), bad);
    return found.count;
}

static void test_plain_names(void **state)
{
    assert_int_equal(count("host " KEY_A "\n", "host", 0), 1);
    assert_int_equal(count("HOST " KEY_A "\n", "host", 0), 1);
    assert_int_equal(count("other,host " KEY_A " a comment here\n", "host", 0), 1);
    assert_int_equal(count("hos " KEY_A "\nhostx " KEY_A "\n", "host", 0), 0);
    assert_int_equal(count("  \thost\t" KEY_A, "host", 0), 1); /* no newline at the end */
    assert_int_equal(count("host " KEY_A "\r\n", "host", 0), 1);
    assert_int_equal(count("[host]:2222 " KEY_A "\n", "[host]:2222", 0), 1);
    assert_int_equal(count("[host]:2222 " KEY_A "\n", "host", 0), 0);
    assert_int_equal(count("host " KEY_A "\n", "[host]:2222", 0), 0);
}

static void test_patterns(void **state)
{
    assert_int_equal(count("*.example.org " KEY_A "\n", "a.example.org", 0), 1);
    assert_int_equal(count("*.example.org " KEY_A "\n", "example.org", 0), 0);
    assert_int_equal(count("h?st " KEY_A "\n", "host", 0), 1);
    assert_int_equal(count("h?st " KEY_A "\n", "hst", 0), 0);
    assert_int_equal(count("*.org,!evil.org " KEY_A "\n", "good.org", 0), 1);
    assert_int_equal(count("*.org,!evil.org " KEY_A "\n", "evil.org", 0), 0);
    assert_int_equal(count("!evil.org " KEY_A "\n", "good.org", 0), 0); /* a negation alone names nobody */
    assert_int_equal(count("[*.org]:* " KEY_A "\n", "[a.org]:2200", 0), 1);
    assert_int_equal(count("a*b*c*d " KEY_A "\n", "axxbxxcxxd", 0), 1);
    assert_int_equal(count("a*b*c*d " KEY_A "\n", "axxbxxcxx", 0), 0);
    assert_int_equal(count("*,!,, " KEY_A "\n", "host", 0), 1);
}

static void test_a_pattern_of_many_stars_ends_soon(void **state)
{
    char line[4096] = "", name[1024];
    for (int i = 0; i < 500; i++)
        strcat(line, "*a");
    strcat(line, "b " KEY_A "\n");
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(count(line, name, 0), 0);
}

static void test_hashed_names(void **state)
{
    char *folder = scratch_make();
    char *path = scratch_path(folder, "known_hosts");
    scratch_write_text(path, "host " KEY_A "\n[host]:2222 " KEY_B "\n", 0600);
    scratch_must_run("ssh-keygen", "-q", "-H", "-f", path, NULL);
    char *hashed = scratch_read(path, NULL);
    assert_null(strstr(hashed, "host"));
    assert_int_equal(count(hashed, "host", 0), 1);
    assert_int_equal(count(hashed, "HOST", 0), 1);
    assert_int_equal(count(hashed, "[host]:2222", 0), 1);
    assert_int_equal(count(hashed, "hosts", 0), 0);
    free(hashed);
    free(path);
    scratch_remove(folder);
}

static void test_markers_are_kept_apart(void **state)
{
    static const char text[] = "@revoked * " KEY_A "\n"
                               "@cert-authority *.org " KEY_A "\n"
                               "# host " KEY_A "\n\n   \n"
                               "a.org " KEY_B "\n"
                               "@unheard-of a.org " KEY_B "\n";
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    assert_int_equal(cfs_known_hosts_parse("file", text, strlen(text), "a.org", &found), 1);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.entries[0].mark, CFS_KNOWN_HOST_REVOKED);
    assert_int_equal(found.entries[1].mark, CFS_KNOWN_HOST_AUTHORITY);
    assert_int_equal(found.entries[2].mark, CFS_KNOWN_HOST_PLAIN);
    assert_int_equal(found.entries[2].line, 6);
    assert_string_equal(found.entries[2].file, "file");
    assert_string_equal(found.entries[2].type, "ssh-ed25519");
    assert_int_equal(found.entries[2].blob_length, 51);
}

static void test_bad_lines_are_skipped_and_the_rest_counts(void **state)
{
    static const char text[] = "host\n"
                               "host ssh-ed25519\n"
                               "host ssh-ed25519 !!!!\n"
                               "host ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                               "host 1024 35 1234567\n"
                               "|1|short|hash " KEY_A "\n"
                               "|2|AQEBAQEBAQEBAQEBAQEBAQEBAQE=|AQEBAQEBAQEBAQEBAQEBAQEBAQE= " KEY_A "\n"
                               "@revoked\n"
                               "@revoked host\n"
                               "host ssh-ed25519 AAAA\n"
                               "host " KEY_B "\n";
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    assert_int_equal(cfs_known_hosts_parse("f", text, strlen(text), "host", &found), 10);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.entries[0].line, 11);
}

static void test_files(void **state)
{
    char *folder = scratch_make();
    char *path = scratch_path(folder, "known_hosts"), *log = scratch_path(folder, "log");
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    assert_int_equal(cfs_known_hosts_read(path, "host", false, &found), 0); /* missing */
    assert_int_equal(cfs_known_hosts_read("/dev/null", "host", false, &found), 0);
    assert_int_equal(cfs_known_hosts_read(folder, "host", false, &found), 0);
    assert_int_equal(found.count, 0);
    scratch_write_text(path, "bad\nbad again\nhost " KEY_A, 0600);
    assert_int_equal(cfs_log_to_file(log), 0);
    assert_int_equal(cfs_known_hosts_read(path, "host", false, &found), 0);
    assert_int_equal(cfs_known_hosts_read(path, "host", true, &found), 0);
    cfs_log_to_stderr();
    assert_int_equal(found.count, 2);
    char *text = scratch_read(log, NULL);
    assert_non_null(strstr(text, "2 lines could not be understood"));
    assert_ptr_equal(strchr(text, '\n'), strrchr(text, '\n')); /* one warning */
    free(text);
    assert_int_equal(truncate(path, (16 << 20) + 1), 0);
    assert_int_equal(cfs_known_hosts_read(path, "host", true, &found), -EFBIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(cfs_known_hosts_read(path, "host", true, &found), 0); /* does not wait for a writer */
    free(path);
    free(log);
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_names),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_a_pattern_of_many_stars_ends_soon),
        cmocka_unit_test(test_hashed_names),
        cmocka_unit_test(test_markers_are_kept_apart),
        cmocka_unit_test(test_bad_lines_are_skipped_and_the_rest_counts),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

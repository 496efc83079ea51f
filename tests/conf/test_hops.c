/* proxy_jump: how hops are written, and whose profile each gets. */
#include "conf/hops.h"
#include "lib/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *folder, *file;

static void hops_are_sources_with_a_port(void **state)
{
    struct cfs_hop hops[CFS_HOPS_MOST];
    const char *reason = NULL;
    assert_int_equal(cfs_hops_parse("gate", hops, &reason), 1);
    assert_string_equal(hops[0].source, "gate:");
    assert_int_equal(hops[0].port, 0);
    assert_int_equal(cfs_hops_parse("me@site@gate:2222, [fd00::1]:23,u@[::1]", hops, &reason), 3);
    assert_string_equal(hops[0].source, "me@site@gate:");
    assert_int_equal(hops[0].port, 2222);
    assert_string_equal(hops[1].source, "[fd00::1]:");
    assert_int_equal(hops[1].port, 23);
    assert_string_equal(hops[2].source, "u@[::1]:");
}

static void what_is_no_hop_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",     ",",      "a,",     "a,,b", "@a",  "a:",    "a:0",     "a:65536", "a:+1", "a:22x", "fd00::1",
        "[::1", "[::1]x", "[::1]:", "-a",   "a b", "u:p@a", "ssh://a", "a/b",     "-u@a", "[u@a",  "a,b,c,d,e,f,g,h,i"};
    struct cfs_hop hops[CFS_HOPS_MOST];
    for (size_t i = 0; i < CFS_COUNT(wrong); i++) {
        const char *reason = NULL;
        if (cfs_hops_parse(wrong[i], hops, &reason) != -EINVAL || !reason)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
    assert_null(cfs_hops_check("none"));
    assert_null(cfs_hops_check("a,b"));
    assert_non_null(cfs_hops_check("a,"));
}

static int load(const char *source, const char *options, struct cfs_profile **ret_profile, struct cfs_error *error)
{
    struct cfs_profile_request request = {
        .config_file = file, .source = source, .options = options, .home = "/home/me", .system_file = "/nowhere"};
    return cfs_profile_load(&request, ret_profile, error);
}

static struct cfs_profile *must_load(const char *source, const char *options)
{
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    if (load(source, options, &profile, &error) < 0)
        fail_msg("%s", error.text);
    return profile;
}

static void each_hop_has_its_own_profile(void **state)
{
    scratch_write_text(file,
                       "[defaults]\nport = 24\nproxy_jump = gate\n"
                       "[job]\nhost = inner\nuser = j\nidentity_file = /j\n"
                       "[gate]\nhost = gate.example\nuser = g\nidentity_file = /g\nport = 2222\n",
                       0600);
    struct cfs_profile *job CFS_CLEANUP(cfs_profile_free) = must_load("job", "identity_file=/other,port=25");
    assert_string_equal(job->identity_files[0], "/other");
    assert_int_equal(job->port, 25);
    assert_non_null(job->hop);
    assert_string_equal(job->hop->host, "gate.example");
    assert_string_equal(job->hop->user, "g");
    assert_string_equal(job->hop->identity_files[0], "/g");
    assert_int_equal(job->hop->port, 2222);
    assert_null(job->hop->hop); /* what holds for all does not lead it to itself */

    struct cfs_profile *direct CFS_CLEANUP(cfs_profile_free) = must_load("job", "proxy_jump=none");
    assert_null(direct->hop);
}

static void the_last_of_the_list_is_next_to_the_host(void **state)
{
    scratch_write_text(file,
                       "[job]\nhost = inner\nproxy_jump = you@gate:23,middle.example,[::1]\n"
                       "[gate]\nhost = gate.example\nproxy_jump = outer.example\n",
                       0600);
    struct cfs_profile *job CFS_CLEANUP(cfs_profile_free) = must_load("job", NULL), *hop = job->hop;
    assert_string_equal(hop->host, "::1");
    assert_int_equal(hop->port, 22);
    hop = hop->hop;
    assert_string_equal(hop->host, "middle.example");
    hop = hop->hop;
    assert_string_equal(hop->host, "gate.example");
    assert_string_equal(hop->user, "you");
    assert_int_equal(hop->port, 23);
    hop = hop->hop; /* the first hop's own */
    assert_string_equal(hop->host, "outer.example");
    assert_null(hop->hop);
}

static void a_configuration_by_option_holds_for_the_hops_too(void **state)
{
    char options[512];
    scratch_write_text(file, "[job]\nhost = inner\nproxy_jump = gate\n[gate]\nhost = gate.example\n", 0600);
    snprintf(options, sizeof(options), "config=%s", file);
    struct cfs_profile_request request = {
        .source = "job", .options = options, .home = "/home/me", .system_file = "/nowhere"};
    struct cfs_profile *job CFS_CLEANUP(cfs_profile_free) = NULL;
    struct cfs_error error = {0};
    if (cfs_profile_load(&request, &job, &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(job->hop->host, "gate.example");
}

static void a_circle_is_refused(void **state)
{
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    scratch_write_text(file, "[a]\nhost = a1\nproxy_jump = b\n[b]\nhost = b1\nproxy_jump = a\n", 0600);
    assert_int_equal(load("a", NULL, &profile, &error), -ELOOP);
    assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
    assert_non_null(strstr(error.text, "in a circle"));
    scratch_write_text(file, "[a]\nhost = a1\nproxy_jump = b\n[b]\nport = 1\n", 0600);
    assert_int_equal(load("a", NULL, &profile, &error), -EINVAL);
    assert_non_null(strstr(error.text, "The profile b has no host"));
    assert_non_null(strstr(error.text, "proxy_jump"));
    assert_null(profile);
}

static int set_up(void **state)
{
    folder = scratch_make();
    file = scratch_path(folder, "c");
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(folder);
    free(file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hops_are_sources_with_a_port),
        cmocka_unit_test(what_is_no_hop_is_refused),
        cmocka_unit_test(each_hop_has_its_own_profile),
        cmocka_unit_test(the_last_of_the_list_is_next_to_the_host),
        cmocka_unit_test(a_configuration_by_option_holds_for_the_hops_too),
        cmocka_unit_test(a_circle_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

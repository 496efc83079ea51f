/* SOURCE, without profiles. */
#include "conf/source.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HOST_RULE                                                                                                      \
    "must be a host's name or address (an IPv6 address without brackets): no blanks, no '/' or '@' or other "          \
    "punctuation, and no '-' at the beginning"

static void sources_are_split(void **state CFS_UNUSED)
{
    static const struct {
        const char *text, *prefix, *user, *host, *path;
        bool colon;
    } rows[] = {
        {"gpu", "gpu", NULL, "gpu", NULL, false},
        {"gpu:", "gpu", NULL, "gpu", NULL, true},
        {"gpu:/data", "gpu", NULL, "gpu", "/data", true},
        {"gpu:sub/a b", "gpu", NULL, "gpu", "sub/a b", true},
        {"host:~/x:y@z", "host", NULL, "host", "~/x:y@z", true},
        {"uprod_qpWia@host:", "uprod_qpWia@host", "uprod_qpWia", "host", NULL, true},
        {"udeprod.ttooPb@host:/d", "udeprod.ttooPb@host", "udeprod.ttooPb", "host", "/d", true},
        {"alice@corp.de@host:", "alice@corp.de@host", "alice@corp.de", "host", NULL, true},
        {"[::1]:/path", "[::1]", NULL, "::1", "/path", true},
        {"user@[::1]:", "user@[::1]", "user", "::1", NULL, true},
        {"[fe80::1%eth0]:x", "[fe80::1%eth0]", NULL, "fe80::1%eth0", "x", true},
        {"10.0.0.1:", "10.0.0.1", NULL, "10.0.0.1", NULL, true},
        {"host://twice", "host", NULL, "host", "//twice", true},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        struct cfs_source source CFS_AUTO_SOURCE = {0};
        struct cfs_error error = {0};
        if (cfs_source_parse(rows[i].text, &source, &error) < 0)
            fail_msg("%s", error.text);
        assert_string_equal(source.prefix, rows[i].prefix);
        assert_string_equal(source.host, rows[i].host);
        assert_string_equal(source.user ? source.user : "-", rows[i].user ? rows[i].user : "-");
        assert_string_equal(source.path ? source.path : "-", rows[i].path ? rows[i].path : "-");
        assert_int_equal(source.colon, rows[i].colon);
        assert_int_equal(cfs_source_check(&source, rows[i].text, &error), 0);
    }
}

static void malformed_sources_are_refused(void **state CFS_UNUSED)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"", ": a source is PROFILE[:PATH] or [USER@]HOST:[PATH]"},
        {"/local/path", "/local/path: a source is PROFILE[:PATH] or [USER@]HOST:[PATH]"},
        {":/path", ":/path: the host is missing; an IPv6 address must be in brackets: [::1]:"},
        {"::1:/path", "::1:/path: the host is missing; an IPv6 address must be in brackets: [::1]:"},
        {"fe80::1:", "fe80::1:: the host is missing; an IPv6 address must be in brackets: [::1]:"},
        {"[::1", "[::1: the address has a [ without its ]"},
        {"[::1:/path", "[::1:/path: the address has a [ without its ]"},
        {"sftp://host/", "sftp://host/: a source is PROFILE[:PATH] or [USER@]HOST:[PATH], not a URL"},
        {"host:a\nb", "host:a\nb: the source has a control character in it"},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        struct cfs_source source = {0};
        struct cfs_error error = {0};
        assert_int_equal(cfs_source_parse(rows[i].text, &source, &error), -EINVAL);
        assert_string_equal(error.text, rows[i].sentence);
        assert_null(source.prefix);
    }
}

static void bad_hosts_and_users_are_refused(void **state CFS_UNUSED)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"-oProxyCommand=x:", "-oProxyCommand=x:: the host " HOST_RULE},
        {"a@-x:", "a@-x:: the host " HOST_RULE},
        {"a b:", "a b:: the host " HOST_RULE},
        {"a@:", "a@:: the host " HOST_RULE},
        {"[]:", "[]:: the host " HOST_RULE},
        {"-l@host:", "-l@host:: the user must be a login name: no blanks, no '/', no quotes or other signs of a shell, "
                     "and no '-' at the beginning"},
        {"a b@host:", "a b@host:: the user must be a login name: no blanks, no '/', no quotes or other signs of a "
                      "shell, and no '-' at the beginning"},
        {"@host:", "@host:: the user must be a login name: no blanks, no '/', no quotes or other signs of a shell, and "
                   "no '-' at the beginning"},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        struct cfs_source source CFS_AUTO_SOURCE = {0};
        struct cfs_error error = {0};
        assert_int_equal(cfs_source_parse(rows[i].text, &source, &error), 0);
        assert_int_equal(cfs_source_check(&source, rows[i].text, &error), -EINVAL);
        assert_string_equal(error.text, rows[i].sentence);
        assert_int_equal(error.failure, CFS_FAILURE_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_split),
        cmocka_unit_test(malformed_sources_are_refused),
        cmocka_unit_test(bad_hosts_and_users_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

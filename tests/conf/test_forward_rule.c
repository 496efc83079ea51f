/* What `clusterfs forward` is told: where to listen, and where that leads to. */
#include "conf/forward_rule.h"
#include "lib/test.h"
#include <string.h>

static void expect(const char *text, const char *bind, unsigned port, const char *host, unsigned host_port)
{
    struct cfs_forward_rule rule = {.port = 1};
    assert_null(cfs_forward_rule_parse(text, &rule));
    assert_string_equal(rule.bind, bind);
    assert_int_equal(rule.port, port);
    assert_string_equal(rule.host, host);
    assert_int_equal(rule.host_port, host_port);
}

static void rules_are_read(void **state)
{
    (void)state;
    expect("8080:localhost:80", "127.0.0.1", 8080, "localhost", 80);
    expect("0:10.0.0.7:65535", "127.0.0.1", 0, "10.0.0.7", 65535);
    expect("localhost:1:node-7.cluster:8888", "127.0.0.1", 1, "node-7.cluster", 8888);
    expect("*:8080:db:5432", "*", 8080, "db", 5432);
    expect("192.0.2.1:8080:db:5432", "192.0.2.1", 8080, "db", 5432);
    expect("[::1]:8080:[2001:db8::7]:5432", "::1", 8080, "2001:db8::7", 5432);
    expect("8080:[2001:db8::7]:5432", "127.0.0.1", 8080, "2001:db8::7", 5432);
}

static void what_is_no_rule_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "8080",          "8080:80",       "8080:host",        "65536:host:80",    "8080:host:0",
        "-1:host:80", "8080::80",      ":host:80",      "8080:host:",       "8080:host:80:",    "a:8080:host:80",
        ":1:host:80", "1:2:3:4:5",     "::1:8080:h:80", "[::1:8080:h:80",   "[::1]x:1:host:80", "8080:-host:80",
        "8 :host:80", "8080:ho st:80", "8080:host:+80", "8080:host:000080",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cfs_forward_rule rule = {.port = 7};
        const char *reason = cfs_forward_rule_parse(wrong[i], &rule);
        if (!reason)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_memory_equal(reason, "must ", 5);
        assert_int_equal(rule.port, 7); /* untouched */
    }
}

static void a_host_that_is_too_long_is_refused(void **state)
{
    char text[1024];
    struct cfs_forward_rule rule;
    (void)state;
    snprintf(text, sizeof(text), "1:%0300d:2", 0);
    assert_non_null(cfs_forward_rule_parse(text, &rule));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(what_is_no_rule_is_refused),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

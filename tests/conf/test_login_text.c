/* What a provider's message says about where to log in. */
#include "conf/login_text.h"

#include "lib/test.h"

/* "user@host:port,jump", or the error. */
static const char *find(const char *text)
{
    static char found[CFS_ERROR_TEXT + 1024];
    struct cfs_login login = {0};
    struct cfs_error error = {0};
    int result = cfs_login_text_find(text, strlen(text), &login, &error);
    if (result < 0)
        snprintf(found, sizeof(found), "%d %s", -result, error.text);
    else
        snprintf(found, sizeof(found), "%s@%s%s%.*u%s%s", login.user, login.host, login.port ? ":" : "",
                 login.port ? 5 : 0, login.port, *login.jump ? "," : "", login.jump);
    return found;
}

static void commands_are_understood(void **state CFS_UNUSED)
{
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"ssh uprod_qpWia@203.0.113.5", "uprod_qpWia@203.0.113.5"},
        {"Your job runs. Connect with:\r\n\r\n    $ ssh -i ~/.ssh/id_ed25519 -p 2222 "
         "udeprod.ttooPb@job.example.org\r\n",
         "udeprod.ttooPb@job.example.org:02222"},
        {"Use ssh to log in: `ssh -i <path to your key> u@203.0.113.5`.", "u@203.0.113.5"},
        {"ssh -l alice -o Port=23 -A 2001:db8::5", "alice@2001:db8::5:00023"},
        {"ssh -J gate@198.51.100.1 u@10.0.0.7", "u@10.0.0.7,gate@198.51.100.1"},
        {"scp -P 2022 file u@203.0.113.5:/data/", "u@203.0.113.5:02022"},
        {"sftp://u@[2001:db8::5]:22/work and a mail to support@example.org", "u@2001:db8::5:00022"},
        {"ssh://u:secret@203.0.113.5", "u@203.0.113.5"},
        {"ssh u@203.0.113.5\nssh u@203.0.113.5", "u@203.0.113.5"},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++)
        assert_string_equal(find(rows[i].text), rows[i].found);
}

static void lines_that_say_what_they_hold_are_understood(void **state CFS_UNUSED)
{
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"User: uprod_qpWia\nHost/IP/Address: 203.0.113.5\n", "uprod_qpWia@203.0.113.5"},
        {"* **Username**: `u`\n* **IP address**: `203.0.113.5`\n* **SSH port**: 2222", "u@203.0.113.5:02222"},
        {"| User | u |\n| Public IPv6 | 2001:db8::5 |", "u@2001:db8::5"},
        {"SSH user = u\nDNS name = job-1.example.org\n", "u@job-1.example.org"},
        {"User\nuprod_x\n\nAddress\nhost-1.example.org\n", "uprod_x@host-1.example.org"},
        {"User name:\n  u\nHostname:\n  203.0.113.5\n", "u@203.0.113.5"},
        {"Login: u@203.0.113.5\nE-mail: a@example.org", "u@203.0.113.5"},
        {"The user is told below.\nUser: u\nThe machine has 203.0.113.5 as its address.", "u@203.0.113.5"},
        {"Benutzername: u\nIP-Adresse: 203.0.113.5:2200", "u@203.0.113.5:02200"},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++)
        assert_string_equal(find(rows[i].text), rows[i].found);
}

static void a_lone_login_counts_where_nothing_else_does(void **state CFS_UNUSED)
{
    assert_string_equal(find("your job: uprod_qpWia@203.0.113.5."), "uprod_qpWia@203.0.113.5");
    assert_string_equal(find("<u@203.0.113.5>, questions to joe@example.org"), "u@203.0.113.5");
    assert_string_equal(find("Ask support@example.org about u@job.example.org"), "u@job.example.org");
    assert_string_equal(find("u@203.0.113.5"), "u@203.0.113.5");
}

static void what_is_missing_or_ambiguous_is_told(void **state CFS_UNUSED)
{
    static const char say[] = " Say USER@HOST instead.";
    char expected[512];
    snprintf(expected, sizeof(expected), "%d No user and no address were found in this text.%s", ENOENT, say);
    assert_string_equal(find(""), expected);
    assert_string_equal(find("Hello, your job is ready."), expected);
    snprintf(expected, sizeof(expected), "%d No user was found in this text.%s What was found:\n  host 203.0.113.5",
             ENOENT, say);
    assert_string_equal(find("Address: 203.0.113.5"), expected);
    snprintf(expected, sizeof(expected), "%d No address was found in this text.%s What was found:\n  user u", ENOENT,
             say);
    assert_string_equal(find("User: u"), expected);
    snprintf(expected, sizeof(expected),
             "%d There is more than one way to read this.%s What was found:\n  login a@203.0.113.5\n  login "
             "b@203.0.113.6:22",
             EINVAL, say);
    assert_string_equal(find("ssh a@203.0.113.5\nssh -p 22 b@203.0.113.6"), expected);
}

static void nothing_odd_gets_through(void **state CFS_UNUSED)
{
    struct cfs_login login;
    struct cfs_error error;
    static const char *const refused[] = {"",      "@",         "u@",     "@h",    "-u@h",      "u@-h",     "u@h:0",
                                          "u@h:x", "u@h:70000", "u@[::1", "u@h/x", "u@[::1]:",  "u@[::1]x", "a b@h",
                                          "u@h h", "u@h:",      "u/x@h",  "u@h,i", "\x1b[0m@h", NULL};
    for (size_t i = 0; refused[i]; i++) {
        error = (struct cfs_error){0};
        if (cfs_login_parse(refused[i], &login, &error) != -EINVAL || !error.text[0])
            fail_msg("accepted: %s", refused[i]);
    }
    assert_int_equal(cfs_login_parse("a@b@[::1]:2222", &login, &error), 0);
    assert_string_equal(login.user, "a@b");
    assert_string_equal(login.host, "::1");
    assert_int_equal(login.port, 2222);
    assert_int_equal(cfs_login_parse("2001:db8::5", &login, &error), 0);
    assert_string_equal(login.host, "2001:db8::5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_understood),
        cmocka_unit_test(lines_that_say_what_they_hold_are_understood),
        cmocka_unit_test(a_lone_login_counts_where_nothing_else_does),
        cmocka_unit_test(what_is_missing_or_ambiguous_is_told),
        cmocka_unit_test(nothing_odd_gets_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

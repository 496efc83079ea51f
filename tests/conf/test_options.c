/* Every option of the table: its default, a value that is taken, and the sentence for one that is not. A new option
 * without a row here is a failure. */
#include "conf/check.h"
#include "conf/option.h"
#include "conf/profile.h"
#include "lib/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NUMBER(low, high) "a number from " low " to " high
#define TIME(low, high)   "a time from " low " to " high ", such as 500ms, 5s or 2m"
#define HOST_RULE                                                                                                      \
    "must be a host's name or address (an IPv6 address without brackets): no blanks, no '/' or '@' or other "          \
    "punctuation, and no '-' at the beginning"

#define HOPS_RULE                                                                                                      \
    "must be [USER@]HOST[:PORT], several separated by commas, the nearest first (an IPv6 address in brackets), or "    \
    "none"

static const struct row {
    const char *key;
    const char *by_default;
    const char *text, *value; /* what is written, and what it means */
    const char *wrong;        /* NULL: there is none */
    const char *reason;       /* what follows the key in the sentence */
} rows[] = {
    {"host", "h", "fe80::1%eth0", "fe80::1%eth0", "-oProxyCommand=x", HOST_RULE},
    {"ssh_config", "yes", "no", "no", "maybe", "must be an absolute path or begin with ~/"},
    {"port", "22", "2222", "2222", "65536", "must be " NUMBER("1", "65535")},
    {"address_family", "any", "inet6", "inet6", "ipv6", "must be any, inet or inet6"},
    {"bind_address", "", "10.0.0.1", "10.0.0.1", "a b", HOST_RULE},
    {"proxy_jump", "", "me@gate:2222,[fd00::1]:22", "me@gate:2222,[fd00::1]:22", "gate:ssh", HOPS_RULE},
    {"proxy_command", "", "nc -x \"a b\" %h %p", "nc -x \"a b\" %h %p", "nc %d",
     "must be a program and its arguments, with no % other than in %h, %p, %r and %%, or none"},
    {"proxy", "", "socks5://me@gate:1081", "socks5://me@gate:1081", "ftp://gate",
     "must be socks5://[USER@]HOST[:PORT] or http://[USER@]HOST[:PORT] (an IPv6 address in brackets), or none"},
    {"proxy_password", "", "secret", "(set)", NULL, NULL},
    {"channels", "auto", "10", "10", "11", "must be " NUMBER("1", "10") ", or auto"},
    {"connections", "auto", "8", "8", "9", "must be " NUMBER("1", "8") ", or auto"},
    {"transport", "libssh2", "openssh", "openssh", "ssh", "must be libssh2 or openssh"},
    {"ssh_command", "ssh", "/opt/ssh -F \"a b\"", "/opt/ssh -F \"a b\"", "ssh \"a",
     "must be a program and its arguments, separated by blanks; each quote needs another one"},
    {"compression", "no", "on", "yes", "maybe", "must be yes or no"},
    {"ciphers", "", "aes128-gcm@openssh.com,aes128-ctr", "aes128-gcm@openssh.com,aes128-ctr", "aes128-ctr,,x",
     "must be names of algorithms, separated by commas, such as aes128-ctr,aes256-ctr"},
    {"user", NULL, "udeprod.ttooPb", "udeprod.ttooPb", "-l",
     "must be a login name: no blanks, no '/', no quotes or other signs of a shell, and no '-' at the beginning"},
    {"identity_file", "", "~/.ssh/a \"/keys of %u/%r@%h:%p\"", NULL, "id_rsa",
     "must be an absolute path or begin with ~/"},
    {"certificate_file", "", "~/.ssh/a-cert.pub /%h-cert.pub", "/home/me/.ssh/a-cert.pub /h-cert.pub", "id-cert.pub",
     "must be an absolute path or begin with ~/"},
    {"identity_agent", "/run/agent", "/run/%h", "/run/h", "~bob/agent",
     "must not name another user's home folder with ~"},
    {"identities_only", "no", "true", "yes", "2", "must be yes or no"},
    {"password", "", "a ;b #c \"d\"", "(set)", NULL, NULL},
    {"password_command", "", "pass show \"%h and %r\" 100%%", "pass show \"%h and %r\" 100%%", "show %u",
     "must be a program and its arguments, with no % other than in %h, %p, %r and %%, or none"},
    {"passphrase", "", "[x] = y", "(set)", NULL, NULL},
    {"keep_keys", "yes", "no", "no", "never", "must be yes or no"},
    {"known_hosts", "/home/me/.ssh/known_hosts /home/me/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts", "/k%%", "/k%",
     "/k%d", "must not contain % other than in %u, %h, %r, %p and %%"},
    {"host_key_policy", "auto", "accept-new", "accept-new", "no", "must be auto, strict, ask or accept-new"},
    {"host_key_fingerprint", "", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
     "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "MD5:00:11",
     "must be a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 characters"},
    {"host_key_alias", "", "cluster", "cluster", "*", HOST_RULE},
    {"remote_dir", "", "/scratch/a folder/x:y", "/scratch/a folder/x:y", NULL, NULL},
    {"ro", "no", "yes", "yes", "rw", "must be yes or no"},
    {"allow_other", "no", "yes", "yes", "all", "must be yes or no"},
    {"allow_root", "no", "1", "yes", "all", "must be yes or no"},
    {"default_permissions", "yes", "off", "no", "n", "must be yes or no"},
    {"nosuid", "yes", "no", "no", "-", "must be yes or no"},
    {"nodev", "yes", "false", "no", "-", "must be yes or no"},
    {"noexec", "no", "yes", "yes", "-", "must be yes or no"},
    {"symlinks", "safe", "raw", "raw", "follow", "must be safe or raw"},
    {"attr_ttl", "auto", "1500ms", "1500ms", "61m", "must be " TIME("0", "1h") ", or auto"},
    {"cache", "yes", "no", "no", "all", "must be yes or no"},
    {"cache_size", "auto", "64M", "64M", "1k", "must be a size from 1M to 1T, such as 64M, or auto"},
    {"dirty_limit", "64M", "0", "0", "65G", "must be a size from 0 to 64G, such as 64M"},
    {"durability", "close", "fsync", "fsync", "never", "must be close or fsync"},
    {"conflict", "fail", "copy", "copy", "both", "must be fail or copy"},
    {"offline", "fail", "read", "read", "never", "must be fail or read"},
    {"journal", "yes", "no", "no", "close", "must be yes or no"},
    {"journal_size", "256M", "1G", "1G", "1k", "must be a size from 1M to 16G, such as 64M"},
    {"prefetch", "yes", "no", "no", "all", "must be yes or no"},
    {"idmap", "user", "name", "name", "file", "must be user, none or name"},
    {"uid", NULL, "4294967294", "4294967294", "4294967295", "must be " NUMBER("0", "4294967294")},
    {"gid", NULL, "0", "0", "staff", "must be " NUMBER("0", "4294967294")},
    {"umask", "000", "27", "027", "08", "must be an octal number from 000 to 777"},
    {"connect_timeout", "15s", "5", "5s", "0", "must be " TIME("1s", "10m")},
    {"login_timeout", "2m", "90s", "90s", "-1s", "must be " TIME("1s", "1h")},
    {"op_timeout", "30s", "60s", "1m", "1d", "must be " TIME("1s", "1h")},
    {"drain_timeout", "2m", "90s", "90s", "2d", "must be " TIME("0", "1d")},
    {"watchdog_timeout", "1m", "5s", "5s", "2h", "must be " TIME("0", "1h")},
    {"reconnect_timeout", "2m", "60s", "1m", "2d", "must be " TIME("0", "1d")},
    {"heartbeat", "15s", "30", "30s", "2h", "must be " TIME("0", "1h")},
    {"log_level", "warning", "debug", "debug", "verbose", "must be error, warning, info or debug"},
    {"log_file", "", "~/log", "/home/me/log", "log", "must be an absolute path or begin with ~/"},
};

struct fixture {
    char *folder, *path;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->folder = scratch_make();
    fixture->path = scratch_path(fixture->folder, "c");
    setenv("SSH_AUTH_SOCK", "/run/agent", 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    scratch_remove(fixture->folder);
    free(fixture->path);
    free(fixture);
    return 0;
}

/* Loads the profile p, with one line more than it needs. */
static int load(const struct fixture *fixture, const char *key, const char *text, struct cfs_profile **ret_profile,
                struct cfs_error *error)
{
    char file[1024];
    bool is_host = key && strcmp(key, "host") == 0;
    snprintf(file, sizeof(file), "[p]\n%s\n%s%s%s\n", is_host ? "" : "host = h", key ? key : "", key ? " = " : "",
             key ? text : "");
    scratch_write_text(fixture->path, file, 0600);
    struct cfs_profile_request request = {
        .config_file = fixture->path, .source = "p", .home = "/home/me", .system_ssh_config = "/nowhere"};
    return cfs_profile_load(&request, ret_profile, error);
}

static void assert_setting(const struct cfs_profile *profile, const char *key, const char *value, const char *place)
{
    struct cfs_profile_setting setting;
    for (size_t i = 0; cfs_profile_setting(profile, i, &setting); i++) {
        bool found = strcmp(setting.key, key) == 0;
        if (found && value)
            assert_string_equal(setting.value, value);
        if (found && place)
            assert_string_equal(setting.place, place);
        free(setting.value);
        if (found)
            return;
    }
    fail_msg("there is no setting %s", key);
}

static void every_option_has_a_row(void **state CFS_UNUSED)
{
    size_t count = 0;
    for (size_t i = 0; i < cfs_option_count; i++) {
        if (cfs_options[i].offset == CFS_OPTION_NO_FIELD)
            continue;
        assert_true(count < CFS_COUNT(rows));
        assert_string_equal(cfs_options[i].key, rows[count].key);
        count++;
    }
    assert_int_equal(count, CFS_COUNT(rows));
}

static void defaults_are_what_the_table_says(void **state)
{
    struct cfs_error error = {0};
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    assert_int_equal(load(*state, NULL, NULL, &profile, &error), 0);
    for (size_t i = 0; i < CFS_COUNT(rows); i++)
        assert_setting(profile, rows[i].key, rows[i].by_default, i == 0 ? NULL : "default");
    assert_int_equal(profile->uid, getuid());
    assert_int_equal(profile->gid, getgid());
    assert_false(profile->uid_set || profile->gid_set || profile->umask_set);
    assert_null(profile->password);
    assert_null(profile->kernel_flags);
    assert_int_equal(profile->connect_timeout_ms, 15000);
    assert_string_equal(profile->name, "p");
    assert_string_equal(profile->source, "p");
}

static void a_valid_value_is_taken_with_its_place(void **state)
{
    const struct fixture *fixture = *state;
    char place[256];
    snprintf(place, sizeof(place), "%s:3", fixture->path);
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        struct cfs_error error = {0};
        struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
        if (load(fixture, rows[i].key, rows[i].text, &profile, &error) < 0)
            fail_msg("%s", error.text);
        assert_setting(profile, rows[i].key, rows[i].value, place);
    }
}

static void a_wrong_value_is_refused_with_its_place_and_the_rule(void **state)
{
    const struct fixture *fixture = *state;
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        if (!row->wrong)
            continue;
        struct cfs_error error = {0};
        struct cfs_profile *profile = NULL;
        assert_int_equal(load(fixture, row->key, row->wrong, &profile, &error), -EINVAL);
        assert_null(profile);
        char sentence[1024];
        snprintf(sentence, sizeof(sentence), "%s:3: %s = %s: %s %s", fixture->path, row->key, row->wrong, row->key,
                 row->reason);
        assert_string_equal(error.text, sentence);
        assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
    }
}

static void an_empty_value_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        struct cfs_error error = {0};
        struct cfs_profile *profile = NULL;
        assert_int_equal(load(fixture, rows[i].key, "", &profile, &error), -EINVAL);
        char sentence[1024];
        snprintf(sentence, sizeof(sentence), "%s:3: %s has no value", fixture->path, rows[i].key);
        assert_string_equal(error.text, sentence);
    }
}

static void secrets_are_kept_whole_and_never_shown(void **state)
{
    struct cfs_error error = {0};
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    assert_int_equal(load(*state, "password", "hunter2 ;x #y", &profile, &error), 0);
    assert_string_equal(profile->password, "hunter2 ;x #y");
    char *text CFS_AUTO_FREE = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    cfs_profile_show(profile, out);
    assert_int_equal(fclose(out), 0);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "(set)"));
}

static void lists_of_paths_are_expanded(void **state)
{
    struct cfs_error error = {0};
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    assert_int_equal(load(*state, "identity_file", "~/.ssh/a   \"/keys of/%r@%h:%p\"", &profile, &error), 0);
    char second[512];
    snprintf(second, sizeof(second), "/keys of/%s@h:22", profile->user);
    assert_string_equal(profile->identity_files[0], "/home/me/.ssh/a");
    assert_string_equal(profile->identity_files[1], second);
    assert_null(profile->identity_files[2]);

    struct cfs_profile *none = NULL;
    assert_int_equal(load(*state, "identity_file", "\"/a", &none, &error), -EINVAL);
    assert_non_null(strstr(error.text, "identity_file must not contain a quote without its end"));
}

static void the_agent_may_be_none_or_the_environment_s(void **state)
{
    struct cfs_error error = {0};
    struct cfs_profile *none CFS_CLEANUP(cfs_profile_free) = NULL;
    assert_int_equal(load(*state, "identity_agent", "none", &none, &error), 0);
    assert_null(none->identity_agent);
    struct cfs_profile *named CFS_CLEANUP(cfs_profile_free) = NULL;
    assert_int_equal(load(*state, "identity_agent", "SSH_AUTH_SOCK", &named, &error), 0);
    assert_string_equal(named->identity_agent, "/run/agent");
    unsetenv("SSH_AUTH_SOCK");
    struct cfs_profile *unset CFS_CLEANUP(cfs_profile_free) = NULL;
    assert_int_equal(load(*state, "identity_agent", "SSH_AUTH_SOCK", &unset, &error), 0);
    assert_null(unset->identity_agent);
}

static char *document(void (*write_docs)(FILE *out))
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    write_docs(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void the_documents_name_every_option_within_the_width(void **state CFS_UNUSED)
{
    char *help CFS_AUTO_FREE = document(cfs_options_write_help);
    char *man CFS_AUTO_FREE = document(cfs_options_write_man);
    for (size_t i = 0; i < cfs_option_count; i++) {
        char line[256];
        snprintf(line, sizeof(line), "\n  %s%s%s\n", cfs_options[i].key, cfs_options[i].placeholder ? "=" : "",
                 cfs_options[i].placeholder ? cfs_options[i].placeholder : "");
        assert_non_null(strstr(help, line));
        snprintf(line, sizeof(line), ".TP\n\\fB%s\\fR = ", cfs_options[i].key);
        assert_non_null(strstr(man, line));
    }
    for (char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) < 80);
    assert_non_null(strstr(man, "Values: a number from 1 to 65535. Default: 22.\n"));
    assert_null(strstr(man, "\n'"));
}

static void the_nearest_word_is_near(void **state CFS_UNUSED)
{
    struct cfs_nearest nearest = {.word = "identify_file"};
    cfs_nearest_offer_options(&nearest, CFS_OPTION_IN_FILE);
    assert_string_equal(nearest.best, "identity_file");
    struct cfs_nearest far = {.word = "bandwidth"};
    cfs_nearest_offer_options(&far, CFS_OPTION_IN_FILE);
    assert_null(far.best);
}

/* proxy_command = sh -c "... %h" puts them into a shell's text. */
static void no_name_is_a_command(void **state)
{
    static const char *const hosts[] = {"$(id)", "`id`", "a;id", "a&id", "a>b", "a<b", "a|id", "a'b", "${x}"};
    static const char *const users[] = {"$(id)", "`id`", "a;id", "a&id", "a>b", "a<b", "a|id", "a'b", "{a,b}", "a\\"};
    for (size_t i = 0; i < CFS_COUNT(hosts); i++)
        assert_non_null(cfs_check_host(hosts[i]));
    for (size_t i = 0; i < CFS_COUNT(users); i++)
        assert_non_null(cfs_check_user(users[i]));
    assert_null(cfs_check_user("CORP\\alice"));
    assert_null(cfs_check_user("node7$"));
    assert_null(cfs_check_user("alice+dev@corp.example"));
    assert_null(cfs_check_host("fe80::1%eth0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_a_row),
        cmocka_unit_test_setup_teardown(defaults_are_what_the_table_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_valid_value_is_taken_with_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_value_is_refused_with_its_place_and_the_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_value_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_kept_whole_and_never_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_of_paths_are_expanded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_agent_may_be_none_or_the_environment_s, set_up, tear_down),
        cmocka_unit_test(no_name_is_a_command),
        cmocka_unit_test(the_documents_name_every_option_within_the_width),
        cmocka_unit_test(the_nearest_word_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

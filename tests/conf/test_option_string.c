/* The parser of -o. */
#include "conf/option_string.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    char text[1024];
};

static int on_value(void *context, const struct cfs_option *option, const char *text,
                    struct cfs_error *error CFS_UNUSED)
{
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof(seen->text) - length, "%s=<%s> ", option->key, text);
    return 0;
}

static int on_kernel_flag(void *context, const char *flag, struct cfs_error *error CFS_UNUSED)
{
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof(seen->text) - length, "%s ", flag);
    return 0;
}

static const struct cfs_option_string_events events = {.value = on_value, .kernel_flag = on_kernel_flag};

static void assert_parses(const char *options, const char *expected)
{
    struct seen seen = {0};
    struct cfs_error error = {0};
    assert_int_equal(cfs_option_string_parse(options, &events, &seen, &error), 0);
    assert_string_equal(seen.text, expected);
}

static void assert_refused(const char *options, const char *sentence)
{
    struct seen seen = {0};
    struct cfs_error error = {0};
    assert_int_equal(cfs_option_string_parse(options, &events, &seen, &error), -EINVAL);
    assert_string_equal(error.text, sentence);
    assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
}

static void options_have_values_or_are_yes(void **state CFS_UNUSED)
{
    assert_parses(NULL, "");
    assert_parses("", "");
    assert_parses("port=22,allow_other,user=uprod_qpWia,umask=",
                  "port=<22> allow_other=<yes> user=<uprod_qpWia> umask=<> ");
    assert_parses(",,ro,", "ro=<yes> ");
    assert_parses("allow_other=no,log_file=/a=b", "allow_other=<no> log_file=</a=b> ");
}

static void a_backslash_quotes_as_in_fuse(void **state CFS_UNUSED)
{
    assert_parses("ciphers=a\\,b,port=1", "ciphers=<a,b> port=<1> ");
    assert_parses("log_file=/a\\\\b\\054c\\", "log_file=</a\\b,c\\> ");
}

static void words_of_mount_are_split_off(void **state CFS_UNUSED)
{
    assert_parses("defaults,noauto,user,users,owner,group,_netdev,nofail,x-systemd.automount,x-gvfs-show,comment=a b,"
                  "relatime,strictatime,X-mount.mkdir,nouser,lazytime",
                  "");
    assert_parses("rw,suid,dev,exec", "ro=<no> nosuid=<no> nodev=<no> noexec=<no> ");
    assert_parses("ro,nosuid,nodev,noexec", "ro=<yes> nosuid=<yes> nodev=<yes> noexec=<yes> ");
    assert_parses("noatime,sync,dirsync,async", "noatime sync dirsync async ");
}

static void a_bare_user_is_mount_s_and_a_named_one_ours(void **state CFS_UNUSED)
{
    assert_parses("user,user=alice", "user=<alice> ");
}

static void what_is_unknown_is_refused_with_the_nearest(void **state CFS_UNUSED)
{
    assert_refused("prot=3", "-o: there is no option prot; did you mean port?");
    assert_refused("ro,no-atime", "-o: there is no option no-atime; did you mean noatime?");
    assert_refused("bandwidth=3", "-o: there is no option bandwidth");
    assert_refused("defaults=1", "-o: defaults takes no value");
}

static void what_needs_a_value_says_so(void **state CFS_UNUSED)
{
    assert_refused("port", "-o: port needs a value: port=N");
}

static void what_is_for_files_only_is_refused(void **state CFS_UNUSED)
{
    assert_refused("password=hunter2",
                   "-o: password is a secret, and every user of this machine can see command lines; put it into a "
                   "configuration file with mode 0600");
    assert_refused("host=a", "-o: host can be set in a configuration file only (SOURCE gives it on the command line)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_values_or_are_yes),
        cmocka_unit_test(a_backslash_quotes_as_in_fuse),
        cmocka_unit_test(words_of_mount_are_split_off),
        cmocka_unit_test(a_bare_user_is_mount_s_and_a_named_one_ours),
        cmocka_unit_test(what_is_unknown_is_refused_with_the_nearest),
        cmocka_unit_test(what_needs_a_value_says_so),
        cmocka_unit_test(what_is_for_files_only_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

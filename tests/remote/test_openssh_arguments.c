/* What ssh(1) is called with: everything that a profile sets and nothing else, no word that it could take for another
 * one, and nothing that shares a connection with others. */
#include "remote/openssh_arguments.h"

#include "conf/words.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BEFORE                                                                                                         \
    "ssh -T -x -a -o ClearAllForwardings=yes -o RemoteCommand=none -o PermitLocalCommand=no -o ControlPersist=no "

static char *folder;

static int make_folder(void **state)
{
    folder = scratch_make();
    return 0;
}

static int remove_folder(void **state)
{
    scratch_remove(folder);
    return 0;
}

/* LINES: of the profile "p". */
static struct cfs_profile *load(const char *lines, const char *source)
{
    char *path CFS_AUTO_FREE = scratch_path(folder, "clusterfs.conf");
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "[p]\ntransport = openssh\n%s", lines);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    const struct cfs_profile_request request = {.config_file = path,
                                                .source = source,
                                                .home = "/home/alice",
                                                .options = strcmp(source, "p") ? "transport=openssh" : NULL};
    if (cfs_profile_load(&request, &profile, &error) < 0)
        fail_msg("%s", error.text);
    return profile;
}

static void expect(const char *lines, struct cfs_openssh_call call, const char *expected)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(lines, "p");
    struct cfs_error error = {0};
    cfs_words words CFS_CLEANUP(cfs_words_free) = NULL;
    if (cfs_openssh_check(profile, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(cfs_openssh_arguments(profile, &call, &words), 0);
    char *text CFS_AUTO_FREE = cfs_words_join(words);
    assert_string_equal(text, expected);
}

static const struct cfs_openssh_call alone = {.role = CFS_OPENSSH_ALONE, .can_ask = true, .has_person = true};

static void what_is_not_set_is_left_to_ssh_config(void **state)
{
    expect("host = gpu\n", alone,
           BEFORE "-o ControlMaster=no -o ControlPath=none -o LogLevel=DEBUG1 -o ConnectTimeout=15 -s -- gpu sftp");
}

static void what_is_set_becomes_options(void **state)
{
    expect("host = ::1\nport = 22\nuser = bob@corp\nidentity_file = /k/one \"/k/a %%20 b\"\nknown_hosts = ~/kh /kh2\n"
           "host_key_policy = strict\nhost_key_alias = login\nidentity_agent = none\nidentities_only = yes\n"
           "compression = yes\nciphers = aes128-ctr\naddress_family = inet6\nbind_address = ::2\n"
           "certificate_file = /k/one-cert.pub\nconnect_timeout = 2500ms\n",
           alone,
           BEFORE "-o ControlMaster=no -o ControlPath=none -o LogLevel=DEBUG1 -o ConnectTimeout=3 -p 22 -l bob@corp "
                  "-o AddressFamily=inet6 -o BindAddress=::2 -o Compression=yes -o Ciphers=aes128-ctr "
                  "-o IdentityFile=\"/k/one\" -o \"IdentityFile=\"/k/a %%20 b\"\" "
                  "-o CertificateFile=\"/k/one-cert.pub\" -o IdentityAgent=none -o IdentitiesOnly=yes "
                  "-o \"UserKnownHostsFile=\"/home/alice/kh\" \"/kh2\"\" -o HostKeyAlias=login "
                  "-o StrictHostKeyChecking=yes -s -- ::1 sftp");
    expect("host = gpu\nidentity_file = none\nidentity_agent = /run/a\n", alone,
           BEFORE "-o ControlMaster=no -o ControlPath=none -o LogLevel=DEBUG1 -o ConnectTimeout=15 "
                  "-o IdentityFile=none -o IdentityAgent=\"/run/a\" -s -- gpu sftp");
}

static void a_master_shares_its_login_and_a_lane_never_logs_in(void **state)
{
    const struct cfs_openssh_call master = {.role = CFS_OPENSSH_MASTER, .control_path = "/run/u/ssh-1"};
    const struct cfs_openssh_call lane = {.role = CFS_OPENSSH_LANE, .control_path = "/run/u/ssh-1"};
    expect("host = gpu\nport = 2222\n", master,
           BEFORE
           "-o ControlMaster=yes -o ControlPath=\"/run/u/ssh-1\" -o LogLevel=DEBUG1 -o ConnectTimeout=15 -p 2222 "
           "-o BatchMode=yes -s -- gpu sftp");
    expect("host = gpu\nport = 2222\nidentity_file = /k\n", lane,
           BEFORE "-o ControlMaster=no -o ControlPath=\"/run/u/ssh-1\" -o ProxyCommand=false "
                  "-o PreferredAuthentications=none -o BatchMode=yes -s -- gpu sftp");
}

/* A reconnect does not accept a new host key, and does not wait long for one attempt. */
static void a_server_met_again_must_be_known(void **state)
{
    struct cfs_openssh_call again = alone;
    again.is_again = true;
    expect("host = gpu\nhost_key_policy = accept-new\n", again,
           BEFORE "-o ControlMaster=no -o ControlPath=none -o LogLevel=DEBUG1 -o ConnectTimeout=7 "
                  "-o StrictHostKeyChecking=yes -s -- gpu sftp");
}

static void the_program_and_its_arguments_come_first(void **state)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) =
        load("host = gpu\nssh_command = /opt/ssh -F \"/a b\" -oX=$(touch x);y\nssh_config = /etc/other\n", "p");
    cfs_words words CFS_CLEANUP(cfs_words_free) = NULL;
    assert_int_equal(cfs_openssh_arguments(profile, &alone, &words), 0);
    static const char *const first[] = {"/opt/ssh", "-F", "/a b", "-oX=$(touch", "x);y", "-F", "/etc/other", "-T"};
    for (size_t i = 0; i < CFS_COUNT(first); i++)
        assert_string_equal(words[i], first[i]);
}

static void refused(const char *lines, const char *source, const char *what)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(lines, source);
    struct cfs_error error = {0};
    assert_int_equal(cfs_openssh_check(profile, &error), -EINVAL);
    assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
    if (!strstr(error.text, what))
        fail_msg("%s: not in: %s", what, error.text);
}

static void what_a_shell_or_ssh_could_misread_is_refused(void **state)
{
    static const char *const hosts[] = {"~x", "a=b"}; /* others are no names at all: conf/check.h */
    for (size_t i = 0; i < CFS_COUNT(hosts); i++) {
        char source[64];
        snprintf(source, sizeof(source), "%s:", hosts[i]);
        refused("", source, "host = ");
    }
    static const char *const users[] = {"$HOME", "a\\b"};
    for (size_t i = 0; i < CFS_COUNT(users); i++) {
        char line[64];
        snprintf(line, sizeof(line), "host = gpu\nuser = %s\n", users[i]);
        refused(line, "p", "user = ");
    }
    refused("host = gpu\nhost_key_alias = a=b\n", "p", "host_key_alias = ");
    refused("host = gpu\nidentity_file = /a\\b\n", "p", "identity_file = ");
    refused("host = gpu\nidentity_file = /a${HOME}\n", "p", "identity_file = ");
    refused("host = gpu\nknown_hosts = /a /b\\\n", "p", "known_hosts = ");
    refused("host = gpu\nhost_key_fingerprint = SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "p",
            "host_key_fingerprint = ");
}

static void a_way_of_ours_is_refused(void **state)
{
    refused("host = gpu\nproxy_jump = gate\n", "p", "proxy_jump = gate cannot be used with transport = openssh");
    refused("host = gpu\nproxy_command = nc %h %p\n", "p", "proxy_command = ");
    refused("host = gpu\nproxy = socks5://gate\n", "p", "proxy = ");
}

static void a_connection_that_others_share_is_refused(void **state)
{
    static const char *const commands[] = {"ssh -S /x", "ssh -M", "ssh -o ControlPath=/x", "ssh -ocontrolmaster=auto",
                                           "ssh -o \"controlpersist yes\""};
    for (size_t i = 0; i < CFS_COUNT(commands); i++) {
        char lines[128];
        snprintf(lines, sizeof(lines), "host = gpu\nssh_command = %s\n", commands[i]);
        refused(lines, "p", "cannot be shared");
    }
}

static void an_ssh_that_does_not_say_how_far_it_is_is_refused(void **state)
{
    static const char *const commands[] = {"ssh -q",
                                           "/usr/bin/ssh -4q",
                                           "ssh -y",
                                           "ssh -E /log",
                                           "ssh -TE/log",
                                           "ssh -f",
                                           "ssh -o LogLevel=ERROR",
                                           "ssh -ologlevel=quiet"};
    static const char *const others[] = {"ssh -i q -4 -oUser=fay", "ssh -F/etc/qyf", "ssh -Jqueen", "wrapper -q",
                                         "wrapper --quiet"};
    char lines[128];
    for (size_t i = 0; i < CFS_COUNT(commands); i++) {
        snprintf(lines, sizeof(lines), "host = gpu\nssh_command = %s\n", commands[i]);
        refused(lines, "p", "must come to clusterfs");
    }
    for (size_t i = 0; i < CFS_COUNT(others); i++) {
        snprintf(lines, sizeof(lines), "host = gpu\nssh_command = %s\n", others[i]);
        struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = load(lines, "p");
        struct cfs_error error = {0};
        if (cfs_openssh_check(profile, &error) < 0)
            fail_msg("%s", error.text);
    }
}

/* A wrong password of the profile is sent once; who types may mistype. */
static void without_a_person_there_is_one_attempt(void **state)
{
    const struct cfs_openssh_call by_itself = {.role = CFS_OPENSSH_ALONE, .can_ask = true};
    const struct cfs_openssh_call nobody = {.role = CFS_OPENSSH_ALONE};
    expect("host = gpu\n", alone,
           BEFORE "-o ControlMaster=no -o ControlPath=none -o LogLevel=DEBUG1 -o ConnectTimeout=15 -s -- gpu sftp");
    expect("host = gpu\n", by_itself,
           BEFORE "-o ControlMaster=no -o ControlPath=none -o LogLevel=DEBUG1 -o ConnectTimeout=15 "
                  "-o NumberOfPasswordPrompts=1 -s -- gpu sftp");
    expect("host = gpu\n", nobody,
           BEFORE "-o ControlMaster=no -o ControlPath=none -o LogLevel=DEBUG1 -o ConnectTimeout=15 "
                  "-o BatchMode=yes -s -- gpu sftp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_set_is_left_to_ssh_config),
        cmocka_unit_test(what_is_set_becomes_options),
        cmocka_unit_test(a_master_shares_its_login_and_a_lane_never_logs_in),
        cmocka_unit_test(a_server_met_again_must_be_known),
        cmocka_unit_test(the_program_and_its_arguments_come_first),
        cmocka_unit_test(what_a_shell_or_ssh_could_misread_is_refused),
        cmocka_unit_test(a_way_of_ours_is_refused),
        cmocka_unit_test(a_connection_that_others_share_is_refused),
        cmocka_unit_test(an_ssh_that_does_not_say_how_far_it_is_is_refused),
        cmocka_unit_test(without_a_person_there_is_one_attempt),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

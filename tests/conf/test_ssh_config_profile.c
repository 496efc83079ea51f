/* ssh_config in a profile: what wins, what becomes of each keyword, what is refused, which files are read and trusted.
 */
#include "base/log.h"
#include "base/text.h"
#include "conf/profile.h"
#include "conf/ssh_config_match.h"
#include "lib/scratch.h"
#include "lib/test.h"

#include <sys/stat.h>

struct fixture {
    char *home, *ssh, *file, *system_file, *profiles, *log;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.home = scratch_make();
    fixture.ssh = scratch_path(fixture.home, ".ssh");
    fixture.file = scratch_path(fixture.ssh, "config");
    fixture.system_file = scratch_path(fixture.home, "system");
    fixture.profiles = scratch_path(fixture.home, "profiles");
    fixture.log = scratch_path(fixture.home, "log");
    assert_int_equal(mkdir(fixture.ssh, 0700), 0);
    assert_int_equal(cfs_log_to_file(fixture.log), 0);
    scratch_write_text(fixture.profiles, "", 0600);
    setenv("SSH_AUTH_SOCK", "/run/agent", 1);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    cfs_log_to_stderr();
    char *const paths[] = {fixture->ssh, fixture->file, fixture->system_file, fixture->profiles, fixture->log};
    for (size_t i = 0; i < CFS_COUNT(paths); i++)
        free(paths[i]);
    scratch_remove(fixture->home);
    return 0;
}

static int load(const struct fixture *fixture, const char *source, const char *options,
                struct cfs_profile **ret_profile, struct cfs_error *error)
{
    struct cfs_profile_request request = {
        .config_file = fixture->profiles,
        .source = source,
        .options = options,
        .home = fixture->home,
        .system_ssh_config = fixture->system_file,
    };
    return cfs_profile_load(&request, ret_profile, error);
}

static struct cfs_profile *must_load(const struct fixture *fixture, const char *source, const char *options)
{
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    if (load(fixture, source, options, &profile, &error) < 0)
        fail_msg("%s", error.text);
    return profile;
}

/* Every ~ in TEXT is the home folder. */
static char *with_home(const struct fixture *fixture, const char *text)
{
    char *whole = strdup("");
    for (; *text; text++) {
        char *longer =
            *text == '~' ? cfs_text_format("%s%s", whole, fixture->home) : cfs_text_format("%s%c", whole, *text);
        free(whole);
        whole = longer;
    }
    return whole;
}

static void assert_setting(const struct fixture *fixture, const struct cfs_profile *profile, const char *key,
                           const char *value, const char *place)
{
    struct cfs_profile_setting setting;
    char *wanted CFS_AUTO_FREE = with_home(fixture, value), *where CFS_AUTO_FREE = with_home(fixture, place);
    bool found = false;
    for (size_t i = 0; cfs_profile_setting(profile, i, &setting); i++) {
        if (strcmp(setting.key, key) == 0) {
            found = true;
            assert_string_equal(setting.value, wanted);
            assert_string_equal(setting.place, where);
        }
        free(setting.value);
    }
    assert_true(found);
}

static void assert_refused(const struct fixture *fixture, const char *source, int result, const char *sentence)
{
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    char *wanted CFS_AUTO_FREE = with_home(fixture, sentence);
    assert_int_equal(load(fixture, source, NULL, &profile, &error), result);
    assert_null(profile);
    if (strncmp(error.text, wanted, strlen(wanted)) != 0)
        fail_msg("\"%s\" instead of \"%s\"", error.text, wanted);
    assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
}

static void assert_logged(const struct fixture *fixture, const char *text, bool expected)
{
    size_t length = 0;
    char *log CFS_AUTO_FREE = scratch_read(fixture->log, &length);
    char *wanted CFS_AUTO_FREE = with_home(fixture, text);
    if (!strstr(log, wanted) == expected)
        fail_msg("the log %s \"%s\": %s", expected ? "has no" : "has", wanted, log);
}

/* ---- tests ---- */

static void each_keyword_has_its_option(void **state)
{
    static const struct {
        const char *line, *key, *value;
    } rows[] = {
        {"HostName Real.Example.ORG", "host", "real.example.org"},
        {"HostName %h.x.org", "host", "gpu.x.org"},
        {"Port 2222", "port", "2222"},
        {"User alice", "user", "alice"},
        {"AddressFamily Inet6", "address_family", "inet6"},
        {"BindAddress 127.0.0.2", "bind_address", "127.0.0.2"},
        {"ConnectTimeout 5", "connect_timeout", "5s"},
        {"ConnectTimeout 1m30s", "connect_timeout", "90s"},
        {"ConnectTimeout 1d", "connect_timeout", "10m"},
        {"IdentityFile ~/k", "identity_file", "~/k"},
        {"IdentityFile \"~/with blank\"", "identity_file", "\"~/with blank\""},
        {"IdentityFile %d/%%%n-%h-%k-%p-%r", "identity_file", "~/%gpu-gpu-gpu-22-me"},
        {"IdentityFile ${CFS_TEST_FOLDER}/k", "identity_file", "/from/environment/k"},
        {"IdentityFile none", "identity_file", "none"},
        {"CertificateFile ~/%n-cert.pub", "certificate_file", "~/gpu-cert.pub"},
        {"IdentitiesOnly yes", "identities_only", "yes"},
        {"IdentityAgent none", "identity_agent", ""},
        {"IdentityAgent SSH_AUTH_SOCK", "identity_agent", "/run/agent"},
        {"IdentityAgent $CFS_TEST_FOLDER", "identity_agent", "/from/environment"},
        {"IdentityAgent $CFS_TEST_UNSET", "identity_agent", ""},
        {"IdentityAgent ~/agent-%r", "identity_agent", "~/agent-me"},
        {"HostKeyAlias alias", "host_key_alias", "alias"},
        {"StrictHostKeyChecking yes", "host_key_policy", "strict"},
        {"StrictHostKeyChecking ask", "host_key_policy", "ask"},
        {"StrictHostKeyChecking accept-new", "host_key_policy", "accept-new"},
        {"StrictHostKeyChecking No", "host_key_policy", "accept-new"},
        {"UserKnownHostsFile ~/a /b", "known_hosts", "~/a /b /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
        {"UserKnownHostsFile none", "known_hosts", "/dev/null /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
        {"GlobalKnownHostsFile none", "known_hosts", "~/.ssh/known_hosts ~/.ssh/known_hosts2"},
        {"GlobalKnownHostsFile /g%h", "known_hosts", "~/.ssh/known_hosts ~/.ssh/known_hosts2 /g%h"},
    };
    const struct fixture *fixture = *state;
    setenv("CFS_TEST_FOLDER", "/from/environment", 1);
    unsetenv("CFS_TEST_UNSET");
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        bool is_user = strncmp(rows[i].line, "User ", 5) == 0;
        char *text CFS_AUTO_FREE = cfs_text_format("# x\nHost gpu\n%s\n", rows[i].line);
        scratch_write_text(fixture->file, text, 0600);
        struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) =
            must_load(fixture, is_user ? "gpu:" : "me@gpu:", NULL);
        assert_setting(fixture, profile, rows[i].key, rows[i].value, "~/.ssh/config:3");
    }
}

static void lists_have_the_places_of_all_their_lines(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->file, "IdentityFile ~/a\nHost gpu\nIdentityFile ~/b\n", 0600);
    scratch_write_text(fixture->system_file, "IdentityFile /c\n", 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
    assert_setting(fixture, profile, "identity_file", "~/a ~/b /c", "~/.ssh/config:1, ~/.ssh/config:3, ~/system:1");
}

static void what_is_said_here_wins(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->file, "Host gpu\nHostName h\nPort 7\nUser carl\nIdentityFile /k\nHostKeyAlias a\n",
                       0600);
    scratch_write_text(fixture->system_file, "Port 9\nConnectTimeout 3\n", 0600);
    scratch_write_text(fixture->profiles, "[defaults]\nidentity_file = /mine\n[p]\nhost = gpu\nport = 8\n", 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "p", "host_key_alias=b");
    assert_setting(fixture, profile, "host", "h", "~/.ssh/config:2");
    assert_setting(fixture, profile, "port", "8", "~/profiles:5");
    assert_setting(fixture, profile, "user", "carl", "~/.ssh/config:4");
    assert_setting(fixture, profile, "identity_file", "/mine", "~/profiles:2");
    assert_setting(fixture, profile, "host_key_alias", "b", "command line");
    assert_setting(fixture, profile, "connect_timeout", "3s", "~/system:2");
    assert_string_equal(profile->name, "p");
    struct cfs_profile *given CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "bob@gpu:/x", NULL);
    assert_setting(fixture, given, "user", "bob", "source");
    assert_setting(fixture, given, "port", "7", "~/.ssh/config:3");
    assert_string_equal(given->remote_dir, "/x");
    assert_string_equal(given->name, "bob@h");
}

static void a_user_that_is_given_is_the_one_that_blocks_see(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->file, "User carl\nMatch user bob\nPort 7\nMatch user carl\nPort 8\n", 0600);
    struct cfs_profile *bob CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "bob@gpu:", NULL);
    assert_int_equal(bob->port, 7);
    struct cfs_profile *carl CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
    assert_int_equal(carl->port, 8);
}

static void it_can_be_another_file_or_none(void **state)
{
    const struct fixture *fixture = *state;
    char *other CFS_AUTO_FREE = scratch_path(fixture->home, "other");
    scratch_write_text(fixture->file, "Port 7\n", 0600);
    scratch_write_text(fixture->system_file, "User sys\n", 0600);
    scratch_write_text(other, "HostName o\n", 0600);
    struct cfs_profile *none CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", "ssh_config=no");
    assert_setting(fixture, none, "ssh_config", "no", "command line");
    assert_setting(fixture, none, "port", "22", "default");
    struct cfs_profile *named CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", "ssh_config=~/other");
    assert_setting(fixture, named, "host", "o", "~/other:1");
    assert_setting(fixture, named, "port", "22", "default");
    scratch_write_text(fixture->profiles, "[p]\nhost = gpu\nssh_config = ~/nothing\n", 0600);
    assert_refused(fixture, "p", -ENOENT, "~/nothing: cannot be read: No such file or directory");
    struct cfs_profile *missing CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "p", "ssh_config=yes");
    assert_int_equal(missing->port, 7);
}

static void what_would_be_another_host_or_a_danger_is_refused(void **state)
{
    static const struct {
        const char *line, *sentence;
    } rows[] = {
        {"ProxyJump gate:x", "~/.ssh/config:2: proxy_jump = gate:x: proxy_jump must be [USER@]HOST[:PORT], several"},
        {"ProxyJump a%u",
         "~/.ssh/config:2: ProxyJump a%u: there may be no % in it other than in %h, %n, %p, %r and %%"},
        {"ProxyCommand nc %h %d", "~/.ssh/config:2: ProxyCommand nc %h %d: there may be no % in it other than in"},
        {"ProxyCommand nc $HOME %h", "~/.ssh/config:2: ProxyCommand nc $HOME %h: it needs a shell"},
        {"ProxyCommand nc %h 2>/dev/null", "~/.ssh/config:2: ProxyCommand nc %h 2>/dev/null: it needs a shell"},
        {"ProxyCommand A=b nc %h", "~/.ssh/config:2: ProxyCommand A=b nc %h: it needs a shell"},
        {"ProxyCommand nc a\"b c\" %h", "~/.ssh/config:2: ProxyCommand nc a\"b c\" %h: it needs a shell"},
        {"ProxyUseFdpass yes", "~/.ssh/config:2: ProxyUseFdpass yes: clusterfs takes no descriptors from a command"},
        {"RevokedHostKeys /etc/r", "~/.ssh/config:2: RevokedHostKeys /etc/r: clusterfs does not read lists of revoked"},
        {"PreferredAuthentications gssapi-with-mic,hostbased",
         "~/.ssh/config:2: PreferredAuthentications gssapi-with-mic,hostbased: clusterfs logs in with publickey, "},
        {"HostName -oProxyCommand=x", "~/.ssh/config:2: host = -oproxycommand=x: host must be a host's name"},
        {"HostName %p", "~/.ssh/config:2: HostName %p: there may be no % in it other"},
        {"HostName x%", "~/.ssh/config:2: HostName x%: there may be no % in it other"},
        {"User -l", "~/.ssh/config:2: user = -l: user must be a login name"},
        {"Port 99999", "~/.ssh/config:2: port = 99999: port must be a number from 1 to 65535"},
        {"Port ssh", "~/.ssh/config:2: port = ssh: port must be a number"},
        {"ConnectTimeout soon", "~/.ssh/config:2: connect_timeout = soon: connect_timeout must be a time"},
        {"StrictHostKeyChecking perhaps", "~/.ssh/config:2: host_key_policy = perhaps: host_key_policy must be"},
        {"IdentityFile /k-%C", "~/.ssh/config:2: IdentityFile /k-%C: IdentityFile must not contain % other than"},
        {"IdentityFile /k-${CFS_TEST_UNSET}",
         "~/.ssh/config:2: IdentityFile /k-${CFS_TEST_UNSET}: IdentityFile must not use a variable"},
        {"IdentityFile /k-${", "~/.ssh/config:2: IdentityFile /k-${: IdentityFile must have a name"},
        {"IdentityFile /k%", "~/.ssh/config:2: IdentityFile /k%: IdentityFile must not contain %"},
        {"Port 1 2", "~/.ssh/config:2: port: there is more than one value"},
        {"User 'bob", "~/.ssh/config:2: there is a quote without its end"},
        {"Port", "~/.ssh/config:2: there is no value behind the keyword"},
        {"Match colour red", "~/.ssh/config:2: match: there is no such condition; there are host,"},
        {"Match host", "~/.ssh/config:2: match: a condition lacks its value"},
    };
    const struct fixture *fixture = *state;
    unsetenv("CFS_TEST_UNSET");
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        char *text CFS_AUTO_FREE = cfs_text_format("Host gpu\n%s\n", rows[i].line);
        scratch_write_text(fixture->file, text, 0600);
        assert_refused(fixture, "gpu:", -EINVAL, rows[i].sentence);
    }
    scratch_write_text(fixture->file, "Host gpu\nProxyJump gpu\n", 0600);
    assert_refused(fixture, "gpu:", -ELOOP,
                   "proxy_jump = gpu: the way leads through more than 8 hosts, or in a circle");
    char nul[] = "Host gpu\nPort 7\0 8\n";
    scratch_write(fixture->file, nul, sizeof(nul) - 1, 0600);
    assert_refused(fixture, "gpu:", -EINVAL, "~/.ssh/config:2: there is a NUL byte in this line");
}

static void the_way_is_taken(void **state)
{
    static const struct {
        const char *lines, *options, *jump, *command;
    } rows[] = {
        {"ProxyJump gate", NULL, "gate", NULL},
        {"ProxyJump me@gate:2222, ssh://you@[fd00::1]:22/,%n.gate", NULL, "me@gate:2222,you@[fd00::1]:22,gpu.gate",
         NULL},
        {"ProxyJump none", NULL, NULL, NULL},
        {"ProxyJump gate", "proxy_jump=none", "none", NULL},
        {"ProxyJump gate", "proxy_jump=other", "other", NULL},
        {"ProxyJump gate", "proxy_command=nc %h", NULL, "nc %h"},
        {"ProxyJump gate", "proxy=socks5://x", "gate", NULL},
        {"ProxyJump gate\nProxyCommand nc %h %p", NULL, "gate", NULL},
        {"ProxyJump none\nProxyCommand nc %h %p", NULL, NULL, "nc %h %p"},
        {"ProxyCommand exec ssh -W \"%h:%p\" %r@gate.%n", NULL, NULL, "ssh -W \"%h:%p\" %r@gate.gpu"},
        {"ProxyCommand /bin/a-b_c/nc,x -X5 -x p:1 %h 100%%", NULL, NULL, "/bin/a-b_c/nc,x -X5 -x p:1 %h 100%%"},
        {"ProxyCommand nc %h", "proxy=socks5://x", NULL, NULL},
        {"ProxyCommand nc %h", "proxy_jump=other", "other", NULL},
        {"ProxyCommand nc %h\nProxyUseFdpass no", NULL, NULL, "nc %h"},
    };
    const struct fixture *fixture = *state;
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        char *text CFS_AUTO_FREE = cfs_text_format("Host gpu\n%s\nHost gate\nPort 99\nUser porter\n", rows[i].lines);
        scratch_write_text(fixture->file, text, 0600);
        struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", rows[i].options);
        assert_string_equal(profile->proxy_jump ? profile->proxy_jump : "", rows[i].jump ? rows[i].jump : "");
        assert_string_equal(profile->proxy_command ? profile->proxy_command : "",
                            rows[i].command ? rows[i].command : "");
        if (rows[i].jump && strcmp(rows[i].jump, "gate") == 0) {
            assert_int_equal(profile->hop->port, 99);
            assert_string_equal(profile->hop->user, "porter");
        }
    }
}

/* HostName takes the place of what was written, which could else become words of a command unseen. */
static void a_shortcut_is_a_host_s_name(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->file, "Host *\nHostName gate\nProxyCommand nc %n\n", 0600);
    scratch_write_text(fixture->profiles, "[q]\nhost = gpu -X\n", 0600);
    struct cfs_profile *profile = NULL;
    struct cfs_error error = {0};
    assert_int_equal(load(fixture, "q", NULL, &profile, &error), -EINVAL);
    assert_non_null(strstr(error.text, ":2: host = gpu -X: host must be a host's name"));
}

/* As with ssh -J first,second: what ssh_config says of the way to the second does not count. */
static void a_hop_has_its_own_lines(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->file,
                       "Host gpu\nProxyJump first,second\nHost second\nProxyJump third\nPort 2\n"
                       "Host first\nProxyJump zeroth\nHostName one.example\n",
                       0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
    assert_string_equal(profile->hop->host, "second");
    assert_int_equal(profile->hop->port, 2);
    assert_string_equal(profile->hop->hop->host, "one.example");
    assert_string_equal(profile->hop->hop->hop->host, "zeroth");
    assert_null(profile->hop->hop->hop->hop);
}

/* With transport = openssh ssh reads the file itself; but nobody else connects to a hop than we. */
static void a_hop_has_its_lines_whatever_its_transport(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->file, "Host gate\nHostName gate.example\nUser porter\n", 0600);
    scratch_write_text(fixture->profiles,
                       "[defaults]\ntransport = openssh\n[p]\nhost = gpu\ntransport = libssh2\nproxy_jump = gate\n",
                       0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "p", NULL);
    assert_string_equal(profile->hop->host, "gate.example");
    assert_string_equal(profile->hop->user, "porter");
}

static void what_is_passed_over_is_told(void **state)
{
    static const char *const told[] = {"BindInterface eth0", "CanonicalizeHostname yes", "KnownHostsCommand /bin/x %H",
                                       "PKCS11Provider /lib/x.so", "PubkeyAuthentication no"};
    static const char *const silent[] = {"Compression yes",
                                         "ServerAliveInterval 5",
                                         "CanonicalizeHostname no",
                                         "ProxyJump none",
                                         "GSSAPIAuthentication yes",
                                         "NoSuchKeyword x y z",
                                         "PreferredAuthentications hostbased,publickey",
                                         "PubkeyAuthentication yes"};
    const struct fixture *fixture = *state;
    for (size_t i = 0; i < CFS_COUNT(told); i++) {
        scratch_write_text(fixture->file, told[i], 0600);
        struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
        char *line CFS_AUTO_FREE = cfs_text_format("~/.ssh/config:1: %s: passed over", told[i]);
        assert_logged(fixture, line, true);
    }
    scratch_write_text(fixture->file, "", 0600);
    scratch_write_text(fixture->log, "", 0600);
    for (size_t i = 0; i < CFS_COUNT(silent); i++) {
        scratch_write_text(fixture->file, silent[i], 0600);
        struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
        assert_logged(fixture, "config", false);
    }
}

static void commands_are_never_run(void **state)
{
    const struct fixture *fixture = *state;
    char *mark CFS_AUTO_FREE = scratch_path(fixture->home, "mark");
    char *text CFS_AUTO_FREE = cfs_text_format("Match exec \"touch %s\"\nPort 7\nMatch host other exec \"touch %s\"\n"
                                               "Port 8\nMatch !exec \"touch %s\"\nPort 9\nMatch final\nUser x\n"
                                               "LocalCommand touch %s\nPermitLocalCommand yes\n",
                                               mark, mark, mark, mark);
    scratch_write_text(fixture->file, text, 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
    assert_int_equal(profile->port, 22);
    assert_int_equal(access(mark, F_OK), -1);
    assert_logged(fixture, "~/.ssh/config:1: Match exec: clusterfs runs no commands out of ssh_config", true);
    assert_logged(fixture, "~/.ssh/config:3: Match exec", false);
    assert_logged(fixture, "~/.ssh/config:5: Match exec", true);
}

static void includes_are_below_their_folder(void **state)
{
    const struct fixture *fixture = *state;
    char *folder CFS_AUTO_FREE = scratch_path(fixture->ssh, "conf.d");
    char *one CFS_AUTO_FREE = scratch_path(folder, "1"), *two CFS_AUTO_FREE = scratch_path(folder, "2");
    char *dangling CFS_AUTO_FREE = scratch_path(folder, "3");
    assert_int_equal(mkdir(folder, 0700), 0);
    scratch_write_text(one, "Host other\nPort 1\nHost gpu\nUser u\n", 0600);
    scratch_write_text(two, "Port 2\nUser v\n", 0600);
    assert_int_equal(symlink("/nowhere/at/all", dangling), 0);
    scratch_write_text(fixture->file, "Include conf.d/* nothing/* ~/.ssh/conf.d/2\nConnectTimeout 3\nPort 9\n", 0600);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
    assert_setting(fixture, profile, "port", "2", "~/.ssh/conf.d/2:1");
    assert_setting(fixture, profile, "user", "u", "~/.ssh/conf.d/1:4");
    assert_setting(fixture, profile, "connect_timeout", "3s", "~/.ssh/config:2");
    scratch_write_text(fixture->file, "", 0600);
    scratch_write_text(fixture->system_file, "Include ~/.ssh/conf.d/2\n", 0600);
    assert_refused(fixture, "gpu:", -EINVAL, "~/system:1: Include ");
}

static void includes_are_bounded(void **state)
{
    const struct fixture *fixture = *state;
    scratch_write_text(fixture->file, "Include config\n", 0600);
    assert_refused(fixture, "gpu:", -ELOOP, "~/.ssh/config:1: files include one another more than 16 deep");
    char *empty CFS_AUTO_FREE = scratch_path(fixture->ssh, "empty");
    scratch_write_text(empty, "", 0600);
    char *text = strdup("");
    for (unsigned i = 0; i < 600; i++) {
        char *longer = cfs_text_format("%sInclude empty\n", text);
        free(text);
        text = longer;
    }
    scratch_write_text(fixture->file, text, 0600);
    free(text);
    assert_refused(fixture, "gpu:", -ELOOP, "~/.ssh/empty: too many files of ssh_config are included");
    char *large = calloc(1, 1100000);
    assert_non_null(large);
    memset(large, '\n', 1100000);
    scratch_write(fixture->file, large, 1100000, 0600);
    free(large);
    assert_refused(fixture, "gpu:", -EFBIG, "~/.ssh/config: the file is larger than 1 MiB");
}

static void files_are_trusted_as_ssh_trusts_them(void **state)
{
    const struct fixture *fixture = *state;
    char *included CFS_AUTO_FREE = scratch_path(fixture->ssh, "more");
    scratch_write_text(fixture->system_file, "Port 7\n", 0666); /* ssh does not look */
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", NULL);
    assert_int_equal(profile->port, 7);
    scratch_write_text(included, "Port 8\n", 0620);
    scratch_write_text(fixture->file, "Include more\n", 0600);
    assert_refused(fixture, "gpu:", -EPERM,
                   "~/.ssh/more: the file can be written by others than its owner (mode 0620)");
    scratch_write_text(fixture->file, "Port 8\n", 0602);
    assert_refused(fixture, "gpu:", -EPERM, "~/.ssh/config: the file can be written by others than its owner");
    struct cfs_profile *named CFS_CLEANUP(cfs_profile_free) = must_load(fixture, "gpu:", "ssh_config=~/.ssh/config");
    assert_int_equal(named->port, 8); /* as with ssh -F */
}

static void patterns_are_matched_in_bounded_time(void **state CFS_UNUSED)
{
    static const struct {
        const char *text, *pattern;
        bool matches;
    } rows[] = {
        {"abc", "abc", true}, {"abc", "a*", true},    {"abc", "*c", true},      {"abc", "a?c", true},
        {"abc", "a?", false}, {"abc", "", false},     {"", "", true},           {"", "*", true},
        {"", "?", false},     {"abc", "*b", false},   {"abcabc", "*abc", true}, {"abc", "ABC", false},
        {"a*c", "a*c", true}, {"abc", "**?**", true}, {"ab", "*a?b", false},    {"axbxb", "a*b?b", true},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++)
        assert_int_equal(cfs_ssh_config_match(rows[i].text, rows[i].pattern), rows[i].matches);
    char text[256], pattern[256];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 ? 'a' : '*';
    text[255] = pattern[255] = '\0';
    pattern[254] = 'b';
    assert_false(cfs_ssh_config_match(text, pattern));
    assert_true(cfs_ssh_config_match_host("A.x", "b,a.*"));
    assert_false(cfs_ssh_config_match_host("a.x", "*,!A.*"));
    assert_false(cfs_ssh_config_match_list("A", "a"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_keyword_has_its_option),
        TEST(lists_have_the_places_of_all_their_lines),
        TEST(what_is_said_here_wins),
        TEST(a_user_that_is_given_is_the_one_that_blocks_see),
        TEST(it_can_be_another_file_or_none),
        TEST(what_would_be_another_host_or_a_danger_is_refused),
        TEST(the_way_is_taken),
        TEST(a_shortcut_is_a_host_s_name),
        TEST(a_hop_has_its_own_lines),
        TEST(a_hop_has_its_lines_whatever_its_transport),
        TEST(what_is_passed_over_is_told),
        TEST(commands_are_never_run),
        TEST(includes_are_below_their_folder),
        TEST(includes_are_bounded),
        TEST(files_are_trusted_as_ssh_trusts_them),
        cmocka_unit_test(patterns_are_matched_in_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

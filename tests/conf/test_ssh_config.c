/* ssh_config files, held against the real thing: whatever `ssh -G` says of a host, we say, and what it refuses, we
 * refuse. From a table, and from a seed (CLUSTERFS_TEST_SEED, CLUSTERFS_TEST_ROUNDS). */
#include "base/log.h"
#include "base/text.h"
#include "conf/profile.h"
#include "conf/ssh_config_read.h"
#include "conf/words.h"
#include "lib/scratch.h"
#include "lib/test.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>

struct fixture {
    char *folder, *file, *included, *profiles, *log;
    const char *home, *user;
    bool comparable; /* there is an ssh of our days */
};

/* ---- what ssh says ---- */

/* The lines of `ssh -G`; NULL if it refuses the file. */
static cfs_words ask_ssh(const struct fixture *fixture, const char *host)
{
    char *command CFS_AUTO_FREE =
        cfs_text_format("ssh -G -F '%s' %s </dev/null 2>'%s/said'", fixture->file, host, fixture->folder);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    cfs_words lines = NULL;
    char *line CFS_AUTO_FREE = NULL;
    size_t size = 0;
    while (getline(&line, &size, out) > 0) {
        line[strcspn(line, "\n")] = '\0';
        assert_int_equal(cfs_words_add(&lines, line), 0);
    }
    int status = pclose(out);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0) {
        cfs_words_free(lines);
        return NULL;
    }
    return lines;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    free(fixture->file);
    free(fixture->included);
    free(fixture->profiles);
    free(fixture->log);
    cfs_log_to_stderr();
    scratch_remove(fixture->folder);
    return 0;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    const struct passwd *me = getpwuid(getuid());
    fixture = (struct fixture){.folder = scratch_make()};
    if (me) {
        fixture.home = me->pw_dir;
        fixture.user = me->pw_name;
    }
    fixture.file = scratch_path(fixture.folder, "config");
    fixture.included = scratch_path(fixture.folder, "included");
    fixture.profiles = scratch_path(fixture.folder, "profiles");
    fixture.log = scratch_path(fixture.folder, "log");
    scratch_write_text(fixture.profiles, "", 0600);
    assert_int_equal(cfs_log_to_file(fixture.log), 0); /* of what is passed over */
    *state = &fixture;
    /* Before OpenSSH 8.7 the rules for quotes and comments were others. */
    scratch_write_text(fixture.file, "User x # comment", 0600);
    cfs_words lines CFS_CLEANUP(cfs_words_free) = ask_ssh(&fixture, "h");
    fixture.comparable = me && lines;
    return 0;
}

/* All values of KEYWORD, a line each. */
static char *said_by_ssh(cfs_words lines, const char *keyword)
{
    char *said = strdup("");
    size_t length = strlen(keyword);
    for (size_t i = 0; lines[i]; i++) {
        if (strncmp(lines[i], keyword, length) != 0 || lines[i][length] != ' ')
            continue;
        char *longer = cfs_text_format("%s%s\n", said, lines[i] + length + 1);
        free(said);
        said = longer;
    }
    return said;
}

/* ---- what we say ---- */

static char *said_by_us(const struct cfs_ssh_config_value *value)
{
    char *said = strdup("");
    for (size_t i = 0; value->words[i]; i++) {
        char *longer = cfs_text_format("%s%s\n", said, value->words[i]);
        free(said);
        said = longer;
    }
    return said;
}

static void show_file(const char *path)
{
    size_t length;
    char *text CFS_AUTO_FREE = scratch_read(path, &length);
    print_error("%s:\n%s\n", path, text);
}

static void assert_same(const struct fixture *fixture, const char *what, const char *host, const char *ours,
                        const char *theirs)
{
    if (strcmp(ours, theirs) == 0)
        return;
    show_file(fixture->file);
    show_file(fixture->included);
    fail_msg("%s of %s: we say \"%s\", ssh says \"%s\"", what, host, ours, theirs);
}

/* What is told as it stands in the file. */
static void compare_values(const struct fixture *fixture, const char *host, const struct cfs_ssh_config *config,
                           cfs_words lines, cfs_words defaults)
{
    static const struct {
        enum cfs_ssh_config_key key;
        const char *keyword;
    } rows[] = {
        {CFS_SSH_ADDRESS_FAMILY, "addressfamily"},
        {CFS_SSH_BIND_ADDRESS, "bindaddress"},
        {CFS_SSH_CERTIFICATE_FILE, "certificatefile"},
        {CFS_SSH_CONNECT_TIMEOUT, "connecttimeout"},
        {CFS_SSH_HOST_KEY_ALIAS, "hostkeyalias"},
        {CFS_SSH_IDENTITIES_ONLY, "identitiesonly"},
        {CFS_SSH_IDENTITY_AGENT, "identityagent"},
        {CFS_SSH_IDENTITY_FILE, "identityfile"},
        {CFS_SSH_PORT, "port"},
        {CFS_SSH_PREFERRED_AUTHENTICATIONS, "preferredauthentications"},
        {CFS_SSH_PROXY_COMMAND, "proxycommand"},
        {CFS_SSH_PROXY_JUMP, "proxyjump"},
        {CFS_SSH_STRICT_HOST_KEY_CHECKING, "stricthostkeychecking"},
        {CFS_SSH_USER, "user"},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        const struct cfs_ssh_config_value *value = &config->of[rows[i].key];
        char *theirs CFS_AUTO_FREE = said_by_ssh(lines, rows[i].keyword);
        char *unset CFS_AUTO_FREE = said_by_ssh(defaults, rows[i].keyword);
        char *ours CFS_AUTO_FREE = value->keyword ? said_by_us(value) : strdup(unset);
        if (strcmp(ours, "none\n") == 0 && !*theirs) /* a proxy that is none, ssh does not tell */
            continue;
        assert_same(fixture, rows[i].keyword, host, ours, theirs);
    }
}

/* What a profile makes of it. */
static void compare_profile(const struct fixture *fixture, const char *host, cfs_words lines)
{
    char *source CFS_AUTO_FREE = cfs_text_format("%s:", host);
    char *options CFS_AUTO_FREE = cfs_text_format("ssh_config=%s", fixture->file);
    struct cfs_profile_request request = {
        .config_file = fixture->profiles, .source = source, .options = options, .home = fixture->home};
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    struct cfs_error error = {0};
    if (cfs_profile_load(&request, &profile, &error) < 0) {
        show_file(fixture->file);
        fail_msg("%s", error.text);
    }
    char *name CFS_AUTO_FREE = cfs_text_format("%s\n", profile->host);
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    char *their_name CFS_AUTO_FREE = said_by_ssh(lines, "hostname");
    assert_same(fixture, "the host", host, name, their_name);
    char *user CFS_AUTO_FREE = cfs_text_format("%s\n", profile->user);
    char *their_user CFS_AUTO_FREE = said_by_ssh(lines, "user");
    assert_same(fixture, "the user", host, user, their_user);
    char *port CFS_AUTO_FREE = cfs_text_format("%u\n", profile->port);
    char *their_port CFS_AUTO_FREE = said_by_ssh(lines, "port");
    assert_same(fixture, "the port", host, port, their_port);
}

static char *known_hosts_line(cfs_words files)
{
    char *text = strdup("");
    for (size_t i = 0; files[i]; i++) {
        char *longer = cfs_text_format("%s%s ", text, files[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* The files as ssh names them after expansion, without quotes around blanks. */
static void compare_known_hosts(const struct fixture *fixture, const char *host, const struct cfs_ssh_config *config,
                                cfs_words lines)
{
    if (!config->of[CFS_SSH_USER_KNOWN_HOSTS_FILE].keyword && !config->of[CFS_SSH_GLOBAL_KNOWN_HOSTS_FILE].keyword)
        return;
    char *source CFS_AUTO_FREE = cfs_text_format("%s:", host);
    char *options CFS_AUTO_FREE = cfs_text_format("ssh_config=%s", fixture->file);
    struct cfs_profile_request request = {
        .config_file = fixture->profiles, .source = source, .options = options, .home = fixture->home};
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    struct cfs_error error = {0};
    assert_int_equal(cfs_profile_load(&request, &profile, &error), 0);
    char *users CFS_AUTO_FREE = said_by_ssh(lines, "userknownhostsfile");
    char *globals CFS_AUTO_FREE = said_by_ssh(lines, "globalknownhostsfile");
    users[strcspn(users, "\n")] = globals[strcspn(globals, "\n")] = '\0';
    char *theirs CFS_AUTO_FREE =
        cfs_text_format("%s %s%s", strcmp(users, "none") == 0 ? "/dev/null" : users,
                        strcmp(globals, "none") == 0 ? "" : globals, strcmp(globals, "none") == 0 ? "" : " ");
    char *ours CFS_AUTO_FREE = known_hosts_line(profile->known_hosts);
    assert_same(fixture, "known_hosts", host, ours, theirs);
}

static bool compare(const struct fixture *fixture, const char *text, const char *host, cfs_words defaults)
{
    scratch_write_text(fixture->file, text, 0600);
    cfs_words lines CFS_CLEANUP(cfs_words_free) = ask_ssh(fixture, host);
    struct cfs_ssh_config_request request = {
        .host = host, .local_user = fixture->user, .home = fixture->home, .only_file = fixture->file};
    struct cfs_ssh_config config CFS_AUTO_SSH_CONFIG = {0};
    struct cfs_error error = {0};
    int result = cfs_ssh_config_read(&request, &config, &error);
    if (!lines != (result < 0)) {
        show_file(fixture->file);
        fail_msg("%s: ssh %s the file, we %s it %s", host, lines ? "takes" : "refuses", lines ? "refuse" : "take",
                 error.text);
    }
    if (!lines) {
        char *prefix CFS_AUTO_FREE = cfs_text_format("%s/", fixture->folder);
        assert_int_equal(strncmp(error.text, prefix, strlen(prefix)), 0);
        return false;
    }
    compare_values(fixture, host, &config, lines, defaults);
    const char *command = cfs_ssh_config_word(&config, CFS_SSH_PROXY_COMMAND);
    const char *jump = cfs_ssh_config_word(&config, CFS_SSH_PROXY_JUMP);
    if ((!command || strcmp(command, "none") == 0) && (!jump || strcmp(jump, "none") == 0)) {
        compare_profile(fixture, host, lines);
        compare_known_hosts(fixture, host, &config, lines);
    }
    return true;
}

/* What ssh says of HOST when no file says anything. */
static cfs_words ask_defaults(const struct fixture *fixture, const char *host)
{
    scratch_write_text(fixture->file, "", 0600);
    cfs_words lines = ask_ssh(fixture, host);
    assert_non_null(lines);
    return lines;
}

/* ---- the table ---- */

static void what_ssh_says_of_a_host_we_say(void **state)
{
    static const char *const hosts[] = {"alpha", "beta.example.org", "ALPHA", "10.0.0.7"};
    static const char *const files[] = {
        "",
        "# nothing\n\n   \t\nPort 5\f\n",
        "Host alpha\nPort 7\nHost *\nPort 8\nUser bob\n",
        "Host alpha beta*\n HostName %h.x.org\n\tUser=bob\nHost !alpha *\n Port = 9\n",
        "Host * !alpha\nPort 9\n",
        "host a?pha 10.0.*\nhostname 203.0.113.5\nPORT 4\n",
        "Host \"alpha\" 'beta.example.org'\nUser \"al\\\\ice\"\n",
        "User alice # why not\nHost alpha#b\nPort 8\n",
        "Port\t\t77\r\nUser bob\r\n",
        "Port=\"77\"\n",
        "IdentityFile ~/.ssh/a\nIdentityFile \"~/with blank\"\nIdentityFile ~/.ssh/a\nHost alpha\nIdentityFile /b\n",
        "IdentityFile none\nIdentitiesOnly yes\n",
        "CertificateFile ~/a-cert.pub\nCertificateFile ~/b-cert.pub\n",
        "Match host alpha\nPort 5\nMatch all\nPort 6\n",
        "Match !host alpha\nPort 5\n",
        "HostName Gamma.x.org\nMatch host gamma.x.org\nPort 5\nMatch originalhost alpha\nUser zoe\n",
        "Match host=\"alpha,beta*\"\nPort 5\n",
        "Match host *,!alpha\nPort 5\n",
        "User bob\nMatch user bob\nPort 5\nMatch user alice\nUser x\nPort 6\n",
        "Match user bob host alpha\nPort 5\nMatch originalhost ALPHA # comment\nPort 6\n",
        "Match localuser *\nPort 5\n",
        "Match localuser nobody-of-this-name\nPort 5\n",
        "Match final\nPort 5\nHost *\nPort 6\n",
        "Host alpha\nHostName gamma\nHost gamma\nPort 5\nMatch final\nUser late\n",
        "Match final host gamma\nPort 5\nHost *\nHostName gamma\n",
        "Match !final all\nPort 5\nMatch final all\nPort 6\n",
        "Match canonical\nPort 5\nMatch !canonical\nUser bob\n",
        "UserKnownHostsFile ~/k1 /k/%h-%p-%r-%n\nGlobalKnownHostsFile /g1 /g2\n",
        "UserKnownHostsFile none\nPort 2\n",
        "UserKnownHostsFile /dev/null\nGlobalKnownHostsFile none\n",
        "GlobalKnownHostsFile /g/%%d\n",
        "ConnectTimeout 5\nAddressFamily inet6\nBindAddress 127.0.0.2\nStrictHostKeyChecking accept-new\n",
        "ProxyJump none\nProxyCommand nc %h %p\n",
        "ProxyCommand none\nProxyJump other\n",
        "ProxyJump none\nProxyJump other\n",
        "ProxyJump other\nProxyCommand nc\n",
        "ProxyCommand nc\nProxyJump other\n",
        "ProxyCommand ssh -W \"%h:%p\" gate # x\n",
        "PreferredAuthentications password,publickey\n",
        "Include @/included\nPort 6\n",
        "Host alpha\nInclude @/included\nPort 6\n",
        "Host alpha\nInclude @/inclu* @/nothing\nUser after\n",
        "ServerAliveInterval 5\nServerAliveCountMax 2\nCompression yes\nCiphers aes128-ctr\nSendEnv LANG LC_*\n",
        /* refused */
        "Port 1 2\n",
        "Port\n",
        "User \"bob\n",
        "Host \"\"\n",
        "User \"\"\n",
        "Match\n",
        "Match host\n",
        "Match colour red\nPort 5\n",
        "Match all user bob\n",
        "Match user bob host * all\n",
        "UserKnownHostsFile none /k\n",
        "Include @/config\n",
        "Host nothing\nPort 1 2\n",
    };
    const struct fixture *fixture = *state;
    if (!fixture->comparable)
        skip();
    scratch_write_text(fixture->included, "Port 44\nHost alpha\nUser inner\nMatch all\nHostKeyAlias inner\n", 0600);
    for (size_t h = 0; h < CFS_COUNT(hosts); h++) {
        cfs_words defaults CFS_CLEANUP(cfs_words_free) = ask_defaults(fixture, hosts[h]);
        for (size_t i = 0; i < CFS_COUNT(files); i++) {
            const char *at = strchr(files[i], '@');
            char *text CFS_AUTO_FREE = strdup("");
            const char *rest = files[i];
            for (; at; rest = at + 1, at = strchr(rest, '@')) {
                char *longer = cfs_text_format("%s%.*s%s", text, (int)(at - rest), rest, fixture->folder);
                free(text);
                text = longer;
            }
            char *whole CFS_AUTO_FREE = cfs_text_format("%s%s", text, rest);
            compare(fixture, whole, hosts[h], defaults);
        }
    }
}

/* ---- from a seed ---- */

static const char *const lines_of_sense[] = {
    "Host alpha",
    "Host *",
    "Host !alpha *",
    "Host beta al?ha",
    "Host=\"*.x.org\"",
    "Match host alpha",
    "Match host alpha.x.org,!beta",
    "Match originalhost alpha user bob",
    "Match all",
    "Match final",
    "Match final host alpha.x.org",
    "Match !final host *",
    "Match user bob",
    "Match !user bob",
    "Match canonical",
    "Match localuser * originalhost b*",
    "Match host=alpha",
    "HostName %h.x.org",
    "HostName Beta",
    "HostName alpha",
    "User bob",
    "User \"carl\"",
    "  User dora # and so on",
    "Port 7",
    "Port=8",
    "\tPort = 9  ",
    "IdentityFile a",
    "IdentityFile \"b c\"",
    "IdentityFile a\\ b",
    "IdentitiesOnly yes",
    "IdentitiesOnly no",
    "UserKnownHostsFile none",
    "UserKnownHostsFile /k1 '/k 2'",
    "UserKnownHostsFile ~/%h-%n",
    "GlobalKnownHostsFile /g",
    "HostKeyAlias h1",
    "HostKeyAlias h2",
    "ConnectTimeout 5",
    "AddressFamily inet",
    "BindAddress 127.0.0.2",
    "StrictHostKeyChecking accept-new",
    "ProxyJump none",
    "ProxyCommand none",
    "ProxyCommand nc %h",
    "ProxyJump x",
    "PreferredAuthentications password",
    "CertificateFile /c1",
    "CertificateFile '/c 2'",
    "# a comment",
    "",
    "ServerAliveInterval 3",
};
static const char *const lines_of_nonsense[] = {
    "Port 1 2",     "User \"bob", "Match",       "Match colour red", "Match all user bob", "UserKnownHostsFile none /x",
    "HostKeyAlias", "Host \"\"",  "HostName ''", "HostName a b",
};

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void write_lines(FILE *out, unsigned *seed, const char *included)
{
    unsigned count = 1 + (unsigned)rand_r(seed) % 14;
    for (unsigned i = 0; i < count; i++) {
        unsigned kind = (unsigned)rand_r(seed) % 100, line = (unsigned)rand_r(seed);
        if (kind == 0)
            fprintf(out, "%s\n", lines_of_nonsense[line % CFS_COUNT(lines_of_nonsense)]);
        else if (kind < 6 && included)
            fprintf(out, "Include %s\n", included);
        else
            fprintf(out, "%s\n", lines_of_sense[line % CFS_COUNT(lines_of_sense)]);
    }
}

static char *make_text(unsigned *seed, const char *included)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    write_lines(out, seed, included);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void of_any_file_we_say_what_ssh_says(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const hosts[] = {"alpha", "beta", "alpha.x.org"};
    unsigned first = number_from("CLUSTERFS_TEST_SEED", 1), rounds = number_from("CLUSTERFS_TEST_ROUNDS", 150);
    cfs_words defaults[CFS_COUNT(hosts)];
    if (!fixture->comparable)
        skip();
    for (size_t i = 0; i < CFS_COUNT(hosts); i++)
        defaults[i] = ask_defaults(fixture, hosts[i]);
    unsigned taken = 0;
    for (unsigned seed = first; seed < first + rounds; seed++) {
        unsigned random = seed;
        char *included CFS_AUTO_FREE = make_text(&random, NULL);
        scratch_write_text(fixture->included, included, 0600);
        char *text CFS_AUTO_FREE = make_text(&random, fixture->included);
        size_t host = (size_t)rand_r(&random) % CFS_COUNT(hosts);
        print_message("seed %u\n", seed);
        taken += compare(fixture, text, hosts[host], defaults[host]);
    }
    for (size_t i = 0; i < CFS_COUNT(hosts); i++)
        cfs_words_free(defaults[i]);
    assert_true(taken > rounds / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_ssh_says_of_a_host_we_say),
        TEST(of_any_file_we_say_what_ssh_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A throw-away sshd. It runs in the foreground (-D) as our child and logs to a file. Its sessions make themselves
 * leaders of process sessions of their own, so they are found by their parents, in /proc. */
#include "lib/sshd.h"
#include "lib/scratch.h"
#include "lib/test.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const sshd_paths[] = {"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"};

static const char *sshd_program(void)
{
    for (size_t i = 0; i < CFS_COUNT(sshd_paths); i++)
        if (access(sshd_paths[i], X_OK) == 0)
            return sshd_paths[i];
    return NULL;
}

bool test_sshd_available(void)
{
    return sshd_program() && scratch_run("ssh-keygen", "-?", NULL) != 127;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd CFS_AUTO_CLOSE = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static bool answers(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd CFS_AUTO_CLOSE = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static void make_key(const char *path)
{
    scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path, NULL);
}

static void write_known_hosts(struct test_sshd *sshd, const char *host_key_path)
{
    char *public_path CFS_AUTO_FREE = NULL;
    assert_true(asprintf(&public_path, "%s.pub", host_key_path) > 0);
    char *public_key CFS_AUTO_FREE = scratch_read(public_path, NULL);
    char *line CFS_AUTO_FREE = NULL;
    assert_true(asprintf(&line, "[127.0.0.1]:%u %s", (unsigned)sshd->port, public_key) > 0);
    scratch_write_text(sshd->known_hosts_path, line, 0600);
}

static void write_config(struct test_sshd *sshd, const char *host_key_path, const char *extra)
{
    char *keys CFS_AUTO_FREE = NULL, *text CFS_AUTO_FREE = NULL, *public_path CFS_AUTO_FREE = NULL;
    assert_true(asprintf(&public_path, "%s.pub", sshd->identity_path) > 0);
    keys = scratch_read(public_path, NULL);
    char *keys_path CFS_AUTO_FREE = scratch_path(sshd->folder, "authorized_keys");
    scratch_write_text(keys_path, keys, 0600);
    assert_true(
        asprintf(&text,
                 "%s\n"
                 "ListenAddress 127.0.0.1:%u\n"
                 "HostKey %s\n"
                 "AuthorizedKeysFile %s\n"
                 "PidFile none\n"
                 "StrictModes no\n"
                 "UsePAM no\n"
                 "PermitRootLogin yes\n"
                 "PasswordAuthentication no\n"
                 "KbdInteractiveAuthentication no\n"
                 "UseDNS no\n"
                 "PrintMotd no\n"
                 "MaxStartups 200\n"
                 "LogLevel VERBOSE\n"
                 "SetEnv HOME=%s\n" /* subsystems run in the account's shell, but not with what its start-up files do */
                 "Subsystem sftp internal-sftp\n",
                 extra, (unsigned)sshd->port, host_key_path, keys_path, sshd->folder) > 0);
    scratch_write_text(sshd->config_path, text, 0600);
}

/* In the child: becomes sshd, which ends with the test even if the test crashes. */
static void become_sshd(const struct test_sshd *sshd, const char *program)
{
    char *const environment[] = {(char[]){"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(sshd->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (null >= 0 && log >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(log, 2) >= 0)
        execle(program, program, "-D", "-e", "-f", sshd->config_path, (char *)NULL, environment);
    _exit(127);
}

static void spawn(struct test_sshd *sshd)
{
    const char *program = sshd_program();
    assert_non_null(program);
    sshd->process = fork();
    assert_true(sshd->process >= 0);
    if (sshd->process == 0)
        become_sshd(sshd, program);
}

/* True when it listens, false when it has died (somebody was faster with the port). */
static bool comes_up(struct test_sshd *sshd)
{
    int64_t limit_ms = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
    while (cfs_clock_ms(&cfs_system_clock) < limit_ms) {
        if (waitpid(sshd->process, NULL, WNOHANG) == sshd->process) {
            sshd->process = 0;
            return false;
        }
        if (answers(sshd->port))
            return true;
        usleep(5000);
    }
    fail_msg("sshd does not answer on port %u", (unsigned)sshd->port);
    return false;
}

void test_sshd_start(struct test_sshd *sshd, const char *extra)
{
    *sshd = (struct test_sshd){.folder = scratch_make()};
    const struct passwd *account = getpwuid(geteuid());
    assert_non_null(account);
    sshd->user = strdup(account->pw_name);
    sshd->config_path = scratch_path(sshd->folder, "sshd_config");
    sshd->log_path = scratch_path(sshd->folder, "sshd.log");
    sshd->known_hosts_path = scratch_path(sshd->folder, "known_hosts");
    sshd->identity_path = scratch_path(sshd->folder, "id");
    char *host_key_path CFS_AUTO_FREE = scratch_path(sshd->folder, "host_key");
    make_key(host_key_path);
    make_key(sshd->identity_path);
    if (geteuid() == 0)
        (void)mkdir("/run/sshd", 0755); /* where sshd locks its unprivileged half in */
    for (int tries = 0; tries < 20; tries++) {
        sshd->port = free_port();
        write_config(sshd, host_key_path, extra);
        write_known_hosts(sshd, host_key_path);
        spawn(sshd);
        if (comes_up(sshd))
            return;
    }
    char *log CFS_AUTO_FREE = scratch_read(sshd->log_path, NULL);
    fail_msg("sshd does not start: %s", log);
}

/* The parent and the state letter of a process; 0 when it has gone. */
static pid_t parent_of(pid_t process, char *ret_state)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
    FILE *file CFS_AUTO_FCLOSE = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    text[length] = '\0';
    const char *after_name = strrchr(text, ')');
    int parent = 0;
    if (!after_name || sscanf(after_name + 1, " %c %d", ret_state, &parent) != 2)
        return 0;
    return parent;
}

/* Returns when the process stands still, so that it can neither fork nor tell about a death below it. */
static void halt(pid_t process)
{
    char state = '?';
    kill(process, SIGSTOP);
    test_wait_until(parent_of(process, &state) == 0 || strchr("TtZX", state));
}

/* Sends SIGNAL to all processes below PARENT; how many. */
static int signal_below(pid_t parent, int signal)
{
    int count = 0;
    DIR *folder CFS_AUTO_CLOSEDIR = opendir("/proc");
    assert_non_null(folder);
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        char state;
        pid_t process = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        if (process <= 1 || parent_of(process, &state) != parent)
            continue;
        if (signal != SIGCONT)
            halt(process);
        count += 1 + signal_below(process, signal);
        kill(process, signal);
    }
    return count;
}

int test_sshd_kill_sessions(const struct test_sshd *sshd)
{
    return signal_below(sshd->process, SIGKILL);
}

int test_sshd_signal_sessions(const struct test_sshd *sshd, int signal)
{
    return signal_below(sshd->process, signal);
}

void test_sshd_stop(struct test_sshd *sshd)
{
    if (sshd->process > 0) {
        signal_below(sshd->process, SIGKILL);
        kill(sshd->process, SIGKILL);
        while (waitpid(sshd->process, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    scratch_remove(sshd->folder);
    free(sshd->config_path);
    free(sshd->log_path);
    free(sshd->known_hosts_path);
    free(sshd->identity_path);
    free(sshd->user);
    *sshd = (struct test_sshd){0};
}

static cfs_words words_of(const char *word)
{
    cfs_words words = calloc(2, sizeof(*words));
    assert_non_null(words);
    if (word)
        assert_non_null(words[0] = strdup(word));
    return words;
}

struct cfs_profile *test_profile_new(uint16_t port)
{
    struct cfs_profile *profile = calloc(1, sizeof(*profile));
    assert_non_null(profile);
    profile->host = strdup("127.0.0.1");
    profile->user = strdup("nobody");
    profile->port = port;
    profile->connect_timeout_ms = profile->login_timeout_ms = profile->op_timeout_ms = TEST_LIMIT_MS;
    profile->host_key_policy = CFS_HOST_KEY_STRICT;
    profile->identity_files = words_of(NULL);
    profile->identities_only = true;
    profile->known_hosts = words_of(NULL);
    return profile;
}

struct cfs_profile *test_sshd_profile(const struct test_sshd *sshd)
{
    struct cfs_profile *profile = test_profile_new(sshd->port);
    free(profile->user);
    free(profile->identity_files);
    free(profile->known_hosts);
    profile->user = strdup(sshd->user);
    profile->identity_files = words_of(sshd->identity_path);
    profile->known_hosts = words_of(sshd->known_hosts_path);
    return profile;
}

void test_profile_free(struct cfs_profile *profile)
{
    if (!profile)
        return;
    test_profile_free(profile->hop);
    cfs_words_free(profile->identity_files);
    cfs_words_free(profile->known_hosts);
    free(profile->host);
    free(profile->user);
    free(profile->ciphers);
    free(profile);
}

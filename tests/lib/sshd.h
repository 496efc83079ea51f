/* A throw-away sshd on loopback: keys, configuration, port, log and processes of its own. Works as root and as an
 * ordinary user (then for that user alone). Fails the test (cmocka) when something does not work. */
#ifndef CFS_TESTS_LIB_SSHD_H
#define CFS_TESTS_LIB_SSHD_H

#include "conf/profile.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct test_sshd {
    char *folder;
    uint16_t port;
    pid_t process;
    char *config_path, *log_path, *known_hosts_path, *identity_path; /* the last one logs in */
    char *user;
};

/* Is there an sshd to be had here? Otherwise the test skips. */
bool test_sshd_available(void);
/* EXTRA is more configuration, in lines ("" for none): what stands first wins, and EXTRA stands first. Waits until the
 * port answers. */
void test_sshd_start(struct test_sshd *sshd, const char *extra);
/* Ends all of its processes, also those of sessions. Removes everything. Once more does no harm. */
void test_sshd_stop(struct test_sshd *sshd);
/* Kills the processes of all sessions with SIGKILL; the listener stays. How many there were. */
int test_sshd_kill_sessions(const struct test_sshd *sshd);
/* Stops (SIGSTOP) or continues (SIGCONT) the processes of all sessions. How many there were. */
int test_sshd_signal_sessions(const struct test_sshd *sshd, int signal);

/* A profile that logs in with the key, strictly; free it with test_profile_free. */
struct cfs_profile *test_sshd_profile(const struct test_sshd *sshd);
/* A profile for any loopback port, without files. */
struct cfs_profile *test_profile_new(uint16_t port);
/* With its hop. */
void test_profile_free(struct cfs_profile *profile);

#endif

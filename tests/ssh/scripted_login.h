/* Logins against a scripted server: libssh2's authentication calls are replaced (by the linker's --wrap), so that
 * several factors, questions, expired passwords and cut connections can be had at will. test_auth does what it can
 * against a real sshd. One server and one client, for one test after the other. */
#ifndef CFS_TESTS_SSH_SCRIPTED_LOGIN_H
#define CFS_TESTS_SSH_SCRIPTED_LOGIN_H

#include "lib/test.h"

#include "lib/fake_prompter.h"
#include "lib/scratch.h"
#include "ssh/auth_priv.h"

/* --- the server: what it does, and what it has seen --- */

struct server {
    const char *lists[4]; /* the methods wanted, factor by factor; NULL: logged in */
    int stage;
    const char *password;
    bool expired;
    const char *prompts[3]; /* of keyboard-interactive */
    bool echoes[3];
    const char *answers[3];
    const struct cfs_buffer *key; /* the one that is taken */
    const char *algorithm;        /* that libssh2 would choose for it; NULL: it finds none */
    int cut_after;                /* the connection ends at this attempt; 0: never */
    const char *disconnect;       /* what the server says then */

    struct cfs_ssh_transport *transport;
    int attempts, listed, waits, pauses, paused;
    int patient_waits; /* without a time limit */
    bool busy;         /* the next call finds nothing to read */
    int code;
    const char *message;
    char *list; /* the last one, which libssh2 would free with the session */
    char log[512];
};

extern struct server server;

/* --- the client --- */

extern char *folder; /* the user's home, too */
extern struct cfs_profile profile;
extern struct fake_prompter fake;
extern struct cfs_ssh_waiter waiter;
extern struct cfs_error error;
extern char method[160];
extern bool by_person;
extern char *identity_paths[8];
extern struct cfs_buffer public_keys[7];

/* Fixtures of a test. */
int scripted_login_set_up(void **state);
int scripted_login_tear_down(void **state);

/* The next identity file of the profile. */
void add_identity(const char *type, const char *passphrase, const char *format);
/* Sets the variables above. */
int log_in(void);

#define assert_says(part)                                                                                              \
    do {                                                                                                               \
        if (!strstr(error.text, part))                                                                                 \
            fail_msg("\"%s\" is not in: %s", part, error.text);                                                        \
    } while (0)

#endif

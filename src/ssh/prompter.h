/* How the SSH floor asks a person: implemented by src/cli (terminal, askpass); by tests with prepared answers. */
#ifndef CFS_SSH_PROMPTER_H
#define CFS_SSH_PROMPTER_H

#include "base/secret.h"
#include <stdbool.h>

struct cfs_prompter {
    /* Asks for a line; TEXT is a whole question ("Passphrase for /home/a/.ssh/id_rsa: "), already printable. The answer
     * is a secret unless ECHO: the caller wipes it with cfs_secret_free. Blocks; may be called on any thread, one at a
     * time. -ENOTTY when nobody can be asked, -ECANCELED when the person gave up. */
    int (*ask)(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer);
    /* A question to be answered by "yes" or "no" (host keys). 1, 0, or -errno as above. */
    int (*confirm)(struct cfs_prompter *prompter, const char *text);
    /* True when a person can be asked (decides `host_key_policy = auto`). */
    bool (*can_ask)(struct cfs_prompter *prompter);
    /* Something the person should read (the server's banner, "touch your key"). */
    void (*tell)(struct cfs_prompter *prompter, const char *text);
};

#endif

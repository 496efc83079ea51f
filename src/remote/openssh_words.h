/* What ssh(1) says on its stderr: how far it is, with whom, and why not. */
#ifndef CFS_REMOTE_OPENSSH_WORDS_H
#define CFS_REMOTE_OPENSSH_WORDS_H

#include "base/error.h"
#include "ssh/session.h"

/* Initialise with {0}. */
struct cfs_openssh_words {
    bool is_authenticated;
    bool is_host_known;    /* by a file of known hosts */
    bool has_keys;         /* the host key is settled, and the server may say what it likes */
    bool has_proxy;        /* it goes through a program: through another ssh, perhaps, whose words are among these */
    bool has_jump;         /* it starts another ssh itself (ProxyJump) */
    char target[300];      /* "HOST:PORT" behind that; "": not told */
    bool is_through;       /* it has got to the target */
    bool is_forged;        /* twice: what is said of the host key does not count */
    bool is_partial;       /* the server has accepted one of several factors */
    bool is_touched;       /* by a security key, which wants a touch, alone or as one of several factors */
    bool has_host_changed; /* and ssh does not accept that, or its configuration makes it */
    bool has_bad_key_file; /* one that others can read, or that cannot be read */
    char offending[256];   /* where another key of the host stands: "FILE:LINE" */
    char key[160];         /* the last one that the server would accept: "FILE TYPE SHA256:... agent" */
    struct cfs_ssh_facts facts;
};

/* Takes a line, without its end. True: it is for people. What comes after the login changes nothing. */
bool cfs_openssh_words_take(struct cfs_openssh_words *words, const char *line);

/* Why it has failed, from REASON (what was kept of what it said, lines, with its exit status): kind and sentence.
 * Returns -errno. */
int cfs_openssh_explain(const struct cfs_openssh_words *words, const char *host, const char *reason,
                        struct cfs_error *error);

#endif

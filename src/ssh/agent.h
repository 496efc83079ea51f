/* A client of the SSH agent (draft-miller-ssh-agent; PROTOCOL.agent of OpenSSH), blocking with time limits. libssh2's
 * own cannot list before it tries, has no limit in time, and fails with security keys and certificates. One thread at a
 * time. */
#ifndef CFS_SSH_AGENT_H
#define CFS_SSH_AGENT_H

#include "base/cleanup.h"
#include <stddef.h>
#include <stdint.h>

struct cfs_agent;

struct cfs_agent_identity {
    uint8_t *blob; /* the public key, RFC 4253 section 6.6 */
    size_t blob_length;
    char *comment; /* printable; often the file's name */
};

/* Initialise with {0}. In the agent's order. */
struct cfs_agent_identities {
    struct cfs_agent_identity *entries;
    size_t count;
};

void cfs_agent_identities_fini(struct cfs_agent_identities *identities); /* leaves an empty list */
#define CFS_AUTO_AGENT_IDENTITIES __attribute__((cleanup(cfs_agent_identities_fini)))

/* Connects to the socket. -ENAMETOOLONG, -ETIMEDOUT, -errno of socket(2) and connect(2). */
CFS_CHECKED int cfs_agent_open(const char *socket_path, int limit_ms, struct cfs_agent **ret_agent);
/* Talks over a socket that is connected already; takes FD over, also when it fails (NULL). */
struct cfs_agent *cfs_agent_new(int fd);
void cfs_agent_free(struct cfs_agent *agent); /* NULL is fine */
CFS_DEFINE_CLEANUP(struct cfs_agent, cfs_agent_free)

/* After any failure but -EPERM the connection is of no use any more: later calls give -EPIPE. */

/* The agent's keys. -EPERM when it refuses, -ETIMEDOUT, -EBADMSG for an answer that is not well formed, -ECONNRESET
 * when it hangs up, -ENOMEM. */
CFS_CHECKED int cfs_agent_list(struct cfs_agent *agent, int limit_ms, struct cfs_agent_identities *ret_identities);

/* How RSA keys sign; other keys do as they always do. */
enum { CFS_AGENT_RSA_SHA2_256 = 2, CFS_AGENT_RSA_SHA2_512 = 4 };

/* Signs DATA with the key whose public half is BLOB. The agent may ask its user first: give it time. The result is the
 * signature as RFC 4253 section 6.6 has it, beginning with the algorithm that the agent has chosen; the caller frees.
 * -EPERM when the agent or its user refuses; the rest as above. */
CFS_CHECKED int cfs_agent_sign(struct cfs_agent *agent, const uint8_t *blob, size_t blob_length, const void *data,
                               size_t length, uint32_t flags, int limit_ms, uint8_t **ret_signature,
                               size_t *ret_length);

#endif

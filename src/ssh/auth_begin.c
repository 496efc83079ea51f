/* The beginning of a login in one round trip instead of three: the request for the service, the question for the
 * methods ("none"), and the offer of the first key leave together.
 *
 * The service's consent need not be waited for (RFC 4253, 10; dropbear's client does not either). libssh2's handshake
 * does: it is left where it waits (kex.c), and finished here. libssh2 keeps what it waits for per call, and answers
 * come in the order of the requests, so that each is taken by its own call as long as the calls are finished in that
 * order too.
 *
 * Of several requests to log in, RFC 4252, 5 says both that they may be sent at once and that an earlier one must have
 * been answered. OpenSSH works them off one after another; others (some abort what is under way) are asked one by one.
 * The offer is a question, not yet a signature. libssh2 chooses the algorithm of an RSA key by what the server
 * announces right behind its keys (RFC 8308); should that not have arrived yet, the offer is repeated in its turn. */
#include "ssh/auth_priv.h"
#include <errno.h>
#include <string.h>

static bool is_openssh(LIBSSH2_SESSION *session)
{
    const char *banner = libssh2_session_banner_get(session);
    return banner && strncmp(banner, "SSH-2.0-OpenSSH_", 16) == 0;
}

static int finish_handshake(struct cfs_auth *auth)
{
    struct cfs_ssh_transport *transport = auth->transport;
    int rc;
    while ((rc = libssh2_session_handshake(transport->session, transport->fd)) == LIBSSH2_ERROR_EAGAIN) {
        rc = cfs_auth_wait(auth);
        if (rc < 0)
            return rc;
    }
    transport->handshake_unfinished = false;
    return rc < 0 ? cfs_auth_settle(auth, rc) : 0;
}

int cfs_auth_begin(struct cfs_auth *auth)
{
    const char *user = auth->profile->user;
    if (!auth->transport->handshake_unfinished)
        return 0;
    /* The answer is taken by cfs_auth_list_methods, and so is an error. */
    (void)libssh2_userauth_list(auth->session, user, (unsigned)strlen(user));
    if (is_openssh(auth->session))
        cfs_auth_begin_publickey(auth);
    return finish_handshake(auth);
}

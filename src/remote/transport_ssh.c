/* Streams that are channels of one SSH session, on the session's own thread. */
#include "base/list.h"
#include "remote/transport.h"
#include <errno.h>
#include <string.h>

struct ssh_transport {
    struct cfs_transport transport;
    struct cfs_ssh_session *session;
};

static struct ssh_transport *of(struct cfs_transport *transport)
{
    return cfs_container_of(transport, struct ssh_transport, transport);
}

static struct cfs_loop *loop_of(struct cfs_transport *transport)
{
    return cfs_ssh_session_loop(of(transport)->session);
}

static struct cfs_stream *open_stream(struct cfs_transport *transport)
{
    return cfs_ssh_open_subsystem(of(transport)->session, "sftp", 0);
}

static void stream_error(struct cfs_transport *transport, const struct cfs_stream *stream, struct cfs_error *error)
{
    const struct cfs_error *known = cfs_ssh_stream_error(stream);
    if (known)
        *error = *known;
    else
        (void)cfs_error_set(error, EIO, CFS_FAILURE_NO_SFTP,
                            "The login works, but the server offers no SFTP: the channel was closed.");
}

static void facts(struct cfs_transport *transport, struct cfs_ssh_facts *ret_facts)
{
    cfs_ssh_session_facts(of(transport)->session, ret_facts);
}

static void free_transport(struct cfs_transport *transport)
{
    cfs_ssh_session_free(of(transport)->session);
    free(of(transport));
}

static const struct cfs_transport_operations operations = {
    .loop = loop_of,
    .open_stream = open_stream,
    .stream_error = stream_error,
    .facts = facts,
    .free = free_transport,
};

int cfs_transport_ssh_open(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                           struct cfs_transport **ret_transport, struct cfs_error *error)
{
    struct ssh_transport *self = calloc(1, sizeof(*self));
    if (!self)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    self->transport.operations = &operations;
    /* The end of a session shows in its streams: no callback is needed. */
    int result = cfs_ssh_connect(profile, prompter, cancel_fd, NULL, &self->session, error);
    if (result) {
        free(self);
        return result;
    }
    *ret_transport = &self->transport;
    return 0;
}

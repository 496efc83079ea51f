/* A connection that ssh(1) has made: a process that logs in and carries the first stream, and further ones that go by
 * its connection (ssh's ControlMaster), each with a stream of its own. All on one loop's thread. */
#ifndef CFS_REMOTE_OPENSSH_SESSION_H
#define CFS_REMOTE_OPENSSH_SESSION_H

#include "base/stream.h"
#include "conf/profile.h"
#include "ssh/session.h"

struct cfs_openssh_session;

/* What all sessions of a mount have in common; must outlive them. */
struct cfs_openssh_context {
    const struct cfs_profile *profile; /* checked (openssh_arguments.h) */
    struct cfs_loop *loop;
    const char *askpass_program; /* that asks for ssh; NULL: it asks nobody */
    const char *folder;          /* for the sockets by which connections are shared; NULL: they are not */
};

struct cfs_openssh_wish {
    bool is_shared;                /* several streams are wanted */
    struct cfs_prompter *prompter; /* may be NULL; must live until `done` */
    const char *fingerprint; /* the server has been met before: it must show this host key, or a known one. NULL */
    /* Logged in, or -errno and the sentence. The session is to be dropped in any case. On the loop's thread, later, or
     * within its interrupt. */
    void (*done)(struct cfs_openssh_session *session, int result, const struct cfs_error *error, void *context);
    void *context;
};

/* Begins to log in. -errno and a sentence where that is not possible: `done` is not called then. */
CFS_CHECKED int cfs_openssh_session_begin(struct cfs_openssh_context *context, const struct cfs_openssh_wish *wish,
                                          struct cfs_openssh_session **ret_session, struct cfs_error *error);
/* It is to fail soon, as given up, if it is still logging in. */
void cfs_openssh_session_interrupt(struct cfs_openssh_session *session);
/* A stream to an SFTP server, of one that is logged in. NULL: memory is short. */
struct cfs_stream *cfs_openssh_session_open(struct cfs_openssh_session *session);
/* Nothing that it has sent and that has not arrived will arrive; its streams fail soon. */
void cfs_openssh_session_abort(struct cfs_openssh_session *session);
/* As cfs_ssh_session_is_cut. */
bool cfs_openssh_session_is_cut(const struct cfs_openssh_session *session, int64_t ms);
void cfs_openssh_session_facts(const struct cfs_openssh_session *session, struct cfs_ssh_facts *ret_facts);
/* Why a stream of a session has failed. */
void cfs_openssh_stream_error(const struct cfs_stream *stream, struct cfs_error *error);
/* Ends it. Its streams must have been closed. `done` is not called any more. NULL is fine. Waits for ssh to end, a
 * second at most, and for who is asked something; after the loop has ended it may be called on any thread. */
void cfs_openssh_session_drop(struct cfs_openssh_session *session);

#endif

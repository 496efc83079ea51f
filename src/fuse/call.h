/* A call: one request of the kernel while it is worked on. It holds libfuse's request, the file system's, and the
 * buffer that one of them needs, and is found by the watcher of interrupts until its reply is on its way. */
#ifndef CFS_FUSE_CALL_H
#define CFS_FUSE_CALL_H

#include "fuse/session_priv.h"

struct cfs_fuse_call {
    struct cfs_request request;
    fuse_req_t fuse_request;
    struct cfs_fuse_session *session;
    void (*answer)(struct cfs_fuse_call *call); /* sends the reply of a request that went well */
    struct fuse_file_info file_info;            /* create, open: what the reply carries */
    char *buffer;                               /* read, read_folder, write: the data */
    size_t size;                                /* of the buffer */
    size_t used;                                /* read_folder: what is filled */
    fuse_ino_t node;                            /* what it is about: a file, or the folder of a name; 0: none */
    const char *name;                           /* of the operation */
    bool plus;                                  /* read_folder */

    struct cfs_list link; /* session->calls */
    int64_t since_ms;
    bool interrupted; /* under session->calls_lock */
    pid_t thread;     /* of the caller; 0 when it lives in a namespace that we cannot see */
};

/* A new call of the operation NAME (static), about NODE (0: none), with BUFFER_SIZE bytes of buffer, registered for
 * interrupts. NULL when memory is short (the kernel got ENOMEM) or when the session is ending (ENOTCONN). */
struct cfs_fuse_call *cfs_fuse_call_new(fuse_req_t fuse_request, const char *name, fuse_ino_t node, size_t buffer_size,
                                        void (*answer)(struct cfs_fuse_call *call));

/* The file system's request, to be handed to it: `cfs_fs_lookup(fs, cfs_fuse_call_request(call), ...)`. */
static inline struct cfs_request *cfs_fuse_call_request(struct cfs_fuse_call *call)
{
    return &call->request;
}

static inline struct cfs_fuse_call *cfs_fuse_call_of(struct cfs_request *request)
{
    return cfs_container_of(request, struct cfs_fuse_call, request);
}

/* A request that gives back what CALL, whose reply the kernel did not take, has opened: nobody waits for it but the end
 * of the session. NULL without memory. */
struct cfs_request *cfs_fuse_abandoned_new(const struct cfs_fuse_call *call);

/* Answers for calls that return an entry, attributes, or nothing. */
void cfs_fuse_answer_entry(struct cfs_fuse_call *call);
void cfs_fuse_answer_attributes(struct cfs_fuse_call *call);
void cfs_fuse_answer_nothing(struct cfs_fuse_call *call);
void cfs_fuse_answer_length(struct cfs_fuse_call *call);
void cfs_fuse_answer_buffer(struct cfs_fuse_call *call);

/* libfuse's form of an entry. */
struct fuse_entry_param cfs_fuse_entry(const struct cfs_entry *entry);

/* The watcher of interrupts, see interrupts.c. */
CFS_CHECKED int cfs_fuse_interrupts_start(struct cfs_fuse_session *session);
void cfs_fuse_interrupts_stop(struct cfs_fuse_session *session);

#endif

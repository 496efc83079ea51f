/* A conversation over the control socket: after the line "login" or "login ask" the server asks what a login needs, and
 * at last tells what came of it. Each message is a byte for its type, the length of what follows (uint32, network
 * order) and a text. All of it blocks, on any thread; one thread at a time uses a descriptor. */
#ifndef CFS_CTL_DIALOG_H
#define CFS_CTL_DIALOG_H

#include "base/cleanup.h"
#include <stddef.h>

enum cfs_dialog_type {
    /* the server */
    CFS_DIALOG_ASK = 'q',        /* a question, to be answered */
    CFS_DIALOG_ASK_SECRET = 's', /* the same, without an echo */
    CFS_DIALOG_CONFIRM = 'c',    /* to be answered by "yes" or "no" */
    CFS_DIALOG_TELL = 't',       /* to be read by a person */
    CFS_DIALOG_DONE = 'd',       /* the end: the connection is there; how it was made */
    CFS_DIALOG_FAILED = 'f',     /* the end: a byte, enum cfs_failure, and the sentence */
    /* the client */
    CFS_DIALOG_ANSWER = 'a',
    CFS_DIALOG_GIVEN_UP = 'x', /* instead of an answer */
};

enum { CFS_DIALOG_MOST = 64 * 1024 };

/* What is sent leaves no copy behind on our side. -errno; -EMSGSIZE. */
CFS_CHECKED int cfs_dialog_send(int fd, enum cfs_dialog_type type, const void *text, size_t length);
/* Waits LIMIT_MS (-1: without end) for the next message. *RET_TEXT has *RET_LENGTH bytes and a NUL behind them, is fit
 * for no terminal yet, and perhaps a secret: the caller frees with cfs_secret_free after wiping. -ETIMEDOUT,
 * -ECONNRESET, -EMSGSIZE, ... */
CFS_CHECKED int cfs_dialog_receive(int fd, int limit_ms, enum cfs_dialog_type *ret_type, char **ret_text,
                                   size_t *ret_length);

#endif

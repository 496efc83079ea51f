/* Answers the questions that ssh(1) has for a person.
 *
 * ssh asks by a program (SSH_ASKPASS): that is clusterfs itself (cli/askpass.c), which hands the question to a socket
 * here. So questions come to whom the prompter asks, wherever ssh runs, and it is known whether somebody had to answer.
 *
 * A question is one message, its first byte the kind, the rest the text; so is the answer, its first byte
 * CFS_ASKPASS_YES or CFS_ASKPASS_NO, the rest what was typed. Both ends check who the other one is. */
#ifndef CFS_REMOTE_ASKPASS_H
#define CFS_REMOTE_ASKPASS_H

#include "conf/profile.h"
#include "ssh/prompter.h"
#include <sys/socket.h>
#include <sys/un.h>

struct cfs_askpass;

/* The socket's name, for the program. */
#define CFS_ASKPASS_VARIABLE "CLUSTERFS_ASKPASS"

enum { CFS_ASKPASS_ASK = 'a', CFS_ASKPASS_CONFIRM = 'c', CFS_ASKPASS_TELL = 't' };
enum { CFS_ASKPASS_YES = '+', CFS_ASKPASS_NO = '-' };
enum { CFS_ASKPASS_MESSAGE = 4096 };

/* The address of the socket NAME. The length of it, or -ENAMETOOLONG. */
int cfs_askpass_address(const char *name, struct sockaddr_un *ret_address);
/* The other end of FD is of our own user, or root. */
bool cfs_askpass_is_ours(int fd);

/* Begins to answer, on a thread of its own: by the profile's password and passphrase, each once, and else by PROMPTER
 * (NULL: nobody), both of which must live until the end. ENDED is called once, on that thread, when it is told to end
 * and nobody is asked anything any more; it must only post. -errno. */
CFS_CHECKED int cfs_askpass_start(const struct cfs_profile *profile, struct cfs_prompter *prompter,
                                  void (*ended)(void *context), void *context, struct cfs_askpass **ret_askpass);
const char *cfs_askpass_name(const struct cfs_askpass *askpass);
/* It is to end, as soon as the question under way has an answer. Does not wait. */
void cfs_askpass_stop(struct cfs_askpass *askpass);

struct cfs_askpass_outcome {
    bool by_person; /* somebody had to answer or touch something */
    bool given_up;  /* who was asked did not want to */
};
/* Waits for the end, and frees. */
void cfs_askpass_free(struct cfs_askpass *askpass, struct cfs_askpass_outcome *ret_outcome);

#endif

/* Answers the questions that ssh(1) has for a person.
 *
 * ssh asks by a program (SSH_ASKPASS): that is clusterfs itself (cli/askpass.c), which hands the question to a socket
 * here. So questions come to whom the prompter asks, wherever ssh runs, and it is known whether somebody had to answer.
 *
 * A question is one message, its first byte the kind, the rest the text; so is the answer, its first byte
 * CFS_ASKPASS_YES or CFS_ASKPASS_NO, the rest what was typed. Both ends check who the other one is.
 *
 * ssh takes no for an answer: an empty one, which it sends to the server, and asks again. So where there is none, and
 * none will come, ssh is told nothing, and whoever has started it is to end it. */
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

struct cfs_askpass_wish {
    const struct cfs_profile *profile; /* must live until the end, and the prompter, too */
    struct cfs_prompter *prompter;     /* NULL: nobody */
    /* Both on the thread that answers; must only post. */
    void (*stuck)(void *context); /* a question has no answer: ssh is to be ended. Perhaps several times */
    void (*ended)(void *context); /* once: it was told to end, and nobody is asked anything any more */
    void *context;
};

/* Begins to answer, on a thread of its own: by what the profile knows (known_answers.h), and else by the prompter.
 * -errno. */
CFS_CHECKED int cfs_askpass_start(const struct cfs_askpass_wish *wish, struct cfs_askpass **ret_askpass);
const char *cfs_askpass_name(const struct cfs_askpass *askpass);
/* When a person was last waited for (cfs_system_clock): INT64_MAX while one is, 0: never. Any thread. */
int64_t cfs_askpass_asked_ms(const struct cfs_askpass *askpass);
/* It is to end, as soon as the question under way has an answer. Does not wait. */
void cfs_askpass_stop(struct cfs_askpass *askpass);

struct cfs_askpass_outcome {
    bool by_person;      /* somebody had to answer or touch something */
    bool given_up;       /* who was asked did not want to */
    int64_t answered_ms; /* when a server's question was last answered (cfs_system_clock); 0: never */
    /* If it does not become a login: why not, a clause; "": ssh knows better. */
    char why[1400];
    bool is_guess; /* WHY: the password was given, and nothing was asked after that */
};
/* Waits for the end, and frees. */
void cfs_askpass_free(struct cfs_askpass *askpass, struct cfs_askpass_outcome *ret_outcome);

#endif

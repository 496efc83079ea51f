/* The command lines of ssh(1). */
#ifndef CFS_REMOTE_OPENSSH_ARGUMENTS_H
#define CFS_REMOTE_OPENSSH_ARGUMENTS_H

#include "base/error.h"
#include "conf/profile.h"

enum cfs_openssh_role {
    CFS_OPENSSH_MASTER, /* logs in, and lets others share its connection by a socket */
    CFS_OPENSSH_ALONE,  /* logs in, and shares with nobody */
    CFS_OPENSSH_LANE,   /* goes by the connection of a master, or ends: it never logs in */
};

struct cfs_openssh_call {
    enum cfs_openssh_role role;
    const char *control_path; /* the socket, absolute; not with ALONE */
    bool can_ask;             /* somebody, or something, answers ssh's questions */
    bool has_person;          /* it is somebody, who may mistype */
    bool is_again;            /* the server has been met before: no new host key, and less patience */
};

/* Whether the profile can be used with ssh at all: what cannot be handed on is refused (-EINVAL and a sentence), and so
 * are hosts, users and files that ssh, or a shell that its configuration starts, could take for something else. */
CFS_CHECKED int cfs_openssh_check(const struct cfs_profile *profile, struct cfs_error *error);
/* The program and its arguments for an SFTP stream on its stdin and stdout, of a profile that was checked. What the
 * profile does not set is left to ssh_config(5). -ENOMEM; free with cfs_words_free. */
CFS_CHECKED int cfs_openssh_arguments(const struct cfs_profile *profile, const struct cfs_openssh_call *call,
                                      cfs_words *ret_arguments);

#endif

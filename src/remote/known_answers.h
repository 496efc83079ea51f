/* What a profile knows of the answers to ssh's questions: the password, by itself or by password_command, and the
 * passphrase. What was wrong is wrong again, and sites lock accounts: the password is said once, the passphrase once
 * for a key, and where the profile has identity files, for those only. */
#ifndef CFS_REMOTE_KNOWN_ANSWERS_H
#define CFS_REMOTE_KNOWN_ANSWERS_H

#include "base/cleanup.h"
#include "conf/profile.h"

/* Of one login; all on one thread. */
struct cfs_known_answers {
    const struct cfs_profile *profile;
    int cancel_fd;   /* readable: password_command is to be ended */
    bool has_person; /* who may have to unlock what password_command asks: it takes as long as it takes */
    /* what has come of it: */
    bool password_used;
    bool unlocked_at_host;
    char unlocked[512]; /* the last question that the passphrase was the answer to, and who asked */
    bool by_person;     /* password_command took so long that somebody was needed for it */
    char why[1400];     /* a clause: why password_command has given none; "" */
};

/* Whether ssh itself asks, on this machine, for what unlocks a key: a passphrase, or the PIN of a token. */
bool cfs_known_answers_is_for_key(const char *question);
/* Whether a server asks for the password (ssh/auth_question.h), by either of the two methods. */
bool cfs_known_answers_is_password(const char *question);
/* There is a password that was not said yet. */
bool cfs_known_answers_has_password(const struct cfs_known_answers *known);
/* 0 and the answer, a secret; -ENOENT: it is not known, or was said; -EACCES: password_command has none to give,
 * -ECANCELED; -ENOMEM. IS_AT_HOST: the question comes from the profile's host. Another one (a jump host of ssh_config)
 * is not told its password. May wait for password_command. */
CFS_CHECKED int cfs_known_answers_find(struct cfs_known_answers *known, const char *question, bool is_at_host,
                                       char **ret_answer);

#endif

/* Programs that ask the person where there is no terminal: the one in SSH_ASKPASS (ssh(1), ENVIRONMENT), and for mounts
 * that mount(8) has begun systemd-ask-password(1). On the thread of whoever asks; one question at a time. */
#ifndef CFS_CLI_ASKER_H
#define CFS_CLI_ASKER_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>

enum cfs_asker_kind {
    CFS_ASKER_SECRET,
    CFS_ASKER_SHOWN,   /* the answer may be shown while it is typed */
    CFS_ASKER_CONFIRM, /* yes or no: the program is told so (SSH_ASKPASS_PROMPT=confirm). An empty answer is none */
};

/* SSH_ASKPASS_REQUIRE wants the program also where there is a terminal. */
bool cfs_asker_is_preferred(void);
/* A program would be asked. */
bool cfs_asker_is_there(void);
/* Asks TEXT; the first line of what the program prints goes to ANSWER (SIZE bytes), which the caller wipes. -ENOTTY
 * when there is no program for it, -ECANCELED when the person gave up, or the program had no answer. */
CFS_CHECKED int cfs_asker_ask(const char *text, enum cfs_asker_kind kind, char *answer, size_t size);
/* From now on systemd-ask-password may be used: nobody is there who could be asked otherwise, the machine boots
 * perhaps.
 */
void cfs_asker_allow_system(void);

#endif

/* What a server's question asks for. */
#ifndef CFS_SSH_AUTH_QUESTION_H
#define CFS_SSH_AUTH_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the server asks for the password, and not for a code, a token or a name. ECHO: the answer is to be shown.
 * ALONE: it is the only question of its request. Pure. */
bool cfs_auth_question_is_password(const char *text, size_t length, bool echo, bool alone);

#endif

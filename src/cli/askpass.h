/* clusterfs as the program that ssh(1) asks by (SSH_ASKPASS). */
#ifndef CFS_CLI_ASKPASS_H
#define CFS_CLI_ASKPASS_H

/* NAME is that of the socket of who has started ssh (remote/askpass.h), QUESTION what ssh asks. Prints the answer.
 * Returns the exit code: 0, or 1 for no answer. */
int cfs_askpass(const char *name, const char *question);

#endif

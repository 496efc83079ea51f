/* The person at the terminal, as the SSH floor sees him. */
#ifndef CFS_CLI_TERMINAL_H
#define CFS_CLI_TERMINAL_H

#include "ssh/prompter.h"

/* Asks on /dev/tty; without a terminal, or when SSH_ASKPASS_REQUIRE says so, by the program in SSH_ASKPASS, as ssh(1)
 * does (needs DISPLAY or WAYLAND_DISPLAY unless it is "force"); see asker.h. Static: not to be freed. */
struct cfs_prompter *cfs_terminal_prompter(void);

#endif

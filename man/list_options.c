/* Writes the option list of the manual, in roff, from the option table. Runs while the manual is built. */
#include "conf/profile.h"

int main(void)
{
    cfs_options_write_man(stdout);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

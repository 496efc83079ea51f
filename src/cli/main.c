/* The program's entry: picks the subcommand by its name. Nothing is here yet but its version. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts(PACKAGE_STRING);
        return 0;
    }
    fprintf(stderr, "clusterfs: not written yet; try --version\n");
    return 1;
}

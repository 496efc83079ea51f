/*
 * Stands in for libFuzzer in an ordinary build: gives each file named on the command line (or each file of
 * a folder named there) to the fuzz program's one function, so that `make check` replays the corpus and what once
 * crashed stays fixed.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0;
    size_t room = 0;
    size_t got;

    if (!file) {
        perror(path);
        return -1;
    }
    do {
        if (size == room) {
            room = room ? room * 2 : 65536;
            uint8_t *larger = realloc(data, room);
            if (!larger) {
                fprintf(stderr, "%s: out of memory\n", path);
                free(data);
                fclose(file);
                return -1;
            }
            data = larger;
        }
        got = fread(data + size, 1, room - size, file);
        size += got;
    } while (got > 0);
    fclose(file);

    /* Memory of the exact size, so that a sanitizer sees a read behind the end. */
    uint8_t *exact = realloc(data, size ? size : 1);
    if (exact)
        data = exact;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *path, DIR *folder, int *count)
{
    const struct dirent *entry;
    char name[4096];

    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= sizeof(name))
            return -1;
        if (replay_file(name) < 0)
            return -1;
        *count += 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        int status;

        if (folder) {
            status = replay_folder(argv[i], folder, &count);
            closedir(folder);
        } else {
            status = replay_file(argv[i]);
            count += 1;
        }
        if (status < 0)
            return 1;
    }
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}

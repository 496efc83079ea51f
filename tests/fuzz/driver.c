/* Stands in for libFuzzer in an ordinary build: gives a fuzz program its stored inputs (files, or folders of files,
 * named on the command line), and then a few thousand mutations of them. `make check` thus exercises the fuzz programs
 * everywhere, and what once crashed stays fixed.
 *
 * The same inputs make the same mutations, in any order of the folder: a failure can be repeated. Inputs are run in a
 * child process; the one that it was working on is kept in shared memory, so that the parent can show and store it,
 * whatever the child died of. CLUSTERFS_FUZZ_RUNS is the number of mutations (without it, a slow program does as many
 * as it can in BUDGET_SECONDS), CLUSTERFS_FUZZ_SEED varies them. */
#include "base/cleanup.h"
#include "base/clock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEFAULT_RUNS = 5000, INPUTS = 1000, INPUT_SIZE = 1 << 20, MUTATION_SIZE = 1 << 16 };
enum { LIMIT_SECONDS = 120 /* for one input */, BUDGET_SECONDS = 10 };

struct input {
    uint8_t *data;
    size_t size;
};

/* What the child works on; shared with the parent. */
struct current {
    uint64_t run; /* stored inputs first, then mutations */
    size_t size;
    uint8_t data[INPUT_SIZE];
};

static struct input inputs[INPUTS];
static size_t input_count;
static struct current *current;

/* --- stored inputs --- */

static int add_file(const char *path)
{
    FILE *file CFS_AUTO_FCLOSE = fopen(path, "re");
    uint8_t *data CFS_AUTO_FREE = malloc(INPUT_SIZE);
    if (!file || !data || input_count == INPUTS) {
        fprintf(stderr, "%s: %s\n", path, input_count == INPUTS ? "too many inputs" : strerror(errno));
        return -1;
    }
    size_t size = fread(data, 1, INPUT_SIZE, file);
    if (ferror(file) || !feof(file)) {
        fprintf(stderr, "%s: cannot be read, or is larger than 1 MiB\n", path);
        return -1;
    }
    inputs[input_count++] = (struct input){.data = CFS_TAKE(data), .size = size};
    return 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int add_folder(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, alphasort), rc = count < 0 ? -1 : 0;
    for (int i = 0; i < count; i++) {
        char name[4096];
        if (rc == 0 && (size_t)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name) < sizeof(name))
            rc = add_file(name);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int add(const char *path)
{
    struct stat attributes;
    if (stat(path, &attributes) < 0) {
        perror(path);
        return -1;
    }
    return S_ISDIR(attributes.st_mode) ? add_folder(path) : add_file(path);
}

/* --- mutations --- */

static uint64_t random_state;

/* A number below LIMIT (splitmix64); 0 if there is none. */
static size_t random_below(size_t limit)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return limit > 0 ? (z ^ z >> 31) % limit : 0;
}

/* Lengths and counts at which arithmetic goes wrong. */
static uint32_t interesting_number(void)
{
    static const uint32_t numbers[] = {0,          1,          2,          4,          0x7f,       0x80,
                                       0xff,       0x100,      0x7fff,     0x8000,     0xffff,     0x10000,
                                       0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffb, 0xfffffffe, 0xffffffff};
    return numbers[random_below(CFS_COUNT(numbers))];
}

static void flip_bit(struct current *input)
{
    if (input->size > 0)
        input->data[random_below(input->size)] ^= (uint8_t)(1 << random_below(8));
}

static void set_byte(struct current *input)
{
    if (input->size > 0)
        input->data[random_below(input->size)] = (uint8_t)random_below(256);
}

static void set_number(struct current *input)
{
    uint32_t number = interesting_number();
    if (input->size < sizeof(number))
        return;
    uint8_t *at = input->data + random_below(input->size - sizeof(number) + 1);
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void cut(struct current *input)
{
    size_t start = random_below(input->size + 1), length = random_below(input->size - start + 1);
    if (random_below(2))
        length = length % 5;
    memmove(input->data + start, input->data + start + length, input->size - start - length);
    input->size -= length;
}

static void insert(struct current *input, const uint8_t *data, size_t size)
{
    if (size > MUTATION_SIZE - input->size)
        size = MUTATION_SIZE - input->size;
    size_t at = random_below(input->size + 1);
    memmove(input->data + at + size, input->data + at, input->size - at);
    memcpy(input->data + at, data, size);
    input->size += size;
}

static void insert_byte(struct current *input)
{
    static const char likely[] = "\n \t=:[]#\"'\\%*?/,;.-0\r";
    uint8_t byte = random_below(2) ? (uint8_t)random_below(256) : (uint8_t)likely[random_below(sizeof(likely))];
    insert(input, &byte, 1);
}

static void insert_part_of_another(struct current *input)
{
    const struct input *other = &inputs[random_below(input_count)];
    size_t start = random_below(other->size);
    insert(input, other->data + start, random_below(other->size - start + 1));
}

static void make_mutation(uint64_t seed)
{
    static void (*const operations[])(struct current *) = {flip_bit, set_byte,    set_number,
                                                           cut,      insert_byte, insert_part_of_another};
    random_state = seed;
    const struct input *origin = &inputs[random_below(input_count)];
    current->size = origin->size < MUTATION_SIZE ? origin->size : MUTATION_SIZE;
    memcpy(current->data, origin->data, current->size);
    for (size_t left = 1 + random_below(8); left > 0; left--)
        operations[random_below(CFS_COUNT(operations))](current);
}

/* --- running --- */

static void run_current(void)
{
    /* Memory of the exact size, so that a sanitizer sees a read behind the end. */
    uint8_t *exact = malloc(current->size > 0 ? current->size : 1);
    if (!exact)
        exit(EXIT_FAILURE);
    memcpy(exact, current->data, current->size);
    alarm(LIMIT_SECONDS);
    LLVMFuzzerTestOneInput(exact, current->size);
    free(exact);
    current->run++;
}

static void free_inputs(void)
{
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].data);
    input_count = 0;
}

/* BUDGET_MS < 0: no limit. */
static void run_all(uint64_t runs, uint64_t seed, int64_t budget_ms)
{
    int64_t start_ms = cfs_clock_ms(&cfs_system_clock);
    for (size_t i = 0; i < input_count; i++) {
        current->size = inputs[i].size;
        memcpy(current->data, inputs[i].data, inputs[i].size);
        run_current();
    }
    for (uint64_t i = 0; i < runs; i++) {
        if (budget_ms >= 0 && cfs_clock_ms(&cfs_system_clock) - start_ms > budget_ms)
            break;
        make_mutation(seed + i * 0x2545f4914f6cdd1d);
        run_current();
    }
    alarm(0);
}

static void report(const char *program, int status)
{
    const char *slash = strrchr(program, '/');
    char path[256];
    snprintf(path, sizeof(path), "crash-%s", slash ? slash + 1 : program);
    fprintf(stderr, "%s: %s %d at input %llu of %zu bytes:\n", program, WIFSIGNALED(status) ? "signal" : "exit status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (unsigned long long)current->run,
            current->size);
    for (size_t i = 0; i < current->size && i < 2048; i++)
        fprintf(stderr, "%02x%s", current->data[i], i % 32 == 31 ? "\n" : "");
    FILE *file CFS_AUTO_FCLOSE = fopen(path, "we");
    if (file && fwrite(current->data, 1, current->size, file) == current->size)
        fprintf(stderr, "\nStored as %s; repeat with: %s %s\n", path, program, path);
}

/* A number from the environment. */
static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    uint64_t runs = setting("CLUSTERFS_FUZZ_RUNS", DEFAULT_RUNS), seed = setting("CLUSTERFS_FUZZ_SEED", 1);
    int rc = 0;
    for (int i = 1; i < argc && rc == 0; i++)
        rc = add(argv[i]);
    current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (rc < 0 || input_count == 0 || current == MAP_FAILED) {
        fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
        return 1;
    }
    signal(SIGALRM, SIG_DFL);
    pid_t child = fork();
    if (child == 0) {
        run_all(runs, seed, getenv("CLUSTERFS_FUZZ_RUNS") ? -1 : BUDGET_SECONDS * 1000);
        free_inputs();
        exit(EXIT_SUCCESS);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child)
        perror(argv[0]);
    else if (status != 0)
        report(argv[0], status);
    else
        printf("%s: %llu inputs, %zu of them stored\n", argv[0], (unsigned long long)current->run, input_count);
    free_inputs();
    munmap(current, sizeof(*current));
    return status == 0 ? 0 : 1;
}

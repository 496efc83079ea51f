/* Scratch folders and programs for tests. */
#include "lib/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

char *scratch_make(void)
{
    char *folder = strdup("/tmp/cfs.XXXXXX");
    assert_non_null(folder);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    remove(path); /* best effort: a test that failed must still report its own reason */
    return 0;
}

void scratch_remove(char *folder)
{
    if (folder)
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

char *scratch_path(const char *folder, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

void scratch_write(const char *path, const void *bytes, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

void scratch_write_text(const char *path, const char *text, mode_t mode)
{
    scratch_write(path, text, strlen(text), mode);
}

char *scratch_read(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *bytes = NULL;
    size_t length = 0, count;
    do {
        bytes = realloc(bytes, length + 4097);
        assert_non_null(bytes);
        count = fread(bytes + length, 1, 4096, file);
        length += count;
    } while (count > 0);
    bytes[length] = '\0';
    fclose(file);
    if (ret_length)
        *ret_length = length;
    return bytes;
}

enum { MAX_ARGUMENTS = 40 };

/* The child, or -1 when the program is not there. */
static pid_t spawn(const char *program, va_list list)
{
    const char *arguments[MAX_ARGUMENTS] = {program};
    for (int i = 1; i < MAX_ARGUMENTS - 1 && (arguments[i] = va_arg(list, const char *)); i++)
        ;
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int result = posix_spawnp(&child, program, &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return result == 0 ? child : -1;
}

static int wait_for_exit(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int scratch_run(const char *program, ...)
{
    va_list list;
    va_start(list, program);
    pid_t child = spawn(program, list);
    va_end(list);
    return child < 0 ? 127 : wait_for_exit(child);
}

bool scratch_spawn_tells(void)
{
    return !getenv("CLUSTERFS_VALGRIND"); /* its vfork() is a fork(): posix_spawn() cannot learn that exec failed */
}

pid_t scratch_start(const char *program, ...)
{
    va_list list;
    va_start(list, program);
    pid_t child = spawn(program, list);
    va_end(list);
    assert_true(child > 0);
    return child;
}

void scratch_stop(pid_t child)
{
    kill(child, SIGTERM);
    wait_for_exit(child);
}

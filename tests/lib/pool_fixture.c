/* Each server writes its process id to the end of the file "pids" of the scratch folder before it becomes
 * sftp-server. */
#include "lib/pool_fixture.h"

#include "lib/find_sftp_server.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int pool_fixture_make(void **state)
{
    struct pool_fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->folder = scratch_make();
    fixture->work = scratch_path(fixture->folder, "work");
    assert_int_equal(mkdir(fixture->work, 0700), 0);
    *state = fixture;
    return 0;
}

int pool_fixture_remove(void **state)
{
    struct pool_fixture *fixture = *state;
    cfs_pool_free(fixture->driver.remote);
    scratch_remove(fixture->folder);
    free(fixture->work);
    free(fixture);
    return 0;
}

struct cfs_transport *pool_fixture_transport(struct pool_fixture *fixture, const char *before)
{
    struct cfs_transport *transport = NULL;
    char *script CFS_AUTO_FREE = NULL, *server CFS_AUTO_FREE = strdup(find_sftp_server());
    assert_true(asprintf(&script, "%s\necho $$ >>\"$1/pids\"; exec \"$2\"", before) > 0);
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, script, (char[]){"sh"}, fixture->folder, server, NULL};
    assert_int_equal(cfs_transport_command_open(argv, &transport), 0);
    return transport;
}

static void on_lost(const char *reason, void *context)
{
    struct pool_fixture *fixture = context;
    if (reason[0] != '\0')
        atomic_fetch_add(&fixture->lost, 1);
}

int pool_fixture_open(struct pool_fixture *fixture, struct cfs_transport *transport, struct cfs_pool_options options)
{
    struct cfs_error error = {0};
    options.remote_dir = fixture->work;
    options.lost = on_lost;
    options.context = fixture;
    int result = cfs_pool_open(transport, &options, &fixture->driver.remote, &error);
    if (result)
        print_error("%s\n", error.text);
    return result;
}

struct cfs_pool_status pool_fixture_status(struct pool_fixture *fixture)
{
    struct cfs_pool_status status;
    cfs_pool_status(fixture->driver.remote, &status);
    return status;
}

struct cfs_remote_file *pool_fixture_file(struct pool_fixture *fixture, const char *path, int flags)
{
    struct cfs_remote_file *file = NULL;
    assert_int_equal(sync_open(&fixture->driver, path, flags, 0644, &file), 0);
    return file;
}

size_t pool_fixture_servers(struct pool_fixture *fixture, pid_t pids[POOL_FIXTURE_SERVERS])
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->folder, "pids");
    FILE *file = fopen(path, "r");
    size_t count = 0;
    int pid;
    assert_non_null(file);
    while (fscanf(file, "%d", &pid) == 1) {
        assert_true(count < POOL_FIXTURE_SERVERS);
        pids[count++] = pid;
    }
    fclose(file);
    return count;
}

void pool_fixture_check_content(struct pool_fixture *fixture, const char *name, const char *expected)
{
    char buffer[256] = "";
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(buffer, 1, sizeof(buffer) - 1, file);
    fclose(file);
    assert_int_equal(length, strlen(expected));
    assert_string_equal(buffer, expected);
}

void pool_fixture_make_file(struct pool_fixture *fixture, const char *name, const char *content)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

bool pool_fixture_has(struct pool_fixture *fixture, const char *name)
{
    struct stat status;
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    return lstat(path, &status) == 0;
}

mode_t pool_fixture_mode(struct pool_fixture *fixture, const char *name)
{
    struct stat status = {0};
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

bool pool_fixture_is_below_us(pid_t pid)
{
    for (int depth = 0; depth < 4 && pid > 1; depth++) {
        char path[64], line[128];
        int parent = 0;
        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        FILE *status = fopen(path, "r");
        while (status && fgets(line, sizeof(line), status) && sscanf(line, "PPid: %d", &parent) != 1)
            ;
        if (status)
            fclose(status);
        if (parent == getpid())
            return true;
        pid = parent;
    }
    return false;
}

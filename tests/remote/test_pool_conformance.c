/* The pool keeps the contract over OpenSSH's sftp-server, over an old server that can nothing and cuts its reads, and
 * over one that allows a single channel. */
#include "lib/find_sftp_server.h"
#include "lib/remote_conformance.h"
#include "lib/remote_sync.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include "remote/pool.h"
#include <sys/stat.h>

struct fixture {
    struct remote_driver driver; /* first: it is what *state points at */
    char *folder;
};

static char **server;
static unsigned lanes;

static int setup(void **state)
{
    struct cfs_transport *transport;
    struct cfs_error error = {0};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->folder = scratch_make();
    struct cfs_pool_options options = {.lanes = lanes, .op_timeout_ms = TEST_LIMIT_MS, .remote_dir = fixture->folder};
    assert_int_equal(cfs_transport_command_open(server, &transport), 0);
    if (cfs_pool_open(transport, &options, &fixture->driver.remote, &error)) {
        print_error("%s\n", error.text);
        scratch_remove(fixture->folder);
        free(fixture);
        return -1;
    }
    *state = &fixture->driver;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    cfs_pool_free(fixture->driver.remote);
    scratch_remove(fixture->folder);
    free(fixture);
    return 0;
}

int main(void)
{
    /* The server's umask: what is created must have the mode that was asked for nevertheless. */
    umask(077);
    const char *path = find_sftp_server();
    const char *build = getenv("top_builddir");
    char old_server[4096];
    if (!path)
        return 77;
    char *plain[] = {(char[]){"sftp-server"}, NULL};
    plain[0] = strdup(path);
    server = plain;
    lanes = 3;
    int failures = remote_conformance("over sftp-server", setup, teardown);
    lanes = 1;
    failures += remote_conformance("over sftp-server, one lane", setup, teardown);
    snprintf(old_server, sizeof(old_server), "%s/tests/lib/old_sftp_server", build ? build : ".");
    char *old[] = {old_server, (char[]){"-x"}, (char[]){"-r"}, (char[]){"16384"}, NULL};
    server = old;
    lanes = 3;
    failures += remote_conformance("over an old server", setup, teardown);
    free(plain[0]);
    return failures;
}

/* The client against OpenSSH's own sftp-server: every request, many at once, and large files. */
#include "lib/test.h"

#include "base/text.h"
#include "lib/find_sftp_server.h"
#include "lib/scratch.h"
#include "lib/sftp_real.h"
#include <sys/stat.h>

struct server {
    struct sftp_real real;
    struct cfs_sftp_client *client; /* of `real` */
    char *folder;
};

static void start(struct server *server)
{
    char *path CFS_AUTO_FREE = find_sftp_server() ? strdup(find_sftp_server()) : NULL;
    char *argv[] = {path, NULL};

    real_start(&server->real, argv);
    server->client = server->real.client;
    server->folder = scratch_make();
}

static void stop(struct server *server)
{
    assert_int_equal(server->real.lost, 0);
    real_stop(&server->real);
    scratch_remove(server->folder);
}

#define AUTO_PATH(variable, server, name) char *variable CFS_AUTO_FREE = scratch_path((server)->folder, name)
/* Submits a request with a fresh answer, waits for it, and gives its error. */
#define ASK(server, answer, submit, ...)                                                                               \
    ((answer) = peer_answer(),                                                                                         \
     real_result(&(server)->real, &(answer), submit((server)->client, &(answer).request, __VA_ARGS__)))

static bool offers(const struct server *server, uint32_t extensions)
{
    return (cfs_sftp_client_extensions(server->client) & extensions) == extensions;
}

static struct cfs_sftp_handle open_file(struct server *server, const char *path, uint32_t flags)
{
    struct peer_answer answer;

    assert_int_equal(ASK(server, answer, cfs_sftp_open, path, flags, NULL), 0);
    return answer.handle;
}

static void close_file(struct server *server, const struct cfs_sftp_handle *handle)
{
    struct peer_answer answer;

    assert_int_equal(ASK(server, answer, cfs_sftp_close, handle), 0);
}

static void a_file_lives(void **state)
{
    struct server server;
    struct peer_answer answer;
    struct cfs_sftp_handle handle;
    struct cfs_sftp_attributes change = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = 0640};

    start(&server);
    AUTO_PATH(path, &server, "file");
    assert_int_equal(ASK(&server, answer, cfs_sftp_open, path, SSH_FXF_READ, NULL), -ENOENT);
    handle = open_file(&server, path, SSH_FXF_READ | SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL);
    assert_int_equal(ASK(&server, answer, cfs_sftp_open, path, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL, NULL),
                     -EIO);
    assert_int_equal(ASK(&server, answer, cfs_sftp_write, &handle, 3, "lo world", 8), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_write, &handle, 0, "hel", 3), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_read, &handle, 6, 100), 0);
    assert_int_equal(answer.data_length, 5);
    assert_memory_equal(answer.data, "world", 5);
    assert_int_equal(ASK(&server, answer, cfs_sftp_read, &handle, 11, 100), -ENODATA);
    assert_int_equal(answer.status, SSH_FX_EOF);
    assert_int_equal(ASK(&server, answer, cfs_sftp_fsetstat, &handle, &change), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_fstat, &handle), 0);
    assert_int_equal(answer.attributes.size, 11);
    assert_int_equal(answer.attributes.permissions, S_IFREG | 0640);
    change = (struct cfs_sftp_attributes){
        .flags = SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_ACMODTIME, .size = 4, .atime = 1000, .mtime = 2000};
    assert_int_equal(ASK(&server, answer, cfs_sftp_setstat, path, &change), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_stat, path), 0);
    assert_int_equal(answer.attributes.size, 4);
    assert_int_equal(answer.attributes.atime, 1000);
    assert_int_equal(answer.attributes.mtime, 2000);
    if (offers(&server, CFS_SFTP_FSYNC))
        assert_int_equal(ASK(&server, answer, cfs_sftp_fsync, &handle), 0);
    close_file(&server, &handle);
    assert_true(ASK(&server, answer, cfs_sftp_fstat, &handle) < 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_remove, path), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_lstat, path), -ENOENT);
    stop(&server);
}

static void names_change(void **state)
{
    struct server server;
    struct peer_answer answer;
    struct cfs_sftp_handle handle;

    start(&server);
    AUTO_PATH(a, &server, "a");
    AUTO_PATH(b, &server, "b");
    AUTO_PATH(c, &server, "c");
    handle = open_file(&server, a, SSH_FXF_WRITE | SSH_FXF_CREAT);
    close_file(&server, &handle);
    assert_int_equal(ASK(&server, answer, cfs_sftp_rename, a, b), 0);
    handle = open_file(&server, a, SSH_FXF_WRITE | SSH_FXF_CREAT);
    assert_int_equal(ASK(&server, answer, cfs_sftp_write, &handle, 0, "new", 3), 0);
    close_file(&server, &handle);
    assert_int_equal(ASK(&server, answer, cfs_sftp_rename, a, b), -EIO);
    if (offers(&server, CFS_SFTP_POSIX_RENAME)) {
        assert_int_equal(ASK(&server, answer, cfs_sftp_posix_rename, a, b), 0);
        assert_int_equal(ASK(&server, answer, cfs_sftp_lstat, b), 0);
        assert_int_equal(answer.attributes.size, 3);
    }
    if (offers(&server, CFS_SFTP_HARDLINK)) {
        struct stat one, other;

        assert_int_equal(ASK(&server, answer, cfs_sftp_hardlink, b, c), 0);
        assert_int_equal(lstat(b, &one), 0);
        assert_int_equal(lstat(c, &other), 0);
        assert_int_equal(one.st_ino, other.st_ino);
    }
    stop(&server);
}

static void links_are_made_and_read(void **state)
{
    struct server server;
    struct peer_answer answer;
    struct cfs_sftp_attributes change = {.flags = SSH_FILEXFER_ATTR_ACMODTIME, .atime = 3000, .mtime = 4000};

    start(&server);
    AUTO_PATH(link, &server, "link");
    assert_int_equal(ASK(&server, answer, cfs_sftp_symlink, "nowhere/at all", link), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_readlink, link), 0);
    assert_string_equal(answer.first_name, "nowhere/at all");
    assert_int_equal(ASK(&server, answer, cfs_sftp_lstat, link), 0);
    assert_true(S_ISLNK(answer.attributes.permissions));
    assert_int_equal(ASK(&server, answer, cfs_sftp_stat, link), -ENOENT);
    if (offers(&server, CFS_SFTP_LSETSTAT)) {
        assert_int_equal(ASK(&server, answer, cfs_sftp_lsetstat, link, &change), 0);
        assert_int_equal(ASK(&server, answer, cfs_sftp_lstat, link), 0);
        assert_int_equal(answer.attributes.mtime, 4000);
    }
    stop(&server);
}

static void folders_are_made_listed_and_removed(void **state)
{
    enum { COUNT = 250 };
    struct server server;
    struct peer_answer answer;
    struct cfs_sftp_handle handle;
    size_t seen = 0;

    start(&server);
    AUTO_PATH(folder, &server, "folder");
    assert_int_equal(ASK(&server, answer, cfs_sftp_mkdir, folder, NULL), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_mkdir, folder, NULL), -EIO);
    for (int i = 0; i < COUNT; i++) {
        char *path CFS_AUTO_FREE = cfs_text_format("%s/%d", folder, i);

        assert_int_equal(ASK(&server, answer, cfs_sftp_mkdir, path, NULL), 0);
    }
    assert_int_equal(ASK(&server, answer, cfs_sftp_opendir, folder), 0);
    handle = answer.handle;
    while (ASK(&server, answer, cfs_sftp_readdir, &handle) == 0)
        seen += answer.name_count;
    assert_int_equal(answer.error, -ENODATA);
    assert_int_equal(answer.status, SSH_FX_EOF);
    assert_int_equal(seen, COUNT + 2); /* "." and ".." */
    close_file(&server, &handle);
    assert_int_equal(ASK(&server, answer, cfs_sftp_rmdir, folder), -EIO);
    for (int i = 0; i < COUNT; i++) {
        char *path CFS_AUTO_FREE = cfs_text_format("%s/%d", folder, i);

        assert_int_equal(ASK(&server, answer, cfs_sftp_rmdir, path), 0);
    }
    assert_int_equal(ASK(&server, answer, cfs_sftp_rmdir, folder), 0);
    stop(&server);
}

static void paths_and_the_file_system_are_told(void **state)
{
    struct server server;
    struct peer_answer answer;
    struct cfs_sftp_handle handle;
    struct cfs_sftp_limits limits;

    start(&server);
    AUTO_PATH(roundabout, &server, "../././");
    char *above CFS_AUTO_FREE = realpath(roundabout, NULL);
    AUTO_PATH(path, &server, "file");
    assert_int_equal(ASK(&server, answer, cfs_sftp_realpath, roundabout), 0);
    assert_string_equal(answer.first_name, above);
    handle = open_file(&server, path, SSH_FXF_WRITE | SSH_FXF_CREAT);
    if (offers(&server, CFS_SFTP_STATVFS | CFS_SFTP_FSTATVFS)) {
        struct peer_answer by_handle;

        assert_int_equal(ASK(&server, answer, cfs_sftp_statvfs, server.folder), 0);
        assert_true(answer.statvfs.blocks >= answer.statvfs.bfree);
        assert_int_equal(answer.statvfs.namemax, 255);
        assert_int_equal(ASK(&server, by_handle, cfs_sftp_fstatvfs, &handle), 0);
        assert_int_equal(by_handle.statvfs.blocks, answer.statvfs.blocks);
    }
    close_file(&server, &handle);
    if (offers(&server, CFS_SFTP_EXPAND_PATH)) {
        assert_int_equal(ASK(&server, answer, cfs_sftp_expand_path, "~"), 0);
        assert_int_equal(answer.first_name[0], '/');
    }
    if (offers(&server, CFS_SFTP_USERS_GROUPS_BY_ID)) {
        const uint32_t root = 0;

        assert_int_equal(ASK(&server, answer, cfs_sftp_users_groups_by_id, &root, 1, &root, 1), 0);
        assert_int_equal(answer.extended_length, 8);
        assert_memory_equal(answer.extended, "\0\0\0\4root", 8);
    }
    limits = *cfs_sftp_client_limits(server.client);
    assert_int_equal(limits.told, offers(&server, CFS_SFTP_LIMITS));
    if (limits.told)
        assert_int_equal(limits.write_size, 261120);
    stop(&server);
}

static void data_is_copied_on_the_server(void **state)
{
    struct server server;
    struct peer_answer answer;
    struct cfs_sftp_handle from, to;

    start(&server);
    AUTO_PATH(a, &server, "a");
    AUTO_PATH(b, &server, "b");
    if (!offers(&server, CFS_SFTP_COPY_DATA)) {
        stop(&server);
        skip();
    }
    from = open_file(&server, a, SSH_FXF_READ | SSH_FXF_WRITE | SSH_FXF_CREAT);
    to = open_file(&server, b, SSH_FXF_READ | SSH_FXF_WRITE | SSH_FXF_CREAT);
    assert_int_equal(ASK(&server, answer, cfs_sftp_write, &from, 0, "0123456789", 10), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_copy_data, &from, 2, 3, &to, 1), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_copy_data, &from, 7, 0, &to, 4), 0);
    assert_int_equal(ASK(&server, answer, cfs_sftp_read, &to, 0, 100), 0);
    assert_int_equal(answer.data_length, 7);
    assert_memory_equal(answer.data, "\000234789", 7);
    stop(&server);
}

/* --- many at once --- */

struct counted {
    struct cfs_sftp_request request;
    unsigned *done;
    int error;
};

static void count_answer(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct counted *counted = cfs_container_of(request, struct counted, request);

    counted->error = reply->error;
    ++*counted->done;
}

static void ten_thousand_requests_may_be_in_flight(void **state)
{
    enum { COUNT = 10000 };
    struct counted *requests CFS_AUTO_FREE = calloc(COUNT, sizeof(*requests));
    unsigned done = 0;
    struct server server;

    assert_non_null(requests);
    start(&server);
    AUTO_PATH(missing, &server, "missing");
    for (size_t i = 0; i < COUNT; i++) {
        requests[i] = (struct counted){.request = {.done = count_answer}, .done = &done};
        assert_int_equal(cfs_sftp_lstat(server.client, &requests[i].request, i % 2 ? missing : server.folder), 0);
    }
    assert_int_equal(cfs_sftp_client_in_flight(server.client), COUNT);
    real_wait(&server.real, &done, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(requests[i].error, i % 2 ? -ENOENT : 0);
    assert_int_equal(cfs_sftp_client_in_flight(server.client), 0);
    stop(&server);
}

static void nine_in_ten_may_be_cancelled(void **state)
{
    enum { COUNT = 1000 };
    struct counted *requests CFS_AUTO_FREE = calloc(COUNT, sizeof(*requests));
    unsigned done = 0;
    struct server server;
    struct peer_answer answer;

    assert_non_null(requests);
    start(&server);
    for (size_t i = 0; i < COUNT; i++) {
        requests[i] = (struct counted){.request = {.done = count_answer}, .done = &done};
        assert_int_equal(cfs_sftp_opendir(server.client, &requests[i].request, server.folder), 0);
        if (i % 10)
            cfs_sftp_cancel(server.client, &requests[i].request);
    }
    /* sftp-server answers in order: when this is answered, all before it are. */
    assert_int_equal(ASK(&server, answer, cfs_sftp_lstat, server.folder), 0);
    assert_int_equal(done, COUNT / 10);
    /* Each handle that nobody wanted is being closed, and the answers to that come before this one's. */
    assert_int_equal(ASK(&server, answer, cfs_sftp_lstat, server.folder), 0);
    assert_int_equal(cfs_sftp_client_in_flight(server.client), 0);
    stop(&server);
}

/* --- a large file --- */

enum {
    FILE_SIZE = 20 * 1000 * 1000 + 17,
    PIECE = 255 * 1024,
    PIECES = (FILE_SIZE + PIECE - 1) / PIECE,
};

static uint32_t piece_length(size_t index)
{
    size_t left = FILE_SIZE - index * PIECE;

    return left < PIECE ? (uint32_t)left : PIECE;
}

struct piece {
    struct cfs_sftp_request request;
    unsigned *done;
    int error;
    size_t length;
};

static void piece_done(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct piece *piece = cfs_container_of(request, struct piece, request);

    piece->error = reply->error;
    piece->length = reply->data_length;
    if (reply->data)
        assert_ptr_equal(reply->data, request->destination);
    ++*piece->done;
}

static void read_back(struct server *server, const struct cfs_sftp_handle *handle, uint8_t *copy)
{
    struct piece *pieces CFS_AUTO_FREE = calloc(PIECES, sizeof(*pieces));
    unsigned done = 0;

    assert_non_null(pieces);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = (struct piece){.request = {.done = piece_done, .destination = copy + i * PIECE}, .done = &done};
        assert_int_equal(cfs_sftp_read(server->client, &pieces[i].request, handle, i * PIECE, piece_length(i)), 0);
    }
    real_wait(&server->real, &done, PIECES);
    for (size_t i = 0; i < PIECES; i++) {
        assert_int_equal(pieces[i].error, 0);
        assert_int_equal(pieces[i].length, piece_length(i));
    }
}

static void a_large_file_goes_and_comes_with_everything_in_flight(void **state)
{
    uint8_t *data CFS_AUTO_FREE = malloc(FILE_SIZE);
    uint8_t *copy CFS_AUTO_FREE = calloc(1, FILE_SIZE);
    struct counted *writes CFS_AUTO_FREE = calloc(PIECES, sizeof(*writes));
    unsigned done = 0;
    struct cfs_sftp_handle handle;
    struct server server;
    uint32_t random = 1;

    assert_true(data && copy && writes);
    for (size_t i = 0; i < FILE_SIZE; i++) {
        random = random * 1664525 + 1013904223;
        data[i] = (uint8_t)(random >> 24);
    }
    start(&server);
    AUTO_PATH(path, &server, "large");
    if (cfs_sftp_client_limits(server.client)->write_size < PIECE) {
        stop(&server);
        skip();
    }
    handle = open_file(&server, path, SSH_FXF_READ | SSH_FXF_WRITE | SSH_FXF_CREAT);
    for (size_t i = 0; i < PIECES; i++) {
        writes[i] = (struct counted){.request = {.done = count_answer}, .done = &done};
        assert_int_equal(
            cfs_sftp_write(server.client, &writes[i].request, &handle, i * PIECE, data + i * PIECE, piece_length(i)),
            0);
    }
    real_wait(&server.real, &done, PIECES);
    for (size_t i = 0; i < PIECES; i++)
        assert_int_equal(writes[i].error, 0);
    read_back(&server, &handle, copy);
    assert_memory_equal(copy, data, FILE_SIZE);
    close_file(&server, &handle);
    stop(&server);
}

/* --- a server that is none --- */

static void a_program_that_ends_is_a_lost_server(void **state)
{
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){"echo no such subsystem >&2; exit 1"}, NULL};
    struct sftp_real real;

    real_start_only(&real, argv);
    real_wait(&real, &real.lost, 1);
    assert_false(real.ready);
    assert_non_null(strstr(real.lost_reason, "no such subsystem"));
    real_stop(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_lives),
        cmocka_unit_test(names_change),
        cmocka_unit_test(links_are_made_and_read),
        cmocka_unit_test(folders_are_made_listed_and_removed),
        cmocka_unit_test(paths_and_the_file_system_are_told),
        cmocka_unit_test(data_is_copied_on_the_server),
        cmocka_unit_test(ten_thousand_requests_may_be_in_flight),
        cmocka_unit_test(nine_in_ten_may_be_cancelled),
        cmocka_unit_test(a_large_file_goes_and_comes_with_everything_in_flight),
        cmocka_unit_test(a_program_that_ends_is_a_lost_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Status and evidence give the errno of a local file system; only what a rule looks at is probed. */
#include "base/cleanup.h"
#include "lib/test.h"
#include "remote/diagnose.h"
#include "remote/remote.h"
#include "sftp/protocol.h"
#include <sys/stat.h>

enum { ALL = (1 << CFS_PROBES) - 1 };

#define CASE(on, status_code, errno_value, ...)                                                                        \
    {                                                                                                                  \
        .operation = CFS_DIAGNOSE_##on, .status = status_code, .expected = errno_value, __VA_ARGS__                    \
    }

/* Initialisers of a node. */
#define FOLDER                                                                                                         \
    {                                                                                                                  \
        true, S_IFDIR | 0755                                                                                           \
    }
#define STICKY                                                                                                         \
    {                                                                                                                  \
        true, S_IFDIR | 01777                                                                                          \
    }
#define FILE_NODE                                                                                                      \
    {                                                                                                                  \
        true, S_IFREG | 0644                                                                                           \
    }
#define PROGRAM                                                                                                        \
    {                                                                                                                  \
        true, S_IFREG | 0755                                                                                           \
    }
#define LINK_NODE                                                                                                      \
    {                                                                                                                  \
        true, S_IFLNK | 0777                                                                                           \
    }
#define SOCKET                                                                                                         \
    {                                                                                                                  \
        true, S_IFSOCK | 0755                                                                                          \
    }
#define ABSENT                                                                                                         \
    {                                                                                                                  \
        false, 0                                                                                                       \
    }

static const struct {
    enum cfs_diagnose_operation operation;
    uint32_t status;
    struct cfs_diagnose_evidence evidence;
    int expected;
    bool same_parent;
    unsigned setting;
} cases[] = {
    CASE(LSTAT, SSH_FX_OK, 0, .evidence.answered = ALL),
    CASE(LSTAT, SSH_FX_NO_SUCH_FILE, -ENOENT, .evidence.answered = ALL, .evidence.parent = FILE_NODE),
    CASE(LSTAT, SSH_FX_PERMISSION_DENIED, -EACCES, .evidence.answered = ALL),
    CASE(LSTAT, SSH_FX_BAD_MESSAGE, -EINVAL, .evidence.answered = ALL),
    CASE(MKDIR, SSH_FX_FAILURE, -EEXIST, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.space = {1, true, true}),
    CASE(MKDIR, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.space = {1, true, false}),
    CASE(MKDIR, SSH_FX_FAILURE, -ENOSPC, .evidence.answered = ALL, .evidence.space = {1, false, true}),
    CASE(MKDIR, SSH_FX_FAILURE, -EDQUOT, .evidence.answered = ALL),
    CASE(MKDIR, SSH_FX_FAILURE, -EIO, .evidence.answered = ALL & ~CFS_PROBE_SPACE),
    CASE(MKDIR, SSH_FX_NO_SUCH_FILE, -ENOTDIR, .evidence.answered = ALL, .evidence.parent = FILE_NODE),
    CASE(MKDIR, SSH_FX_NO_SUCH_FILE, -ENOENT, .evidence.answered = ALL, .evidence.parent = ABSENT),
    CASE(MKDIR, SSH_FX_PERMISSION_DENIED, -EACCES, .evidence.answered = ALL, .evidence.parent = FOLDER),
    CASE(SYMLINK, SSH_FX_FAILURE, -EEXIST, .evidence.answered = ALL, .evidence.target = LINK_NODE),
    CASE(RMDIR, SSH_FX_FAILURE, -ENOTEMPTY, .evidence.answered = ALL, .evidence.target = FOLDER),
    CASE(RMDIR, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.space = {1, true, false}),
    CASE(RMDIR, SSH_FX_NO_SUCH_FILE, -ENOTDIR, .evidence.answered = ALL, .evidence.target = FILE_NODE),
    CASE(RMDIR, SSH_FX_NO_SUCH_FILE, -ENOTDIR, .evidence.answered = ALL, .evidence.target = LINK_NODE),
    CASE(RMDIR, SSH_FX_NO_SUCH_FILE, -ENOENT, .evidence.answered = ALL, .evidence.parent = FOLDER),
    CASE(RMDIR, SSH_FX_PERMISSION_DENIED, -EPERM, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.parent = STICKY),
    CASE(UNLINK, SSH_FX_FAILURE, -EISDIR, .evidence.answered = ALL, .evidence.target = FOLDER),
    CASE(UNLINK, SSH_FX_FAILURE, -EIO, .evidence.answered = ALL, .evidence.target = FILE_NODE),
    CASE(UNLINK, SSH_FX_PERMISSION_DENIED, -EPERM, .evidence.answered = ALL, .evidence.parent = STICKY),
    CASE(UNLINK, SSH_FX_PERMISSION_DENIED, -EACCES, .evidence.answered = ALL, .evidence.parent = FOLDER),
    CASE(LINK, SSH_FX_FAILURE, -EEXIST, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.other = FILE_NODE),
    CASE(LINK, SSH_FX_FAILURE, -EXDEV, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.space = {1, false, false}, .evidence.other_space = {2, false, false}),
    CASE(LINK, SSH_FX_PERMISSION_DENIED, -EPERM, .evidence.answered = ALL, .evidence.target = FOLDER),
    CASE(LINK, SSH_FX_OP_UNSUPPORTED, -EOPNOTSUPP, .evidence.answered = ALL),
    CASE(RENAME, SSH_FX_FAILURE, -EISDIR, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.other = FOLDER, .same_parent = true),
    CASE(RENAME, SSH_FX_FAILURE, -ENOTEMPTY, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.other = FOLDER, .same_parent = true),
    CASE(RENAME, SSH_FX_FAILURE, -EXDEV, .evidence.answered = ALL, .evidence.target = FOLDER, .evidence.other = FOLDER,
         .evidence.space = {1, false, false}, .evidence.other_space = {2, false, false}),
    CASE(RENAME, SSH_FX_FAILURE, -EXDEV, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.space = {1, false, false}, .evidence.other_space = {2, false, false}),
    CASE(RENAME, SSH_FX_FAILURE, -EXDEV, .evidence.answered = ALL, .evidence.target = FILE_NODE),
    CASE(RENAME, SSH_FX_FAILURE, -EIO, .evidence.answered = ALL, .evidence.target = FILE_NODE, .same_parent = true),
    CASE(RENAME, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.other_space = {0, true, false}),
    CASE(RENAME, SSH_FX_FAILURE, -ENOSPC, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.other_space = {0, false, true}),
    CASE(RENAME, SSH_FX_NO_SUCH_FILE, -ENOTDIR, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.other = FILE_NODE, .same_parent = true),
    CASE(RENAME, SSH_FX_NO_SUCH_FILE, -ENOTDIR, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.other_parent = FILE_NODE),
    CASE(RENAME, SSH_FX_NO_SUCH_FILE, -ENOENT, .evidence.answered = ALL, .evidence.parent = FOLDER,
         .evidence.other_parent = FOLDER),
    CASE(RENAME, SSH_FX_BAD_MESSAGE, -EINVAL, .evidence.answered = ALL),
    CASE(RENAME, SSH_FX_PERMISSION_DENIED, -EPERM, .evidence.answered = ALL, .evidence.other_parent = STICKY),
    CASE(RENAME_NOREPLACE, SSH_FX_FAILURE, -EEXIST, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.other = FILE_NODE, .same_parent = true),
    CASE(OPEN, SSH_FX_NO_SUCH_FILE, -ENOENT, .evidence.answered = ALL, .evidence.target = LINK_NODE,
         .evidence.parent = FOLDER),
    CASE(OPEN, SSH_FX_FAILURE, -ENXIO, .evidence.answered = ALL, .evidence.target = SOCKET),
    CASE(OPEN, SSH_FX_FAILURE, -EIO, .evidence.answered = ALL, .evidence.target = FILE_NODE),
    CASE(OPEN_WRITE, SSH_FX_FAILURE, -EISDIR, .evidence.answered = ALL, .evidence.target = FOLDER),
    CASE(OPEN_WRITE, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.space = {1, true, true}),
    CASE(OPEN_WRITE, SSH_FX_FAILURE, -ETXTBSY, .evidence.answered = ALL, .evidence.target = PROGRAM),
    CASE(CREATE, SSH_FX_FAILURE, -ENOSPC, .evidence.answered = ALL, .evidence.space = {1, false, true}),
    CASE(CREATE, SSH_FX_FAILURE, -EDQUOT, .evidence.answered = ALL),
    CASE(CREATE, SSH_FX_NO_SUCH_FILE, -ENOTDIR, .evidence.answered = ALL, .evidence.parent = FILE_NODE),
    CASE(CREATE_EXCLUSIVE, SSH_FX_FAILURE, -EEXIST, .evidence.answered = ALL, .evidence.target = FOLDER),
    CASE(OPEN_LISTING, SSH_FX_NO_SUCH_FILE, -ENOTDIR, .evidence.answered = ALL, .evidence.target = FILE_NODE),
    CASE(SETATTR, SSH_FX_PERMISSION_DENIED, -EPERM, .evidence.answered = ALL, .setting = CFS_REMOTE_MODE),
    CASE(SETATTR, SSH_FX_PERMISSION_DENIED, -EACCES, .evidence.answered = ALL, .setting = CFS_REMOTE_SIZE),
    CASE(SETATTR, SSH_FX_FAILURE, -EISDIR, .evidence.answered = ALL, .evidence.target = FOLDER,
         .setting = CFS_REMOTE_SIZE),
    CASE(SETATTR, SSH_FX_FAILURE, -EOPNOTSUPP, .evidence.answered = ALL, .evidence.target = LINK_NODE,
         .setting = CFS_REMOTE_MODE),
    CASE(SETATTR, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.space = {1, true, false},
         .setting = CFS_REMOTE_MODE),
    CASE(READLINK, SSH_FX_FAILURE, -EINVAL, .evidence.answered = ALL),
    CASE(READLINK, SSH_FX_BAD_MESSAGE, -EINVAL, .evidence.answered = ALL),
    CASE(WRITE, SSH_FX_FAILURE, -ENOSPC, .evidence.answered = ALL, .evidence.space = {1, false, true}),
    CASE(WRITE, SSH_FX_FAILURE, -EDQUOT, .evidence.answered = ALL),
    CASE(WRITE, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.refuses_change = true),
    CASE(WRITE, SSH_FX_FAILURE, -ENOSPC, .evidence.answered = ALL, .evidence.space = {1, false, true},
         .evidence.refuses_change = true),
    CASE(WRITE, SSH_FX_FAILURE, -EIO, .evidence.answered = 0),
    CASE(RMDIR, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.refuses_change = true),
    CASE(UNLINK, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.refuses_change = true),
    CASE(UNLINK, SSH_FX_FAILURE, -EISDIR, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.refuses_change = true),
    CASE(RENAME, SSH_FX_FAILURE, -EROFS, .evidence.answered = ALL, .evidence.target = FILE_NODE,
         .evidence.refuses_change = true),
    CASE(MKDIR, SSH_FX_FAILURE, -EEXIST, .evidence.answered = ALL, .evidence.target = FOLDER,
         .evidence.refuses_change = true),
    CASE(MKDIR, SSH_FX_FAILURE, -EDQUOT, .evidence.answered = ALL & ~CFS_PROBE_CHANGE, .evidence.refuses_change = true),
    CASE(WRITE, SSH_FX_NO_SUCH_FILE, -ESTALE, .evidence.answered = ALL),
    CASE(CLOSE, SSH_FX_FAILURE, -ENOSPC, .evidence.answered = ALL, .evidence.space = {1, false, true}),
    CASE(READ, SSH_FX_FAILURE, -EIO, .evidence.answered = ALL, .evidence.space = {1, false, true}),
    CASE(HANDLE, SSH_FX_NO_SUCH_FILE, -ESTALE, .evidence.answered = ALL),
    CASE(SETATTR_HANDLE, SSH_FX_PERMISSION_DENIED, -EPERM, .evidence.answered = ALL, .setting = CFS_REMOTE_OWNER),
    CASE(STATFS, SSH_FX_FAILURE, -EIO, .evidence.answered = ALL),
    CASE(STATFS, 4711, -EIO, .evidence.answered = ALL),
};

static void each_case_has_its_errno(void **state)
{
    for (size_t i = 0; i < CFS_COUNT(cases); i++) {
        struct cfs_diagnose_question question = {.operation = cases[i].operation,
                                                 .status = cases[i].status,
                                                 .setting = cases[i].setting,
                                                 .same_parent = cases[i].same_parent};
        int error = cfs_diagnose(&question, &cases[i].evidence);
        if (error != cases[i].expected)
            fail_msg("case %zu: operation %d, status %u: %d instead of %d", i, (int)cases[i].operation,
                     (unsigned)cases[i].status, error, cases[i].expected);
    }
}

/* The everyday answers must not cost a second round trip. */
static void success_and_plain_absence_are_not_probed(void **state)
{
    for (int operation = 0; operation < CFS_DIAGNOSE_OPERATIONS; operation++) {
        struct cfs_diagnose_question question = {.operation = operation, .status = SSH_FX_OK};
        assert_int_equal(cfs_diagnose_probes(&question), 0);
        assert_int_equal(cfs_diagnose(&question, &(struct cfs_diagnose_evidence){0}), 0);
    }
    struct cfs_diagnose_question missing = {.operation = CFS_DIAGNOSE_LSTAT, .status = SSH_FX_NO_SUCH_FILE};
    assert_int_equal(cfs_diagnose_probes(&missing), 0);
}

/* Without any evidence nothing is claimed that would need some. */
static void every_failure_is_an_errno(void **state)
{
    static const uint32_t statuses[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 31, UINT32_MAX};
    for (int operation = 0; operation < CFS_DIAGNOSE_OPERATIONS; operation++) {
        for (size_t i = 0; i < CFS_COUNT(statuses); i++) {
            struct cfs_diagnose_question question = {
                .operation = operation, .status = statuses[i], .same_parent = true};
            int error = cfs_diagnose(&question, &(struct cfs_diagnose_evidence){0});
            assert_true(error < 0);
            assert_true(statuses[i] != SSH_FX_FAILURE || error == -EIO || operation == CFS_DIAGNOSE_READLINK);
        }
    }
}

/* What a folder's own time would tell is asked for where it costs no wait, and nobody minds; else only before a guess.
 */
static void a_change_is_tried_for_guesses_and_folders_to_be_removed(void **state)
{
    for (int operation = 0; operation < CFS_DIAGNOSE_OPERATIONS; operation++) {
        struct cfs_diagnose_question question = {.operation = operation, .status = SSH_FX_FAILURE};
        assert_int_equal(!!(cfs_diagnose_probes(&question) & CFS_PROBE_CHANGE), operation == CFS_DIAGNOSE_RMDIR);
    }
    static const struct {
        enum cfs_diagnose_operation operation;
        uint32_t status;
        bool is_guess;
        struct cfs_diagnose_evidence evidence;
    } guesses[] = {
        {CFS_DIAGNOSE_WRITE, SSH_FX_FAILURE, true, {.answered = ALL}},
        {CFS_DIAGNOSE_WRITE, SSH_FX_FAILURE, true, {.answered = 0}},
        {CFS_DIAGNOSE_WRITE, SSH_FX_FAILURE, false, {.answered = ALL, .space = {1, false, true}}},
        {CFS_DIAGNOSE_WRITE, SSH_FX_PERMISSION_DENIED, false, {.answered = ALL}},
        {CFS_DIAGNOSE_RENAME, SSH_FX_FAILURE, true, {.answered = ALL, .target = FILE_NODE}},
        {CFS_DIAGNOSE_MKDIR, SSH_FX_FAILURE, false, {.answered = ALL, .target = FOLDER}},
        {CFS_DIAGNOSE_UNLINK, SSH_FX_FAILURE, true, {.answered = ALL, .target = FILE_NODE}},
        {CFS_DIAGNOSE_UNLINK, SSH_FX_FAILURE, false, {.answered = ALL, .target = FOLDER}},
        {CFS_DIAGNOSE_READ, SSH_FX_FAILURE, false, {.answered = ALL}},
        {CFS_DIAGNOSE_LSTAT, SSH_FX_NO_SUCH_FILE, false, {.answered = ALL}},
    };
    for (size_t i = 0; i < CFS_COUNT(guesses); i++) {
        struct cfs_diagnose_question question = {.operation = guesses[i].operation, .status = guesses[i].status};
        if (cfs_diagnose_is_guess(&question, &guesses[i].evidence) != guesses[i].is_guess)
            fail_msg("case %zu", i);
    }
}

static void second_paths_are_probed_only_where_there_are_two(void **state)
{
    struct cfs_diagnose_question one = {.operation = CFS_DIAGNOSE_UNLINK, .status = SSH_FX_PERMISSION_DENIED};
    struct cfs_diagnose_question two = {.operation = CFS_DIAGNOSE_RENAME, .status = SSH_FX_PERMISSION_DENIED};
    assert_int_equal(cfs_diagnose_probes(&one), CFS_PROBE_PARENT);
    assert_int_equal(cfs_diagnose_probes(&two), CFS_PROBE_PARENT | CFS_PROBE_OTHER_PARENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_has_its_errno),
        cmocka_unit_test(success_and_plain_absence_are_not_probed),
        cmocka_unit_test(every_failure_is_an_errno),
        cmocka_unit_test(a_change_is_tried_for_guesses_and_folders_to_be_removed),
        cmocka_unit_test(second_paths_are_probed_only_where_there_are_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

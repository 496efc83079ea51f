/* Status codes to errno. */
#include "lib/test.h"

#include "sftp/protocol.h"
#include "sftp/status.h"

static void known_codes_have_their_errno(void **state)
{
    assert_int_equal(cfs_sftp_status_to_errno(SSH_FX_OK), 0);
    assert_int_equal(cfs_sftp_status_to_errno(SSH_FX_EOF), -ENODATA);
    assert_int_equal(cfs_sftp_status_to_errno(SSH_FX_NO_SUCH_FILE), -ENOENT);
    assert_int_equal(cfs_sftp_status_to_errno(SSH_FX_PERMISSION_DENIED), -EACCES);
    assert_int_equal(cfs_sftp_status_to_errno(SSH_FX_FAILURE), -EIO);
    assert_int_equal(cfs_sftp_status_to_errno(SSH_FX_OP_UNSUPPORTED), -EOPNOTSUPP);
}

static void every_other_code_is_an_error(void **state)
{
    for (uint32_t status = 1; status < 300; status++)
        assert_true(cfs_sftp_status_to_errno(status) < 0);
    assert_int_equal(cfs_sftp_status_to_errno(9), -EIO);
    assert_int_equal(cfs_sftp_status_to_errno(UINT32_MAX), -EIO);
}

static void every_code_has_a_name(void **state)
{
    assert_string_equal(cfs_sftp_status_name(SSH_FX_FAILURE), "FAILURE");
    assert_string_equal(cfs_sftp_status_name(SSH_FX_OP_UNSUPPORTED), "OP_UNSUPPORTED");
    assert_string_equal(cfs_sftp_status_name(9), "unknown status");
    assert_string_equal(cfs_sftp_status_name(UINT32_MAX), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_codes_have_their_errno),
        cmocka_unit_test(every_other_code_is_an_error),
        cmocka_unit_test(every_code_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

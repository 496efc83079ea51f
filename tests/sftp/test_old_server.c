/* The client against servers that are old, poor or slow (tests/lib/old_sftp_server.c). */
#include "lib/test.h"

#include "base/clock.h"
#include "base/text.h"
#include "lib/find_sftp_server.h"
#include "lib/scratch.h"
#include "lib/sftp_real.h"

static void start(struct sftp_real *real, const char *option, const char *value)
{
    const char *folder = getenv("top_builddir");
    char *program CFS_AUTO_FREE = NULL;
    char *first CFS_AUTO_FREE = strdup(option);
    char *second CFS_AUTO_FREE = value ? strdup(value) : NULL;

    if (!find_sftp_server())
        skip();
    program = cfs_text_format("%s/tests/lib/old_sftp_server", folder ? folder : ".");
    real_start(real, (char *[]){program, first, second, NULL});
}

static void an_old_server_offers_nothing(void **state)
{
    struct peer_answer answer = peer_answer();
    struct sftp_real real;

    start(&real, "-x", NULL);
    assert_int_equal(cfs_sftp_client_extensions(real.client), 0);
    assert_false(cfs_sftp_client_limits(real.client)->told);
    assert_int_equal(real_result(&real, &answer, cfs_sftp_lstat(real.client, &answer.request, "/")), 0);
    real_stop(&real);
}

/* A short read is not the end of the file. */
static void reads_may_be_short(void **state)
{
    char *folder = scratch_make();
    char *path CFS_AUTO_FREE = scratch_path(folder, "file");
    char content[3001];
    struct peer_answer answer = peer_answer();
    struct cfs_sftp_handle handle;
    struct sftp_real real;

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)('a' + i % 23);
    scratch_write(path, content, sizeof(content), 0600);
    start(&real, "-r", "1000");
    assert_int_equal(real_result(&real, &answer, cfs_sftp_open(real.client, &answer.request, path, SSH_FXF_READ, NULL)),
                     0);
    handle = answer.handle;
    for (size_t offset = 0; offset < sizeof(content); offset += 1000) {
        size_t left = sizeof(content) - offset;

        answer = peer_answer();
        assert_int_equal(
            real_result(&real, &answer, cfs_sftp_read(real.client, &answer.request, &handle, offset, 32768)), 0);
        assert_int_equal(answer.data_length, left < 1000 ? left : 1000);
        assert_memory_equal(answer.data, content + offset, left < 64 ? left : 64);
    }
    real_stop(&real);
    scratch_remove(folder);
}

static void names_may_come_without_attributes(void **state)
{
    struct peer_answer opened = peer_answer(), answer = peer_answer();
    struct sftp_real real;

    start(&real, "-a", NULL);
    assert_int_equal(real_result(&real, &opened, cfs_sftp_opendir(real.client, &opened.request, "/")), 0);
    assert_int_equal(real_result(&real, &answer, cfs_sftp_readdir(real.client, &answer.request, &opened.handle)), 0);
    assert_true(answer.name_count >= 2);
    assert_int_equal(answer.first_attributes.flags, 0);
    real_stop(&real);
}

/* The first request is the question for limits. */
static void one_request_may_fail(void **state)
{
    struct peer_answer answers[3] = {peer_answer(), peer_answer(), peer_answer()};
    struct sftp_real real;

    start(&real, "-f", "3");
    if (!cfs_sftp_client_limits(real.client)->told) {
        real_stop(&real);
        skip();
    }
    for (size_t i = 0; i < CFS_COUNT(answers); i++)
        assert_int_equal(cfs_sftp_lstat(real.client, &answers[i].request, "/"), 0);
    for (size_t i = 0; i < CFS_COUNT(answers); i++) {
        real_wait(&real, &answers[i].done, 1);
        assert_int_equal(answers[i].error, i == 1 ? -EIO : 0);
    }
    assert_int_equal(answers[1].status, SSH_FX_FAILURE);
    real_stop(&real);
}

/* Without pipelining, this would take a minute. */
static void distance_is_paid_once(void **state)
{
    struct peer_answer answers[300];
    struct sftp_real real;
    int64_t began, took;

    start(&real, "-d", "200");
    began = cfs_clock_ms(&cfs_system_clock);
    for (size_t i = 0; i < CFS_COUNT(answers); i++) {
        answers[i] = peer_answer();
        assert_int_equal(cfs_sftp_lstat(real.client, &answers[i].request, "/"), 0);
    }
    for (size_t i = 0; i < CFS_COUNT(answers); i++)
        real_wait(&real, &answers[i].done, 1);
    took = cfs_clock_ms(&cfs_system_clock) - began;
    assert_true(took >= 190);
    assert_true(took < 30000);
    real_stop(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_server_offers_nothing),
        cmocka_unit_test(reads_may_be_short),
        cmocka_unit_test(names_may_come_without_attributes),
        cmocka_unit_test(one_request_may_fail),
        cmocka_unit_test(distance_is_paid_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

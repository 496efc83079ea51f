/* Failures for people, their exit codes, and the log's lines. */
#include "lib/scratch.h"
#include "lib/test.h"

#include "base/error.h"
#include "base/log.h"
#include <fcntl.h>
#include <sys/stat.h>

static void an_error_says_what_and_returns_errno(void **state)
{
    struct cfs_error error = {0};
    assert_int_equal(cfs_error_set(&error, ENOENT, CFS_FAILURE_KEY_FILE, "no key %s", "here"), -ENOENT);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_string_equal(error.text, "no key here");
    cfs_error_append(&error, ". Make one with %s.", "ssh-keygen");
    assert_string_equal(error.text, "no key here. Make one with ssh-keygen.");
    assert_int_equal(cfs_error_set(NULL, EIO, CFS_FAILURE_DATA, "nobody reads this"), -EIO);
    cfs_error_append(NULL, "nor this");
}

static void what_a_server_says_cannot_drive_a_terminal(void **state)
{
    struct cfs_error error = {0};
    cfs_error_set(&error, EPROTO, CFS_FAILURE_PROTOCOL, "it said: %s",
                  "\x1b]0;owned\a\r\n\xc2\x9b"
                  "2J");
    assert_string_equal(error.text, "it said: ?]0;owned??\n??2J");
    cfs_error_append(&error, "\x1b[2J");
    assert_string_equal(error.text, "it said: ?]0;owned??\n??2J?[2J");
}

static void an_error_can_be_wrapped_by_its_own_text(void **state)
{
    struct cfs_error error = {0};
    cfs_error_set(&error, EIO, CFS_FAILURE_LOST, "cause");
    cfs_error_set(&error, EIO, CFS_FAILURE_MOUNT, "wrapped: %s", error.text);
    assert_string_equal(error.text, "wrapped: cause");
    cfs_error_append(&error, " (%s)", error.text);
    assert_string_equal(error.text, "wrapped: cause (wrapped: cause)");
}

static void a_long_text_is_cut_between_characters(void **state)
{
    for (int before = 0; before < 5; before++) {
        struct cfs_error error = {0};
        char text[2 * CFS_ERROR_TEXT];
        memset(text, 'x', sizeof(text));
        /* A character of four bytes around the end, which is at CFS_ERROR_TEXT - 1. */
        memcpy(text + CFS_ERROR_TEXT - 1 - before, "\xf0\x9f\x98\x80", 4);
        text[sizeof(text) - 1] = '\0';
        cfs_error_set(&error, EIO, CFS_FAILURE_DATA, "%s", text);
        size_t cut = before == 4 ? 0 : (size_t)before;
        assert_int_equal(strlen(error.text), CFS_ERROR_TEXT - 1 - cut);
        assert_memory_equal(error.text, text, strlen(error.text));
        cfs_error_append(&error, "%s", text); /* no room, or three bytes: no overflow */
        assert_true(strlen(error.text) < CFS_ERROR_TEXT);
    }
}

static void exit_codes_and_names_are_distinct(void **state)
{
    assert_int_equal(cfs_failure_exit_code(CFS_FAILURE_NONE), 0);
    assert_int_equal(cfs_failure_exit_code(CFS_FAILURE_USAGE), 2);
    assert_int_equal(cfs_failure_exit_code(CFS_FAILURE_SYSTEM), 3);
    assert_int_equal(cfs_failure_exit_code(CFS_FAILURE_CONFIG), 10);
    assert_int_equal(cfs_failure_exit_code(CFS_FAILURE_LOGIN), 17);
    assert_int_equal(cfs_failure_exit_code(CFS_FAILURE_DATA), 24);
    assert_string_equal(cfs_failure_name(CFS_FAILURE_HOST_KEY), "host-key");
    for (int a = CFS_FAILURE_NONE; a <= CFS_FAILURE_DATA; a++) {
        assert_true(strlen(cfs_failure_name((enum cfs_failure)a)) > 0);
        for (int b = CFS_FAILURE_NONE; b < a; b++) {
            assert_int_not_equal(cfs_failure_exit_code((enum cfs_failure)a),
                                 cfs_failure_exit_code((enum cfs_failure)b));
            assert_string_not_equal(cfs_failure_name((enum cfs_failure)a), cfs_failure_name((enum cfs_failure)b));
        }
    }
}

/* --- the log --- */

static void a_log_line_has_level_source_and_profile(void **state)
{
    char *folder = scratch_make();
    char *path CFS_AUTO_FREE = scratch_path(folder, "log");
    assert_int_equal(cfs_log_to_file(path), 0);
    cfs_log_set_profile("job");
    errno = ENOTTY;
    cfs_log_warning("pool", "lost %s\nagain\x1b", "host");
    assert_int_equal(errno, ENOTTY);
    cfs_log_set_profile(NULL);
    cfs_log_error("fuse", "second");
    cfs_log_info("fuse", "dropped: %d", 1);
    cfs_log_debug("fuse", "dropped: %d", 2);
    cfs_log_set_level(CFS_LOG_DEBUG);
    cfs_log_debug("fuse", "third");
    cfs_log_set_level(CFS_LOG_WARNING);
    cfs_log_to_stderr();

    struct stat attributes;
    assert_int_equal(stat(path, &attributes), 0);
    assert_int_equal(attributes.st_mode & 0777, 0600);
    char *text CFS_AUTO_FREE = scratch_read(path, NULL);
    char expected[3][64] = {"warning pool[job]: lost host again?", "error fuse: second", "debug fuse: third"};
    char *line = text;
    for (size_t i = 0; i < CFS_COUNT(expected); i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_true(end - line > 25); /* "2026-11-21T13:40:00.123Z " */
        assert_int_equal(line[23], 'Z');
        assert_string_equal(line + 25, expected[i]);
        line = end + 1;
    }
    assert_string_equal(line, "");
    scratch_remove(folder);
}

static void a_long_log_line_is_cut_and_ends(void **state)
{
    char *folder = scratch_make();
    char *path CFS_AUTO_FREE = scratch_path(folder, "log");
    assert_int_equal(cfs_log_to_file(path), 0);
    cfs_log_error("test", "%*s", 20000, "end");
    cfs_log_error("test", "next");
    cfs_log_to_stderr();
    char *text CFS_AUTO_FREE = scratch_read(path, NULL);
    char *newline = strchr(text, '\n');
    assert_non_null(newline);
    assert_memory_equal(newline - 3, "...", 3);
    assert_true(newline - text < 5000);
    assert_non_null(strstr(newline, "error test: next\n"));
    scratch_remove(folder);
}

static void a_log_file_that_cannot_be_opened_changes_nothing(void **state)
{
    char *folder = scratch_make();
    char *path CFS_AUTO_FREE = scratch_path(folder, "log");
    assert_int_equal(cfs_log_to_file(path), 0);
    char longer[64];
    snprintf(longer, sizeof(longer), "%s/below", path);
    assert_int_equal(cfs_log_to_file(longer), -ENOTDIR);
    cfs_log_error("test", "still here");
    cfs_log_to_stderr();
    char *text CFS_AUTO_FREE = scratch_read(path, NULL);
    assert_non_null(strstr(text, "still here"));
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_and_returns_errno),
        cmocka_unit_test(what_a_server_says_cannot_drive_a_terminal),
        cmocka_unit_test(an_error_can_be_wrapped_by_its_own_text),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(exit_codes_and_names_are_distinct),
        cmocka_unit_test(a_log_line_has_level_source_and_profile),
        cmocka_unit_test(a_long_log_line_is_cut_and_ends),
        cmocka_unit_test(a_log_file_that_cannot_be_opened_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

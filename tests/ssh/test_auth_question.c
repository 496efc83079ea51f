/* Which questions of servers the password answers: those that real modules ask. */
#include "lib/test.h"

#include "ssh/auth_question.h"
#include <string.h>

static bool is_password(const char *text, bool echo, bool alone)
{
    return cfs_auth_question_is_password(text, strlen(text), echo, alone);
}

static void test_questions_for_the_password(void **state)
{
    static const char *const texts[] = {"Password: ",
                                        "Password for alice@host: ",
                                        "alice@host's password:",
                                        "PASSWORD",
                                        "Passwort: ",
                                        "Mot de passe : ",
                                        "LDAP Password: ",
                                        "First Factor: ",
                                        "(current) UNIX password: ",
                                        "Enter password: "};
    for (size_t i = 0; i < CFS_COUNT(texts); i++) {
        assert_true(is_password(texts[i], false, true));
        assert_true(is_password(texts[i], false, false));
        assert_false(is_password(texts[i], true, true)); /* who asks for a password hides it */
    }
}

static void test_questions_for_something_else(void **state)
{
    static const char *const texts[] = {"Verification code: ",
                                        "One-time password (OATH) for `alice': ",
                                        "Password & verification code: ",
                                        "Passcode or option (1-3): ",
                                        "Duo passcode: ",
                                        "OTP: ",
                                        "Enter PIN: ",
                                        "TOKEN_CODE:",
                                        "Second Factor (optional): ",
                                        "YubiKey for `alice': ",
                                        "Challenge 1234, response: ",
                                        "New password: ",
                                        "Retype new password: ",
                                        "Enter Your Microsoft verification code",
                                        "MFA Token"};
    for (size_t i = 0; i < CFS_COUNT(texts); i++) {
        assert_false(is_password(texts[i], false, true));
        assert_false(is_password(texts[i], false, false));
    }
}

static void test_a_question_of_no_known_words(void **state)
{
    assert_true(is_password("Geheimnis: ", false, true)); /* hidden, and the only one */
    assert_false(is_password("Geheimnis: ", false, false));
    assert_true(is_password("", false, true));
    assert_true(is_password("Typing tokenized passwords: ", false, true)); /* words, not parts of words */
    char text[400];
    memset(text, 'x', sizeof(text));
    assert_false(cfs_auth_question_is_password(text, sizeof(text), false, true));
    assert_true(cfs_auth_question_is_password("a\0code", 2, false, true));
    assert_false(cfs_auth_question_is_password("a\0code", 6, false, true));
    assert_true(cfs_auth_question_is_password(NULL, 0, false, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions_for_the_password),
        cmocka_unit_test(test_questions_for_something_else),
        cmocka_unit_test(test_a_question_of_no_known_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Questions of ssh's: who answers them, who may ask, and what is learned from it. */
#include "remote/askpass.h"

#include "lib/test.h"
#include <errno.h>
#include <semaphore.h>
#include <string.h>

enum { PATIENCE_S = 60 };

struct fixture {
    struct cfs_prompter prompter;
    struct cfs_profile profile;
    sem_t ended;
    struct cfs_askpass *askpass;
    const char *answer; /* of the person; NULL: gives up */
    int confirms;       /* what is said to a yes or no */
    char asked[256];    /* the last question */
    unsigned count;     /* of questions */
};

static struct fixture *of(struct cfs_prompter *prompter)
{
    return cfs_container_of(prompter, struct fixture, prompter);
}

static int ask(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    struct fixture *fixture = of(prompter);
    assert_false(echo);
    snprintf(fixture->asked, sizeof(fixture->asked), "%s", text);
    fixture->count++;
    if (!fixture->answer)
        return -ECANCELED;
    *ret_answer = strdup(fixture->answer);
    return 0;
}

static int confirm(struct cfs_prompter *prompter, const char *text)
{
    struct fixture *fixture = of(prompter);
    snprintf(fixture->asked, sizeof(fixture->asked), "%s", text);
    fixture->count++;
    return fixture->confirms;
}

static void tell(struct cfs_prompter *prompter, const char *text)
{
    (void)confirm(prompter, text);
}

static bool can_ask(struct cfs_prompter *prompter)
{
    return true;
}

static void ended(void *context)
{
    sem_post(&((struct fixture *)context)->ended);
}

static void begin(struct fixture *fixture, bool has_person)
{
    fixture->prompter = (struct cfs_prompter){.ask = ask, .confirm = confirm, .can_ask = can_ask, .tell = tell};
    sem_init(&fixture->ended, 0, 0);
    assert_int_equal(
        cfs_askpass_start(&fixture->profile, has_person ? &fixture->prompter : NULL, ended, fixture, &fixture->askpass),
        0);
}

static struct cfs_askpass_outcome end(struct fixture *fixture)
{
    struct cfs_askpass_outcome outcome;
    cfs_askpass_stop(fixture->askpass);
    while (sem_wait(&fixture->ended) < 0)
        assert_int_equal(errno, EINTR);
    cfs_askpass_free(fixture->askpass, &outcome);
    sem_destroy(&fixture->ended);
    return outcome;
}

static int call(const struct fixture *fixture, char kind, const char *question)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_un address;
    char message[CFS_ASKPASS_MESSAGE];
    int length = cfs_askpass_address(cfs_askpass_name(fixture->askpass), &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, (socklen_t)length), 0);
    assert_true(cfs_askpass_is_ours(fd));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    message[0] = kind;
    size_t count = strlen(question);
    memcpy(message + 1, question, count);
    assert_int_equal(send(fd, message, count + 1, MSG_NOSIGNAL), count + 1);
    return fd;
}

/* EXPECTED: "+answer" or "-". */
static void expect(const struct fixture *fixture, char kind, const char *question, const char *expected)
{
    char message[CFS_ASKPASS_MESSAGE + 1];
    int fd CFS_AUTO_CLOSE = call(fixture, kind, question);
    ssize_t length = recv(fd, message, sizeof(message) - 1, 0);
    assert_true(length > 0);
    message[length] = '\0';
    assert_string_equal(message, expected);
}

static void a_person_is_asked(void **state)
{
    struct fixture fixture = {.answer = "secret"};
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "Code:\033 ", "+secret");
    assert_string_equal(fixture.asked, "Code:? ");
    struct cfs_askpass_outcome outcome = end(&fixture);
    assert_true(outcome.by_person);
    assert_false(outcome.given_up);
}

static void without_a_person_nothing_is_answered(void **state)
{
    struct fixture fixture = {.answer = "secret", .confirms = 1};
    begin(&fixture, false);
    expect(&fixture, CFS_ASKPASS_ASK, "a's password: ", "-");
    expect(&fixture, CFS_ASKPASS_CONFIRM, "Allow?", "-");
    expect(&fixture, CFS_ASKPASS_ASK, "continue (yes/no)? ", "-");
    assert_false(end(&fixture).by_person);
    assert_int_equal(fixture.count, 0);
}

static void what_the_profile_knows_is_said_once(void **state)
{
    struct fixture fixture = {.answer = "typed"};
    fixture.profile.password = (char[]){"word"};
    fixture.profile.passphrase = (char[]){"phrase"};
    begin(&fixture, false);
    expect(&fixture, CFS_ASKPASS_ASK, "a@gpu's password: ", "+word");
    expect(&fixture, CFS_ASKPASS_ASK, "Enter passphrase for key '/k': ", "+phrase");
    expect(&fixture, CFS_ASKPASS_ASK, "Verification code: ", "-");
    expect(&fixture, CFS_ASKPASS_ASK, "a@gpu's password: ", "-");
    expect(&fixture, CFS_ASKPASS_ASK, "Enter passphrase for key '/k': ", "-");
    assert_false(end(&fixture).by_person);
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "a@gpu's password: ", "+word");
    expect(&fixture, CFS_ASKPASS_ASK, "a@gpu's password: ", "+typed");
    assert_true(end(&fixture).by_person);
}

/* That somebody has accepted a key does not mean that he is needed for the next login. */
static void a_host_key_is_confirmed_in_ssh_s_words(void **state)
{
    struct fixture fixture = {.confirms = 1};
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "continue connecting (yes/no/[fingerprint])? ", "+yes");
    struct cfs_askpass_outcome outcome = end(&fixture);
    assert_false(outcome.by_person || outcome.given_up);
    fixture.confirms = 0;
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "continue connecting (yes/no/[fingerprint])? ", "+no");
    assert_true(end(&fixture).given_up);
}

static void who_gives_up_is_told_apart(void **state)
{
    struct fixture fixture = {.answer = NULL};
    begin(&fixture, true);
    expect(&fixture, CFS_ASKPASS_ASK, "Code: ", "-");
    assert_true(end(&fixture).given_up);
}

static void what_is_only_told_stays_until_the_end(void **state)
{
    struct fixture fixture = {.answer = "x"};
    char byte;
    begin(&fixture, true);
    int fd CFS_AUTO_CLOSE = call(&fixture, CFS_ASKPASS_TELL, "Touch your key");
    expect(&fixture, CFS_ASKPASS_ASK, "PIN: ", "+x"); /* meanwhile */
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(end(&fixture).by_person);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    assert_int_equal(fixture.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_is_asked),
        cmocka_unit_test(without_a_person_nothing_is_answered),
        cmocka_unit_test(what_the_profile_knows_is_said_once),
        cmocka_unit_test(a_host_key_is_confirmed_in_ssh_s_words),
        cmocka_unit_test(who_gives_up_is_told_apart),
        cmocka_unit_test(what_is_only_told_stays_until_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

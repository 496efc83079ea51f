/* The order and the sentences of a login, against a scripted server: libssh2's authentication calls are replaced (by
 * the linker's --wrap), so that several factors, questions, expired passwords and cut connections can be had at will.
 * test_auth does what it can against a real sshd. */
#include "lib/test.h"

#include "base/text.h"
#include "lib/fake_prompter.h"
#include "lib/scratch.h"
#include "ssh/auth_priv.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

/* --- the server --- */

struct server {
    const char *lists[4]; /* the methods wanted, factor by factor; NULL: logged in */
    int stage;
    const char *password;
    bool expired;
    const char *prompts[3]; /* of keyboard-interactive */
    bool echoes[3];
    const char *answers[3];
    const struct cfs_buffer *key; /* the one that is taken */
    const char *algorithm;        /* that libssh2 would choose for it; NULL: it finds none */
    int cut_after;                /* the connection ends at this attempt; 0: never */
    const char *disconnect;       /* what the server says then */

    struct cfs_ssh_transport *transport;
    int attempts, listed, waits, pauses, paused;
    int patient_waits; /* without a time limit */
    bool busy;         /* the next call finds nothing to read */
    int code;
    const char *message;
    char *list; /* the last one, which libssh2 would free with the session */
    char log[512];
};

static struct server server;

static void note(const char *format, ...) CFS_PRINTF(1, 2);
static void note(const char *format, ...)
{
    size_t used = strlen(server.log);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(server.log + used, sizeof(server.log) - used, format, arguments);
    va_end(arguments);
}

static int give(int code, const char *message)
{
    server.code = code;
    server.message = message;
    return code;
}

static bool is_busy(void)
{
    server.busy = !server.busy;
    if (server.busy)
        give(LIBSSH2_ERROR_EAGAIN, "Would block");
    return server.busy;
}

/* Ends the connection when it is time; else answers an attempt. */
static int judge(bool accepted)
{
    if (++server.attempts == server.cut_after) {
        if (server.disconnect) {
            server.transport->disconnect_code = 2;
            snprintf(server.transport->disconnect_text, sizeof(server.transport->disconnect_text), "%s",
                     server.disconnect);
        }
        return give(LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED, "Waiting for USERAUTH response");
    }
    if (accepted && !server.lists[++server.stage])
        return give(0, "");
    return give(LIBSSH2_ERROR_AUTHENTICATION_FAILED, "Authentication failed");
}

int __wrap_libssh2_userauth_authenticated(LIBSSH2_SESSION *session);
int __wrap_libssh2_userauth_authenticated(LIBSSH2_SESSION *session)
{
    return !server.lists[server.stage];
}

int __wrap_libssh2_session_last_errno(LIBSSH2_SESSION *session);
int __wrap_libssh2_session_last_errno(LIBSSH2_SESSION *session)
{
    return server.code;
}

int __wrap_libssh2_session_last_error(LIBSSH2_SESSION *session, char **message, int *length, int want);
int __wrap_libssh2_session_last_error(LIBSSH2_SESSION *session, char **message, int *length, int want)
{
    *message = (char *)(uintptr_t)server.message;
    return server.code;
}

int __wrap_libssh2_userauth_banner(LIBSSH2_SESSION *session, char **banner);
int __wrap_libssh2_userauth_banner(LIBSSH2_SESSION *session, char **banner)
{
    static char text[] = "Welcome\nto \x1b[31m";
    *banner = text;
    return 0;
}

char *__wrap_libssh2_userauth_list(LIBSSH2_SESSION *session, const char *user, unsigned length);
char *__wrap_libssh2_userauth_list(LIBSSH2_SESSION *session, const char *user, unsigned length)
{
    assert_int_equal(length, strlen("alice"));
    if (is_busy())
        return NULL;
    server.listed++;
    if (!server.lists[server.stage]) {
        give(0, "");
        return NULL;
    }
    server.list = cfs_ssh_transport_allocate(server.transport, 100);
    snprintf(server.list, 100, "%s", server.lists[server.stage]);
    return server.list;
}

int __wrap_libssh2_userauth_password_ex(LIBSSH2_SESSION *session, const char *user, unsigned user_length,
                                        const char *password, unsigned length,
                                        LIBSSH2_PASSWD_CHANGEREQ_FUNC((*change)));
int __wrap_libssh2_userauth_password_ex(LIBSSH2_SESSION *session, const char *user, unsigned user_length,
                                        const char *password, unsigned length, LIBSSH2_PASSWD_CHANGEREQ_FUNC((*change)))
{
    if (is_busy())
        return server.code;
    note("password:%s ", password);
    if (server.expired)
        return give(LIBSSH2_ERROR_PASSWORD_EXPIRED, "Password Expired");
    return judge(server.password && strcmp(password, server.password) == 0);
}

int __wrap_libssh2_userauth_keyboard_interactive_ex(LIBSSH2_SESSION *session, const char *user, unsigned user_length,
                                                    LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC((*respond)));
int __wrap_libssh2_userauth_keyboard_interactive_ex(LIBSSH2_SESSION *session, const char *user, unsigned user_length,
                                                    LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC((*respond)))
{
    if (is_busy())
        return server.code;
    LIBSSH2_USERAUTH_KBDINT_PROMPT prompts[3] = {0};
    LIBSSH2_USERAUTH_KBDINT_RESPONSE responses[3] = {0};
    int count = 0;
    for (; count < 3 && server.prompts[count]; count++) {
        prompts[count].text = (unsigned char *)(uintptr_t)server.prompts[count];
        prompts[count].length = strlen(server.prompts[count]);
        prompts[count].echo = server.echoes[count];
    }
    void *abstract = server.transport;
    respond("Name", 4, "Read this", 9, count, prompts, responses, &abstract);
    bool right = true;
    note("interactive:");
    for (int i = 0; i < count; i++) {
        const char *answer = responses[i].text ? responses[i].text : "";
        note("%s ", answer);
        right = right && server.answers[i] && strcmp(answer, server.answers[i]) == 0;
        libssh2_free(session, responses[i].text);
    }
    return judge(right);
}

int __wrap_libssh2_userauth_publickey(LIBSSH2_SESSION *session, const char *user, const unsigned char *blob,
                                      size_t length, LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC((*sign)), void **abstract);
int __wrap_libssh2_userauth_publickey(LIBSSH2_SESSION *session, const char *user, const unsigned char *blob,
                                      size_t length, LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC((*sign)), void **abstract)
{
    if (is_busy())
        return server.code;
    note("key ");
    if (!server.key || length != server.key->length || memcmp(blob, server.key->bytes, length) != 0)
        return judge(false);
    if (!server.algorithm)
        return give(LIBSSH2_ERROR_METHOD_NONE, "No signing signature matched");
    struct cfs_buffer data CFS_AUTO_BUFFER = {0};
    cfs_buffer_add_text(&data, "session id");
    cfs_buffer_add_u8(&data, 50);
    cfs_buffer_add_text(&data, user);
    cfs_buffer_add_text(&data, "ssh-connection");
    cfs_buffer_add_text(&data, "publickey");
    cfs_buffer_add_u8(&data, 1);
    cfs_buffer_add_text(&data, server.algorithm);
    cfs_buffer_add_string(&data, blob, length);
    unsigned char *signature = NULL;
    size_t signature_length = 0;
    if (sign(session, &signature, &signature_length, data.bytes, data.length, abstract) != 0) {
        note("unsigned ");
        return give(LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED, "Callback returned error");
    }
    note("signed:%zu ", signature_length);
    libssh2_free(session, signature);
    return judge(true);
}

/* --- the client --- */

static char *folder;
static struct cfs_profile profile;
static struct fake_prompter fake;
static struct cfs_error error;
static char method[160];
static bool by_person;
static char *identity_paths[8];
static char *command_text;
static struct cfs_buffer public_keys[7];

static int wait_for_server(struct cfs_ssh_waiter *waiter)
{
    server.waits++;
    server.patient_waits += server.paused > 0;
    return 0;
}

static void pause_server(struct cfs_ssh_waiter *waiter)
{
    server.pauses++;
    server.paused++;
}

static void resume_server(struct cfs_ssh_waiter *waiter)
{
    server.paused--;
}

static int wait_for(struct cfs_ssh_waiter *base, struct pollfd *polls, unsigned count)
{
    return poll(polls, count, TEST_LIMIT_MS) > 0 ? 0 : -ETIMEDOUT;
}

static struct cfs_ssh_waiter waiter = {
    .wait = wait_for_server, .wait_for = wait_for, .pause = pause_server, .resume = resume_server};

static int set_up(void **state)
{
    static char host[] = "host.example", user[] = "alice";
    int pair[2];
    folder = scratch_make();
    assert_int_equal(setenv("HOME", folder, 1), 0); /* the usual identity files are there, not the tester's */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    close(pair[1]);
    server = (struct server){.message = ""};
    assert_int_equal(cfs_ssh_transport_open(pair[0], NULL, &server.transport), 0);
    profile = (struct cfs_profile){.host = host, .user = user, .port = 22, .login_timeout_ms = TEST_LIMIT_MS};
    error = (struct cfs_error){0};
    method[0] = '\0';
    memset(identity_paths, 0, sizeof(identity_paths));
    fake_prompter_init(&fake);
    return 0;
}

static int tear_down(void **state)
{
    cfs_ssh_transport_close(server.transport);
    for (size_t i = 0; i < CFS_COUNT(public_keys); i++) {
        free(identity_paths[i]);
        cfs_buffer_fini(&public_keys[i]);
    }
    free(CFS_TAKE(command_text));
    scratch_remove(folder);
    return 0;
}

/* The next identity file of the profile. */
static void add_identity(const char *type, const char *passphrase, const char *format)
{
    size_t i = 0;
    while (identity_paths[i])
        i++;
    assert_true(i < CFS_COUNT(public_keys));
    char name[16], *public_path;
    snprintf(name, sizeof(name), "key%zu", i);
    identity_paths[i] = scratch_path(folder, name);
    scratch_must_run("ssh-keygen", "-q", "-t", type, "-m", format, "-a", "1", "-N", passphrase, "-f", identity_paths[i],
                     NULL);
    assert_true(asprintf(&public_path, "%s.pub", identity_paths[i]) > 0);
    assert_int_equal(cfs_key_read_public_file(public_path, &public_keys[i]), 0);
    free(public_path);
    profile.identity_files = identity_paths;
}

static int log_in(void)
{
    struct cfs_ssh_login login = {0};
    int result =
        cfs_ssh_authenticate(server.transport->session, &profile, &fake.prompter, &waiter, NULL, NULL, &login, &error);
    snprintf(method, sizeof(method), "%s", login.method);
    by_person = login.by_person;
    assert_true((result == 0) == (error.failure == CFS_FAILURE_NONE));
    assert_null(server.transport->auth_context);
    assert_int_equal(server.paused, 0);
    libssh2_free(server.transport->session, server.list);
    server.list = NULL;
    return result;
}

#define assert_says(part)                                                                                              \
    do {                                                                                                               \
        if (!strstr(error.text, part))                                                                                 \
            fail_msg("\"%s\" is not in: %s", part, error.text);                                                        \
    } while (0)

/* --- keys --- */

static void test_the_first_key_that_is_taken_signs(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    add_identity("ecdsa", "", "RFC4716");
    server.lists[0] = "publickey,password";
    server.key = &public_keys[1];
    server.algorithm = "ecdsa-sha2-nistp256";
    assert_int_equal(log_in(), 0);
    assert_int_equal(strncmp(server.log, "key key signed:", 15), 0);
    assert_non_null(strstr(method, "publickey /tmp/"));
    assert_true(server.waits > 0);
    assert_int_equal(fake.asked, 0);
    assert_int_equal(fake.told, 1); /* the banner */
    assert_string_equal(fake.last, "Welcome\nto ?[31m");
}

static void test_the_passphrase_is_asked_for_only_when_the_key_is_taken(void **state)
{
    add_identity("ed25519", "one", "RFC4716");
    add_identity("ed25519", "two", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[1];
    server.algorithm = "ssh-ed25519";
    fake.answers[0] = "two";
    assert_int_equal(log_in(), 0);
    assert_int_equal(fake.asked, 1);
    assert_string_equal(server.log, "key key signed:64 ");
    assert_true(server.pauses > 0);
}

static void test_a_hidden_public_key_needs_its_passphrase_first(void **state)
{
    add_identity("ecdsa", "long one", "PEM");
    char *public_path = NULL;
    assert_true(asprintf(&public_path, "%s.pub", identity_paths[0]) > 0);
    assert_int_equal(unlink(public_path), 0);
    free(public_path);
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    server.algorithm = "ecdsa-sha2-nistp256";
    fake.answers[0] = "long one";
    assert_int_equal(log_in(), 0);
    assert_int_equal(fake.asked, 1);
}

static void test_a_wrong_passphrase_says_so(void **state)
{
    static char wrong[] = "wrong";
    add_identity("ed25519", "right", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    server.algorithm = "ssh-ed25519";
    profile.passphrase = wrong;
    fake.nobody = true;
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_says("passphrase");
    assert_says(identity_paths[0]);
    assert_string_equal(server.log, "key unsigned ");
    fake.nobody = false;
    profile.passphrase = NULL;
    error = (struct cfs_error){0};
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
}

static void test_refused_keys_are_named(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says(identity_paths[0]);
    assert_says("SHA256:");
    assert_says("add the public key");
    assert_says("It accepts: publickey.");
}

static void test_not_more_than_five_keys_are_offered(void **state)
{
    for (int i = 0; i < 7; i++)
        add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key key key key key ");
    assert_says("2 more keys were not offered");
}

static void test_sha1_signatures_are_not_made(void **state)
{
    add_identity("rsa", "", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    server.algorithm = "ssh-rsa";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key unsigned ");
    assert_says("SHA-1");
    error = (struct cfs_error){0};
    server.algorithm = "rsa-sha2-512";
    assert_int_equal(log_in(), 0);
}

static void test_a_server_that_takes_no_rsa(void **state)
{
    add_identity("rsa", "", "RFC4716");
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    server.key = &public_keys[0];
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key "); /* libssh2 would offer the other under the wrong name */
    assert_says("takes no RSA keys");
}

static void test_a_missing_identity_file_is_the_failure_when_nothing_was_offered(void **state)
{
    identity_paths[0] = scratch_path(folder, "missing");
    profile.identity_files = identity_paths;
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_says("does not exist");
    assert_string_equal(server.log, "");
}

static void test_no_key_at_all(void **state)
{
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("there is no key to offer");
    assert_says("identity_file");
    error = (struct cfs_error){0};
    profile.identity_agent = folder;
    assert_int_equal(log_in(), -EACCES);
    assert_says("the agent at");
}

static void test_the_usual_files_are_found(void **state)
{
    char *ssh = scratch_path(folder, ".ssh"), *path = scratch_path(folder, ".ssh/id_ed25519");
    scratch_must_run("mkdir", ssh, NULL);
    scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, NULL);
    server.lists[0] = "publickey";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "key ");
    assert_says(path);
    free(ssh);
    free(path);
}

/* --- questions and passwords --- */

static void test_a_password_of_the_profile(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "publickey,password";
    server.password = "secret";
    fake.nobody = true;
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:secret ");
    assert_string_equal(method, "password");
}

static void test_a_wrong_password_of_the_profile_is_sent_once(void **state)
{
    static char password[] = "wrong";
    profile.password = password;
    server.lists[0] = "keyboard-interactive,password";
    server.prompts[0] = "Password: ";
    server.answers[0] = "secret";
    server.password = "secret";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "interactive:wrong ");
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("password of the profile is wrong");
    assert_null(strstr(error.text, "wrong wrong"));
    assert_int_equal(fake.asked, 0);
}

static void test_the_password_is_asked_for_three_times(void **state)
{
    server.lists[0] = "password";
    server.password = "third";
    fake.answers[0] = "first", fake.answers[1] = "second", fake.answers[2] = "third";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:first password:second password:third ");
    assert_non_null(strstr(fake.last, "alice"));
    assert_false(fake.echo);
}

static void test_nobody_can_be_asked(void **state)
{
    fake.nobody = true;
    server.lists[0] = "keyboard-interactive,password";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "");
    assert_says("nobody can be asked");
}

static void test_giving_up_ends_the_login(void **state)
{
    server.lists[0] = "keyboard-interactive,password";
    server.prompts[0] = "Code: ";
    server.prompts[1] = "Again: ";
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    assert_int_equal(fake.asked, 1);
    server.lists[0] = "password";
    error = (struct cfs_error){0};
    assert_int_equal(log_in(), -ECANCELED);
}

static void test_an_expired_password(void **state)
{
    server.lists[0] = "password";
    server.expired = true;
    fake.answers[0] = "secret";
    assert_int_equal(log_in(), -EKEYEXPIRED);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("expired");
}

static void test_several_questions(void **state)
{
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Name\x07: ", server.prompts[1] = "Code: ";
    server.echoes[0] = true;
    server.answers[0] = "bob", server.answers[1] = "123456";
    fake.answers[0] = "bob", fake.answers[1] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "interactive:bob 123456 ");
    assert_string_equal(fake.last, "(alice@host.example) Code: ");
    assert_false(fake.echo);
    assert_int_equal(fake.told, 3); /* banner, name, instruction */
}

static void test_the_password_answers_a_hidden_question_alone(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Name: ";
    server.echoes[0] = true;
    server.answers[0] = "bob";
    fake.answers[0] = "bob";
    assert_int_equal(log_in(), 0); /* it echoes: not for a password */
    assert_int_equal(fake.asked, 1);
}

static void test_the_password_answers_its_own_question_among_several(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Password: ", server.prompts[1] = "Verification code: ";
    server.answers[0] = "secret", server.answers[1] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "interactive:secret 123456 ");
    assert_string_equal(fake.last, "(alice@host.example) Verification code: ");
    assert_int_equal(fake.asked, 1);
    assert_true(by_person);
}

static void test_a_code_is_never_answered_with_the_password(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    fake.nobody = true;
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Verification code: ";
    server.answers[0] = "123456";
    assert_int_equal(log_in(), -EACCES);
    assert_string_equal(server.log, "interactive: ");
    assert_says("the server asks \"Verification code: \", and nobody can be asked");
}

/* The profile's password_command is a script of these lines, which notes that it ran. */
static void use_command(const char *lines)
{
    char *path = scratch_path(folder, "command"), *text = NULL;
    assert_true(asprintf(&text, "#!/bin/sh\necho ran $* >>%s/ran\n%s\n", folder, lines) > 0);
    scratch_write_text(path, text, 0700);
    assert_true(asprintf(&command_text, "%s %%h \"%%r at work\"", path) > 0);
    profile.password_command = command_text;
    free(text);
    free(path);
}

static void assert_ran(const char *wanted)
{
    char *path = scratch_path(folder, "ran"), *text = scratch_read(path, NULL);
    assert_string_equal(text, wanted);
    free(text);
    free(path);
}

static void test_a_command_gives_the_password(void **state)
{
    use_command("echo secret; echo more; echo and more");
    server.lists[0] = "publickey,password";
    server.password = "secret";
    fake.nobody = true;
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:secret ");
    assert_ran("ran host.example alice at work\n");
    assert_false(by_person);
}

static void test_a_command_answers_the_question_for_the_password(void **state)
{
    use_command("printf secret");
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Password: ", server.prompts[1] = "Verification code: ";
    server.answers[0] = "secret", server.answers[1] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "interactive:secret 123456 ");
}

static void test_a_command_that_is_not_needed_does_not_run(void **state)
{
    use_command("echo secret");
    server.lists[0] = "keyboard-interactive";
    server.prompts[0] = "Verification code: ";
    server.answers[0] = fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    char *path = scratch_path(folder, "ran");
    assert_int_equal(access(path, F_OK), -1);
    free(path);
}

static void test_a_wrong_password_of_a_command_is_sent_once(void **state)
{
    use_command("echo wrong");
    server.lists[0] = "keyboard-interactive,password";
    server.prompts[0] = "Password: ";
    server.answers[0] = server.password = "secret";
    fake.answers[0] = "secret";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_string_equal(server.log, "interactive:wrong ");
    assert_says("the password that password_command has printed is wrong");
    assert_ran("ran host.example alice at work\n");
    assert_int_equal(fake.asked, 0);
}

static void fails_with(const char *lines, const char *part)
{
    use_command(lines);
    error = (struct cfs_error){0};
    server.lists[0] = "publickey,password";
    server.password = "secret";
    server.log[0] = '\0';
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_string_equal(server.log, "");
    assert_says(part);
    free(CFS_TAKE(command_text));
}

static void test_a_command_that_gives_no_password(void **state)
{
    identity_paths[0] = scratch_path(folder, "missing"); /* not this is to blame */
    profile.identity_files = identity_paths;
    fails_with("echo secret; echo 'the store is' >&2; echo locked >&2; exit 3",
               "password_command: command ended with exit status 3: the store is locked");
    fails_with("echo secret; kill -9 $$", "password_command: command was killed by signal 9");
    fails_with("echo; echo secret", "password_command: command printed no password");
    fails_with("exit 0", "password_command: command printed no password");
    fails_with("head -c 1024 /dev/zero | tr '\\0' x",
               "password_command: what command printed is longer than 1023 bytes");
    fails_with("exec >&-; head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1", "exit status 1: xxx");
}

static void test_a_command_that_is_not_there(void **state)
{
    static char none[] = "/no/such/program";
    profile.password_command = none;
    server.lists[0] = "publickey,password";
    assert_int_equal(log_in(), -EACCES);
    if (scratch_spawn_tells())
        assert_says("password_command: cannot run /no/such/program: No such file or directory");
}

static void test_a_command_may_print_a_lot_and_leave_something_running(void **state)
{
    use_command("echo secret; head -c 300000 /dev/zero; sleep 1000 & echo $! >\"${0%/*}/pid\"");
    server.lists[0] = "password";
    server.password = "secret";
    assert_int_equal(log_in(), 0);
    char *path = scratch_path(folder, "pid"), *text = scratch_read(path, NULL);
    assert_int_equal(kill(atoi(text), SIGKILL), 0);
    free(text);
    free(path);
}

static int give_up(struct cfs_ssh_waiter *waiter_, struct pollfd *polls, unsigned count)
{
    return -ECANCELED;
}

static int be_late(struct cfs_ssh_waiter *waiter_, struct pollfd *polls, unsigned count)
{
    return -ETIMEDOUT;
}

static void test_a_command_is_not_waited_for_without_end(void **state)
{
    waiter.wait_for = be_late;
    fails_with("exec sleep 1000", "command had not ended when login_timeout was over");
    waiter.wait_for = give_up;
    use_command("trap '' TERM; echo secret; exec sleep 1000");
    error = (struct cfs_error){0};
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    waiter.wait_for = wait_for;
}

static void test_a_person_may_take_his_time_to_approve_elsewhere(void **state)
{
    server.lists[0] = "keyboard-interactive";
    assert_int_equal(log_in(), 0); /* no question: he is asked by his phone */
    assert_true(server.patient_waits > 0);
    server.stage = server.patient_waits = 0;
    server.lists[0] = "password";
    server.password = fake.answers[0] = "secret";
    assert_int_equal(log_in(), 0);
    assert_true(server.patient_waits > 0);
}

static void test_without_anybody_the_server_has_its_time_limit(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    fake.nobody = true;
    server.lists[0] = "password";
    server.password = "secret";
    assert_int_equal(log_in(), 0);
    assert_true(server.waits > 0);
    assert_int_equal(server.patient_waits, 0);
    assert_false(by_person);
}

/* --- several factors --- */

static void test_a_key_and_then_a_code(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey", server.lists[1] = "keyboard-interactive";
    server.key = &public_keys[0];
    server.algorithm = "ssh-ed25519";
    server.prompts[0] = "Code: ";
    server.answers[0] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "key signed:64 interactive:123456 ");
    assert_non_null(strstr(method, "publickey /tmp/"));
    assert_non_null(strstr(method, ", keyboard-interactive"));
}

static void test_a_second_factor_that_cannot_be_given(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey", server.lists[1] = "keyboard-interactive";
    server.key = &public_keys[0];
    server.algorithm = "ssh-ed25519";
    fake.nobody = true;
    assert_int_equal(log_in(), -EACCES);
    assert_says("wants more");
    assert_says("nobody can be asked");
    assert_says("keyboard-interactive");
}

static void test_a_password_and_then_a_code(void **state)
{
    static char password[] = "secret";
    profile.password = password;
    server.lists[0] = "password", server.lists[1] = "keyboard-interactive";
    server.password = "secret";
    server.prompts[0] = "Code: ";
    server.answers[0] = "123456";
    fake.answers[0] = "123456";
    assert_int_equal(log_in(), 0);
    assert_string_equal(server.log, "password:secret interactive:123456 ");
}

static void test_a_server_that_wants_nothing(void **state)
{
    assert_int_equal(log_in(), 0);
    assert_string_equal(method, "none");
}

static void test_methods_that_we_do_not_have(void **state)
{
    server.lists[0] = "gssapi-with-mic,hostbased";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("gssapi-with-mic");
}

/* --- the connection ends --- */

static void test_too_many_attempts(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey";
    server.cut_after = 2;
    server.disconnect = "Too many authentication failures";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("too many attempts");
    assert_says("identities_only");
    assert_says(identity_paths[0]);
}

static void test_too_many_wrong_answers(void **state)
{
    server.lists[0] = "password";
    server.password = "right";
    fake.answers[0] = "wrong", fake.answers[1] = "again";
    server.cut_after = 2;
    server.disconnect = "Too many authentication failures";
    assert_int_equal(log_in(), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_says("after too many wrong answers.");
    assert_null(strstr(error.text, "identit"));
}

static void test_a_connection_that_is_cut(void **state)
{
    add_identity("ed25519", "", "RFC4716");
    server.lists[0] = "publickey,password";
    server.cut_after = 1;
    assert_int_equal(log_in(), -ECONNRESET);
    assert_int_equal(error.failure, CFS_FAILURE_LOST);
    assert_int_equal(fake.asked, 0); /* no password is asked for */
}

static int time_out(struct cfs_ssh_waiter *waiter_)
{
    return -ETIMEDOUT;
}

static int cancel(struct cfs_ssh_waiter *waiter_)
{
    return -ECANCELED;
}

static void test_waiting_ends(void **state)
{
    server.lists[0] = "password";
    waiter.wait = time_out;
    assert_int_equal(log_in(), -ETIMEDOUT);
    assert_int_equal(error.failure, CFS_FAILURE_TIMEOUT);
    assert_says("login_timeout");
    waiter.wait = cancel;
    error = (struct cfs_error){0};
    server.busy = false;
    assert_int_equal(log_in(), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    waiter.wait = wait_for_server;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_key_that_is_taken_signs),
        TEST(test_the_passphrase_is_asked_for_only_when_the_key_is_taken),
        TEST(test_a_hidden_public_key_needs_its_passphrase_first),
        TEST(test_a_wrong_passphrase_says_so),
        TEST(test_refused_keys_are_named),
        TEST(test_not_more_than_five_keys_are_offered),
        TEST(test_sha1_signatures_are_not_made),
        TEST(test_a_server_that_takes_no_rsa),
        TEST(test_a_missing_identity_file_is_the_failure_when_nothing_was_offered),
        TEST(test_no_key_at_all),
        TEST(test_the_usual_files_are_found),
        TEST(test_a_password_of_the_profile),
        TEST(test_a_wrong_password_of_the_profile_is_sent_once),
        TEST(test_the_password_is_asked_for_three_times),
        TEST(test_nobody_can_be_asked),
        TEST(test_giving_up_ends_the_login),
        TEST(test_an_expired_password),
        TEST(test_several_questions),
        TEST(test_the_password_answers_a_hidden_question_alone),
        TEST(test_the_password_answers_its_own_question_among_several),
        TEST(test_a_code_is_never_answered_with_the_password),
        TEST(test_a_command_gives_the_password),
        TEST(test_a_command_answers_the_question_for_the_password),
        TEST(test_a_command_that_is_not_needed_does_not_run),
        TEST(test_a_wrong_password_of_a_command_is_sent_once),
        TEST(test_a_command_that_gives_no_password),
        TEST(test_a_command_that_is_not_there),
        TEST(test_a_command_may_print_a_lot_and_leave_something_running),
        TEST(test_a_command_is_not_waited_for_without_end),
        TEST(test_a_person_may_take_his_time_to_approve_elsewhere),
        TEST(test_without_anybody_the_server_has_its_time_limit),
        TEST(test_a_key_and_then_a_code),
        TEST(test_a_second_factor_that_cannot_be_given),
        TEST(test_a_password_and_then_a_code),
        TEST(test_a_server_that_wants_nothing),
        TEST(test_methods_that_we_do_not_have),
        TEST(test_too_many_attempts),
        TEST(test_too_many_wrong_answers),
        TEST(test_a_connection_that_is_cut),
        TEST(test_waiting_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

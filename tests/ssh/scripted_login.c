/* libssh2's calls, as the linker gives them to us: what a script says, and half of the time first that there is nothing
 * to read. */
#include "ssh/scripted_login.h"

#include "base/text.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* --- the server --- */

struct server server;

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

char *folder;
struct cfs_profile profile;
struct fake_prompter fake;
struct cfs_error error;
char method[160];
bool by_person;
char *identity_paths[8];
struct cfs_buffer public_keys[7];

static int wait_for_server(struct cfs_ssh_waiter *base)
{
    server.waits++;
    server.patient_waits += server.paused > 0;
    return 0;
}

static void pause_server(struct cfs_ssh_waiter *base)
{
    server.pauses++;
    server.paused++;
}

static void resume_server(struct cfs_ssh_waiter *base)
{
    server.paused--;
}

static int wait_for(struct cfs_ssh_waiter *base, struct pollfd *polls, unsigned count)
{
    return poll(polls, count, TEST_LIMIT_MS) > 0 ? 0 : -ETIMEDOUT;
}

static const struct cfs_ssh_waiter usual_waiter = {
    .wait = wait_for_server, .wait_for = wait_for, .pause = pause_server, .resume = resume_server};

struct cfs_ssh_waiter waiter;

int scripted_login_set_up(void **state)
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
    waiter = usual_waiter;
    fake_prompter_init(&fake);
    return 0;
}

int scripted_login_tear_down(void **state)
{
    cfs_ssh_transport_close(server.transport);
    for (size_t i = 0; i < CFS_COUNT(public_keys); i++) {
        free(identity_paths[i]);
        cfs_buffer_fini(&public_keys[i]);
    }
    scratch_remove(folder);
    return 0;
}

void add_identity(const char *type, const char *passphrase, const char *format)
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

int log_in(void)
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

/* The agent client against a real ssh-agent, and against agents that lie, stall and hang up. */
#include "lib/test.h"

#include "ssh/agent.h"

#include "base/bytes.h"
#include "lib/scratch.h"
#include "ssh/key_file_priv.h"
#include <openssl/evp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { LIMIT_MS = 60 * 1000 };

static char *folder, *socket_path;
static pid_t agent_pid;

/* The socket is there before the agent listens. */
static bool listens(const char *path)
{
    struct cfs_agent *agent = NULL;
    if (cfs_agent_open(path, LIMIT_MS, &agent))
        return false;
    cfs_agent_free(agent);
    return true;
}

static int start_agent(void **state)
{
    folder = scratch_make();
    socket_path = scratch_path(folder, "agent");
    agent_pid = scratch_start("timeout", "900", "ssh-agent", "-D", "-a", socket_path, NULL);
    test_wait_until(listens(socket_path));
    return 0;
}

static int stop_agent(void **state)
{
    scratch_stop(agent_pid);
    free(socket_path);
    scratch_remove(folder);
    return 0;
}

/* Makes a key and loads it. */
static void add_key(const char *name, const char *type, struct cfs_buffer *blob)
{
    char *path = scratch_path(folder, name), *public_path = NULL, *variable = NULL;
    scratch_must_run("ssh-keygen", "-q", "-t", type, "-N", "", "-C", name, "-f", path, NULL);
    assert_true(asprintf(&variable, "SSH_AUTH_SOCK=%s", socket_path) > 0);
    scratch_must_run("env", variable, "ssh-add", "-q", path, NULL);
    assert_true(asprintf(&public_path, "%s.pub", path) > 0);
    assert_int_equal(cfs_key_read_public_file(public_path, blob), 0);
    free(public_path);
    free(variable);
    free(path);
}

static void assert_algorithm(const uint8_t *signature, size_t length, const char *expected)
{
    struct cfs_reader reader = cfs_reader_over(signature, length);
    size_t name_length, rest;
    const uint8_t *name = cfs_read_string(&reader, &name_length);
    assert_int_equal(name_length, strlen(expected));
    assert_memory_equal(name, expected, name_length);
    cfs_read_string(&reader, &rest);
    assert_false(reader.failed);
    assert_int_equal(reader.left, 0);
}

static void test_a_real_agent(void **state)
{
    struct cfs_agent *agent = NULL;
    assert_int_equal(cfs_agent_open(socket_path, LIMIT_MS, &agent), 0);
    struct cfs_agent_identities identities = {0};
    assert_int_equal(cfs_agent_list(agent, LIMIT_MS, &identities), 0);
    assert_int_equal(identities.count, 0);
    cfs_agent_identities_fini(&identities);

    struct cfs_buffer rsa CFS_AUTO_BUFFER = {0}, ed25519 CFS_AUTO_BUFFER = {0};
    add_key("key-one", "rsa", &rsa);
    add_key("key-two", "ed25519", &ed25519);
    assert_int_equal(cfs_agent_list(agent, LIMIT_MS, &identities), 0);
    assert_int_equal(identities.count, 2);
    assert_int_equal(identities.entries[0].blob_length, rsa.length);
    assert_memory_equal(identities.entries[0].blob, rsa.bytes, rsa.length);
    assert_string_equal(identities.entries[1].comment, "key-two");
    cfs_agent_identities_fini(&identities);

    uint8_t *signature = NULL;
    size_t length = 0;
    assert_int_equal(
        cfs_agent_sign(agent, rsa.bytes, rsa.length, "data", 4, CFS_AGENT_RSA_SHA2_512, LIMIT_MS, &signature, &length),
        0);
    assert_algorithm(signature, length, "rsa-sha2-512");
    free(signature);
    assert_int_equal(
        cfs_agent_sign(agent, rsa.bytes, rsa.length, "data", 4, CFS_AGENT_RSA_SHA2_256, LIMIT_MS, &signature, &length),
        0);
    assert_algorithm(signature, length, "rsa-sha2-256");
    free(signature);
    assert_int_equal(cfs_agent_sign(agent, ed25519.bytes, ed25519.length, "data", 4, 0, LIMIT_MS, &signature, &length),
                     0);
    assert_algorithm(signature, length, "ssh-ed25519");
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, ed25519.bytes + 19, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestVerify(context, signature + 19, 64, (const uint8_t *)"data", 4), 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    free(signature);

    /* A key that it does not hold is refused, and the connection lives on. */
    ed25519.bytes[30] ^= 1;
    assert_int_equal(cfs_agent_sign(agent, ed25519.bytes, ed25519.length, "data", 4, 0, LIMIT_MS, &signature, &length),
                     -EPERM);
    assert_int_equal(cfs_agent_list(agent, LIMIT_MS, &identities), 0);
    assert_int_equal(identities.count, 2);
    cfs_agent_identities_fini(&identities);
    cfs_agent_free(agent);
}

static void test_no_agent(void **state)
{
    struct cfs_agent *agent = NULL;
    char *path = scratch_path(folder, "nothing");
    assert_int_equal(cfs_agent_open(path, LIMIT_MS, &agent), -ENOENT);
    scratch_write_text(path, "", 0600);
    assert_int_equal(cfs_agent_open(path, LIMIT_MS, &agent), -ECONNREFUSED);
    char name[200];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(cfs_agent_open(name, LIMIT_MS, &agent), -ENAMETOOLONG);
    free(path);
}

/* --- hostile agents --- */

struct hostile {
    const char *name;
    const char *answer;
    size_t length;
    int list, sign; /* what the calls give */
};

#define ANSWER(text) text, sizeof(text) - 1

static const struct hostile answers[] = {
    {"nothing", ANSWER(""), -ECONNRESET, -ECONNRESET},
    {"half a length", ANSWER("\0\0"), -ECONNRESET, -ECONNRESET},
    {"a huge length", ANSWER("\xff\xff\xff\xff\x0c"), -EBADMSG, -EBADMSG},
    {"an empty message", ANSWER("\0\0\0\0"), -EBADMSG, -EBADMSG},
    {"half a message", ANSWER("\0\0\0\x09\x0c\0\0"), -ECONNRESET, -ECONNRESET},
    {"a refusal", ANSWER("\0\0\0\1\x05"), -EPERM, -EPERM},
    {"an unknown type", ANSWER("\0\0\0\1\x63"), -EBADMSG, -EBADMSG},
    {"no count", ANSWER("\0\0\0\1\x0c"), -EBADMSG, -EBADMSG},
    {"a huge count", ANSWER("\0\0\0\5\x0c\xff\xff\xff\xff"), -EBADMSG, -EBADMSG},
    {"a count without keys", ANSWER("\0\0\0\5\x0c\0\0\0\1"), -EBADMSG, -EBADMSG},
    {"an empty key", ANSWER("\0\0\0\x0f\x0c\0\0\0\1\0\0\0\0\0\0\0\2ab"), -EBADMSG, -EBADMSG},
    {"a key beyond the end", ANSWER("\0\0\0\x0f\x0c\0\0\0\1\0\0\0\x20\0\0\0\2ab"), -EBADMSG, -EBADMSG},
    {"a second key that is cut", ANSWER("\0\0\0\x18\x0c\0\0\0\2\0\0\0\1k\0\0\0\1c\0\0\0\1k\0\0\0\x09"), -EBADMSG,
     -EBADMSG},
    {"no signature", ANSWER("\0\0\0\1\x0e"), -EBADMSG, -EBADMSG},
    {"an empty signature", ANSWER("\0\0\0\5\x0e\0\0\0\0"), -EBADMSG, -EBADMSG},
    {"a signature beyond the end", ANSWER("\0\0\0\6\x0e\0\0\0\x10s"), -EBADMSG, -EBADMSG},
};

/* An agent whose answer is there before the question. */
static struct cfs_agent *hostile_agent(const char *answer, size_t length, int *ret_peer)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[1], answer, length), length);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    *ret_peer = pair[1];
    struct cfs_agent *agent = cfs_agent_new(pair[0]);
    assert_non_null(agent);
    return agent;
}

static void test_hostile_answers(void **state)
{
    for (size_t i = 0; i < CFS_COUNT(answers); i++) {
        int peer;
        struct cfs_agent_identities identities = {0};
        struct cfs_agent *agent = hostile_agent(answers[i].answer, answers[i].length, &peer);
        int result = cfs_agent_list(agent, LIMIT_MS, &identities);
        if (result != answers[i].list)
            fail_msg("%s: list gave %d", answers[i].name, result);
        assert_null(identities.entries);
        if (result != -EPERM)
            assert_int_equal(cfs_agent_list(agent, LIMIT_MS, &identities), -EPIPE);
        cfs_agent_free(agent);
        close(peer);

        uint8_t *signature = NULL;
        size_t length;
        agent = hostile_agent(answers[i].answer, answers[i].length, &peer);
        result = cfs_agent_sign(agent, (const uint8_t *)"k", 1, "data", 4, 0, LIMIT_MS, &signature, &length);
        if (result != answers[i].sign)
            fail_msg("%s: sign gave %d", answers[i].name, result);
        assert_null(signature);
        cfs_agent_free(agent);
        close(peer);
    }
}

static void test_comments_are_made_printable(void **state)
{
    static const char answer[] = "\0\0\0\x10\x0c\0\0\0\1\0\0\0\1k\0\0\0\2\x1b[";
    int peer;
    struct cfs_agent_identities identities = {0};
    struct cfs_agent *agent = hostile_agent(answer, sizeof(answer) - 1, &peer);
    assert_int_equal(cfs_agent_list(agent, LIMIT_MS, &identities), 0);
    assert_string_equal(identities.entries[0].comment, "?[");
    cfs_agent_identities_fini(&identities);
    cfs_agent_free(agent);
    close(peer);
}

static void test_an_agent_that_stalls(void **state)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct cfs_agent *agent = cfs_agent_new(pair[0]);
    struct cfs_agent_identities identities = {0};
    assert_int_equal(cfs_agent_list(agent, 20, &identities), -ETIMEDOUT);
    assert_int_equal(cfs_agent_list(agent, LIMIT_MS, &identities), -EPIPE); /* the late answer is not read */
    cfs_agent_free(agent);
    close(pair[1]);
}

static void test_an_agent_that_does_not_read(void **state)
{
    static uint8_t data[300 << 10];
    int pair[2], small = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    struct cfs_agent *agent = cfs_agent_new(pair[0]);
    uint8_t *signature = NULL;
    size_t length;
    assert_int_equal(cfs_agent_sign(agent, data, 32, data, 200 << 10, 0, 20, &signature, &length), -ETIMEDOUT);
    cfs_agent_free(agent);
    close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    agent = cfs_agent_new(pair[0]);
    assert_int_equal(cfs_agent_sign(agent, data, 32, data, sizeof(data), 0, 20, &signature, &length), -EMSGSIZE);
    cfs_agent_free(agent);
    close(pair[1]);
    /* One that has gone: no SIGPIPE. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[1]);
    agent = cfs_agent_new(pair[0]);
    assert_int_equal(cfs_agent_sign(agent, data, 32, data, 10, 0, LIMIT_MS, &signature, &length), -ECONNRESET);
    cfs_agent_free(agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_real_agent),         cmocka_unit_test(test_no_agent),
        cmocka_unit_test(test_hostile_answers),      cmocka_unit_test(test_comments_are_made_printable),
        cmocka_unit_test(test_an_agent_that_stalls), cmocka_unit_test(test_an_agent_that_does_not_read),
    };
    return cmocka_run_group_tests(tests, start_agent, stop_agent);
}

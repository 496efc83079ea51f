/* How a client starts: INIT, VERSION, limits; and what it makes of strange answers. */
#include "lib/test.h"

#include "lib/sftp_peer.h"

static const char *const no_extensions[] = {NULL};

static void send_version(struct sftp_peer *peer, uint32_t version, const char *const *extensions)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};

    peer_put_version(&buffer, version, extensions);
    peer_send(peer, &buffer);
}

static void ready_comes_after_the_limits(void **state)
{
    struct sftp_peer peer;
    const struct cfs_sftp_limits *limits;

    peer_start_ready(&peer);
    limits = cfs_sftp_client_limits(peer.client);
    assert_true(limits->told);
    assert_int_equal(limits->packet_size, 262144);
    assert_int_equal(limits->read_size, 261120);
    assert_int_equal(limits->write_size, 261120);
    assert_int_equal(limits->open_handles, 1019);
    assert_int_equal(cfs_sftp_client_extensions(peer.client), 0x7ff);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    peer_stop(&peer);
}

static void an_old_server_is_ready_at_once_with_32_kib(void **state)
{
    struct sftp_peer peer;
    const struct cfs_sftp_limits *limits;

    peer_start(&peer);
    send_version(&peer, 3, no_extensions);
    assert_true(peer.ready);
    peer_expect_nothing(&peer);
    limits = cfs_sftp_client_limits(peer.client);
    assert_false(limits->told);
    assert_int_equal(limits->read_size, 32768);
    assert_int_equal(limits->write_size, 32768);
    assert_int_equal(cfs_sftp_client_extensions(peer.client), 0);
    peer_stop(&peer);
}

static void extensions_of_unknown_name_or_version_are_ignored(void **state)
{
    static const char *const extensions[] = {
        "statvfs@openssh.com",  "3", "unheard-of", "1",    "",  "", "fsync@openssh.comrade", "1",
        "hardlink@openssh.com", "1", "newline",    "\r\n", NULL};
    struct sftp_peer peer;

    peer_start(&peer);
    send_version(&peer, 3, extensions);
    assert_true(peer.ready);
    assert_int_equal(cfs_sftp_client_extensions(peer.client), CFS_SFTP_HARDLINK);
    peer_stop(&peer);
}

static void refused_limits_mean_the_defaults(void **state)
{
    static const char *const extensions[] = {"limits@openssh.com", "1", NULL};
    struct sftp_peer peer;

    peer_start(&peer);
    send_version(&peer, 3, extensions);
    peer_reply_status(&peer, peer_expect_extended(&peer, "limits@openssh.com").id, SSH_FX_FAILURE);
    assert_true(peer.ready);
    assert_false(cfs_sftp_client_limits(peer.client)->told);
    assert_int_equal(cfs_sftp_client_limits(peer.client)->write_size, 32768);
    peer_stop(&peer);
}

static void check_limits(uint64_t packet, uint64_t most_read, uint64_t most_written, uint32_t expected_packet,
                         uint32_t expected_read, uint32_t expected_write)
{
    static const char *const extensions[] = {"limits@openssh.com", "1", NULL};
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct sftp_peer peer;
    const struct cfs_sftp_limits *limits;

    peer_start(&peer);
    send_version(&peer, 3, extensions);
    peer_put_limits(&buffer, peer_expect_extended(&peer, "limits@openssh.com").id, packet, most_read, most_written, 0);
    peer_send(&peer, &buffer);
    assert_true(peer.ready);
    limits = cfs_sftp_client_limits(peer.client);
    assert_int_equal(limits->packet_size, expected_packet);
    assert_int_equal(limits->read_size, expected_read);
    assert_int_equal(limits->write_size, expected_write);
    peer_stop(&peer);
}

static void limits_are_not_believed_beyond_reason(void **state)
{
    check_limits(0, 0, 0, 34000, 32768, 32768);
    check_limits(UINT64_MAX, UINT64_MAX, UINT64_MAX, 1 << 20, (1 << 20) - 1024, (1 << 20) - 1024);
    check_limits(1, 1, 1, 4096, 1024, 1024);
    check_limits(262144, 262144, 0, 262144, 261120, 32768);
    check_limits(65536, UINT64_MAX, 1 << 16, 65536, 64512, 64512);
    check_limits(1ULL << 32, 1ULL << 32, 1ULL << 32, 1 << 20, (1 << 20) - 1024, (1 << 20) - 1024);
}

static void requests_before_ready_are_refused(void **state)
{
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start(&peer);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), -ENOTCONN);
    assert_int_equal(cfs_sftp_statvfs(peer.client, &answer.request, "/"), -ENOTCONN);
    send_version(&peer, 3, peer_openssh_extensions);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), -ENOTCONN);
    assert_int_equal(answer.done, 0);
    peer_stop(&peer);
    assert_int_equal(answer.done, 0);
}

static void an_eager_client_asks_without_an_answer(void **state)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start_eager(&peer);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), 0);
    uint32_t limits = peer_expect_extended(&peer, "limits@openssh.com").id;
    uint32_t lstat = peer_expect(&peer, SSH_FXP_LSTAT).id;
    assert_false(peer.ready);
    send_version(&peer, 3, peer_openssh_extensions);
    assert_false(peer.ready);
    peer_expect_nothing(&peer);
    peer_put_limits(&buffer, limits, 262144, 261120, 261120, 0);
    peer_send(&peer, &buffer);
    assert_true(peer.ready);
    assert_int_equal(cfs_sftp_client_limits(peer.client)->read_size, 261120);
    peer_reply_status(&peer, lstat, SSH_FX_NO_SUCH_FILE);
    assert_int_equal(answer.done, 1);
    assert_int_equal(answer.error, -ENOENT);
    peer_stop(&peer);
}

static void an_eager_client_gets_along_with_an_old_server(void **state)
{
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start_eager(&peer);
    uint32_t limits = peer_expect_extended(&peer, "limits@openssh.com").id;
    send_version(&peer, 3, no_extensions);
    assert_false(peer.ready);
    peer_reply_status(&peer, limits, SSH_FX_OP_UNSUPPORTED);
    assert_true(peer.ready);
    assert_false(cfs_sftp_client_limits(peer.client)->told);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), 0);
    peer_stop(&peer);
}

static void what_an_eager_client_has_asked_a_stranger_ends(void **state)
{
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start_eager(&peer);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), 0);
    send_version(&peer, 6, no_extensions);
    assert_int_equal(peer.lost, 1);
    assert_int_equal(answer.done, 1);
    assert_int_equal(answer.error, -EPROTO);
    assert_false(answer.from_server);
    peer_stop(&peer);
}

/* Feeds a start that must fail; returns with the peer still running, for its reason. */
static void fail_start(struct sftp_peer *peer, const void *bytes, size_t length)
{
    peer_start(peer);
    memory_stream_feed(&peer->memory, bytes, length);
    peer_turn(peer);
    assert_false(peer->ready);
    assert_int_equal(peer->lost, 1);
    assert_int_equal(peer->lost_error, -EPROTO);
}

static void what_a_shell_prints_is_named_as_the_cause(void **state)
{
    static const char text[] = "Welcome to the cluster!\n";
    struct sftp_peer peer;

    fail_start(&peer, text, strlen(text));
    assert_non_null(strstr(peer.lost_reason, "\"Welc\""));
    assert_non_null(strstr(peer.lost_reason, "start-up file"));
    peer_stop(&peer);
}

static void control_characters_do_not_reach_the_reason(void **state)
{
    static const char text[] = "\033[2J\033[H";
    struct sftp_peer peer;

    fail_start(&peer, text, strlen(text));
    for (const char *c = peer.lost_reason; *c; c++)
        assert_true(*c >= ' ');
    peer_stop(&peer);
}

static void other_versions_are_refused(void **state)
{
    for (uint32_t version = 0; version < 8; version++) {
        struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
        struct sftp_peer peer;

        if (version == 3)
            continue;
        peer_put_version(&buffer, version, no_extensions);
        fail_start(&peer, buffer.bytes, buffer.length);
        assert_non_null(strstr(peer.lost_reason, "version"));
        peer_stop(&peer);
    }
}

static void malformed_versions_are_refused(void **state)
{
    static const uint8_t empty[] = {0, 0, 0, 0};
    static const uint8_t too_short[] = {0, 0, 0, 3, 2, 0, 0};
    static const uint8_t half_a_pair[] = {0, 0, 0, 10, 2, 0, 0, 0, 3, 0, 0, 0, 1, 'x'};
    static const uint8_t long_name[] = {0, 0, 0, 9, 2, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t a_status[] = {0, 0, 0, 9, 101, 0, 0, 0, 3, 0, 0, 0, 0};
    const struct {
        const void *bytes;
        size_t length;
    } cases[] = {
        {empty, sizeof(empty)},         {too_short, sizeof(too_short)}, {half_a_pair, sizeof(half_a_pair)},
        {long_name, sizeof(long_name)}, {a_status, sizeof(a_status)},
    };

    for (size_t i = 0; i < CFS_COUNT(cases); i++) {
        struct sftp_peer peer;

        fail_start(&peer, cases[i].bytes, cases[i].length);
        peer_stop(&peer);
    }
}

static void short_limits_are_fatal(void **state)
{
    static const char *const extensions[] = {"limits@openssh.com", "1", NULL};
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct sftp_peer peer;
    size_t begun;

    peer_start(&peer);
    send_version(&peer, 3, extensions);
    begun = peer_begin(&buffer, SSH_FXP_EXTENDED_REPLY);
    cfs_buffer_add_u32(&buffer, peer_expect_extended(&peer, "limits@openssh.com").id);
    cfs_buffer_add_u64(&buffer, 262144);
    peer_end(&buffer, begun);
    peer_send(&peer, &buffer);
    assert_false(peer.ready);
    assert_int_equal(peer.lost_error, -EPROTO);
    peer_stop(&peer);
}

static void the_streams_own_reason_is_told_when_it_ends(void **state)
{
    struct sftp_peer peer;

    peer_start(&peer);
    peer.memory.ended = true;
    peer.memory.reason = "subsystem request failed";
    memory_stream_poke(&peer.memory);
    assert_false(peer.ready);
    assert_int_equal(peer.lost, 1);
    assert_int_equal(peer.lost_error, -ECONNRESET);
    assert_string_equal(peer.lost_reason, "subsystem request failed");
    peer_stop(&peer);
}

/* A task is still queued when the client is freed; its memory must outlive it (the sanitizer tells). */
static void a_client_may_be_freed_before_its_first_turn(void **state)
{
    const struct cfs_sftp_callbacks callbacks = {.is_eager = true};
    struct memory_stream memory;
    struct cfs_loop *loop = cfs_loop_new();
    struct cfs_sftp_client *client;

    assert_non_null(loop);
    memory_stream_init(&memory, loop);
    client = cfs_sftp_client_new(&memory.stream, &callbacks);
    assert_non_null(client);
    cfs_sftp_client_free(client);
    assert_true(memory.closed);
    cfs_loop_free(loop);
    memory_stream_fini(&memory);
    cfs_sftp_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_comes_after_the_limits),
        cmocka_unit_test(an_old_server_is_ready_at_once_with_32_kib),
        cmocka_unit_test(extensions_of_unknown_name_or_version_are_ignored),
        cmocka_unit_test(refused_limits_mean_the_defaults),
        cmocka_unit_test(limits_are_not_believed_beyond_reason),
        cmocka_unit_test(requests_before_ready_are_refused),
        cmocka_unit_test(an_eager_client_asks_without_an_answer),
        cmocka_unit_test(an_eager_client_gets_along_with_an_old_server),
        cmocka_unit_test(what_an_eager_client_has_asked_a_stranger_ends),
        cmocka_unit_test(what_a_shell_prints_is_named_as_the_cause),
        cmocka_unit_test(control_characters_do_not_reach_the_reason),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(malformed_versions_are_refused),
        cmocka_unit_test(short_limits_are_fatal),
        cmocka_unit_test(the_streams_own_reason_is_told_when_it_ends),
        cmocka_unit_test(a_client_may_be_freed_before_its_first_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

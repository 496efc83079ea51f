/* Losing the server, and servers that lie: every request is completed once, then `lost` is called once. */
#include "lib/test.h"

#include "lib/sftp_peer.h"

static const struct cfs_sftp_handle some_handle = {.length = 4, .bytes = "abcd"};

static void check_lost(struct sftp_peer *peer, int error)
{
    struct peer_answer late = peer_answer();

    assert_int_equal(peer->lost, 1);
    assert_int_equal(peer->lost_error, error);
    assert_true(peer->lost_reason[0] != '\0');
    assert_false(cfs_sftp_client_is_ready(peer->client));
    assert_int_equal(cfs_sftp_client_in_flight(peer->client), 0);
    assert_int_equal(cfs_sftp_lstat(peer->client, &late.request, "/"), -ENOTCONN);
    memory_stream_poke(&peer->memory);
    peer_turn(peer);
    assert_int_equal(peer->lost, 1);
    assert_int_equal(late.done, 0);
}

static void check_answer(const struct peer_answer *answer, int error)
{
    assert_int_equal(answer->done, 1);
    assert_int_equal(answer->error, error);
    assert_false(answer->from_server);
}

static void the_end_completes_what_is_in_flight(void **state)
{
    struct peer_answer first = peer_answer(), second = peer_answer(), cancelled = peer_answer();
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_lstat(peer.client, &first.request, "/"), 0);
    assert_int_equal(cfs_sftp_open(peer.client, &cancelled.request, "/", SSH_FXF_READ, NULL), 0);
    peer_turn(&peer);
    assert_int_equal(cfs_sftp_lstat(peer.client, &second.request, "/"), 0);
    cfs_sftp_cancel(peer.client, &cancelled.request);
    peer.memory.ended = true;
    memory_stream_poke(&peer.memory);
    check_answer(&first, -ECONNRESET);
    check_answer(&second, -ECONNRESET);
    assert_int_equal(cancelled.done, 0);
    check_lost(&peer, -ECONNRESET);
    peer_stop(&peer);
}

static void replies_before_the_end_still_count(void **state)
{
    struct peer_answer first = peer_answer(), second = peer_answer();
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_remove(peer.client, &first.request, "/"), 0);
    assert_int_equal(cfs_sftp_remove(peer.client, &second.request, "/"), 0);
    peer_put_status(&buffer, peer_expect(&peer, SSH_FXP_REMOVE).id, SSH_FX_OK);
    peer.memory.ended = true;
    memory_stream_feed(&peer.memory, buffer.bytes, buffer.length);
    assert_int_equal(first.done, 1);
    assert_int_equal(first.error, 0);
    check_answer(&second, -ECONNRESET);
    check_lost(&peer, -ECONNRESET);
    peer_stop(&peer);
}

static void a_stream_that_fails_tells_its_error(void **state)
{
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), 0);
    peer_turn(&peer);
    peer.memory.error = -ETIMEDOUT;
    peer.memory.reason = "no answer for 60 seconds";
    memory_stream_poke(&peer.memory);
    check_answer(&answer, -ECONNRESET);
    check_lost(&peer, -ETIMEDOUT);
    assert_string_equal(peer.lost_reason, "no answer for 60 seconds");
    peer_stop(&peer);
}

static void a_failed_write_loses_the_client_but_not_inside_the_submit(void **state)
{
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start_ready(&peer);
    peer.memory.write_error = -EPIPE;
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), 0);
    assert_int_equal(answer.done, 0);
    peer_turn(&peer);
    check_answer(&answer, -ECONNRESET);
    check_lost(&peer, -EPIPE);
    peer_stop(&peer);
}

/* The end may come after each byte of a reply, also inside a payload on its way to its destination. */
static void the_end_may_come_in_the_middle_of_a_packet(void **state)
{
    for (size_t length = 1; length < 4 + 1 + 4 + 4 + 20; length++) {
        struct peer_answer answer = peer_answer();
        uint8_t destination[20];
        struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
        struct sftp_peer peer;

        peer_start_ready(&peer);
        answer.request.destination = destination;
        assert_int_equal(cfs_sftp_read(peer.client, &answer.request, &some_handle, 0, 20), 0);
        peer_put_data(&buffer, peer_expect(&peer, SSH_FXP_READ).id, "twenty bytes of data", 20);
        memory_stream_feed(&peer.memory, buffer.bytes, length);
        assert_int_equal(answer.done, 0);
        peer.memory.ended = true;
        memory_stream_poke(&peer.memory);
        check_answer(&answer, -ECONNRESET);
        check_lost(&peer, -ECONNRESET);
        assert_non_null(strstr(peer.lost_reason, "middle of a packet"));
        peer_stop(&peer);
    }
}

/* --- a completion that cancels and submits while the client is being lost --- */

struct tangle {
    struct cfs_sftp_request request;
    struct cfs_sftp_client *client;
    struct tangle *other;
    unsigned done;
};

static void cancel_other_and_ask(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct tangle *tangle = cfs_container_of(request, struct tangle, request);

    tangle->done++;
    assert_true(reply->error < 0);
    cfs_sftp_cancel(tangle->client, &tangle->other->request);
    assert_int_equal(cfs_sftp_lstat(tangle->client, request, "/"), -ENOTCONN);
}

static void check_tangle(bool by_free)
{
    struct tangle first = {.request = {.done = cancel_other_and_ask}};
    struct tangle second = {.request = {.done = cancel_other_and_ask}};
    struct sftp_peer peer;

    peer_start_ready(&peer);
    first.client = second.client = peer.client;
    first.other = &second;
    second.other = &first;
    assert_int_equal(cfs_sftp_lstat(peer.client, &first.request, "/"), 0);
    assert_int_equal(cfs_sftp_lstat(peer.client, &second.request, "/"), 0);
    if (!by_free) {
        peer.memory.ended = true;
        memory_stream_poke(&peer.memory);
        assert_int_equal(first.done + second.done, 1);
    }
    peer_stop(&peer);
    assert_int_equal(first.done, 1);
    assert_int_equal(second.done, 0);
}

static void completions_may_cancel_and_submit_while_all_is_lost(void **state)
{
    check_tangle(false);
    check_tangle(true);
}

/* --- servers that lie --- */

/* Submits one request of each kind (so that every type of reply is expected by some), then sends what the case
 * says in the place of a reply to the first. */
static void check_lie(int (*submit)(struct cfs_sftp_client *client, struct cfs_sftp_request *request),
                      void (*lie)(struct cfs_buffer *buffer, uint32_t id), size_t piece)
{
    struct peer_answer answer = peer_answer();
    static uint8_t destination[64];
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct cfs_reader reader;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    answer.request.destination = destination;
    assert_int_equal(submit(peer.client, &answer.request), 0);
    peer_turn(&peer);
    reader = cfs_reader_over(peer.memory.outgoing.bytes + peer.requests_read + 5, 4);
    lie(&buffer, cfs_read_u32(&reader));
    assert_false(buffer.failed);
    peer.memory.most_read = piece;
    memory_stream_feed(&peer.memory, buffer.bytes, buffer.length);
    while (!peer.lost && peer.memory.incoming_read < peer.memory.incoming.length)
        peer_turn(&peer);
    check_answer(&answer, -EPROTO);
    check_lost(&peer, -EPROTO);
    peer_stop(&peer);
}

static int submit_remove(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    return cfs_sftp_remove(client, request, "/");
}

static int submit_open(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    return cfs_sftp_open(client, request, "/", SSH_FXF_READ, NULL);
}

static int submit_read(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    return cfs_sftp_read(client, request, &some_handle, 0, 32);
}

static int submit_readdir(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    return cfs_sftp_readdir(client, request, &some_handle);
}

static int submit_readlink(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    return cfs_sftp_readlink(client, request, "/");
}

static int submit_lstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    return cfs_sftp_lstat(client, request, "/");
}

static int submit_statvfs(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    return cfs_sftp_statvfs(client, request, "/");
}

static void lie_unknown_id(struct cfs_buffer *buffer, uint32_t id)
{
    peer_put_status(buffer, id + 1, SSH_FX_OK);
}

static void lie_no_id(struct cfs_buffer *buffer, uint32_t id)
{
    size_t begun = peer_begin(buffer, SSH_FXP_STATUS);

    cfs_buffer_add_u8(buffer, 0);
    peer_end(buffer, begun);
}

static void lie_empty_packet(struct cfs_buffer *buffer, uint32_t id)
{
    cfs_buffer_add_u32(buffer, 0);
}

static void lie_oversize(struct cfs_buffer *buffer, uint32_t id)
{
    cfs_buffer_add_u32(buffer, 256 * 1024 + 1025);
}

static void lie_four_gigabytes(struct cfs_buffer *buffer, uint32_t id)
{
    cfs_buffer_add_u32(buffer, UINT32_MAX);
}

static void lie_ok(struct cfs_buffer *buffer, uint32_t id)
{
    peer_put_status(buffer, id, SSH_FX_OK);
}

static void lie_handle(struct cfs_buffer *buffer, uint32_t id)
{
    peer_put_handle(buffer, id, "handle");
}

static void lie_empty_handle(struct cfs_buffer *buffer, uint32_t id)
{
    peer_put_handle(buffer, id, "");
}

static void lie_long_handle(struct cfs_buffer *buffer, uint32_t id)
{
    char handle[258];

    memset(handle, 'h', 257);
    handle[257] = '\0';
    peer_put_handle(buffer, id, handle);
}

static void lie_second_version(struct cfs_buffer *buffer, uint32_t id)
{
    static const char *const none[] = {NULL};

    peer_put_version(buffer, 3, none);
}

static void lie_short_status(struct cfs_buffer *buffer, uint32_t id)
{
    size_t begun = peer_begin(buffer, SSH_FXP_STATUS);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_u8(buffer, 0);
    peer_end(buffer, begun);
}

static void lie_too_much_data(struct cfs_buffer *buffer, uint32_t id)
{
    peer_put_data(buffer, id, "thirty-three bytes of data, or so", 33);
}

/* The string says more than the packet holds. */
static void lie_data_beyond_packet(struct cfs_buffer *buffer, uint32_t id)
{
    size_t begun = peer_begin(buffer, SSH_FXP_DATA);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_u32(buffer, 32);
    cfs_buffer_add(buffer, "few", 3);
    peer_end(buffer, begun);
}

static void put_names(struct cfs_buffer *buffer, uint32_t id, uint32_t said, uint32_t sent)
{
    size_t begun = peer_begin(buffer, SSH_FXP_NAME);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_u32(buffer, said);
    for (uint32_t i = 0; i < sent; i++) {
        cfs_buffer_add_text(buffer, "a name of some length");
        cfs_buffer_add_text(buffer, "");
        cfs_buffer_add_u32(buffer, 0);
    }
    peer_end(buffer, begun);
}

static void lie_four_billion_names(struct cfs_buffer *buffer, uint32_t id)
{
    put_names(buffer, id, UINT32_MAX, 1);
}

static void lie_one_name_more(struct cfs_buffer *buffer, uint32_t id)
{
    put_names(buffer, id, 4, 3);
}

static void lie_no_name(struct cfs_buffer *buffer, uint32_t id)
{
    put_names(buffer, id, 0, 0);
}

static void lie_two_names(struct cfs_buffer *buffer, uint32_t id)
{
    put_names(buffer, id, 2, 2);
}

static void lie_short_attributes(struct cfs_buffer *buffer, uint32_t id)
{
    size_t begun = peer_begin(buffer, SSH_FXP_ATTRS);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_u32(buffer, SSH_FILEXFER_ATTR_SIZE);
    cfs_buffer_add_u32(buffer, 0);
    peer_end(buffer, begun);
}

static void lie_short_statvfs(struct cfs_buffer *buffer, uint32_t id)
{
    size_t begun = peer_begin(buffer, SSH_FXP_EXTENDED_REPLY);

    cfs_buffer_add_u32(buffer, id);
    for (int i = 0; i < 10; i++)
        cfs_buffer_add_u64(buffer, 1);
    peer_end(buffer, begun);
}

static void lies_end_the_client(void **state)
{
    static const struct {
        int (*submit)(struct cfs_sftp_client *client, struct cfs_sftp_request *request);
        void (*lie)(struct cfs_buffer *buffer, uint32_t id);
    } cases[] = {
        {submit_remove, lie_unknown_id},
        {submit_remove, lie_no_id},
        {submit_remove, lie_empty_packet},
        {submit_remove, lie_oversize},
        {submit_remove, lie_four_gigabytes},
        {submit_remove, lie_handle},
        {submit_remove, lie_second_version},
        {submit_remove, lie_short_status},
        {submit_open, lie_ok},
        {submit_open, lie_empty_handle},
        {submit_open, lie_long_handle},
        {submit_open, lie_two_names},
        {submit_read, lie_ok},
        {submit_read, lie_too_much_data},
        {submit_read, lie_data_beyond_packet},
        {submit_read, lie_handle},
        {submit_readdir, lie_ok},
        {submit_readdir, lie_four_billion_names},
        {submit_readdir, lie_one_name_more},
        {submit_readlink, lie_no_name},
        {submit_readlink, lie_two_names},
        {submit_lstat, lie_ok},
        {submit_lstat, lie_short_attributes},
        {submit_statvfs, lie_short_statvfs},
        {submit_statvfs, lie_short_attributes},
    };

    for (size_t i = 0; i < CFS_COUNT(cases); i++) {
        check_lie(cases[i].submit, cases[i].lie, SIZE_MAX);
        check_lie(cases[i].submit, cases[i].lie, 1);
        check_lie(cases[i].submit, cases[i].lie, 14);
    }
}

/* An answer that comes a second time finds no request, unless its id had been given out again. */
static void a_reply_that_comes_twice_is_fatal(void **state)
{
    struct peer_answer first = peer_answer(), second = peer_answer();
    uint32_t id;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_remove(peer.client, &first.request, "/"), 0);
    id = peer_expect(&peer, SSH_FXP_REMOVE).id;
    peer_reply_status(&peer, id, SSH_FX_OK);
    assert_int_equal(cfs_sftp_remove(peer.client, &second.request, "/"), 0);
    assert_true(peer_expect(&peer, SSH_FXP_REMOVE).id != id);
    peer_reply_status(&peer, id, SSH_FX_OK);
    assert_int_equal(first.done, 1);
    check_answer(&second, -EPROTO);
    check_lost(&peer, -EPROTO);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_completes_what_is_in_flight),
        cmocka_unit_test(replies_before_the_end_still_count),
        cmocka_unit_test(a_stream_that_fails_tells_its_error),
        cmocka_unit_test(a_failed_write_loses_the_client_but_not_inside_the_submit),
        cmocka_unit_test(the_end_may_come_in_the_middle_of_a_packet),
        cmocka_unit_test(completions_may_cancel_and_submit_while_all_is_lost),
        cmocka_unit_test(lies_end_the_client),
        cmocka_unit_test(a_reply_that_comes_twice_is_fatal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

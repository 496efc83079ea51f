/* Requests and their replies, however the bytes are cut and in whatever order they come. */
#include "lib/test.h"

#include "lib/sftp_peer.h"

static const struct cfs_sftp_handle some_handle = {.length = 4, .bytes = "abcd"};

static void replies_may_come_in_any_order(void **state)
{
    struct peer_answer answers[3] = {peer_answer(), peer_answer(), peer_answer()};
    static const char *const paths[] = {"/a", "/b", "/c"};
    uint32_t ids[3];
    struct sftp_peer peer;

    peer_start_ready(&peer);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cfs_sftp_remove(peer.client, &answers[i].request, paths[i]), 0);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 3);
    for (size_t i = 0; i < 3; i++)
        ids[i] = peer_expect(&peer, SSH_FXP_REMOVE).id;
    peer_reply_status(&peer, ids[2], SSH_FX_NO_SUCH_FILE);
    peer_reply_status(&peer, ids[0], SSH_FX_OK);
    assert_int_equal(answers[1].done, 0);
    peer_reply_status(&peer, ids[1], SSH_FX_PERMISSION_DENIED);
    assert_int_equal(answers[0].error, 0);
    assert_int_equal(answers[1].error, -EACCES);
    assert_int_equal(answers[2].error, -ENOENT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(answers[i].done, 1);
        assert_true(answers[i].from_server);
    }
    assert_int_equal(answers[2].status, SSH_FX_NO_SUCH_FILE);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    peer_stop(&peer);
}

/* Two answers of every kind in one piece, then in pieces of each small size. */
static void replies_may_be_cut_anywhere(void **state)
{
    for (size_t piece = 1; piece < 40; piece++) {
        struct peer_answer status = peer_answer(), handle = peer_answer(), data = peer_answer();
        struct peer_answer straight = peer_answer();
        uint8_t destination[32];
        struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
        struct sftp_peer peer;

        peer_start_ready(&peer);
        straight.request.destination = destination;
        assert_int_equal(cfs_sftp_rmdir(peer.client, &status.request, "/"), 0);
        assert_int_equal(cfs_sftp_opendir(peer.client, &handle.request, "/"), 0);
        assert_int_equal(cfs_sftp_read(peer.client, &data.request, &some_handle, 0, 32), 0);
        assert_int_equal(cfs_sftp_read(peer.client, &straight.request, &some_handle, 32, 32), 0);
        peer_put_status(&buffer, peer_expect(&peer, SSH_FXP_RMDIR).id, SSH_FX_OK);
        peer_put_handle(&buffer, peer_expect(&peer, SSH_FXP_OPENDIR).id, "a handle");
        peer_put_data(&buffer, peer_expect(&peer, SSH_FXP_READ).id, "data without a place of its own", 31);
        peer_put_data(&buffer, peer_expect(&peer, SSH_FXP_READ).id, "data that has a place of its own", 32);
        peer.memory.most_read = piece;
        for (size_t at = 0; at < buffer.length; at += piece) {
            size_t left = buffer.length - at;

            memory_stream_feed(&peer.memory, buffer.bytes + at, left < piece ? left : piece);
        }
        assert_int_equal(status.done + handle.done + data.done + straight.done, 4);
        assert_int_equal(handle.handle.length, 8);
        assert_memory_equal(handle.handle.bytes, "a handle", 8);
        assert_int_equal(data.data_length, 31);
        assert_memory_equal(data.data, "data without a place of its own", 31);
        assert_int_equal(straight.data_length, 32);
        assert_ptr_equal(straight.data_at, destination);
        assert_memory_equal(destination, "data that has a place of its own", 32);
        assert_int_equal(peer.lost, 0);
        peer_stop(&peer);
    }
}

static void a_whole_reply_is_put_at_its_destination(void **state)
{
    struct peer_answer answer = peer_answer();
    uint8_t destination[16] = {0};
    struct sftp_peer peer;

    peer_start_ready(&peer);
    answer.request.destination = destination;
    assert_int_equal(cfs_sftp_read(peer.client, &answer.request, &some_handle, 0, 16), 0);
    peer_reply_data(&peer, peer_expect(&peer, SSH_FXP_READ).id, "short", 5);
    assert_int_equal(answer.data_length, 5);
    assert_ptr_equal(answer.data_at, destination);
    assert_memory_equal(destination, "short\0\0", 7);
    peer_stop(&peer);
}

static void no_data_at_all_is_the_end_of_the_file(void **state)
{
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_read(peer.client, &answer.request, &some_handle, 0, 16), 0);
    peer_reply_data(&peer, peer_expect(&peer, SSH_FXP_READ).id, "", 0);
    assert_int_equal(answer.error, -ENODATA);
    assert_int_equal(answer.status, SSH_FX_EOF);
    peer_stop(&peer);
}

static void requests_of_one_turn_leave_in_one_write(void **state)
{
    struct peer_answer answers[100];
    unsigned writes;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    writes = peer.memory.writes;
    for (size_t i = 0; i < CFS_COUNT(answers); i++) {
        answers[i] = peer_answer();
        assert_int_equal(cfs_sftp_lstat(peer.client, &answers[i].request, "/some/path"), 0);
    }
    assert_int_equal(peer.memory.writes, writes);
    assert_true(cfs_sftp_client_queued(peer.client) > 0);
    peer_turn(&peer);
    assert_int_equal(peer.memory.writes, writes + 1);
    assert_int_equal(cfs_sftp_client_queued(peer.client), 0);
    peer_stop(&peer);
    for (size_t i = 0; i < CFS_COUNT(answers); i++) {
        assert_int_equal(answers[i].done, 1);
        assert_int_equal(answers[i].error, -ECANCELED);
        assert_false(answers[i].from_server);
    }
}

/* --- a completion that asks again --- */

struct chain {
    struct cfs_sftp_request request;
    struct cfs_sftp_client *client;
    unsigned left;
};

static void ask_again(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct chain *chain = cfs_container_of(request, struct chain, request);

    assert_int_equal(reply->error, 0);
    if (chain->left-- > 0)
        assert_int_equal(cfs_sftp_remove(chain->client, request, "/again"), 0);
}

static void what_completions_ask_leaves_at_the_end_of_their_turn(void **state)
{
    struct chain chains[10];
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    unsigned writes;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    for (size_t i = 0; i < CFS_COUNT(chains); i++) {
        chains[i] = (struct chain){.request = {.done = ask_again}, .client = peer.client, .left = 1};
        assert_int_equal(cfs_sftp_remove(peer.client, &chains[i].request, "/first"), 0);
    }
    for (size_t i = 0; i < CFS_COUNT(chains); i++)
        peer_put_status(&buffer, peer_expect(&peer, SSH_FXP_REMOVE).id, SSH_FX_OK);
    writes = peer.memory.writes;
    memory_stream_feed(&peer.memory, buffer.bytes, buffer.length);
    assert_int_equal(peer.memory.writes, writes + 1);
    for (size_t i = 0; i < CFS_COUNT(chains); i++)
        peer_reply_status(&peer, peer_expect(&peer, SSH_FXP_REMOVE).id, SSH_FX_OK);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    peer_stop(&peer);
}

/* --- a slow stream --- */

static void check_write(struct sftp_peer *peer, uint64_t offset, const uint8_t *data, uint32_t length)
{
    struct peer_request request = peer_expect(peer, SSH_FXP_WRITE);
    const uint8_t *bytes;
    size_t got;

    bytes = cfs_read_string(&request.fields, &got);
    assert_int_equal(got, 4);
    assert_memory_equal(bytes, "abcd", 4);
    assert_int_equal(cfs_read_u64(&request.fields), offset);
    bytes = cfs_read_string(&request.fields, &got);
    assert_int_equal(got, length);
    assert_memory_equal(bytes, data, length);
    assert_int_equal(request.fields.left, 0);
    peer_reply_status(peer, request.id, SSH_FX_OK);
}

static void requests_survive_a_stream_that_takes_little(void **state)
{
    enum { LENGTH = 100000, COUNT = 5 };
    struct peer_answer writes[COUNT], stats[COUNT];
    uint8_t *data CFS_AUTO_FREE = malloc(LENGTH);
    struct sftp_peer peer;

    assert_non_null(data);
    for (size_t i = 0; i < LENGTH; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    peer_start_ready(&peer);
    peer.memory.room = 0;
    peer.memory.most_written = 777;
    for (uint64_t i = 0; i < COUNT; i++) {
        writes[i] = peer_answer();
        stats[i] = peer_answer();
        assert_int_equal(cfs_sftp_write(peer.client, &writes[i].request, &some_handle, i << 33, data, LENGTH), 0);
        assert_int_equal(cfs_sftp_fstat(peer.client, &stats[i].request, &some_handle), 0);
    }
    peer_expect_nothing(&peer);
    while (cfs_sftp_client_queued(peer.client) > 0) {
        peer.memory.room = 3001;
        memory_stream_poke(&peer.memory);
        peer_turn(&peer);
    }
    peer.memory.room = SIZE_MAX;
    for (uint64_t i = 0; i < COUNT; i++) {
        check_write(&peer, i << 33, data, LENGTH);
        peer_reply_status(&peer, peer_expect(&peer, SSH_FXP_FSTAT).id, SSH_FX_FAILURE);
        assert_int_equal(writes[i].error, 0);
        assert_int_equal(stats[i].error, -EIO);
    }
    peer_expect_nothing(&peer);
    peer_stop(&peer);
}

static void a_blocked_stream_is_not_tried_at_each_request(void **state)
{
    struct peer_answer answers[10];
    unsigned writes;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    peer.memory.room = 0;
    writes = peer.memory.writes;
    for (size_t i = 0; i < CFS_COUNT(answers); i++) {
        answers[i] = peer_answer();
        assert_int_equal(cfs_sftp_lstat(peer.client, &answers[i].request, "/"), 0);
        peer_turn(&peer);
    }
    assert_int_equal(peer.memory.writes, writes + 1);
    peer_stop(&peer);
}

/* --- limits of what may be asked --- */

static void what_is_too_long_is_refused_and_leaves_no_trace(void **state)
{
    struct peer_answer answer = peer_answer();
    char *path CFS_AUTO_FREE = malloc(300001);
    struct sftp_peer peer;

    assert_non_null(path);
    memset(path, 'x', 300000);
    path[300000] = '\0';
    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, path), -EMSGSIZE);
    assert_int_equal(cfs_sftp_write(peer.client, &answer.request, &some_handle, 0, path, 261121), -EMSGSIZE);
    assert_int_equal(cfs_sftp_read(peer.client, &answer.request, &some_handle, 0, 0), -EINVAL);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    peer_expect_nothing(&peer);
    assert_int_equal(cfs_sftp_write(peer.client, &answer.request, &some_handle, 0, path, 261120), 0);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), -EINVAL);
    check_write(&peer, 0, (const uint8_t *)path, 261120);
    assert_int_equal(answer.done, 1);
    peer_stop(&peer);
}

static void a_read_is_cut_to_the_limit(void **state)
{
    struct peer_answer answer = peer_answer();
    struct peer_request request;
    size_t length;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_read(peer.client, &answer.request, &some_handle, 5, 1 << 30), 0);
    request = peer_expect(&peer, SSH_FXP_READ);
    (void)cfs_read_string(&request.fields, &length);
    assert_int_equal(cfs_read_u64(&request.fields), 5);
    assert_int_equal(cfs_read_u32(&request.fields), 261120);
    peer_stop(&peer);
}

static void an_extension_that_is_not_offered_is_not_asked_for(void **state)
{
    static const char *const none[] = {NULL};
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct peer_answer answer = peer_answer();
    struct sftp_peer peer;

    peer_start(&peer);
    peer_put_version(&buffer, 3, none);
    peer_send(&peer, &buffer);
    assert_int_equal(cfs_sftp_statvfs(peer.client, &answer.request, "/"), -EOPNOTSUPP);
    assert_int_equal(cfs_sftp_fsync(peer.client, &answer.request, &some_handle), -EOPNOTSUPP);
    assert_int_equal(cfs_sftp_copy_data(peer.client, &answer.request, &some_handle, 0, 0, &some_handle, 0),
                     -EOPNOTSUPP);
    peer_expect_nothing(&peer);
    peer_stop(&peer);
}

/* --- giving up --- */

static void a_cancelled_requests_completion_is_not_called(void **state)
{
    struct peer_answer answer = peer_answer();
    uint32_t id;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    cfs_sftp_cancel(peer.client, &answer.request);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), 0);
    id = peer_expect(&peer, SSH_FXP_LSTAT).id;
    cfs_sftp_cancel(peer.client, &answer.request);
    cfs_sftp_cancel(peer.client, &answer.request);
    peer_reply_status(&peer, id, SSH_FX_NO_SUCH_FILE);
    assert_int_equal(answer.done, 0);
    assert_int_equal(peer.lost, 0);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    peer_stop(&peer);
}

static void the_handle_of_a_cancelled_open_is_closed(void **state)
{
    struct peer_answer open = peer_answer(), opendir = peer_answer();
    uint32_t open_id, opendir_id;
    struct peer_request closing;
    size_t length;
    const uint8_t *bytes;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_open(peer.client, &open.request, "/f", SSH_FXF_READ, NULL), 0);
    assert_int_equal(cfs_sftp_opendir(peer.client, &opendir.request, "/d"), 0);
    open_id = peer_expect(&peer, SSH_FXP_OPEN).id;
    opendir_id = peer_expect(&peer, SSH_FXP_OPENDIR).id;
    cfs_sftp_cancel(peer.client, &open.request);
    cfs_sftp_cancel(peer.client, &opendir.request);
    peer_reply_handle(&peer, open_id, "unwanted");
    closing = peer_expect(&peer, SSH_FXP_CLOSE);
    bytes = cfs_read_string(&closing.fields, &length);
    assert_int_equal(length, 8);
    assert_memory_equal(bytes, "unwanted", 8);
    peer_reply_status(&peer, opendir_id, SSH_FX_FAILURE);
    peer_expect_nothing(&peer);
    peer_reply_status(&peer, closing.id, SSH_FX_OK);
    assert_int_equal(open.done + opendir.done, 0);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    assert_int_equal(peer.lost, 0);
    peer_stop(&peer);
}

/* The destination is gone with the request: the sanitizer tells when it is still written to. */
static void a_read_may_be_cancelled_in_the_middle_of_its_payload(void **state)
{
    struct peer_answer *answer = malloc(sizeof(*answer));
    struct peer_answer next = peer_answer();
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    uint8_t data[1000] = {1};
    struct sftp_peer peer;

    assert_non_null(answer);
    *answer = peer_answer();
    peer_start_ready(&peer);
    answer->request.destination = malloc(sizeof(data));
    assert_non_null(answer->request.destination);
    assert_int_equal(cfs_sftp_read(peer.client, &answer->request, &some_handle, 0, sizeof(data)), 0);
    assert_int_equal(cfs_sftp_lstat(peer.client, &next.request, "/"), 0);
    peer_put_data(&buffer, peer_expect(&peer, SSH_FXP_READ).id, data, sizeof(data));
    peer_put_status(&buffer, peer_expect(&peer, SSH_FXP_LSTAT).id, SSH_FX_NO_SUCH_FILE);
    memory_stream_feed(&peer.memory, buffer.bytes, 500);
    cfs_sftp_cancel(peer.client, &answer->request);
    free(answer->request.destination);
    free(answer);
    memory_stream_feed(&peer.memory, buffer.bytes + 500, buffer.length - 500);
    assert_int_equal(next.done, 1);
    assert_int_equal(next.error, -ENOENT);
    assert_int_equal(peer.lost, 0);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    peer_stop(&peer);
}

static void nobody_need_wait_for_a_request(void **state)
{
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_close(peer.client, NULL, &some_handle), 0);
    peer_reply_status(&peer, peer_expect(&peer, SSH_FXP_CLOSE).id, SSH_FX_OK);
    assert_int_equal(cfs_sftp_client_in_flight(peer.client), 0);
    peer_stop(&peer);
}

static void an_empty_batch_of_names_is_harmless(void **state)
{
    struct peer_answer answer = peer_answer();
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    size_t begun;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    assert_int_equal(cfs_sftp_readdir(peer.client, &answer.request, &some_handle), 0);
    begun = peer_begin(&buffer, SSH_FXP_NAME);
    cfs_buffer_add_u32(&buffer, peer_expect(&peer, SSH_FXP_READDIR).id);
    cfs_buffer_add_u32(&buffer, 0);
    peer_end(&buffer, begun);
    peer_send(&peer, &buffer);
    assert_int_equal(answer.done, 1);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.name_count, 0);
    peer_stop(&peer);
}

static void counters_count(void **state)
{
    struct peer_answer answer = peer_answer();
    struct cfs_sftp_counters before, after;
    struct sftp_peer peer;

    peer_start_ready(&peer);
    cfs_sftp_client_counters(peer.client, &before);
    assert_int_equal(cfs_sftp_lstat(peer.client, &answer.request, "/"), 0);
    peer_reply_status(&peer, peer_expect(&peer, SSH_FXP_LSTAT).id, SSH_FX_FAILURE);
    cfs_sftp_client_counters(peer.client, &after);
    assert_int_equal(after.requests, before.requests + 1);
    assert_int_equal(after.replies, before.replies + 1);
    assert_int_equal(after.bytes_sent, before.bytes_sent + 4 + 1 + 4 + 4 + 1);
    assert_int_equal(after.bytes_received, before.bytes_received + 4 + 1 + 4 + 4 + 4 + 9 + 4);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_may_come_in_any_order),
        cmocka_unit_test(replies_may_be_cut_anywhere),
        cmocka_unit_test(a_whole_reply_is_put_at_its_destination),
        cmocka_unit_test(no_data_at_all_is_the_end_of_the_file),
        cmocka_unit_test(requests_of_one_turn_leave_in_one_write),
        cmocka_unit_test(what_completions_ask_leaves_at_the_end_of_their_turn),
        cmocka_unit_test(requests_survive_a_stream_that_takes_little),
        cmocka_unit_test(a_blocked_stream_is_not_tried_at_each_request),
        cmocka_unit_test(what_is_too_long_is_refused_and_leaves_no_trace),
        cmocka_unit_test(a_read_is_cut_to_the_limit),
        cmocka_unit_test(an_extension_that_is_not_offered_is_not_asked_for),
        cmocka_unit_test(a_cancelled_requests_completion_is_not_called),
        cmocka_unit_test(the_handle_of_a_cancelled_open_is_closed),
        cmocka_unit_test(a_read_may_be_cancelled_in_the_middle_of_its_payload),
        cmocka_unit_test(nobody_need_wait_for_a_request),
        cmocka_unit_test(an_empty_batch_of_names_is_harmless),
        cmocka_unit_test(counters_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The connection's window of a peer, which many share: who keeps up never waits for who does not.
 */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DATA = 0, HEADERS = 1 };
enum { END_STREAM = 1, END_HEADERS = 4 };
enum { INITIAL_WINDOW_SIZE = 4 };

#define STREAMS 4
#define MODEST  5
#define HEAD    9    /* of a frame */
#define HEADS   1024 /* of all frames of a window */
#define WINDOW  H2_CONNECTION_WINDOW_BYTES
#define HALF    (WINDOW / 2)
#define LITTLE  (WINDOW / H2_RESERVE_LITTLE_SHARE)

static uint8_t bytes[WINDOW];

/* A client with some streams, whose windows are no limit, at a server that returns what the test
 * says. */
struct shared {
    struct pair *pair;
    struct h2_stream *greedy;
    struct h2_stream *greedy_too; /* in no group with it, unless a test joins them */
    struct h2_stream *modest;
    struct h2_stream *other;
};

static struct shared shared_new(void)
{
    struct pair *pair = pair_new(NULL);
    struct h2_stream *streams[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        streams[i] = pair_open(pair, false);
    }
    pair_run(pair, 100000);
    pair_inject_setting(pair, &pair->client, INITIAL_WINDOW_SIZE, 100 * 1024 * 1024);
    pair_collect(pair, &pair->client);
    return (struct shared){pair, streams[0], streams[1], streams[2], streams[3]};
}

/* How many bytes go out now. */
static size_t sent(struct shared *shared)
{
    struct side *client = &shared->pair->client;
    size_t before = client->wire_len;
    pair_collect(shared->pair, client);
    size_t len = client->wire_len - before;
    client->wire_len = 0; /* nobody looks at it */
    return len;
}

/* Writes, and returns how many bytes go out. */
static size_t write_some(struct shared *shared, struct h2_stream *stream, size_t len)
{
    int rv = h2_stream_write(stream, bytes, len, SIZE_MAX);
    assert_int_equal(rv, 0);
    return sent(shared);
}

static void returned(struct shared *shared, uint32_t len)
{
    pair_inject_update(shared->pair, &shared->pair->client, 0, len);
}

static void ticks(struct shared *shared, uint64_t ms)
{
    pair_wait(shared->pair, &shared->pair->client, ms);
}

static void who_is_behind_leaves_half_of_the_window(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    assert_in_range(write_some(&shared, shared.greedy, WINDOW), HALF, HALF + HEADS);
    assert_int_equal(h2_stream_unread_bytes(shared.greedy), HALF);
    assert_int_equal(h2_stream_behind_bytes(shared.greedy), HALF);
    assert_true(h2_session_waits(shared.pair->client.session));
    assert_false(h2_session_stalled(shared.pair->client.session));
    assert_int_equal(write_some(&shared, shared.modest, 4), HEAD + 4);
    pair_free(shared.pair);
}

static void all_streams_of_a_group_are_behind_together(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    h2_stream_join(shared.greedy_too, shared.greedy);
    h2_stream_join(shared.other, shared.greedy);
    assert_in_range(write_some(&shared, shared.greedy, WINDOW), HALF, HALF + HEADS);
    assert_int_equal(write_some(&shared, shared.greedy_too, 4), 0);
    assert_int_equal(write_some(&shared, shared.other, 4), 0);
    assert_int_equal(write_some(&shared, shared.modest, 4), HEAD + 4);
    pair_free(shared.pair);
}

/* Their peer returns a stream's credit late, or never, and the connection's when half is used, as
 * many do. */
static void those_that_keep_up_are_never_held_up(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    struct h2_stream *modest[MODEST];
    for (int i = 0; i < MODEST; i++) {
        modest[i] = pair_open(shared.pair, false);
    }
    sent(&shared);
    write_some(&shared, shared.greedy, WINDOW);
    size_t unreturned = 0;
    for (int i = 0; i < 10000; i++) {
        struct h2_stream *stream = modest[i % MODEST];
        assert_int_equal(write_some(&shared, stream, 1000), HEAD + 1000);
        unreturned += 1000;
        if (unreturned > HALF - 1000) {
            returned(&shared, (uint32_t)unreturned);
            unreturned = 0;
            assert_int_equal(sent(&shared), 0); /* it is not the other's credit */
        }
    }
    assert_true(h2_stream_unread_bytes(modest[0]) > LITTLE);
    assert_int_equal(h2_stream_behind_bytes(shared.greedy), HALF);
    pair_free(shared.pair);
}

static void who_is_alone_sends_on_as_half_comes_back(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    for (int i = 0; i < 20; i++) {
        assert_in_range(write_some(&shared, shared.greedy, HALF), HALF, HALF + HEADS);
        returned(&shared, HALF);
    }
    pair_free(shared.pair);
}

static void what_a_streams_reader_took_is_not_held_against_it(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    write_some(&shared, shared.greedy, WINDOW);
    write_some(&shared, shared.modest, 2 * LITTLE);
    size_t unread = h2_stream_unread_bytes(shared.modest);
    assert_in_range(unread, LITTLE, 2 * LITTLE - 1);
    assert_int_equal(sent(&shared), 0);
    pair_inject_update(shared.pair, &shared.pair->client, h2_stream_id(shared.modest),
                       (uint32_t)unread);
    assert_int_equal(h2_stream_behind_bytes(shared.modest), 0);
    assert_in_range(sent(&shared), 2 * LITTLE - unread, 2 * LITTLE - unread + HEADS);
    pair_free(shared.pair);
}

static void a_peer_that_returned_nothing_early_gets_all(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    write_some(&shared, shared.greedy, WINDOW);
    ticks(&shared, H2_RESERVE_MS / 2);
    assert_int_equal(sent(&shared), 0);
    ticks(&shared, H2_RESERVE_MS);
    assert_in_range(sent(&shared), HALF, HALF + HEADS);
    assert_int_equal(write_some(&shared, shared.greedy, 100), 0);
    assert_true(h2_session_stalled(shared.pair->client.session));
    returned(&shared, 100000);
    assert_false(h2_session_stalled(shared.pair->client.session));
    assert_int_equal(sent(&shared), 0); /* half is kept again */
    returned(&shared, WINDOW - 100000);
    assert_int_equal(sent(&shared), HEAD + 100);
    pair_free(shared.pair);
}

static void a_peer_that_returns_early_does_not(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    write_some(&shared, shared.other, 1000);
    returned(&shared, 1000);
    write_some(&shared, shared.greedy, WINDOW);
    ticks(&shared, 10 * H2_RESERVE_MS);
    assert_int_equal(sent(&shared), 0);
    assert_int_equal(write_some(&shared, shared.modest, 4), HEAD + 4);
    pair_free(shared.pair);
}

/* More credit than was used says nothing of when used credit comes back. */
static void a_window_that_is_enlarged_is_none_returned_early(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    returned(&shared, WINDOW);
    write_some(&shared, shared.other, 1000);
    returned(&shared, 2000);
    write_some(&shared, shared.greedy, WINDOW);
    write_some(&shared, shared.greedy, WINDOW);
    ticks(&shared, 2 * H2_RESERVE_MS);
    assert_in_range(sent(&shared), WINDOW - HALF, WINDOW + HEADS);
    pair_free(shared.pair);
}

/* What comes back is taken off those that hold little, then off ended streams. */
static void what_an_ended_stream_held_is_nobodys(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    struct h2_session *session = shared.pair->client.session;
    write_some(&shared, shared.other, 2 * LITTLE);
    write_some(&shared, shared.greedy, WINDOW);
    write_some(&shared, shared.modest, 100);
    h2_stream_mute(shared.other);
    assert_int_equal(h2_session_nobodys_bytes(session), 2 * LITTLE);
    returned(&shared, 100 + LITTLE);
    assert_int_equal(h2_session_nobodys_bytes(session), LITTLE);
    size_t behind = h2_stream_behind_bytes(shared.greedy);
    returned(&shared, LITTLE + 1000);
    assert_int_equal(h2_session_nobodys_bytes(session), 0);
    sent(&shared); /* it goes on, by what came back */
    assert_in_range(h2_stream_behind_bytes(shared.greedy), behind - 1000, HALF);
    pair_free(shared.pair);
}

/* Of those that hold much, one that waits has sent nothing lately. */
static void what_comes_back_is_of_who_sent_last(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    write_some(&shared, shared.greedy, 2 * LITTLE);
    write_some(&shared, shared.greedy_too, 2 * LITTLE);
    returned(&shared, LITTLE);
    assert_int_equal(h2_stream_behind_bytes(shared.greedy), 2 * LITTLE);
    assert_int_equal(h2_stream_behind_bytes(shared.greedy_too), 0);
    returned(&shared, 2 * LITTLE); /* what is little goes first */
    assert_int_equal(h2_stream_behind_bytes(shared.greedy), 0);
    pair_free(shared.pair);
}

/* A stream that held bytes before brings them along, and takes them with it. */
static void a_group_holds_what_its_streams_hold(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    struct h2_session *session = shared.pair->client.session;
    write_some(&shared, shared.greedy, 2 * LITTLE);
    write_some(&shared, shared.greedy_too, LITTLE);
    assert_int_equal(h2_stream_behind_bytes(shared.greedy_too), 0);
    h2_stream_join(shared.greedy_too, shared.greedy);
    h2_stream_join(shared.other, shared.greedy);
    assert_int_equal(h2_stream_behind_bytes(shared.other), 3 * LITTLE);
    h2_stream_mute(shared.greedy);
    assert_int_equal(h2_session_nobodys_bytes(session), 2 * LITTLE);
    assert_int_equal(h2_stream_behind_bytes(shared.greedy), 0);
    assert_int_equal(h2_stream_behind_bytes(shared.other), 0);
    assert_int_equal(h2_stream_behind_bytes(shared.greedy_too), 0);
    h2_stream_mute(shared.other);
    h2_stream_mute(shared.greedy_too);
    assert_int_equal(h2_session_nobodys_bytes(session), 3 * LITTLE);
    pair_free(shared.pair);
}

static void an_end_goes_out_while_another_waits_for_the_connection(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    write_some(&shared, shared.greedy, WINDOW);
    write_some(&shared, shared.greedy, WINDOW);
    ticks(&shared, 2 * H2_RESERVE_MS);
    sent(&shared);
    assert_true(h2_session_stalled(shared.pair->client.session));
    const struct h2_header trailers[] = {H2_HEADER("x", "y")};
    h2_stream_trailers(shared.modest, trailers, 1);
    struct frame_seen last = {0};
    pair_collect(shared.pair, &shared.pair->client);
    pair_frames(&shared.pair->client, HEADERS, &last);
    assert_int_equal(last.flags, END_STREAM | END_HEADERS);
    pair_free(shared.pair);
}

/* The server answers what it has read of the stream. */
static void answered(struct shared *shared, const struct h2_stream *stream, bool first)
{
    struct side *client = &shared->pair->client;
    const uint8_t status_200 = 0x88; /* RFC 7541 appendix A */
    int32_t id = h2_stream_id(stream);
    if (first) {
        pair_inject(shared->pair, client, HEADERS, END_HEADERS, id, &status_200, 1);
    }
    pair_inject(shared->pair, client, DATA, 0, id, "a", 1);
}

static void what_came_before_an_answer_is_answered(void **state)
{
    (void)state;
    struct shared shared = shared_new();
    write_some(&shared, shared.modest, 1000);
    assert_int_equal(h2_stream_answered_bytes(shared.modest), 0);
    answered(&shared, shared.modest, true);
    assert_int_equal(h2_stream_answered_bytes(shared.modest), 1000);
    write_some(&shared, shared.modest, 500);
    assert_int_equal(h2_stream_answered_bytes(shared.modest), 1000);
    pair_inject_update(shared.pair, &shared.pair->client, h2_stream_id(shared.modest), 300);
    assert_int_equal(h2_stream_answered_bytes(shared.modest), 700);
    answered(&shared, shared.modest, false);
    assert_int_equal(h2_stream_answered_bytes(shared.modest), 1200);
    pair_inject_update(shared.pair, &shared.pair->client, h2_stream_id(shared.modest), 1200);
    assert_int_equal(h2_stream_answered_bytes(shared.modest), 0);
    assert_int_equal(h2_stream_answered_bytes(shared.other), 0);
    pair_free(shared.pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_behind_leaves_half_of_the_window),
        cmocka_unit_test(all_streams_of_a_group_are_behind_together),
        cmocka_unit_test(those_that_keep_up_are_never_held_up),
        cmocka_unit_test(who_is_alone_sends_on_as_half_comes_back),
        cmocka_unit_test(what_a_streams_reader_took_is_not_held_against_it),
        cmocka_unit_test(a_peer_that_returned_nothing_early_gets_all),
        cmocka_unit_test(a_peer_that_returns_early_does_not),
        cmocka_unit_test(a_window_that_is_enlarged_is_none_returned_early),
        cmocka_unit_test(what_an_ended_stream_held_is_nobodys),
        cmocka_unit_test(what_comes_back_is_of_who_sent_last),
        cmocka_unit_test(a_group_holds_what_its_streams_hold),
        cmocka_unit_test(what_came_before_an_answer_is_answered),
        cmocka_unit_test(an_end_goes_out_while_another_waits_for_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

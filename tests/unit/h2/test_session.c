/* Two sessions back to back: the life of streams, frames as they must look, flow control, ends. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    PUSH_PROMISE = 5,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8
};
enum { END_STREAM = 1 };
enum { MAX_CONCURRENT_STREAMS = 3 };

static void a_call_passes_whatever_the_pieces(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 7, 100000};
    for (size_t i = 0; i < 3; i++) {
        struct pair *pair = pair_new(NULL);
        pair->server.answer = true;
        struct h2_stream *stream = pair_open(pair, false);
        assert_int_equal(h2_stream_write(stream, "hello", 5, 100), 0);
        assert_int_equal(h2_stream_end(stream), 0);
        pair_run(pair, steps[i]);
        assert_string_equal(pair->server.log, "request end close:NO_ERROR ");
        assert_string_equal(pair->client.log, "response trailers+end close:NO_ERROR ");
        assert_int_equal(pair->client.received_bytes, 5);
        pair_free(pair);
    }
}

static void an_end_shares_a_frame_with_the_last_bytes(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    h2_stream_write(stream, "hello", 5, 100);
    h2_stream_end(stream);
    pair_run(pair, 100000);
    struct frame_seen last;
    assert_int_equal(pair_frames(&pair->client, DATA, &last), 1);
    assert_int_equal(last.length, 5);
    assert_int_equal(last.flags & END_STREAM, END_STREAM);
    pair_free(pair);
}

static void trailers_only_is_one_frame(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_open(pair, true);
    pair_run(pair, 100000);
    const struct h2_header fields[] = {H2_HEADER(":status", "200"), H2_HEADER("grpc-status", "12")};
    assert_int_equal(h2_stream_respond(pair->server.stream, fields, 2, true), 0);
    pair_run(pair, 100000);
    struct frame_seen last;
    assert_int_equal(pair_frames(&pair->server, HEADERS, &last), 1);
    assert_int_equal(last.flags & END_STREAM, END_STREAM);
    assert_int_equal(pair_frames(&pair->server, DATA, NULL), 0);
    assert_string_equal(pair->client.log, "response+end close:NO_ERROR ");
    pair_free(pair);
}

static void trailers_without_a_body_send_no_empty_data(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_open(pair, true);
    pair_run(pair, 100000);
    const struct h2_header status[] = {H2_HEADER(":status", "200")};
    const struct h2_header trailers[] = {H2_HEADER("grpc-status", "0")};
    h2_stream_respond(pair->server.stream, status, 1, false);
    pair_run(pair, 100000);
    h2_stream_trailers(pair->server.stream, trailers, 1);
    pair_run(pair, 100000);
    assert_int_equal(pair_frames(&pair->server, DATA, NULL), 0);
    assert_string_equal(pair->client.log, "response trailers+end close:NO_ERROR ");
    pair_free(pair);
}

static void a_server_that_ends_first_asks_the_client_to_stop(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    h2_stream_write(stream, "hello", 5, 100);
    pair_run(pair, 100000);
    const struct h2_header fields[] = {H2_HEADER(":status", "200"), H2_HEADER("grpc-status", "8")};
    h2_stream_respond(pair->server.stream, fields, 2, true);
    pair_run(pair, 100000);
    struct frame_seen last;
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, &last), 1);
    assert_int_equal(last.error, H2_NO_ERROR);
    assert_string_equal(pair->client.log, "response+end close:NO_ERROR ");
    pair_free(pair);
}

static void reset_codes_pass_both_ways(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    pair_run(pair, 100000);
    h2_stream_reset(stream, H2_CANCEL);
    pair_run(pair, 100000);
    assert_int_equal(pair->server.close_error, H2_CANCEL);
    pair_open(pair, false);
    pair_run(pair, 100000);
    h2_stream_reset(pair->server.stream, H2_REFUSED_STREAM);
    pair_run(pair, 100000);
    assert_int_equal(pair->client.close_error, H2_REFUSED_STREAM);
    assert_true(pair->client.unprocessed);
    assert_int_equal(pair->client.closes, 2);
    pair_free(pair);
}

static void window_holds_until_the_reader_consumes(void **state)
{
    (void)state;
    static uint8_t bytes[200 * 1024];
    struct pair *pair = pair_new(NULL);
    pair->server.consume = false;
    struct h2_stream *stalled = pair_open(pair, false);
    h2_stream_write(stalled, bytes, sizeof(bytes), sizeof(bytes));
    pair_run(pair, 100000);
    struct h2_stream *at_server = pair->server.stream;
    assert_int_equal(pair->server.received_bytes, H2_STREAM_WINDOW_BYTES);
    assert_int_equal(h2_stream_queued_bytes(stalled), sizeof(bytes) - H2_STREAM_WINDOW_BYTES);
    /* a neighbour is not hurt */
    pair->server.consume = true;
    struct h2_stream *other = pair_open(pair, false);
    h2_stream_write(other, bytes, sizeof(bytes), sizeof(bytes));
    pair_run(pair, 100000);
    assert_int_equal(pair->server.received_bytes, H2_STREAM_WINDOW_BYTES + sizeof(bytes));
    h2_stream_consume(at_server, H2_STREAM_WINDOW_BYTES);
    pair_run(pair, 100000);
    assert_int_equal(h2_stream_queued_bytes(stalled), 0);
    pair_free(pair);
}

static void streams_that_are_not_read_hold_no_credit_of_the_connection(void **state)
{
    (void)state;
    static uint8_t bytes[64 * 1024];
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.connection_window_bytes = 256 * 1024;
    struct pair *pair = pair_new(&limits);
    pair->server.consume = false;
    for (int i = 0; i < 20; i++) {
        h2_stream_write(pair_open(pair, false), bytes, sizeof(bytes), sizeof(bytes));
    }
    pair_run(pair, 100000);
    assert_int_equal(pair->server.received_bytes, 20 * sizeof(bytes));
    pair_free(pair);
}

static void streams_beyond_the_peers_limit_have_no_room(void **state)
{
    (void)state;
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.max_concurrent_streams = 2;
    struct pair *pair = pair_new(&limits);
    pair_run(pair, 100000);
    assert_int_equal(h2_session_room(pair->client.session), 2);
    pair_open(pair, false);
    pair_open(pair, false);
    assert_int_equal(h2_session_room(pair->client.session), 0);
    struct h2_stream *stream;
    const struct h2_header fields[] = {H2_HEADER(":method", "POST")};
    assert_int_equal(pair_open_fields(pair, fields, 1, true, &stream), H2_E_NO_ROOM);
    pair_free(pair);
}

static void there_is_no_room_before_the_peers_settings(void **state)
{
    (void)state;
    struct pair *pair = pair_new_silent(NULL);
    assert_int_equal(h2_session_room(pair->client.session), 0);
    assert_int_equal(h2_session_peer_max_streams(pair->client.session), UINT32_MAX);
    pair_run(pair, 100000);
    assert_int_equal(h2_session_room(pair->client.session), H2_MAX_CONCURRENT_STREAMS_DEFAULT);
    assert_int_equal(h2_session_peer_max_streams(pair->client.session),
                     H2_MAX_CONCURRENT_STREAMS_DEFAULT);
    assert_int_equal(pair->client.rooms, 1);
    h2_stream_reset(pair_open(pair, false), H2_CANCEL);
    pair_run(pair, 100000);
    assert_int_equal(pair->client.rooms, 2);
    assert_int_equal(h2_session_room(pair->client.session), H2_MAX_CONCURRENT_STREAMS_DEFAULT);
    pair_free(pair);
}

static void requests_that_settings_forbid_before_they_left_come_back(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_collect(pair, &pair->client);
    for (int i = 0; i < 3; i++) {
        pair_open(pair, false);
    }
    pair_inject_setting(pair, &pair->client, MAX_CONCURRENT_STREAMS, 2);
    assert_string_equal(pair->client.log, "close:REFUSED_STREAM(unprocessed) "
                                          "close:REFUSED_STREAM(unprocessed) ");
    assert_int_equal(h2_session_stream_count(pair->client.session), 2);
    assert_int_equal(h2_session_room(pair->client.session), 0);
    pair_collect(pair, &pair->client);
    assert_int_equal(pair_frames(&pair->client, HEADERS, NULL), 2);
    pair_inject_setting(pair, &pair->client, MAX_CONCURRENT_STREAMS, 100);
    assert_int_equal(h2_session_room(pair->client.session), 98);
    pair_open(pair, false);
    pair_collect(pair, &pair->client);
    assert_int_equal(pair_frames(&pair->client, HEADERS, NULL),
                     3); /* what came back stays unsent */
    assert_int_equal(pair_frames(&pair->client, RST_STREAM, NULL), 0);
    pair_free(pair);
}

static void a_limit_of_0_takes_back_what_did_not_leave(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_inject_setting(pair, &pair->client, MAX_CONCURRENT_STREAMS, 0);
    assert_string_equal(pair->client.log, "close:REFUSED_STREAM(unprocessed) ");
    pair_collect(pair, &pair->client);
    assert_int_equal(pair_frames(&pair->client, HEADERS, NULL), 0);
    pair_free(pair);
}

static void the_last_answered_stream_is_known(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    static const uint8_t cancel[4] = {0, 0, 0, H2_CANCEL};
    static const uint8_t ok[] = {0x88};
    for (int i = 0; i < 5; i++) {
        pair_open(pair, false);
    }
    pair_collect(pair, &pair->client);
    assert_int_equal(h2_session_answered_id(pair->client.session), 0);
    pair_inject(pair, &pair->client, HEADERS, 4, 5, ok, sizeof(ok));
    assert_int_equal(h2_session_answered_id(pair->client.session), 5);
    pair_inject(pair, &pair->client, RST_STREAM, 0, 3, cancel, sizeof(cancel));
    assert_int_equal(h2_session_answered_id(pair->client.session), 5);
    pair_inject(pair, &pair->client, RST_STREAM, 0, 9, cancel, sizeof(cancel));
    assert_int_equal(h2_session_answered_id(pair->client.session), 9);
    pair_free(pair);
}

static void a_goaway_keeps_its_text_escaped(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_run(pair, 100000);
    assert_null(h2_session_goaway_text(pair->client.session));
    h2_session_drain_begin(pair->server.session, "too\033many"); /* the text goes with the second */
    pair_run(pair, 100000);
    assert_string_equal(h2_session_goaway_text(pair->client.session), "GOAWAY NO_ERROR");
    h2_session_drain_finish(pair->server.session, H2_NO_ERROR, NULL);
    pair_run(pair, 100000);
    assert_string_equal(h2_session_goaway_text(pair->client.session),
                        "GOAWAY NO_ERROR: too\\x1bmany");
    h2_session_drain_finish(pair->server.session, H2_NO_ERROR, NULL); /* says nothing new */
    pair_run(pair, 100000);
    assert_string_equal(h2_session_goaway_text(pair->client.session),
                        "GOAWAY NO_ERROR: too\\x1bmany");
    h2_session_drain_finish(pair->server.session, H2_ENHANCE_YOUR_CALM, NULL);
    pair_run(pair, 100000);
    assert_string_equal(h2_session_goaway_text(pair->client.session), "GOAWAY ENHANCE_YOUR_CALM");
    pair_free(pair);
}

/* grpc-go's clients name the last of their own streams when they go. */
static void a_clients_goodbye_is_no_offence(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    static const uint8_t goodbye[] = {0, 0, 0, 3, 0, 0, 0, 0, 'b', 'y', 'e'};
    pair_inject(pair, &pair->server, GOAWAY, 0, 0, goodbye, sizeof(goodbye));
    pair_collect(pair, &pair->server);
    assert_string_equal(h2_session_goaway_text(pair->server.session), "GOAWAY NO_ERROR: bye");
    assert_null(h2_session_reason(pair->server.session));
    assert_true(h2_session_finished(pair->server.session));
    pair_free(pair);
    pair = pair_new(NULL);
    pair_inject(pair, &pair->server, PUSH_PROMISE, 4, 1, goodbye, 6);
    pair_collect(pair, &pair->server);
    assert_string_equal(h2_session_reason(pair->server.session),
                        "peer broke HTTP/2 (PROTOCOL_ERROR)");
    pair_free(pair);
}

static void a_drained_session_without_streams_still_reads(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_run(pair, 100000);
    h2_session_drain_begin(pair->server.session, NULL);
    pair_collect(pair, &pair->server); /* the GOAWAY is on its way */
    pair_open(pair, false);
    pair_run(pair, 100000);
    assert_int_equal(h2_session_stream_count(pair->server.session), 1);
    assert_false(h2_session_finished(pair->server.session));
    pair_free(pair);
}

/* The server may have seen it; only its own word says that it did not. */
static void what_was_reset_here_is_not_unprocessed(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    pair_run(pair, 100000);
    h2_stream_reset(stream, H2_REFUSED_STREAM);
    pair_run(pair, 100000);
    assert_string_equal(pair->client.log, "close:REFUSED_STREAM ");
    pair_free(pair);
}

static void what_never_left_a_lost_connection_is_unprocessed(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_collect(pair, &pair->client);
    pair_open(pair, false);
    h2_session_free(pair->client.session, H2_CONNECTION_LOST);
    pair->client.session = NULL;
    assert_string_equal(pair->client.log, "close:lost close:lost(unprocessed) ");
    pair_free(pair);
}

static void reopen(void *user, uint32_t error, bool unprocessed)
{
    static const struct h2_stream_events none;
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/"),
        H2_HEADER(":authority", "x"),
    };
    struct h2_stream *stream;
    (void)error;
    (void)unprocessed;
    assert_int_equal(h2_stream_open(user, fields, 4, true, &none, NULL, &stream), H2_E_NO_ROOM);
}

static void a_session_that_ends_takes_no_stream_in_their_last_event(void **state)
{
    (void)state;
    static const struct h2_stream_events reopening = {.on_close = reopen};
    struct pair *pair = pair_new(NULL);
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/"),
        H2_HEADER(":authority", "x"),
    };
    struct h2_stream *stream;
    assert_int_equal(h2_stream_open(pair->client.session, fields, 4, false, &reopening,
                                    pair->client.session, &stream),
                     0);
    pair_run(pair, 100000);
    pair_free(pair);
}

static void a_stream_of_nobodys_may_be_answered(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.deaf = true;
    h2_stream_write(pair_open(pair, false), "hello", 5, 100);
    pair_run(pair, 100000);
    const struct h2_header status[] = {H2_HEADER(":status", "404")};
    assert_int_equal(h2_stream_respond(pair->server.stream, status, 1, true), 0);
    pair_run(pair, 100000);
    assert_string_equal(pair->client.log, "response+end close:NO_ERROR ");
    assert_string_equal(pair->server.log, "request ");
    assert_int_equal(h2_session_stream_count(pair->server.session), 0);
    pair_free(pair);
}

static void drain_lets_streams_finish_and_takes_no_new_ones(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    struct h2_stream *stream = pair_open(pair, false);
    pair_run(pair, 100000);
    h2_session_drain_begin(pair->server.session, "maintenance");
    pair_run(pair, 100000);
    assert_int_equal(h2_session_room(pair->client.session), 0);
    h2_session_drain_finish(pair->server.session, H2_NO_ERROR, NULL);
    pair_run(pair, 100000);
    h2_stream_end(stream);
    pair_run(pair, 100000);
    assert_string_equal(pair->client.log, "response goaway:NO_ERROR goaway:NO_ERROR trailers+end "
                                          "close:NO_ERROR ");
    assert_int_equal(pair_frames(&pair->server, GOAWAY, NULL), 2);
    pair_free(pair);
}

static void a_lost_connection_closes_every_stream_once(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    for (int i = 0; i < 5; i++) {
        pair_open(pair, false);
    }
    pair_run(pair, 100000);
    h2_session_free(pair->client.session, H2_CONNECTION_LOST);
    assert_int_equal(pair->client.closes, 5);
    assert_int_equal(pair->client.close_error, H2_CONNECTION_LOST);
    pair->client.session = NULL;
    pair_free(pair);
}

static void output_is_asked_for_once_between_pulls(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    pair_run(pair, 100000);
    pair->client.output_asks = 0;
    for (int i = 0; i < 10; i++) {
        h2_stream_write(stream, "x", 1, 100);
    }
    assert_int_equal(pair->client.output_asks, 1);
    pair_run(pair, 100000);
    h2_stream_write(stream, "x", 1, 100);
    assert_int_equal(pair->client.output_asks, 2);
    pair_free(pair);
}

/* ... and an answer does not. */
static void credit_waits_for_company(void **state)
{
    (void)state;
    static const uint8_t bytes[H2_FRAME_BYTES];
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_run(pair, 100000);
    pair->server.output_asks = 0;
    pair->server.output_waits = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pair_inject(pair, &pair->server, DATA, 0, 1, bytes, sizeof(bytes)), 0);
    }
    assert_int_equal(pair->server.output_waits, 1);
    assert_int_equal(pair->server.output_asks, 0);
    pair_inject(pair, &pair->server, PING, 0, 0, "12345678", 8);
    assert_int_equal(pair->server.output_asks, 1);
    size_t updates = pair_frames(&pair->server, WINDOW_UPDATE, NULL);
    pair_run(pair, 100000);
    assert_int_equal(pair_frames(&pair->server, WINDOW_UPDATE, NULL), updates + 1);
    pair_free(pair);
}

static void a_full_queue_takes_nothing(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    assert_int_equal(h2_stream_write(stream, "12345", 5, 8), 0);
    assert_int_equal(h2_stream_write(stream, "12345", 5, 8), H2_E_FULL);
    assert_int_equal(h2_stream_queued_bytes(stream), 5);
    h2_stream_end(stream);
    assert_int_equal(h2_stream_write(stream, "1", 1, 100), H2_E_CLOSED);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_passes_whatever_the_pieces),
        cmocka_unit_test(an_end_shares_a_frame_with_the_last_bytes),
        cmocka_unit_test(trailers_only_is_one_frame),
        cmocka_unit_test(trailers_without_a_body_send_no_empty_data),
        cmocka_unit_test(a_server_that_ends_first_asks_the_client_to_stop),
        cmocka_unit_test(reset_codes_pass_both_ways),
        cmocka_unit_test(window_holds_until_the_reader_consumes),
        cmocka_unit_test(streams_that_are_not_read_hold_no_credit_of_the_connection),
        cmocka_unit_test(streams_beyond_the_peers_limit_have_no_room),
        cmocka_unit_test(there_is_no_room_before_the_peers_settings),
        cmocka_unit_test(requests_that_settings_forbid_before_they_left_come_back),
        cmocka_unit_test(a_limit_of_0_takes_back_what_did_not_leave),
        cmocka_unit_test(the_last_answered_stream_is_known),
        cmocka_unit_test(a_goaway_keeps_its_text_escaped),
        cmocka_unit_test(a_clients_goodbye_is_no_offence),
        cmocka_unit_test(a_drained_session_without_streams_still_reads),
        cmocka_unit_test(what_was_reset_here_is_not_unprocessed),
        cmocka_unit_test(what_never_left_a_lost_connection_is_unprocessed),
        cmocka_unit_test(a_session_that_ends_takes_no_stream_in_their_last_event),
        cmocka_unit_test(a_stream_of_nobodys_may_be_answered),
        cmocka_unit_test(drain_lets_streams_finish_and_takes_no_new_ones),
        cmocka_unit_test(a_lost_connection_closes_every_stream_once),
        cmocka_unit_test(output_is_asked_for_once_between_pulls),
        cmocka_unit_test(credit_waits_for_company),
        cmocka_unit_test(a_full_queue_takes_nothing),
    };
    return cmocka_run_group_tests_name("h2/session", tests, NULL, NULL);
}

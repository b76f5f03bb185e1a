/* DATA and flow control: every byte arrives once, within windows, its credit comes back, and who
 * breaks the rules is told. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8 };
enum { INITIAL_WINDOW_SIZE = 4 };

#define FRAME 16384

static uint8_t bytes[1024 * 1024];

/* Credit that a side gave back on a stream, in bytes. */
static size_t credit_of(const struct side *side, int32_t id)
{
    size_t sum = 0;
    for (size_t at = 0; at + 9 <= side->wire_len;) {
        const uint8_t *head = side->wire + at;
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (head[3] == WINDOW_UPDATE && head[8] == id) {
            sum +=
                (size_t)head[9] << 24 | (size_t)head[10] << 16 | (size_t)head[11] << 8 | head[12];
        }
        at += 9 + len;
    }
    return sum;
}

/* A stream whose request has arrived. */
static struct pair *open_pair(const struct h2_limits *limits, struct h2_stream **ret_stream)
{
    struct pair *pair = pair_new(limits);
    *ret_stream = pair_open(pair, false);
    pair_run(pair, 100000);
    return pair;
}

static uint32_t error_on_wire(const struct side *side, uint8_t type)
{
    struct frame_seen last = {0};
    assert_int_equal(pair_frames(side, type, &last), 1);
    return last.error;
}

static void a_megabyte_passes_both_ways(void **state)
{
    (void)state;
    static const size_t steps[] = {1000, 65536};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct h2_stream *stream;
        struct pair *pair = pair_new(NULL);
        pair->server.answer = true;
        stream = pair_open(pair, false);
        h2_stream_write(stream, bytes, sizeof(bytes), SIZE_MAX);
        h2_stream_end(stream);
        pair_run(pair, steps[i]);
        assert_int_equal(pair->server.received_bytes, sizeof(bytes));
        assert_int_equal(pair->client.received_bytes, sizeof(bytes));
        assert_string_equal(pair->client.log, "response trailers+end close:NO_ERROR ");
        pair_free(pair);
    }
}

/* What is left behind whole frames is not sent empty. */
static void a_frame_is_cut_for_the_rest_of_the_buffer(void **state)
{
    (void)state;
    static uint8_t out[32 * 1024];
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    assert_int_equal(h2_stream_write(stream, bytes, 3 * FRAME, 4 * FRAME), 0);
    assert_int_equal(h2_session_pull(pair->client.session, out, sizeof(out), pair->now_ms),
                     sizeof(out));
    assert_int_equal(h2_session_feed(pair->server.session, out, sizeof(out), pair->now_ms), 0);
    pair_run(pair, 100000);
    assert_int_equal(pair->server.received_bytes, 3 * FRAME);
    pair_free(pair);
}

static void padding_and_plain_bytes_all_come_back_as_credit(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    size_t before = credit_of(&pair->server, 0);
    bytes[0] = 200; /* of padding, where there is any */
    for (int i = 0; i < 200; i++) {
        uint8_t flags = i % 3 == 0 ? PADDED : 0;
        assert_int_equal(pair_inject(pair, &pair->server, DATA, flags, 1, bytes, FRAME), 0);
        pair_run(pair, 100000);
    }
    size_t sent = (size_t)200 * FRAME;
    assert_int_equal(pair->server.received_bytes, sent - 67 * 201);
    assert_in_range(credit_of(&pair->server, 1), sent - H2_STREAM_WINDOW_BYTES, sent);
    assert_in_range(credit_of(&pair->server, 0) - before, sent - H2_CONNECTION_WINDOW_BYTES, sent);
    bytes[0] = 0;
    pair_free(pair);
}

/* Who sends whole frames of that size alone can always send one. */
static void what_is_kept_back_leaves_room_for_a_frame(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{16000, 4000}, {16300, 16300}, {4000, 16000}, {16384, 1}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct h2_stream *stream;
        struct pair *pair = open_pair(NULL, &stream);
        size_t before = credit_of(&pair->server, 0);
        size_t sent = 0;
        for (int number = 0; number < 200; number++) {
            size_t len = sizes[i][number % 2];
            uint8_t flags = number % 2 == 1 ? PADDED : 0;
            assert_int_equal(pair_inject(pair, &pair->server, DATA, flags, 1, bytes, len), 0);
            pair_run(pair, 100000);
            sent += len;
            assert_in_range(credit_of(&pair->server, 1) + H2_STREAM_WINDOW_BYTES - sent, FRAME,
                            H2_STREAM_WINDOW_BYTES);
            assert_in_range(credit_of(&pair->server, 0) - before + H2_CONNECTION_WINDOW_BYTES -
                                sent,
                            FRAME, H2_CONNECTION_WINDOW_BYTES);
        }
        pair_free(pair);
    }
}

static void more_than_a_streams_window_resets_it(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair->server.consume = false;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pair_inject(pair, &pair->server, DATA, 0, 1, bytes, FRAME), 0);
    }
    pair_run(pair, 100000);
    assert_int_equal(pair->server.received_bytes, H2_STREAM_WINDOW_BYTES);
    assert_int_equal(error_on_wire(&pair->server, RST_STREAM), H2_FLOW_CONTROL_ERROR);
    assert_int_equal(pair_frames(&pair->server, GOAWAY, NULL), 0);
    pair_free(pair);
}

/* What they sent too much counts for the connection's window, and for nobody's stream. */
static void streams_that_are_reset_leave_the_connection_its_credit(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    const int32_t streams = H2_CONNECTION_WINDOW_BYTES / FRAME + 1;
    for (int32_t i = 0; i < streams; i++) {
        pair_open(pair, false);
        pair_run(pair, 100000);
        for (int k = 0; k < H2_STREAM_WINDOW_BYTES / FRAME + 1; k++) {
            assert_int_equal(pair_inject(pair, &pair->server, DATA, 0, 2 * i + 1, bytes, FRAME), 0);
        }
        pair_run(pair, 100000);
    }
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, NULL), streams);
    assert_int_equal(pair_frames(&pair->server, GOAWAY, NULL), 0);
    pair_free(pair);
}

/* Padded frames are counted by nghttp2, plain ones here: a peer may not have a window of each. */
static void more_than_a_streams_window_in_frames_of_both_kinds_resets_it(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair->server.consume = false;
    for (int i = 0; i < 8; i++) {
        uint8_t flags = i % 2 == 0 ? PADDED : 0;
        assert_int_equal(pair_inject(pair, &pair->server, DATA, flags, 1, bytes, FRAME), 0);
    }
    assert_int_equal(pair_inject(pair, &pair->server, DATA, PADDED, 1, bytes, 4), 0);
    pair_run(pair, 100000);
    assert_in_range(pair->server.received_bytes, H2_STREAM_WINDOW_BYTES - FRAME,
                    H2_STREAM_WINDOW_BYTES);
    assert_int_equal(error_on_wire(&pair->server, RST_STREAM), H2_FLOW_CONTROL_ERROR);
    assert_int_equal(pair_frames(&pair->server, GOAWAY, NULL), 0);
    pair_free(pair);
}

static void more_than_the_connections_window_ends_it(void **state)
{
    (void)state;
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.connection_window_bytes = 70000;
    struct pair *pair = pair_new(&limits);
    pair->server.consume = false;
    pair_open(pair, false);
    pair_open(pair, false);
    pair_run(pair, 100000);
    int rv = 0;
    for (int i = 0; i < 6 && rv == 0; i++) {
        rv = pair_inject(pair, &pair->server, DATA, 0, i < 3 ? 1 : 3, bytes, FRAME);
    }
    assert_true(rv < 0);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, GOAWAY), H2_FLOW_CONTROL_ERROR);
    assert_string_equal(h2_session_reason(pair->server.session),
                        "peer broke HTTP/2 (FLOW_CONTROL_ERROR)");
    pair_free(pair);
}

/* The client's only DATA frames so far: how many, and the last. */
static void assert_data(struct pair *pair, size_t count, uint32_t last_length, uint8_t last_flags)
{
    struct frame_seen last = {0};
    pair_collect(pair, &pair->client);
    assert_int_equal(pair_frames(&pair->client, DATA, &last), count);
    assert_int_equal(last.length, last_length);
    assert_int_equal(last.flags, last_flags);
}

static void sending_follows_the_peers_window_settings(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair_inject_setting(pair, &pair->client, INITIAL_WINDOW_SIZE, 3);
    h2_stream_write(stream, "hello", 5, 100);
    assert_data(pair, 1, 3, 0);
    pair_inject_setting(pair, &pair->client, INITIAL_WINDOW_SIZE, 0); /* three owed */
    pair_inject_update(pair, &pair->client, 1, 3);
    assert_data(pair, 1, 3, 0);
    pair_inject_update(pair, &pair->client, 1, 1);
    assert_data(pair, 2, 1, 0);
    pair_inject_setting(pair, &pair->client, INITIAL_WINDOW_SIZE, 1);
    assert_data(pair, 3, 1, 0);
    assert_int_equal(h2_stream_queued_bytes(stream), 0);
    pair_free(pair);
}

static void an_end_needs_no_window(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair_inject_setting(pair, &pair->client, INITIAL_WINDOW_SIZE, 0);
    h2_stream_end(stream);
    assert_data(pair, 1, 0, END_STREAM);
    pair_free(pair);
}

static void an_end_waits_for_the_bytes_before_it(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair_inject_setting(pair, &pair->client, INITIAL_WINDOW_SIZE, 4);
    h2_stream_write(stream, "hello", 5, 100);
    h2_stream_end(stream);
    assert_data(pair, 1, 4, 0);
    pair_inject_update(pair, &pair->client, 1, 100);
    assert_data(pair, 2, 1, END_STREAM);
    pair_free(pair);
}

/* How many bytes go out when the side is asked. */
static size_t sent(struct pair *pair, struct side *side)
{
    size_t before = side->wire_len;
    pair_collect(pair, side);
    return side->wire_len - before;
}

#define HEADS 1024 /* of the frames */

static void a_server_may_use_all_of_a_clients_window(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    const struct h2_header status[] = {H2_HEADER(":status", "200")};
    h2_stream_respond(pair->server.stream, status, 1, false);
    pair_inject_setting(pair, &pair->server, INITIAL_WINDOW_SIZE, 10 * 1024 * 1024);
    pair_collect(pair, &pair->server);
    h2_stream_write(pair->server.stream, bytes, sizeof(bytes), SIZE_MAX);
    assert_in_range(sent(pair, &pair->server), H2_CONNECTION_WINDOW_BYTES,
                    H2_CONNECTION_WINDOW_BYTES + HEADS);
    pair_free(pair);
}

static void what_is_discarded_is_not_sent_and_holds_nothing_up(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair_inject_setting(pair, &pair->client, INITIAL_WINDOW_SIZE, 0);
    h2_stream_write(stream, "hello", 5, 100);
    h2_stream_end(stream);
    pair_collect(pair, &pair->client);
    assert_int_equal(h2_session_queued_bytes(pair->client.session), 5);
    assert_int_equal(h2_stream_discard(stream), 5);
    assert_int_equal(h2_session_queued_bytes(pair->client.session), 0);
    assert_data(pair, 1, 0, END_STREAM);
    pair_free(pair);
}

static void queued_bytes_are_summed_over_sessions(void **state)
{
    (void)state;
    size_t total = 0;
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.queued_total = &total;
    struct pair *pair = pair_new(&limits);
    struct h2_stream *stream = pair_open(pair, false);
    size_t request = h2_stream_block_bytes(stream);
    assert_in_range(request, 100, 500);
    h2_stream_write(stream, bytes, 1000, SIZE_MAX);
    assert_int_equal(total, request + 1000);
    pair_run(pair, 100000);
    assert_int_equal(total, 0);
    const struct h2_header status[] = {H2_HEADER(":status", "200")};
    h2_stream_respond(pair->server.stream, status, 1, false);
    h2_stream_write(pair->server.stream, bytes, 100, SIZE_MAX);
    h2_stream_write(stream, bytes, 7, SIZE_MAX);
    size_t response = strlen(":status") + strlen("200") + H2_FIELD_OVERHEAD_BYTES;
    assert_int_equal(total, response + 107);
    assert_int_equal(h2_session_queued_bytes(pair->server.session), response + 100);
    pair_inject_setting(pair, &pair->server, INITIAL_WINDOW_SIZE, 10);
    pair_collect(pair, &pair->server);
    assert_int_equal(total, 97);
    h2_stream_reset(pair->server.stream, H2_CANCEL);
    pair_collect(pair, &pair->server);
    assert_int_equal(total, 7);
    pair_free(pair);
    assert_int_equal(total, 0);
}

static void what_comes_on_a_stream_of_nobodys_is_dropped_and_its_credit_returned(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.deaf = true;
    struct h2_stream *stream = pair_open(pair, false);
    h2_stream_write(stream, bytes, sizeof(bytes), SIZE_MAX);
    h2_stream_end(stream);
    pair_run(pair, 100000);
    assert_int_equal(h2_stream_queued_bytes(stream), 0);
    assert_int_equal(pair->server.received_bytes, 0);
    pair_free(pair);
}

static void a_stream_that_is_given_up_returns_its_credit(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair->server.consume = false;
    h2_stream_write(stream, bytes, 2 * H2_STREAM_WINDOW_BYTES, SIZE_MAX);
    pair_run(pair, 100000);
    assert_int_equal(h2_stream_queued_bytes(stream), H2_STREAM_WINDOW_BYTES);
    pair_give_up(&pair->server);
    pair_run(pair, 100000);
    assert_int_equal(h2_stream_queued_bytes(stream), 0);
    h2_stream_reset(stream, H2_CANCEL);
    pair_run(pair, 100000);
    assert_int_equal(pair->server.closes, 0);
    pair_free(pair);
}

static void a_window_that_overflows_is_an_error(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    assert_int_equal(pair_inject_update(pair, &pair->server, 1, INT32_MAX), 0);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, RST_STREAM), H2_FLOW_CONTROL_ERROR);
    assert_true(pair_inject_update(pair, &pair->server, 0, INT32_MAX) < 0);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, GOAWAY), H2_FLOW_CONTROL_ERROR);
    pair_free(pair);
}

static void a_window_of_the_largest_size_is_none(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    assert_int_equal(pair_inject_update(pair, &pair->server, 1, INT32_MAX - H2_STREAM_WINDOW_BYTES),
                     0);
    pair_run(pair, 100000);
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, NULL), 0);
    assert_int_equal(pair_inject_update(pair, &pair->server, 1, 1), 0);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, RST_STREAM), H2_FLOW_CONTROL_ERROR);
    pair_free(pair);
}

static void settings_that_overflow_a_window_are_an_error(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    assert_int_equal(pair_inject_update(pair, &pair->server, 1, INT32_MAX - 100000), 0);
    assert_true(pair_inject_setting(pair, &pair->server, INITIAL_WINDOW_SIZE, 200000) < 0);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, GOAWAY), H2_FLOW_CONTROL_ERROR);
    pair_free(pair);
}

static void updates_that_make_no_sense_are_errors(void **state)
{
    (void)state;
    static const struct {
        int32_t id;
        uint32_t increment;
    } wrong[] = {{0, 0}, {1, 0}, {77, 1}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct h2_stream *stream;
        struct pair *pair = open_pair(NULL, &stream);
        pair_inject_update(pair, &pair->server, wrong[i].id, wrong[i].increment);
        pair_run(pair, 100000);
        assert_int_equal(error_on_wire(&pair->server, GOAWAY), H2_PROTOCOL_ERROR);
        pair_free(pair);
    }
}

static void nothing_may_come_between_a_block_and_its_end(void **state)
{
    (void)state;
    static const uint8_t begun[] = {0x83, 0x86};
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair_inject(pair, &pair->server, HEADERS, 0, 3, begun, sizeof(begun));
    pair_inject(pair, &pair->server, DATA, 0, 1, bytes, 10);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, GOAWAY), H2_PROTOCOL_ERROR);
    assert_int_equal(pair->server.received_bytes, 0);
    pair_free(pair);
}

static void settings_with_undefined_flags_are_settings(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    static const uint8_t window[] = {0, INITIAL_WINDOW_SIZE, 0, 0, 0, 3};
    assert_int_equal(pair_inject(pair, &pair->client, SETTINGS, 0xfe, 0, window, 6), 0);
    h2_stream_write(stream, "hello", 5, 100);
    assert_data(pair, 1, 3, 0);
    pair_free(pair);
}

/* SETTINGS of so many entries, the last of which is a stream window of 3 bytes. */
static int inject_entries(struct pair *pair, size_t count, size_t step)
{
    static uint8_t frame[9 + 6 * 200];
    uint8_t payload[6 * 200];
    for (size_t i = 0; i < count; i++) {
        const uint8_t entry[] = {0, INITIAL_WINDOW_SIZE, 0, 0, 0, i + 1 == count ? 3 : 0};
        memcpy(payload + 6 * i, entry, 6);
    }
    size_t len = (size_t)(pair_frame(frame, SETTINGS, 0, 0, payload, 6 * count) - frame);
    int rv = 0;
    for (size_t at = 0; at < len && rv == 0; at += step) {
        rv = h2_session_feed(pair->client.session, frame + at, len - at < step ? len - at : step,
                             pair->now_ms);
    }
    return rv;
}

static void a_hundred_settings_are_applied_whatever_the_pieces(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 5, 2000};
    for (size_t i = 0; i < 3; i++) {
        struct h2_stream *stream;
        struct pair *pair = open_pair(NULL, &stream);
        assert_int_equal(inject_entries(pair, 100, steps[i]), 0);
        h2_stream_write(stream, "hello", 5, 100);
        assert_data(pair, 1, 3, 0);
        assert_int_equal(pair_frames(&pair->client, GOAWAY, NULL), 0);
        pair_free(pair);
    }
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    inject_entries(pair, 101, 2000);
    pair_collect(pair, &pair->client);
    assert_int_equal(error_on_wire(&pair->client, GOAWAY), H2_ENHANCE_YOUR_CALM);
    pair_free(pair);
}

static void a_servers_mistake_on_a_stream_costs_the_stream(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    assert_int_equal(pair_inject_update(pair, &pair->client, 1, 0), 0);
    pair_run(pair, 100000);
    assert_string_equal(pair->client.log, "close:PROTOCOL_ERROR ");
    assert_string_equal(pair->client.fault, "a WINDOW_UPDATE of 0 bytes");
    assert_int_equal(pair_frames(&pair->client, GOAWAY, NULL), 0);
    pair_free(pair);
}

static struct pair *post_of_length(const char *length, size_t sent)
{
    struct pair *pair = pair_new(NULL);
    const struct h2_header fields[] = {H2_HEADER(":method", "POST"), H2_HEADER(":scheme", "http"),
                                       H2_HEADER(":path", "/"), H2_HEADER(":authority", "x"),
                                       H2_HEADER("content-length", length)};
    struct h2_stream *stream;
    assert_int_equal(pair_open_fields(pair, fields, 5, false, &stream), 0);
    for (size_t at = 0; at < sent; at += FRAME) {
        h2_stream_write(stream, bytes, sent - at < FRAME ? sent - at : FRAME, SIZE_MAX);
        pair_run(pair, 100000);
    }
    h2_stream_end(stream);
    pair_run(pair, 100000);
    return pair;
}

static void a_content_length_is_checked(void **state)
{
    (void)state;
    struct pair *pair = post_of_length("500000", 500000);
    assert_string_equal(pair->server.log, "request end ");
    assert_int_equal(pair->server.received_bytes, 500000);
    pair_free(pair);
    pair = post_of_length("500000", 499999);
    assert_string_equal(pair->server.log, "request close:PROTOCOL_ERROR ");
    pair_free(pair);
}

static void nothing_follows_a_reset(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    h2_stream_write(stream, "hello", 5, 100);
    h2_stream_reset(stream, H2_CANCEL);
    pair_run(pair, 100000);
    assert_int_equal(pair_frames(&pair->client, DATA, NULL), 0);
    assert_int_equal(error_on_wire(&pair->client, RST_STREAM), H2_CANCEL);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_megabyte_passes_both_ways),
        cmocka_unit_test(a_frame_is_cut_for_the_rest_of_the_buffer),
        cmocka_unit_test(padding_and_plain_bytes_all_come_back_as_credit),
        cmocka_unit_test(what_is_kept_back_leaves_room_for_a_frame),
        cmocka_unit_test(more_than_a_streams_window_resets_it),
        cmocka_unit_test(streams_that_are_reset_leave_the_connection_its_credit),
        cmocka_unit_test(more_than_a_streams_window_in_frames_of_both_kinds_resets_it),
        cmocka_unit_test(more_than_the_connections_window_ends_it),
        cmocka_unit_test(sending_follows_the_peers_window_settings),
        cmocka_unit_test(an_end_needs_no_window),
        cmocka_unit_test(an_end_waits_for_the_bytes_before_it),
        cmocka_unit_test(a_server_may_use_all_of_a_clients_window),
        cmocka_unit_test(what_is_discarded_is_not_sent_and_holds_nothing_up),
        cmocka_unit_test(queued_bytes_are_summed_over_sessions),
        cmocka_unit_test(what_comes_on_a_stream_of_nobodys_is_dropped_and_its_credit_returned),
        cmocka_unit_test(a_stream_that_is_given_up_returns_its_credit),
        cmocka_unit_test(a_window_that_overflows_is_an_error),
        cmocka_unit_test(a_window_of_the_largest_size_is_none),
        cmocka_unit_test(settings_that_overflow_a_window_are_an_error),
        cmocka_unit_test(updates_that_make_no_sense_are_errors),
        cmocka_unit_test(nothing_may_come_between_a_block_and_its_end),
        cmocka_unit_test(settings_with_undefined_flags_are_settings),
        cmocka_unit_test(a_hundred_settings_are_applied_whatever_the_pieces),
        cmocka_unit_test(a_servers_mistake_on_a_stream_costs_the_stream),
        cmocka_unit_test(a_content_length_is_checked),
        cmocka_unit_test(nothing_follows_a_reset),
    };
    return cmocka_run_group_tests_name("h2/data", tests, NULL, NULL);
}

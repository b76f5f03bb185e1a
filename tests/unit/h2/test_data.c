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
enum { END_STREAM = 1, PADDED = 8 };

#define FRAME 16384

static uint8_t bytes[1024 * 1024];

/* A frame that no session of ours would send. Returns what the session said. */
static int inject(struct pair *pair, struct side *to, uint8_t type, uint8_t flags, int32_t id,
                  const void *payload, size_t len)
{
    static uint8_t frame[FRAME + 64];
    size_t size = (size_t)(pair_frame(frame, type, flags, id, payload, len) - frame);
    return h2_session_feed(to->session, frame, size, pair->now_ms);
}

static int inject_update(struct pair *pair, struct side *to, int32_t id, uint32_t increment)
{
    const uint8_t payload[] = {(uint8_t)(increment >> 24), (uint8_t)(increment >> 16),
                               (uint8_t)(increment >> 8), (uint8_t)increment};
    return inject(pair, to, WINDOW_UPDATE, 0, id, payload, sizeof(payload));
}

static int inject_window(struct pair *pair, struct side *to, uint32_t window)
{
    const uint8_t payload[] = {0,
                               4,
                               (uint8_t)(window >> 24),
                               (uint8_t)(window >> 16),
                               (uint8_t)(window >> 8),
                               (uint8_t)window};
    return inject(pair, to, SETTINGS, 0, 0, payload, sizeof(payload));
}

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

/* What a side has to say, to nobody: its peer is the test. */
static void collect(struct pair *pair, struct side *side)
{
    static uint8_t out[64 * 1024];
    ptrdiff_t len;
    while ((len = h2_session_pull(side->session, out, sizeof(out), pair->now_ms)) > 0) {
        assert_true(side->wire_len + (size_t)len <= PAIR_WIRE_BYTES);
        memcpy(side->wire + side->wire_len, out, (size_t)len);
        side->wire_len += (size_t)len;
    }
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

static void padding_and_plain_bytes_all_come_back_as_credit(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    size_t before = credit_of(&pair->server, 0);
    bytes[0] = 200; /* of padding, where there is any */
    for (int i = 0; i < 200; i++) {
        uint8_t flags = i % 3 == 0 ? PADDED : 0;
        assert_int_equal(inject(pair, &pair->server, DATA, flags, 1, bytes, FRAME), 0);
        pair_run(pair, 100000);
    }
    size_t sent = (size_t)200 * FRAME;
    assert_int_equal(pair->server.received_bytes, sent - 67 * 201);
    assert_in_range(credit_of(&pair->server, 1), sent - H2_STREAM_WINDOW_BYTES, sent);
    assert_in_range(credit_of(&pair->server, 0) - before, sent - H2_CONNECTION_WINDOW_BYTES, sent);
    bytes[0] = 0;
    pair_free(pair);
}

static void more_than_a_streams_window_resets_it(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    pair->server.consume = false;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(inject(pair, &pair->server, DATA, 0, 1, bytes, FRAME), 0);
    }
    pair_run(pair, 100000);
    assert_int_equal(pair->server.received_bytes, H2_STREAM_WINDOW_BYTES);
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
        rv = inject(pair, &pair->server, DATA, 0, i < 3 ? 1 : 3, bytes, FRAME);
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
    collect(pair, &pair->client);
    assert_int_equal(pair_frames(&pair->client, DATA, &last), count);
    assert_int_equal(last.length, last_length);
    assert_int_equal(last.flags, last_flags);
}

static void sending_follows_the_peers_window_settings(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    inject_window(pair, &pair->client, 3);
    h2_stream_write(stream, "hello", 5, 100);
    assert_data(pair, 1, 3, 0);
    inject_window(pair, &pair->client, 0); /* three owed */
    inject_update(pair, &pair->client, 1, 3);
    assert_data(pair, 1, 3, 0);
    inject_update(pair, &pair->client, 1, 1);
    assert_data(pair, 2, 1, 0);
    inject_window(pair, &pair->client, 1);
    assert_data(pair, 3, 1, 0);
    assert_int_equal(h2_stream_queued_bytes(stream), 0);
    pair_free(pair);
}

static void an_end_needs_no_window(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    inject_window(pair, &pair->client, 0);
    h2_stream_end(stream);
    assert_data(pair, 1, 0, END_STREAM);
    pair_free(pair);
}

static void an_end_waits_for_the_bytes_before_it(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    inject_window(pair, &pair->client, 4);
    h2_stream_write(stream, "hello", 5, 100);
    h2_stream_end(stream);
    assert_data(pair, 1, 4, 0);
    inject_update(pair, &pair->client, 1, 100);
    assert_data(pair, 2, 1, END_STREAM);
    pair_free(pair);
}

static void the_connections_window_holds_every_stream(void **state)
{
    (void)state;
    struct h2_stream *first;
    struct pair *pair = open_pair(NULL, &first);
    struct h2_stream *second = pair_open(pair, false);
    pair_run(pair, 100000);
    pair->server.consume = false;
    inject_window(pair, &pair->client, 10 * 1024 * 1024);
    h2_stream_write(first, bytes, sizeof(bytes), SIZE_MAX);
    h2_stream_write(second, bytes, sizeof(bytes), SIZE_MAX);
    size_t before = pair->client.wire_len;
    collect(pair, &pair->client);
    assert_in_range(pair->client.wire_len - before, H2_CONNECTION_WINDOW_BYTES,
                    H2_CONNECTION_WINDOW_BYTES + 4096);
    assert_true(h2_stream_queued_bytes(first) > 0 && h2_stream_queued_bytes(first) < sizeof(bytes));
    assert_true(h2_stream_queued_bytes(second) < sizeof(bytes));
    pair_free(pair);
}

static void a_window_that_overflows_is_an_error(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    assert_int_equal(inject_update(pair, &pair->server, 1, INT32_MAX), 0);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, RST_STREAM), H2_FLOW_CONTROL_ERROR);
    assert_true(inject_update(pair, &pair->server, 0, INT32_MAX) < 0);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, GOAWAY), H2_FLOW_CONTROL_ERROR);
    pair_free(pair);
}

static void settings_that_overflow_a_window_are_an_error(void **state)
{
    (void)state;
    struct h2_stream *stream;
    struct pair *pair = open_pair(NULL, &stream);
    assert_int_equal(inject_update(pair, &pair->server, 1, INT32_MAX - 100000), 0);
    assert_true(inject_window(pair, &pair->server, 200000) < 0);
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
        inject_update(pair, &pair->server, wrong[i].id, wrong[i].increment);
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
    inject(pair, &pair->server, HEADERS, 0, 3, begun, sizeof(begun));
    inject(pair, &pair->server, DATA, 0, 1, bytes, 10);
    pair_run(pair, 100000);
    assert_int_equal(error_on_wire(&pair->server, GOAWAY), H2_PROTOCOL_ERROR);
    assert_int_equal(pair->server.received_bytes, 0);
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
        cmocka_unit_test(padding_and_plain_bytes_all_come_back_as_credit),
        cmocka_unit_test(more_than_a_streams_window_resets_it),
        cmocka_unit_test(more_than_the_connections_window_ends_it),
        cmocka_unit_test(sending_follows_the_peers_window_settings),
        cmocka_unit_test(an_end_needs_no_window),
        cmocka_unit_test(an_end_waits_for_the_bytes_before_it),
        cmocka_unit_test(the_connections_window_holds_every_stream),
        cmocka_unit_test(a_window_that_overflows_is_an_error),
        cmocka_unit_test(settings_that_overflow_a_window_are_an_error),
        cmocka_unit_test(updates_that_make_no_sense_are_errors),
        cmocka_unit_test(nothing_may_come_between_a_block_and_its_end),
        cmocka_unit_test(a_content_length_is_checked),
        cmocka_unit_test(nothing_follows_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

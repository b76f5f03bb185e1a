/* What a hostile peer may cost: floods end in ENHANCE_YOUR_CALM, slow peers run out of time, honest
 * ones never notice. */
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
    PRIORITY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8,
    CONTINUATION = 9
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

/* :method POST, :scheme http, :path /, :authority x (RFC 7541) */
static const uint8_t request[] = {0x83, 0x86, 0x84, 0x41, 0x01, 'x'};

/* Feeds a frame again and again; returns how many were taken before the session ended, and checks
 * how it ended. */
static unsigned flood(uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len)
{
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_run(pair, 100000);
    uint8_t frame[20000];
    size_t frame_len = (size_t)(pair_frame(frame, type, flags, id, payload, len) - frame);
    unsigned taken = 0;
    static uint8_t out[64 * 1024];
    while (taken < 5000 &&
           h2_session_feed(pair->server.session, frame, frame_len, pair->now_ms) == 0) {
        taken++;
        h2_session_pull(pair->server.session, out, sizeof(out), pair->now_ms);
    }
    pair_run(pair, 100000);
    struct frame_seen last = {0};
    assert_int_equal(pair_frames(&pair->server, GOAWAY, &last), 1);
    assert_int_equal(last.error, H2_ENHANCE_YOUR_CALM);
    assert_true(h2_session_finished(pair->server.session));
    pair_free(pair);
    return taken;
}

static void floods_end_within_the_budget(void **state)
{
    (void)state;
    static const uint8_t ping[8];
    static const uint8_t update[4] = {0, 0, 0, 1};
    static const uint8_t priority[5] = {0, 0, 0, 0, 16};
    static const uint8_t padding[8] = {7};
    assert_in_range(flood(PING, 0, 0, ping, 8), 1, 250);
    assert_in_range(flood(PING, ACK, 0, ping, 8), 1, 250);
    assert_in_range(flood(GOAWAY, 0, 0, ping, 8), 1, 250);
    assert_in_range(flood(DATA, PADDED, 1, padding, 8), 1, 250);
    assert_in_range(flood(SETTINGS, 0, 0, NULL, 0), 1, 250);
    assert_in_range(flood(PRIORITY, 0, 5, priority, 5), 1, 250);
    assert_in_range(flood(DATA, 0, 1, NULL, 0), 1, 250);
    assert_in_range(flood(0x20, 0, 0, ping, 8), 1, 250);
    assert_in_range(flood(WINDOW_UPDATE, 0, 0, update, 4), 1, 500);
}

static void rapid_resets_end_within_the_budget(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_run(pair, 100000);
    unsigned taken = 0;
    static uint8_t out[64 * 1024];
    for (int32_t id = 1; id < 20000; id += 2, taken++) {
        uint8_t bytes[100];
        static const uint8_t cancel[4] = {0, 0, 0, H2_CANCEL};
        uint8_t *end = pair_frame(bytes, HEADERS, END_HEADERS, id, request, sizeof(request));
        end = pair_frame(end, RST_STREAM, 0, id, cancel, sizeof(cancel));
        if (h2_session_feed(pair->server.session, bytes, (size_t)(end - bytes), pair->now_ms) !=
            0) {
            break;
        }
        h2_session_pull(pair->server.session, out, sizeof(out), pair->now_ms);
    }
    assert_in_range(taken, 100, 200);
    pair_free(pair);
}

static void reset_a_thousand_at_once(uint64_t age_ms)
{
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.max_concurrent_streams = 1000;
    struct pair *pair = pair_new(&limits);
    struct h2_stream *streams[1000];
    pair_run(pair, 100000);
    for (size_t i = 0; i < 1000; i++) {
        streams[i] = pair_open(pair, false);
    }
    pair_run(pair, 100000);
    pair->now_ms += age_ms;
    for (size_t i = 0; i < 1000; i++) {
        h2_stream_reset(streams[i], H2_CANCEL);
    }
    pair_run(pair, 100000);
    assert_int_equal(pair->server.closes, 1000);
    assert_int_equal(pair_frames(&pair->server, GOAWAY, NULL), 0);
    pair_free(pair);
}

static void old_streams_may_all_be_reset_at_once(void **state)
{
    (void)state;
    reset_a_thousand_at_once(2000);
}

static void young_streams_open_together_may_all_be_reset_at_once(void **state)
{
    (void)state;
    reset_a_thousand_at_once(0);
}

static void ten_thousand_good_streams_cost_nothing(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    for (size_t i = 0; i < 10000; i++) {
        struct h2_stream *stream = pair_open(pair, false);
        h2_stream_write(stream, "ping", 4, 100);
        h2_stream_end(stream);
        h2_session_ping(pair->client.session); /* as Go measures its bandwidth */
        pair_run(pair, 100000);
    }
    assert_int_equal(pair->client.closes, 10000);
    assert_int_equal(pair_frames(&pair->server, GOAWAY, NULL), 0);
    pair_free(pair);
}

static void too_many_fields_reset_the_stream_before_they_are_kept(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_run(pair, 100000);
    uint8_t block[1000];
    memcpy(block, request, sizeof(request));
    memset(block + sizeof(request), 0x90, 500); /* an indexed field, 500 times: "accept-encoding" */
    uint8_t frame[1100];
    uint8_t *end =
        pair_frame(frame, HEADERS, END_HEADERS | END_STREAM, 1, block, sizeof(request) + 500);
    assert_int_equal(
        h2_session_feed(pair->server.session, frame, (size_t)(end - frame), pair->now_ms), 0);
    pair_run(pair, 100000);
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, NULL), 1);
    assert_null(strstr(pair->server.log, "request"));
    pair_free(pair);
}

static void an_invalid_value_resets_the_stream_instead_of_vanishing(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_run(pair, 100000);
    static const uint8_t field[] = {0x00, 0x01, 'a', 0x03, 'b', '\n', 'c'};
    uint8_t block[sizeof(request) + sizeof(field)];
    memcpy(block, request, sizeof(request));
    memcpy(block + sizeof(request), field, sizeof(field));
    uint8_t frame[100];
    uint8_t *end = pair_frame(frame, HEADERS, END_HEADERS | END_STREAM, 1, block, sizeof(block));
    h2_session_feed(pair->server.session, frame, (size_t)(end - frame), pair->now_ms);
    pair_run(pair, 100000);
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, NULL), 1);
    assert_null(strstr(pair->server.log, "request"));
    pair_free(pair);
}

static void a_skipped_stream_id_is_a_protocol_error(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_run(pair, 100000);
    uint8_t frame[100];
    uint8_t *end = pair_frame(frame, HEADERS, END_HEADERS, 5, request, sizeof(request));
    assert_int_equal(
        h2_session_feed(pair->server.session, frame, (size_t)(end - frame), pair->now_ms), 0);
    end = pair_frame(frame, HEADERS, END_HEADERS, 3, request, sizeof(request));
    assert_true(h2_session_feed(pair->server.session, frame, (size_t)(end - frame), pair->now_ms) <
                0);
    pair_run(pair, 100000);
    struct frame_seen last;
    pair_frames(&pair->server, GOAWAY, &last);
    assert_int_equal(last.error, H2_PROTOCOL_ERROR);
    pair_free(pair);
}

static void a_broken_rule_ends_the_session_with_its_reason(void **state)
{
    (void)state;
    static const uint8_t update[4];
    struct pair *pair = pair_new(NULL);
    pair_run(pair, 100000);
    assert_null(h2_session_reason(pair->server.session));
    uint8_t frame[100];
    uint8_t *end = pair_frame(frame, WINDOW_UPDATE, 0, 0, update, sizeof(update));
    h2_session_feed(pair->server.session, frame, (size_t)(end - frame), pair->now_ms);
    pair_run(pair, 100000);
    assert_true(h2_session_finished(pair->server.session));
    assert_string_equal(h2_session_reason(pair->server.session),
                        "peer broke HTTP/2 (PROTOCOL_ERROR)");
    pair_free(pair);
}

static void silent_and_half_spoken_peers_run_out_of_time(void **state)
{
    (void)state;
    struct pair *pair = pair_new_silent(NULL);
    assert_int_equal(h2_session_tick(pair->server.session, pair->now_ms + H2_PREFACE_MS - 1), 0);
    assert_int_equal(h2_session_tick(pair->server.session, pair->now_ms + H2_PREFACE_MS + 1), 1);
    pair_free(pair);

    pair = pair_new(NULL);
    pair_run(pair, 100000);
    uint8_t frame[100];
    uint8_t *end = pair_frame(frame, HEADERS, 0, 1, request, sizeof(request)); /* no END_HEADERS */
    h2_session_feed(pair->server.session, frame, (size_t)(end - frame), pair->now_ms);
    assert_int_equal(h2_session_tick(pair->server.session, pair->now_ms + H2_HEADER_BLOCK_MS - 1),
                     0);
    assert_int_equal(h2_session_tick(pair->server.session, pair->now_ms + H2_HEADER_BLOCK_MS + 1),
                     1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_end_within_the_budget),
        cmocka_unit_test(rapid_resets_end_within_the_budget),
        cmocka_unit_test(old_streams_may_all_be_reset_at_once),
        cmocka_unit_test(young_streams_open_together_may_all_be_reset_at_once),
        cmocka_unit_test(ten_thousand_good_streams_cost_nothing),
        cmocka_unit_test(too_many_fields_reset_the_stream_before_they_are_kept),
        cmocka_unit_test(an_invalid_value_resets_the_stream_instead_of_vanishing),
        cmocka_unit_test(a_skipped_stream_id_is_a_protocol_error),
        cmocka_unit_test(a_broken_rule_ends_the_session_with_its_reason),
        cmocka_unit_test(silent_and_half_spoken_peers_run_out_of_time),
    };
    return cmocka_run_group_tests_name("h2/limits", tests, NULL, NULL);
}

/* A quiet session rests, wakes for whatever is asked of it, and is the same as before. */
#include "h2/core.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Both sides are quiet for that long. */
static void wait_both(struct pair *pair, uint64_t ms)
{
    uint64_t from_ms = pair->now_ms;
    assert_int_equal(pair_wait(pair, &pair->server, ms), 0);
    pair->now_ms = from_ms;
    assert_int_equal(pair_wait(pair, &pair->client, ms), 0);
}

static void expect_rest(const struct pair *pair, bool rest)
{
    assert_int_equal(pair->server.session->at_rest, rest);
    assert_int_equal(pair->client.session->at_rest, rest);
}

static void a_call_goes_on_after_a_rest(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    struct h2_stream *stream = pair_open(pair, false);
    assert_int_equal(h2_stream_write(stream, "hel", 3, 100), 0);
    pair_run(pair, 100000);
    for (int rests = 0; rests < 4; rests++) {
        wait_both(pair, 2 * H2_REST_MS_MAX);
        expect_rest(pair, true);
        assert_int_equal(h2_stream_write(stream, "lo", 2, 100), 0);
        pair_run(pair, 7);
        assert_false(pair->server.session->at_rest);
    }
    wait_both(pair, 2 * H2_REST_MS_MAX);
    assert_int_equal(h2_stream_end(stream), 0);
    pair_run(pair, 7);
    assert_string_equal(pair->server.log, "request end close:NO_ERROR ");
    assert_string_equal(pair->client.log, "response trailers+end close:NO_ERROR ");
    assert_int_equal(pair->client.received_bytes, 11);
    pair_free(pair);
}

/* The header tables, which a peer goes on to refer to. */
static void the_next_request_is_understood(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    for (int calls = 0; calls < 5; calls++) {
        pair->client.log[0] = '\0';
        struct h2_stream *stream = pair_open(pair, false);
        assert_int_equal(h2_stream_end(stream), 0);
        pair_run(pair, 100000);
        assert_string_equal(pair->client.log, "response trailers+end close:NO_ERROR ");
        wait_both(pair, 2 * H2_REST_MS_MAX);
        expect_rest(pair, true);
        assert_false(h2_session_finished(pair->server.session));
        expect_rest(pair, true); /* such a question does not wake it */
    }
    pair_free(pair);
}

/* Who speaks now and then pays for few rests. */
static void each_rest_waits_longer_than_the_one_before(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    pair_run(pair, 100000);
    unsigned rests = 0;
    for (int words = 0; words < 100; words++) {
        wait_both(pair, 3 * H2_REST_MS);
        rests += pair->server.session->at_rest;
        assert_int_equal(h2_stream_write(stream, "ping", 4, 100), 0);
        pair_run(pair, 100000);
    }
    assert_int_equal(rests, 2);
    pair_free(pair);
}

static void no_rest_within_the_time(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_run(pair, 100000);
    wait_both(pair, H2_REST_MS - 1);
    expect_rest(pair, false);
    pair_free(pair);
}

static void a_session_at_rest_ends_as_any(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    pair_run(pair, 100000);
    wait_both(pair, H2_REST_MS_MAX);
    expect_rest(pair, true);
    h2_stream_reset(stream, H2_CANCEL);
    pair_run(pair, 100000);
    assert_string_equal(pair->server.log, "request close:CANCEL ");
    wait_both(pair, H2_REST_MS_MAX);
    expect_rest(pair, true);
    h2_session_terminate(pair->server.session, H2_NO_ERROR, NULL);
    pair_run(pair, 100000);
    struct frame_seen last;
    assert_int_equal(pair_frames(&pair->server, NGHTTP2_GOAWAY, &last), 1);
    pair_free(pair);
}

static struct pair *pair_with_a_call(const char *path)
{
    struct pair *pair = pair_new(NULL);
    const struct h2_header fields[] = {H2_HEADER(":method", "POST"), H2_HEADER(":scheme", "http"),
                                       H2_HEADER(":authority", "x"), H2_HEADER(":path", path)};
    struct h2_stream *stream;
    assert_int_equal(pair_open_fields(pair, fields, 4, false, &stream), 0);
    assert_int_equal(h2_stream_write(stream, "hello", 5, 100), 0);
    assert_int_equal(h2_stream_end(stream), 0);
    return pair;
}

/* Appends what the client sends, `capacity` bytes at most; returns whether that was anything. */
static bool pull(struct pair *pair, uint8_t *wire, size_t *len, size_t capacity)
{
    ptrdiff_t more = h2_session_pull(pair->client.session, wire + *len, capacity, pair->now_ms);
    assert_true(more >= 0);
    *len += (size_t)more;
    return more > 0;
}

/* Frames that do not fit are kept, while other sessions of the thread send theirs. */
static void what_does_not_fit_is_ones_own(void **state)
{
    (void)state;
    struct pair *pair = pair_with_a_call("/one.One/One");
    struct pair *alone = pair_with_a_call("/one.One/One");
    struct pair *other = pair_with_a_call("/another.Another/MuchLongerThanThat");
    uint8_t wire[3][65536];
    size_t lens[3] = {0};
    assert_true(pull(alone, wire[0], &lens[0], sizeof(wire[0])));
    bool more = true;
    while (more) {
        more = pull(pair, wire[1], &lens[1], 16);
        more = pull(other, wire[2], &lens[2], 16) || more;
    }
    assert_int_equal(lens[1], lens[0]);
    assert_memory_equal(wire[1], wire[0], lens[0]);
    pair_free(pair);
    pair_free(alone);
    pair_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_on_after_a_rest),
        cmocka_unit_test(the_next_request_is_understood),
        cmocka_unit_test(each_rest_waits_longer_than_the_one_before),
        cmocka_unit_test(no_rest_within_the_time),
        cmocka_unit_test(a_session_at_rest_ends_as_any),
        cmocka_unit_test(what_does_not_fit_is_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

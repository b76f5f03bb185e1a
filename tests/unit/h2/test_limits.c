/* What a hostile peer may cost: floods end in ENHANCE_YOUR_CALM, slow peers run out of time, honest
 * ones never notice. */
#include "pair.h"

#include "h2/budget.h"

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

/* HEADERS and RST_STREAM of `count` streams in one read. Returns how many streams were taken. */
static unsigned read_resets_at_once(struct pair *pair, unsigned count)
{
    unsigned taken = 0;
    for (int32_t id = 1; id < 2 * (int32_t)count; id += 2, taken++) {
        uint8_t bytes[100];
        static const uint8_t cancel[4] = {0, 0, 0, H2_CANCEL};
        uint8_t *end = pair_frame(bytes, HEADERS, END_HEADERS, id, request, sizeof(request));
        end = pair_frame(end, RST_STREAM, 0, id, cancel, sizeof(cancel));
        if (h2_session_feed(pair->server.session, bytes, (size_t)(end - bytes), pair->now_ms) !=
            0) {
            break;
        }
        pair_collect(pair, &pair->server);
    }
    return taken;
}

/* What a client makes of so many informational responses and a final one. */
static void check_informed(unsigned count, const char *fault)
{
    const struct h2_header early[] = {H2_HEADER(":status", "103")};
    const struct h2_header final[] = {H2_HEADER(":status", "200")};
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_run(pair, 100000);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(h2_stream_inform(pair->server.stream, early, 1), 0);
    }
    h2_stream_respond(pair->server.stream, final, 1, true);
    pair_run(pair, 100000);
    assert_string_equal(pair->client.fault, fault);
    assert_int_equal(strstr(pair->client.log, "response+end") != NULL, fault[0] == '\0');
    pair_free(pair);
}

static void informational_responses_have_a_limit(void **state)
{
    (void)state;
    check_informed(0, "");
    check_informed(H2_INFORMATIONAL_RESPONSES, "");
    check_informed(H2_INFORMATIONAL_RESPONSES + 1, "more than 8 informational responses");
}

static unsigned spend_all(struct h2_budget *budget)
{
    unsigned tokens = 0;
    while (h2_budget_spend(budget, H2_BUDGET_MILLI, budget->updated_ms)) {
        tokens++;
    }
    return tokens;
}

static void a_stream_that_ends_well_gives_a_token_back(void **state)
{
    (void)state;
    struct h2_budget budget;
    h2_budget_init(&budget, 1000);
    h2_budget_credit(&budget); /* it is full already */
    assert_int_equal(spend_all(&budget), H2_BUDGET_BURST);
    for (int i = 0; i < 3; i++) {
        h2_budget_credit(&budget);
    }
    assert_int_equal(spend_all(&budget), 3);
}

static void rapid_resets_end_within_the_budget(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    assert_in_range(read_resets_at_once(pair, 10000), 100, 200);
    pair_free(pair);
}

/* "MadeYouReset": a body longer than its block says makes a server send the reset. */
static void resets_that_a_peer_provokes_end_within_the_budget(void **state)
{
    (void)state;
    static const uint8_t length[] = {0x0f, 0x0d, 0x01, '1'}; /* content-length: 1 */
    struct pair *pair = pair_new(NULL);
    unsigned taken = 0;
    uint8_t block[sizeof(request) + sizeof(length)];
    memcpy(block, request, sizeof(request));
    memcpy(block + sizeof(request), length, sizeof(length));
    for (int32_t id = 1; id < 10000; id += 2, taken++) {
        uint8_t bytes[100];
        uint8_t *end = pair_frame(bytes, HEADERS, END_HEADERS, id, block, sizeof(block));
        end = pair_frame(end, DATA, 0, id, "longer", 6);
        if (h2_session_feed(pair->server.session, bytes, (size_t)(end - bytes), pair->now_ms) !=
            0) {
            break;
        }
        pair_collect(pair, &pair->server);
    }
    assert_in_range(taken, 100, 200);
    assert_string_equal(h2_session_reason(pair->server.session),
                        "peer provoked too many stream errors");
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

static const char *reason_after(struct pair *pair, uint8_t type, uint8_t flags, int32_t id,
                                const void *payload, size_t len)
{
    int rv = pair_inject(pair, &pair->client, type, flags, id, payload, len);
    return rv == 0 ? "taken" : h2_session_reason(pair->client.session);
}

static void a_limit_that_is_passed_is_told_by_name_and_number(void **state)
{
    (void)state;
    static const uint8_t zeros[H2_FRAME_BYTES + 1];
    struct pair *pair = pair_new(NULL);
    assert_string_equal(reason_after(pair, SETTINGS, 0, 0, zeros, (size_t)6 * 100), "taken");
    assert_string_equal(reason_after(pair, SETTINGS, 0, 0, zeros, (size_t)6 * 101),
                        "peer sent more than 100 entries in a SETTINGS frame");
    pair_free(pair);

    pair = pair_new(NULL);
    pair_open(pair, false);
    assert_string_equal(reason_after(pair, DATA, 0, 1, zeros, sizeof(zeros)),
                        "peer sent a frame of more than 16384 bytes (FRAME_SIZE_ERROR)");
    pair_free(pair);

    pair = pair_new(NULL);
    pair_open(pair, false);
    pair_collect(pair, &pair->client);
    const char *reason = reason_after(pair, HEADERS, 0, 1, NULL, 0);
    for (size_t i = 0; i <= H2_CONTINUATIONS_CLIENT && strcmp(reason, "taken") == 0; i++) {
        reason = reason_after(pair, CONTINUATION, 0, 1, NULL, 0);
    }
    assert_string_equal(reason, "peer sent more than 64 CONTINUATION frames in a row");
    pair_free(pair);
}

static void silent_and_half_spoken_peers_run_out_of_time(void **state)
{
    (void)state;
    struct pair *pair = pair_new_silent(NULL);
    assert_int_equal(pair_wait(pair, &pair->server, H2_PREFACE_MS), 0);
    assert_int_equal(pair_wait(pair, &pair->server, 1), 1);
    pair_free(pair);

    pair = pair_new(NULL);
    pair_inject(pair, &pair->server, HEADERS, 0, 1, request, sizeof(request)); /* no END_HEADERS */
    assert_int_equal(pair_wait(pair, &pair->server, H2_HEADER_BLOCK_MS), 0);
    assert_int_equal(pair_wait(pair, &pair->server, 1), 1);
    assert_string_equal(h2_session_reason(pair->server.session),
                        "peer did not finish a header block in time");
    pair_free(pair);
}

static void half_a_frame_of_a_block_runs_out_of_time(void **state)
{
    (void)state;
    uint8_t frame[100];
    struct pair *pair = pair_new(NULL);
    pair_frame(frame, HEADERS, END_HEADERS, 1, request, sizeof(request));
    h2_session_feed(pair->server.session, frame, 9 + 1, pair->now_ms);
    assert_int_equal(pair_wait(pair, &pair->server, H2_HEADER_BLOCK_MS), 0);
    assert_int_equal(pair_wait(pair, &pair->server, 1), 1);
    pair_free(pair);
}

/* Whatever became of a block: when it has come to its end, its clock has, too. */
static void the_clock_of_a_block_ends_with_it(void **state)
{
    (void)state;
    static const uint8_t upper[] = {0x83, 0x86, 0x84, 0x00, 0x01, 'A', 0x01, 'x'};
    static const uint8_t connection[] = {0x83, 0x86, 0x84, 0x00, 0x0a, 'c', 'o',  'n', 'n',
                                         'e',  'c',  't',  'i',  'o',  'n', 0x01, 'x'};
    static const uint8_t incomplete[] = {0x83};
    static uint8_t bomb[506];
    memcpy(bomb, request, sizeof(request));
    memset(bomb + sizeof(request), 0x90, 500);
    static const struct {
        const uint8_t *block;
        size_t len;
        int32_t id;
    } blocks[] = {
        {request, sizeof(request), 3},
        {upper, sizeof(upper), 3},
        {connection, sizeof(connection), 3},
        {incomplete, sizeof(incomplete), 3},
        {bomb, sizeof(bomb), 3},
        {upper + 3, sizeof(upper) - 3, 1}, /* trailers */
    };
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        struct pair *pair = pair_new(NULL);
        pair_open(pair, false);
        pair_run(pair, 100000);
        for (int client = 0; client < 2; client++) {
            struct side *side = client ? &pair->client : &pair->server;
            int32_t id = client ? 1 : blocks[i].id;
            assert_int_equal(pair_inject(pair, side, HEADERS, END_HEADERS | END_STREAM, id,
                                         blocks[i].block, blocks[i].len),
                             0);
            pair_collect(pair, side);
            assert_int_equal(pair_wait(pair, side, 2 * H2_HEADER_BLOCK_MS), 0);
        }
        pair_free(pair);
    }
}

static void streams_are_not_young_because_we_stood_still(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->now_ms += 5000; /* nobody called it */
    assert_int_equal(h2_session_tick(pair->server.session, pair->now_ms), 0);
    assert_int_equal(read_resets_at_once(pair, 1000), 1000);
    pair_wait(pair, &pair->server, 2 * H2_STOOD_STILL_MS);
    pair_free(pair);

    pair = pair_new(NULL);
    pair->now_ms += 5000;
    h2_session_tick(pair->server.session, pair->now_ms);
    pair_wait(pair, &pair->server, H2_STOOD_STILL_MS); /* that excuse is over */
    assert_in_range(read_resets_at_once(pair, 1000), 100, 250);
    pair_free(pair);
}

static void a_tick_that_comes_late_judges_nobody(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair_inject(pair, &pair->server, HEADERS, 0, 1, request, sizeof(request));
    pair->now_ms += 2 * H2_HEADER_BLOCK_MS;
    assert_int_equal(h2_session_tick(pair->server.session, pair->now_ms), 0);
    pair_inject(pair, &pair->server, CONTINUATION, END_HEADERS, 1, NULL, 0);
    assert_int_equal(pair_wait(pair, &pair->server, H2_HEADER_BLOCK_MS), 0);
    pair_free(pair);
}

/* ---- what a server does to its client -------------------------------------------------------- */

/* Feeds a frame to the client again and again; returns how many were taken before it ended. */
static unsigned flood_client(struct pair *pair, uint8_t type, uint8_t flags, int32_t id,
                             const void *payload, size_t len)
{
    unsigned taken = 0;
    while (taken < 2000 && pair_inject(pair, &pair->client, type, flags, id, payload, len) == 0) {
        taken++;
        pair_collect(pair, &pair->client);
    }
    return taken;
}

static void what_no_request_can_cause_ends_a_clients_connection(void **state)
{
    (void)state;
    static const uint8_t ping[8];
    static const uint8_t priority[5] = {0, 0, 0, 0, 16};
    static const uint8_t update[4] = {0, 0, 0, 1};
    static const struct {
        uint8_t type;
        uint8_t flags;
        int32_t id;
        const void *payload;
        size_t len;
    } floods[] = {
        {PING, 0, 0, ping, 8},
        {PING, ACK, 0, ping, 8},
        {SETTINGS, 0, 0, NULL, 0},
        {GOAWAY, 0, 0, ping, 8},
        {PRIORITY, 0, 5, priority, 5},
        {0x20, 0, 0, ping, 8},
        {WINDOW_UPDATE, 0, 0, update, 4},
    };
    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        struct pair *pair = pair_new(NULL);
        unsigned taken = flood_client(pair, floods[i].type, floods[i].flags, floods[i].id,
                                      floods[i].payload, floods[i].len);
        assert_in_range(taken, 1, 400);
        pair_free(pair);
    }
}

/* Opens a stream, lets the server answer it so, and counts that as one that the client survived. */
static void answer_many(uint8_t type, uint8_t flags, const void *payload, size_t len)
{
    struct pair *pair = pair_new(NULL);
    struct h2_stream *bystander = pair_open(pair, false);
    for (int32_t i = 0; i < 2000; i++) {
        struct h2_stream *stream = pair_open(pair, false);
        pair_collect(pair, &pair->client);
        int32_t id = h2_stream_id(stream);
        assert_int_equal(pair_inject(pair, &pair->client, type, flags, id, payload, len), 0);
        pair_collect(pair, &pair->client);
        assert_int_equal(pair->client.closes, i + 1);
    }
    assert_false(h2_stream_ended(bystander));
    assert_int_equal(pair_frames(&pair->client, GOAWAY, NULL), 0);
    pair_free(pair);
}

static void what_requests_provoke_ends_no_clients_connection(void **state)
{
    (void)state;
    static const uint8_t cancel[4] = {0, 0, 0, H2_CANCEL};
    static const uint8_t malformed[] = {0x88, 0x00, 0x01, 'A', 0x01, 'x'};
    static const uint8_t control[] = {0x88, 0x00, 0x01, 'a', 0x01, '\n'};
    static const uint8_t overflow[4] = {0x7f, 0xff, 0xff, 0xff};
    static uint8_t bomb[501];
    memset(bomb, 0x90, sizeof(bomb));
    bomb[0] = 0x88;
    answer_many(RST_STREAM, 0, cancel, sizeof(cancel));
    answer_many(HEADERS, END_HEADERS, malformed, sizeof(malformed));
    answer_many(HEADERS, END_HEADERS, control, sizeof(control));
    answer_many(HEADERS, END_HEADERS, bomb, sizeof(bomb));
    answer_many(WINDOW_UPDATE, 0, overflow, sizeof(overflow));
}

static void a_server_may_go_on_for_a_moment_after_its_reset(void **state)
{
    (void)state;
    static const uint8_t cancel[4] = {0, 0, 0, H2_CANCEL};
    static const uint8_t ok[] = {0x88};
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_collect(pair, &pair->client);
    pair_inject(pair, &pair->client, RST_STREAM, 0, 1, cancel, sizeof(cancel));
    assert_int_equal(pair_inject(pair, &pair->client, HEADERS, END_HEADERS, 1, ok, 1), 0);
    assert_int_equal(pair_inject(pair, &pair->client, DATA, 0, 1, "hello", 5), 0);
    assert_int_equal(pair_inject(pair, &pair->client, RST_STREAM, 0, 1, cancel, 4), 0);
    pair_free(pair);
}

static void empty_frames_cost_the_stream_that_brings_them(void **state)
{
    (void)state;
    static const uint8_t ok[] = {0x88};
    struct pair *pair = pair_new(NULL);
    pair_open(pair, false);
    pair_open(pair, false);
    pair_collect(pair, &pair->client);
    pair_inject(pair, &pair->client, HEADERS, END_HEADERS, 1, ok, sizeof(ok));
    for (int i = 0; i < 5 * H2_EMPTY_FRAMES; i++) { /* as long as something comes between */
        pair_inject(pair, &pair->client, DATA, 0, 1, i % 50 == 0 ? "x" : NULL, i % 50 == 0);
    }
    pair_collect(pair, &pair->client);
    assert_int_equal(pair->client.closes, 0);
    assert_int_equal(flood_client(pair, DATA, 0, 1, NULL, 0), 2000);
    assert_int_equal(pair->client.closes, 1);
    assert_string_equal(pair->client.fault, "more than 100 empty DATA frames in a row");
    assert_int_equal(h2_session_stream_count(pair->client.session), 1);
    pair_free(pair);
}

static void a_server_may_return_credit_byte_by_byte(void **state)
{
    (void)state;
    static const uint8_t bytes[2000];
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    h2_stream_write(stream, bytes, sizeof(bytes), SIZE_MAX);
    pair_collect(pair, &pair->client);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(pair_inject_update(pair, &pair->client, 0, 1), 0);
        assert_int_equal(pair_inject_update(pair, &pair->client, 1, 1), 0);
    }
    assert_int_equal(h2_stream_unread_bytes(stream), 0);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_end_within_the_budget),
        cmocka_unit_test(informational_responses_have_a_limit),
        cmocka_unit_test(a_stream_that_ends_well_gives_a_token_back),
        cmocka_unit_test(rapid_resets_end_within_the_budget),
        cmocka_unit_test(resets_that_a_peer_provokes_end_within_the_budget),
        cmocka_unit_test(old_streams_may_all_be_reset_at_once),
        cmocka_unit_test(young_streams_open_together_may_all_be_reset_at_once),
        cmocka_unit_test(ten_thousand_good_streams_cost_nothing),
        cmocka_unit_test(a_skipped_stream_id_is_a_protocol_error),
        cmocka_unit_test(a_broken_rule_ends_the_session_with_its_reason),
        cmocka_unit_test(a_limit_that_is_passed_is_told_by_name_and_number),
        cmocka_unit_test(silent_and_half_spoken_peers_run_out_of_time),
        cmocka_unit_test(half_a_frame_of_a_block_runs_out_of_time),
        cmocka_unit_test(the_clock_of_a_block_ends_with_it),
        cmocka_unit_test(streams_are_not_young_because_we_stood_still),
        cmocka_unit_test(a_tick_that_comes_late_judges_nobody),
        cmocka_unit_test(what_no_request_can_cause_ends_a_clients_connection),
        cmocka_unit_test(what_requests_provoke_ends_no_clients_connection),
        cmocka_unit_test(a_server_may_go_on_for_a_moment_after_its_reset),
        cmocka_unit_test(empty_frames_cost_the_stream_that_brings_them),
        cmocka_unit_test(a_server_may_return_credit_byte_by_byte),
    };
    return cmocka_run_group_tests_name("h2/limits", tests, NULL, NULL);
}

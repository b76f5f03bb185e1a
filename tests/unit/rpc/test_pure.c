/* Framing, status mapping, percent-encoding, timeouts, backoff, ping messages: no I/O. */
#include "base/mem.h"
#include "h2/session.h"
#include "rpc/answer.h"
#include "rpc/backoff.h"
#include "rpc/frame.h"
#include "rpc/health.h"
#include "rpc/metadata.h"
#include "rpc/ping.h"
#include "rpc/reflection.h"
#include "rpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- frames ---------------------------------------------------------------------------------- */

struct seen {
    size_t count;
    size_t bytes;
};

static bool on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct seen *seen = ctx;
    (void)bytes;
    seen->count++;
    seen->bytes += len;
    return true;
}

static void messages_are_the_same_at_every_split(void **state)
{
    (void)state;
    static const uint8_t wire[] = "\0\0\0\0\x03"
                                  "abc"
                                  "\0\0\0\0\0"
                                  "\0\0\0\0\x05"
                                  "hello";
    for (size_t step = 1; step < sizeof(wire); step++) {
        struct rpc_frame_reader reader;
        struct seen seen = {0};
        rpc_frame_reader_init(&reader, 5);
        for (size_t at = 0; at < sizeof(wire) - 1; at += step) {
            size_t left = sizeof(wire) - 1 - at;
            assert_int_equal(rpc_frame_reader_feed(&reader, wire + at, left < step ? left : step,
                                                   on_message, &seen),
                             0);
        }
        assert_int_equal(seen.count, 3);
        assert_int_equal(seen.bytes, 8);
        assert_false(rpc_frame_reader_pending(&reader));
        rpc_frame_reader_deinit(&reader);
    }
}

static void a_prefix_is_judged_before_anything_is_allocated(void **state)
{
    (void)state;
    static const struct {
        uint8_t prefix[5];
        int outcome;
    } rows[] = {
        {{0, 0xff, 0xff, 0xff, 0xff}, RPC_FRAME_E_TOO_LARGE},
        {{0, 0, 1, 0, 1}, RPC_FRAME_E_TOO_LARGE},
        {{1, 0, 0, 0, 1}, RPC_FRAME_E_COMPRESSED},
        {{2, 0, 0, 0, 1}, RPC_FRAME_E_FLAG},
        {{0, 0, 1, 0, 0}, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rpc_frame_reader reader;
        rpc_frame_reader_init(&reader, RPC_MESSAGE_LIMIT_BYTES);
        assert_int_equal(rpc_frame_reader_feed(&reader, rows[i].prefix, 5, on_message, NULL),
                         rows[i].outcome);
        assert_true(reader.partial.capacity < 1024);
        rpc_frame_reader_deinit(&reader);
    }
}

/* ---- status, metadata ------------------------------------------------------------------------ */

static void http_and_http2_failures_become_the_specified_codes(void **state)
{
    (void)state;
    static const unsigned http[][2] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14},
                                       {431, 13}, {502, 14}, {503, 14}, {504, 14}, {418, 2}};
    static const unsigned h2[][2] = {{0, 13}, {1, 13}, {7, 14}, {8, 1}, {11, 8}, {12, 7}, {99, 13}};
    for (size_t i = 0; i < ARRAY_SIZE(http); i++) {
        assert_int_equal(rpc_code_from_http(http[i][0]), http[i][1]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(h2); i++) {
        assert_int_equal(rpc_code_from_h2(h2[i][0]), h2[i][1]);
    }
}

static struct rpc_status status_of(const char *code, const char *message)
{
    const struct h2_header fields[] = {H2_HEADER("grpc-status", code),
                                       H2_HEADER("grpc-message", message)};
    struct rpc_status status;
    assert_true(rpc_answer_read(&(struct h2_block){fields, 2}, &status));
    assert_int_equal(status.origin, RPC_FROM_TRAILERS);
    return status;
}

static void every_status_is_read_and_others_are_unknown(void **state)
{
    (void)state;
    for (int code = RPC_OK; code <= RPC_UNAUTHENTICATED; code++) {
        char text[12];
        snprintf(text, sizeof(text), "%d", code);
        assert_int_equal(status_of(text, "").code, code);
    }
    static const char *const others[] = {"17",
                                         "-1",
                                         "",
                                         "zero",
                                         "0x1",
                                         "1 ",
                                         " 0",
                                         "+0",
                                         "-18446744073709551615",
                                         "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_int_equal(status_of(others[i], "").code, RPC_UNKNOWN);
    }
    assert_string_equal(status_of("5", "not here%21").message, "not here!");
}

static void a_status_that_is_not_there_once_is_none(void **state)
{
    (void)state;
    const struct h2_header twice[] = {H2_HEADER("grpc-status", "0"), H2_HEADER("grpc-status", "0")};
    const struct h2_header none[] = {H2_HEADER("grpc-message", "x")};
    struct rpc_status status;
    assert_true(rpc_answer_read(&(struct h2_block){twice, 2}, &status));
    assert_int_equal(status.code, RPC_INTERNAL);
    assert_int_equal(status.origin, RPC_FROM_CONFLICT);
    assert_false(rpc_answer_read(&(struct h2_block){none, 1}, &status));
}

static void percent_encoding_round_trips_every_byte(void **state)
{
    (void)state;
    char bytes[256];
    char encoded[1000];
    char decoded[300];
    for (int i = 0; i < 255; i++) {
        bytes[i] = (char)(i + 1);
    }
    size_t len = rpc_percent_encode(encoded, sizeof(encoded), bytes, 255);
    for (size_t i = 0; i < len; i++) {
        assert_in_range((unsigned char)encoded[i], 0x20, 0x7e);
    }
    assert_int_equal(rpc_percent_decode(decoded, sizeof(decoded), encoded, len), 255);
    assert_memory_equal(decoded, bytes, 255);
    rpc_percent_decode(decoded, sizeof(decoded), "100%zz%4", 8);
    assert_string_equal(decoded, "100%zz%4");
}

static void timeouts_are_read_and_written_as_specified(void **state)
{
    (void)state;
    uint64_t ns = 0;
    assert_int_equal(rpc_timeout_parse("100m", 4, &ns), 0);
    assert_int_equal(ns, 100000000);
    assert_int_equal(rpc_timeout_parse("99999999H", 9, &ns), 0);
    static const char *const bad[] = {"", "m", "5", "5x", "-5m", "123456789m", "5 m", "1.5S"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(rpc_timeout_parse(bad[i], strlen(bad[i]), &ns), 1);
    }
    char text[RPC_TIMEOUT_BYTES];
    rpc_timeout_format(text, 1500);
    assert_string_equal(text, "1500n");
    rpc_timeout_format(text, UINT64_C(5000000000));
    assert_int_equal(rpc_timeout_parse(text, strlen(text), &ns), 0);
    assert_int_equal(ns, UINT64_C(5000000000));
}

static void content_types_of_grpc_are_known(void **state)
{
    (void)state;
    assert_true(rpc_is_grpc_content_type("application/grpc", 16));
    assert_true(rpc_is_grpc_content_type("application/grpc+proto", 22));
    assert_true(rpc_is_grpc_content_type("application/grpc;x=y", 20));
    assert_false(rpc_is_grpc_content_type("application/grpc-web", 20));
    assert_false(rpc_is_grpc_content_type("text/html", 9));
}

static void backoff_stays_below_the_maximum_that_was_asked_for(void **state)
{
    (void)state;
    struct rpc_backoff backoff;
    for (uint64_t max_ms = 10; max_ms < RPC_BACKOFF_MAX_MS; max_ms *= 5) {
        rpc_backoff_init(&backoff, max_ms);
        for (int i = 0; i < 20; i++) {
            assert_true(rpc_backoff_next_ms(&backoff, 0.5) <= max_ms);
        }
        assert_int_equal(rpc_backoff_next_ms(&backoff, 0.5), max_ms);
    }
}

static void backoff_grows_within_its_band_and_starts_again(void **state)
{
    (void)state;
    struct rpc_backoff backoff;
    rpc_backoff_init(&backoff, 0);
    double base = RPC_BACKOFF_INITIAL_MS;
    for (int i = 0; i < 20; i++) {
        uint64_t delay = rpc_backoff_next_ms(&backoff, i % 2 == 0 ? 0.0 : 0.999);
        assert_in_range(delay, (uint64_t)(base * 0.79), (uint64_t)(base * 1.21));
        base = base * RPC_BACKOFF_MULTIPLIER > RPC_BACKOFF_MAX_MS ? RPC_BACKOFF_MAX_MS
                                                                  : base * RPC_BACKOFF_MULTIPLIER;
    }
    rpc_backoff_reset(&backoff);
    assert_int_equal(rpc_backoff_next_ms(&backoff, 0.5), RPC_BACKOFF_INITIAL_MS);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void pings_round_trip_and_old_peers_are_understood(void **state)
{
    (void)state;
    uint8_t bytes[200];
    const struct rpc_ping_response response = {"pong", "v1", "pod", 7, 8, "agent", "v1.1"};
    size_t len = rpc_ping_response_encode(&response, bytes, sizeof(bytes));
    struct rpc_ping_response back;
    assert_int_equal(rpc_ping_response_decode(bytes, len, &back), 0);
    assert_string_equal(back.server_id, "pod");
    assert_string_equal(back.agent_version, "v1.1");
    assert_int_equal(back.sequence, 7);
    static const uint8_t old[] = "\x0a\x04pong\x12\x02v1\x1a\x03pod";
    assert_int_equal(rpc_ping_response_decode(old, sizeof(old) - 1, &back), 0);
    assert_string_equal(back.server_version, "v1");
    assert_string_equal(back.agent_id, "");
    assert_int_equal(back.sequence, 0);
    assert_int_equal(rpc_ping_response_encode(&response, bytes, 5), 0);
}

static void broken_pings_are_refused(void **state)
{
    (void)state;
    struct rpc_ping_request request;
    static const uint8_t cut[] = {0x0a, 0x05, 'a'};
    static const uint8_t not_utf8[] = {0x0a, 0x02, 0xc3, 0x28};
    assert_int_equal(rpc_ping_request_decode(cut, sizeof(cut), &request), 1);
    assert_int_equal(rpc_ping_request_decode(not_utf8, sizeof(not_utf8), &request), 1);
}

static void unknown_fields_cannot_take_more_than_the_arena(void **state)
{
    (void)state;
    struct rpc_ping_request request;
    size_t len = 4 * 1024 * 1024;
    uint8_t *bytes = malloc(len);
    for (size_t i = 0; i < len; i += 2) { /* field 15, varint 0: two bytes that cost 24 in memory */
        bytes[i] = 0x78;
        bytes[i + 1] = 0;
    }
    assert_int_equal(rpc_ping_request_decode(bytes, len, &request), 1);
    assert_int_equal(rpc_ping_request_decode(bytes, RPC_MESSAGE_LIMIT_BYTES, &request), 0);
    free(bytes);
}

static void health_messages_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[RPC_HEALTH_RESPONSE_BYTES];
    enum rpc_health_status status;
    for (int i = RPC_HEALTH_UNKNOWN; i <= RPC_HEALTH_SERVICE_UNKNOWN; i++) {
        size_t len = rpc_health_response_encode((enum rpc_health_status)i, bytes);
        assert_int_equal(rpc_health_response_decode(bytes, len, &status), 0);
        assert_int_equal(status, i);
    }
}

/* ---- reflection ------------------------------------------------------------------------------ */

/* Asks with field `number` set to `text`; returns 1 when the answer holds a descriptor, 0 when it
 * is an error. */
static int asks_for(uint8_t number, const char *text)
{
    uint8_t request[200] = {(uint8_t)(number << 3 | 2), (uint8_t)strlen(text)};
    memcpy(request + 2, text, strlen(text));
    struct buf response = {0};
    assert_int_equal(rpc_reflection_answer(request, 2 + strlen(text), &response), 0);
    bool error = memmem(buf_data(&response), response.len, "not found", 9) != NULL;
    buf_deinit(&response);
    return error ? 0 : 1;
}

static void reflection_finds_what_is_there_and_nothing_else(void **state)
{
    (void)state;
    static const char *const there[] = {
        "ping.PingService",
        "ping.PingService.PingPong",
        "ping.PingRequest",
        "grpc.health.v1.Health",
        "grpc.health.v1.HealthCheckResponse.ServingStatus",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    };
    static const char *const missing[] = {"",
                                          "ping",
                                          "ping.",
                                          "ping.PingServic",
                                          "ping.PingServiceX",
                                          "ping.PingService.Nothing",
                                          "PingService"};
    for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
        assert_int_equal(asks_for(4, there[i]), 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
        assert_int_equal(asks_for(4, missing[i]), 0);
    }
    assert_int_equal(asks_for(3, "ping.proto"), 1);
    assert_int_equal(asks_for(3, "other.proto"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_the_same_at_every_split),
        cmocka_unit_test(a_prefix_is_judged_before_anything_is_allocated),
        cmocka_unit_test(http_and_http2_failures_become_the_specified_codes),
        cmocka_unit_test(every_status_is_read_and_others_are_unknown),
        cmocka_unit_test(a_status_that_is_not_there_once_is_none),
        cmocka_unit_test(percent_encoding_round_trips_every_byte),
        cmocka_unit_test(timeouts_are_read_and_written_as_specified),
        cmocka_unit_test(content_types_of_grpc_are_known),
        cmocka_unit_test(backoff_stays_below_the_maximum_that_was_asked_for),
        cmocka_unit_test(backoff_grows_within_its_band_and_starts_again),
        cmocka_unit_test(pings_round_trip_and_old_peers_are_understood),
        cmocka_unit_test(broken_pings_are_refused),
        cmocka_unit_test(unknown_fields_cannot_take_more_than_the_arena),
        cmocka_unit_test(health_messages_round_trip),
        cmocka_unit_test(reflection_finds_what_is_there_and_nothing_else),
    };
    return cmocka_run_group_tests_name("rpc/pure", tests, NULL, NULL);
}

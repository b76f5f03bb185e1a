/* The messages of the probe service to and from bytes, whole and as they come. */
#include "base/mem.h"
#include "rpc/frame.h"
#include "rpc/metadata.h"
#include "rpc/probe.h"
#include "rpc/probe_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VALUE(text) ((const uint8_t *)(text))

/* ---- scripts --------------------------------------------------------------------------------- */

static int decode_header(const char *value, struct rpc_probe_script *ret)
{
    static uint8_t bytes[RPC_PROBE_SCRIPT_BYTES];
    size_t len;
    assert_int_equal(rpc_binary_decode(value, strlen(value), bytes, sizeof(bytes), &len), 0);
    return rpc_probe_script_decode(bytes, len, ret);
}

static void a_script_is_the_same_behind_its_header(void **state)
{
    (void)state;
    char value[RPC_PROBE_HEADER_BYTES];
    struct rpc_probe_script read;
    const struct rpc_probe_script script = {
        .send_every_ms = 1,
        .send_bytes = 2,
        .send_count = 3,
        .echo = true,
        .headers_at_once = true,
        .hold = true,
        .go_on = true,
        .end_after_ms = 4,
        .status = 5,
        .status_message = "h\xc3\xa9",
        .trailers = {{.name = "t-bin", .value = VALUE("\0\1\2"), .value_len = 3}},
        .trailer_count = 1,
        .trailers_only = true,
        .has_reset = true,
        .reset = 0,
        .goaway = true,
        .grace_ms = 6,
        .headers = {{.name = "a", .value = VALUE("b"), .value_len = 1}, {.name = "c"}},
        .header_count = 2,
        .pad_fields = 7,
        .pad_bytes = UINT32_MAX,
    };
    assert_true(rpc_probe_script_header(&script, value) > 0);
    assert_int_equal(decode_header(value, &read), 0);
    assert_int_equal(read.send_every_ms + read.send_bytes * 10 + read.send_count * 100, 321);
    assert_true(read.echo && read.headers_at_once && read.hold && read.go_on && read.goaway);
    assert_true(read.trailers_only && read.has_reset);
    assert_int_equal(read.reset, 0);
    assert_int_equal(read.end_after_ms + read.status * 10 + read.grace_ms * 100, 654);
    assert_string_equal(read.status_message, "h\xc3\xa9");
    assert_int_equal(read.trailer_count, 1);
    assert_string_equal(read.trailers[0].name, "t-bin");
    assert_memory_equal(read.trailers[0].value, "\0\1\2", 3);
    assert_int_equal(read.header_count, 2);
    assert_int_equal(read.headers[1].value_len, 0);
    assert_int_equal(read.pad_fields, 7);
    assert_int_equal(read.pad_bytes, UINT32_MAX);
}

static void an_empty_script_has_no_bytes_and_is_one(void **state)
{
    (void)state;
    char value[RPC_PROBE_HEADER_BYTES];
    struct rpc_probe_script read;
    assert_int_equal(rpc_probe_script_header(&(struct rpc_probe_script){.echo = false}, value), 0);
    assert_string_equal(value, "");
    assert_int_equal(rpc_probe_script_decode(VALUE(""), 0, &read), 0);
    assert_false(read.has_reset || read.echo);
}

static void a_script_that_is_too_long_is_not_written(void **state)
{
    (void)state;
    static uint8_t big[RPC_PROBE_SCRIPT_BYTES];
    char value[RPC_PROBE_HEADER_BYTES];
    const struct rpc_probe_script script = {
        .headers = {{.name = "a", .value = big, .value_len = sizeof(big)}}, .header_count = 1};
    assert_int_equal(rpc_probe_script_header(&script, value), 0);
}

static void what_is_no_script_says_why(void **state)
{
    (void)state;
    struct rpc_probe_script read;
    uint8_t many[2 * (RPC_PROBE_FIELDS + 1)];
    for (size_t i = 0; i < sizeof(many); i += 2) {
        many[i] = 11 << 3 | 2;
        many[i + 1] = 0;
    }
    assert_int_equal(rpc_probe_script_decode(many, sizeof(many) - 2, &read), 0);
    assert_int_equal(rpc_probe_script_decode(many, sizeof(many), &read), RPC_PROBE_E_FIELDS);
    assert_int_equal(rpc_probe_script_decode(VALUE("\xff"), 1, &read), RPC_PROBE_E_MALFORMED);
    assert_int_equal(rpc_probe_script_decode(VALUE("\x52\x02\xc3\x28"), 4, &read),
                     RPC_PROBE_E_MALFORMED);
    assert_int_equal(rpc_probe_script_decode(VALUE("\x52\x02"
                                                   "a\0"),
                                             4, &read),
                     RPC_PROBE_E_MALFORMED);
    assert_int_equal(rpc_probe_script_decode(VALUE("\x82\x01\x04\x0a\x02"
                                                   "a\0"),
                                             7, &read),
                     RPC_PROBE_E_MALFORMED);
}

/* ---- Run ------------------------------------------------------------------------------------- */

static void a_request_is_the_same_read_again(void **state)
{
    (void)state;
    uint8_t out[100];
    struct rpc_probe_request read;
    const struct rpc_probe_request request = {
        .sequence = UINT64_MAX, .payload = VALUE("a\0b"), .payload_len = 3};
    size_t len = rpc_probe_request_encode(&request, out, sizeof(out));
    assert_int_equal(rpc_probe_request_decode(out, len, &read), 0);
    assert_true(read.sequence == UINT64_MAX);
    assert_int_equal(read.payload_len, 3);
    assert_memory_equal(read.payload, "a\0b", 3);
    assert_int_equal(rpc_probe_request_encode(&request, out, len - 1), 0);
    assert_int_equal(rpc_probe_request_decode(out, len - 1, &read), 1);
    const struct rpc_probe_request zeroes = {.payload_len = 50};
    len = rpc_probe_request_encode(&zeroes, out, sizeof(out));
    assert_int_equal(len, 52);
    assert_int_equal(out[51], 0);
}

static void a_response_is_a_head_and_its_payload(void **state)
{
    (void)state;
    uint8_t out[RPC_PROBE_HEAD_BYTES + 4] = {0};
    struct rpc_probe_response read;
    struct rpc_probe_response response = {
        .sequence = 1, .payload_len = 4, .received = 300, .received_bytes = UINT64_MAX};
    memset(response.server_id, 'x', sizeof(response.server_id) - 1);
    size_t len = rpc_probe_response_head(&response, out);
    assert_true(len <= RPC_PROBE_HEAD_BYTES);
    memcpy(out + len, "data", 4);
    assert_int_equal(rpc_probe_response_decode(out, len + 4, &read), 0);
    assert_int_equal(read.sequence, 1);
    assert_int_equal(read.received, 300);
    assert_true(read.received_bytes == UINT64_MAX);
    assert_string_equal(read.server_id, response.server_id);
    assert_memory_equal(read.payload, "data", 4);
    assert_int_equal(rpc_probe_response_decode(out, len + 3, &read), 1);
}

/* ---- Seen ------------------------------------------------------------------------------------ */

static void what_was_seen_is_the_same_read_again(void **state)
{
    (void)state;
    uint8_t out[RPC_PROBE_SEEN_BYTES];
    struct rpc_probe_seen read;
    const struct rpc_probe_seen seen = {
        .found = true,
        .server_id = "s",
        .connection = 1,
        .opened_ms_ago = 2,
        .open_for_ms = 3,
        .ended = true,
        .how = RPC_PROBE_BROKEN,
        .code = 4,
        .half_closed = true,
        .half_closed_after_ms = 5,
        .messages = 6,
        .bytes = 7,
        .sent_messages = 8,
        .sent_bytes = 9,
        .silent_ms = 10,
        .metadata_fields = 11,
        .metadata_bytes = 12,
        .streams = 13,
        .connection_end = "e",
        .why = "w",
        .fields = {{.name = "f-bin", .value = VALUE("\0"), .value_len = 1, .malformed = true}},
        .field_count = 1,
    };
    size_t len = rpc_probe_seen_encode(&seen, out, sizeof(out));
    assert_int_equal(rpc_probe_seen_decode(out, len, &read), 0);
    assert_true(read.found && read.ended && read.half_closed);
    assert_int_equal(read.connection + read.opened_ms_ago * 10 + read.open_for_ms * 100, 321);
    assert_int_equal(read.how, RPC_PROBE_BROKEN);
    assert_int_equal(read.code + read.half_closed_after_ms * 10 + read.messages * 100, 654);
    assert_int_equal(read.bytes + read.sent_messages * 10 + read.sent_bytes * 100, 987);
    assert_int_equal(read.silent_ms + read.metadata_fields * 100 + read.metadata_bytes * 10000,
                     121110);
    assert_int_equal(read.streams, 13);
    assert_string_equal(read.server_id, "s");
    assert_string_equal(read.connection_end, "e");
    assert_string_equal(read.why, "w");
    assert_string_equal(read.peer, "");
    assert_true(read.field_count == 1 && read.fields[0].malformed);
    assert_int_equal(rpc_probe_seen_encode(&seen, out, len - 1), 0);
}

static void ends_have_names(void **state)
{
    (void)state;
    assert_string_equal(rpc_probe_end_name(RPC_PROBE_CONNECTION_LOST), "CONNECTION_LOST");
    assert_string_equal(rpc_probe_end_name((enum rpc_probe_end)99), "unknown");
}

/* ---- the reader ------------------------------------------------------------------------------ */

struct told {
    unsigned begun;
    unsigned ended;
    uint64_t sequence;
    size_t payload_bytes;
    size_t left_bytes;
    bool stop;
};

static bool on_begin(void *ctx, uint64_t sequence, size_t payload_bytes)
{
    struct told *told = ctx;
    told->begun++;
    told->sequence = sequence;
    told->payload_bytes = payload_bytes;
    return !told->stop;
}

static bool on_more(void *ctx, size_t left_bytes)
{
    struct told *told = ctx;
    told->left_bytes = left_bytes;
    told->ended += left_bytes == 0;
    return true;
}

static const struct rpc_probe_reader_events events = {on_begin, on_more};

static size_t framed(uint8_t *out, size_t out_bytes, uint64_t sequence, size_t payload_bytes)
{
    const struct rpc_probe_request request = {.sequence = sequence, .payload_len = payload_bytes};
    size_t len = rpc_probe_request_encode(&request, out + RPC_FRAME_PREFIX_BYTES,
                                          out_bytes - RPC_FRAME_PREFIX_BYTES);
    rpc_frame_prefix(out, len);
    return RPC_FRAME_PREFIX_BYTES + len;
}

static void messages_are_read_whatever_the_pieces(void **state)
{
    (void)state;
    static const size_t payloads[] = {0, 1, 20, 21, 22, 23, 24, 25, 26, 27, 28, 100, 5000};
    uint8_t bytes[20000];
    for (size_t step = 1; step <= sizeof(bytes); step = step * 3 + 1) {
        struct rpc_probe_reader reader = {.look_len = 0};
        struct told told = {0};
        size_t len = 0;
        for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
            len += framed(bytes + len, sizeof(bytes) - len, 1000 + i, payloads[i]);
        }
        for (size_t at = 0; at < len; at += step) {
            size_t piece = step < len - at ? step : len - at;
            assert_int_equal(rpc_probe_reader_feed(&reader, bytes + at, piece, &events, &told), 0);
        }
        assert_int_equal(told.begun, ARRAY_SIZE(payloads));
        assert_int_equal(told.ended, ARRAY_SIZE(payloads));
        assert_int_equal(told.sequence, 1000 + ARRAY_SIZE(payloads) - 1);
        assert_int_equal(told.payload_bytes, 5000);
        assert_false(rpc_probe_reader_pending(&reader));
    }
}

static void a_long_message_is_told_of_as_it_comes(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct rpc_probe_reader reader = {.look_len = 0};
    struct told told = {0};
    size_t len = framed(bytes, sizeof(bytes), 7, 900);
    assert_int_equal(rpc_probe_reader_feed(&reader, bytes, 20, &events, &told), 0);
    assert_int_equal(told.begun, 0);
    assert_int_equal(rpc_probe_reader_feed(&reader, bytes + 20, 80, &events, &told), 0);
    assert_int_equal(told.begun, 1);
    assert_int_equal(told.left_bytes, len - 100);
    assert_true(rpc_probe_reader_pending(&reader));
}

static int feed(const char *bytes, size_t len, bool stop)
{
    struct rpc_probe_reader reader = {.look_len = 0};
    struct told told = {.stop = stop};
    return rpc_probe_reader_feed(&reader, VALUE(bytes), len, &events, &told);
}

static void what_is_no_request_is_an_outcome(void **state)
{
    (void)state;
    uint8_t prefix[RPC_FRAME_PREFIX_BYTES];
    rpc_frame_prefix(prefix, RPC_PROBE_MESSAGE_BYTES);
    assert_int_equal(feed((char *)prefix, sizeof(prefix), false), 0);
    rpc_frame_prefix(prefix, RPC_PROBE_MESSAGE_BYTES + 1);
    assert_int_equal(feed((char *)prefix, sizeof(prefix), false), RPC_FRAME_E_TOO_LARGE);
    assert_int_equal(feed("\1\0\0\0\0", 5, false), RPC_FRAME_E_COMPRESSED);
    assert_int_equal(feed("\2\0\0\0\0", 5, false), RPC_FRAME_E_FLAG);
    assert_int_equal(feed("\0\0\0\0\0", 5, true), RPC_FRAME_E_STOPPED);
    assert_int_equal(feed("\0\0\0\0\1\xff", 6, false), RPC_PROBE_READER_E_MALFORMED);
    char longer[100] = {0, 0, 0, 0, 60, 2 << 3 | 2, 58};
    assert_int_equal(feed(longer, 65, false), 0);
    longer[6] = 59; /* a payload beyond its message */
    assert_int_equal(feed(longer, 65, false), RPC_PROBE_READER_E_MALFORMED);
    longer[5] = 9 << 3 | 2; /* a field of nobody's in front of a long payload */
    assert_int_equal(feed(longer, 65, false), RPC_PROBE_READER_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_is_the_same_behind_its_header),
        cmocka_unit_test(an_empty_script_has_no_bytes_and_is_one),
        cmocka_unit_test(a_script_that_is_too_long_is_not_written),
        cmocka_unit_test(what_is_no_script_says_why),
        cmocka_unit_test(a_request_is_the_same_read_again),
        cmocka_unit_test(a_response_is_a_head_and_its_payload),
        cmocka_unit_test(what_was_seen_is_the_same_read_again),
        cmocka_unit_test(ends_have_names),
        cmocka_unit_test(messages_are_read_whatever_the_pieces),
        cmocka_unit_test(a_long_message_is_told_of_as_it_comes),
        cmocka_unit_test(what_is_no_request_is_an_outcome),
    };
    return cmocka_run_group_tests_name("rpc/probe", tests, NULL, NULL);
}

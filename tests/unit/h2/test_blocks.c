/* Header blocks: what is over a limit or malformed is told, named and costs its sender alone; what
 * is secret stays so. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADERS = 1, RST_STREAM = 3, GOAWAY = 7 };
enum { END_STREAM = 1, END_HEADERS = 4 };
enum { MAX_HEADER_LIST_SIZE = 6 };

/* :method POST, :scheme http, :path /, :authority x (RFC 7541) */
static const uint8_t request[] = {0x83, 0x86, 0x84, 0x41, 0x01, 'x'};
/* :status 200 */
static const uint8_t ok[] = {0x88};

/* A block that ends with a literal field, not indexed. Returns its length. */
static size_t block_with(uint8_t *out, const uint8_t *begin, size_t begin_len, const char *name,
                         const char *value)
{
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);
    memcpy(out, begin, begin_len);
    uint8_t *at = out + begin_len;
    *at++ = 0;
    *at++ = (uint8_t)name_len;
    memcpy(at, name, name_len);
    at += name_len;
    *at++ = (uint8_t)value_len;
    memcpy(at, value, value_len);
    return (size_t)(at + value_len - out);
}

/* ... or with `count` times the field "accept-encoding: gzip, deflate", of 60 bytes as they are
 * counted. */
static size_t block_of(uint8_t *out, const uint8_t *begin, size_t begin_len, size_t count)
{
    memcpy(out, begin, begin_len);
    memset(out + begin_len, 0x90, count);
    return begin_len + count;
}

/* A request that no client of ours would send. */
static int inject_request(struct pair *pair, int32_t id, const uint8_t *block, size_t len)
{
    return pair_inject(pair, &pair->server, HEADERS, END_HEADERS | END_STREAM, id, block, len);
}

static void too_many_fields_may_be_answered(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    uint8_t block[1000];
    assert_int_equal(inject_request(pair, 1, block, block_of(block, request, 6, 500)), 0);
    pair_collect(pair, &pair->server);
    assert_string_equal(pair->server.log,
                        "oversized:header block of 30167 bytes is over the limit of 16384 ");
    struct frame_seen last;
    assert_int_equal(pair_frames(&pair->server, HEADERS, &last), 1);
    assert_int_equal(last.flags, END_STREAM | END_HEADERS);
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, NULL), 0);
    assert_int_equal(h2_session_stream_count(pair->server.session), 0);
    pair_free(pair);
}

static void the_limit_is_the_largest_block_that_passes(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    uint8_t block[1000];
    inject_request(pair, 1, block, block_of(block, request, 6, H2_HEADER_FIELDS - 4));
    inject_request(pair, 3, block, block_of(block, request, 6, H2_HEADER_FIELDS - 3));
    assert_string_equal(
        pair->server.log,
        "request+end oversized:header block of 101 fields is over the limit of 100 ");
    pair_free(pair);
}

static void an_owner_may_take_more_and_less(void **state)
{
    (void)state;
    static uint8_t block[1000];
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.header_block_bytes = 64 * 1024;
    limits.header_fields = 300;
    struct pair *pair = pair_new(&limits);
    inject_request(pair, 1, block, block_of(block, request, 6, 296));
    inject_request(pair, 3, block, block_of(block, request, 6, 297));
    assert_string_equal(
        pair->server.log,
        "request+end oversized:header block of 301 fields is over the limit of 300 ");
    assert_int_equal(h2_session_peer_header_bytes(pair->client.session), 64 * 1024);
    pair_free(pair);
    limits.header_block_bytes = 500;
    limits.header_fields = UINT32_MAX; /* as many as there may be */
    pair = pair_new(&limits);
    inject_request(pair, 1, block, block_of(block, request, 6, 600));
    assert_string_equal(pair->server.log,
                        "oversized:header block of 36167 bytes is over the limit of 500 ");
    pair_free(pair);
}

static void more_may_be_for_the_requests_of_one_path(void **state)
{
    (void)state;
    static uint8_t block[1000];
    struct h2_limits limits = H2_LIMITS_SERVER;
    limits.header_block_bytes = 64 * 1024;
    limits.header_fields = 300;
    limits.header_path = "/";
    struct pair *pair = pair_new(&limits);
    inject_request(pair, 1, block, block_of(block, request, 6, 296));
    inject_request(pair, 3, block, block_of(block, request, 6, 297));
    assert_string_equal(
        pair->server.log,
        "request+end oversized:header block of 301 fields is over the limit of 300 ");
    pair_free(pair);
    limits.header_path = "/other";
    pair = pair_new(&limits);
    inject_request(pair, 1, block, block_of(block, request, 6, H2_HEADER_FIELDS - 4));
    inject_request(pair, 3, block, block_of(block, request, 6, H2_HEADER_FIELDS - 3));
    assert_string_equal(
        pair->server.log,
        "request+end oversized:header block of 101 fields is over the limit of 100 ");
    pair_free(pair);
}

static void an_oversized_request_that_nobody_answers_is_reset(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    uint8_t block[1000];
    inject_request(pair, 1, block, block_of(block, request, 6, 500));
    pair_collect(pair, &pair->server);
    struct frame_seen last;
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, &last), 1);
    assert_int_equal(last.error, H2_ENHANCE_YOUR_CALM);
    assert_int_equal(pair_frames(&pair->server, GOAWAY, NULL), 0);
    pair_free(pair);
}

static void oversized_requests_cost_the_client_its_budget(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    uint8_t block[1000];
    size_t len = block_of(block, request, 6, 500);
    int32_t taken = 0;
    while (taken < 100 && inject_request(pair, 2 * taken + 1, block, len) == 0) {
        taken++;
        pair_collect(pair, &pair->server);
    }
    assert_int_equal(taken, H2_BUDGET_BURST / H2_BUDGET_HEADER_OFFENCE);
    pair_free(pair);
}

/* A malformed request with that field, and what is said of it. */
static void check_request(const char *name, const char *value, const char *fault)
{
    char expected[300];
    struct pair *pair = pair_new(NULL);
    uint8_t block[200];
    inject_request(pair, 1, block, block_with(block, request, 6, name, value));
    pair_collect(pair, &pair->server);
    snprintf(expected, sizeof(expected), "malformed:%s ", fault);
    assert_string_equal(pair->server.log, expected);
    struct frame_seen last;
    assert_int_equal(pair_frames(&pair->server, RST_STREAM, &last), 1);
    assert_int_equal(last.error, H2_PROTOCOL_ERROR);
    pair_free(pair);
}

static void a_malformed_field_is_named_without_its_value(void **state)
{
    (void)state;
    check_request("connection", "close", "malformed field connection: not allowed in HTTP/2");
    check_request("te", "gzip", "malformed field te: must be \"trailers\"");
    check_request("content-length", "x",
                  "malformed field content-length: not a number, or repeated");
    check_request("Upper", "x", "malformed field Upper: its name is not in lower case");
    check_request("a", "b\nc", "malformed field a: a character that is not allowed");
    check_request("a\x1b", "b", "malformed field a\\x1b: a character that is not allowed");
    check_request(":method", "PUT",
                  "malformed field :method: unknown, repeated, out of place or of a wrong value");
}

static void a_request_without_its_pseudo_fields_is_malformed(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    inject_request(pair, 1, request, 2);
    assert_string_equal(
        pair->server.log,
        "malformed:malformed header block: a pseudo-header field is missing, or the "
        "block may not end the stream ");
    pair_free(pair);
}

/* A block that the client gets on a stream of its own; the connection and its other stream go on.
 */
static struct pair *answered_with(const uint8_t *block, size_t len, uint8_t flags)
{
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    pair_open(pair, false);
    struct h2_stream *other = pair_open(pair, false);
    pair_collect(pair, &pair->client);
    assert_int_equal(pair_inject(pair, &pair->client, HEADERS, flags, 1, block, len), 0);
    pair_collect(pair, &pair->client);
    assert_int_equal(pair_frames(&pair->client, RST_STREAM, NULL), 1);
    assert_int_equal(pair_frames(&pair->client, GOAWAY, NULL), 0);
    assert_int_equal(h2_session_stream_count(pair->client.session), 1);
    assert_false(h2_stream_ended(other));
    return pair;
}

static void an_oversized_response_resets_its_stream(void **state)
{
    (void)state;
    uint8_t block[1000];
    struct pair *pair = answered_with(block, block_of(block, ok, 1, 500), END_HEADERS);
    assert_string_equal(pair->client.log, "close:ENHANCE_YOUR_CALM ");
    assert_string_equal(pair->client.fault,
                        "header block of 30042 bytes is over the limit of 16384");
    pair_free(pair);
}

static void a_malformed_response_resets_its_stream(void **state)
{
    (void)state;
    uint8_t block[200];
    size_t len = block_with(block, ok, 1, "connection", "close");
    struct pair *pair = answered_with(block, len, END_HEADERS);
    assert_string_equal(pair->client.log, "close:PROTOCOL_ERROR ");
    assert_string_equal(pair->client.fault, "malformed field connection: not allowed in HTTP/2");
    pair_free(pair);
}

static void trailers_are_judged_like_blocks(void **state)
{
    (void)state;
    uint8_t block[1000];
    static const struct {
        size_t fields;
        const char *name;
        const char *fault;
    } cases[] = {
        {101, NULL, "trailer block of 101 fields is over the limit of 100"},
        {0, "upgrade", "malformed field upgrade: not allowed in HTTP/2"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct pair *pair = pair_new(NULL);
        pair_open(pair, false);
        pair_run(pair, 100000);
        size_t len = cases[i].name != NULL ? block_with(block, ok, 0, cases[i].name, "x")
                                           : block_of(block, ok, 0, cases[i].fields);
        inject_request(pair, 1, block, len); /* trailers of the stream that is open */
        pair_collect(pair, &pair->server);
        assert_string_equal(pair->server.fault, cases[i].fault);
        assert_int_equal(pair->server.closes, 1);
        assert_null(strstr(pair->server.log, "oversized"));
        pair_free(pair);
    }
}

static void a_body_that_is_not_as_long_as_it_says_is_a_fault(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"), H2_HEADER(":scheme", "http"),     H2_HEADER(":path", "/"),
        H2_HEADER(":authority", "x"), H2_HEADER("content-length", "5"),
    };
    struct h2_stream *stream;
    assert_int_equal(pair_open_fields(pair, fields, 5, false, &stream), 0);
    h2_stream_write(stream, "abc", 3, 100);
    h2_stream_end(stream);
    pair_run(pair, 100000);
    assert_string_equal(pair->server.fault, "malformed body: not what its header block says");
    pair_free(pair);
}

static struct h2_header secret(const char *name)
{
    struct h2_header field = H2_HEADER(name, "s3cret");
    field.never_indexed = true;
    return field;
}

static void a_secret_is_never_indexed_from_wire_to_wire(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/"),
        H2_HEADER(":authority", "x"),
        secret("x-token"),
    };
    struct h2_stream *stream;
    assert_int_equal(pair_open_fields(pair, fields, 5, true, &stream), 0);
    pair_run(pair, 100000);
    assert_int_equal(pair->server.never_indexed, 1);
    const struct h2_header response[] = {H2_HEADER(":status", "200"), secret("x-token")};
    const struct h2_header trailers[] = {H2_HEADER("grpc-status", "0"), secret("x-token")};
    h2_stream_respond(pair->server.stream, response, 2, false);
    h2_stream_trailers(pair->server.stream, trailers, 2);
    pair_run(pair, 100000);
    assert_int_equal(pair->client.never_indexed, 2);
    pair_free(pair);
}

/* Sends `count` requests with the field, its value from `values` in turn. Returns how many fields
 * of them came as never to be indexed. */
static unsigned never_indexed_of(struct pair *pair, const char *name, size_t count,
                                 const char *const *values, size_t value_count)
{
    unsigned before = pair->server.never_indexed;
    for (size_t i = 0; i < count; i++) {
        char unlike[32];
        snprintf(unlike, sizeof(unlike), "agent-%03zu", i);
        const char *value = value_count == 0 ? unlike : values[i % value_count];
        struct h2_stream *stream;
        const struct h2_header fields[] = {
            H2_HEADER(":method", "POST"), H2_HEADER(":scheme", "http"), H2_HEADER(":path", "/x"),
            H2_HEADER(":authority", "x"), H2_HEADER("te", "trailers"),  H2_HEADER(name, value),
        };
        assert_int_equal(pair_open_fields(pair, fields, 6, true, &stream), 0);
        pair_run(pair, 1000);
    }
    return pair->server.never_indexed - before;
}

static void what_never_comes_again_stays_out_of_the_table(void **state)
{
    (void)state;
    static const char *const versions[] = {"v1.1", "v1.2", "v1.10", "v1.11"};
    static const char *const same[] = {"agent-000"};
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    /* From the eighth value on that is new, and of this field alone. */
    assert_int_equal(never_indexed_of(pair, "agent-id", 20, NULL, 0), 13);
    /* A few values in turn come again, */
    assert_int_equal(never_indexed_of(pair, "agent-version", 40, versions, 4), 0);
    /* and so may one that varied. */
    assert_int_equal(never_indexed_of(pair, "agent-id", 20, same, 1), 1);
    assert_int_equal(never_indexed_of(pair, "agent-id", 8, NULL, 0), 0); /* 000 came again */
    /* Another connection has its own. */
    struct pair *other = pair_new(NULL);
    other->server.answer = true;
    assert_int_equal(never_indexed_of(other, "agent-id", 7, NULL, 0), 0);
    /* Short and empty values are told apart, too. */
    static const char *const shorts[] = {"", "a", "b", "ab", "ba", "abc", "cba", "abcd", "dcba"};
    assert_int_equal(never_indexed_of(other, "x-short", 9, shorts, 9), 2);
    pair_free(other);
    pair_free(pair);
}

/* More names than are known of do no harm, and those that go on coming are known again. */
static void of_many_names_some_may_vary_unknown(void **state)
{
    (void)state;
    static const char *const values[] = {"1"};
    struct pair *pair = pair_new(NULL);
    pair->server.answer = true;
    for (int i = 0; i < 70; i++) {
        char name[32];
        snprintf(name, sizeof(name), "x-name-%d", i % 49);
        assert_int_equal(never_indexed_of(pair, name, 1, values, 1), 0);
    }
    assert_int_equal(never_indexed_of(pair, "agent-id", 20, NULL, 0), 13);
    pair_free(pair);
}

static void what_is_too_large_for_the_peer_is_not_sent(void **state)
{
    (void)state;
    struct pair *pair = pair_new(NULL);
    struct h2_stream *stream = pair_open(pair, false);
    pair_run(pair, 100000);
    char value[3000];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    const struct h2_header fields[] = {H2_HEADER(":status", "200"), H2_HEADER("x", value)};
    pair_inject_setting(pair, &pair->server, MAX_HEADER_LIST_SIZE, 42 + 33 + 2999 - 1);
    assert_int_equal(h2_session_peer_header_bytes(pair->server.session), 42 + 33 + 2999 - 1);
    assert_int_equal(h2_stream_respond(pair->server.stream, fields, 2, false), H2_E_HEADERS);
    pair_inject_setting(pair, &pair->server, MAX_HEADER_LIST_SIZE, 42 + 33 + 2999);
    assert_int_equal(h2_stream_respond(pair->server.stream, fields, 2, false), 0);
    pair_inject_setting(pair, &pair->server, MAX_HEADER_LIST_SIZE, 33 + 2999 - 1);
    assert_int_equal(h2_stream_trailers(pair->server.stream, fields + 1, 1), H2_E_HEADERS);
    assert_false(h2_stream_ended(pair->server.stream));
    pair_inject_setting(pair, &pair->client, MAX_HEADER_LIST_SIZE, 3000);
    const struct h2_header request_fields[] = {
        H2_HEADER(":method", "POST"), H2_HEADER(":scheme", "http"), H2_HEADER(":path", "/"),
        H2_HEADER(":authority", "x"), H2_HEADER("x", value),
    };
    assert_int_equal(pair_open_fields(pair, request_fields, 5, true, &stream), H2_E_HEADERS);
    assert_int_equal(h2_session_stream_count(pair->client.session), 1);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_fields_may_be_answered),
        cmocka_unit_test(the_limit_is_the_largest_block_that_passes),
        cmocka_unit_test(an_owner_may_take_more_and_less),
        cmocka_unit_test(more_may_be_for_the_requests_of_one_path),
        cmocka_unit_test(an_oversized_request_that_nobody_answers_is_reset),
        cmocka_unit_test(oversized_requests_cost_the_client_its_budget),
        cmocka_unit_test(a_malformed_field_is_named_without_its_value),
        cmocka_unit_test(a_request_without_its_pseudo_fields_is_malformed),
        cmocka_unit_test(an_oversized_response_resets_its_stream),
        cmocka_unit_test(a_malformed_response_resets_its_stream),
        cmocka_unit_test(trailers_are_judged_like_blocks),
        cmocka_unit_test(a_body_that_is_not_as_long_as_it_says_is_a_fault),
        cmocka_unit_test(a_secret_is_never_indexed_from_wire_to_wire),
        cmocka_unit_test(what_never_comes_again_stays_out_of_the_table),
        cmocka_unit_test(of_many_names_some_may_vary_unknown),
        cmocka_unit_test(what_is_too_large_for_the_peer_is_not_sent),
    };
    return cmocka_run_group_tests_name("h2/blocks", tests, NULL, NULL);
}

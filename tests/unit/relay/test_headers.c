/* Which fields pass the proxy. */
#include "base/mem.h"
#include "relay/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct route_modifier none;

static const char *value_of(const struct headers_request *request, const char *name)
{
    const struct h2_block block = {request->fields, request->count};
    const struct h2_header *field = h2_block_find(&block, name, NULL);
    return field != NULL ? field->value : NULL;
}

static void fields_that_are_not_for_the_endpoint_stay_behind(void **state)
{
    (void)state;
    const struct h2_header fields[] = {
        H2_HEADER(":path", "/a/b"),
        H2_HEADER(":authority", "real"),
        H2_HEADER("host", "other"),
        H2_HEADER("http2-settings", "x"),
        H2_HEADER("proxy-authorization", "secret"),
        H2_HEADER("te", "trailers, gzip"),
        H2_HEADER("te", "gzip"),
        H2_HEADER("content-length", "7"),
        H2_HEADER("agent-version", "v1.1"),
        H2_HEADER("x-bin", "AAE="),
    };
    const struct h2_block block = {fields, ARRAY_SIZE(fields)};
    struct headers_request *request = headers_make_request(&block, &none, NULL);
    assert_string_equal(value_of(request, ":authority"), "real");
    assert_null(value_of(request, "host"));
    assert_null(value_of(request, "http2-settings"));
    assert_null(value_of(request, "proxy-authorization"));
    assert_null(value_of(request, "content-length"));
    assert_string_equal(value_of(request, "te"), "trailers");
    assert_string_equal(value_of(request, "agent-version"), "v1.1");
    assert_int_equal(request->count, 5);
    free(request);
}

static void never_indexed_fields_stay_so(void **state)
{
    (void)state;
    struct h2_header fields[] = {
        H2_HEADER(":path", "/a/b"),
        H2_HEADER("host", "name:1"),
        H2_HEADER("authorization", "secret"),
    };
    fields[1].never_indexed = true;
    fields[2].never_indexed = true;
    struct headers_request *request =
        headers_make_request(&(struct h2_block){fields, ARRAY_SIZE(fields)}, &none, NULL);
    assert_string_equal(request->fields[0].name, ":authority");
    assert_true(request->fields[0].never_indexed);
    assert_false(request->fields[1].never_indexed);
    assert_true(request->fields[2].never_indexed);
    free(request);
}

static void host_becomes_authority_when_there_is_none(void **state)
{
    (void)state;
    const struct h2_header fields[] = {H2_HEADER(":path", "/a/b"), H2_HEADER("host", "name:1")};
    const struct h2_block block = {fields, ARRAY_SIZE(fields)};
    struct headers_request *request = headers_make_request(&block, &none, NULL);
    assert_string_equal(value_of(request, ":authority"), "name:1");
    assert_null(value_of(request, "host"));
    assert_string_equal(request->fields[0].name,
                        ":authority"); /* pseudo-header fields come first */
    free(request);
}

static size_t count_of(const struct h2_header *fields, size_t count, const char *name)
{
    const struct h2_block block = {fields, count};
    size_t found;
    h2_block_find(&block, name, &found);
    return found;
}

static void a_modifier_sets_adds_and_removes(void **state)
{
    (void)state;
    struct route_change changes[] = {
        {ROUTE_HEADER_SET, (char[]){"set"}, (char[]){"new"}},
        {ROUTE_HEADER_ADD, (char[]){"add"}, (char[]){"more"}},
        {ROUTE_HEADER_REMOVE, (char[]){"gone"}, NULL},
        {ROUTE_HEADER_SET, (char[]){"absent"}, (char[]){"now"}},
        {ROUTE_HEADER_REMOVE, (char[]){"never"}, NULL},
    };
    const struct route_modifier modifier = {changes, ARRAY_SIZE(changes)};
    const struct h2_header fields[] = {
        H2_HEADER(":path", "/a/b"), H2_HEADER("set", "1"),    H2_HEADER("gone", "1"),
        H2_HEADER("set", "2"),      H2_HEADER("add", "1"),    H2_HEADER("gone", "2"),
        H2_HEADER("settle", "1"),   H2_HEADER("kept", "yes"), H2_HEADER("te", "x"),
    };
    struct headers_request *request =
        headers_make_request(&(struct h2_block){fields, ARRAY_SIZE(fields)}, &modifier, NULL);
    assert_string_equal(request->fields[0].name, ":path");
    assert_string_equal(value_of(request, "set"), "new");
    assert_string_equal(value_of(request, "absent"), "now");
    assert_string_equal(value_of(request, "kept"), "yes");
    assert_string_equal(value_of(request, "settle"), "1");
    assert_string_equal(value_of(request, "te"), "trailers");
    assert_int_equal(count_of(request->fields, request->count, "set"), 1);
    assert_int_equal(count_of(request->fields, request->count, "add"), 2);
    assert_int_equal(count_of(request->fields, request->count, "gone"), 0);
    free(request);
}

/* 98 fields, `te`, and what a modifier makes of them. */
static void a_modified_block_is_measured_as_it_is_then(void **state)
{
    (void)state;
    struct h2_header fields[H2_HEADER_FIELDS - 2];
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        fields[i] = H2_HEADER("x", "y");
    }
    struct route_change changes[] = {
        {ROUTE_HEADER_ADD, (char[]){"a"}, (char[]){"1"}},
        {ROUTE_HEADER_ADD, (char[]){"b"}, (char[]){"1"}},
        {ROUTE_HEADER_REMOVE, (char[]){"x"}, NULL},
    };
    const struct h2_block block = {fields, ARRAY_SIZE(fields)};
    static const struct {
        size_t changes;
        size_t fields; /* 0: refused */
    } rows[] = {{0, 99}, {1, 100}, {2, 0}, {3, 3}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct route_modifier modifier = {changes, rows[i].changes};
        struct headers_request *request = headers_make_request(&block, &modifier, NULL);
        assert_int_equal(request != NULL ? request->count : 0, rows[i].fields);
        free(request);
    }
}

/* What is added on the way must not make a block pass the limit that it was below. */
static void a_block_near_the_limit_is_refused_before_it_grows(void **state)
{
    (void)state;
    static char value[H2_HEADER_BLOCK_BYTES];
    memset(value, 'x', sizeof(value) - 1);
    for (size_t len = H2_HEADER_BLOCK_BYTES - 1200; len < H2_HEADER_BLOCK_BYTES - 100; len++) {
        const struct h2_header fields[] = {
            H2_HEADER(":path", "/a/b"), H2_HEADER("host", "h"), {"x", value, 1, len, false}};
        struct headers_request *request =
            headers_make_request(&(struct h2_block){fields, ARRAY_SIZE(fields)}, &none, NULL);
        size_t bytes = 0;
        for (size_t i = 0; request != NULL && i < request->count; i++) {
            bytes += request->fields[i].name_len + request->fields[i].value_len + 32;
        }
        assert_true(bytes <= H2_HEADER_BLOCK_BYTES - RELAY_HEADER_MARGIN_BYTES);
        assert_int_equal(request == NULL, len > H2_HEADER_BLOCK_BYTES - RELAY_HEADER_MARGIN_BYTES -
                                                    9 - 11 - 10 - 1 - 4 * 32);
        free(request);
    }
}

static void too_many_fields_are_refused(void **state)
{
    (void)state;
    struct h2_header fields[H2_HEADER_FIELDS];
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        fields[i] = H2_HEADER("x", "y");
    }
    assert_null(headers_make_request(&(struct h2_block){fields, H2_HEADER_FIELDS}, &none, NULL));
    struct headers_request *request = headers_make_request(
        &(struct h2_block){fields, H2_HEADER_FIELDS - 1}, &none, NULL); /* and te */
    assert_int_equal(request->count, H2_HEADER_FIELDS);
    free(request);
}

/* A request with one field of it replaced, or one more. */
static bool is_good(const char *name, const char *value, struct headers_refusal *ret)
{
    struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),     H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", "/p.S/M"),     H2_HEADER(":authority", "host:1"),
        H2_HEADER("agent-version", "v1"), H2_HEADER("te", "trailers"),
    };
    size_t last = ARRAY_SIZE(fields) - 1;
    size_t at = last;
    for (size_t i = 0; i < last; i++) {
        at = strcmp(fields[i].name, name) == 0 ? i : at;
    }
    fields[at] = H2_HEADER(name, value);
    return headers_check(&(struct h2_block){fields, ARRAY_SIZE(fields)}, ret);
}

static void what_an_endpoint_takes_amiss_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        bool good;
    } rows[] = {
        {":path", "/p.S/M", true},
        {":path", "/", true},
        {":path", "/p.S/M?q=1", true},
        {":path", "/p.S/M#x", false},
        {":path", "/p.S/\x80", false},
        {":path", "/p.S/ M", false},
        {":path", "p.S/M", false},
        {":path", "*", false},
        {":path", "", false},
        {":path", "/p\x7f", false},
        {":authority", "host", true},
        {":authority", "[::1]:443", true},
        {":authority", "user@host", false},
        {":authority", "", false},
        {":authority", "a/b", false},
        {":authority", "a b", false},
        {":authority", "a\xc3", false},
        {":authority", "a{", false},
        {"host", "host", true},
        {"host", "a b", false},
        {"host", "", false},
        {":scheme", "https", true},
        {":scheme", "gopher", false},
        {":scheme", "", false},
        {":scheme", "http,https", false},
        {":method", "HEAD", false},
        {":method", "GET", false},
        {":method", "post", false},
        {":method", "", false},
        {"x-bin", "AAE=", true},
        {"x-bin", "AAE", true},
        {"x-bin", "", true},
        {"x-bin", "AAE=,AA", true},
        {"x-bin", "AAE==", false},
        {"x-bin", "A", false},
        {"x-bin", "!!!!", false},
        {"x-bin", "AA E", false},
        {"x-bin", "=AAA", false},
        {"x-bin", "AAE=AAE=", false},
        {"bin", "!!!!", true},
        {"-bin", "!!!!", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct headers_refusal refusal = {0};
        assert_int_equal(is_good(rows[i].name, rows[i].value, &refusal), rows[i].good);
        assert_int_equal(refusal.reason == NULL, rows[i].good);
    }
}

static void connect_and_repeated_hosts_are_refused(void **state)
{
    (void)state;
    struct headers_refusal refusal;
    const struct h2_header connect[] = {H2_HEADER(":method", "CONNECT")};
    const struct h2_header hosts[] = {
        H2_HEADER(":method", "POST"), H2_HEADER(":scheme", "http"), H2_HEADER(":path", "/a/b"),
        H2_HEADER("host", "a"),       H2_HEADER("host", "a"),
    };
    assert_false(headers_check(&(struct h2_block){connect, 1}, &refusal));
    assert_false(headers_check(&(struct h2_block){hosts, ARRAY_SIZE(hosts)}, &refusal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_that_are_not_for_the_endpoint_stay_behind),
        cmocka_unit_test(never_indexed_fields_stay_so),
        cmocka_unit_test(host_becomes_authority_when_there_is_none),
        cmocka_unit_test(a_modifier_sets_adds_and_removes),
        cmocka_unit_test(a_modified_block_is_measured_as_it_is_then),
        cmocka_unit_test(a_block_near_the_limit_is_refused_before_it_grows),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(what_an_endpoint_takes_amiss_is_refused),
        cmocka_unit_test(connect_and_repeated_hosts_are_refused),
    };
    return cmocka_run_group_tests_name("relay/headers", tests, NULL, NULL);
}

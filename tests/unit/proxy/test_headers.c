/* Which fields pass the proxy. */
#include "base/mem.h"
#include "proxy/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *value_of(const struct proxy_headers *headers, const char *name)
{
    const struct h2_block block = {headers->fields, headers->count};
    const struct h2_header *field = h2_block_find(&block, name, NULL);
    return field != NULL ? field->value : NULL;
}

static void hop_by_hop_fields_stay_behind(void **state)
{
    (void)state;
    const struct h2_header fields[] = {
        H2_HEADER(":path", "/a/b"),          H2_HEADER(":authority", "real"),
        H2_HEADER("host", "other"),          H2_HEADER("http2-settings", "x"),
        H2_HEADER("proxy-authorization", "secret"), H2_HEADER("te", "trailers"),
        H2_HEADER("agent-version", "v1.1"),  H2_HEADER("x-bin", "AAE="),
    };
    const struct h2_block block = {fields, ARRAY_SIZE(fields)};
    struct proxy_headers *copy = proxy_headers_copy(&block);
    assert_string_equal(value_of(copy, ":authority"), "real");
    assert_null(value_of(copy, "host"));
    assert_null(value_of(copy, "http2-settings"));
    assert_null(value_of(copy, "proxy-authorization"));
    assert_string_equal(value_of(copy, "te"), "trailers");
    assert_string_equal(value_of(copy, "agent-version"), "v1.1");
    assert_int_equal(copy->count, 5);
    free(copy);
}

static void host_becomes_authority_when_there_is_none(void **state)
{
    (void)state;
    const struct h2_header fields[] = {H2_HEADER(":path", "/a/b"), H2_HEADER("host", "name:1")};
    const struct h2_block block = {fields, ARRAY_SIZE(fields)};
    struct proxy_headers *copy = proxy_headers_copy(&block);
    assert_string_equal(value_of(copy, ":authority"), "name:1");
    assert_null(value_of(copy, "host"));
    assert_string_equal(copy->fields[0].name, ":authority"); /* pseudo-header fields come first */
    free(copy);
}

static void malformed_targets_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *authority;
        bool good;
    } rows[] = {
        {"/p.S/M", "host:1", true},  {"/", "host", true},         {"/p.S/M#x", "host", false},
        {"/p.S/\x80", "host", false}, {"/p.S/ M", "host", false}, {"p.S/M", "host", false},
        {"/p.S/M", "user@host", false}, {"/p.S/M?q=1", "host", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct h2_header fields[] = {H2_HEADER(":path", rows[i].path),
                                           H2_HEADER(":authority", rows[i].authority)};
        const struct h2_block block = {fields, ARRAY_SIZE(fields)};
        assert_int_equal(proxy_headers_check(&block) == NULL, rows[i].good);
    }
    const struct h2_header connect[] = {H2_HEADER(":method", "CONNECT")};
    assert_non_null(proxy_headers_check(&(struct h2_block){connect, 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hop_by_hop_fields_stay_behind),
        cmocka_unit_test(host_becomes_authority_when_there_is_none),
        cmocka_unit_test(malformed_targets_are_named),
    };
    return cmocka_run_group_tests_name("proxy/headers", tests, NULL, NULL);
}

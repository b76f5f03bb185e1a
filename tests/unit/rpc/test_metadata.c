/* Percent-encoding, timeouts and content types. */
#include "base/mem.h"
#include "rpc/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_encoding_round_trips_every_byte),
        cmocka_unit_test(timeouts_are_read_and_written_as_specified),
        cmocka_unit_test(content_types_of_grpc_are_known),
    };
    return cmocka_run_group_tests_name("rpc/metadata", tests, NULL, NULL);
}

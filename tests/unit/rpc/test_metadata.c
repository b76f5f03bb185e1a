/* Percent-encoding, binary values, timeouts and content types. */
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

static void binary_values_round_trip_with_and_without_padding(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *bytes;
        size_t len;
    } cases[] = {{"", "", 0},
                 {"AA", "\0", 1},
                 {"AP8", "\0\xff", 2},
                 {"AP8K", "\0\xff\n", 3},
                 {"+/+/", "\xfb\xff\xbf", 3},
                 {"AP8KAA", "\0\xff\n\0", 4}};
    char text[20];
    uint8_t bytes[20];
    size_t len;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(
            rpc_binary_encode(text, sizeof(text), (const uint8_t *)cases[i].bytes, cases[i].len),
            strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
        assert_int_equal(rpc_binary_decode(text, strlen(text), bytes, cases[i].len, &len), 0);
        assert_int_equal(len, cases[i].len);
        assert_memory_equal(bytes, cases[i].bytes, len);
    }
    assert_int_equal(rpc_binary_decode("AA==", 4, bytes, 1, &len), 0);
    assert_int_equal(rpc_binary_decode("AP8=", 4, bytes, 2, &len), 0);
    assert_int_equal(rpc_binary_encode(text, 4, (const uint8_t *)"abc", 3), 0); /* and the NUL */
}

static void what_is_no_binary_value_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "A", "AAAAA", "A=", "A===", "AA=", "A-B_", "AA A", "=", "AA,AA", "AAA\x80"};
    uint8_t bytes[20];
    size_t len;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(rpc_binary_decode(wrong[i], strlen(wrong[i]), bytes, sizeof(bytes), &len),
                         1);
    }
    assert_int_equal(rpc_binary_decode("AP8K", 4, bytes, 2, &len), 1); /* does not fit */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_encoding_round_trips_every_byte),
        cmocka_unit_test(timeouts_are_read_and_written_as_specified),
        cmocka_unit_test(content_types_of_grpc_are_known),
        cmocka_unit_test(binary_values_round_trip_with_and_without_padding),
        cmocka_unit_test(what_is_no_binary_value_is_refused),
    };
    return cmocka_run_group_tests_name("rpc/metadata", tests, NULL, NULL);
}

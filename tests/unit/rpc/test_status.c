/* Codes, as HTTP, HTTP/2 and grpc-status tell them. */
#include "base/mem.h"
#include "h2/session.h"
#include "rpc/answer.h"
#include "rpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_and_http2_failures_become_the_specified_codes),
        cmocka_unit_test(every_status_is_read_and_others_are_unknown),
        cmocka_unit_test(a_status_that_is_not_there_once_is_none),
    };
    return cmocka_run_group_tests_name("rpc/status", tests, NULL, NULL);
}

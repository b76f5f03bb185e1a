/* What reflection finds, and what it does not. */
#include "base/mem.h"
#include "rpc/reflection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Asks with field `number` set to `text`; returns 1 when the answer holds a descriptor, 0 when it
 * is an error. */
static int asks_without(const char *without, uint8_t number, const char *text)
{
    uint8_t request[200] = {(uint8_t)(number << 3 | 2), (uint8_t)strlen(text)};
    memcpy(request + 2, text, strlen(text));
    struct buf response = {0};
    assert_int_equal(rpc_reflection_answer(request, 2 + strlen(text), without, &response), 0);
    bool error = memmem(buf_data(&response), response.len, "not found", 9) != NULL;
    buf_deinit(&response);
    return error ? 0 : 1;
}

static int asks_for(uint8_t number, const char *text)
{
    return asks_without(NULL, number, text);
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
        "probe.ProbeService",
        "probe.SeenResponse.End",
    };
    static const char *const missing[] = {"",
                                          "ping",
                                          "ping.",
                                          "ping.PingServic",
                                          "ping.PingServiceX",
                                          "ping.PingService.Nothing",
                                          "ping.PingRequest.Nothing",
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

static void what_is_not_served_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(asks_for(4, "probe.ProbeService.Run"), 1);
    assert_int_equal(asks_without("probe", 4, "probe.ProbeService.Run"), 0);
    assert_int_equal(asks_without("probe", 4, "probe.Script"), 0);
    assert_int_equal(asks_without("probe", 3, "probe.proto"), 0);
    assert_int_equal(asks_without("probe", 4, "ping.PingService"), 1);
}

/* The names of all services, as the answer to list_services has them. */
static bool lists(const char *without, const char *service)
{
    const uint8_t request[] = {7 << 3 | 2, 0};
    struct buf response = {0};
    assert_int_equal(rpc_reflection_answer(request, sizeof(request), without, &response), 0);
    bool found = memmem(buf_data(&response), response.len, service, strlen(service)) != NULL;
    buf_deinit(&response);
    return found;
}

static void the_list_has_what_is_served(void **state)
{
    (void)state;
    assert_true(lists(NULL, "probe.ProbeService"));
    assert_false(lists("probe", "probe.ProbeService"));
    assert_true(lists("probe", "ping.PingService"));
}

/* The answer to `request` is the echo of it and, as protobuf has them, these bytes: of one field
 * each, shorter than 128. */
static void assert_answer(const char *request, const char *answer)
{
    uint8_t expected[200] = {2 << 3 | 2, (uint8_t)strlen(request)};
    memcpy(expected + 2, request, strlen(request));
    memcpy(expected + 2 + strlen(request), answer, strlen(answer));
    struct buf response = {0};
    assert_int_equal(
        rpc_reflection_answer((const uint8_t *)request, strlen(request), NULL, &response), 0);
    assert_int_equal(response.len, 2 + strlen(request) + strlen(answer));
    assert_memory_equal(buf_data(&response), expected, response.len);
    buf_deinit(&response);
}

static void there_are_no_extensions(void **state)
{
    (void)state;
    /* the extension of number 5 of ping.PingRequest; NOT_FOUND */
    assert_answer("\x2a\x14\x0a\x10ping.PingRequest\x10\x05",
                  "\x3a\x32\x08\x05\x12\x2eproto3 files of this server have no extensions");
    /* all of a type that is there: none; and of one that is not */
    assert_answer("\x32\x10ping.PingRequest", "\x2a\x12\x0a\x10ping.PingRequest");
    assert_answer("\x32\x0cping.Nothing", "\x3a\x0d\x08\x05\x12\x09not found");
}

static void a_request_that_asks_for_nothing_is_an_invalid_argument(void **state)
{
    (void)state;
    static const char *const asks_nothing = "\x3a\x1c\x08\x03\x12\x18request asks for nothing";
    assert_answer("", asks_nothing);
    assert_answer("\x7a\x01x", asks_nothing); /* field 15, of which nobody knows */
}

static void bytes_that_are_no_request_get_no_answer(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", /* a key without an end */
        "\x22",                                             /* a key alone */
        "\x22\x05ping",                                     /* shorter than it says */
        "\x2a\x02\x0a\x05",                                 /* so inside */
        "\x27symbol",                                       /* a wire type that is none */
    };
    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
        struct buf response = {0};
        assert_int_equal(
            rpc_reflection_answer((const uint8_t *)garbage[i], strlen(garbage[i]), NULL, &response),
            1);
        assert_int_equal(response.len, 0);
        buf_deinit(&response);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reflection_finds_what_is_there_and_nothing_else),
        cmocka_unit_test(what_is_not_served_is_not_there),
        cmocka_unit_test(the_list_has_what_is_served),
        cmocka_unit_test(there_are_no_extensions),
        cmocka_unit_test(a_request_that_asks_for_nothing_is_an_invalid_argument),
        cmocka_unit_test(bytes_that_are_no_request_get_no_answer),
    };
    return cmocka_run_group_tests_name("rpc/reflection", tests, NULL, NULL);
}

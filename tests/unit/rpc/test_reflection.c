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
        cmocka_unit_test(reflection_finds_what_is_there_and_nothing_else),
    };
    return cmocka_run_group_tests_name("rpc/reflection", tests, NULL, NULL);
}

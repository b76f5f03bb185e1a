/* The messages of PingPong and of grpc.health.v1. */
#include "rpc/frame.h"
#include "rpc/health.h"
#include "rpc/ping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pings_round_trip_and_old_peers_are_understood),
        cmocka_unit_test(broken_pings_are_refused),
        cmocka_unit_test(unknown_fields_cannot_take_more_than_the_arena),
        cmocka_unit_test(health_messages_round_trip),
    };
    return cmocka_run_group_tests_name("rpc/messages", tests, NULL, NULL);
}

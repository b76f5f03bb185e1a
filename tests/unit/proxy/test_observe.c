/* Who answered a stream, and whether that was right: the first message alone, whatever a server
 * sends. */
#include "proxy/observe.h"

#include "h2/session.h"
#include "proxy/cluster.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"
#include "rpc/ping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct proxy proxy;
    struct worker worker;
    struct cluster cluster;
    struct endpoint endpoint;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    world->worker.proxy = &world->proxy;
    pthread_mutex_init(&world->worker.exchanges_mutex, NULL);
    cluster_init(&world->cluster, "server-v1", LB_ROUND_ROBIN);
    world->endpoint.cluster = &world->cluster;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    cluster_deinit(&world->cluster);
    pthread_mutex_destroy(&world->worker.exchanges_mutex);
    free(world);
    return 0;
}

static void begin(struct world *world, struct exchange *exchange, const char *version,
                  const char *path)
{
    const struct h2_header field = {":path", path, 5, strlen(path)};
    const struct h2_block block = {.fields = &field, .count = 1};
    memset(exchange, 0, sizeof(*exchange));
    exchange->worker = &world->worker;
    exchange->endpoint = &world->endpoint;
    snprintf(exchange->agent_version, sizeof(exchange->agent_version), "%s", version);
    observe_request(exchange, &block);
    observe_chosen(exchange);
}

/* A message with its prefix; returns its length. */
static size_t answer(uint8_t *out, size_t out_bytes, const char *version, const char *id)
{
    const struct rpc_ping_response response = {.server_version = version, .server_id = id};
    size_t len = rpc_ping_response_encode(&response, out + 5, out_bytes - 5);
    const uint8_t prefix[5] = {0, 0, 0, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(out, prefix, sizeof(prefix));
    return len + 5;
}

static uint64_t checked(struct world *world)
{
    return atomic_load(&world->worker.stats.answers_checked);
}

static void only_an_agent_with_both_numbers_can_be_misrouted(void **state)
{
    (void)state;
    assert_false(observe_is_misroute("v1.2", "v1"));
    assert_false(observe_is_misroute("v1.2", "v1.7"));
    assert_true(observe_is_misroute("v1.2", "v2"));
    assert_true(observe_is_misroute("v1.2", "v11"));
    assert_true(observe_is_misroute("v1.2", ""));
    assert_true(observe_is_misroute("v1.2", "main"));
    assert_false(observe_is_misroute("v1", "v2"));
    assert_false(observe_is_misroute("", "v2"));
    assert_false(observe_is_misroute("latest", "v2"));
}

static void the_first_answer_tells_pod_and_misroute(void **state)
{
    struct world *world = *state;
    struct exchange exchange;
    uint8_t bytes[256];
    begin(world, &exchange, "v1.1", RPC_PING_PATH);
    size_t len = answer(bytes, sizeof(bytes), "v2", "pod\n\x1b");
    observe_down(&exchange, 1, bytes, len);
    assert_string_equal(exchange.seen.server_version, "v2");
    assert_string_equal(exchange.seen.server_id, "pod\\x0a\\x1b");
    assert_string_equal(world->endpoint.pod, exchange.seen.server_id);
    assert_int_equal(atomic_load(&world->worker.stats.misrouted), 1);
    assert_int_equal(atomic_load(&world->endpoint.misrouted), 1);
    len = answer(bytes, sizeof(bytes), "v1", "other");
    observe_down(&exchange, 1, bytes, len); /* not the first */
    assert_string_equal(exchange.seen.server_version, "v2");
    assert_int_equal(checked(world), 1);
    assert_int_equal(atomic_load(&world->worker.stats.messages_down), 2);
    observe_left(&exchange);
    assert_int_equal(atomic_load(&world->endpoint.misrouted), 0);
    assert_int_equal(atomic_load(&world->worker.stats.misrouted), 1);
}

static void what_is_not_a_whole_small_plain_message_is_skipped(void **state)
{
    struct world *world = *state;
    struct exchange exchange;
    static uint8_t bytes[OBSERVE_MESSAGE_BYTES + 100];
    static char long_id[OBSERVE_MESSAGE_BYTES + 1];
    memset(long_id, 'x', OBSERVE_MESSAGE_BYTES);
    size_t len = answer(bytes, sizeof(bytes), "v1", "pod");
    for (size_t cut = 0; cut < len; cut++) {
        begin(world, &exchange, "v1.1", RPC_PING_PATH);
        observe_down(&exchange, cut > 4, bytes, cut);
        observe_left(&exchange);
    }
    bytes[0] = 1; /* compressed */
    begin(world, &exchange, "v1.1", RPC_PING_PATH);
    observe_down(&exchange, 1, bytes, len);
    observe_left(&exchange);
    begin(world, &exchange, "v1.1", RPC_PING_PATH);
    observe_down(&exchange, 1, (const uint8_t *)"\0\0\0\0\x02\xff\xff", 7);
    observe_left(&exchange);
    begin(world, &exchange, "v1.1", RPC_PING_PATH);
    observe_down(&exchange, 1, bytes, answer(bytes, sizeof(bytes), "v1", long_id));
    observe_left(&exchange);
    begin(world, &exchange, "v1.1", "/other.Service/Call");
    observe_down(&exchange, 1, bytes, answer(bytes, sizeof(bytes), "v1", "pod"));
    observe_left(&exchange);
    assert_int_equal(checked(world), 0);
}

static void versions_beyond_the_table_are_counted_together(void **state)
{
    struct world *world = *state;
    static struct exchange exchanges[OBSERVE_FLOWS + 10];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < OBSERVE_FLOWS + 10; i++) {
            char version[16];
            snprintf(version, sizeof(version), "v1.%d%zu", round, i);
            begin(world, &exchanges[i], version, RPC_PING_PATH);
        }
        const struct observe_flow *flows = world->worker.flows.flows;
        assert_int_equal(atomic_load(&flows[OBSERVE_FLOWS].streams), 10);
        for (size_t i = 0; i < OBSERVE_FLOWS; i++) {
            assert_int_equal(atomic_load(&flows[i].streams), 1);
        }
        for (size_t i = 0; i < OBSERVE_FLOWS + 10; i++) {
            observe_left(&exchanges[i]);
        }
        assert_int_equal(atomic_load(&flows[OBSERVE_FLOWS].streams), 0);
    }
}

static void answer_times_are_taken_only_while_watched(void **state)
{
    struct world *world = *state;
    struct exchange exchange;
    uint64_t sums[ANSWER_TIME_BUCKETS] = {0};
    static const uint64_t none[ANSWER_TIME_BUCKETS];
    begin(world, &exchange, "v1.1", "/other.Service/Call");
    for (int watched = 0; watched < 2; watched++) {
        atomic_store(&world->proxy.watched, watched);
        observe_up(&exchange, 1);
        observe_down(&exchange, 1, (const uint8_t *)"", 0);
        answer_time_sum(&world->worker.answer_time, sums);
        assert_int_equal(answer_time_quantile(none, sums, 1) >= 0, watched);
    }
    observe_left(&exchange);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_an_agent_with_both_numbers_can_be_misrouted),
        TEST(the_first_answer_tells_pod_and_misroute),
        TEST(what_is_not_a_whole_small_plain_message_is_skipped),
        TEST(versions_beyond_the_table_are_counted_together),
        TEST(answer_times_are_taken_only_while_watched),
    };
    return cmocka_run_group_tests_name("proxy/observe", tests, NULL, NULL);
}

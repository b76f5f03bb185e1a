/* Agents and a server in memory: a quiet stream is a healthy stream, for an hour of virtual
 * time. */
#include "../fake/fake.h"

#include "agent/agent.h"
#include "agent/stats.h"
#include "base/log.h"
#include "rpc/ping.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS     UINT64_C(3600000)
#define AGENTS      20
#define INTERVAL_MS 70000
#define PONG_BYTES  256

struct world {
    struct net_loop loop;
    struct rpc_server *server;
    struct agent *agents[AGENTS];
    struct agent_stats stats;
    struct role_connect_options options;
    struct role_target target;
    struct role_expectation expect;
    struct agent_config config;
    unsigned done;
    bool drained;
};

static void ping_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    (void)call;
    (void)metadata;
    (void)user;
}

static void ping_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    struct rpc_ping_request ping;
    assert_int_equal(rpc_ping_request_decode(bytes, len, &ping), 0);
    const struct rpc_ping_response pong = {
        .message = "pong",
        .server_version = "v1",
        .server_id = "s",
        .sequence = ping.sequence,
        .send_time_ns = ping.send_time_ns,
        .agent_id = "",
        .agent_version = "",
    };
    uint8_t out[PONG_BYTES];
    size_t out_len = rpc_ping_response_encode(&pong, out, sizeof(out));
    assert_int_equal(rpc_server_call_send(call, out, out_len), 0);
}

static void ping_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, RPC_OK, NULL);
}

static void ping_closed(struct rpc_server_call *call, const struct rpc_status *status)
{
    (void)call;
    (void)status;
}

static const struct rpc_method methods[] = {
    {RPC_PING_PATH, ping_start, ping_message, ping_half_close, ping_closed},
    {NULL, NULL, NULL, NULL, NULL},
};

static void on_done(void *user)
{
    ((struct world *)user)->done++;
}

static void on_drained(void *user)
{
    ((struct world *)user)->drained = true;
}

static void world_open(struct world *world, uint64_t delay_ms, uint64_t server_keepalive_ms,
                       uint64_t min_ping_interval_ms)
{
    memset(world, 0, sizeof(*world));
    fake_init(&world->loop);
    fake_delay_new(delay_ms);
    const struct rpc_server_config server = {
        .methods = methods,
        .max_streams = 10,
        .min_ping_interval_ms = min_ping_interval_ms,
        .keepalive_ms = server_keepalive_ms,
    };
    const struct text_address any = {.host = "127.0.0.1"};
    struct net_error error;
    world->server = rpc_server_new(&world->loop, &server);
    assert_int_equal(rpc_server_listen(world->server, &any, NULL, &error), 0);
    world->options = (struct role_connect_options){
        .target = {.host = "localhost", .port = rpc_server_port(world->server)},
        .plaintext = true,
    };
    assert_int_equal(role_target_init(&world->target, "agent", &world->options), 0);
    world->expect = (struct role_expectation){
        .rule = ROLE_EXPECT_SERVER, .versions = {"v1"}, .version_count = 1};
    world->config = (struct agent_config){
        .loop = &world->loop,
        .stats = &world->stats,
        .version = "v1.1",
        .expect = &world->expect,
        .target = &world->target,
        .interval_ms = INTERVAL_MS,
        .keepalive_ms = 10000,
        .max_backoff_ms = 1000,
        .on_done = on_done,
        .user = world,
    };
    for (unsigned i = 0; i < AGENTS; i++) {
        world->agents[i] = agent_new(&world->config, "a", i * 37);
    }
}

static void world_close(struct world *world)
{
    for (unsigned i = 0; i < AGENTS; i++) {
        agent_stop(world->agents[i]);
    }
    fake_advance(10000);
    assert_int_equal(world->done, AGENTS);
    for (unsigned i = 0; i < AGENTS; i++) {
        agent_free(world->agents[i]);
    }
    rpc_server_drain(world->server, 0, on_drained, world);
    fake_advance(20000);
    assert_true(world->drained);
    rpc_server_free(world->server);
    role_target_deinit(&world->target);
    fake_deinit(&world->loop);
}

static void quiet_agents_keep_their_streams_for_an_hour(void **state)
{
    (void)state;
    static const uint64_t delays[] = {0, 1, 150};
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        struct world world;
        world_open(&world, delays[i], i % 2 == 0 ? 60000 : 1000, 9000);
        fake_advance(HOUR_MS);
        assert_int_equal(world.stats.streams_opened, AGENTS);
        assert_int_equal(world.stats.streams_active, AGENTS);
        assert_int_equal(world.stats.reason_count, 0);
        assert_int_equal(world.stats.lost, 0);
        assert_in_range(world.stats.received, AGENTS * (HOUR_MS / INTERVAL_MS),
                        AGENTS * (HOUR_MS / INTERVAL_MS + 1));
        world_close(&world);
    }
}

static void agents_outlive_a_stop_of_everything(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1, 1000, 9000);
    for (int i = 0; i < 20; i++) {
        fake_advance(61003);
        fake_stand_still(5000);
    }
    assert_int_equal(world.stats.streams_opened, AGENTS);
    assert_int_equal(world.stats.reason_count, 0);
    world_close(&world);
}

/* gRFC A8: every 10 s is too often for it; every 20 s is not, with a message now and then. */
static void a_server_that_minds_pings_is_pinged_half_as_often(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1, 0, 25000);
    fake_advance(HOUR_MS);
    assert_int_equal(world.stats.streams_opened, 2 * AGENTS);
    assert_int_equal(world.stats.streams_active, AGENTS);
    world_close(&world);
}

int main(void)
{
    log_configure(LOG_ERROR, LOG_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_agents_keep_their_streams_for_an_hour),
        cmocka_unit_test(agents_outlive_a_stop_of_everything),
        cmocka_unit_test(a_server_that_minds_pings_is_pinged_half_as_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

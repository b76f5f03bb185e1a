/* Pingers on a real client, against a server whose answers the test chooses; in one loop. */
#include "role/pinger.h"

#include "base/mem.h"
#include "net/loop.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS 10000

struct world {
    struct net_loop loop;
    uv_timer_t deadline;
    struct role_connect_options options;
    struct role_target target;
    struct rpc_server *server;
    struct rpc_client *client;
    struct role_pinger pinger;
    struct role_identity identity;
    char metadata[256];  /* as the server saw it: "NAME=VALUE;..." */
    bool garble;         /* the server's answers are no messages */
    bool refuse_garbled; /* no on_garbled */
    struct role_service_options service;
    char server_missing[128];
    char pod_missing[128];
    unsigned named;
    unsigned rounds; /* calls to make, one after the other */
    unsigned pongs;
    uint64_t last_sequence;
    unsigned garbled;
    unsigned closed;
    struct rpc_status status;
};

static struct world *world;

/* ---- the server ------------------------------------------------------------------------------ */

static void ping_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    rpc_server_call_set_user(call, user);
    world->metadata[0] = '\0';
    for (size_t i = 0; i < metadata->count; i++) {
        const struct h2_header *field = &metadata->fields[i];
        if (strncmp(field->name, "agent-", 6) == 0) {
            size_t len = strlen(world->metadata);
            snprintf(world->metadata + len, sizeof(world->metadata) - len, "%s=%.*s;", field->name,
                     (int)field->value_len, field->value);
        }
    }
}

static void ping_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    struct rpc_ping_request ping;
    uint8_t out[256];
    assert_int_equal(rpc_ping_request_decode(bytes, len, &ping), 0);
    if (world->garble) {
        assert_int_equal(rpc_server_call_send(call, "\xff\xff", 2), 0);
        return;
    }
    const struct rpc_ping_response pong = {.message = "pong",
                                           .server_version = "v1",
                                           .server_id = "s",
                                           .sequence = ping.sequence,
                                           .agent_id = "",
                                           .agent_version = ""};
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

/* ---- the pinger ------------------------------------------------------------------------------ */

static void open_and_ping(void)
{
    assert_int_equal(role_pinger_open(&world->pinger, world->client, &world->identity), 0);
    assert_true(role_pinger_is_open(&world->pinger));
    const struct rpc_ping_request ping = {.message = "ping", .sequence = 7};
    assert_int_equal(role_pinger_send(&world->pinger, &ping), 0);
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    assert_ptr_equal(user, world);
    world->pongs++;
    world->last_sequence = pong->sequence;
    assert_string_equal(pong->server_version, "v1");
    role_pinger_half_close(&world->pinger);
}

static void on_garbled(void *user)
{
    (void)user;
    assert_true(role_pinger_is_open(&world->pinger));
    world->garbled++;
    role_pinger_cancel(&world->pinger); /* as one does who ends it for reasons of its own */
}

static void on_closed(void *user, const struct rpc_status *status)
{
    (void)user;
    assert_false(role_pinger_is_open(&world->pinger));
    world->status = *status;
    if (++world->closed < world->rounds) {
        open_and_ping();
    } else {
        rpc_client_close(world->client);
    }
}

static void on_named(void *user, const struct role_naming *naming)
{
    (void)user;
    world->named++;
    assert_string_equal(naming->who.server_version, ""); /* no trailer was asked for */
    snprintf(world->server_missing, sizeof(world->server_missing), "%s", naming->server_missing);
    snprintf(world->pod_missing, sizeof(world->pod_missing), "%s", naming->pod_missing);
}

static const struct role_pinger_events events = {on_pong, on_garbled, on_closed, on_named};
static const struct role_pinger_events events_without = {on_pong, NULL, on_closed, NULL};

/* ---- life ------------------------------------------------------------------------------------ */

static void on_ready(void *user)
{
    (void)user;
    role_pinger_init(&world->pinger, &world->target,
                     world->refuse_garbled ? &events_without : &events, world);
    open_and_ping();
}

static void on_drained(void *user)
{
    (void)user;
    rpc_server_free(world->server);
    uv_close((uv_handle_t *)&world->deadline, NULL);
}

static void on_client_closed(void *user, const struct net_error *why)
{
    (void)user;
    (void)why;
    rpc_server_drain(world->server, 0, on_drained, NULL);
}

static const struct rpc_client_events client_events = {.on_ready = on_ready,
                                                       .on_closed = on_client_closed};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("deadline passed");
}

static int setup(void **state)
{
    (void)state;
    world = mem_new(struct world);
    world->rounds = 1;
    world->identity = (struct role_identity){.version = "v1.1", .id = "a"};
    return net_loop_init(&world->loop);
}

static int teardown(void **state)
{
    (void)state;
    role_target_deinit(&world->target);
    net_loop_deinit(&world->loop);
    free(world);
    return 0;
}

static void run(void)
{
    const struct rpc_server_config config = {.methods = methods, .max_streams = 10};
    const struct text_address any = {.host = "127.0.0.1"};
    struct net_error error;
    uv_timer_init(&world->loop.uv, &world->deadline);
    uv_timer_start(&world->deadline, on_deadline, DEADLINE_MS, 0);
    world->server = rpc_server_new(&world->loop, &config);
    assert_int_equal(rpc_server_listen(world->server, &any, NULL, &error), 0);
    world->options = (struct role_connect_options){
        .target = {.host = "127.0.0.1", .port = rpc_server_port(world->server)},
        .plaintext = true,
        .service = world->service};
    assert_int_equal(role_target_init(&world->target, "agent", &world->options), 0);
    const struct rpc_client_config client = role_target_client(&world->target);
    world->client = rpc_client_open(&world->loop, &client, &client_events, NULL);
    net_loop_run(&world->loop);
    assert_int_equal(world->closed, world->rounds);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_ping_is_answered_and_the_call_ends_well(void **state)
{
    (void)state;
    run();
    assert_int_equal(world->pongs, 1);
    assert_int_equal(world->last_sequence, 7);
    assert_int_equal(world->status.code, RPC_OK);
    assert_string_equal(world->metadata, "agent-version=v1.1;agent-id=a;");
}

static void it_can_be_opened_again_when_it_has_closed(void **state)
{
    (void)state;
    world->rounds = 3;
    run();
    assert_int_equal(world->pongs, 3);
}

static void a_version_may_be_missing_or_repeated(void **state)
{
    (void)state;
    world->identity.version = NULL;
    run();
    assert_string_equal(world->metadata, "agent-id=a;");
    role_target_deinit(&world->target);
    world->closed = 0;
    world->identity.version = "v1.1";
    world->identity.second_version = "v2.1";
    run();
    assert_string_equal(world->metadata, "agent-version=v1.1;agent-version=v2.1;agent-id=a;");
}

static void an_answer_that_is_none_ends_the_call(void **state)
{
    (void)state;
    world->garble = true;
    run();
    assert_int_equal(world->garbled, 1);
    assert_int_equal(world->pongs, 0);
    assert_int_equal(world->status.code, RPC_CANCELLED);
}

static void an_answer_that_is_none_ends_it_without_a_listener_too(void **state)
{
    (void)state;
    world->garble = true;
    world->refuse_garbled = true;
    run();
    assert_int_equal(world->pongs, 0);
    assert_int_equal(world->status.code, RPC_CANCELLED);
}

static void a_service_is_called_by_its_method_and_names_its_server_in_its_answers(void **state)
{
    (void)state;
    world->rounds = 2;
    world->service = (struct role_service_options){.method = "ping.PingService/PingPong",
                                                   .server_from = "field:2",
                                                   .pod_from = "header:x-pod"};
    run();
    assert_int_equal(world->pongs, 2);
    assert_int_equal(world->named, 2);
    assert_int_equal(world->last_sequence, 0); /* of PingPong alone */
    assert_string_equal(world->server_missing, "");
    assert_non_null(strstr(world->pod_missing, "no header x-pod, but content-type"));
    assert_int_equal(world->status.code, RPC_OK);
}

static void a_call_that_takes_one_message_is_half_closed_behind_it(void **state)
{
    (void)state;
    world->service = (struct role_service_options){.method = "ping.PingService.PingPong",
                                                   .call = ROLE_CALL_SERVER_STREAM,
                                                   .server_from = "field:2"};
    run();
    assert_int_equal(world->pongs, 1);
    assert_int_equal(world->status.code, RPC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ping_is_answered_and_the_call_ends_well, setup, teardown),
        cmocka_unit_test_setup_teardown(it_can_be_opened_again_when_it_has_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_version_may_be_missing_or_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_none_ends_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_none_ends_it_without_a_listener_too,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_service_is_called_by_its_method_and_names_its_server_in_its_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_that_takes_one_message_is_half_closed_behind_it,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("role/pinger", tests, NULL, NULL);
}

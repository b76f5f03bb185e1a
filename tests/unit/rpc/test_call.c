/* Calls between a real client and a real server, over loopback and in one loop. */
#include "base/mem.h"
#include "net/loop.h"
#include "rpc/call.h"
#include "rpc/client.h"
#include "rpc/frame.h"
#include "rpc/ping.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS 10000

/* Everything a test watches. */
struct world {
    struct net_loop loop;
    uv_timer_t deadline;
    struct rpc_server *server;
    struct rpc_client *client;
    struct rpc_call *call;
    const struct rpc_call_config *call_config;
    void (*on_ready)(struct world *world);
    unsigned sends; /* messages to send when the client is ready */
    size_t send_bytes;
    size_t call_send_limit;
    uv_timer_t poll;
    void (*then)(struct world *world);
    size_t held_bytes;
    unsigned received;
    size_t received_bytes;
    unsigned server_received;
    bool closed;
    struct rpc_status status;
    bool server_closed;
    struct rpc_status server_status;
    struct net_error client_why;
};

static struct world *world;

/* ---- the server's methods: an echo, one that never answers, one that refuses -------------------
 */

static void echo_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    (void)metadata;
    rpc_server_call_set_user(call, user);
}

static void echo_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    world->server_received++;
    assert_int_equal(rpc_server_call_send(call, bytes, len), 0);
}

static void echo_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, RPC_OK, NULL);
}

static void method_closed(struct rpc_server_call *call, const struct rpc_status *status)
{
    (void)call;
    world->server_closed = true;
    world->server_status = *status;
}

static void silent_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    (void)call;
    (void)bytes;
    (void)len;
    world->server_received++;
}

static void refuse_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    (void)metadata;
    (void)user;
    rpc_server_call_finish(call, RPC_PERMISSION_DENIED, "not for you: 100% \xc3\xa9");
}

static const struct rpc_method methods[] = {
    {"/t.T/Echo", echo_start, echo_message, echo_half_close, method_closed},
    {"/t.T/Silent", echo_start, silent_message, NULL, method_closed},
    {"/t.T/Refuse", refuse_start, silent_message, NULL, method_closed},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- the client's side ----------------------------------------------------------------------- */

static void stop_everything(void)
{
    if (world->client != NULL) {
        rpc_client_close(world->client);
    }
}

static void on_drained(void *user)
{
    (void)user;
    rpc_server_free(world->server);
    world->server = NULL;
    uv_close((uv_handle_t *)&world->deadline, NULL);
}

static void on_message(void *user, const uint8_t *bytes, size_t len)
{
    (void)user;
    (void)bytes;
    world->received++;
    world->received_bytes += len;
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    (void)user;
    world->closed = true;
    world->status = *status;
    world->call = NULL;
    stop_everything();
}

static const struct rpc_call_events call_events = {
    .on_message = on_message,
    .on_closed = on_call_closed,
};

static void on_ready(void *user)
{
    (void)user;
    static uint8_t payload[RPC_MESSAGE_LIMIT_BYTES];
    memset(payload, 'x', sizeof(payload));
    assert_int_equal(
        rpc_call_start(world->client, world->call_config, &call_events, NULL, &world->call), 0);
    for (unsigned i = 0; i < world->sends; i++) {
        assert_int_equal(rpc_call_send(world->call, payload, world->send_bytes), 0);
    }
    if (world->on_ready != NULL) {
        world->on_ready(world);
    } else {
        rpc_call_half_close(world->call);
    }
}

static void on_client_closed(void *user, const struct net_error *why)
{
    (void)user;
    world->client = NULL;
    world->client_why = *why;
    rpc_server_drain(world->server, 0, on_drained, NULL);
}

static const struct rpc_client_events client_events = {
    .on_ready = on_ready,
    .on_closed = on_client_closed,
};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("deadline passed");
}

/* Runs one call to its end. */
static void run_call(const char *path, uint64_t timeout_ns)
{
    const struct rpc_call_config config = {
        .path = path, .timeout_ns = timeout_ns, .send_limit_bytes = world->call_send_limit};
    const struct rpc_server_config server_config = {.methods = methods, .max_streams = 10};
    const struct text_address any = {.host = "127.0.0.1"};
    struct net_error error;
    world->call_config = &config;
    world->server = rpc_server_new(&world->loop, &server_config);
    assert_int_equal(rpc_server_listen(world->server, &any, NULL, &error), 0);
    struct rpc_client_config client_config = {.target = {.host = "127.0.0.1"}};
    client_config.target.port = rpc_server_port(world->server);
    world->client = rpc_client_open(&world->loop, &client_config, &client_events, NULL);
    net_loop_run(&world->loop);
    assert_true(world->closed);
}

static int setup(void **state)
{
    (void)state;
    world = mem_new(struct world);
    assert_int_equal(net_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop.uv, &world->deadline);
    uv_timer_start(&world->deadline, on_deadline, DEADLINE_MS, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_loop_deinit(&world->loop);
    free(world);
    return 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void echoes_every_message_and_ends_ok(void **state)
{
    (void)state;
    world->sends = 3;
    world->send_bytes = 10;
    run_call("/t.T/Echo", 0);
    assert_int_equal(world->received, 3);
    assert_int_equal(world->received_bytes, 30);
    assert_int_equal(world->status.code, RPC_OK);
    assert_int_equal(world->status.origin, RPC_FROM_TRAILERS);
    assert_true(world->server_closed);
}

static void largest_message_passes_both_ways(void **state)
{
    (void)state;
    world->sends = 1;
    world->send_bytes = RPC_MESSAGE_LIMIT_BYTES;
    run_call("/t.T/Echo", 0);
    assert_int_equal(world->received_bytes, RPC_MESSAGE_LIMIT_BYTES);
    assert_int_equal(world->status.code, RPC_OK);
}

static void call_without_messages_ends_ok(void **state)
{
    (void)state;
    run_call("/t.T/Echo", 0);
    assert_int_equal(world->received, 0);
    assert_int_equal(world->status.code, RPC_OK);
}

static void unknown_method_is_unimplemented(void **state)
{
    (void)state;
    run_call("/t.T/Nothing", 0);
    assert_int_equal(world->status.code, RPC_UNIMPLEMENTED);
    assert_non_null(strstr(world->status.message, "/t.T/Nothing"));
}

static void status_message_survives_percent_encoding(void **state)
{
    (void)state;
    run_call("/t.T/Refuse", 0);
    assert_int_equal(world->status.code, RPC_PERMISSION_DENIED);
    assert_string_equal(world->status.message, "not for you: 100% \xc3\xa9");
}

static void on_reached(uv_timer_t *timer)
{
    if (world->server_received < world->sends) {
        return;
    }
    uv_close((uv_handle_t *)timer, NULL);
    world->then(world);
}

/* `then` comes a while after the server has all messages. */
static void let_reach(struct world *w)
{
    uv_timer_init(&w->loop.uv, &w->poll);
    uv_timer_start(&w->poll, on_reached, 100, 100);
}

static void keep_open(struct world *w)
{
    (void)w;
}

static void deadline_ends_a_call_that_nobody_answers(void **state)
{
    (void)state;
    world->sends = 1;
    world->on_ready = keep_open;
    run_call("/t.T/Silent", 50 * 1000 * 1000);
    assert_int_equal(world->status.code, RPC_DEADLINE_EXCEEDED);
}

static void cancel(struct world *w)
{
    rpc_call_cancel(w->call);
}

static void cancelled_call_tells_both_sides(void **state)
{
    (void)state;
    world->on_ready = cancel;
    run_call("/t.T/Silent", 0);
    assert_int_equal(world->status.code, RPC_CANCELLED);
}

static void drain(struct world *w)
{
    rpc_server_drain(w->server, 0, on_drained, NULL);
}

static void drained_server_ends_calls_with_unavailable(void **state)
{
    (void)state;
    world->on_ready = drain;
    world->sends = 1;
    world->send_bytes = 1;
    run_call("/t.T/Silent", 0);
    assert_int_equal(world->status.code, RPC_UNAVAILABLE);
}

static void enhance(struct world *w)
{
    rpc_call_reset(w->call, H2_ENHANCE_YOUR_CALM);
}

static void a_reset_brings_its_code_to_the_server(void **state)
{
    (void)state;
    world->on_ready = let_reach;
    world->then = enhance;
    world->sends = 1;
    run_call("/t.T/Silent", 0);
    assert_int_equal(world->status.code, RPC_CANCELLED);
    assert_string_equal(world->server_status.message,
                        "the client went away: stream reset with ENHANCE_YOUR_CALM");
}

static void look_at_held(struct world *w)
{
    w->held_bytes = w->received_bytes;
    rpc_call_hold(w->call, false);
    rpc_call_half_close(w->call);
}

static void hold(struct world *w)
{
    rpc_call_hold(w->call, true);
    let_reach(w);
}

/* The answers are four times 30000 bytes, and a window has 65536. */
static void what_is_held_stops_the_server_at_the_window(void **state)
{
    (void)state;
    world->on_ready = hold;
    world->then = look_at_held;
    world->sends = 4;
    world->send_bytes = 30000;
    world->call_send_limit = 4 * 30000;
    run_call("/t.T/Echo", 0);
    assert_int_equal(world->held_bytes, 2 * 30000);
    assert_int_equal(world->received_bytes, 4 * 30000);
    assert_int_equal(world->status.code, RPC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reset_brings_its_code_to_the_server, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_stops_the_server_at_the_window, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(echoes_every_message_and_ends_ok, setup, teardown),
        cmocka_unit_test_setup_teardown(largest_message_passes_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(call_without_messages_ends_ok, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_method_is_unimplemented, setup, teardown),
        cmocka_unit_test_setup_teardown(status_message_survives_percent_encoding, setup, teardown),
        cmocka_unit_test_setup_teardown(deadline_ends_a_call_that_nobody_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_call_tells_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(drained_server_ends_calls_with_unavailable, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("rpc/call", tests, NULL, NULL);
}

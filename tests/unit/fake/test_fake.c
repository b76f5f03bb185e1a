/* The fakes behave as the net library does, so that what is shown on them is shown. */
#include "fake.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/resolve.h"
#include "rpc/call.h"
#include "rpc/client.h"
#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- a raw stream ---------------------------------------------------------------------------- */

struct owner {
    struct net_stream *stream;
    size_t received;
    unsigned writable;
    unsigned closed;
    enum net_error_kind why;
};

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    ((struct owner *)user)->received += len;
}

static void on_writable(void *user)
{
    ((struct owner *)user)->writable++;
}

static void on_closed(void *user, const struct net_error *why)
{
    struct owner *owner = user;
    owner->stream = NULL;
    owner->closed++;
    owner->why = why->kind;
}

static const struct net_stream_events events = {on_data, on_writable, on_closed};

struct scene {
    struct net_loop loop;
    struct owner owner;
    struct net_stream *held;
};

static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    fake_init(&scene->loop);
    fake_pair(&scene->loop, &scene->owner.stream, &scene->held);
    net_stream_start(scene->owner.stream, &events, &scene->owner);
}

static void bytes_arrive_when_their_time_has_come(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    fake_delay(scene.held, 300);
    fake_put(scene.held, "hello", 5);
    fake_advance(299);
    assert_int_equal(scene.owner.received, 0);
    fake_advance(1);
    assert_int_equal(scene.owner.received, 5);
    net_stream_close(scene.held);
    fake_advance(300);
    assert_int_equal(scene.owner.closed, 1);
    assert_int_equal(scene.owner.why, NET_CLOSED);
    fake_deinit(&scene.loop);
}

static void a_full_socket_blocks_until_it_is_read(void **state)
{
    (void)state;
    static uint8_t bytes[NET_WRITE_BYTES];
    struct scene scene;
    scene_open(&scene);
    fake_room(scene.owner.stream, sizeof(bytes));
    assert_int_equal(net_stream_write(scene.owner.stream, bytes, sizeof(bytes)), 0);
    assert_int_equal(net_stream_write(scene.owner.stream, bytes, 7), NET_STREAM_E_BLOCKED);
    fake_advance(5000);
    assert_true(net_stream_blocked(scene.owner.stream));
    assert_int_equal(fake_take(scene.held, bytes, sizeof(bytes)), sizeof(bytes));
    fake_settle();
    assert_int_equal(scene.owner.writable, 1);
    assert_int_equal(fake_take(scene.held, bytes, sizeof(bytes)), 7);
    net_stream_abort(scene.held);
    fake_settle();
    assert_int_equal(scene.owner.why, NET_RESET);
    fake_deinit(&scene.loop);
}

static void a_closing_stream_waits_a_second_for_its_peer(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    net_stream_close(scene.owner.stream);
    fake_advance(999);
    assert_int_equal(scene.owner.closed, 0);
    assert_true(fake_ended(scene.held));
    fake_advance(1);
    assert_int_equal(scene.owner.closed, 1);
    net_stream_close(scene.held);
    fake_deinit(&scene.loop);
}

static void the_clock_stands_until_it_is_moved(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    uint64_t start_ns = clock_now_ns();
    assert_int_equal(clock_now_ns(), start_ns);
    fake_advance(3600000);
    assert_int_equal(clock_now_ns() - start_ns, UINT64_C(3600000000000));
    assert_int_equal(uv_now(&scene.loop.uv), fake_now_ms());
    net_stream_close(scene.held);
    fake_deinit(&scene.loop);
}

/* ---- a client and a server, with all their timers -------------------------------------------- */

static void echo_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    (void)call;
    (void)metadata;
    (void)user;
}

static void echo_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    assert_int_equal(rpc_server_call_send(call, bytes, len), 0);
}

static void echo_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, RPC_OK, NULL);
}

static void echo_closed(struct rpc_server_call *call, const struct rpc_status *status)
{
    (void)call;
    (void)status;
}

static const struct rpc_method methods[] = {
    {"/t.T/Echo", echo_start, echo_message, echo_half_close, echo_closed},
    {NULL, NULL, NULL, NULL, NULL},
};

struct world {
    struct net_loop loop;
    struct rpc_server *server;
    struct rpc_client *client;
    struct rpc_call *call;
    unsigned ready;
    unsigned answers;
    struct rpc_status status;
    struct net_error why;
    bool drained;
};

static void on_ready(void *user)
{
    ((struct world *)user)->ready++;
}

static void on_client_closed(void *user, const struct net_error *why)
{
    struct world *world = user;
    world->client = NULL;
    world->why = *why;
}

static const struct rpc_client_events client_events = {.on_ready = on_ready,
                                                       .on_closed = on_client_closed};

static void on_message(void *user, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    ((struct world *)user)->answers++;
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct world *world = user;
    world->call = NULL;
    world->status = *status;
}

static const struct rpc_call_events call_events = {.on_message = on_message,
                                                   .on_closed = on_call_closed};

static void on_drained(void *user)
{
    ((struct world *)user)->drained = true;
}

static void open_client(struct world *world, uint16_t port)
{
    const struct rpc_client_config config = {.target = {.host = "localhost", .port = port}};
    world->client = rpc_client_open(&world->loop, &config, &client_events, world);
}

static void a_call_goes_through_client_and_server(void **state)
{
    (void)state;
    struct world world = {0};
    fake_init(&world.loop);
    const struct rpc_server_config config = {.methods = methods, .max_streams = 10};
    const struct text_address any = {.host = "127.0.0.1"};
    world.server = rpc_server_new(&world.loop, &config);
    assert_int_equal(rpc_server_listen(world.server, &any, NULL, &world.why), 0);
    open_client(&world, rpc_server_port(world.server));
    fake_settle();
    assert_int_equal(world.ready, 1);
    const struct rpc_call_config call = {.path = "/t.T/Echo"};
    assert_int_equal(rpc_call_start(world.client, &call, &call_events, &world, &world.call), 0);
    assert_int_equal(rpc_call_send(world.call, "x", 1), 0);
    rpc_call_half_close(world.call);
    fake_settle();
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.status.code, RPC_OK);
    rpc_client_close(world.client);
    rpc_server_drain(world.server, 0, on_drained, &world);
    fake_advance(2000);
    assert_null(world.client);
    assert_true(world.drained);
    rpc_server_free(world.server);
    fake_deinit(&world.loop);
}

static struct net_stream *hang(void *user, struct net_loop *loop,
                               const struct net_dial_config *config, struct net_error *ret_error)
{
    (void)user;
    (void)loop;
    (void)config;
    (void)ret_error;
    return FAKE_DIAL_HANGS;
}

static void a_dial_is_refused_or_hangs(void **state)
{
    (void)state;
    struct world world = {0};
    fake_init(&world.loop);
    open_client(&world, 1);
    fake_settle();
    assert_null(world.client);
    assert_int_equal(world.why.kind, NET_REFUSED);
    fake_dial_hook(hang, NULL);
    open_client(&world, 1);
    fake_advance(19999);
    assert_non_null(world.client);
    fake_advance(1);
    assert_null(world.client);
    assert_int_equal(world.why.kind, NET_TIMED_OUT);
    assert_int_equal(fake_dial_count(), 2);
    fake_deinit(&world.loop);
}

static void on_resolved(void *user, const struct sockaddr_storage *addresses, size_t count,
                        const struct net_error *error)
{
    char *text = user;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char name[NET_ADDRESS_TEXT_BYTES];
        strcat(strcat(text, net_address_format((const struct sockaddr *)&addresses[i], name)), " ");
    }
    assert_true((count == 0) == (error != NULL));
}

static void a_name_resolves_to_what_it_is_said_to(void **state)
{
    (void)state;
    struct net_loop loop;
    char text[200] = "?";
    fake_init(&loop);
    fake_resolve_delay(300);
    net_resolve_start(&loop, "a", 7, on_resolved, text);
    fake_resolve("a", "10.0.0.1 10.0.0.2"); /* what holds when it ends */
    fake_advance(299);
    assert_string_equal(text, "?");
    fake_advance(1);
    assert_string_equal(text, "10.0.0.1:7 10.0.0.2:7 ");
    fake_resolve("a", NULL);
    fake_resolve("b", "10.0.0.9");
    net_resolve_start(&loop, "a", 7, on_resolved, text);
    fake_advance(300);
    assert_string_equal(text, "");
    struct net_resolve *given_up = net_resolve_start(&loop, "b", 7, on_resolved, text);
    net_resolve_cancel(given_up);
    fake_advance(1000);
    assert_string_equal(text, "");
    assert_int_equal(fake_resolve_count(), 3);
    fake_deinit(&loop);
}

static void on_nothing(uv_async_t *async)
{
    net_loop_stop(async->data);
}

static void a_loop_of_another_is_turned_like_our_own(void **state)
{
    (void)state;
    struct net_loop loop;
    assert_int_equal(net_loop_init(&loop), 0);
    fake_adopt(&loop);
    uv_async_t async;
    uv_async_init(&loop.uv, &async, on_nothing);
    async.data = &loop;
    uv_async_send(&async);
    fake_advance(1000);
    assert_int_equal(uv_now(&loop.uv), fake_now_ms());
    uv_close((uv_handle_t *)&async, NULL);
    fake_release(&loop);
    net_loop_deinit(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_when_their_time_has_come),
        cmocka_unit_test(a_full_socket_blocks_until_it_is_read),
        cmocka_unit_test(a_closing_stream_waits_a_second_for_its_peer),
        cmocka_unit_test(the_clock_stands_until_it_is_moved),
        cmocka_unit_test(a_call_goes_through_client_and_server),
        cmocka_unit_test(a_dial_is_refused_or_hangs),
        cmocka_unit_test(a_name_resolves_to_what_it_is_said_to),
        cmocka_unit_test(a_loop_of_another_is_turned_like_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

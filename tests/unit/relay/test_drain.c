/* The end of a worker, and of a client's connection on it. */
#include "scene.h"

#include "h2/session.h"
#include "relay/client.h"
#include "relay/downstream.h"
#include "rpc/conn.h"

#define DRAIN_MS 4000

/* Turns until the drain that was asked for has begun. */
static void begin(struct scene *scene)
{
    relay_drain(scene->relay);
    scene_run(1);
    assert_true(scene->worker->draining);
}

static void streams_end_within_the_window_and_not_all_at_once(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = DRAIN_MS});
    struct peer *client = scene_client(scene);
    struct peer_stream *streams[40];
    for (size_t i = 0; i < 40; i++) {
        streams[i] = scene_ask(client, "");
        peer_begin(peer_stream(scene_conn(scene, 0, 0), i));
    }
    begin(scene);
    assert_true(client->goaways > 0);
    size_t before = scene_live(scene);
    unsigned steps = 0;
    for (uint64_t at = 0; at < DRAIN_MS + NET_TICK_MS; at += NET_TICK_MS) {
        scene_run(NET_TICK_MS);
        steps += scene_live(scene) < before;
        before = scene_live(scene);
    }
    assert_int_equal(before, 0);
    assert_true(steps >= 5);
    for (size_t i = 0; i < 40; i++) {
        scene_assert_status(streams[i], 14, "proxy is shutting down");
    }
    scene_run(3000);
    assert_true(scene->worker->ended);
    assert_null(client->transport);
    assert_null(scene_conn(scene, 0, 0)->transport);
    scene_close(scene);
}

static void a_stream_that_ends_by_itself_is_left_alone(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = 3600000});
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    begin(scene);
    scene_run(1000);
    assert_false(near->closed);
    peer_send(near, "ask", 3);
    scene_settle();
    assert_true(peer_took(peer_stream(scene_conn(scene, 0, 0), 0), "ask"));
    peer_end(near);
    peer_status(peer_stream(scene_conn(scene, 0, 0), 0), 0, "");
    scene_run(3000);
    scene_assert_status(near, 0, "");
    assert_true(scene->worker->ended); /* nothing is left to wait for */
    scene_close(scene);
}

static void a_request_that_crosses_the_drain_is_answered(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = DRAIN_MS});
    struct peer *client = scene_client(scene);
    scene_ask(client, "");
    net_stream_pause(client->transport); /* it has not seen the GOAWAY */
    begin(scene);
    struct peer_stream *late = scene_ask(client, "");
    net_stream_resume(client->transport);
    scene_settle();
    scene_assert_status(late, 14, "proxy is shutting down");
    scene_close(scene);
}

static void a_connection_that_crosses_the_drain_is_told(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = 3600000});
    struct peer *client = scene_client(scene);
    scene_ask(client, "");
    struct net_stream *far;
    struct net_stream *near;
    fake_pair(&scene->worker->loop, &near, &far);
    begin(scene);
    scene->clients[scene->client_count++] = peer_new(near, &(struct peer_config){0});
    downstream_new(scene->worker, far); /* accepted just before */
    scene_run(1000);
    assert_true(scene->clients[1]->goaways > 0);
    scene_close(scene);
}

static void a_second_request_ends_everything_now(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = 3600000});
    struct peer *client = scene_client(scene);
    struct peer_stream *near = scene_ask(client, "");
    scene->endpoints[0].dial = SCENE_HANGS;
    begin(scene);
    scene_run(5000);
    assert_false(near->closed);
    assert_false(relay_drain(scene->relay));
    scene_run(NET_TICK_MS);
    scene_assert_status(near, 14, "proxy is shutting down");
    scene_run(3000);
    assert_true(scene->worker->ended);
    scene_close(scene);
}

static void a_client_that_does_not_go_is_closed_after_the_window(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = DRAIN_MS});
    struct peer *client = scene_client(scene);
    struct peer_stream *near = scene_ask(client, "");
    fake_room(rpc_conn_stream(scene_exchange(scene)->client->conn), 0); /* it takes nothing */
    begin(scene);
    scene_run(DRAIN_MS);
    assert_false(scene->worker->ended || near->closed);
    scene_run(1000 + 3000);
    assert_true(scene->worker->ended);
    assert_true(near->closed);
    scene_close(scene);
}

static void requests_that_wait_are_ended_too(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = DRAIN_MS});
    scene->endpoints[0].dial = SCENE_HANGS;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    begin(scene);
    scene_run(DRAIN_MS + NET_TICK_MS);
    scene_assert_status(near, 14, "");
    scene_run(3000);
    assert_true(scene->worker->ended);
    scene_close(scene);
}

static void the_end_of_an_endpoint_meanwhile_is_no_failure(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = DRAIN_MS});
    scene_ask(scene_client(scene), "");
    begin(scene);
    peer_abort(scene_conn(scene, 0, 0));
    scene_run(10);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_HEALTHY);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_end_within_the_window_and_not_all_at_once),
        cmocka_unit_test(a_stream_that_ends_by_itself_is_left_alone),
        cmocka_unit_test(a_request_that_crosses_the_drain_is_answered),
        cmocka_unit_test(a_connection_that_crosses_the_drain_is_told),
        cmocka_unit_test(a_second_request_ends_everything_now),
        cmocka_unit_test(a_client_that_does_not_go_is_closed_after_the_window),
        cmocka_unit_test(requests_that_wait_are_ended_too),
        cmocka_unit_test(the_end_of_an_endpoint_meanwhile_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

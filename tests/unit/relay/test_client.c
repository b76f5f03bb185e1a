/* A client's account: shared, apart, ended. */
#include "scene.h"

#include "h2/session.h"
#include "relay/client.h"
#include "relay/upstream.h"

#define YOUNG_MAX 50 /* at once */

/* Resets so many young streams, one after the other. */
static void reset_young(struct peer *client, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        peer_reset(scene_ask(client, ""), H2_CANCEL);
        scene_settle();
    }
}

/* The lane of who asked last. */
static unsigned lane_of(struct scene *scene, struct peer *client)
{
    struct peer_stream *stream = scene_ask(client, "");
    unsigned lane = scene_exchange(scene)->client->lane;
    scene_run(1500); /* old enough to be no trouble */
    peer_reset(stream, H2_CANCEL);
    scene_settle();
    return lane;
}

static void a_client_that_resets_young_streams_moves_to_a_lane_of_its_own(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client(scene);
    struct peer_stream *old = scene_ask(client, "");
    reset_young(client, YOUNG_MAX);
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    reset_young(client, 1);
    assert_int_equal(scene_stat(scene, clients_apart), 1);
    assert_false(old->closed); /* its live streams stay where they are */
    struct peer *shared = scene_conn(scene, 0, 0);
    size_t before = shared->stream_count;
    scene_ask(client, "");
    assert_int_equal(shared->stream_count, before);
    assert_int_equal(scene_conn(scene, 0, 1)->stream_count, 1);
    scene_ask(scene_client(scene), ""); /* who is honest is with the others */
    assert_int_equal(shared->stream_count, before + 1);
    scene_check(&bystander);
    scene_close(scene);
}

static void five_young_resets_a_second_are_borne(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    reset_young(client, 40);
    for (int i = 0; i < 30; i++) {
        scene_run(1000);
        reset_young(client, 5);
    }
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    for (int i = 0; i < 30; i++) {
        scene_run(1000);
        reset_young(client, 7);
    }
    assert_int_equal(scene_stat(scene, clients_apart), 1);
    scene_close(scene);
}

static void resets_of_an_endpoint_are_trouble_of_who_asked(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    for (int i = 0; i < YOUNG_MAX + 1; i++) {
        scene_ask(client, "");
        peer_reset(peer_stream(conn, conn->stream_count - 1), H2_CANCEL);
        scene_settle();
    }
    assert_int_equal(scene_stat(scene, clients_apart), 1);
    assert_int_not_equal(lane_of(scene, client), 0);
    assert_int_equal(scene_stat(scene, downstream_cx_ended), 0);
    scene_check(&bystander);
    scene_close(scene);
}

static void refuse(struct peer_stream *stream)
{
    peer_reset(stream, H2_REFUSED_STREAM);
}

static void refusals_are_no_trouble(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    scene->endpoints[0].config.on_block = refuse;
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 3 * YOUNG_MAX; i++) {
        scene_ask(client, "");
        scene_run(2 * NET_TICK_MS / YOUNG_MAX); /* ten times as many as would be borne */
    }
    scene_run(1000);
    assert_true(scene_stat(scene, retries) > YOUNG_MAX);
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    scene_close(scene);
}

static void resets_of_old_streams_are_no_trouble(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    struct peer_stream *streams[200];
    for (int i = 0; i < 200; i++) {
        streams[i] = scene_ask(client, "");
    }
    scene_run(1001);
    for (int i = 0; i < 200; i++) {
        peer_reset(streams[i], H2_CANCEL);
    }
    scene_settle();
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    scene_close(scene);
}

static void resets_of_an_endpoint_of_old_streams_are_no_trouble(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 3 * YOUNG_MAX; i++) {
        scene_ask(client, "");
    }
    scene_run(1001);
    for (size_t i = 0; i < 3 * YOUNG_MAX; i++) {
        peer_reset(peer_stream(scene_conn(scene, 0, 0), i), H2_CANCEL);
    }
    scene_settle();
    assert_int_equal(scene_live(scene), 0);
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    scene_close(scene);
}

static void a_client_that_vanishes_is_not_charged(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct scene *scene = scene_open(NULL);
        struct scene_bystander bystander = scene_bystander(scene);
        struct peer *client = scene_client(scene);
        for (int i = 0; i < 3 * YOUNG_MAX; i++) {
            peer_ask(client, scene_request("v1.1", ""), false);
        }
        scene_settle();
        if (how == 0) {
            peer_abort(client);
        } else {
            peer_close(client);
        }
        scene_run(10);
        assert_int_equal(scene_stat(scene, clients_apart), 0);
        assert_true(scene_conn(scene, 0, 0)->young_resets < 70); /* rationed all the same */
        scene_check(&bystander);
        scene_close(scene);
    }
}

static void lanes_are_balanced_and_counted_back(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *clients[RELAY_LANES + 2];
    const unsigned *lanes = scene->worker->lane_clients;
    for (size_t i = 0; i < RELAY_LANES + 2; i++) {
        clients[i] = scene_client(scene);
    }
    scene_run(UPSTREAM_NEWCOMER_MS); /* who only just came would wait for the others' resets */
    for (size_t i = 0; i < RELAY_LANES + 1; i++) {
        reset_young(clients[i], YOUNG_MAX + 1);
    }
    assert_int_equal(scene_stat(scene, clients_apart), RELAY_LANES + 1);
    for (unsigned lane = 1; lane < RELAY_LANES; lane++) { /* 10 clients on 8 lanes */
        assert_int_equal(lanes[lane], lane <= 2 ? 2 : 1);
    }
    peer_abort(clients[4]);
    scene_run(10);
    assert_int_equal(lanes[5], 0);
    reset_young(clients[RELAY_LANES + 1], YOUNG_MAX + 1);
    assert_int_equal(lane_of(scene, clients[RELAY_LANES + 1]), 5);
    scene_close(scene);
}

static void a_lane_ends_when_it_is_idle(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    reset_young(client, YOUNG_MAX + 1);
    assert_int_not_equal(lane_of(scene, client), 0);
    struct peer *conn = scene_conn(scene, 0, 1);
    assert_non_null(conn->transport);
    scene_run(30000);
    assert_null(conn->transport);
    scene_close(scene);
}

/* Loses the connection of the client's lane with two streams of its on it. */
static void lose_lane(struct scene *scene, struct peer *client)
{
    scene_ask(client, "");
    scene_ask(client, "");
    peer_abort(scene_conn(scene, 0, scene->endpoints[0].peer_count - 1));
    scene_run(1100);
}

static void a_client_that_makes_endpoints_end_its_lane_loses_its_connection(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client(scene);
    reset_young(client, YOUNG_MAX + 1);
    lose_lane(scene, client);
    lose_lane(scene, client);
    assert_int_equal(scene_stat(scene, downstream_cx_ended), 0);
    assert_non_null(client->transport);
    lose_lane(scene, client);
    scene_run(2000);
    assert_int_equal(scene_stat(scene, downstream_cx_ended), 1);
    assert_int_equal(client->goaway_error, H2_ENHANCE_YOUR_CALM);
    assert_string_equal(client->goaway_text, "endpoints end the connections of your streams");
    assert_null(client->transport);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_HEALTHY);
    scene_check(&bystander);
    scene_close(scene);
}

static void a_lane_lost_now_and_then_is_borne(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    reset_young(client, YOUNG_MAX + 1);
    for (int i = 0; i < 20; i++) {
        lose_lane(scene, client);
        scene_run(5000);
    }
    assert_non_null(client->transport);
    assert_int_equal(scene_stat(scene, downstream_cx_ended), 0);
    scene_close(scene);
}

static void the_loss_of_the_shared_connection_is_nobodys_fault(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 10; i++) {
        endpoint_set_health(scene_view(scene, 0), ENDPOINT_HEALTHY, NULL);
        for (int k = 0; k < 30; k++) {
            scene_ask(client, "");
        }
        peer_abort(scene_conn(scene, 0, scene->endpoints[0].peer_count - 1));
        scene_run(100);
    }
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    scene_close(scene);
}

static void who_is_ended_by_the_proxy_is_counted_by_the_cause(void **state)
{
    (void)state;
    static const char noise[] = "no frame of HTTP/2, whatever one takes it for";
    struct scene *scene = scene_open(NULL);
    peer_close(scene_client(scene));
    peer_abort(scene_client(scene));
    scene_run(20000);
    assert_int_equal(scene_stat(scene, downstream_cx_active), 0);
    assert_int_equal(scene_stat(scene, downstream_cx_ended), 0);
    assert_int_equal(scene_stat(scene, downstream_cx_timed_out), 0);

    struct peer *silent = scene_client_with(scene, &(struct peer_config){.silent = true});
    scene_run(20000);
    peer_go_on(silent);
    assert_int_equal(scene_stat(scene, downstream_cx_ended), 0);
    assert_int_equal(scene_stat(scene, downstream_cx_timed_out), 1);

    struct peer *broken = scene_client(scene);
    net_stream_write(broken->transport, (const uint8_t *)noise, sizeof(noise));
    scene_run(20000);
    assert_null(broken->transport);
    assert_int_equal(scene_stat(scene, downstream_cx_ended), 1);
    assert_int_equal(scene_stat(scene, downstream_cx_timed_out), 1);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_resets_young_streams_moves_to_a_lane_of_its_own),
        cmocka_unit_test(five_young_resets_a_second_are_borne),
        cmocka_unit_test(resets_of_an_endpoint_are_trouble_of_who_asked),
        cmocka_unit_test(refusals_are_no_trouble),
        cmocka_unit_test(resets_of_old_streams_are_no_trouble),
        cmocka_unit_test(resets_of_an_endpoint_of_old_streams_are_no_trouble),
        cmocka_unit_test(a_client_that_vanishes_is_not_charged),
        cmocka_unit_test(lanes_are_balanced_and_counted_back),
        cmocka_unit_test(a_lane_ends_when_it_is_idle),
        cmocka_unit_test(a_client_that_makes_endpoints_end_its_lane_loses_its_connection),
        cmocka_unit_test(a_lane_lost_now_and_then_is_borne),
        cmocka_unit_test(the_loss_of_the_shared_connection_is_nobodys_fault),
        cmocka_unit_test(who_is_ended_by_the_proxy_is_counted_by_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Requests that wait for a connection. */
#include "scene.h"

#include "h2/session.h"
#include "relay/upstream.h"

#define REQUESTS 300

static void ask_many(struct peer *client, struct peer_stream **streams, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        streams[i] = peer_ask(client, scene_request("v1.1", ""), false);
    }
    scene_settle();
}

static size_t count_open(const struct scene *scene, size_t endpoint)
{
    size_t count = 0;
    for (size_t i = 0; i < scene->endpoints[endpoint].peer_count; i++) {
        count += scene->endpoints[endpoint].peers[i]->transport != NULL;
    }
    return count;
}

static void nothing_is_opened_before_the_endpoints_settings(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.silent = true;
    scene->endpoints[0].config.max_streams = 1;
    struct peer *client = scene_client(scene);
    struct peer_stream *streams[3];
    ask_many(client, streams, 3);
    scene_run(4000);
    assert_int_equal(scene->endpoints[0].peer_count, 1);
    peer_open(scene_conn(scene, 0, 0));
    scene_settle();
    assert_int_equal(scene_conn(scene, 0, 0)->stream_count, 1);
    assert_int_equal(scene->endpoints[0].peer_count, 3);
    scene_close(scene);
}

static void few_streams_per_connection_are_no_reason_to_refuse(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_endpoint *endpoint = &scene->endpoints[0];
    static struct peer_stream *streams[REQUESTS];
    endpoint->config.max_streams = 20;
    endpoint->config.on_end = scene_serve;
    fake_dial_delay(5);
    struct peer *client = scene_client(scene);
    ask_many(client, streams, REQUESTS);
    scene_run(1000);
    assert_int_equal(scene_live(scene), REQUESTS);
    assert_int_equal(endpoint->peer_count, REQUESTS / 20);
    for (size_t i = 0; i < endpoint->peer_count; i++) {
        assert_int_equal(endpoint->peers[i]->most_open, 20);
        assert_int_equal(endpoint->peers[i]->stream_count, 20);
    }
    assert_int_equal(scene_stat(scene, retries), 0);
    for (size_t i = 0; i < REQUESTS; i++) {
        peer_end(streams[i]);
    }
    scene_settle();
    for (size_t i = 0; i < REQUESTS; i++) {
        scene_assert_status(streams[i], 0, "");
    }
    scene_close(scene);
}

static void connections_of_a_burst_are_closed_when_they_are_idle(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_endpoint *endpoint = &scene->endpoints[0];
    static struct peer_stream *streams[REQUESTS];
    endpoint->config.max_streams = 20;
    struct scene_bystander bystander = scene_bystander(scene);
    ask_many(scene_client(scene), streams, REQUESTS);
    scene_run(1000);
    assert_int_equal(count_open(scene, 0), 16);
    for (size_t i = 0; i < REQUESTS; i++) {
        peer_reset(streams[i], H2_CANCEL);
    }
    scene_run(UPSTREAM_IDLE_MS - 1000);
    assert_int_equal(count_open(scene, 0), 16);
    scene_run(60000);
    assert_int_equal(count_open(scene, 0), 1);
    scene_check(&bystander);
    peer_reset(bystander.near, H2_CANCEL);
    scene_run(60000);
    assert_int_equal(count_open(scene, 0), 1); /* the last one stays */
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_HEALTHY);
    scene_close(scene);
}

static void an_endpoint_that_pauses_is_waited_for_on_one_connection(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.paused = true;
    scene->endpoints[0].config.on_end = scene_serve;
    struct peer_stream *streams[50];
    ask_many(scene_client(scene), streams, 50);
    scene_run(UPSTREAM_QUEUE_MS - 500);
    assert_int_equal(fake_dial_count(), 1);
    assert_int_equal(scene_live(scene), 50);
    peer_set(scene_conn(scene, 0, 0), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100);
    for (size_t i = 0; i < 50; i++) {
        peer_end(streams[i]);
    }
    scene_settle();
    for (size_t i = 0; i < 50; i++) {
        scene_assert_status(streams[i], 0, "");
    }
    assert_int_equal(fake_dial_count(), 1);
    scene_close(scene);
}

static void a_pause_that_lasts_is_told_as_one(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.paused = true;
    struct peer_stream *streams[50];
    ask_many(scene_client(scene), streams, 50);
    scene_run(UPSTREAM_QUEUE_MS + 2 * NET_TICK_MS);
    for (size_t i = 0; i < 50; i++) {
        scene_assert_status(streams[i], 14,
                            "10.0.0.1:50051 accepts no streams: its MAX_CONCURRENT_STREAMS is 0");
    }
    assert_int_equal(fake_dial_count(), 1);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

/* The pause comes while streams live: they go on, and those that wait do not make connections. */
static void a_pause_harms_no_live_stream(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    peer_set(scene_conn(scene, 0, 0), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    scene_settle();
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    scene_run(UPSTREAM_QUEUE_MS + 2 * NET_TICK_MS);
    scene_assert_status(near, 14, "MAX_CONCURRENT_STREAMS is 0");
    assert_int_equal(fake_dial_count(), 1);
    scene_check(&bystander);
    scene_close(scene);
}

static void an_endpoint_without_settings_is_named_as_such(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.silent = true;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    scene_run(UPSTREAM_QUEUE_MS + 2 * NET_TICK_MS);
    scene_assert_status(near, 14, "10.0.0.1:50051 sent no HTTP/2 SETTINGS");
    scene_close(scene);
}

static void an_endpoint_that_is_full_is_named_as_such(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    static struct peer_stream *streams[UPSTREAM_CONNS_MAX + 3];
    scene->endpoints[0].config.max_streams = 1;
    ask_many(scene_client(scene), streams, UPSTREAM_CONNS_MAX + 3);
    scene_run(UPSTREAM_QUEUE_MS + 2 * NET_TICK_MS);
    assert_int_equal(scene->endpoints[0].peer_count, UPSTREAM_CONNS_MAX);
    assert_int_equal(scene_live(scene), UPSTREAM_CONNS_MAX);
    scene_assert_status(streams[UPSTREAM_CONNS_MAX + 2], 14,
                        "10.0.0.1:50051 is full: 512 connections with 1 streams each");
    scene_close(scene);
}

static void a_dial_that_fails_fails_those_that_wait_with_its_cause(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].dial = SCENE_HANGS;
    struct peer_stream *streams[3];
    ask_many(scene_client(scene), streams, 3);
    scene_run(UPSTREAM_CONNECT_TIMEOUT_MS - 1);
    assert_int_equal(scene_live(scene), 3);
    scene_run(UPSTREAM_CONNECT_TIMEOUT_MS + UPSTREAM_QUEUE_MS);
    for (size_t i = 0; i < 3; i++) {
        scene_assert_status(streams[i], 14, "10.0.0.1:50051");
    }
    assert_int_equal(scene_live(scene), 0);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_UNHEALTHY);
    scene_close(scene);
}

static void dials_are_few_at_a_time(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    static struct peer_stream *streams[REQUESTS];
    scene->endpoints[0].config.max_streams = 1;
    ask_many(scene_client(scene), streams, 1); /* teaches how many streams a connection takes */
    scene->endpoints[0].dial = SCENE_HANGS;
    ask_many(scene->clients[0], streams + 1, 99);
    assert_int_equal(fake_dial_count(), 1 + UPSTREAM_DIALS_MAX);
    scene_close(scene);
}

/* A stream that ends makes room for one that waits. */
static void who_waits_gets_the_room_of_who_ends(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.max_streams = 2;
    struct peer_stream *streams[2];
    struct peer *client = scene_client(scene);
    ask_many(client, streams, 2);
    scene->endpoints[0].dial = SCENE_HANGS;
    struct peer_stream *third = scene_ask(client, "agent-id: third\n");
    struct peer *conn = scene_conn(scene, 0, 0);
    assert_int_equal(conn->stream_count, 2);
    peer_status(peer_stream(conn, 0), 0, "");
    scene_settle();
    assert_int_equal(conn->stream_count, 3);
    assert_string_equal(peer_value(peer_stream(conn, 2), "agent-id"), "third");
    assert_false(third->closed);
    scene_close(scene);
}

static void an_endpoint_that_is_gone_gets_its_connections_closed(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 1, .v2 = 1});
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer *conn = scene_conn(scene, 0, 0);
    struct cluster *cluster = scene_view(scene, 0)->cluster;
    size_t added;
    size_t removed;
    cluster_update(cluster, &scene->endpoints[2].address, 0, &added, &removed);
    assert_int_equal(removed, 1);
    scene_run(30000);
    assert_false(near->closed); /* its live streams stay */
    assert_non_null(conn->transport);
    struct peer_stream *late = scene_ask(scene->clients[0], "");
    scene_assert_status(late, 14, "no address for server-v1:50051");
    peer_status(peer_stream(conn, 0), 0, "");
    scene_run(3000);
    scene_assert_status(near, 0, "");
    assert_null(conn->transport);
    assert_true(list_empty(&scene->worker->upstreams));
    scene_close(scene);
}

/* Neither an endpoint that takes no more connections, nor who takes all our descriptors, makes it a
 * bad one. */
static void assert_spared(enum scene_dial dial, const char *words)
{
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    peer_set(scene_conn(scene, 0, 0), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2);
    scene_settle();
    scene->endpoints[0].dial = dial;
    struct peer *client = scene_client(scene);
    struct peer_stream *fits = scene_ask(client, "");
    struct peer_stream *does_not = scene_ask(client, "");
    scene_run(100);
    assert_false(fits->closed);
    scene_assert_status(does_not, 14, words);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_HEALTHY);
    assert_true(atomic_load(&scene_view(scene, 0)->recheck));
    scene_check(&bystander);
    scene_close(scene);
}

static void an_endpoint_with_a_connection_is_not_judged_by_another(void **state)
{
    (void)state;
    assert_spared(SCENE_REFUSES, "connection refused");
    assert_spared(SCENE_NO_DESCRIPTOR, "too many open files");
}

static void a_lack_of_descriptors_is_no_fault_of_the_endpoints(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].dial = SCENE_NO_DESCRIPTOR;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    scene_run(100);
    scene_assert_status(near, 14, "too many open files");
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_HEALTHY);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_opened_before_the_endpoints_settings),
        cmocka_unit_test(few_streams_per_connection_are_no_reason_to_refuse),
        cmocka_unit_test(connections_of_a_burst_are_closed_when_they_are_idle),
        cmocka_unit_test(an_endpoint_that_pauses_is_waited_for_on_one_connection),
        cmocka_unit_test(a_pause_that_lasts_is_told_as_one),
        cmocka_unit_test(a_pause_harms_no_live_stream),
        cmocka_unit_test(an_endpoint_without_settings_is_named_as_such),
        cmocka_unit_test(an_endpoint_that_is_full_is_named_as_such),
        cmocka_unit_test(a_dial_that_fails_fails_those_that_wait_with_its_cause),
        cmocka_unit_test(dials_are_few_at_a_time),
        cmocka_unit_test(who_waits_gets_the_room_of_who_ends),
        cmocka_unit_test(an_endpoint_that_is_gone_gets_its_connections_closed),
        cmocka_unit_test(an_endpoint_with_a_connection_is_not_judged_by_another),
        cmocka_unit_test(a_lack_of_descriptors_is_no_fault_of_the_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

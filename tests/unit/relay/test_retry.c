/* Another endpoint, or another connection, for a request that provably was not looked at, and for
 * no other. */
#include "scene.h"

#include "h2/session.h"
#include "relay/headers.h"

static size_t streams_of(const struct scene *scene, size_t endpoint)
{
    size_t count = 0;
    for (size_t i = 0; i < scene->endpoints[endpoint].peer_count; i++) {
        count += scene->endpoints[endpoint].peers[i]->stream_count;
    }
    return count;
}

/* The stream of a request is with this endpoint; returns with which of the first two. */
static size_t home_of(const struct scene *scene)
{
    return streams_of(scene, 0) > 0 ? 0 : 1;
}

static uint64_t bytes_up(struct scene *scene, size_t endpoint)
{
    return per_worker_sum(&scene_view(scene, endpoint)->loads,
                          offsetof(struct endpoint_load, bytes_up));
}

static void a_refused_stream_goes_elsewhere_with_its_body(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    struct peer_stream *near = scene_ask(scene_client(scene), "agent-id: a1\n");
    size_t home = home_of(scene);
    peer_send(near, "known ", 6);
    scene_settle();
    peer_reset(peer_stream(scene_conn(scene, home, 0), 0), H2_REFUSED_STREAM);
    scene_settle();
    struct peer_stream *second = peer_stream(scene_conn(scene, 1 - home, 0), 0);
    assert_string_equal(peer_value(second, "agent-id"), "a1");
    assert_false(near->closed);
    peer_send(near, "and more", 8);
    peer_end(near);
    scene_settle();
    assert_true(peer_took(second, "known and more"));
    assert_true(second->ended);
    peer_status(second, 0, "");
    scene_settle();
    scene_assert_status(near, 0, "");
    assert_int_equal(scene_stat(scene, retries), 1);
    assert_int_equal(atomic_load(&scene_cluster(scene, "server-v1")->retries), 1);
    assert_int_equal(bytes_up(scene, home), 6); /* it was sent them, whatever became of it */
    assert_int_equal(bytes_up(scene, 1 - home), 14);
    scene_close(scene);
}

static void an_ended_request_is_sent_again_whole(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_send(near, "whole", 5);
    peer_end(near);
    scene_settle();
    size_t home = home_of(scene);
    peer_reset(peer_stream(scene_conn(scene, home, 0), 0), H2_REFUSED_STREAM);
    scene_settle();
    struct peer_stream *second = peer_stream(scene_conn(scene, 1 - home, 0), 0);
    assert_true(peer_took(second, "whole"));
    assert_true(second->ended);
    scene_close(scene);
}

static void a_stream_above_the_last_id_of_a_goaway_goes_elsewhere(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    struct peer *client = scene_client(scene);
    struct peer_stream *first = scene_ask(client, "");
    size_t home = home_of(scene);
    struct peer *conn = scene_conn(scene, home, 0);
    scene_ask(client, ""); /* on the other endpoint */
    struct peer_stream *third = scene_ask(client, "agent-id: third\n");
    struct peer_stream *first_far = peer_stream(conn, 0);
    assert_string_equal(peer_value(peer_stream(conn, 1), "agent-id"), "third");
    peer_goaway(conn, first_far->id, H2_NO_ERROR, "bye");
    scene_settle();
    assert_false(third->closed);
    assert_int_equal(scene_conn(scene, 1 - home, 0)->stream_count, 2);
    peer_begin(first_far); /* the one it has read goes on */
    peer_send(first_far, "on", 2);
    scene_settle();
    assert_true(peer_took(first, "on"));
    scene_ask(client, ""); /* nothing new goes there, but over another connection */
    scene_ask(client, "");
    assert_int_equal(conn->stream_count, 2);
    assert_int_equal(scene->endpoints[home].peer_count, 2);
    scene_close(scene);
}

static void an_endpoint_that_cannot_be_reached_costs_no_request(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    scene->endpoints[0].dial = SCENE_REFUSES;
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 4; i++) {
        assert_false(scene_ask(client, "")->closed);
    }
    scene_run(100);
    assert_int_equal(scene_conn(scene, 1, 0)->stream_count, 4);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_UNHEALTHY);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->cx_connect_fail), 1);
    scene_close(scene);
}

static void a_connection_that_dies_before_its_settings_costs_no_request(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    scene->endpoints[0].config.silent = true;
    scene->endpoints[1].config.silent = true;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    size_t home = scene->endpoints[0].peer_count > 0 ? 0 : 1;
    scene->endpoints[1 - home].config.silent = false;
    peer_abort(scene_conn(scene, home, 0));
    scene_run(10);
    assert_false(near->closed);
    assert_int_equal(scene_conn(scene, 1 - home, 0)->stream_count, 1);
    scene_close(scene);
}

static void three_endpoints_are_tried_and_no_more(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 4});
    for (int i = 0; i < 4; i++) {
        scene->endpoints[i].dial = SCENE_REFUSES;
    }
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    scene_run(100);
    scene_assert_status(near, 14, "connection refused");
    assert_int_equal(fake_dial_count(), EXCHANGE_ATTEMPTS);
    assert_int_equal(scene_stat(scene, rq_unavailable), 1);
    scene_close(scene);
}

static unsigned refusals; /* to come */

static void refuse_some(struct peer_stream *stream)
{
    if (refusals > 0) {
        refusals--;
        peer_reset(stream, H2_REFUSED_STREAM);
    } else {
        peer_status(stream, 0, "");
    }
}

static void a_stream_is_refused_ten_times_and_then_fails(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    refusals = 1000;
    scene_conn(scene, 0, 0)->config.on_block = refuse_some;
    scene->endpoints[0].config.on_block = refuse_some;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    scene_run(20 * NET_TICK_MS);
    scene_assert_status(near, 14, "endpoint 10.0.0.1:50051 refused the stream: REFUSED_STREAM");
    assert_int_equal(streams_of(scene, 0), 1 + EXCHANGE_REFUSALS);
    scene_check(&bystander);
    scene_close(scene);
}

/* An endpoint that has no room is not asked ten times at once, nor over ten connections. */
static void refusals_are_spread_over_ticks_and_few_connections(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    refusals = 1000;
    scene->endpoints[0].config.on_block = refuse_some;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    scene_run(1);
    assert_in_range(streams_of(scene, 0), 1, 3);
    scene_run(2 * NET_TICK_MS);
    assert_in_range(streams_of(scene, 0), 4, EXCHANGE_REFUSALS - 1);
    assert_false(near->closed);
    assert_true(fake_dial_count() <= 4);
    scene_close(scene);
}

static void refusals_cost_no_attempt(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    refusals = 6;
    scene->endpoints[0].config.on_block = refuse_some;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    scene_run(20 * NET_TICK_MS);
    scene_assert_status(near, 0, "");
    assert_int_equal(scene_stat(scene, retries), 6);
    scene_close(scene);
}

static void what_an_endpoint_looked_at_is_never_sent_again(void **state)
{
    (void)state;
    static const uint32_t codes[] = {H2_INTERNAL_ERROR, H2_CANCEL, H2_ENHANCE_YOUR_CALM,
                                     H2_HTTP_1_1_REQUIRED};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) + 2; i++) {
        struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
        struct peer_stream *near = scene_ask(scene_client(scene), "");
        size_t home = home_of(scene);
        struct peer_stream *far = peer_stream(scene_conn(scene, home, 0), 0);
        if (i == 0) {
            peer_abort(scene_conn(scene, home, 0));
        } else if (i == 1) { /* it is below the last id, and then the connection ends */
            peer_goaway(scene_conn(scene, home, 0), far->id, H2_NO_ERROR, "");
            peer_close(scene_conn(scene, home, 0));
        } else {
            peer_reset(far, codes[i - 2]);
        }
        scene_run(2000);
        assert_true(near->closed);
        assert_int_equal(streams_of(scene, 1 - home), 0);
        assert_int_equal(scene_stat(scene, retries), 0);
        scene_close(scene);
    }
}

static void an_endpoint_never_changes_once_an_answer_began(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
        struct peer_stream *near = scene_ask(scene_client(scene), "");
        size_t home = home_of(scene);
        struct peer_stream *far = peer_stream(scene_conn(scene, home, 0), 0);
        peer_begin(far);
        scene_settle();
        if (how == 0) {
            peer_reset(far, H2_REFUSED_STREAM);
        } else { /* an endpoint that contradicts itself */
            peer_goaway(scene_conn(scene, home, 0), 0, H2_NO_ERROR, "");
        }
        scene_run(2000);
        assert_true(near->closed);
        assert_int_equal(near->blocks, 2);
        scene_assert_status(near, 14, "cluster server-v1: ");
        assert_int_equal(streams_of(scene, 1 - home), 0);
        scene_close(scene);
    }
}

/* More than a window of the body has gone: it is not kept. */
static void a_request_whose_body_was_given_up_is_not_sent_again(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    size_t home = home_of(scene);
    struct peer_stream *far = peer_stream(scene_conn(scene, home, 0), 0);
    peer_send_zeros(near, 100000);
    scene_settle();
    assert_int_equal(far->body_bytes, 100000);
    assert_int_equal(scene_exchange(scene)->replay.len, 0);
    peer_reset(far, H2_REFUSED_STREAM);
    scene_settle();
    scene_assert_status(near, 14, "refused the stream");
    assert_int_equal(streams_of(scene, 1 - home), 0);
    scene_close(scene);
}

static void a_window_of_the_body_is_kept_and_sent_again(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    size_t home = home_of(scene);
    peer_send_zeros(near, H2_STREAM_WINDOW_BYTES);
    scene_settle();
    size_t request = scene_exchange(scene)->request->bytes;
    assert_int_equal(scene->worker->queued_bytes, H2_STREAM_WINDOW_BYTES + request); /* counted */
    peer_reset(peer_stream(scene_conn(scene, home, 0), 0), H2_REFUSED_STREAM);
    scene_settle();
    struct peer_stream *second = peer_stream(scene_conn(scene, 1 - home, 0), 0);
    assert_int_equal(second->body_bytes, H2_STREAM_WINDOW_BYTES);
    peer_begin(second);
    scene_settle();
    assert_int_equal(scene->worker->queued_bytes, 0);
    peer_send(near, "more", 4);
    scene_settle();
    assert_int_equal(second->body_bytes, H2_STREAM_WINDOW_BYTES + 4);
    assert_int_equal(scene->worker->queued_bytes, 0);
    scene_close(scene);
}

/* The endpoint goes away without having looked at the stream; the next connection to it says
 * nothing yet. */
static void lose(struct scene *scene, size_t conn)
{
    scene->endpoints[0].config.silent = true;
    peer_goaway(scene_conn(scene, 0, conn), 0, H2_NO_ERROR, "");
    scene_settle();
}

/* Each connection that took the body gave the client credit for as much again. */
static void a_body_that_grows_while_its_stream_waits_is_bounded(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_send_zeros(near, H2_STREAM_WINDOW_BYTES);
    scene_settle();
    lose(scene, 0);
    peer_send_zeros(near, H2_STREAM_WINDOW_BYTES);
    scene_settle();
    assert_int_equal(scene_exchange(scene)->replay.len, 2 * H2_STREAM_WINDOW_BYTES);
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_QUEUED);
    scene_conn(scene, 0, 1)->config.withholds = true;
    peer_open(scene_conn(scene, 0, 1));
    scene_settle();
    assert_int_equal(scene_exchange(scene)->replay.len, 0);
    lose(scene, 1);
    scene_assert_status(near, 14, "refused the stream");
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_stream_goes_elsewhere_with_its_body),
        cmocka_unit_test(an_ended_request_is_sent_again_whole),
        cmocka_unit_test(a_stream_above_the_last_id_of_a_goaway_goes_elsewhere),
        cmocka_unit_test(an_endpoint_that_cannot_be_reached_costs_no_request),
        cmocka_unit_test(a_connection_that_dies_before_its_settings_costs_no_request),
        cmocka_unit_test(three_endpoints_are_tried_and_no_more),
        cmocka_unit_test(a_stream_is_refused_ten_times_and_then_fails),
        cmocka_unit_test(refusals_are_spread_over_ticks_and_few_connections),
        cmocka_unit_test(refusals_cost_no_attempt),
        cmocka_unit_test(what_an_endpoint_looked_at_is_never_sent_again),
        cmocka_unit_test(an_endpoint_never_changes_once_an_answer_began),
        cmocka_unit_test(a_request_whose_body_was_given_up_is_not_sent_again),
        cmocka_unit_test(a_window_of_the_body_is_kept_and_sent_again),
        cmocka_unit_test(a_body_that_grows_while_its_stream_waits_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

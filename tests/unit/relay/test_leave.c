/* Ends on purpose: when, between which messages, and what the client learns. */
#include "scene.h"

#include "relay/leave.h"

#define AGE_MS    10000
#define PING_SIZE 9

static const char PING[] = "\0\0\0\0\4ping";

static struct scene *open_with_age(uint64_t age_ms, uint64_t jitter_ms)
{
    struct scene *scene = scene_open(NULL);
    scene->relay->config.max_stream_age_ms = age_ms;
    scene->relay->config.age_jitter_ms = jitter_ms;
    return scene;
}

static struct peer_stream *far_end(struct scene *scene, size_t n)
{
    return peer_stream(scene_conn(scene, 0, 0), n);
}

static void a_stream_lives_until_its_age_and_not_longer(void **state)
{
    (void)state;
    struct scene *scene = open_with_age(AGE_MS, 0);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_begin(far_end(scene, 0));
    scene_run(AGE_MS - NET_TICK_MS);
    assert_false(near->closed);
    scene_run(3 * NET_TICK_MS);
    scene_assert_status(near, 14, "--max-stream-age");
    assert_int_equal(scene_stat(scene, ended_old), 1);
    scene_close(scene);
}

static void it_does_not_end_within_a_message_of_either_side(void **state)
{
    (void)state;
    struct scene *scene = open_with_age(AGE_MS, 0);
    struct peer *client = scene_client(scene);
    struct peer_stream *up = scene_ask(client, "");
    struct peer_stream *down = scene_ask(client, "");
    peer_begin(far_end(scene, 0));
    peer_begin(far_end(scene, 1));
    peer_send(up, PING, 6);
    peer_send(far_end(scene, 1), PING, 3); /* not even the prefix is whole */
    scene_run(10 * AGE_MS);
    assert_false(up->closed);
    assert_false(down->closed);
    peer_send(up, &PING[6], PING_SIZE - 6);
    peer_send(far_end(scene, 1), &PING[3], PING_SIZE - 3);
    scene_run(NET_TICK_MS);
    scene_assert_status(up, 14, "--max-stream-age"); /* its answer had its time long ago */
    scene_assert_status(down, 14, "--max-stream-age");
    scene_close(scene);
}

static void what_is_unanswered_gets_a_moment(void **state)
{
    (void)state;
    struct scene *scene = open_with_age(AGE_MS, 0);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_begin(far_end(scene, 0));
    peer_send(near, PING, PING_SIZE);
    scene_run(AGE_MS + LEAVE_GRACE_MS - NET_TICK_MS);
    assert_false(near->closed);
    peer_send(far_end(scene, 0), PING, PING_SIZE);
    scene_run(2 * LEAVE_TICK_MS);
    assert_int_equal(near->body.len, PING_SIZE);
    scene_assert_status(near, 14, "--max-stream-age");
    scene_close(scene);
}

static void ages_differ_by_their_jitter(void **state)
{
    (void)state;
    struct scene *scene = open_with_age(AGE_MS, AGE_MS / 2);
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 40; i++) {
        scene_ask(client, "");
    }
    scene_run(AGE_MS / 2 - NET_TICK_MS);
    assert_int_equal(scene_live(scene), 40);
    scene_run(AGE_MS / 2);
    assert_in_range(scene_live(scene), 5, 35);
    scene_run(AGE_MS);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

/* As the proxy's moves ask. */
static void ask_to_leave(struct scene *scene, int count)
{
    struct endpoint *endpoint = scene_view(scene, 0);
    atomic_store(&endpoint->leave_reason, (int)LEAVE_MOVED);
    atomic_fetch_add(&endpoint->leave_asked, count);
    atomic_store(&scene->relay->moving, true);
}

static void so_many_leave_an_endpoint_as_are_asked(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    for (size_t i = 0; i < 10; i++) {
        scene_ask(client, "");
        peer_begin(far_end(scene, i));
    }
    scene_run(60000);
    assert_int_equal(scene_live(scene), 10);
    ask_to_leave(scene, 3);
    scene_run(2 * NET_TICK_MS);
    assert_int_equal(scene_live(scene), 7);
    assert_int_equal(scene_stat(scene, ended_moved), 3);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->leave_asked), 0);
    atomic_store(&scene->relay->moving, false);
    scene_run(60000);
    assert_int_equal(scene_live(scene), 7);
    assert_int_equal(client->goaways, 0);
    scene_close(scene);
}

static void a_stream_that_is_to_move_waits_for_its_answer(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_begin(far_end(scene, 0));
    peer_send(near, PING, PING_SIZE);
    scene_settle();
    ask_to_leave(scene, 1);
    scene_run(100 * LEAVE_GRACE_MS);
    assert_false(near->closed);
    peer_send(far_end(scene, 0), PING, PING_SIZE);
    scene_run(NET_TICK_MS);
    scene_assert_status(near, 14, "moves the stream");
    assert_string_equal(peer_value(near, "grpc-retry-pushback-ms"), "0");
    assert_string_equal(peer_value(near, "grpcroute-received"), "1");
    scene_close(scene);
}

static void the_last_old_stream_takes_its_connection_along(void **state)
{
    (void)state;
    struct scene *scene = open_with_age(AGE_MS, 0);
    struct peer *client = scene_client(scene);
    scene_ask(client, "");
    scene_run(AGE_MS / 2);
    scene_ask(client, "");
    scene_run(AGE_MS / 2 + 2 * NET_TICK_MS);
    assert_int_equal(scene_live(scene), 1);
    assert_int_equal(client->goaways, 0);
    scene_run(AGE_MS / 2 + NET_TICK_MS);
    assert_int_equal(scene_live(scene), 0);
    assert_true(client->goaways > 0);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_lives_until_its_age_and_not_longer),
        cmocka_unit_test(it_does_not_end_within_a_message_of_either_side),
        cmocka_unit_test(what_is_unanswered_gets_a_moment),
        cmocka_unit_test(ages_differ_by_their_jitter),
        cmocka_unit_test(so_many_leave_an_endpoint_as_are_asked),
        cmocka_unit_test(a_stream_that_is_to_move_waits_for_its_answer),
        cmocka_unit_test(the_last_old_stream_takes_its_connection_along),
    };
    return cmocka_run_group_tests_name("relay/leave", tests, NULL, NULL);
}

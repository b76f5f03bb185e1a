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

/* As the proxy's moves ask. */
static void ask_for(struct scene *scene, size_t endpoint, enum leave_reason reason, int count)
{
    struct endpoint *view = scene_view(scene, endpoint);
    atomic_store(&view->leave_reason, (int)reason);
    atomic_fetch_add(&view->leave_asked, count);
    atomic_store(&scene->relay->moving, true);
}

static void ask_to_leave(struct scene *scene, int count)
{
    ask_for(scene, 0, LEAVE_MOVED, count);
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
    scene_run(AGE_MS + LEAVE_MESSAGE_MS - NET_TICK_MS);
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

/* A message that comes just before each look, and is answered just after it. */
static void a_stream_in_step_with_the_looks_ends_when_it_is_answered(void **state)
{
    (void)state;
    struct scene *scene = open_with_age(AGE_MS, 0);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = far_end(scene, 0);
    peer_begin(far);
    scene_run(AGE_MS - NET_TICK_MS);
    size_t messages = 0;
    for (; !near->closed && messages < LEAVE_GRACE_MS / LEAVE_TICK_MS / 2; messages++) {
        peer_send(near, PING, PING_SIZE);
        scene_run(2 * LEAVE_TICK_MS - 1);
        peer_send(far, PING, PING_SIZE);
        scene_run(1);
    }
    assert_true(near->closed);
    assert_int_equal(near->body.len, far->body.len);
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

/* The one stream there is has to end for this from now on. */
static void occur(struct scene *scene, enum leave_reason reason)
{
    if (reason == LEAVE_OLD) {
        scene_exchange(scene)->age_due_ms = worker_now_ms(scene->worker);
    } else {
        int health = reason == LEAVE_UNHEALTHY ? ENDPOINT_UNHEALTHY : ENDPOINT_HEALTHY;
        atomic_store(&scene_view(scene, 0)->health, health);
        ask_for(scene, 0, reason, 1);
    }
    scene_run(NET_TICK_MS + LEAVE_TICK_MS);
}

static uint64_t ended_for(const struct scene *scene, enum leave_reason reason)
{
    const atomic_uint_fast64_t *const counters[] = {
        [LEAVE_OLD] = &scene->worker->stats.ended_old,
        [LEAVE_MOVED] = &scene->worker->stats.ended_moved,
        [LEAVE_REMOVED] = &scene->worker->stats.ended_removed,
        [LEAVE_UNHEALTHY] = &scene->worker->stats.ended_unhealthy,
    };
    return atomic_load(counters[reason]);
}

/* The one stream there is stays half way in a message of its client's (`up` bytes of a second one),
 * or of its server's. */
static struct scene *open_half_way(size_t up, size_t down)
{
    struct scene *scene = open_with_age(1000 * AGE_MS, 0);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_begin(far_end(scene, 0));
    peer_send(near, PING, PING_SIZE);
    peer_send(far_end(scene, 0), PING, PING_SIZE);
    peer_send(near, PING, up);
    peer_send(far_end(scene, 0), PING, down);
    scene_settle();
    return scene;
}

static void check_cut(enum leave_reason reason, size_t up, size_t down)
{
    struct scene *scene = open_half_way(up, down);
    struct peer_stream *near = peer_stream(scene->clients[0], 0);
    occur(scene, reason);
    scene_run(LEAVE_MESSAGE_MS - 2 * NET_TICK_MS);
    assert_false(near->closed);
    assert_int_equal(scene_stat(scene, messages_cut), 0);
    scene_run(3 * NET_TICK_MS);
    scene_assert_status(
        near, 14,
        up > 0 ? "a message of the client that was still half sent after 30 s was cut"
               : "a message of the server that was still half sent after 30 s was cut");
    assert_string_equal(peer_value(near, "grpc-retry-pushback-ms"), "0");
    assert_string_equal(peer_value(near, "grpcroute-received"), "1"); /* not the one that was cut */
    assert_int_equal(ended_for(scene, reason), 1);
    assert_int_equal(scene_stat(scene, messages_cut), 1);
    assert_int_equal(scene->worker->leaving, 0);
    scene_close(scene);
}

static void a_message_that_stays_half_sent_is_cut_in_the_end(void **state)
{
    (void)state;
    for (enum leave_reason reason = LEAVE_OLD; reason <= LEAVE_UNHEALTHY; reason++) {
        check_cut(reason, 6, 0);
        check_cut(reason, 1, 0); /* not even the prefix is whole */
        check_cut(reason, 0, 6);
        check_cut(reason, 0, 1);
    }
}

/* Sends of both sides that go on for ever are cut as well: it is the end that is waited for. */
static void a_message_that_drips_is_cut_all_the_same(void **state)
{
    (void)state;
    static const char large[] = {0, 0, 1, 0, 0};
    struct scene *scene = open_half_way(0, 0);
    struct peer_stream *near = peer_stream(scene->clients[0], 0);
    peer_send(near, large, sizeof(large));
    occur(scene, LEAVE_OLD);
    for (int i = 0; i < LEAVE_MESSAGE_MS / 1000 + 1 && !near->closed; i++) {
        peer_send(near, "x", 1);
        scene_run(1000);
    }
    scene_assert_status(near, 14, "was cut");
    scene_close(scene);
}

/* The client's messages, each under way for a second, do not hide that the server's stays half
 * sent; nor do they let it look like theirs. */
static void messages_of_one_side_do_not_renew_the_time_of_the_other(void **state)
{
    (void)state;
    struct scene *scene = open_half_way(0, 0);
    struct peer_stream *near = peer_stream(scene->clients[0], 0);
    for (int i = 0; i < 9; i++) { /* answers come before they are asked for */
        peer_send(far_end(scene, 0), PING, PING_SIZE);
    }
    peer_send(far_end(scene, 0), PING, 6);
    occur(scene, LEAVE_MOVED);
    for (int i = 0; i < 8 && !near->closed; i++) {
        peer_send(near, PING, 6);
        scene_run(1000);
        assert_true(i > 1 || !near->closed);
        peer_send(near, &PING[6], PING_SIZE - 6);
        scene_run(LEAVE_MESSAGE_MS / 4);
    }
    scene_assert_status(near, 14, "a message of the server that was still half sent");
    assert_int_equal(scene_stat(scene, messages_cut), 1);
    scene_close(scene);
}

static void what_was_whole_in_time_is_not_cut(void **state)
{
    (void)state;
    struct scene *scene = open_half_way(6, 0);
    struct peer_stream *near = peer_stream(scene->clients[0], 0);
    occur(scene, LEAVE_MOVED);
    scene_run(LEAVE_MESSAGE_MS - 2 * NET_TICK_MS);
    peer_send(near, &PING[6], PING_SIZE - 6);
    scene_run(10 * LEAVE_MESSAGE_MS);
    assert_false(near->closed); /* a move waits for the answer */
    peer_send(near, PING, 6);   /* ... and for the next message, which has just begun */
    peer_send(far_end(scene, 0), PING, PING_SIZE);
    scene_run(LEAVE_MESSAGE_MS - 2 * NET_TICK_MS);
    assert_false(near->closed);
    peer_send(near, &PING[6], PING_SIZE - 6);
    peer_send(far_end(scene, 0), PING, PING_SIZE);
    scene_run(NET_TICK_MS);
    scene_assert_status(near, 14, "moves the stream");
    assert_string_equal(peer_value(near, "grpcroute-received"), "3");
    assert_int_equal(scene_stat(scene, messages_cut), 0);
    scene_close(scene);
}

/* Of a stream with an unanswered message: the second reason comes while it waits for the first. */
static void check_pair(enum leave_reason first, enum leave_reason second,
                       enum leave_reason expected)
{
    struct scene *scene = open_with_age(1000 * AGE_MS, 0);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_begin(far_end(scene, 0));
    peer_send(near, PING, PING_SIZE);
    scene_settle();
    occur(scene, first);
    assert_int_equal(scene_exchange(scene)->leaving, first);
    if (first == LEAVE_MOVED) {
        scene_run(10 * LEAVE_GRACE_MS);
    }
    occur(scene, second);
    assert_false(near->closed);
    assert_int_equal(scene_exchange(scene)->leaving, expected);
    assert_int_equal(scene->worker->leaving, leave_counts(expected));
    scene_run(LEAVE_GRACE_MS);
    assert_int_equal(near->closed, expected != LEAVE_MOVED);
    if (expected == LEAVE_MOVED) {
        peer_send(far_end(scene, 0), PING, PING_SIZE);
        scene_run(LEAVE_TICK_MS);
    }
    assert_true(near->closed);
    assert_int_equal(ended_for(scene, expected), 1);
    assert_int_equal(scene->worker->leaving, 0);
    scene_close(scene);
}

static void a_stream_that_waits_to_move_notices_what_does_not_wait(void **state)
{
    (void)state;
    check_pair(LEAVE_MOVED, LEAVE_MOVED, LEAVE_MOVED);
    check_pair(LEAVE_MOVED, LEAVE_OLD, LEAVE_OLD);
    check_pair(LEAVE_MOVED, LEAVE_REMOVED, LEAVE_REMOVED);
    check_pair(LEAVE_MOVED, LEAVE_UNHEALTHY, LEAVE_UNHEALTHY);
}

static void any_other_reason_stays_the_reason(void **state)
{
    (void)state;
    for (enum leave_reason second = LEAVE_OLD; second <= LEAVE_UNHEALTHY; second++) {
        check_pair(LEAVE_OLD, second, LEAVE_OLD);
        check_pair(LEAVE_REMOVED, second, LEAVE_REMOVED);
    }
    check_pair(LEAVE_UNHEALTHY, LEAVE_OLD, LEAVE_UNHEALTHY);
    check_pair(LEAVE_UNHEALTHY, LEAVE_UNHEALTHY, LEAVE_UNHEALTHY);
}

/* These say that the endpoint answers its checks again. */
static void only_being_unhealthy_passes(void **state)
{
    (void)state;
    check_pair(LEAVE_UNHEALTHY, LEAVE_REMOVED, LEAVE_REMOVED);
    check_pair(LEAVE_UNHEALTHY, LEAVE_MOVED, LEAVE_MOVED);
}

static void a_stream_whose_endpoint_is_well_again_stays(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_begin(far_end(scene, 0));
    peer_send(near, PING, PING_SIZE);
    scene_settle();
    occur(scene, LEAVE_UNHEALTHY);
    atomic_store(&scene_view(scene, 0)->health, (int)ENDPOINT_HEALTHY);
    atomic_fetch_add(&scene_view(scene, 0)->leave_asked, 1); /* the last one, asked too late */
    scene_run(10 * LEAVE_GRACE_MS);
    assert_false(near->closed);
    assert_int_equal(scene->worker->leaving, 0);
    scene_close(scene);
}

static void a_stream_that_went_elsewhere_before_its_answer_has_moved(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    size_t home = scene->endpoints[0].peer_count > 0 ? 0 : 1;
    peer_send(near, PING, PING_SIZE);
    scene_settle();
    ask_for(scene, home, LEAVE_MOVED, 1);
    scene_run(NET_TICK_MS);
    assert_int_equal(scene->worker->leaving, 1);
    peer_reset(peer_stream(scene_conn(scene, home, 0), 0), H2_REFUSED_STREAM);
    scene_settle();
    assert_int_equal(scene->worker->leaving, 0);
    peer_begin(peer_stream(scene_conn(scene, 1 - home, 0), 0));
    peer_send(peer_stream(scene_conn(scene, 1 - home, 0), 0), PING, PING_SIZE);
    scene_run(LEAVE_GRACE_MS);
    assert_false(near->closed);
    assert_int_equal(near->body.len, PING_SIZE);
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
        cmocka_unit_test(a_message_that_stays_half_sent_is_cut_in_the_end),
        cmocka_unit_test(a_message_that_drips_is_cut_all_the_same),
        cmocka_unit_test(messages_of_one_side_do_not_renew_the_time_of_the_other),
        cmocka_unit_test(what_was_whole_in_time_is_not_cut),
        cmocka_unit_test(what_is_unanswered_gets_a_moment),
        cmocka_unit_test(a_stream_in_step_with_the_looks_ends_when_it_is_answered),
        cmocka_unit_test(ages_differ_by_their_jitter),
        cmocka_unit_test(so_many_leave_an_endpoint_as_are_asked),
        cmocka_unit_test(a_stream_that_is_to_move_waits_for_its_answer),
        cmocka_unit_test(a_stream_that_waits_to_move_notices_what_does_not_wait),
        cmocka_unit_test(any_other_reason_stays_the_reason),
        cmocka_unit_test(only_being_unhealthy_passes),
        cmocka_unit_test(a_stream_whose_endpoint_is_well_again_stays),
        cmocka_unit_test(a_stream_that_went_elsewhere_before_its_answer_has_moved),
        cmocka_unit_test(the_last_old_stream_takes_its_connection_along),
    };
    return cmocka_run_group_tests_name("relay/leave", tests, NULL, NULL);
}

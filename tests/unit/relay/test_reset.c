/* Resets towards an endpoint: as few as it bears, and none too young by its own clock. */
#include "scene.h"

#include "h2/session.h"
#include "relay/client.h"
#include "relay/upstream.h"
#include "rpc/conn.h"
#include "rpc/frame.h"

#define MANY 1000
/* How long ago an endpoint must have read a request whose stream is old. */
#define OLD_MS ((uint64_t)UPSTREAM_OLD_TICKS * NET_TICK_MS)

#define SIXTY "012345678901234567890123456789012345678901234567890123456789"
#define TOO_LARGE                                                                                  \
    ":status: 200\ncontent-type: application/grpc\nlong: " SIXTY SIXTY SIXTY SIXTY SIXTY "\n"

/* Opens streams and returns them. */
static void open_many(struct peer *client, struct peer_stream **streams, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        streams[i] = peer_ask(client, scene_request("v1.1", ""), false);
    }
    scene_settle();
}

static void reset_many(struct peer_stream **streams, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        peer_reset(streams[i], H2_CANCEL);
    }
    scene_settle();
}

/* Clients that reset 40 young streams each: too few to be moved apart, together too many. */
static void reset_young_of(struct scene *scene, int clients)
{
    struct peer_stream *streams[40];
    for (int i = 0; i < clients; i++) {
        struct peer *client = scene_client(scene);
        open_many(client, streams, 40);
        reset_many(streams, 40);
    }
}

static void reset_young(struct scene *scene)
{
    reset_young_of(scene, 3);
}

/* Something of a higher id is answered, which shows how far the endpoint has read. */
static struct scene_bystander answer_later(struct scene *scene)
{
    return scene_bystander(scene);
}

static void young_resets_are_rationed(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    reset_young(scene);
    assert_int_equal(conn->stream_count, 121);
    assert_int_equal(conn->young_resets, UPSTREAM_YOUNG_RESETS);
    assert_int_equal(scene_live(scene), 121 - UPSTREAM_YOUNG_RESETS);
    scene_run(1000);
    assert_in_range(conn->resets, UPSTREAM_YOUNG_RESETS + 4,
                    UPSTREAM_YOUNG_RESETS + UPSTREAM_YOUNG_PER_S);
    scene_run(UPSTREAM_RESET_LIMIT_MS - 5000); /* in the long run a quarter of those that end */
    assert_in_range(conn->resets, UPSTREAM_YOUNG_RESETS + 10,
                    UPSTREAM_YOUNG_RESETS + conn->resets / UPSTREAM_YOUNG_SHARE);
    assert_int_equal(scene->endpoints[0].peer_count, 1);
    scene_check(&bystander);
    scene_close(scene);
}

static void a_quarter_of_the_streams_that_ended_well_may_go_young(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *streams[200];
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client(scene);
    open_many(client, streams, 200);
    struct peer *conn = scene_conn(scene, 0, 0);
    for (size_t i = 0; i < 200; i++) {
        peer_end(streams[i]);
        peer_status(peer_stream(conn, 1 + i), 0, "");
    }
    scene_settle();
    reset_young(scene);
    assert_int_equal(conn->resets, UPSTREAM_YOUNG_RESETS);
    scene_run((120 - UPSTREAM_YOUNG_RESETS) * 1000 / UPSTREAM_YOUNG_PER_S - 1000);
    assert_true(conn->resets < 120);
    scene_run(2000);
    assert_int_equal(conn->resets, 120);
    assert_int_equal(scene_live(scene), 1);
    scene_check(&bystander);
    scene_close(scene);
}

static void a_reset_that_waits_goes_when_the_endpoint_has_read_the_request_long_ago(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    reset_young(scene);
    scene_run(20000); /* nothing says that it has read them */
    unsigned sent = conn->resets;
    assert_true(sent < UPSTREAM_YOUNG_RESETS + 20);
    struct scene_bystander later = answer_later(scene);
    scene_run(OLD_MS - NET_TICK_MS);
    assert_int_equal(conn->resets, sent);
    scene_run(3 * NET_TICK_MS);
    assert_int_equal(conn->resets, 120);
    assert_true(conn->young_resets < UPSTREAM_YOUNG_RESETS + 10);
    assert_int_equal(scene_live(scene), 2);
    scene_check(&bystander);
    scene_check(&later);
    scene_close(scene);
}

/* Its clock stands still with it: it reads requests and resets in one go, and must not think these
 * young. */
static void an_endpoint_that_stood_still_sees_no_young_resets(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer_stream *streams[3][40];
    peer_stop(conn);
    for (int i = 0; i < 3; i++) {
        open_many(scene_client(scene), streams[i], 40);
    }
    scene_run(OLD_MS + 1000);
    for (int i = 0; i < 3; i++) {
        reset_many(streams[i], 40);
    }
    scene_run(2000);
    peer_go_on(conn);
    scene_settle();
    assert_int_equal(conn->stream_count, 121);
    assert_true(conn->young_resets < UPSTREAM_YOUNG_RESETS + 20);
    unsigned young = conn->young_resets;
    struct scene_bystander later = answer_later(scene);
    scene_run(OLD_MS + 2 * NET_TICK_MS);
    assert_int_equal(conn->resets, 120);
    assert_true(conn->young_resets < young + 20);
    scene_check(&bystander);
    scene_check(&later);
    scene_close(scene);
}

static void resets_of_any_age_are_rationed(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    static struct peer_stream *streams[MANY];
    open_many(scene_client(scene), streams, MANY);
    assert_int_equal(conn->stream_count, MANY + 1);
    struct scene_bystander later = answer_later(scene);
    scene_run(3 * OLD_MS);
    reset_many(streams, MANY);
    assert_int_equal(conn->resets, UPSTREAM_RESETS);
    assert_int_equal(conn->young_resets, 0);
    for (unsigned second = 1; second <= 4; second++) {
        scene_run(1000);
        assert_in_range(conn->resets, UPSTREAM_RESETS + second * UPSTREAM_RESETS_PER_S - 10,
                        UPSTREAM_RESETS + second * UPSTREAM_RESETS_PER_S);
    }
    scene_run((MANY - UPSTREAM_RESETS) * 1000 / UPSTREAM_RESETS_PER_S);
    assert_int_equal(conn->resets, MANY);
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    scene_check(&bystander);
    scene_check(&later);
    scene_close(scene);
}

/* As when a whole fleet leaves: nothing is left there that a reset could spare. */
static void a_connection_of_dropped_streams_alone_ends_and_takes_them_along(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    reset_young(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    assert_int_equal(scene_live(scene), 120 - UPSTREAM_YOUNG_RESETS);
    scene_run(2 * NET_TICK_MS);
    assert_int_equal(scene_live(scene), 0);
    assert_true(conn->goaways > 0);
    assert_true(conn->resets < UPSTREAM_YOUNG_RESETS + UPSTREAM_YOUNG_PER_S);
    struct scene_bystander next = scene_bystander(scene); /* on a connection of its own */
    scene_check(&next);
    scene_close(scene);
}

/* A stream whose reset waits carries nothing more, and its client has long been told. */
static void a_stream_that_waits_for_its_reset_is_silent(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    reset_young(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer_stream *last = peer_stream(conn, 120);
    scene_run(500);
    assert_false(last->closed);
    peer_begin(last);
    peer_send_zeros(last, 1000000); /* nobody reads it; its credit goes back all the same */
    scene_settle();
    assert_int_equal(last->out.len, 0);
    assert_int_equal(scene->worker->queued_bytes, 0);
    peer_trailers(last, "grpc-status: 0\n");
    scene_settle();
    scene_check(&bystander);
    scene_close(scene);
}

/* Streams that wait for their reset are streams that the endpoint holds open: there is a bound to
 * that, too. */
static void too_many_resets_that_wait_go_when_they_are_a_little_older(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer_stream *streams[10][40];
    for (int i = 0; i < 10; i++) {
        open_many(scene_client(scene), streams[i], 40);
    }
    for (int i = 0; i < 10; i++) {
        reset_many(streams[i], 40);
    }
    assert_int_equal(conn->resets, UPSTREAM_YOUNG_RESETS);
    scene_run(UPSTREAM_WAITING_RESET_MS + 2 * NET_TICK_MS);
    assert_in_range(400 - conn->resets, UPSTREAM_WAITING_RESETS - 10, UPSTREAM_WAITING_RESETS);
    scene_check(&bystander);
    scene_close(scene);
}

static void newcomers_wait_while_many_resets_do_and_others_are_served(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    scene_run(UPSTREAM_NEWCOMER_MS);
    reset_young_of(scene, 7);
    size_t opened = conn->stream_count;
    struct peer_stream *late = scene_ask(scene_client(scene), "");
    peer_reset(scene_ask(scene_client(scene), ""), H2_CANCEL);
    scene_run(2000);
    assert_int_equal(conn->stream_count, opened);
    struct peer_stream *old = scene_ask(bystander.near->peer, "");
    assert_int_equal(conn->stream_count, opened + 1);
    scene_run(UPSTREAM_NEWCOMER_WAIT_MS - 2000 + NET_TICK_MS); /* a storm may go on: not for ever */
    assert_int_equal(conn->stream_count, opened + 2);
    struct peer_stream *later = scene_ask(scene_client(scene), "");
    assert_int_equal(conn->stream_count, opened + 2);
    peer_begin(peer_stream(conn, opened)); /* it has read them all */
    scene_run(OLD_MS + 2 * NET_TICK_MS);
    assert_int_equal(conn->stream_count, opened + 3);
    assert_false(later->closed);
    assert_false(late->closed || old->closed);
    scene_check(&bystander);
    scene_close(scene);
}

static void no_reset_waits_for_ever(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    reset_young(scene);
    scene_run(UPSTREAM_RESET_LIMIT_MS - 1000);
    assert_true(scene_conn(scene, 0, 0)->resets < 80);
    scene_run(2000);
    assert_int_equal(scene_conn(scene, 0, 0)->resets, 120);
    scene_check(&bystander);
    scene_close(scene);
}

/* The relay's own answer is on its way to a client that takes nothing, and the endpoint goes on. */
static void an_endpoint_that_answers_what_has_been_answered_is_not_heard(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    reset_young(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer *client = scene_client_with(scene, &(struct peer_config){.header_list = 300});
    scene_ask(client, "");
    struct peer_stream *near = scene_ask(client, "");
    struct peer_stream *far = peer_stream(conn, conn->stream_count - 1);
    struct net_stream *transport = rpc_conn_stream(scene_exchange(scene)->client->conn);
    fake_room(transport, 0);
    peer_begin(peer_stream(conn, conn->stream_count - 2)); /* lies in the way */
    scene_settle();
    peer_respond(far, TOO_LARGE, false);
    scene_settle();
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_ENDING);
    assert_false(far->closed || near->closed);
    peer_send(far, "more", 4);
    peer_trailers(far, "grpc-status: 0\n");
    scene_settle();
    fake_room(transport, FAKE_ROOM_BYTES);
    scene_settle();
    scene_assert_status(near, 8, "larger than the client's limit of 300 bytes");
    assert_int_equal(near->body_bytes, 0);
    scene_close(scene);
}

static void a_lane_apart_is_not_rationed(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client(scene);
    struct peer_stream *streams[80];
    open_many(client, streams, 51);
    reset_many(streams, 51);
    assert_int_equal(scene_stat(scene, clients_apart), 1);
    open_many(client, streams, 80);
    struct peer *conn = scene_conn(scene, 0, 1);
    assert_int_equal(conn->stream_count, 80);
    reset_many(streams, 80);
    assert_int_equal(conn->resets, 80);
    scene_check(&bystander);
    scene_close(scene);
}

static void a_connection_may_die_with_resets_that_wait(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    reset_young(scene);
    assert_true(scene_live(scene) > 0);
    peer_abort(scene_conn(scene, 0, 0));
    scene_run(10);
    assert_int_equal(scene_live(scene), 0);
    scene_run(10000);
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    scene_close(scene);
}

static void a_drain_does_not_wait_for_resets(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.drain_ms = 2000});
    reset_young(scene);
    assert_true(scene_live(scene) > 0);
    relay_drain(scene->relay);
    scene_run(4500);
    assert_int_equal(scene_live(scene), 0);
    assert_true(scene->worker->ended);
    scene_close(scene);
}

static void leave_unread(struct peer_stream *stream)
{
    const char *id = peer_value(stream, "agent-id");
    stream->unread = id != NULL && strcmp(id, "unread") == 0;
}

/* A request whose end waits behind bytes that its endpoint does not read. */
static struct peer_stream *ask_more_than_is_read(struct scene *scene, struct peer_stream **ret_far)
{
    struct peer_stream *near = scene_ask(scene_client(scene), "agent-id: unread\n");
    struct peer *conn = scene_conn(scene, 0, 0);
    *ret_far = peer_stream(conn, conn->stream_count - 1);
    peer_send_zeros(near, 100000);
    peer_end(near);
    scene_settle();
    assert_in_range((*ret_far)->body_bytes, 40000, 65535);
    return near;
}

/* The endpoint would take what it got for all there was, and hold memory of a client that has gone.
 */
static void nothing_is_sent_while_a_reset_waits(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct scene *scene = scene_open(NULL);
        scene->endpoints[0].config.on_block = leave_unread;
        scene_bystander(scene); /* with whom the connection goes on */
        reset_young(scene);
        struct peer_stream *far;
        struct peer_stream *near = ask_more_than_is_read(scene, &far);
        size_t got = far->body_bytes;
        assert_true(scene->worker->queued_bytes > 0);
        if (how == 0) {
            peer_reset(near, H2_CANCEL);
        } else if (how == 1) {
            peer_abort(near->peer);
        } else {
            exchange_shed(scene_exchange(scene), STREAM_SHED, "shed");
        }
        scene_settle();
        assert_int_equal(scene->worker->queued_bytes, 0);
        peer_read(far);
        scene_run(2000);
        assert_int_equal(far->body_bytes, got);
        assert_false(far->ended);
        scene_run(UPSTREAM_RESET_LIMIT_MS);
        assert_true(far->closed); /* by its reset, or with a connection that only such streams are
                                     left of */
        scene_close(scene);
    }
}

#define QUEUED_MESSAGES 3000

/* Streams of a client that sent more messages than were answered. */
static struct peer *client_of_queues(struct scene *scene, struct peer_stream **streams,
                                     size_t count)
{
    struct peer *client = scene_client(scene);
    open_many(client, streams, count);
    for (size_t i = 0; i < count; i++) {
        peer_send_zeros(streams[i], QUEUED_MESSAGES * RPC_FRAME_PREFIX_BYTES);
    }
    scene_settle();
    return client;
}

/* It would drop the answers to all of them in one go, and do nothing else meanwhile. */
static void resets_that_make_an_endpoint_drop_much_go_one_by_one(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer_stream *streams[10];
    struct peer *client = client_of_queues(scene, streams, 10);
    struct peer_stream *short_one = scene_ask(scene_client(scene), "");
    peer_send_zeros(short_one, RPC_FRAME_PREFIX_BYTES);
    scene_run(OLD_MS + 1000);
    peer_abort(client);
    scene_settle();
    assert_int_equal(conn->resets, 2); /* one within what may be dropped at once, one beyond */
    peer_reset(short_one, H2_CANCEL);
    scene_settle();
    assert_int_equal(conn->resets, 3); /* it is in nobody's debt */
    scene_run(3000);
    assert_in_range(conn->resets, 3 + 2, 3 + 4);
    scene_check(&bystander);
    scene_run(8 * UPSTREAM_DROP_SILENT_MS);
    assert_int_equal(conn->resets, 11);
    scene_check(&bystander);
    scene_close(scene);
}

/* More at a time, while it is seen to bear it. */
static void an_endpoint_that_goes_on_talking_drops_what_it_has_sooner(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer_stream *streams[40];
    struct peer *client = client_of_queues(scene, streams, 40);
    scene_run(OLD_MS + 1000);
    peer_abort(client);
    for (int i = 0; i < 30; i++) {
        scene_check(&bystander);
        scene_run(100);
    }
    assert_int_equal(conn->resets, 40);
    scene_run(UPSTREAM_DROP_PAUSE_MS + 1000);
    client = client_of_queues(scene, streams, 40);
    scene_run(OLD_MS + 1000);
    peer_abort(client);
    scene_settle();
    assert_int_equal(conn->resets, 42); /* it is asked anew */
    scene_check(&bystander);
    scene_close(scene);
}

static void what_was_answered_meanwhile_is_not_dropped(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer_stream *streams[10];
    struct peer *client = client_of_queues(scene, streams, 10);
    scene_run(OLD_MS + 1000);
    peer_abort(client);
    scene_settle();
    assert_int_equal(conn->resets, 2);
    for (size_t i = 1; i <= 10; i++) {
        if (!peer_stream(conn, i)->closed) {
            peer_begin(peer_stream(conn, i));
            peer_send_zeros(peer_stream(conn, i), QUEUED_MESSAGES * RPC_FRAME_PREFIX_BYTES);
        }
    }
    scene_run(2 * NET_TICK_MS);
    assert_int_equal(conn->resets, 10);
    scene_check(&bystander);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(young_resets_are_rationed),
        cmocka_unit_test(a_quarter_of_the_streams_that_ended_well_may_go_young),
        cmocka_unit_test(a_reset_that_waits_goes_when_the_endpoint_has_read_the_request_long_ago),
        cmocka_unit_test(an_endpoint_that_stood_still_sees_no_young_resets),
        cmocka_unit_test(resets_of_any_age_are_rationed),
        cmocka_unit_test(a_connection_of_dropped_streams_alone_ends_and_takes_them_along),
        cmocka_unit_test(a_stream_that_waits_for_its_reset_is_silent),
        cmocka_unit_test(too_many_resets_that_wait_go_when_they_are_a_little_older),
        cmocka_unit_test(newcomers_wait_while_many_resets_do_and_others_are_served),
        cmocka_unit_test(no_reset_waits_for_ever),
        cmocka_unit_test(resets_that_make_an_endpoint_drop_much_go_one_by_one),
        cmocka_unit_test(an_endpoint_that_goes_on_talking_drops_what_it_has_sooner),
        cmocka_unit_test(what_was_answered_meanwhile_is_not_dropped),
        cmocka_unit_test(an_endpoint_that_answers_what_has_been_answered_is_not_heard),
        cmocka_unit_test(a_lane_apart_is_not_rationed),
        cmocka_unit_test(a_connection_may_die_with_resets_that_wait),
        cmocka_unit_test(a_drain_does_not_wait_for_resets),
        cmocka_unit_test(nothing_is_sent_while_a_reset_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

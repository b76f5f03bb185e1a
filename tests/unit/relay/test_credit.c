/* Flow control through the relay: who does not read stops who sends to it, and nobody else. */
#include "scene.h"

#include "h2/session.h"
#include "relay/upstream.h"

#define MEGABYTE ((size_t)1 << 20)

static const struct peer_config shut = {.shut = true};

/* What the relay may still be sent on a stream, and on its connection. */
static int32_t window_of(const struct peer_stream *stream)
{
    return nghttp2_session_get_stream_remote_window_size(stream->peer->session, stream->id);
}

static int32_t conn_window_of(const struct peer *peer)
{
    return nghttp2_session_get_remote_window_size(peer->session);
}

static void a_client_that_does_not_read_stops_its_endpoint(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer_stream *near = scene_ask(scene_client_with(scene, &shut), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 1);
    near->unread = true;
    peer_begin(far);
    peer_send_zeros(far, MEGABYTE);
    scene_run(1000);
    assert_int_equal(MEGABYTE - far->out.len, H2_STREAM_WINDOW_BYTES);
    assert_int_equal(near->body_bytes, 0);
    scene_check(&bystander);
    peer_grant(near->peer, near->id, 10000);
    scene_run(10);
    assert_int_equal(near->body_bytes, 10000);
    assert_in_range(MEGABYTE - far->out.len, H2_STREAM_WINDOW_BYTES,
                    H2_STREAM_WINDOW_BYTES + 10000);
    peer_grant(near->peer, near->id, (int32_t)(2 * MEGABYTE));
    scene_run(10);
    assert_int_equal(near->body_bytes, MEGABYTE);
    scene_close(scene);
}

static void an_endpoint_that_does_not_read_stops_its_client(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 1);
    far->unread = true;
    peer_send_zeros(near, MEGABYTE);
    scene_run(1000);
    /* one window lies at the endpoint, one here */
    assert_int_equal(far->body_bytes, 65535);
    assert_in_range(MEGABYTE - near->out.len, 65535 + 1, 65535 + H2_STREAM_WINDOW_BYTES);
    scene_check(&bystander);
    peer_read(far);
    scene_run(10);
    assert_int_equal(far->body_bytes, MEGABYTE);
    assert_int_equal(near->out.len, 0);
    scene_close(scene);
}

static void credit_is_returned_once_and_in_full(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    peer_begin(far);
    for (int i = 0; i < 40; i++) {
        peer_send_zeros(near, 100000 + (size_t)i);
        peer_send_zeros(far, 100000 + (size_t)i);
        scene_run(1);
        assert_in_range(window_of(near), 1, H2_STREAM_WINDOW_BYTES);
        assert_in_range(window_of(far), 1, H2_STREAM_WINDOW_BYTES);
        assert_in_range(conn_window_of(near->peer), 1, H2_CONNECTION_WINDOW_BYTES);
        assert_in_range(conn_window_of(far->peer), 1, UPSTREAM_WINDOW_BYTES);
    }
    assert_int_equal(far->body_bytes, 40 * 100000 + 39 * 20);
    assert_int_equal(near->body_bytes, far->body_bytes);
    assert_int_equal(scene_exchange(scene)->credit_held, 0);
    assert_int_equal(scene->worker->queued_bytes, 0);
    scene_close(scene);
}

static void the_credit_of_a_connection_depends_on_no_stream(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    struct peer *conn = NULL;
    struct peer_stream *near[30];
    scene->endpoints[0].config.shut = true; /* nothing of a body goes up */
    for (int i = 0; i < 30; i++) {
        near[i] = scene_ask(client, "");
        conn = scene_conn(scene, 0, 0);
        peer_send_zeros(near[i], 100000);
        peer_begin(peer_stream(conn, (size_t)i));
    }
    scene_run(100);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(100000 - near[i]->out.len, H2_STREAM_WINDOW_BYTES); /* 1.9 MB in all */
    }
    assert_true(conn_window_of(client) > H2_CONNECTION_WINDOW_BYTES / 2 - 1);
    struct peer_stream *last = scene_ask(client, "");
    peer_grant(conn, peer_stream(conn, 30)->id, 1000);
    peer_send(last, "goes", 4);
    scene_settle();
    assert_true(peer_took(peer_stream(conn, 30), "goes"));
    scene_close(scene);
}

/* The other way round: 30 streams of one client that does not read. */
static void unread_answers_do_not_shut_the_shared_connection(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer *client = scene_client_with(scene, &shut);
    for (int i = 0; i < 30; i++) {
        scene_ask(client, "");
        struct peer_stream *far = peer_stream(conn, conn->stream_count - 1);
        peer_begin(far);
        peer_send_zeros(far, 100000);
    }
    scene_run(100);
    assert_true(conn_window_of(conn) > UPSTREAM_WINDOW_BYTES / 2 - 1);
    scene_check(&bystander);
    scene_close(scene);
}

/* The endpoint's side takes no body any more: the client is let go on until it hears why. */
static void a_client_may_send_on_after_the_answer_is_complete(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client_with(scene, &shut), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    peer_begin(far);
    peer_send(far, "waits", 5); /* so that the end waits, too */
    peer_trailers(far, "grpc-status: 0\n");
    scene_settle();
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_ENDING);
    peer_send_zeros(near, MEGABYTE);
    scene_run(10);
    assert_int_equal(near->out.len, 0);
    peer_grant(near->peer, near->id, 5);
    scene_settle();
    scene_assert_status(near, 0, "");
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

/* An answer in HTTP waits for the request's end, which must be able to come. */
static void a_client_that_is_answered_in_http_may_end_its_request(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].dial = SCENE_HANGS;
    struct peer_stream *near = peer_ask(scene_client(scene),
                                        ":method: POST\n:scheme: http\n:authority: a\n:path: /x\n"
                                        "content-type: application/json\nagent-version: v1.0\n",
                                        false);
    peer_send_zeros(near, MEGABYTE);
    peer_end(near);
    scene_run(1000);
    assert_int_equal(MEGABYTE - near->out.len, H2_STREAM_WINDOW_BYTES);
    scene_run(UPSTREAM_CONNECT_TIMEOUT_MS);
    assert_string_equal(peer_value(near, ":status"), "503");
    assert_int_equal(near->out.len, 0);
    assert_true(near->ended);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_does_not_read_stops_its_endpoint),
        cmocka_unit_test(an_endpoint_that_does_not_read_stops_its_client),
        cmocka_unit_test(credit_is_returned_once_and_in_full),
        cmocka_unit_test(the_credit_of_a_connection_depends_on_no_stream),
        cmocka_unit_test(unread_answers_do_not_shut_the_shared_connection),
        cmocka_unit_test(a_client_may_send_on_after_the_answer_is_complete),
        cmocka_unit_test(a_client_that_is_answered_in_http_may_end_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

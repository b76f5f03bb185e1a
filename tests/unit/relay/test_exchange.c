/* One stream through the relay: every state, and who may end it there. */
#include "scene.h"

#include "h2/session.h"

/* ---- the happy path -------------------------------------------------------------------------- */

static void a_request_is_answered_with_data_and_trailers(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "agent-id: a1\n");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_string_equal(peer_value(far, "agent-id"), "a1");
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_OPEN);
    peer_send(near, "ping", 4);
    scene_settle();
    assert_true(peer_took(far, "ping"));
    peer_begin(far);
    peer_send(far, "pong", 4);
    scene_settle();
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_ANSWERING);
    assert_true(peer_took(near, "pong"));
    peer_end(near);
    scene_settle();
    assert_true(far->ended);
    peer_trailers(far, "grpc-status: 0\nmy-trailer: x\n");
    scene_settle();
    assert_string_equal(peer_value(near, "grpc-status"), "0");
    assert_string_equal(peer_value(near, "my-trailer"), "x");
    assert_true(near->closed && far->closed);
    assert_int_equal(near->error | far->error, 0);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

static void a_trailers_only_answer_stays_one_block(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    peer_end(near);
    scene_settle();
    peer_status(far, 5, "no");
    scene_settle();
    scene_assert_status(near, 5, "no");
    assert_int_equal(near->blocks, 1);
    assert_int_equal(near->body_bytes, 0);
    assert_int_equal(near->error, H2_NO_ERROR);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

static void an_answer_without_trailers_ends_as_it_came(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    peer_end(near);
    peer_begin(far);
    peer_send(far, "all", 3);
    peer_end(far);
    scene_settle();
    assert_true(peer_took(near, "all"));
    assert_true(near->ended && near->closed);
    assert_int_equal(near->blocks, 1);
    assert_int_equal(near->error, H2_NO_ERROR);
    scene_close(scene);
}

static void informational_answers_pass_and_are_no_answer(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    peer_inform(far, ":status: 103\nlink: x\n");
    scene_settle();
    assert_non_null(strstr(near->inform, ":status: 103\nlink: x\n"));
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_OPEN);
    assert_non_null(scene_exchange(scene)->request); /* a retry is still possible */
    peer_status(far, 0, "");
    scene_settle();
    scene_assert_status(near, 0, "");
    scene_close(scene);
}

static void a_request_without_a_body_ends_in_its_headers(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = peer_ask(scene_client(scene), scene_request("v1.0", ""), true);
    scene_settle();
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_true(far->ended);
    peer_status(far, 0, "");
    scene_settle();
    scene_assert_status(near, 0, "");
    assert_true(far->closed);
    assert_int_equal(far->error, H2_NO_ERROR);
    scene_close(scene);
}

static void trailers_of_a_request_end_it_and_go_no_further(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 1);
    peer_send(near, "last", 4);
    peer_trailers(near, "host: evil\nx: y\n");
    scene_settle();
    assert_true(peer_took(far, "last"));
    assert_true(far->ended);
    assert_int_equal(far->blocks, 1);
    assert_string_equal(far->trailers, "");
    assert_int_equal(scene_stat(scene, trailers_dropped), 1);
    scene_check(&bystander);
    scene_close(scene);
}

/* ---- the endpoint is early ------------------------------------------------------------------- */

static void an_answer_before_the_request_ended_stops_the_client(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 1);
    peer_send(near, "part", 4);
    scene_settle();
    peer_status(far, 7, "enough");
    scene_settle();
    scene_assert_status(near, 7, "enough");
    assert_true(near->closed); /* RST_STREAM NO_ERROR behind the status, RFC 9113 section 8.1 */
    assert_int_equal(near->error, H2_NO_ERROR);
    assert_true(far->closed);
    assert_int_equal(scene_live(scene), 1);
    scene_check(&bystander);
    scene_close(scene);
}

static void an_endpoint_that_ends_early_takes_nothing_with_it(void **state)
{
    (void)state;
    static const uint32_t codes[] = {
        H2_NO_ERROR, H2_PROTOCOL_ERROR, H2_INTERNAL_ERROR,    H2_STREAM_CLOSED,
        H2_CANCEL,   H2_CONNECT_ERROR,  H2_ENHANCE_YOUR_CALM, H2_HTTP_1_1_REQUIRED,
        0xfeed};
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client(scene);
    for (size_t i = 0; i < 2 * sizeof(codes) / sizeof(codes[0]); i++) {
        struct peer_stream *near = scene_ask(client, "");
        struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), i + 1);
        if (i % 2 == 1) {
            peer_begin(far);
        }
        scene_settle();
        peer_reset(far, codes[i / 2]);
        scene_settle();
        assert_true(near->closed);
        assert_int_equal(near->error, codes[i / 2]);
        assert_int_equal(scene_live(scene), 1);
        scene_check(&bystander);
    }
    scene_close(scene);
}

static void a_lost_connection_is_told_with_its_endpoint(void **state)
{
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        struct scene *scene = scene_open(NULL);
        struct peer_stream *near = scene_ask(scene_client(scene), "");
        struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
        if (answered == 1) {
            peer_begin(far);
            peer_send(far, "part", 4);
        }
        scene_settle();
        peer_abort(scene_conn(scene, 0, 0));
        scene_run(10);
        scene_assert_status(near, 14,
                            "cluster server-v1: connection to endpoint 10.0.0.1:50051 was lost");
        assert_int_equal(near->blocks, answered + 1);
        assert_int_equal(scene_live(scene), 0);
        assert_int_equal(scene_stat(scene, rq_reset), 1);
        assert_int_equal(atomic_load(&scene_view(scene, 0)->rq_error), 1);
        scene_close(scene);
    }
}

/* ---- the client is gone ---------------------------------------------------------------------- */

/* Brings a stream of the client's into a state. */
static struct peer_stream *reach(struct scene *scene, struct peer *client,
                                 enum exchange_state reached, struct peer_stream **ret_far)
{
    if (reached == EXCHANGE_QUEUED) {
        scene->endpoints[1].config.silent = true;
    }
    struct peer_stream *near = scene_ask_v2(client, "");
    *ret_far = NULL;
    if (reached == EXCHANGE_QUEUED) {
        assert_int_equal(scene_exchange(scene)->state, EXCHANGE_QUEUED);
        return near;
    }
    struct peer *conn = scene_conn(scene, 1, 0);
    *ret_far = peer_stream(conn, conn->stream_count - 1);
    if (reached >= EXCHANGE_ANSWERING) {
        peer_begin(*ret_far);
        scene_settle();
    }
    if (reached == EXCHANGE_ENDING) { /* the client's window is shut, so that its end waits */
        peer_send(*ret_far, "waits", 5);
        peer_trailers(*ret_far, "grpc-status: 0\n");
        scene_settle();
    }
    assert_int_equal(scene_exchange(scene)->state, reached);
    return near;
}

static void leave(struct peer *client, struct peer_stream *near, int how)
{
    if (how == 0) {
        peer_reset(near, H2_CANCEL);
    } else if (how == 1) {
        peer_reset(near, H2_PROTOCOL_ERROR);
    } else if (how == 2) {
        peer_abort(client);
    } else {
        peer_close(client);
    }
}

static void a_client_may_go_in_every_state(void **state)
{
    (void)state;
    static const uint32_t codes[] = {H2_CANCEL, H2_PROTOCOL_ERROR, H2_CANCEL, H2_CANCEL};
    const struct peer_config shut = {.shut = true};
    for (int reached = EXCHANGE_QUEUED; reached <= EXCHANGE_ENDING; reached++) {
        for (int how = 0; how < 4; how++) {
            struct scene *scene = scene_open(&(struct scene_config){.v2 = 1});
            struct scene_bystander bystander = scene_bystander(scene);
            struct peer *client = scene_client_with(scene, &shut);
            struct peer_stream *far;
            struct peer_stream *near = reach(scene, client, (enum exchange_state)reached, &far);
            leave(client, near, how);
            scene_run(20);
            assert_int_equal(scene_live(scene), 1);
            if (far != NULL) {
                assert_true(far->closed);
                /* with the endpoint's answer complete, only its request is left to be ended */
                assert_int_equal(far->error, codes[how]);
            }
            scene_check(&bystander);
            scene_close(scene);
        }
    }
}

static void a_client_that_goes_while_its_request_waits_opens_nothing(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.silent = true;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_reset(near, H2_CANCEL);
    scene_run(100);
    peer_open(scene_conn(scene, 0, 0));
    scene_run(1000);
    assert_int_equal(scene_conn(scene, 0, 0)->stream_count, 0);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

static void a_client_that_half_closes_hears_the_answer(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.silent = true;
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    peer_send(near, "all", 3);
    peer_end(near); /* while it waits for a connection */
    scene_settle();
    peer_open(scene_conn(scene, 0, 0));
    scene_settle();
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_true(peer_took(far, "all"));
    assert_true(far->ended);
    peer_begin(far);
    scene_run(60000);
    peer_trailers(far, "grpc-status: 0\n");
    scene_settle();
    scene_assert_status(near, 0, "");
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_with_data_and_trailers),
        cmocka_unit_test(a_trailers_only_answer_stays_one_block),
        cmocka_unit_test(an_answer_without_trailers_ends_as_it_came),
        cmocka_unit_test(informational_answers_pass_and_are_no_answer),
        cmocka_unit_test(a_request_without_a_body_ends_in_its_headers),
        cmocka_unit_test(trailers_of_a_request_end_it_and_go_no_further),
        cmocka_unit_test(an_answer_before_the_request_ended_stops_the_client),
        cmocka_unit_test(an_endpoint_that_ends_early_takes_nothing_with_it),
        cmocka_unit_test(a_lost_connection_is_told_with_its_endpoint),
        cmocka_unit_test(a_client_may_go_in_every_state),
        cmocka_unit_test(a_client_that_goes_while_its_request_waits_opens_nothing),
        cmocka_unit_test(a_client_that_half_closes_hears_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

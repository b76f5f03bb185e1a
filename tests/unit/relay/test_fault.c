/* Endpoints that break HTTP/2 or a limit: the client hears whose fault it was, so do the views,
 * and neighbours lose nothing. */
#include "scene.h"

#include "h2/session.h"
#include "relay/upstream.h"

#include <stdio.h>

static const char *fault_of(struct scene *scene)
{
    return scene_view(scene, 0)->fault;
}

static uint64_t faults_of(struct scene *scene)
{
    return atomic_load(&scene_view(scene, 0)->faults);
}

/* Asks, and lets the endpoint answer with these fields. */
static struct peer_stream *get_answer(struct peer *client, struct peer *conn, const char *fields)
{
    struct peer_stream *near = scene_ask(client, "");
    peer_respond(peer_stream(conn, conn->stream_count - 1), fields, false);
    scene_settle();
    return near;
}

static void a_malformed_answer_is_told_with_its_endpoint_and_cause(void **state)
{
    (void)state;
    static const char *const answers[][2] = {
        {":status: 200\nconnection: close\n", "connection"},
        {":status: abc\n", ""},
        {"content-type: application/grpc\n", ""},
        {":status: 200\n:status: 200\n", ""},
        {":status: 200\nx y: z\n", ""},
        {":status: 200\nx: a\002b\n", ""},
        {":status: 101\n", ""},
    };
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer *client = scene_client(scene);
    size_t count = sizeof(answers) / sizeof(answers[0]);
    for (size_t i = 0; i < count; i++) {
        struct peer_stream *near = get_answer(client, conn, answers[i][0]);
        scene_assert_status(near, 13,
                            "cluster server-v1: endpoint 10.0.0.1:50051 broke HTTP/2 or a limit: ");
        assert_non_null(strstr(peer_value(near, "grpc-message"), answers[i][1]));
        assert_non_null(strstr(fault_of(scene), "10.0.0.1:50051 broke HTTP/2 or a limit: "));
        assert_int_equal(faults_of(scene), i + 1);
        scene_check(&bystander);
    }
    assert_int_equal(scene_stat(scene, rq_reset), count);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->rq_error), count);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_HEALTHY);
    scene_run(30000);
    scene_check(&bystander);
    scene_close(scene);
}

static void an_answer_over_the_limit_is_told_with_the_limit(void **state)
{
    (void)state;
    static char fields[30000];
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    snprintf(fields, sizeof(fields), ":status: 200\nlong: %020000d\n", 7);
    struct peer_stream *near = get_answer(scene_client(scene), conn, fields);
    scene_assert_status(near, 13, "10.0.0.1:50051");
    assert_non_null(strstr(peer_value(near, "grpc-message"), "16384"));
    assert_int_equal(faults_of(scene), 1);
    scene_run(30000);
    scene_check(&bystander);
    scene_close(scene);
}

static void malformed_trailers_end_in_a_status(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 1);
    peer_begin(far);
    peer_send(far, "part", 4);
    peer_trailers(far, "grpc-status: 0\nconnection: close\n");
    scene_settle();
    scene_assert_status(near, 13, "broke HTTP/2 or a limit");
    assert_true(peer_took(near, "part"));
    assert_int_equal(near->blocks, 2);
    scene_check(&bystander);
    scene_close(scene);
}

static void who_provokes_broken_answers_is_moved_apart(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer *client = scene_client(scene);
    for (int i = 0; i < 20; i++) {
        get_answer(client, conn, ":status: 200\nconnection: close\n");
    }
    assert_int_equal(scene_stat(scene, clients_apart), 0);
    get_answer(client, conn, ":status: 200\nconnection: close\n");
    assert_int_equal(scene_stat(scene, clients_apart), 1);
    assert_non_null(conn->transport); /* what had to be reset is not held against it */
    scene_check(&bystander);
    scene_close(scene);
}

static void a_goaway_is_told_with_its_code_and_text(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer *conn = scene_conn(scene, 0, 0);
    peer_goaway(conn, peer_stream(conn, 0)->id, H2_ENHANCE_YOUR_CALM, "too many \033 of it");
    peer_close(conn);
    scene_run(10);
    scene_assert_status(near, 14,
                        "connection to endpoint 10.0.0.1:50051 was lost: "
                        "GOAWAY ENHANCE_YOUR_CALM: too many ");
    assert_non_null(strstr(fault_of(scene), "GOAWAY ENHANCE_YOUR_CALM: too many "));
    assert_null(strchr(fault_of(scene), '\033'));
    assert_int_equal(faults_of(scene), 1);
    scene_close(scene);
}

/* PINGs on a new connection, on which a stream is quiet for twelve of the relay's intervals. */
static unsigned count_pings(struct scene *scene, size_t number, struct peer **ret_conn)
{
    scene_ask(scene_client(scene), "");
    *ret_conn = scene_conn(scene, 0, number);
    scene_run(UINT64_C(12) * UPSTREAM_KEEPALIVE_MS);
    return (*ret_conn)->pings;
}

/* gRFC A8 */
static void who_wants_fewer_pings_gets_half_as_many(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *conn;
    assert_in_range(count_pings(scene, 0, &conn), 11, 12);
    peer_goaway(conn, peer_stream(conn, 0)->id, H2_ENHANCE_YOUR_CALM, "too_many_pings");
    scene_settle();
    assert_in_range(count_pings(scene, 1, &conn), 5, 6);
    peer_goaway(conn, peer_stream(conn, 0)->id, H2_ENHANCE_YOUR_CALM, "something else");
    scene_settle();
    assert_in_range(count_pings(scene, 2, &conn), 5, 6);
    scene_close(scene);
}

static void a_goaway_without_an_error_is_no_fault(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "");
    struct peer *conn = scene_conn(scene, 0, 0);
    struct endpoint *view = scene_view(scene, 0);
    peer_goaway(conn, peer_stream(conn, 0)->id, H2_NO_ERROR, "bye");
    scene_settle();
    assert_int_equal(faults_of(scene), 0);
    assert_string_equal(fault_of(scene), "");
    assert_true(atomic_load(&view->recheck)); /* it may be about to go */
    assert_true(atomic_load(&scene->relay->discovery_asked) || !near->closed);
    peer_status(peer_stream(conn, 0), 0, "");
    scene_run(3000);
    scene_assert_status(near, 0, "");
    assert_null(conn->transport);
    assert_true(atomic_load(&scene->relay->discovery_asked));
    assert_int_equal(atomic_load(&view->health), ENDPOINT_HEALTHY);
    scene_close(scene);
}

static void a_connection_that_is_lost_makes_the_endpoint_unhealthy(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene_ask(scene_client(scene), "");
    peer_abort(scene_conn(scene, 0, 0));
    scene_run(10);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->health), ENDPOINT_UNHEALTHY);
    assert_string_not_equal(scene_view(scene, 0)->cause, "");
    struct peer_stream *late = scene_ask(scene->clients[0], "");
    scene_assert_status(late, 14,
                        "no healthy endpoint in cluster server-v1: all 1 endpoints unhealthy");
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_malformed_answer_is_told_with_its_endpoint_and_cause),
        cmocka_unit_test(an_answer_over_the_limit_is_told_with_the_limit),
        cmocka_unit_test(malformed_trailers_end_in_a_status),
        cmocka_unit_test(who_provokes_broken_answers_is_moved_apart),
        cmocka_unit_test(a_goaway_is_told_with_its_code_and_text),
        cmocka_unit_test(who_wants_fewer_pings_gets_half_as_many),
        cmocka_unit_test(a_goaway_without_an_error_is_no_fault),
        cmocka_unit_test(a_connection_that_is_lost_makes_the_endpoint_unhealthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The relay's own answers to who does not speak gRPC. */
#include "scene.h"

#include "h2/session.h"

#include <stdio.h>

#define HTTP(method, more)                                                                         \
    ":method: " method "\n:scheme: http\n:authority: a\n:path: /x\nagent-version: v1.0\n" more
#define JSON HTTP("POST", "content-type: application/json\n")

/* A request that the first endpoint has, and that endpoint's stream. */
static struct peer_stream *ask_in_http(struct scene *scene, struct peer *client,
                                       struct peer_stream **ret_far)
{
    struct peer_stream *near = peer_ask(client, JSON, true);
    scene_settle();
    struct peer *conn = scene_conn(scene, 0, 0);
    *ret_far = peer_stream(conn, conn->stream_count - 1);
    return near;
}

/* A whole answer of that status, with these words in its body; NULL: it has none. */
static void assert_http(struct peer_stream *near, const char *status, const char *words)
{
    assert_string_equal(peer_value(near, ":status"), status);
    assert_string_equal(peer_value(near, "content-type"), "text/plain; charset=utf-8");
    assert_null(peer_value(near, "grpc-status"));
    if (words != NULL) {
        assert_non_null(memmem(buf_data(&near->body), near->body.len, words, strlen(words)));
    } else {
        assert_int_equal(near->body_bytes, 0);
    }
    assert_true(near->ended);
    assert_int_equal(near->error, H2_NO_ERROR);
}

static void who_does_not_speak_grpc_is_answered_in_http(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    struct peer_stream *browser = peer_ask(client, HTTP("GET", ""), true);
    scene_settle();
    assert_http(browser, "405", "gRPC uses POST");
    struct peer_stream *head = peer_ask(client, HTTP("HEAD", ""), true);
    scene_settle();
    assert_http(head, "405", NULL);
    scene->endpoints[0].dial = SCENE_REFUSES;
    struct peer_stream *json = peer_ask(client, JSON, true);
    scene_run(10);
    assert_http(json, "503", "cluster server-v1: ");
    scene_close(scene);
}

static void a_request_that_no_rule_takes_is_told_in_http(void **state)
{
    (void)state;
    static const char routes[] = "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n"
                                 "spec:\n  rules:\n"
                                 "  - matches: [{headers: [{name: agent-version, value: v1.0}]}]\n"
                                 "    backendRefs: [{name: server-v1, port: 1}]\n";
    struct scene *scene = scene_open(&(struct scene_config){.routes = routes});
    struct peer *client = scene_client(scene);
    struct peer_stream *twice = peer_ask(client, JSON "agent-version: v1.0\n", true);
    struct peer_stream *unknown = peer_ask(
        client, ":method: POST\n:scheme: http\n:authority: a\n:path: /x\nagent-version: v9.0\n",
        true);
    scene_settle();
    assert_http(twice, "400", "header is given more than once: agent-version");
    assert_http(unknown, "404", "no route matches this request");
    scene_close(scene);
}

static void an_answer_that_is_none_is_a_bad_gateway(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *far;
    struct peer_stream *near = ask_in_http(scene, scene_client(scene), &far);
    peer_respond(far, ":status: 200\nconnection: close\n", false);
    scene_settle();
    assert_http(near, "502",
                "cluster server-v1: endpoint 10.0.0.1:50051 broke HTTP/2 or a limit: ");
    scene_close(scene);
}

static void an_answer_that_is_too_large_for_the_client_is_told_in_http(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client_with(scene, &(struct peer_config){.header_list = 500});
    struct peer_stream *far;
    struct peer_stream *near = ask_in_http(scene, client, &far);
    char fields[2000];
    snprintf(fields, sizeof(fields), ":status: 200\nlong: %0600d\n", 7);
    peer_respond(far, fields, false);
    scene_settle();
    assert_http(near, "429",
                "the answer's metadata is larger than the client's limit of 500 bytes");
    assert_true(far->closed);
    scene_close(scene);
}

/* Half an answer must not pass for the whole. */
static void an_answer_that_had_begun_is_reset(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *far;
    struct peer_stream *near = ask_in_http(scene, scene_client(scene), &far);
    peer_respond(far, ":status: 200\ncontent-type: application/json\n", false);
    peer_send(far, "{", 1);
    scene_settle();
    assert_string_equal(peer_value(near, ":status"), "200");
    peer_abort(scene_conn(scene, 0, 0));
    scene_settle();
    assert_true(peer_took(near, "{"));
    assert_true(near->closed);
    assert_false(near->ended);
    assert_int_equal(near->error, H2_INTERNAL_ERROR);
    assert_string_equal(near->trailers, "");
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

static void who_takes_next_to_nothing_gets_a_reset(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client_with(scene, &(struct peer_config){.header_list = 1});
    struct peer_stream *near = peer_ask(client, HTTP("GET", ""), true);
    scene_settle();
    assert_true(near->closed);
    assert_int_equal(near->error, H2_INTERNAL_ERROR);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_speak_grpc_is_answered_in_http),
        cmocka_unit_test(a_request_that_no_rule_takes_is_told_in_http),
        cmocka_unit_test(an_answer_that_is_none_is_a_bad_gateway),
        cmocka_unit_test(an_answer_that_is_too_large_for_the_client_is_told_in_http),
        cmocka_unit_test(an_answer_that_had_begun_is_reset),
        cmocka_unit_test(who_takes_next_to_nothing_gets_a_reset),
    };
    return cmocka_run_group_tests_name("relay/reply", tests, NULL, NULL);
}

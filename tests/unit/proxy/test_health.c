/* What an answer to a health check says of an endpoint. */
#include "../relay/scene.h"

#include "h2/session.h"
#include "proxy/health.h"
#include "rpc/frame.h"
#include "rpc/health.h"

#include <stdio.h>

static enum endpoint_health health_of(struct scene *scene)
{
    return (enum endpoint_health)atomic_load(&scene_view(scene, 0)->health);
}

/* What a server answers, by the test that runs. */
static struct {
    const char *fields;
    const void *bytes;
    size_t len;
    const char *trailers; /* NULL: a plain end */
} reply;

static void answer(struct peer_stream *stream)
{
    if (reply.bytes == NULL && reply.trailers == NULL) {
        peer_respond(stream, reply.fields, true);
        return;
    }
    peer_respond(stream, reply.fields, false);
    if (reply.len > 0) {
        peer_send(stream, reply.bytes, reply.len);
    }
    if (reply.trailers != NULL) {
        peer_trailers(stream, reply.trailers);
    } else {
        peer_end(stream);
    }
}

#define GRPC "content-type: application/grpc\n"

static bool without_service; /* the last check said so */

/* The health after one check that was answered so, and its cause. */
static enum endpoint_health check_once(const char *fields, const void *bytes, size_t len,
                                       const char *trailers,
                                       char cause[static ENDPOINT_CAUSE_BYTES])
{
    struct scene *scene = scene_open(&(struct scene_config){.unchecked = true});
    reply.fields = fields;
    reply.bytes = bytes;
    reply.len = len;
    reply.trailers = trailers;
    scene->endpoints[0].config.on_end = answer;
    struct proxy_health *health = proxy_health_start(scene->relay);
    assert_int_equal(health_of(scene), ENDPOINT_UNKNOWN);
    scene_run(2 * NET_TICK_MS);
    enum endpoint_health result = health_of(scene);
    assert_true(proxy_health_done_once(health));
    snprintf(cause, ENDPOINT_CAUSE_BYTES, "%s", scene_view(scene, 0)->cause);
    without_service = atomic_load(&scene_view(scene, 0)->no_health_service);
    assert_int_equal(atomic_load(&scene_view(scene, 0)->check_failures),
                     result == ENDPOINT_HEALTHY ? 0 : 1);
    struct peer_stream *check = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_string_equal(peer_value(check, ":path"), RPC_HEALTH_CHECK_PATH);
    assert_int_equal(check->body_bytes, RPC_FRAME_PREFIX_BYTES);
    proxy_health_stop(health);
    scene_close(scene);
    return result;
}

/* The same with a gRPC answer that has this serving status. */
static enum endpoint_health check_status(enum rpc_health_status status,
                                         char cause[static ENDPOINT_CAUSE_BYTES])
{
    uint8_t message[RPC_FRAME_PREFIX_BYTES + RPC_HEALTH_RESPONSE_BYTES] = {0};
    size_t len = rpc_health_response_encode(status, message + RPC_FRAME_PREFIX_BYTES);
    message[RPC_FRAME_PREFIX_BYTES - 1] = (uint8_t)len;
    return check_once(":status: 200\n" GRPC, message, RPC_FRAME_PREFIX_BYTES + len,
                      "grpc-status: 0\n", cause);
}

static void only_serving_is_healthy(void **state)
{
    (void)state;
    char cause[ENDPOINT_CAUSE_BYTES];
    assert_int_equal(check_status(RPC_HEALTH_SERVING, cause), ENDPOINT_HEALTHY);
    assert_string_equal(cause, "");
    assert_false(without_service);
    assert_int_equal(check_status(RPC_HEALTH_NOT_SERVING, cause), ENDPOINT_UNHEALTHY);
    assert_string_equal(cause, "health check answered NOT_SERVING");
    assert_int_equal(check_status(RPC_HEALTH_SERVICE_UNKNOWN, cause), ENDPOINT_UNHEALTHY);
    assert_string_equal(cause, "health check answered SERVICE_UNKNOWN");
    /* UNKNOWN is proto3's default: an empty message, of which nothing is on the wire */
    assert_int_equal(check_status(RPC_HEALTH_UNKNOWN, cause), ENDPOINT_UNHEALTHY);
    static const uint8_t unknown[] = {0, 0, 0, 0, 2, 8, 0};
    assert_int_equal(
        check_once(":status: 200\n" GRPC, unknown, sizeof(unknown), "grpc-status: 0\n", cause),
        ENDPOINT_UNHEALTHY);
    assert_string_equal(cause, "health check answered UNKNOWN");
    static const uint8_t other[] = {0, 0, 0, 0, 2, 8, 9};
    assert_int_equal(
        check_once(":status: 200\n" GRPC, other, sizeof(other), "grpc-status: 0\n", cause),
        ENDPOINT_UNHEALTHY);
    assert_string_equal(cause, "health check answered 9, which is no serving status");
}

/* A number is all of the field: not what it begins with, and not what is left of a larger one. */
static void a_status_that_is_no_number_is_a_fault(void **state)
{
    (void)state;
    static const uint8_t serving[] = {0, 0, 0, 0, 2, 8, 1};
    static const char *const trailers[] = {
        "grpc-status: zero\n",       "grpc-status: 0x\n",         "grpc-status: +0\n",
        "grpc-status: 4294967296\n", "grpc-status: 12 of them\n", "grpc-status: 17\n",
    };
    char cause[ENDPOINT_CAUSE_BYTES];
    for (size_t i = 0; i < sizeof(trailers) / sizeof(trailers[0]); i++) {
        assert_int_equal(
            check_once(":status: 200\n" GRPC, serving, sizeof(serving), trailers[i], cause),
            ENDPOINT_UNHEALTHY);
        assert_string_equal(cause, "health check failed with UNKNOWN");
    }
}

static void a_server_without_the_service_lives(void **state)
{
    (void)state;
    static const char *const answers[] = {
        ":status: 200\n" GRPC "grpc-status: 12\n",  ":status: 404\n",
        ":status: 405\ncontent-type: text/plain\n", ":status: 415\n",
        ":status: 404\n" GRPC "grpc-status: 12\n",
    };
    char cause[ENDPOINT_CAUSE_BYTES];
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_int_equal(check_once(answers[i], NULL, 0, NULL, cause), ENDPOINT_HEALTHY);
        assert_string_equal(cause, "");
        assert_true(without_service);
    }
    assert_int_equal(check_once(":status: 200\n" GRPC, "", 0, "grpc-status: 12\n", cause),
                     ENDPOINT_HEALTHY);
    assert_int_equal(check_once(":status: 404\n", "not found", 9, NULL, cause), ENDPOINT_HEALTHY);
}

static void other_answers_are_unhealthy_and_named(void **state)
{
    (void)state;
    static const char *const answers[][2] = {
        {":status: 200\n" GRPC "grpc-status: 14\n", "health check failed with UNAVAILABLE"},
        {":status: 200\n" GRPC "grpc-status: 7\n", "health check failed with PERMISSION_DENIED"},
        {":status: 200\n" GRPC "grpc-status: 5\n",
         "health check failed with NOT_FOUND: its health service says nothing of the whole server, the "
         "service \"\""},
        {":status: 404\n" GRPC "grpc-status: 14\n", "health check failed with UNAVAILABLE"},
        {":status: 400\n", "health check was answered with HTTP status 400"},
        {":status: 403\n", "health check was answered with HTTP status 403"},
        {":status: 200\ncontent-type: text/html\n",
         "health check was not answered in gRPC, but with content-type text/html"},
        {":status: 200\ncontent-type: \xc3\xa9\n",
         "health check was not answered in gRPC, but with content-type \\xc3\\xa9"},
        {":status: 200\n" GRPC, "health check was not answered in gRPC"},
        {":status: 503\n", "health check was answered with HTTP status 503"},
        {":status: 301\nlocation: x\n", "health check was answered with HTTP status 301"},
        {":status: 401\n", "health check was answered with HTTP status 401"},
        {":status: 200\n", "health check was not answered in gRPC"},
        {":status: 200\n" GRPC "grpc-status: 0\n",
         "health check was answered with what is no HealthCheckResponse"},
    };
    char cause[ENDPOINT_CAUSE_BYTES];
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_int_equal(check_once(answers[i][0], NULL, 0, NULL, cause), ENDPOINT_UNHEALTHY);
        assert_string_equal(cause, answers[i][1]);
    }
}

static void garbage_is_no_health(void **state)
{
    (void)state;
    static const uint8_t garbage[][12] = {
        {0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff},    /* no protobuf */
        {0, 0, 0, 0, 2, 0x0a, 0x01},                /* cut */
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, /* no frame */
        {0},
    };
    char cause[ENDPOINT_CAUSE_BYTES];
    enum endpoint_health result;
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        result = check_once(":status: 200\n" GRPC, garbage[i], 9, "grpc-status: 0\n", cause);
        assert_int_equal(result, ENDPOINT_UNHEALTHY);
    }
    static uint8_t flood[100000]; /* more than is kept of an answer */
    result = check_once(":status: 200\n" GRPC, flood, sizeof(flood), "grpc-status: 0\n", cause);
    assert_int_equal(result, ENDPOINT_UNHEALTHY);
    assert_int_equal(check_once(":status: 200\n" GRPC, flood, 7, NULL, cause), ENDPOINT_UNHEALTHY);
    assert_int_equal(check_once(":status: 200\nconnection: close\n", NULL, 0, NULL, cause),
                     ENDPOINT_UNHEALTHY);
    assert_non_null(strstr(cause, "health check ended with "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_serving_is_healthy),
        cmocka_unit_test(a_status_that_is_no_number_is_a_fault),
        cmocka_unit_test(a_server_without_the_service_lives),
        cmocka_unit_test(other_answers_are_unhealthy_and_named),
        cmocka_unit_test(garbage_is_no_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

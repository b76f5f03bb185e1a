/* What goes upstream is valid and within limits, whatever came in; so is what comes back. */
#include "scene.h"

#include "h2/session.h"
#include "relay/headers.h"

#include <stdio.h>

/* A field of a value of `len` characters. */
static const char *long_field(size_t len)
{
    static char field[30000];
    snprintf(field, sizeof(field), "long: %0*d\n", (int)len, 7);
    return field;
}

/* The request's bytes as RFC 9113 section 6.5.2 counts them; `fields` has lines. */
static size_t count_bytes(const char *fields)
{
    size_t bytes = 0;
    for (const char *line = fields; *line != '\0'; line = strchr(line, '\n') + 1) {
        bytes += strcspn(line, "\n") - 2 + 32;
    }
    return bytes;
}

static void te_goes_up_once_whatever_came(void **state)
{
    (void)state;
    static const char *const more[] = {"", "te: gzip\n", "te: trailers\n", "te: \n"};
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client(scene);
    size_t seen = 0;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        scene_ask(client, more[i]);
        struct peer *conn = scene->endpoints[0].peer_count > 0 ? scene_conn(scene, 0, 0) : NULL;
        if (conn != NULL && conn->stream_count > seen) { /* else it was refused */
            struct peer_stream *far = peer_stream(conn, seen++);
            assert_int_equal(peer_count(far, "te"), 1);
            assert_string_equal(peer_value(far, "te"), "trailers");
        }
    }
    assert_true(seen > 0);
    struct peer_stream *bare =
        peer_ask(client,
                 ":method: POST\n:scheme: http\n:authority: a\n:path: /p.S/M\n"
                 "content-type: application/grpc\nagent-version: v1.0\n",
                 false);
    scene_settle();
    assert_false(bare->closed);
    assert_int_equal(peer_count(peer_stream(scene_conn(scene, 0, 0), seen), "te"), 1);
    scene_close(scene);
}

static void what_speaks_of_one_connection_stays_on_it(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene_ask(scene_client(scene), "content-length: 5\nhost: other\nhttp2-settings: AAAA\n"
                                   "proxy-authorization: x\nproxy-x: y\nx-proxy-z: stays\n");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_null(peer_value(far, "content-length"));
    assert_null(peer_value(far, "host"));
    assert_null(peer_value(far, "http2-settings"));
    assert_null(peer_value(far, "proxy-authorization"));
    assert_null(peer_value(far, "proxy-x"));
    assert_string_equal(peer_value(far, "x-proxy-z"), "stays");
    assert_string_equal(peer_value(far, ":authority"), "proxy");
    scene_close(scene);
}

static void a_host_becomes_the_authority_where_there_is_none(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    peer_ask(scene_client(scene),
             ":method: POST\n:scheme: http\n:path: /p.S/M\nhost: name:1\n"
             "content-type: application/grpc\nagent-version: v1.0\n",
             false);
    scene_settle();
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_string_equal(peer_value(far, ":authority"), "name:1");
    assert_null(peer_value(far, "host"));
    scene_close(scene);
}

static void a_secret_is_never_indexed_on_the_way(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer_stream *near = scene_ask(scene_client(scene), "!x-token: secret\nopen: x\n");
    struct peer_stream *far = peer_stream(scene_conn(scene, 0, 0), 0);
    assert_non_null(strstr(far->head, "!x-token: secret\n"));
    assert_non_null(strstr(far->head, "\nopen: x\n"));
    peer_respond(far, ":status: 200\ncontent-type: application/grpc\n!set-cookie: secret\n", false);
    peer_trailers(far, "grpc-status: 0\n!token: secret\n");
    scene_settle();
    assert_non_null(strstr(near->head, "!set-cookie: secret\n"));
    assert_non_null(strstr(near->trailers, "!token: secret\n"));
    scene_close(scene);
}

static void a_secret_survives_a_retry(void **state)
{
    (void)state;
    struct scene *scene = scene_open(&(struct scene_config){.v1 = 2});
    scene_ask(scene_client(scene), "!x-token: secret\n");
    size_t home = scene->endpoints[0].peer_count > 0 ? 0 : 1;
    peer_reset(peer_stream(scene_conn(scene, home, 0), 0), H2_REFUSED_STREAM);
    scene_settle();
    struct peer_stream *second = peer_stream(scene_conn(scene, 1 - home, 0), 0);
    assert_non_null(strstr(second->head, "!x-token: secret\n"));
    scene_close(scene);
}

static void a_block_near_the_limit_is_refused_before_it_harms(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    struct peer *client = scene_client(scene);
    size_t limit = H2_HEADER_BLOCK_BYTES - RELAY_HEADER_MARGIN_BYTES;
    size_t base = count_bytes(scene_request("v1.1", "long: \n"));
    struct peer_stream *fits = scene_ask(client, long_field(limit - base));
    assert_false(fits->closed);
    assert_int_equal(conn->stream_count, 2);
    struct peer_stream *large = scene_ask(client, long_field(limit - base + 1));
    scene_assert_status(large, 8, "larger than the limit of 15872 bytes towards cluster server-v1");
    struct peer_stream *huge = scene_ask(client, long_field(20000));
    scene_assert_status(huge, 8, "request refused: ");
    scene_run(30000); /* no clock is left running */
    assert_int_equal(conn->stream_count, 2);
    assert_int_equal(scene_stat(scene, rq_rejected), 2);
    assert_false(fits->closed);
    scene_check(&bystander);
    scene_close(scene);
}

static void a_block_that_an_endpoint_does_not_take_is_not_sent(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    scene->endpoints[0].config.header_list = 1000;
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer_stream *near = scene_ask(scene_client(scene), long_field(1000));
    scene_assert_status(near, 8, "larger than the limit of 1000 bytes towards cluster server-v1");
    assert_int_equal(scene_conn(scene, 0, 0)->stream_count, 1);
    scene_check(&bystander);
    scene_close(scene);
}

static void an_answer_that_a_client_does_not_take_is_told_as_such(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *client = scene_client_with(scene, &(struct peer_config){.header_list = 500});
    struct peer *conn = scene_conn(scene, 0, 0);
    char fields[2000];
    struct peer_stream *near = scene_ask(client, "");
    snprintf(fields, sizeof(fields), ":status: 200\ncontent-type: application/grpc\n%s",
             long_field(600));
    peer_respond(peer_stream(conn, 1), fields, false);
    scene_settle();
    scene_assert_status(near, 8, "larger than the client's limit of 500 bytes");
    assert_true(peer_stream(conn, 1)->closed);
    near = scene_ask(client, "");
    peer_begin(peer_stream(conn, 2));
    snprintf(fields, sizeof(fields), "grpc-status: 0\n%s", long_field(600));
    peer_trailers(peer_stream(conn, 2), fields);
    scene_settle();
    scene_assert_status(near, 8, "larger than the client's limit of 500 bytes");
    assert_int_equal(scene_live(scene), 1);
    scene_check(&bystander);
    scene_close(scene);
}

static void a_client_that_takes_next_to_nothing_gets_a_reset(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    struct peer *client = scene_client_with(scene, &(struct peer_config){.header_list = 1});
    struct peer_stream *near = scene_ask(client, "");
    peer_begin(peer_stream(scene_conn(scene, 0, 0), 0));
    scene_settle();
    assert_true(near->closed);
    assert_int_equal(near->error, H2_INTERNAL_ERROR);
    assert_int_equal(scene_live(scene), 0);
    scene_close(scene);
}

#define ODD(method, scheme, authority, path, more)                                                 \
    ":method: " method "\n:scheme: " scheme "\n:authority: " authority "\n:path: " path            \
    "\ncontent-type: application/grpc\nagent-version: v1.0\n" more

/* Each of them ends the whole connection at one server or another. */
static void odd_requests_reach_no_endpoint(void **state)
{
    (void)state;
    static const char *const odd[] = {
        ODD("POST", "ftp", "a", "/p.S/M", ""),
        ODD("POST", "http", "user@a", "/p.S/M", ""),
        ODD("POST", "http", "a b", "/p.S/M", ""),
        ODD("POST", "http", "", "/p.S/M", ""),
        ODD("POST", "http", "a", "*", ""),
        ODD("POST", "http", "a", "/\xff", ""),
        ODD("POST", "http", "a", "/p S", ""),
        ODD("POST", "http", "a", "http://x/", ""),
        ODD("GET", "http", "a", "/p.S/M", ""),
        ODD("P OST", "http", "a", "/p.S/M", ""),
        ODD("POST", "http", "a", "/p.S/M", "connection: close\n"),
        ODD("POST", "http", "a", "/p.S/M", "transfer-encoding: chunked\n"),
        ODD("POST", "http", "a", "/p.S/M", "x y: z\n"),
        ODD("POST", "http", "a", "/p.S/M", "x: a\001b\n"),
        ODD("POST", "http", "a", "/p.S/M", ":late: x\n"),
        ODD("POST", "http", "a", "/p.S/M", "host: b\nhost: c\n"),
        ODD("POST", "http", "a", "/p.S/M", "host: b c\n"),
        ODD("POST", "http", "a", "/p.S/M", "content-length: x\n"),
        ODD("POST", "http", "a", "/p.S/M", "content-length: 1\ncontent-length: 2\n"),
        ODD("POST", "http", "a", "/p.S/M", "x-bin: not base64!\n"),
        ODD("POST", "http", "a", "/p.S/M", "agent-version: v1.1\n"),
        ":method: CONNECT\n:authority: a\n",
    };
    struct scene *scene = scene_open(NULL);
    struct scene_bystander bystander = scene_bystander(scene);
    struct peer *conn = scene_conn(scene, 0, 0);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct peer *client = scene_client(scene); /* what is malformed costs who sent it */
        struct peer_stream *near = peer_ask(client, odd[i], true);
        scene_run(100);
        if (conn->stream_count != 1) {
            fail_msg("went upstream: %s", odd[i]);
        }
        assert_true(near->closed || near->ended);
        peer_abort(client);
        scene_check(&bystander);
    }
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(te_goes_up_once_whatever_came),
        cmocka_unit_test(what_speaks_of_one_connection_stays_on_it),
        cmocka_unit_test(a_host_becomes_the_authority_where_there_is_none),
        cmocka_unit_test(a_secret_is_never_indexed_on_the_way),
        cmocka_unit_test(a_secret_survives_a_retry),
        cmocka_unit_test(a_block_near_the_limit_is_refused_before_it_harms),
        cmocka_unit_test(a_block_that_an_endpoint_does_not_take_is_not_sent),
        cmocka_unit_test(an_answer_that_a_client_does_not_take_is_told_as_such),
        cmocka_unit_test(a_client_that_takes_next_to_nothing_gets_a_reset),
        cmocka_unit_test(odd_requests_reach_no_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The stream log: every reason of its table is reached, each stream ends once, and what a line says
 * of a stream is what became of it. */
#include "scene.h"

#include "base/line_file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "h2/block.h" /* for its size */
#include "h2/session.h"
#include "relay/client.h"
#include "relay/leave.h"
#include "relay/stream_log.h"
#include "rpc/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH      "/tmp/grpcroute-stream-log"
#define LIMIT     ((size_t)512 * 1024)
#define YOUNG_MAX 50
#define LINES_MAX 512

#define ROUTES                                                                                     \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: a}\nspec:\n"      \
    "  rules:\n  - matches: [{headers: [{type: Exact, name: agent-version, value: v1.1}]}]\n"

static const struct log_source PROXY = {"proxy", NULL, "p"};

static char path[64];
static char text[1024 * 1024];
static char *lines[LINES_MAX];
static size_t line_count;

/* ---- the log --------------------------------------------------------------------------------- */

static struct scene *open_with_log(const struct scene_config *config)
{
    char why[APPEND_ERROR_BYTES];
    struct scene *scene = scene_open(config);
    snprintf(path, sizeof(path), PATH "-%d", (int)getpid());
    unlink(path);
    scene->relay->config.access_log = line_file_open(path, "stream log", &PROXY, NULL, why);
    assert_non_null(scene->relay->config.access_log);
    return scene;
}

/* Ends everything, and reads what was written. */
static void close_and_read(struct scene *scene)
{
    struct line_file *log = scene->relay->config.access_log;
    scene_close(scene);
    assert_int_equal(line_file_dropped(log), 0);
    line_file_close(log);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    line_count = 0;
    for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        assert_true(line_count < LINES_MAX);
        lines[line_count++] = at;
    }
}

/* The first line with this in it; NULL: there is none. */
static const char *find(const char *words)
{
    for (size_t i = 0; i < line_count; i++) {
        if (strstr(lines[i], words) != NULL) {
            return lines[i];
        }
    }
    return NULL;
}

static void assert_has(const char *line, const char *words)
{
    if (strstr(line, words) == NULL) {
        fail_msg("no %s in %s", words, line);
    }
}

static void assert_lacks(const char *line, const char *words)
{
    if (strstr(line, words) != NULL) {
        fail_msg("%s in %s", words, line);
    }
}

/* ---- every reason ---------------------------------------------------------------------------- */

/* The endpoint's side of the stream that was asked for last. */
static struct peer_stream *last_far(struct scene *scene)
{
    struct peer *conn = scene_conn(scene, 0, scene->endpoints[0].peer_count - 1);
    return peer_stream(conn, conn->stream_count - 1);
}

static struct peer_stream *ask(struct scene *scene)
{
    return scene_ask(scene_client(scene), "");
}

static void complete(struct scene *scene)
{
    ask(scene);
    peer_status(last_far(scene), 5, "nothing here");
}

static void end_without_a_status(struct scene *scene)
{
    ask(scene);
    peer_begin(last_far(scene));
    peer_end(last_far(scene));
}

static void reset_by_server(struct scene *scene)
{
    ask(scene);
    peer_begin(last_far(scene));
    peer_reset(last_far(scene), H2_INTERNAL_ERROR);
}

static void refuse_stream(struct peer_stream *stream)
{
    peer_reset(stream, H2_REFUSED_STREAM);
}

static void refuse(struct scene *scene)
{
    scene->endpoints[0].config.on_block = refuse_stream;
    ask(scene);
    scene_run(20 * NET_TICK_MS);
}

static void lose_server(struct scene *scene)
{
    ask(scene);
    peer_begin(last_far(scene));
    scene_settle();
    peer_abort(scene_conn(scene, 0, 0));
}

static void break_http2(struct scene *scene)
{
    ask(scene);
    peer_respond(last_far(scene), ":status: 200\nconnection: close\n", false);
}

static void cancel(struct scene *scene)
{
    peer_reset(ask(scene), H2_CANCEL);
}

static void go_away(struct scene *scene)
{
    struct peer *client = scene_client(scene);
    scene_ask(client, "");
    peer_goaway(client, 0, H2_NO_ERROR, "bye");
    scene_settle();
    peer_close(client);
}

static void lose_client(struct scene *scene)
{
    struct peer *client = scene_client(scene);
    scene_ask(client, "");
    peer_abort(client);
}

static void flood(struct scene *scene)
{
    struct peer *client = scene_client(scene);
    scene_ask(client, "");
    for (uint32_t i = 0; i < 1000 && client->transport != NULL; i++) {
        peer_set(client, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 70000 + i);
        scene_settle();
    }
}

static void repeat_a_header(struct scene *scene)
{
    scene_ask(scene_client(scene), "agent-version: v2.1\n");
}

static void ask_v2(struct scene *scene)
{
    scene_ask_v2(scene_client(scene), "");
}

static void just_ask(struct scene *scene)
{
    ask(scene);
}

static void ask_in_vain(struct scene *scene)
{
    scene->endpoints[0].dial = SCENE_REFUSES;
    ask(scene);
}

static void answer_too_much(struct scene *scene)
{
    static char fields[2000];
    scene_ask(scene_client_with(scene, &(struct peer_config){.header_list = 500}), "");
    snprintf(fields, sizeof(fields), ":status: 200\ncontent-type: application/grpc\nlong: %0900d\n",
             7);
    peer_respond(last_far(scene), fields, false);
}

static void read_nothing(struct scene *scene)
{
    struct peer *client = scene_client_with(scene, &(struct peer_config){.shut = true});
    for (int i = 0; i < 12; i++) {
        scene_ask(client, "");
        peer_begin(last_far(scene));
        peer_send_zeros(last_far(scene), 60000);
        scene_settle();
    }
}

static void leave_hogs_unread(struct peer_stream *stream)
{
    const char *id = peer_value(stream, "agent-id");
    stream->unread = id != NULL && strcmp(id, "hog") == 0;
}

static void hold_credit(struct scene *scene)
{
    scene->endpoints[0].config.withholds = true;
    scene->endpoints[0].config.on_block = leave_hogs_unread;
    struct scene_bystander waiting = scene_bystander(scene);
    struct scene_bystander talker = scene_bystander(scene);
    struct peer *hog = scene_client(scene);
    peer_send_zeros(scene_ask(hog, "agent-id: hog\n"), 40000);
    peer_send_zeros(scene_ask(hog, "agent-id: hog\n"), 40000);
    for (int i = 0; i < 60; i++) {
        peer_send(talker.far, ".", 1); /* so that the endpoint is known to live */
        peer_send(waiting.near, "waits", 5);
        scene_run(200);
    }
}

static void be_expelled(struct scene *scene)
{
    struct peer *client = scene_client(scene);
    scene_ask(client, ""); /* stays on the shared connection */
    for (int i = 0; i <= YOUNG_MAX; i++) {
        peer_reset(scene_ask(client, ""), H2_CANCEL);
        scene_settle();
    }
    for (int i = 0; i < 3; i++) {
        scene_ask(client, "");
        scene_ask(client, "");
        peer_abort(scene_conn(scene, 0, scene->endpoints[0].peer_count - 1));
        scene_run(1100);
    }
}

static void drain(struct scene *scene)
{
    ask(scene);
    relay_drain(scene->relay);
}

static void grow_old(struct scene *scene)
{
    scene->relay->config.max_stream_age_ms = 5000;
    ask(scene);
    peer_begin(last_far(scene));
    scene_run(6000);
}

/* As the proxy's moves ask. */
static void ask_to_leave(struct scene *scene, enum leave_reason reason)
{
    struct endpoint *endpoint = scene_view(scene, 0);
    ask(scene);
    peer_begin(last_far(scene));
    if (reason == LEAVE_UNHEALTHY) {
        atomic_store(&endpoint->health, ENDPOINT_UNHEALTHY);
    }
    atomic_store(&endpoint->leave_reason, (int)reason);
    atomic_fetch_add(&endpoint->leave_asked, 1);
    atomic_store(&scene->relay->moving, true);
    scene_run(2 * NET_TICK_MS);
}

static void move(struct scene *scene)
{
    ask_to_leave(scene, LEAVE_MOVED);
}

static void lose_endpoint(struct scene *scene)
{
    ask_to_leave(scene, LEAVE_REMOVED);
}

static void fall_ill(struct scene *scene)
{
    ask_to_leave(scene, LEAVE_UNHEALTHY);
}

static const struct {
    void (*bring_about)(struct scene *scene);
    const char *words; /* of the line, beside who and why */
    struct scene_config config;
} REASONS[] = {
    [STREAM_COMPLETED] = {complete, "\"grpc_status\":5,\"http_status\":200", {0}},
    [STREAM_NO_STATUS] = {end_without_a_status, "\"http_status\":200,\"ended_by\"", {0}},
    [STREAM_RESET] = {reset_by_server, "\"detail\":\"INTERNAL_ERROR\"", {0}},
    [STREAM_REFUSED] = {refuse, "\"grpc_status\":14", {0}},
    [STREAM_SERVER_LOST] = {lose_server, "\"grpc_status\":14", {0}},
    [STREAM_SERVER_BROKEN] = {break_http2, "broke HTTP/2 or a limit", {0}},
    [STREAM_CANCELLED] = {cancel, "\"detail\":\"CANCEL\"", {0}},
    [STREAM_GOAWAY] = {go_away, "bye", {0}},
    [STREAM_CLIENT_LOST] = {lose_client, "\"endpoint\":\"10.0.0.1:50051\"", {0}},
    [STREAM_CLIENT_BROKEN] = {flood, "\"detail\":\"peer sent too many SETTINGS", {0}},
    [STREAM_REJECTED] = {repeat_a_header, "\"grpc_status\":3", {0}},
    [STREAM_NO_ROUTE] = {ask_v2,
                         "\"grpc_status\":12",
                         {.routes = ROUTES "    backendRefs: [{name: server-v1, port: 1}]\n"}},
    [STREAM_NO_BACKEND] = {just_ask,
                           "\"route\":\"a[0]\"",
                           {.routes = ROUTES "    backendRefs: []\n"}},
    [STREAM_NO_ENDPOINT] = {ask_v2, "no healthy endpoint in cluster server-v2", {0}},
    [STREAM_UNREACHABLE] = {ask_in_vain, "connection refused", {0}},
    [STREAM_LARGE_ANSWER] = {answer_too_much, "the client's limit of 500 bytes", {0}},
    [STREAM_SHED] = {read_nothing, "\"grpc_status\":8", {.max_buffered = LIMIT}},
    [STREAM_CLOGGED] = {hold_credit, "\"agent_id\":\"hog\"", {0}},
    [STREAM_EXPELLED] = {be_expelled, "", {0}},
    [STREAM_DRAINING] = {drain, "\"grpc_status\":14", {.drain_ms = 1000}},
    [STREAM_OLD] = {grow_old, "\"grpc_status\":14", {0}},
    [STREAM_MOVED] = {move, "\"grpc_status\":14", {0}},
    [STREAM_REMOVED] = {lose_endpoint, "\"grpc_status\":14", {0}},
    [STREAM_UNHEALTHY] = {fall_ill, "\"grpc_status\":14", {0}},
};

static void every_reason_is_reached(void **state)
{
    (void)state;
    size_t count = sizeof(REASONS) / sizeof(REASONS[0]);
    assert_int_equal(count, STREAM_UNHEALTHY + 1);
    for (size_t i = STREAM_LIVE + 1; i < count; i++) {
        char wanted[128];
        assert_non_null(REASONS[i].bring_about);
        struct scene *scene = open_with_log(&REASONS[i].config);
        REASONS[i].bring_about(scene);
        scene_settle();
        uint64_t streams = scene_stat(scene, downstream_rq_total);
        close_and_read(scene);
        snprintf(wanted, sizeof(wanted), "\"ended_by\":\"%s\",\"reason\":\"%s\"",
                 stream_reason_party((enum stream_reason)i),
                 stream_reason_word((enum stream_reason)i));
        const char *line = find(wanted);
        if (line == NULL) {
            fail_msg("no %s among %zu lines: %s", wanted, line_count, lines[0]);
        }
        assert_has(line, REASONS[i].words);
        assert_int_equal(line_count, streams); /* as many ends as streams */
    }
}

/* ---- what a line says ------------------------------------------------------------------------ */

static void counts_are_those_of_the_stream(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    struct peer_stream *near = ask(scene);
    peer_send(near, "\0\0\0\0\4ping\0\0\0\0\1p", 15);
    scene_run(1234);
    peer_begin(last_far(scene));
    peer_send(last_far(scene), "\0\0\0\0\2hi", 7);
    peer_trailers(last_far(scene), "grpc-status: 0\n");
    scene_settle();
    close_and_read(scene);
    assert_int_equal(line_count, 1);
    assert_has(lines[0], "{\"log\":\"grpcroute.stream\",\"event\":\"end\",\"time\":\"");
    assert_has(lines[0], "\"grpc_status\":0,\"http_status\":200,\"ended_by\":\"server\",\"reason\":"
                         "\"completed\",\"age_ms\":1234,\"messages_up\":2,\"messages_down\":1,"
                         "\"bytes_up\":15,\"bytes_down\":7}");
}

static void who_did_not_hear_the_end_has_no_status(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    struct peer *client = scene_client_with(scene, &(struct peer_config){.shut = true});
    scene_ask(client, "");
    peer_begin(last_far(scene));
    peer_send_zeros(last_far(scene), 1000);
    peer_trailers(last_far(scene), "grpc-status: 0\n");
    scene_settle();
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_ENDING);
    peer_abort(client);
    scene_settle();
    close_and_read(scene);
    assert_has(lines[0],
               "\"reason\":\"completed\",\"detail\":\"the client had lost its connection\"");
    assert_lacks(lines[0], "grpc_status");
}

/* Whatever the code of the reset is. */
static void who_resets_before_the_end_is_out_has_not_heard_it(void **state)
{
    (void)state;
    static const uint32_t codes[] = {H2_NO_ERROR, H2_CANCEL};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        struct scene *scene = open_with_log(NULL);
        struct peer *client = scene_client_with(scene, &(struct peer_config){.shut = true});
        struct peer_stream *near = scene_ask(client, "");
        peer_begin(last_far(scene));
        peer_send_zeros(last_far(scene), 1000);
        peer_trailers(last_far(scene), "grpc-status: 0\n");
        scene_settle();
        peer_reset(near, codes[i]);
        scene_settle();
        close_and_read(scene);
        assert_has(lines[0], "\"http_status\":200,\"ended_by\":\"server\",\"reason\":\"completed\","
                             "\"detail\":\"the client had gone, or reset the stream\"");
        assert_lacks(lines[0], "grpc_status");
    }
}

static void an_answer_that_never_left_is_not_told(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    struct peer_stream *near = ask(scene);
    struct rpc_conn *conn = scene_exchange(scene)->client->conn;
    fake_room(rpc_conn_stream(conn), 0);     /* it takes nothing */
    h2_session_ping(rpc_conn_session(conn)); /* ... but this */
    scene_settle();
    peer_status(last_far(scene), 5, "nothing here");
    scene_settle();
    assert_int_equal(scene_exchange(scene)->state, EXCHANGE_ENDING);
    peer_reset(near, H2_NO_ERROR);
    scene_settle();
    close_and_read(scene);
    assert_has(lines[0], "\"reason\":\"completed\",\"detail\":\"the client had gone, or reset");
    assert_lacks(lines[0], "grpc_status");
    assert_lacks(lines[0], "http_status");
}

static void who_resets_when_all_is_out_has_heard_it(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    struct peer_stream *near = ask(scene);
    peer_status(last_far(scene), 0, "");
    scene_settle();
    peer_reset(near, H2_NO_ERROR);
    scene_settle();
    close_and_read(scene);
    assert_has(lines[0], "\"grpc_status\":0,\"http_status\":200");
    assert_lacks(lines[0], "detail");
}

/* ---- no memory ------------------------------------------------------------------------------- */

static size_t failing_bytes; /* an allocation of this size fails; 0: none does */

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

/* What the reader of a header block asks for. */
#define BLOCK_READER_BYTES sizeof(struct h2_block_reader)

void *__wrap_malloc(size_t bytes)
{
    return failing_bytes != 0 && bytes == failing_bytes ? NULL : __real_malloc(bytes);
}

static void our_own_lack_of_memory_is_no_fault_of_the_clients(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    struct peer *client = scene_client(scene);
    scene_ask(client, "");
    pool_drop();
    failing_bytes = BLOCK_READER_BYTES;
    peer_ask(client, scene_request("v1.1", ""), false);
    scene_settle();
    failing_bytes = 0;
    assert_null(client->transport); /* nothing can be read there any more */
    close_and_read(scene);
    assert_int_equal(line_count, 1);
    assert_has(lines[0], "\"ended_by\":\"proxy\",\"reason\":\"shed\",\"detail\":\"no memory for ");
}

static void our_own_lack_of_memory_is_no_fault_of_the_endpoints(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    struct peer_stream *near = ask(scene);
    pool_drop();
    failing_bytes = BLOCK_READER_BYTES;
    peer_begin(last_far(scene));
    scene_settle();
    failing_bytes = 0;
    scene_assert_status(near, 14, "no memory for ");
    assert_int_equal(atomic_load(&scene_view(scene, 0)->faults), 0);
    close_and_read(scene);
    assert_has(lines[0], "\"grpc_status\":14,\"http_status\":200,\"ended_by\":\"proxy\",\"reason\":"
                         "\"shed\"");
}

static void a_status_that_is_none_is_not_told(void **state)
{
    (void)state;
    static const char *const values[] = {"17", "-1", "", "0x0", "99999999999999999999", "1x"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char trailers[64];
        struct scene *scene = open_with_log(NULL);
        ask(scene);
        peer_begin(last_far(scene));
        snprintf(trailers, sizeof(trailers), "grpc-status: %s\n", values[i]);
        peer_trailers(last_far(scene), trailers);
        scene_settle();
        close_and_read(scene);
        assert_lacks(lines[0], "grpc_status");
        assert_has(lines[0], "\"ended_by\":\"server\",\"reason\":");
    }
}

static void a_request_that_is_too_large_has_a_line(void **state)
{
    (void)state;
    static char more[20000];
    struct scene *scene = open_with_log(NULL);
    snprintf(more, sizeof(more), "long: %017000d\n", 7);
    scene_ask(scene_client(scene), more);
    close_and_read(scene);
    assert_int_equal(line_count, 1);
    assert_has(lines[0], "\"agent_version\":\"v1.1\"");
    assert_has(lines[0], "\"grpc_status\":8,\"http_status\":200,\"ended_by\":\"proxy\",\"reason\":"
                         "\"rejected\",\"detail\":\"request refused: ");
}

#define PLAIN_REQUEST                                                                              \
    ":method: POST\n:scheme: http\n:authority: a\n:path: /x\nagent-version: v1.1\n"

/* A body that looks like messages is none where it is not said to be gRPC. */
static void check_foreign(const char *request, const char *answer, const char *words)
{
    static const char body[] = "\0\0\0\0\4ping";
    struct scene *scene = open_with_log(NULL);
    struct peer_stream *near = peer_ask(scene_client(scene), request, false);
    scene_settle();
    peer_send(near, body, 9);
    scene_settle();
    peer_respond(last_far(scene), answer, false);
    peer_send(last_far(scene), body, 9);
    peer_end(last_far(scene));
    scene_settle();
    close_and_read(scene);
    assert_int_equal(line_count, 1);
    assert_has(lines[0], words);
    assert_has(lines[0], "\"bytes_up\":9,\"bytes_down\":9");
    assert_lacks(lines[0], "grpc_status");
}

static void what_is_no_grpc_has_neither_messages_nor_a_status(void **state)
{
    (void)state;
    static const char html[] = ":status: 415\ncontent-type: text/html\n";
    check_foreign(PLAIN_REQUEST "content-type: text/plain\n", html,
                  "\"http_status\":415,\"ended_by\":\"server\",\"reason\":\"no status\"");
    check_foreign(PLAIN_REQUEST "content-type: text/plain\n", html,
                  "\"messages_up\":0,\"messages_down\":0");
    check_foreign(PLAIN_REQUEST, html, "\"messages_up\":0,\"messages_down\":0");
    check_foreign(PLAIN_REQUEST "content-type: application/grpc-web\n",
                  ":status: 200\ncontent-type: application/grpc-web\n",
                  "\"messages_up\":0,\"messages_down\":0");
    check_foreign(PLAIN_REQUEST "content-type: application/grpc+proto\n", html,
                  "\"messages_up\":1,\"messages_down\":0");
    check_foreign(PLAIN_REQUEST "content-type: application/grpc\n", ":status: 200\n",
                  "\"reason\":\"no status\",\"age_ms\":0,\"messages_up\":1,\"messages_down\":1");
}

static void who_does_not_speak_grpc_gets_no_grpc_status(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    struct peer *client = scene_client(scene);
    peer_ask(client, ":method: GET\n:scheme: http\n:authority: a\n:path: /x\nagent-version: v2.1\n",
             true);
    scene_settle();
    close_and_read(scene);
    assert_has(lines[0], "\"path\":\"/x\"");
    assert_has(lines[0], "\"http_status\":");
    assert_lacks(lines[0], "grpc_status");
}

static void begins_are_told_if_asked_for(void **state)
{
    (void)state;
    struct scene *scene = open_with_log(NULL);
    scene->relay->config.access_log_open = true;
    complete(scene);
    scene_settle();
    close_and_read(scene);
    assert_int_equal(line_count, 2);
    assert_has(lines[0], "\"event\":\"open\"");
    assert_has(lines[0], "\"stream\":1,");
    assert_has(lines[0], "\"endpoint\":\"10.0.0.1:50051\"}");
    assert_has(lines[1], "\"event\":\"end\"");
    assert_has(lines[1], "\"stream\":1,");
}

static void without_a_log_nothing_is_kept(void **state)
{
    (void)state;
    struct scene *scene = scene_open(NULL);
    ask(scene);
    assert_null(scene_exchange(scene)->labels);
    complete(scene);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_is_reached),
        cmocka_unit_test(counts_are_those_of_the_stream),
        cmocka_unit_test(who_did_not_hear_the_end_has_no_status),
        cmocka_unit_test(who_resets_before_the_end_is_out_has_not_heard_it),
        cmocka_unit_test(an_answer_that_never_left_is_not_told),
        cmocka_unit_test(who_resets_when_all_is_out_has_heard_it),
        cmocka_unit_test(our_own_lack_of_memory_is_no_fault_of_the_clients),
        cmocka_unit_test(our_own_lack_of_memory_is_no_fault_of_the_endpoints),
        cmocka_unit_test(a_status_that_is_none_is_not_told),
        cmocka_unit_test(a_request_that_is_too_large_has_a_line),
        cmocka_unit_test(what_is_no_grpc_has_neither_messages_nor_a_status),
        cmocka_unit_test(who_does_not_speak_grpc_gets_no_grpc_status),
        cmocka_unit_test(begins_are_told_if_asked_for),
        cmocka_unit_test(without_a_log_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

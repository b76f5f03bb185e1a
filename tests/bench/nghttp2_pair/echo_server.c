/* A PingPong server on plain nghttp2 that answers each ping with its own bytes, on one thread. With
 * --fault it does one thing wrong, so that a test sees that the driver notices.
 *
 * Any path is PingPong, but grpc.health.v1's Check, which is told SERVING. */
#include "echo_options.h"
#include "link.h"
#include "tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_PER_CONNECTION 10000
#define STREAM_WINDOW          (1024 * 1024)
#define CONNECTION_WINDOW      (16 * 1024 * 1024)

static struct echo_options options = {.version = "v1", .id = "nghttp2", .fault_at = 1};
static struct link_loop loop;
static SSL_CTX *tls; /* NULL: plaintext */
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *session_options;
static uint64_t pings;

struct connection {
    struct link link;
    struct call *calls; /* owned: nghttp2_session_del() tells of no stream */
};

struct call {
    struct connection *connection;
    struct call *next, **of_previous;
    int32_t id;
    bool is_health, half_closed, deferred, fails;
    struct wire_bytes held, out;
};

static void call_new(struct connection *connection, int32_t id)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        abort();
    }
    *call = (struct call){.connection = connection, .id = id, .next = connection->calls};
    if (call->next != NULL) {
        call->next->of_previous = &call->next;
    }
    call->of_previous = &connection->calls;
    connection->calls = call;
    nghttp2_session_set_stream_user_data(connection->link.session, id, call);
}

static void call_free(struct call *call)
{
    *call->of_previous = call->next;
    if (call->next != NULL) {
        call->next->of_previous = call->of_previous;
    }
    wire_bytes_deinit(&call->held);
    wire_bytes_deinit(&call->out);
    free(call);
}

/* ---- answers -------------------------------------------------------------------------------- */

static struct wire_text text_of(const char *words)
{
    return (struct wire_text){(const uint8_t *)words, strlen(words)};
}

static void answer(struct call *call, const struct wire_ping *ping, enum echo_fault fault)
{
    struct wire_ping pong = {.message = ping->message,
                             .server_version =
                                 text_of(fault == ECHO_FAULT_SERVER ? "v9" : options.version),
                             .server_id = text_of(options.id),
                             .sequence = ping->sequence};

    if (fault == ECHO_FAULT_MESSAGE) {
        pong.message = text_of("wrong");
    }
    for (int i = fault == ECHO_FAULT_DROP ? 1 : fault == ECHO_FAULT_TWICE ? -1 : 0; i < 1; i++) {
        wire_write_ping(&call->out, &pong);
    }
}

static int on_ping(void *user, const uint8_t *data, size_t length)
{
    static const uint8_t serving[] = {0, 0, 0, 0, 2, 0x08, 0x01};
    struct call *call = user;
    struct wire_ping ping;

    if (call->is_health) {
        wire_bytes_add(&call->out, serving, sizeof(serving));
        return 0;
    }
    if (wire_read_ping(data, length, &ping) != 0) {
        return -1;
    }
    enum echo_fault fault = ++pings == options.fault_at ? options.fault : ECHO_FAULT_NONE;
    if (fault == ECHO_FAULT_RESET) {
        return -1;
    }
    call->fails = call->fails || fault == ECHO_FAULT_STATUS;
    answer(call, &ping, fault);
    return 0;
}

static ssize_t on_data_wanted(nghttp2_session *session, int32_t id, uint8_t *to, size_t length,
                              uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct call *call = source->ptr;
    size_t count = wire_bytes_take(&call->out, to, length);

    (void)user;
    if (wire_bytes_left(&call->out) == 0 && call->half_closed) {
        nghttp2_nv trailer = LINK_FIELD("grpc-status", call->fails ? "13" : "0");
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return nghttp2_submit_trailer(session, id, &trailer, 1) == 0
                   ? (ssize_t)count
                   : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    call->deferred = count == 0;
    return call->deferred ? NGHTTP2_ERR_DEFERRED : (ssize_t)count;
}

static void send_more(struct call *call)
{
    if (call->deferred) {
        call->deferred = false;
        nghttp2_session_resume_data(call->connection->link.session, call->id);
    }
}

/* ---- what nghttp2 tells --------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        call_new(user, frame->hd.stream_id);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    static const char health[] = "/grpc.health.v1.Health/Check";
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)user;
    if (call != NULL && name_length == 5 && memcmp(name, ":path", 5) == 0) {
        call->is_health =
            wire_text_equals((struct wire_text){value, value_length}, health, sizeof(health) - 1);
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    static const nghttp2_nv head[] = {LINK_FIELD(":status", "200"),
                                      LINK_FIELD("content-type", "application/grpc")};
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)user;
    if (call == NULL || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) {
        return 0;
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        call->half_closed = true;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        nghttp2_data_provider body = {{.ptr = call}, on_data_wanted};
        return nghttp2_submit_response(session, call->id, head, 2, &body);
    }
    send_more(call);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)user;
    if (call != NULL && wire_split(&call->held, data, length, on_ping, call) != 0) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, id);

    (void)code;
    (void)user;
    if (call != NULL) {
        call_free(call);
    }
    return 0;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_ready(struct link *link)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_PER_CONNECTION},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
    };

    nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(link->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

static void on_ended(struct link *link, const char *reason)
{
    struct connection *connection = (struct connection *)link; /* its first member */

    (void)reason; /* the driver judges */
    while (connection->calls != NULL) {
        call_free(connection->calls);
    }
    free(connection);
}

static const struct link_events events = {on_ready, on_ended};

static void on_connection(struct link_loop *of, int fd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    nghttp2_session *session;

    if (connection == NULL ||
        nghttp2_session_server_new2(&session, callbacks, connection, session_options) != 0) {
        abort();
    }
    link_accept(&connection->link, of, fd, tls_accepting(tls), session, &events);
}

static void make_callbacks(void)
{
    if (nghttp2_session_callbacks_new(&callbacks) != 0 ||
        nghttp2_option_new(&session_options) != 0) {
        abort();
    }
    nghttp2_option_set_no_closed_streams(session_options, 1);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

int main(int argc, char **argv)
{
    if (echo_parse(argc, argv, &options) != 0) {
        return echo_usage();
    }
    make_callbacks();
    if (options.cert != NULL && (tls = tls_server(options.cert, options.key)) == NULL) {
        return 2;
    }
    if (link_loop_init(&loop) != 0 || link_loop_listen(&loop, &options.port) != 0) {
        perror("nghttp2-echo-server");
        return 2;
    }
    loop.on_connection = on_connection;
    printf("Listening on 127.0.0.1:%u\n", options.port);
    fflush(stdout);
    while (link_loop_turn(&loop, -1) == 0) {
    }
    perror("nghttp2-echo-server");
    return 1;
}

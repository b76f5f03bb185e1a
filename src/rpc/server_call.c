/* One gRPC call from the server's side.
 *
 * Happy path: request block -> checks -> on_start, response headers -> on_message ... ->
 * on_half_close -> finish -> on_closed.
 * Failure modes: a broken or oversized message and the deadline finish the call with their status;
 * a reset or a lost connection closes it with CANCELLED. Backpressure: while the client does not
 * read our answers, its input is held, unanswered and without credit. */
#include "base/clock.h"
#include "base/mem.h"
#include "net/stream.h"
#include "rpc/conn.h"
#include "rpc/metadata.h"
#include "rpc/server_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above the first mark input is held, below the second it is delivered again. */
#define HOLD_BYTES    (32 * 1024)
#define RELEASE_BYTES (16 * 1024)

/* ---- deadline -------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_deadline(uv_timer_t *timer)
{
    rpc_server_call_finish(timer->data, RPC_DEADLINE_EXCEEDED, "deadline exceeded");
}

static void start_deadline(struct rpc_server_call *call, uint64_t timeout_ns)
{
    call->timer = mem_new(uv_timer_t);
    call->timer->data = call;
    uv_timer_init(&call->server->loop->uv, call->timer);
    uv_timer_start(call->timer, on_deadline, timeout_ns / NS_PER_MS + 1, 0);
}

/* ---- start ----------------------------------------------------------------------------------- */

static const struct rpc_method *find_method(const struct rpc_server *server, const char *path)
{
    for (const struct rpc_method *method = server->config.methods; method->path != NULL; method++) {
        if (strcmp(method->path, path) == 0) {
            return method;
        }
    }
    return NULL;
}

static const struct h2_stream_events stream_events;

static struct rpc_server_call *call_new(struct server_conn *conn, struct h2_stream *stream,
                                        const struct rpc_method *method)
{
    struct rpc_server *server = conn->server;
    struct rpc_server_call *call = mem_new(struct rpc_server_call);
    call->server = server;
    call->conn = conn;
    call->stream = stream;
    call->method = method;
    rpc_frame_reader_init(&call->reader, RPC_MESSAGE_LIMIT_BYTES);
    list_append(&server->calls, &call->node);
    server->call_count++;
    h2_stream_attach(stream, &stream_events, call);
    return call;
}

static void tell_half_close(struct rpc_server_call *call)
{
    if (!call->half_closed || call->half_close_told || call->decided || call->held.len > 0) {
        return;
    }
    call->half_close_told = true;
    if (rpc_frame_reader_pending(&call->reader)) {
        rpc_server_call_finish(call, RPC_INTERNAL, "request ended inside a message");
    } else if (call->method->on_half_close != NULL) {
        call->method->on_half_close(call);
    }
}

static void begin_call(struct server_conn *conn, struct h2_stream *stream,
                       const struct h2_block *block, bool end_stream)
{
    const struct h2_header *path = h2_block_find(block, ":path", NULL); /* every POST has one */
    const struct rpc_method *method = find_method(conn->server, path->value);
    if (method == NULL) {
        char message[RPC_MESSAGE_BYTES];
        snprintf(message, sizeof(message), "unknown method %.200s", path->value);
        server_answer_status(stream, RPC_UNIMPLEMENTED, message);
        return;
    }
    uint64_t timeout_ns = 0;
    const struct h2_header *timeout = h2_block_find(block, "grpc-timeout", NULL);
    if (timeout != NULL &&
        rpc_timeout_parse(timeout->value, timeout->value_len, &timeout_ns) != 0) {
        server_answer_status(stream, RPC_INTERNAL, "malformed grpc-timeout");
        return;
    }
    struct rpc_server_call *call = call_new(conn, stream, method);
    if (timeout != NULL) {
        start_deadline(call, timeout_ns);
    }
    method->on_start(call, block, conn->server->config.server_user);
    if (!method->late_headers) {
        server_call_send_headers(call);
    }
    call->half_closed = end_stream;
    tell_half_close(call);
}

void server_call_on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                            bool end_stream)
{
    if (!server_refuse(stream, block, end_stream)) {
        begin_call(user, stream, block, end_stream);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool congested(const struct rpc_server_call *call)
{
    return h2_stream_queued_bytes(call->stream) > HOLD_BYTES;
}

static bool on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct rpc_server_call *call = ctx;
    call->method->on_message(call, bytes, len);
    return !call->decided;
}

static void deliver_messages(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    switch (rpc_frame_reader_feed(&call->reader, bytes, len, on_message, call)) {
    case 0:
    case RPC_FRAME_E_STOPPED:
        return;
    case RPC_FRAME_E_TOO_LARGE:
        rpc_server_call_finish(call, RPC_RESOURCE_EXHAUSTED,
                               "message is larger than the limit of 65536 bytes");
        return;
    case RPC_FRAME_E_COMPRESSED:
        rpc_server_call_finish(call, RPC_INTERNAL, "compressed message without grpc-encoding");
        return;
    case RPC_FRAME_E_FLAG:
        rpc_server_call_finish(call, RPC_INTERNAL, "message flag is neither 0 nor 1");
        return;
    default:
        rpc_server_call_finish(call, RPC_RESOURCE_EXHAUSTED, "no memory for the message");
        return;
    }
}

static void deliver(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    if (call->method->on_bytes != NULL) {
        call->method->on_bytes(call, bytes, len);
    } else {
        deliver_messages(call, bytes, len);
    }
}

static void give_credit(struct rpc_server_call *call, size_t len)
{
    if (!call->holds || call->decided) {
        h2_stream_consume(call->stream, len);
    }
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_server_call *call = user;
    if (call->decided) {
        h2_stream_consume(call->stream, len);
        return;
    }
    if (call->held.len > 0 || congested(call)) {
        if (buf_append(&call->held, bytes, len, 2 * H2_STREAM_WINDOW_BYTES) != 0) {
            rpc_server_call_finish(call, RPC_RESOURCE_EXHAUSTED,
                                   "client does not read the answers");
        }
        return;
    }
    deliver(call, bytes, len);
    give_credit(call, len);
}

static void on_sent(void *user, size_t len)
{
    (void)len;
    struct rpc_server_call *call = user;
    if (call->method->on_sent != NULL) {
        call->method->on_sent(call);
    }
    if (call->held.len == 0 || h2_stream_queued_bytes(call->stream) > RELEASE_BYTES) {
        return;
    }
    struct buf held = call->held;
    call->held = (struct buf){0};
    if (!call->decided) {
        deliver(call, buf_data(&held), held.len);
    }
    give_credit(call, held.len);
    buf_deinit(&held);
    tell_half_close(call);
}

static void on_end(void *user)
{
    struct rpc_server_call *call = user;
    call->half_closed = true;
    tell_half_close(call);
}

/* Trailers end the request; gRPC defines none that say anything. */
static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    (void)kind;
    (void)block;
    (void)end_stream;
    on_end(user);
}

/* ---- end ------------------------------------------------------------------------------------- */

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    (void)unprocessed;
    struct rpc_server_call *call = user;
    if (!call->decided) { /* the client's side is over before the method decided */
        call->decided = true;
        server_call_describe_close(call, error, &call->status);
    } else if (!h2_stream_end_left(call->stream)) {
        call->cut_with = error;
    }
    if (call->timer != NULL) {
        uv_close((uv_handle_t *)call->timer, on_timer_closed);
    }
    if (call->method->on_closed != NULL) {
        call->method->on_closed(call, &call->status);
    }
    list_remove(&call->node);
    call->server->call_count--;
    rpc_frame_reader_deinit(&call->reader);
    buf_deinit(&call->held);
    free(call);
}

static const struct h2_stream_events stream_events = {
    .on_block = on_block,
    .on_data = on_data,
    .on_end = on_end,
    .on_sent = on_sent,
    .on_close = on_close,
};

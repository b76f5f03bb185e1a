/* What a method sends: metadata, messages, the end; and what it is told of an end that came before.
 */
#include "base/mem.h"
#include "rpc/conn.h"
#include "rpc/server_impl.h"

#include <stdlib.h>
#include <string.h>

/* Answers to everything that one window of input may hold, when none is larger than its request by
 * much. */
#define QUEUE_CAP_BYTES (1024 * 1024)

/* ---- initial metadata ------------------------------------------------------------------------ */

void server_call_send_headers(struct rpc_server_call *call)
{
    const struct h2_header fields[] = {
        H2_HEADER(":status", "200"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("grpc-accept-encoding", "identity"),
    };
    if (!call->headers_sent && !call->decided) {
        call->headers_sent = true;
        h2_stream_respond(call->stream, fields, ARRAY_SIZE(fields), false);
    }
}

/* The first `own_count` fields and those of the method, owned by the caller. */
static struct h2_header *join(const struct h2_header *own, size_t own_count,
                              const struct h2_header *fields, size_t count)
{
    struct h2_header *all = mem_calloc(own_count + count, sizeof(*all));
    memcpy(all, own, own_count * sizeof(*all));
    if (count > 0) {
        memcpy(all + own_count, fields, count * sizeof(*all));
    }
    return all;
}

int rpc_server_call_headers(struct rpc_server_call *call, const struct h2_header *fields,
                            size_t count)
{
    const struct h2_header own[] = {
        H2_HEADER(":status", "200"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("grpc-accept-encoding", "identity"),
    };
    if (call->headers_sent || call->decided) {
        return H2_E_CLOSED;
    }
    struct h2_header *all = join(own, ARRAY_SIZE(own), fields, count);
    int rv = h2_stream_respond(call->stream, all, ARRAY_SIZE(own) + count, false);
    free(all);
    call->headers_sent = rv == 0;
    return rv;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool fits(const struct rpc_server_call *call, size_t len)
{
    return h2_stream_queued_bytes(call->stream) + len <= QUEUE_CAP_BYTES;
}

int rpc_server_call_send(struct rpc_server_call *call, const void *bytes, size_t len)
{
    if (call->decided) {
        return H2_E_CLOSED;
    }
    server_call_send_headers(call);
    if (!fits(call, RPC_FRAME_PREFIX_BYTES + len)) {
        return H2_E_FULL;
    }
    uint8_t prefix[RPC_FRAME_PREFIX_BYTES];
    rpc_frame_prefix(prefix, len);
    int rv = h2_stream_write(call->stream, prefix, sizeof(prefix), SIZE_MAX);
    return rv != 0 ? rv : h2_stream_write(call->stream, bytes, len, SIZE_MAX);
}

int rpc_server_call_write(struct rpc_server_call *call, const void *bytes, size_t len)
{
    if (call->decided) {
        return H2_E_CLOSED;
    }
    server_call_send_headers(call);
    return fits(call, len) ? h2_stream_write(call->stream, bytes, len, SIZE_MAX) : (int)H2_E_FULL;
}

size_t rpc_server_call_queued_bytes(const struct rpc_server_call *call)
{
    return h2_stream_queued_bytes(call->stream);
}

void rpc_server_call_discard(struct rpc_server_call *call)
{
    h2_stream_discard(call->stream);
}

void rpc_server_call_hold(struct rpc_server_call *call)
{
    call->holds = true;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Nothing more is delivered; the status is what on_closed is told. */
static void decide(struct rpc_server_call *call, enum rpc_code code, const char *message)
{
    rpc_status_set(&call->status, code, "%s", message);
    call->decided = true;
    if (call->held.len > 0) {
        h2_stream_consume(call->stream, call->held.len);
        buf_deinit(&call->held);
    }
}

static void send_trailers(struct rpc_server_call *call, enum rpc_code code, const char *message)
{
    struct rpc_status_texts texts;
    rpc_status_encode(code, message, &texts);
    const struct h2_header fields[] = {
        H2_HEADER("grpc-status", texts.code),
        H2_HEADER("grpc-message", texts.message),
    };
    h2_stream_trailers(call->stream, fields, message[0] != '\0' ? 2 : 1);
}

void rpc_server_call_finish(struct rpc_server_call *call, enum rpc_code code, const char *message)
{
    if (call->decided) {
        return;
    }
    message = message != NULL ? message : "";
    if (call->headers_sent) {
        send_trailers(call, code, message);
    } else {
        server_answer_status(call->stream, code, message);
    }
    decide(call, code, message);
}

int rpc_server_call_finish_with(struct rpc_server_call *call, enum rpc_code code,
                                const char *message, const struct h2_header *fields, size_t count)
{
    if (call->decided) {
        return H2_E_CLOSED;
    }
    message = message != NULL ? message : "";
    struct rpc_status_texts texts;
    rpc_status_encode(code, message, &texts);
    const struct h2_header own[] = {
        H2_HEADER(":status", "200"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("grpc-accept-encoding", "identity"),
        H2_HEADER("grpc-status", texts.code),
        H2_HEADER("grpc-message", texts.message),
    };
    /* Trailers alone have what a response has, too: PROTOCOL-HTTP2.md, Trailers-Only. */
    size_t skipped = call->headers_sent ? 3 : 0;
    size_t own_count = ARRAY_SIZE(own) - skipped - (message[0] == '\0');
    struct h2_header *all = join(own + skipped, own_count, fields, count);
    int rv = call->headers_sent ? h2_stream_trailers(call->stream, all, own_count + count)
                                : h2_stream_respond(call->stream, all, own_count + count, true);
    free(all);
    if (rv == 0) {
        decide(call, code, message);
    }
    return rv;
}

void rpc_server_call_reset(struct rpc_server_call *call, uint32_t h2_error)
{
    if (!call->decided) {
        decide(call, RPC_CANCELLED, "reset by the server");
    }
    h2_stream_reset(call->stream, h2_error);
}

void server_call_describe_close(const struct rpc_server_call *call, uint32_t error,
                                struct rpc_status *ret_status)
{
    const struct h2_session *session = h2_stream_session(call->stream);
    const char *fault = h2_stream_fault(call->stream);
    const char *why = h2_session_reason(session);
    why = why != NULL ? why : h2_session_goaway_text(session);
    if (fault != NULL) {
        rpc_status_set(ret_status, RPC_CANCELLED, "the client broke HTTP/2: %s", fault);
    } else if (error == H2_CONNECTION_LOST) {
        rpc_status_set(ret_status, RPC_CANCELLED, "the client's connection is gone%s%s",
                       why != NULL ? ": " : "", why != NULL ? why : "");
        ret_status->origin = RPC_FROM_CONNECTION;
    } else {
        rpc_status_set(ret_status, RPC_CANCELLED, "the client went away: stream reset with %s",
                       h2_error_name(error));
        ret_status->origin = RPC_FROM_RESET;
    }
    ret_status->h2_error = error;
}

bool rpc_server_call_was_cut(const struct rpc_server_call *call, struct rpc_status *ret_status)
{
    if (call->cut_with == H2_NO_ERROR) {
        return false;
    }
    server_call_describe_close(call, call->cut_with, ret_status);
    return true;
}

/* ---- its connection -------------------------------------------------------------------------- */

void rpc_server_call_goaway(struct rpc_server_call *call, const char *debug)
{
    rpc_conn_drain(call->conn->conn, debug);
}

uint64_t rpc_server_call_connection(const struct rpc_server_call *call)
{
    return call->conn->number;
}

void *rpc_server_call_connection_user(const struct rpc_server_call *call)
{
    return call->conn->user;
}

void rpc_server_call_set_connection_user(struct rpc_server_call *call, void *user)
{
    call->conn->user = user;
}

const char *rpc_server_call_peer(const struct rpc_server_call *call)
{
    return rpc_conn_peer(call->conn->conn);
}

/* ---- what it belongs to ---------------------------------------------------------------------- */

struct net_loop *rpc_server_call_loop(const struct rpc_server_call *call)
{
    return call->server->loop;
}

void *rpc_server_call_user(const struct rpc_server_call *call)
{
    return call->user;
}

void rpc_server_call_set_user(struct rpc_server_call *call, void *user)
{
    call->user = user;
}

void *rpc_server_call_server_user(const struct rpc_server_call *call)
{
    return call->server->config.server_user;
}

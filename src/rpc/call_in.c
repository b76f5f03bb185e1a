/* What the peer says on a call: the response's headers, messages, trailers, and the end of its
 * side. */
#include "rpc/call_impl.h"

#include "rpc/answer.h"
#include "rpc/client.h"
#include "rpc/conn.h"
#include "rpc/metadata.h"

#include <stdio.h>

/* The server's status ends the call in both directions, whether or not the server says so with a
 * reset of its own. An empty frame does it without being taken for one of a reset flood; what the
 * server does not read is dropped. */
static void end_our_side(struct rpc_call *call)
{
    if (h2_stream_queued_bytes(call->stream) > 0) {
        h2_stream_reset(call->stream, H2_NO_ERROR);
    } else {
        h2_stream_end(call->stream);
    }
}

static void decide_not_grpc(struct rpc_call *call, const struct h2_block *block)
{
    struct rpc_status status;
    rpc_answer_describe(block, rpc_conn_credential(rpc_client_conn(call->client)), &status);
    rpc_call_decide(call, &status);
    h2_stream_reset(call->stream, H2_CANCEL);
}

/* Before they decide the call's end, so that who reads them still has a call. */
static void tell_trailers(struct rpc_call *call, const struct h2_block *block)
{
    if (call->events->on_trailers != NULL) {
        call->events->on_trailers(call->user, block);
    }
}

static void receive_response(struct rpc_call *call, const struct h2_block *block, bool end_stream)
{
    uint32_t http_status = rpc_answer_http_status(block);
    const struct h2_header *type = h2_block_find(block, "content-type", NULL);
    bool grpc = type != NULL && rpc_is_grpc_content_type(type->value, type->value_len);
    struct rpc_status status;
    if (end_stream && rpc_answer_read(block, &status)) {
        tell_trailers(call, block);
        rpc_call_decide(call, &status); /* Trailers-Only */
        end_our_side(call);
    } else if (http_status != 200 || !grpc) {
        decide_not_grpc(call, block);
    } else if (end_stream) {
        rpc_call_fail(call, RPC_INTERNAL, "response ended without a grpc-status");
    } else {
        rpc_call_enter(call, RPC_CALL_ANSWERING);
        call->early = rpc_answer_read(block, &status);
        call->early_code = call->early ? status.code : RPC_OK;
        if (call->events->on_headers != NULL) {
            call->events->on_headers(call->user, block);
        }
    }
}

/* Some clients believe the one, some the other. */
static void set_conflict(const struct rpc_call *call, struct rpc_status *status)
{
    enum rpc_code last = status->code;
    rpc_status_set(status, RPC_INTERNAL,
                   "grpc-status is %s in the response headers and %s in the trailers",
                   rpc_code_name(call->early_code), rpc_code_name(last));
    status->origin = RPC_FROM_CONFLICT;
}

static void receive_trailers(struct rpc_call *call, const struct h2_block *block)
{
    struct rpc_status status;
    if (rpc_frame_reader_pending(&call->reader)) {
        rpc_call_fail(call, RPC_INTERNAL, "response ended inside a message");
    } else if (rpc_answer_read(block, &status)) {
        tell_trailers(call, block);
        if (call->early && call->early_code != status.code) {
            set_conflict(call, &status);
        }
        rpc_call_decide(call, &status);
        end_our_side(call);
    } else {
        rpc_call_fail(call, RPC_INTERNAL, "trailers carry no grpc-status");
    }
}

void rpc_call_on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                       bool end_stream)
{
    struct rpc_call *call = user;
    if (rpc_call_is_decided(call)) {
        return;
    }
    if (kind == H2_BLOCK_RESPONSE) {
        receive_response(call, block, end_stream);
    } else if (kind == H2_BLOCK_TRAILERS) {
        receive_trailers(call, block);
    }
}

static bool on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct rpc_call *call = ctx;
    call->events->on_message(call->user, bytes, len);
    return !rpc_call_is_decided(call);
}

void rpc_call_on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_call *call = user;
    if (call->hold) {
        call->held_bytes += len;
    } else {
        h2_stream_consume(call->stream, len);
    }
    if (rpc_call_is_decided(call)) {
        return;
    }
    switch (rpc_frame_reader_feed(&call->reader, bytes, len, on_message, call)) {
    case 0:
    case RPC_FRAME_E_STOPPED:
        return;
    case RPC_FRAME_E_TOO_LARGE: {
        char told[64];
        snprintf(told, sizeof(told), "received message is larger than the limit of %zu bytes",
                 call->reader.limit_bytes);
        rpc_call_fail(call, RPC_RESOURCE_EXHAUSTED, told);
        return;
    }
    case RPC_FRAME_E_COMPRESSED:
    case RPC_FRAME_E_FLAG:
        rpc_call_fail(call, RPC_INTERNAL,
                      "received message is compressed, which was not asked for");
        return;
    default:
        rpc_call_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory for the received message");
        return;
    }
}

void rpc_call_on_end(void *user)
{
    struct rpc_call *call = user;
    if (!rpc_call_is_decided(call)) {
        struct rpc_status status;
        rpc_status_set(&status, RPC_INTERNAL, "response ended without trailers");
        status.origin = RPC_FROM_CUT;
        rpc_call_decide(call, &status);
        h2_stream_reset(call->stream, H2_CANCEL);
    }
}

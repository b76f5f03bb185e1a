/* One gRPC call from the client's side.
 *
 * A verdict is reached once, by the first of: trailers, an answer that is not gRPC, a broken
 * message, the deadline, cancellation, the stream's close. It is delivered when the stream has
 * closed.
 *
 *    asking --response headers--> answering
 *      |                            |
 *      +-----------verdict----------+--> decided --stream closed--> closed */
#include "rpc/call.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "rpc/answer.h"
#include "rpc/client.h"
#include "rpc/conn.h"
#include "rpc/frame.h"
#include "rpc/metadata.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_FIELDS 8
/* What may wait beside one message of the largest size, which always fits: beyond this the peer
 * does not read, and the sender has to wait. */
#define QUEUE_SPARE_BYTES (RPC_FRAME_PREFIX_BYTES + 1024)

enum call_state {
    CALL_ASKING,
    CALL_ANSWERING,
    CALL_DECIDED, /* from here on `status` is the verdict */
    CALL_CLOSED,  /* but for on_closed */
};

struct rpc_call {
    enum call_state state;
    struct rpc_client *client;
    struct h2_stream *stream; /* NULL once closed */
    const struct rpc_call_events *events;
    void *user;
    struct rpc_frame_reader reader;
    uv_timer_t *timer; /* owned; NULL without a deadline */
    size_t send_limit_bytes;
    size_t held_bytes; /* read, and their credit not given back */
    bool hold;
    bool early; /* a grpc-status stood in the response's headers, where it does not belong: */
    enum rpc_code early_code;
    struct rpc_status status;
};

/* The only place where the state changes. */
static void enter(struct rpc_call *call, enum call_state state)
{
    static const unsigned may_follow[] = {
        [CALL_ASKING] = 1u << CALL_ANSWERING | 1u << CALL_DECIDED,
        [CALL_ANSWERING] = 1u << CALL_DECIDED,
        [CALL_DECIDED] = 1u << CALL_CLOSED,
        [CALL_CLOSED] = 0,
    };
    assert((may_follow[call->state] & 1u << state) != 0);
    call->state = state;
}

static bool is_decided(const struct rpc_call *call)
{
    return call->state >= CALL_DECIDED;
}

/* The first verdict stands. */
static void decide(struct rpc_call *call, const struct rpc_status *status)
{
    if (!is_decided(call)) {
        call->status = *status;
        enter(call, CALL_DECIDED);
    }
}

/* Ends the call from this side. */
static void fail_with(struct rpc_call *call, enum rpc_code code, uint32_t error,
                      const char *message)
{
    struct rpc_status status;
    rpc_status_set(&status, code, "%s", message);
    decide(call, &status);
    if (call->stream != NULL) {
        h2_stream_reset(call->stream, error);
    }
}

static void fail(struct rpc_call *call, enum rpc_code code, const char *message)
{
    fail_with(call, code, H2_CANCEL, message);
}

/* ---- deadline -------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_deadline(uv_timer_t *timer)
{
    fail(timer->data, RPC_DEADLINE_EXCEEDED, "deadline exceeded");
}

static void start_deadline(struct rpc_call *call, uint64_t timeout_ns)
{
    if (timeout_ns == 0) {
        return;
    }
    call->timer = mem_new(uv_timer_t);
    call->timer->data = call;
    uv_timer_init(&rpc_conn_loop(rpc_client_conn(call->client))->uv, call->timer);
    uv_timer_start(call->timer, on_deadline, (timeout_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/* ---- what the peer says ---------------------------------------------------------------------- */

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
    decide(call, &status);
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
        decide(call, &status); /* Trailers-Only */
        end_our_side(call);
    } else if (http_status != 200 || !grpc) {
        decide_not_grpc(call, block);
    } else if (end_stream) {
        fail(call, RPC_INTERNAL, "response ended without a grpc-status");
    } else {
        enter(call, CALL_ANSWERING);
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
        fail(call, RPC_INTERNAL, "response ended inside a message");
    } else if (rpc_answer_read(block, &status)) {
        tell_trailers(call, block);
        if (call->early && call->early_code != status.code) {
            set_conflict(call, &status);
        }
        decide(call, &status);
        end_our_side(call);
    } else {
        fail(call, RPC_INTERNAL, "trailers carry no grpc-status");
    }
}

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    struct rpc_call *call = user;
    if (is_decided(call)) {
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
    return !is_decided(call);
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_call *call = user;
    if (call->hold) {
        call->held_bytes += len;
    } else {
        h2_stream_consume(call->stream, len);
    }
    if (is_decided(call)) {
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
        fail(call, RPC_RESOURCE_EXHAUSTED, told);
        return;
    }
    case RPC_FRAME_E_COMPRESSED:
    case RPC_FRAME_E_FLAG:
        fail(call, RPC_INTERNAL, "received message is compressed, which was not asked for");
        return;
    default:
        fail(call, RPC_RESOURCE_EXHAUSTED, "no memory for the received message");
        return;
    }
}

static void on_end(void *user)
{
    struct rpc_call *call = user;
    if (!is_decided(call)) {
        struct rpc_status status;
        rpc_status_set(&status, RPC_INTERNAL, "response ended without trailers");
        status.origin = RPC_FROM_CUT;
        decide(call, &status);
        h2_stream_reset(call->stream, H2_CANCEL);
    }
}

static void set_lost(const struct rpc_call *call, struct rpc_status *status, const char *goaway)
{
    rpc_status_set(status, RPC_UNAVAILABLE, "connection to %.80s was lost%s%.140s",
                   rpc_client_peer(call->client), goaway != NULL ? " after " : "",
                   goaway != NULL ? goaway : "");
    status->origin = RPC_FROM_CONNECTION;
}

static void decide_by_close(struct rpc_call *call, uint32_t error, bool unprocessed)
{
    const char *goaway = h2_session_goaway_text(h2_stream_session(call->stream));
    const char *fault = h2_stream_fault(call->stream);
    struct rpc_status status;
    if (error == H2_CONNECTION_LOST) {
        set_lost(call, &status, goaway);
    } else if (unprocessed && goaway != NULL) {
        /* the connection itself may live on, for other calls */
        rpc_status_set(&status, RPC_UNAVAILABLE, "connection is going away: %s", goaway);
    } else if (fault != NULL) {
        rpc_status_set(&status, rpc_code_from_h2(error), "%s", fault);
    } else {
        rpc_status_set(&status, rpc_code_from_h2(error), "%s", "");
        status.origin = RPC_FROM_RESET;
        status.h2_error = error;
    }
    decide(call, &status);
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct rpc_call *call = user;
    decide_by_close(call, error, unprocessed);
    call->stream = NULL;
    call->status.unprocessed = unprocessed;
    enter(call, CALL_CLOSED);
    if (call->timer != NULL) {
        uv_close((uv_handle_t *)call->timer, on_timer_closed);
    }
    call->events->on_closed(call->user, &call->status);
    rpc_frame_reader_deinit(&call->reader);
    free(call);
}

static const struct h2_stream_events stream_events = {
    .on_block = on_block,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

/* ---- what the caller does -------------------------------------------------------------------- */

/* `fields` has room for OWN_FIELDS and the call's metadata. */
static size_t request_fields(const struct rpc_client *client, const struct rpc_call_config *config,
                             char timeout[static RPC_TIMEOUT_BYTES], struct h2_header *fields)
{
    size_t count = 0;
    fields[count++] = H2_HEADER(":method", "POST");
    fields[count++] = H2_HEADER(":scheme", rpc_client_is_tls(client) ? "https" : "http");
    fields[count++] = H2_HEADER(":path", config->path);
    fields[count++] = H2_HEADER(":authority", rpc_client_authority(client));
    if (config->timeout_ns != 0) {
        rpc_timeout_format(timeout, config->timeout_ns);
        fields[count++] = H2_HEADER("grpc-timeout", timeout);
    }
    fields[count++] = H2_HEADER("te", "trailers");
    fields[count++] = H2_HEADER("content-type", "application/grpc");
    fields[count++] = H2_HEADER("user-agent", "grpc-c-nghttp2/" GRPCROUTE_VERSION " (grpcroute)");
    assert(count <= OWN_FIELDS);
    for (size_t i = 0; i < config->metadata_count; i++) {
        fields[count++] = config->metadata[i];
    }
    return count;
}

static int open_stream(struct rpc_call *call, const struct rpc_call_config *config)
{
    char timeout[RPC_TIMEOUT_BYTES];
    struct h2_header *fields =
        mem_calloc(OWN_FIELDS + config->metadata_count, sizeof(struct h2_header));
    size_t count = request_fields(call->client, config, timeout, fields);
    struct h2_session *session = rpc_conn_session(rpc_client_conn(call->client));
    int rv = h2_stream_open(session, fields, count, false, &stream_events, call, &call->stream);
    free(fields);
    return rv;
}

static size_t chosen_limit(size_t asked)
{
    return asked != 0 ? asked : RPC_MESSAGE_LIMIT_BYTES;
}

const char *rpc_call_unstarted(int outcome)
{
    switch (outcome) {
    case H2_E_NO_ROOM:
        return "it takes no further stream on this connection";
    case H2_E_HEADERS:
        return "it takes no header block as large as ours (MAX_HEADER_LIST_SIZE)";
    default:
        return "no memory for a stream";
    }
}

int rpc_call_start(struct rpc_client *client, const struct rpc_call_config *config,
                   const struct rpc_call_events *events, void *user, struct rpc_call **ret_call)
{
    if (!rpc_client_ready(client)) {
        return H2_E_NO_ROOM;
    }
    struct rpc_call *call = mem_new(struct rpc_call);
    call->client = client;
    call->events = events;
    call->user = user;
    call->send_limit_bytes = chosen_limit(config->send_limit_bytes);
    rpc_frame_reader_init(&call->reader, chosen_limit(config->message_limit_bytes));
    int rv = open_stream(call, config);
    if (rv != 0) {
        free(call);
        return rv;
    }
    start_deadline(call, config->timeout_ns);
    *ret_call = call;
    return 0;
}

int rpc_call_send(struct rpc_call *call, const void *bytes, size_t len)
{
    if (call->stream == NULL || is_decided(call)) {
        return H2_E_CLOSED;
    }
    if (len > call->send_limit_bytes ||
        h2_stream_queued_bytes(call->stream) + RPC_FRAME_PREFIX_BYTES + len >
            call->send_limit_bytes + QUEUE_SPARE_BYTES) {
        return H2_E_FULL;
    }
    uint8_t prefix[RPC_FRAME_PREFIX_BYTES];
    rpc_frame_prefix(prefix, len);
    int rv = h2_stream_write(call->stream, prefix, sizeof(prefix), SIZE_MAX);
    return rv != 0 ? rv : h2_stream_write(call->stream, bytes, len, SIZE_MAX);
}

void rpc_call_half_close(struct rpc_call *call)
{
    if (call->stream != NULL) {
        h2_stream_end(call->stream);
    }
}

void rpc_call_cancel(struct rpc_call *call)
{
    fail(call, RPC_CANCELLED, "cancelled here");
}

void rpc_call_reset(struct rpc_call *call, uint32_t error)
{
    fail_with(call, RPC_CANCELLED, error, "reset here");
}

void rpc_call_hold(struct rpc_call *call, bool hold)
{
    call->hold = hold;
    if (!hold && call->stream != NULL) {
        h2_stream_consume(call->stream, call->held_bytes);
        call->held_bytes = 0;
    }
}

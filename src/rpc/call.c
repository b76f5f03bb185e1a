/* One gRPC call from the client's side: its deadline, its stream, and what the caller does. */
#include "rpc/call_impl.h"

#include "base/clock.h"
#include "base/mem.h"
#include "rpc/client.h"
#include "rpc/conn.h"
#include "rpc/metadata.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define OWN_FIELDS 8
/* What may wait beside one message of the largest size, which always fits: beyond this the peer
 * does not read, and the sender has to wait. */
#define QUEUE_SPARE_BYTES (RPC_FRAME_PREFIX_BYTES + 1024)

/* ---- deadline -------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_deadline(uv_timer_t *timer)
{
    rpc_call_fail(timer->data, RPC_DEADLINE_EXCEEDED, "deadline exceeded");
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

/* ---- its stream ------------------------------------------------------------------------------ */

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct rpc_call *call = user;
    rpc_call_decide_by_close(call, error, unprocessed);
    call->stream = NULL;
    call->status.unprocessed = unprocessed;
    rpc_call_enter(call, RPC_CALL_CLOSED);
    if (call->timer != NULL) {
        uv_close((uv_handle_t *)call->timer, on_timer_closed);
    }
    call->events->on_closed(call->user, &call->status);
    rpc_frame_reader_deinit(&call->reader);
    free(call);
}

static const struct h2_stream_events stream_events = {
    .on_block = rpc_call_on_block,
    .on_data = rpc_call_on_data,
    .on_end = rpc_call_on_end,
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
    if (call->stream == NULL || rpc_call_is_decided(call)) {
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
    rpc_call_fail(call, RPC_CANCELLED, "cancelled here");
}

void rpc_call_reset(struct rpc_call *call, uint32_t error)
{
    rpc_call_fail_with(call, RPC_CANCELLED, error, "reset here");
}

void rpc_call_hold(struct rpc_call *call, bool hold)
{
    call->hold = hold;
    if (!hold && call->stream != NULL) {
        h2_stream_consume(call->stream, call->held_bytes);
        call->held_bytes = 0;
    }
}

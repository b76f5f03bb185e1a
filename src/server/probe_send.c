/* What a Run stream sends: metadata, messages whose payload is made as it leaves, a status. */
#include "base/mem.h"
#include "rpc/frame.h"
#include "server/probe_limits.h"
#include "server/probe_script.h"
#include "server/probe_stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 8192

uint64_t server_probe_now_ms(const struct server_probe_stream *stream)
{
    return uv_now(&rpc_server_call_loop(stream->call)->uv);
}

void server_probe_finish(struct rpc_server_call *call, enum rpc_code code, const char *message)
{
    const struct h2_header busy[] = {H2_HEADER(RPC_PROBE_BUSY_HEADER, "1")};
    bool is_busy = strncmp(message, RPC_PROBE_BUSY, strlen(RPC_PROBE_BUSY)) == 0;
    if (!is_busy || rpc_server_call_finish_with(call, code, message, busy, ARRAY_SIZE(busy)) != 0) {
        rpc_server_call_finish(call, code, message);
    }
}

void server_probe_refuse(struct server_probe_stream *stream, enum rpc_code code, const char *format,
                         ...)
{
    char message[RPC_MESSAGE_BYTES];
    va_list args;
    if (stream->phase == PROBE_ENDED) {
        return;
    }
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    stream->phase = PROBE_ENDED;
    stream->facts.how = RPC_PROBE_LIMIT;
    stream->facts.code = (uint32_t)code;
    server_probe_finish(stream->call, code, message);
}

/* ---- budgets --------------------------------------------------------------------------------- */

#define RATE(name)                                                                                 \
    ((struct server_probe_rate){PROBE_##name##_BURST_BYTES, PROBE_##name##_BYTES_PER_SECOND})

static bool pay_message(struct server_probe_stream *stream, size_t bytes)
{
    uint64_t now_ms = server_probe_now_ms(stream);
    uint64_t cost = bytes > PROBE_MESSAGE_COST_BYTES ? bytes : PROBE_MESSAGE_COST_BYTES;
    const char *whose = NULL;
    if (!server_probe_budget_take(&stream->bytes, RATE(STREAM), cost, now_ms)) {
        whose = "one stream";
    } else if (!server_probe_budget_take(&stream->connection->bytes, RATE(CONNECTION), cost,
                                         now_ms)) {
        whose = "the streams of one connection";
    } else if (!server_probe_budget_take(&stream->probe->bytes, RATE(TOTAL), cost, now_ms)) {
        whose = "all its streams together";
    }
    if (whose != NULL) {
        server_probe_refuse(
            stream, RPC_RESOURCE_EXHAUSTED,
            RPC_PROBE_BUSY "over the bytes each second that this server sends for %s", whose);
    }
    return whose == NULL;
}

static bool pay_metadata(struct server_probe_stream *stream, const struct h2_header *fields,
                         size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += fields[i].name_len + fields[i].value_len + H2_FIELD_OVERHEAD_BYTES;
    }
    bool enough = server_probe_budget_take(&stream->probe->metadata, RATE(METADATA), bytes,
                                           server_probe_now_ms(stream));
    if (!enough) {
        server_probe_refuse(stream, RPC_RESOURCE_EXHAUSTED,
                            RPC_PROBE_BUSY
                            "over the bytes of metadata each second that this server sends");
    }
    return enough;
}

/* ---- metadata -------------------------------------------------------------------------------- */

/* The script with its texts and fields, until the next decode on this thread. */
static void whole_script(const struct server_probe_stream *stream, struct rpc_probe_script *ret)
{
    *ret = stream->script;
    if (stream->script_len > 0) {
        rpc_probe_script_decode(stream->script_bytes, stream->script_len, ret); /* it was good */
    }
}

bool server_probe_send_headers(struct server_probe_stream *stream)
{
    if (stream->headers_sent) {
        return true;
    }
    struct rpc_probe_script script;
    size_t count;
    whole_script(stream, &script);
    struct h2_header *fields = server_probe_script_fields(
        script.headers, script.header_count, script.pad_fields, script.pad_bytes, &count);
    bool paid = pay_metadata(stream, fields, count);
    int rv = paid ? rpc_server_call_headers(stream->call, fields, count) : 0;
    free(fields);
    stream->headers_sent = true;
    if (rv != 0) {
        server_probe_refuse(stream, RPC_RESOURCE_EXHAUSTED,
                            "the client takes no response metadata of that size");
    }
    return paid && rv == 0;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool put(struct server_probe_stream *stream, const uint8_t *bytes, size_t len)
{
    if (rpc_server_call_write(stream->call, bytes, len) != 0) {
        server_probe_refuse(stream, RPC_RESOURCE_EXHAUSTED, "the client does not read");
        return false;
    }
    stream->written_bytes += len;
    return true;
}

bool server_probe_begin_message(struct server_probe_stream *stream, uint64_t sequence,
                                size_t payload_bytes)
{
    uint8_t bytes[RPC_FRAME_PREFIX_BYTES + RPC_PROBE_HEAD_BYTES];
    if (!pay_message(stream, payload_bytes) || !server_probe_send_headers(stream)) {
        return false;
    }
    struct rpc_probe_response response = {
        .sequence = sequence,
        .payload_len = payload_bytes,
        .received = stream->facts.messages,
        .received_bytes = stream->facts.bytes,
    };
    snprintf(response.server_id, sizeof(response.server_id), "%s", stream->probe->server_id);
    size_t head = rpc_probe_response_head(&response, bytes + RPC_FRAME_PREFIX_BYTES);
    rpc_frame_prefix(bytes, head + payload_bytes);
    stream->payload_left = payload_bytes;
    stream->facts.sent_messages++;
    stream->probe->messages_sent++;
    return put(stream, bytes, RPC_FRAME_PREFIX_BYTES + head);
}

void server_probe_send_payload(struct server_probe_stream *stream, size_t left, size_t most_queued)
{
    static const uint8_t zeroes[CHUNK_BYTES];
    while (stream->payload_left > left && stream->phase != PROBE_ENDED &&
           rpc_server_call_queued_bytes(stream->call) < most_queued) {
        size_t len = stream->payload_left - left;
        len = len < sizeof(zeroes) ? len : sizeof(zeroes);
        stream->payload_left -= len;
        if (!put(stream, zeroes, len)) {
            return;
        }
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

void server_probe_send_status(struct server_probe_stream *stream)
{
    struct rpc_probe_script script;
    size_t count;
    if (!stream->script.trailers_only && !server_probe_send_headers(stream)) {
        return;
    }
    whole_script(stream, &script);
    struct h2_header *fields =
        server_probe_script_fields(script.trailers, script.trailer_count, 0, 0, &count);
    bool paid = pay_metadata(stream, fields, count);
    int rv = paid ? rpc_server_call_finish_with(stream->call, (enum rpc_code)script.status,
                                                script.status_message, fields, count)
                  : 0;
    free(fields);
    if (rv != 0) {
        server_probe_refuse(stream, RPC_RESOURCE_EXHAUSTED,
                            "the client takes no trailers of that size");
    } else if (paid) {
        stream->phase = PROBE_ENDED;
        stream->facts.how = RPC_PROBE_BY_SCRIPT;
        stream->facts.code = script.status;
    }
}

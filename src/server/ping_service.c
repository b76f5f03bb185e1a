/* ping.PingService: answers every ping at once with one pong. */
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/ping.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PONG_BYTES 2048

/* One PingPong stream. The names are the client's: cut, and never shown but through the log. */
struct ping_stream {
    struct server *server;
    char agent_id[SERVER_NAME_BYTES]; /* as received; empty when absent */
    char agent_version[SERVER_NAME_BYTES];
    char shown_id[SERVER_NAME_BYTES]; /* for the log */
    char shown_version[SERVER_NAME_BYTES];
    size_t counted; /* for server_metrics_ended() */
    uint64_t opened_ns;
};

/* A name for a line of blank-separated pairs: a blank in it would let a client write pairs of its
 * own. */
static void show_name(char out[static SERVER_NAME_BYTES], const char *name)
{
    size_t len = 0;
    for (; *name != '\0' && len + 4 < SERVER_NAME_BYTES; name++) {
        if (*name == ' ') {
            memcpy(out + len, "%20", 3);
            len += 3;
        } else {
            out[len++] = *name;
        }
    }
    out[len] = '\0';
    if (len == 0) {
        snprintf(out, SERVER_NAME_BYTES, "unknown");
    }
}

static void take_name(char out[static SERVER_NAME_BYTES], char shown[static SERVER_NAME_BYTES],
                      const struct h2_block *metadata, const char *name)
{
    const struct h2_header *field = h2_block_find(metadata, name, NULL);
    snprintf(out, SERVER_NAME_BYTES, "%s", field != NULL ? field->value : "");
    show_name(shown, out);
}

void server_ping_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    struct server *server = user;
    struct ping_stream *stream = mem_new(struct ping_stream);
    stream->server = server;
    stream->opened_ns = clock_now_ns();
    take_name(stream->agent_id, stream->shown_id, metadata, "agent-id");
    take_name(stream->agent_version, stream->shown_version, metadata, "agent-version");
    rpc_server_call_set_user(call, stream);
    stream->counted = server_metrics_opened(&server->metrics, stream->agent_version);
    log_event(LOG_INFO, &server->source, "stream_opened",
              LOG_PAIRS({"agent_id", stream->agent_id}, {"agent_version", stream->agent_version},
                        {"peer", rpc_server_call_peer(call)}),
              "Stream opened from agent-id=%s agent-version=%s", stream->shown_id,
              stream->shown_version);
}

/* An echo is only true when it is what was sent, so what was cut is not echoed; and proto3 texts
 * are UTF-8. */
static const char *echo_of(const char *text)
{
    size_t len = strlen(text);
    return len < SERVER_NAME_BYTES - 1 && text_is_utf8(text, len) ? text : "";
}

static void send_pong(struct rpc_server_call *call, struct ping_stream *stream,
                      const struct rpc_ping_request *request)
{
    struct server *server = stream->server;
    const struct rpc_ping_response response = {
        .message = "pong",
        .server_version = server->version,
        .server_id = server->id,
        .sequence = request->sequence,
        .send_time_ns = request->send_time_ns,
        .agent_id = echo_of(stream->agent_id),
        .agent_version = echo_of(stream->agent_version),
    };
    uint8_t bytes[PONG_BYTES];
    size_t len = rpc_ping_response_encode(&response, bytes, sizeof(bytes));
    if (len == 0 || rpc_server_call_send(call, bytes, len) != 0) {
        rpc_server_call_finish(call, RPC_RESOURCE_EXHAUSTED, "client does not read the pongs");
        return;
    }
    server->metrics.messages_sent++;
    if (log_enabled(LOG_INFO)) {
        log_event(LOG_INFO, &server->source, "pong_sent", LOG_PAIRS({"agent_id", stream->agent_id}),
                  "Sent pong to agent-id=%s", stream->shown_id);
    }
}

void server_ping_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    struct ping_stream *stream = rpc_server_call_user(call);
    struct server *server = stream->server;
    struct rpc_ping_request request;
    if (rpc_ping_request_decode(bytes, len, &request) != 0) {
        rpc_server_call_finish(call, RPC_INTERNAL, "message is not a ping.PingRequest");
        return;
    }
    server->metrics.messages_received++;
    if (log_enabled(LOG_INFO)) {
        log_event(LOG_INFO, &server->source, "ping_received",
                  LOG_PAIRS({"agent_id", stream->agent_id},
                            {"agent_version", stream->agent_version}, {"message", request.message}),
                  "Received ping from agent-id=%s agent-version=%s message=%.*s", stream->shown_id,
                  stream->shown_version, SERVER_NAME_BYTES, request.message);
    }
    send_pong(call, stream, &request);
}

void server_ping_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, RPC_OK, NULL);
}

void server_ping_closed(struct rpc_server_call *call, const struct rpc_status *status)
{
    struct ping_stream *stream = rpc_server_call_user(call);
    struct server *server = stream->server;
    server_metrics_ended(&server->metrics, stream->counted, status->code,
                         clock_now_ns() - stream->opened_ns);
    log_event(LOG_INFO, &server->source, "stream_closed",
              LOG_PAIRS({"agent_id", stream->agent_id}, {"status", rpc_code_name(status->code)}),
              "Stream closed by agent-id=%s", stream->shown_id);
    free(stream);
}

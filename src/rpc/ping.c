#include "rpc/ping.h"

#include "base/mem.h"
#include "base/text.h"
#include "ping.pb-c.h"
#include "rpc/arena.h"

#include <string.h>

/* proto3: a string must be UTF-8. */
static bool is_text(const char *text)
{
    return text_is_utf8(text, strlen(text));
}

int rpc_ping_request_decode(const uint8_t *bytes, size_t len, struct rpc_ping_request *ret)
{
    Ping__PingRequest *request = ping__ping_request__unpack(rpc_arena_reset(), len, bytes);
    if (request == NULL || !is_text(request->message)) {
        return 1;
    }
    *ret = (struct rpc_ping_request){
        .message = request->message,
        .sequence = request->sequence,
        .send_time_ns = request->send_time_ns,
    };
    return 0;
}

int rpc_ping_response_decode(const uint8_t *bytes, size_t len, struct rpc_ping_response *ret)
{
    Ping__PingResponse *response = ping__ping_response__unpack(rpc_arena_reset(), len, bytes);
    if (response == NULL || !is_text(response->message) || !is_text(response->server_version) ||
        !is_text(response->server_id) || !is_text(response->agent_id) ||
        !is_text(response->agent_version)) {
        return 1;
    }
    *ret = (struct rpc_ping_response){
        .message = response->message,
        .server_version = response->server_version,
        .server_id = response->server_id,
        .sequence = response->sequence,
        .send_time_ns = response->send_time_ns,
        .agent_id = response->agent_id,
        .agent_version = response->agent_version,
    };
    return 0;
}

/* protobuf-c's structs hold char *, but packing only reads. */
static char *text(const char *value)
{
    return mem_unconst(value != NULL ? value : "");
}

size_t rpc_ping_request_encode(const struct rpc_ping_request *request, uint8_t *out,
                               size_t out_bytes)
{
    Ping__PingRequest message = PING__PING_REQUEST__INIT;
    message.message = text(request->message);
    message.sequence = request->sequence;
    message.send_time_ns = request->send_time_ns;
    return ping__ping_request__get_packed_size(&message) <= out_bytes
               ? ping__ping_request__pack(&message, out)
               : 0;
}

size_t rpc_ping_response_encode(const struct rpc_ping_response *response, uint8_t *out,
                                size_t out_bytes)
{
    Ping__PingResponse message = PING__PING_RESPONSE__INIT;
    message.message = text(response->message);
    message.server_version = text(response->server_version);
    message.server_id = text(response->server_id);
    message.sequence = response->sequence;
    message.send_time_ns = response->send_time_ns;
    message.agent_id = text(response->agent_id);
    message.agent_version = text(response->agent_version);
    return ping__ping_response__get_packed_size(&message) <= out_bytes
               ? ping__ping_response__pack(&message, out)
               : 0;
}

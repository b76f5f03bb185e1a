/* The ping messages (proto/ping.proto) to and from bytes, without allocation. */
#ifndef GRPCROUTE_RPC_PING_H
#define GRPCROUTE_RPC_PING_H

#include <stddef.h>
#include <stdint.h>

#define RPC_PING_PATH "/ping.PingService/PingPong"
/* A text inside a decoded message: borrowed from the arena until the next decode. */
struct rpc_ping_request {
    const char *message;
    uint64_t sequence;     /* 0: not sent */
    uint64_t send_time_ns; /* 0: not sent */
};

struct rpc_ping_response {
    const char *message;
    const char *server_version;
    const char *server_id;
    uint64_t sequence;
    uint64_t send_time_ns;
    const char *agent_id;
    const char *agent_version;
};

/* Decode. Return 0, or 1 when the bytes are not such a message (INTERNAL) or need more memory than
 * rpc/arena.h allows. The result is valid until the next decode on this thread. */
int rpc_ping_request_decode(const uint8_t *bytes, size_t len, struct rpc_ping_request *ret);
int rpc_ping_response_decode(const uint8_t *bytes, size_t len, struct rpc_ping_response *ret);

/* Encode into `out`; return the length, or 0 when it does not fit `out_bytes`. */
size_t rpc_ping_request_encode(const struct rpc_ping_request *request, uint8_t *out,
                               size_t out_bytes);
size_t rpc_ping_response_encode(const struct rpc_ping_response *response, uint8_t *out,
                                size_t out_bytes);

#endif

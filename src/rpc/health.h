/* The messages of grpc.health.v1 to and from bytes. */
#ifndef GRPCROUTE_RPC_HEALTH_H
#define GRPCROUTE_RPC_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#define RPC_HEALTH_CHECK_PATH "/grpc.health.v1.Health/Check"
#define RPC_HEALTH_WATCH_PATH "/grpc.health.v1.Health/Watch"

enum rpc_health_status {
    RPC_HEALTH_UNKNOWN = 0,
    RPC_HEALTH_SERVING = 1,
    RPC_HEALTH_NOT_SERVING = 2,
    RPC_HEALTH_SERVICE_UNKNOWN = 3, /* Watch only */
};

/* Decode; return 0, or 1 when the bytes are not such a message. The service name is borrowed until
 * the next decode on this thread. */
int rpc_health_request_decode(const uint8_t *bytes, size_t len, const char **ret_service);
int rpc_health_response_decode(const uint8_t *bytes, size_t len,
                               enum rpc_health_status *ret_status);

/* Encode a response; returns the length, at most RPC_HEALTH_RESPONSE_BYTES. */
#define RPC_HEALTH_RESPONSE_BYTES 16
size_t rpc_health_response_encode(enum rpc_health_status status,
                                  uint8_t out[static RPC_HEALTH_RESPONSE_BYTES]);

#endif

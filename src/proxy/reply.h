/* The proxy's own answers: gRPC statuses for gRPC clients, plain HTTP for others. */
#ifndef GRPCROUTE_PROXY_REPLY_H
#define GRPCROUTE_PROXY_REPLY_H

#include "rpc/status.h"

#include <stdbool.h>

struct h2_stream;

/* Ends `downstream` with a status: Trailers-Only when nothing was answered yet, trailers when a gRPC response had begun, a reset
 * when another response had. `message` may hold any bytes (it is percent-encoded). */
void reply_status(struct h2_stream *downstream, bool grpc, bool response_begun, enum rpc_code code,
                  const char *message);

#endif

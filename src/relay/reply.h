/* The relay's own answers: gRPC statuses for gRPC clients, plain HTTP for others. */
#ifndef GRPCROUTE_RELAY_REPLY_H
#define GRPCROUTE_RELAY_REPLY_H

#include "h2/session.h"
#include "rpc/status.h"

#include <stdbool.h>

/* How a client wants to be answered; read off its request. */
enum reply_form {
    REPLY_GRPC,
    REPLY_HTTP,
    REPLY_HEAD, /* HTTP, without a body */
};

enum reply_form reply_form_of(const struct h2_block *request);

/* Ends `downstream` with a status: Trailers-Only when nothing was answered yet, trailers when a
 * gRPC response had begun, a reset when another response had. `message` may hold any bytes (it is
 * percent-encoded). `http_status` is for who does not speak gRPC; NULL: the one that fits the
 * code. */
void reply_status(struct h2_stream *downstream, enum reply_form form, bool response_begun,
                  bool request_ended, enum rpc_code code, const char *http_status,
                  const char *message);

#endif

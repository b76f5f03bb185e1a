/* The relay's own answers: gRPC statuses for gRPC clients, plain HTTP for others. */
#ifndef GRPCROUTE_RELAY_REPLY_H
#define GRPCROUTE_RELAY_REPLY_H

#include "h2/session.h"
#include "rpc/status.h"

#include <stdbool.h>
#include <stdint.h>

/* How a client wants to be answered; read off its request. */
enum reply_form {
    REPLY_GRPC,
    REPLY_HTTP,
    REPLY_HEAD, /* HTTP, without a body */
};

/* What the client is told. */
struct reply_sent {
    int grpc_status;      /* -1: none */
    unsigned http_status; /* 0: none, or a response had begun */
};
#define REPLY_NOTHING ((struct reply_sent){.grpc_status = -1})

enum reply_form reply_form_of(const struct h2_block *request);

/* Ends `downstream` with a status: Trailers-Only when nothing was answered yet, trailers when a
 * gRPC response had begun, a reset when another response had, or when the client takes no header
 * block of that size. `message` may hold any bytes (it is percent-encoded). `http_status` is for
 * who does not speak gRPC; NULL: the one that fits the code. */
struct reply_sent reply_status(struct h2_stream *downstream, enum reply_form form,
                               bool response_begun, bool request_ended, enum rpc_code code,
                               const char *http_status, const char *message);

/* Ends a gRPC stream with UNAVAILABLE as planned: `grpc-retry-pushback-ms: 0` says that it may be
 * opened again at once (gRFC A6), `grpcroute-received` how many messages of the client went on to
 * the endpoint: nobody saw what it sent after them. */
struct reply_sent reply_planned(struct h2_stream *downstream, bool response_begun,
                                uint64_t received, const char *message);

#endif

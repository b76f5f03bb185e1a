/* What the header block of an answer, or its trailers, say of a call. Pure. */
#ifndef GRPCROUTE_RPC_ANSWER_H
#define GRPCROUTE_RPC_ANSWER_H

#include "h2/session.h"
#include "net/tls.h"
#include "rpc/status.h"

#include <stdbool.h>
#include <stdint.h>

/* 0: there is none. */
uint32_t rpc_answer_http_status(const struct h2_block *block);

/* Reads grpc-status, grpc-message, and whether the end was planned. Returns false when there is no
 * grpc-status. */
bool rpc_answer_read(const struct h2_block *block, struct rpc_status *status);

/* Makes a status of an answer that is no gRPC: what it is, where it sends us, what it wants.
 * `certificate`: what became of ours. */
void rpc_answer_describe(const struct h2_block *block, enum net_credential certificate,
                         struct rpc_status *ret_status);

#endif

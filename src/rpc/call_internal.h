/* What a client's connection passes on to its calls. Inside rpc/ only. */
#ifndef GRPCROUTE_RPC_CALL_INTERNAL_H
#define GRPCROUTE_RPC_CALL_INTERNAL_H

#include "h2/session.h"
#include "rpc/client.h"

const char *rpc_client_authority(const struct rpc_client *client);
bool rpc_client_is_tls(const struct rpc_client *client);

void rpc_call_on_block(void *client, struct h2_stream *stream, enum h2_block_kind kind,
                       const struct h2_block *block, bool end_stream);
void rpc_call_on_data(void *client, struct h2_stream *stream, const uint8_t *bytes, size_t len);
void rpc_call_on_end(void *client, struct h2_stream *stream);
void rpc_call_on_close(void *client, struct h2_stream *stream, uint32_t error, bool unprocessed);

#endif

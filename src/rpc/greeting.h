/* What a server says first that does not speak HTTP/2, told in words. Pure. */
#ifndef GRPCROUTE_RPC_GREETING_H
#define GRPCROUTE_RPC_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_GREETING_BYTES 160

/* The first bytes of a server. Returns false when they may be HTTP/2; else `out` says what they
 * are: "answers \"HTTP/1.1 400 Bad Request\": it does not speak HTTP/2". */
bool rpc_greeting_is_foreign(const uint8_t *bytes, size_t len, char out[static RPC_GREETING_BYTES]);

#endif

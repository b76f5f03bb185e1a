/* gRPC's own header fields: percent-encoding, timeouts, content type. Pure. Source:
 * PROTOCOL-HTTP2.md. */
#ifndef GRPCROUTE_RPC_METADATA_H
#define GRPCROUTE_RPC_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* grpc-message: encodes bytes outside 0x20-0x7e and '%'; cuts at a whole character. Returns the
 * length; `out` ends with NUL. */
size_t rpc_percent_encode(char *out, size_t out_bytes, const char *bytes, size_t len);
/* Decodes; a bad escape stays as it is (never an error, says the specification). */
size_t rpc_percent_decode(char *out, size_t out_bytes, const char *bytes, size_t len);

/* The value of binary metadata: base64 without padding. The length, and a NUL; 0 when `out_bytes`
 * are too few. */
#define RPC_BINARY_BYTES(len) (((len) + 2) / 3 * 4 + 1) /* of `out`, enough for `len` bytes */
size_t rpc_binary_encode(char *out, size_t out_bytes, const uint8_t *bytes, size_t len);
/* Decodes one value, with or without padding. Returns 0, or 1 when it is no base64 or does not fit;
 * `len` bytes of text give at most `len / 4 * 3 + 2`. */
int rpc_binary_decode(const char *text, size_t len, uint8_t *out, size_t out_bytes,
                      size_t *ret_len);

/* grpc-timeout: 1 to 8 digits and H M S m u n. Returns 0, or 1 when malformed. */
int rpc_timeout_parse(const char *text, size_t len, uint64_t *ret_ns);
/* The shortest exact or rounded-up form. */
#define RPC_TIMEOUT_BYTES 12
void rpc_timeout_format(char out[static RPC_TIMEOUT_BYTES], uint64_t ns);

/* "application/grpc", with +suffix or ;parameters. */
bool rpc_is_grpc_content_type(const char *value, size_t len);

/* What an agent-version may look like to take part in routing: 1 to 64 of [0-9A-Za-z._+-]. */
bool rpc_is_plain_version(const char *value, size_t len);

#endif

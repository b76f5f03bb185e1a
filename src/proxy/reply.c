#include "proxy/reply.h"

#include "base/mem.h"
#include "h2/session.h"
#include "rpc/metadata.h"

#include <stdio.h>
#include <string.h>

#define ENCODED_BYTES (3 * RPC_MESSAGE_BYTES)

/* gRPC http-grpc-status-mapping.md, read backwards for the codes that the proxy makes. */
static const char *http_status(enum rpc_code code)
{
    switch (code) {
    case RPC_INVALID_ARGUMENT:
        return "400";
    case RPC_UNIMPLEMENTED:
        return "404";
    case RPC_UNAVAILABLE:
        return "503";
    default:
        return "500";
    }
}

static void reply_plain(struct h2_stream *downstream, enum rpc_code code, const char *message)
{
    const struct h2_header fields[] = {
        H2_HEADER(":status", http_status(code)),
        H2_HEADER("content-type", "text/plain; charset=utf-8"),
    };
    if (h2_stream_respond(downstream, fields, ARRAY_SIZE(fields), false) == 0) {
        h2_stream_write(downstream, message, strlen(message), RPC_MESSAGE_BYTES);
        h2_stream_end(downstream);
    }
}

static void reply_grpc(struct h2_stream *downstream, bool response_begun, enum rpc_code code,
                       const char *message)
{
    char number[12];
    char encoded[ENCODED_BYTES];
    snprintf(number, sizeof(number), "%d", (int)code);
    rpc_percent_encode(encoded, sizeof(encoded), message, strlen(message));
    const struct h2_header fields[] = {
        H2_HEADER(":status", "200"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("grpc-status", number),
        H2_HEADER("grpc-message", encoded),
    };
    if (response_begun) {
        h2_stream_trailers(downstream, fields + 2, 2);
    } else {
        h2_stream_respond(downstream, fields, ARRAY_SIZE(fields), true);
    }
}

void reply_status(struct h2_stream *downstream, bool grpc, bool response_begun, enum rpc_code code,
                  const char *message)
{
    if (grpc) {
        reply_grpc(downstream, response_begun, code, message);
    } else if (response_begun) {
        h2_stream_reset(downstream, H2_INTERNAL_ERROR);
    } else {
        reply_plain(downstream, code, message);
    }
}

#include "rpc/status.h"

#include "base/text.h"
#include "h2/session.h"
#include "rpc/metadata.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rpc_code_name(enum rpc_code code)
{
    switch (code) {
#define X(number, name)                                                                            \
    case RPC_##name:                                                                               \
        return #name;
        RPC_STATUS_LIST(X)
#undef X
    }
    return "UNKNOWN";
}

enum rpc_code rpc_code_from_http(uint32_t http_status)
{
    switch (http_status) {
    case 400:
    case 431:
        return RPC_INTERNAL;
    case 401:
        return RPC_UNAUTHENTICATED;
    case 403:
        return RPC_PERMISSION_DENIED;
    case 404:
        return RPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return RPC_UNAVAILABLE;
    default:
        return RPC_UNKNOWN;
    }
}

enum rpc_code rpc_code_from_h2(uint32_t h2_error)
{
    switch (h2_error) {
    case H2_REFUSED_STREAM:
    case H2_CONNECTION_LOST:
        return RPC_UNAVAILABLE;
    case H2_CANCEL:
        return RPC_CANCELLED;
    case H2_ENHANCE_YOUR_CALM:
        return RPC_RESOURCE_EXHAUSTED;
    case H2_INADEQUATE_SECURITY:
        return RPC_PERMISSION_DENIED;
    default:
        return RPC_INTERNAL;
    }
}

enum rpc_code rpc_code_parse(const char *text, size_t len)
{
    unsigned code = 0;
    bool known = len > 0;
    for (size_t i = 0; i < len && known; i++) {
        known = text[i] >= '0' && text[i] <= '9';
        code = known ? 10 * code + (unsigned)(text[i] - '0') : 0;
        known = known && code <= RPC_UNAUTHENTICATED;
    }
    return known ? (enum rpc_code)code : RPC_UNKNOWN;
}

void rpc_status_set(struct rpc_status *status, enum rpc_code code, const char *format, ...)
{
    memset(status, 0, sizeof(*status));
    status->code = code;
    status->origin = RPC_FROM_HERE;
    va_list args;
    va_start(args, format);
    vsnprintf(status->message, sizeof(status->message), format, args);
    va_end(args);
}

void rpc_status_encode(enum rpc_code code, const char *message, struct rpc_status_texts *ret)
{
    snprintf(ret->code, sizeof(ret->code), "%d", (int)code);
    rpc_percent_encode(ret->message, sizeof(ret->message), message, strlen(message));
}

char *rpc_status_describe(const struct rpc_status *status, char *out, size_t out_bytes)
{
    char message[2 * RPC_MESSAGE_BYTES];
    text_escape(message, sizeof(message), status->message, strlen(status->message));
    const char *separator = message[0] != '\0' ? ": " : "";
    switch (status->origin) {
    case RPC_FROM_HTTP:
        snprintf(out, out_bytes, "HTTP status %u from something that is not gRPC%s%s",
                 (unsigned)status->http_status, separator, message);
        break;
    case RPC_FROM_RESET:
        snprintf(out, out_bytes, "stream reset with %s (%s)%s%s", h2_error_name(status->h2_error),
                 rpc_code_name(status->code), separator, message);
        break;
    case RPC_FROM_TRAILERS:
    case RPC_FROM_CONNECTION:
    case RPC_FROM_CUT:
    case RPC_FROM_CONFLICT:
    case RPC_FROM_HERE:
        snprintf(out, out_bytes, "%s%s%s", rpc_code_name(status->code), separator, message);
        break;
    }
    return out;
}

#include "relay/reply.h"

#include "base/mem.h"
#include "rpc/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum reply_form reply_form_of(const struct h2_block *request)
{
    const struct h2_header *type = h2_block_find(request, "content-type", NULL);
    const struct h2_header *method = h2_block_find(request, ":method", NULL);
    if (method != NULL && method->value_len == 4 && memcmp(method->value, "HEAD", 4) == 0) {
        return REPLY_HEAD;
    }
    bool grpc = type != NULL && rpc_is_grpc_content_type(type->value, type->value_len);
    return grpc ? REPLY_GRPC : REPLY_HTTP;
}

/* gRPC http-grpc-status-mapping.md, read backwards for the codes that the relay makes. */
static const char *http_status_of(enum rpc_code code)
{
    switch (code) {
    case RPC_INVALID_ARGUMENT:
        return "400";
    case RPC_UNIMPLEMENTED:
        return "404";
    case RPC_RESOURCE_EXHAUSTED:
        return "429";
    case RPC_UNAVAILABLE:
        return "503";
    default: /* RPC_INTERNAL: what the endpoint sent was no answer */
        return "502";
    }
}

/* To a client that takes next to nothing, not even an answer of ours can be sent. */
static int reset_unless_taken(struct h2_stream *downstream, int rv)
{
    if (rv == H2_E_HEADERS) {
        h2_stream_reset(downstream, H2_INTERNAL_ERROR);
    }
    return rv;
}

/* The answer ends when the request does, so that a client that is still sending is not told off. */
static struct reply_sent reply_http(struct h2_stream *downstream, bool with_body,
                                    bool request_ended, const char *status, const char *message)
{
    const struct h2_header fields[] = {
        H2_HEADER(":status", status),
        H2_HEADER("content-type", "text/plain; charset=utf-8"),
    };
    int rv = h2_stream_respond(downstream, fields, ARRAY_SIZE(fields), !with_body);
    if (reset_unless_taken(downstream, rv) != 0) {
        return REPLY_NOTHING;
    }
    if (with_body) {
        h2_stream_write(downstream, message, strlen(message), RPC_MESSAGE_BYTES);
        if (request_ended) {
            h2_stream_end(downstream);
        }
    }
    return (struct reply_sent){-1, (unsigned)strtoul(status, NULL, 10)};
}

#define STATUS_FIELDS 2 /* that go before a Trailers-Only answer's own */

/* `fields` begin with :status and content-type, which trailers do not have. */
static struct reply_sent end_grpc(struct h2_stream *downstream, bool response_begun,
                                  enum rpc_code code, const struct h2_header *fields, size_t count)
{
    int rv = response_begun
                 ? h2_stream_trailers(downstream, fields + STATUS_FIELDS, count - STATUS_FIELDS)
                 : h2_stream_respond(downstream, fields, count, true);
    reset_unless_taken(downstream, rv);
    return rv == 0 ? (struct reply_sent){(int)code, response_begun ? 0 : 200} : REPLY_NOTHING;
}

static struct reply_sent reply_grpc(struct h2_stream *downstream, bool response_begun,
                                    enum rpc_code code, const char *message)
{
    struct rpc_status_texts texts;
    rpc_status_encode(code, message, &texts);
    const struct h2_header fields[] = {
        H2_HEADER(":status", "200"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("grpc-status", texts.code),
        H2_HEADER("grpc-message", texts.message),
    };
    return end_grpc(downstream, response_begun, code, fields, ARRAY_SIZE(fields));
}

struct reply_sent reply_planned(struct h2_stream *downstream, bool response_begun,
                                uint64_t received, const char *message)
{
    char count[24];
    struct rpc_status_texts texts;
    snprintf(count, sizeof(count), "%llu", (unsigned long long)received);
    rpc_status_encode(RPC_UNAVAILABLE, message, &texts);
    const struct h2_header fields[] = {
        H2_HEADER(":status", "200"),          H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("grpc-status", texts.code), H2_HEADER("grpc-message", texts.message),
        H2_HEADER(RPC_PUSHBACK_HEADER, "0"),  H2_HEADER(RPC_RECEIVED_HEADER, count),
    };
    return end_grpc(downstream, response_begun, RPC_UNAVAILABLE, fields, ARRAY_SIZE(fields));
}

struct reply_sent reply_status(struct h2_stream *downstream, enum reply_form form,
                               bool response_begun, bool request_ended, enum rpc_code code,
                               const char *http_status, const char *message)
{
    if (form == REPLY_GRPC) {
        return reply_grpc(downstream, response_begun, code, message);
    }
    if (response_begun) {
        h2_stream_reset(downstream, H2_INTERNAL_ERROR);
        return REPLY_NOTHING;
    }
    return reply_http(downstream, form == REPLY_HTTP, request_ended,
                      http_status != NULL ? http_status : http_status_of(code), message);
}

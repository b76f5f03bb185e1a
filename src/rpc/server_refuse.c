/* Requests that are no gRPC calls, or break gRPC's rules before a method could see them
 * (PROTOCOL-HTTP2.md, Requests). */
#include "base/mem.h"
#include "rpc/metadata.h"
#include "rpc/server_impl.h"

#include <stdio.h>
#include <string.h>

#define HTTP_BODY_BYTES 256

/* A plain HTTP answer ends when the request does, so that a client that is still sending is not
 * told off. The stream is the user. */
static void on_request_end(void *user)
{
    h2_stream_end(user);
}

static void on_request_trailers(void *user, enum h2_block_kind kind, const struct h2_block *block,
                                bool end_stream)
{
    (void)kind;
    (void)block;
    (void)end_stream;
    h2_stream_end(user);
}

static const struct h2_stream_events plain_answer = {
    .on_block = on_request_trailers,
    .on_end = on_request_end,
};

static bool is_value(const struct h2_header *field, const char *value)
{
    return field != NULL && strcmp(field->value, value) == 0;
}

static void answer_http(struct h2_stream *stream, const struct h2_block *request,
                        bool request_ended, const char *status, const char *body)
{
    const struct h2_header fields[] = {
        H2_HEADER(":status", status),
        H2_HEADER("content-type", "text/plain; charset=utf-8"),
    };
    /* RFC 9110 section 9.3.2 */
    bool bodiless = is_value(h2_block_find(request, ":method", NULL), "HEAD");
    if (h2_stream_respond(stream, fields, ARRAY_SIZE(fields), bodiless) != 0 || bodiless) {
        return;
    }
    h2_stream_write(stream, body, strlen(body), HTTP_BODY_BYTES);
    if (request_ended) {
        h2_stream_end(stream);
    } else {
        h2_stream_attach(stream, &plain_answer, stream);
    }
}

void server_answer_status(struct h2_stream *stream, enum rpc_code code, const char *message)
{
    struct rpc_status_texts texts;
    rpc_status_encode(code, message, &texts);
    const struct h2_header fields[] = {
        H2_HEADER(":status", "200"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("grpc-status", texts.code),
        H2_HEADER("grpc-message", texts.message),
        H2_HEADER("grpc-accept-encoding", "identity"),
    };
    h2_stream_respond(stream, fields, ARRAY_SIZE(fields), true);
}

static bool is_grpc(const struct h2_block *block)
{
    const struct h2_header *type = h2_block_find(block, "content-type", NULL);
    return type != NULL && rpc_is_grpc_content_type(type->value, type->value_len);
}

/* A browser, a probe or a test tool: tell it what this is. */
static bool refuse_not_grpc(struct h2_stream *stream, const struct h2_block *block,
                            bool request_ended)
{
    if (is_grpc(block)) {
        return false;
    }
    bool typed = h2_block_find(block, "content-type", NULL) != NULL;
    if (is_value(h2_block_find(block, ":path", NULL), "/")) {
        answer_http(stream, block, request_ended, "200", "grpcroute: this is a gRPC endpoint\n");
    } else if (!typed && !is_value(h2_block_find(block, ":method", NULL), "POST")) {
        answer_http(stream, block, request_ended, "404", "not found: this is a gRPC endpoint\n");
    } else {
        answer_http(stream, block, request_ended, "415", "content-type must be application/grpc\n");
    }
    return true;
}

static bool refuse_encoding(struct h2_stream *stream, const struct h2_block *block)
{
    const struct h2_header *encoding = h2_block_find(block, "grpc-encoding", NULL);
    if (encoding == NULL || is_value(encoding, "identity")) {
        return false;
    }
    server_answer_status(stream, RPC_UNIMPLEMENTED, "grpc-encoding is not supported: use identity");
    return true;
}

bool server_refuse(struct h2_stream *stream, const struct h2_block *block, bool request_ended)
{
    if (refuse_not_grpc(stream, block, request_ended)) {
        return true;
    }
    if (!is_value(h2_block_find(block, ":method", NULL), "POST")) {
        answer_http(stream, block, request_ended, "405", "gRPC uses POST\n");
        return true;
    }
    return refuse_encoding(stream, block);
}

void server_on_refused(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why)
{
    (void)user;
    char text[HTTP_BODY_BYTES];
    if (refusal != H2_BLOCK_OVERSIZED) {
        return; /* the stream is being reset */
    }
    if (is_grpc(block)) {
        snprintf(text, sizeof(text), "request's %s", why);
        server_answer_status(stream, RPC_RESOURCE_EXHAUSTED, text);
    } else {
        snprintf(text, sizeof(text), "request's %s\n", why);
        answer_http(stream, block, true, "431", text);
    }
}

/* gRPC status codes and how HTTP and HTTP/2 failures become one. Pure. */
#ifndef GRPCROUTE_RPC_STATUS_H
#define GRPCROUTE_RPC_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gRPC statuscodes.md. */
#define RPC_STATUS_LIST(X)                                                                         \
    X(0, OK)                                                                                       \
    X(1, CANCELLED)                                                                                \
    X(2, UNKNOWN)                                                                                  \
    X(3, INVALID_ARGUMENT)                                                                         \
    X(4, DEADLINE_EXCEEDED)                                                                        \
    X(5, NOT_FOUND)                                                                                \
    X(6, ALREADY_EXISTS)                                                                           \
    X(7, PERMISSION_DENIED)                                                                        \
    X(8, RESOURCE_EXHAUSTED)                                                                       \
    X(9, FAILED_PRECONDITION)                                                                      \
    X(10, ABORTED)                                                                                 \
    X(11, OUT_OF_RANGE)                                                                            \
    X(12, UNIMPLEMENTED)                                                                           \
    X(13, INTERNAL)                                                                                \
    X(14, UNAVAILABLE)                                                                             \
    X(15, DATA_LOSS)                                                                               \
    X(16, UNAUTHENTICATED)

enum rpc_code {
#define X(number, name) RPC_##name = number,
    RPC_STATUS_LIST(X)
#undef X
};

#define RPC_MESSAGE_BYTES 256

/* What a status was made of, because users mend different things. */
enum rpc_status_origin {
    RPC_FROM_TRAILERS, /* the peer's grpc-status */
    RPC_FROM_HTTP,     /* an HTTP answer that is not gRPC */
    RPC_FROM_RESET,    /* RST_STREAM */
    RPC_FROM_CUT,      /* the response ended without trailers */
    RPC_FROM_CONFLICT, /* the peer gave grpc-status more than once, and it is not known which holds
                        */
    RPC_FROM_CONNECTION, /* the connection ended */
    RPC_FROM_HERE,       /* this side: deadline, limit, cancellation */
};

/* Trailers of an end that is planned: gRFC A6, and ours. */
#define RPC_PUSHBACK_HEADER "grpc-retry-pushback-ms"
#define RPC_RECEIVED_HEADER "grpcroute-received"

struct rpc_status {
    enum rpc_code code;
    enum rpc_status_origin origin;
    uint32_t h2_error;    /* RPC_FROM_RESET: the code */
    uint32_t http_status; /* RPC_FROM_HTTP: the status */
    bool unprocessed;     /* the peer provably did not look at the call */
    /* The peer ended the call as planned: it may be made again after `pushback_ms` (gRFC A6), and
     * what was sent after the first `received` messages was seen by nobody. */
    bool planned;
    uint32_t pushback_ms;
    uint64_t received;
    char message[RPC_MESSAGE_BYTES]; /* decoded; may hold any bytes of the peer: to be escaped */
};

/* "UNAVAILABLE"; "CODE(99)" is never needed: unknown numbers become UNKNOWN when parsed. */
const char *rpc_code_name(enum rpc_code code);

/* gRPC http-grpc-status-mapping.md. */
enum rpc_code rpc_code_from_http(uint32_t http_status);
/* gRPC PROTOCOL-HTTP2.md, "Errors". */
enum rpc_code rpc_code_from_h2(uint32_t h2_error);
/* The value of grpc-status: digits alone. What is no number, or no code, says UNKNOWN. */
enum rpc_code rpc_code_parse(const char *text, size_t len);

/* Fills a status of this side with a printf message. */
void rpc_status_set(struct rpc_status *status, enum rpc_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The values of grpc-status and grpc-message. */
struct rpc_status_texts {
    char code[12];
    char message[3 * RPC_MESSAGE_BYTES]; /* encoded; a longer one is cut */
};
void rpc_status_encode(enum rpc_code code, const char *message, struct rpc_status_texts *ret);

/* One line for people: "UNAVAILABLE: no healthy endpoint in cluster server-v1", or for other
 * origins "HTTP status 404 from something that is not gRPC", "stream reset with CANCEL". Escaped.
 * Returns `out`. */
char *rpc_status_describe(const struct rpc_status *status, char *out, size_t out_bytes);

#endif

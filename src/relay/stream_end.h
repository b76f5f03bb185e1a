/* Who ended a stream, and why: the words of the stream log. */
#ifndef GRPCROUTE_RELAY_STREAM_END_H
#define GRPCROUTE_RELAY_STREAM_END_H

enum stream_party { STREAM_CLIENT, STREAM_SERVER, STREAM_PROXY };

/* All there are: name, who, the word. docs/proxy.md tells what each means, and
 * docs/schema/stream-log.schema.json has them, too. */
#define STREAM_REASONS(X)                                                                          \
    X(COMPLETED, SERVER, "completed")                                                              \
    X(NO_STATUS, SERVER, "no status")                                                              \
    X(RESET, SERVER, "reset")                                                                      \
    X(REFUSED, SERVER, "refused")                                                                  \
    X(SERVER_LOST, SERVER, "connection lost")                                                      \
    X(SERVER_BROKEN, SERVER, "protocol error")                                                     \
    X(CANCELLED, CLIENT, "cancelled")                                                              \
    X(GOAWAY, CLIENT, "goaway")                                                                    \
    X(CLIENT_LOST, CLIENT, "connection lost")                                                      \
    X(CLIENT_BROKEN, CLIENT, "protocol error")                                                     \
    X(REJECTED, PROXY, "rejected")                                                                 \
    X(NO_ROUTE, PROXY, "no route")                                                                 \
    X(NO_BACKEND, PROXY, "no backend")                                                             \
    X(NO_ENDPOINT, PROXY, "no healthy endpoint")                                                   \
    X(UNREACHABLE, PROXY, "retries exhausted")                                                     \
    X(LARGE_ANSWER, PROXY, "answer too large")                                                     \
    X(SHED, PROXY, "shed")                                                                         \
    X(CLOGGED, PROXY, "endpoint not reading")                                                      \
    X(EXPELLED, PROXY, "client expelled")                                                          \
    X(DRAINING, PROXY, "draining")                                                                 \
    X(OLD, PROXY, "max age")                                                                       \
    X(MOVED, PROXY, "rebalance")                                                                   \
    X(REMOVED, PROXY, "endpoint removed")                                                          \
    X(UNHEALTHY, PROXY, "endpoint unhealthy")

enum stream_reason {
    STREAM_LIVE, /* it did not end */
#define STREAM_REASON(name, party, word) STREAM_##name,
    STREAM_REASONS(STREAM_REASON)
#undef STREAM_REASON
};

struct stream_end {
    enum stream_reason reason;
    int grpc_status;      /* that the client got; -1: none */
    unsigned http_status; /* of the response that went out; 0: none */
    char *detail;         /* owned, escaped; NULL: none */
};

const char *stream_reason_word(enum stream_reason reason);
/* "client", "server" or "proxy". */
const char *stream_reason_party(enum stream_reason reason);

#endif

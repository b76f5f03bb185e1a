/* Why a connection could not be made or ended, in words for the person who has to mend it. */
#ifndef GRPCROUTE_NET_ERROR_H
#define GRPCROUTE_NET_ERROR_H

/* name, JSON and metric label, what a person reads. */
#define NET_ERROR_LIST(X)                                                                          \
    X(NET_CLOSED, "closed", "connection closed by the peer")                                       \
    X(NET_RESOLVE_FAILED, "dns", "name does not resolve")                                          \
    X(NET_REFUSED, "refused", "connection refused")                                                \
    X(NET_UNREACHABLE, "unreachable", "host or network unreachable")                               \
    X(NET_TIMED_OUT, "timeout", "timed out")                                                       \
    X(NET_RESET, "reset", "connection reset by the peer")                                          \
    X(NET_TLS_NAME, "tls_name", "certificate is for another name")                                 \
    X(NET_TLS_UNKNOWN_CA, "tls_unknown_ca", "certificate is signed by an unknown authority")       \
    X(NET_TLS_EXPIRED, "tls_expired", "certificate is expired or not yet valid")                   \
    X(NET_TLS_NOT_TLS, "tls_not_tls", "peer does not speak TLS")                                   \
    X(NET_TLS_ALPN, "tls_alpn", "peer did not agree on HTTP/2 (ALPN h2)")                          \
    X(NET_TLS_FAILED, "tls", "TLS handshake failed")                                               \
    X(NET_FD_LIMIT, "fd_limit", "too many open files")                                             \
    X(NET_FAILED, "io", "input/output error")

enum net_error_kind {
#define X(name, label, text) name,
    NET_ERROR_LIST(X)
#undef X
};

#define NET_ERROR_TEXT_BYTES 320

struct net_error {
    enum net_error_kind kind;
    /* One sentence with names, the peer's address and, where known, the setting to change; peer
     * bytes are escaped. */
    char text[NET_ERROR_TEXT_BYTES];
};

/* The short stable word of a kind, for JSON and metric labels. */
const char *net_error_label(enum net_error_kind kind);
/* The general sentence of a kind. */
const char *net_error_text(enum net_error_kind kind);

/* Fills `error` from the kind and a printf text. */
void net_error_set(struct net_error *error, enum net_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills `error` from a negative libuv status; `what` says what failed, e.g. "connect to a:1". */
void net_error_from_uv(struct net_error *error, int uv_status, const char *what);

#endif

/* A gRPC server: listeners, connections, and a table of methods.
 *
 * Checks what gRPC says before a method sees a call: POST, content type (else HTTP 415), te,
 * grpc-timeout, grpc-encoding (identity only), message prefix and size, known path (else
 * UNIMPLEMENTED). Requests that are not gRPC at all get a plain HTTP answer. */
#ifndef GRPCROUTE_RPC_SERVER_H
#define GRPCROUTE_RPC_SERVER_H

#include "base/text.h"
#include "h2/session.h"
#include "net/error.h"
#include "net/loop.h"
#include "rpc/status.h"

struct rpc_server;
struct rpc_server_call;
struct net_tls;

/* The life of a call, seen by its method. `call` is valid until on_closed returns. */
struct rpc_method {
    const char *path; /* "/package.Service/Method" */
    /* Complete request metadata; may end the call at once. Set your own state with
     * rpc_server_call_set_user(). */
    void (*on_start)(struct rpc_server_call *call, const struct h2_block *metadata,
                     void *server_user);
    /* One whole message of at most RPC_MESSAGE_LIMIT_BYTES, borrowed. */
    void (*on_message)(struct rpc_server_call *call, const uint8_t *bytes, size_t len);
    /* The client half-closed. */
    void (*on_half_close)(struct rpc_server_call *call);
    /* Exactly once, after on_start: the stream is over, whoever ended it. `status` is what was
     * sent, or CANCELLED when the client or the connection went away. */
    void (*on_closed)(struct rpc_server_call *call, const struct rpc_status *status);

    /* What a method may have besides, for control of the stream below. */

    /* Instead of on_message: the bytes as they come, with the messages' prefixes; whether the
     * request ended inside a message is the method's to judge. */
    void (*on_bytes)(struct rpc_server_call *call, const uint8_t *bytes, size_t len);
    /* Bytes that waited went into frames; see rpc_server_call_queued_bytes(). */
    void (*on_sent)(struct rpc_server_call *call);
    /* Initial metadata is not sent when on_start returns, but before the first message, or by
     * rpc_server_call_headers(). */
    bool late_headers;
};

struct rpc_server_config {
    const struct rpc_method *methods; /* borrowed; ends with a NULL path */
    void *server_user;
    uint32_t max_streams;          /* per connection */
    uint32_t header_block_bytes;   /* of a request; 0: those of h2/limits.h */
    uint32_t header_fields;        /* the same */
    const char *header_path;       /* of those requests alone; NULL: of all; borrowed */
    uint64_t min_ping_interval_ms; /* the ping policy (gRFC A8) */
    uint64_t keepalive_ms;
    /* A connection was lost before HTTP/2, or the descriptor limit was reached; see net/listener.h.
     * May be NULL. */
    void (*on_refused)(void *server_user, const struct net_error *why);
    /* A connection on which a method set its user is gone, after all its calls. May be NULL. */
    void (*on_connection_closed)(void *server_user, void *connection_user,
                                 const struct net_error *why);
};

struct rpc_server *rpc_server_new(struct net_loop *loop, const struct rpc_server_config *config);

/* Listens; NULL `tls` is h2c. Returns 0, or -1 with `ret_error`. */
int rpc_server_listen(struct rpc_server *server, const struct text_address *address,
                      struct net_tls *tls, struct net_error *ret_error);
/* Connections that come from now on are shown what `tls` has (borrowed); h2c stays h2c. Nothing
 * happens once it drains. */
void rpc_server_set_tls(struct rpc_server *server, struct net_tls *tls);
uint16_t rpc_server_port(const struct rpc_server *server);

/* Stops accepting, GOAWAY on every connection, and ends every call within `window_ms` (each at a
 * random moment of it, UNAVAILABLE "server is shutting down"); then `on_done`, once. Calling again
 * ends everything now. */
void rpc_server_drain(struct rpc_server *server, uint64_t window_ms, void (*on_done)(void *user),
                      void *user);
/* After on_done. */
void rpc_server_free(struct rpc_server *server);

/* Queues one message; initial metadata goes before the first. Returns 0, H2_E_CLOSED, or H2_E_FULL
 * when more than 1 MiB would wait because the client does not read; that cannot happen to a method
 * that answers each message with one of about its size, because input is held while answers
 * wait. */
int rpc_server_call_send(struct rpc_server_call *call, const void *bytes, size_t len);
/* Sends the status in trailers (Trailers-Only if nothing was sent) and ends the call; on_closed
 * follows. */
void rpc_server_call_finish(struct rpc_server_call *call, enum rpc_code code, const char *message);

/* ---- the stream below a call: for a method that is to act out what a stream can do ------------
 */

/* Sends initial metadata with further fields (copied), unless it was sent. Returns 0, H2_E_CLOSED,
 * or H2_E_HEADERS when the peer takes no such block; then nothing was sent. */
int rpc_server_call_headers(struct rpc_server_call *call, const struct h2_header *fields,
                            size_t count);
/* As rpc_server_call_finish(), with further trailers, for which the same holds. */
int rpc_server_call_finish_with(struct rpc_server_call *call, enum rpc_code code,
                                const char *message, const struct h2_header *fields, size_t count);
/* Queues bytes of messages with their prefixes, which the method makes. Returns as
 * rpc_server_call_send() does. */
int rpc_server_call_write(struct rpc_server_call *call, const void *bytes, size_t len);
/* What of all that waits because the client does not read, or there was no turn yet. */
size_t rpc_server_call_queued_bytes(const struct rpc_server_call *call);
/* Drops it, for a call that is then ended. */
void rpc_server_call_discard(struct rpc_server_call *call);
/* From now on no credit is given back for what comes. */
void rpc_server_call_hold(struct rpc_server_call *call);
/* RST_STREAM with an HTTP/2 error, also behind a finish that waits; on_closed follows. */
void rpc_server_call_reset(struct rpc_server_call *call, uint32_t h2_error);
/* The call's connection is drained: GOAWAY, no new streams; it closes with its last one. */
void rpc_server_call_goaway(struct rpc_server_call *call, const char *debug);
/* In on_closed, for a call that was finished: whether its end never left, as the client or the
 * connection went away before; then with the status it had without that end. */
bool rpc_server_call_was_cut(const struct rpc_server_call *call, struct rpc_status *ret_status);
/* The server's number of its connection, from 1; and what a method keeps for the connection. */
uint64_t rpc_server_call_connection(const struct rpc_server_call *call);
void *rpc_server_call_connection_user(const struct rpc_server_call *call);
void rpc_server_call_set_connection_user(struct rpc_server_call *call, void *user);
struct net_loop *rpc_server_call_loop(const struct rpc_server_call *call);

void *rpc_server_call_user(const struct rpc_server_call *call);
void rpc_server_call_set_user(struct rpc_server_call *call, void *user);
void *rpc_server_call_server_user(const struct rpc_server_call *call);
const char *rpc_server_call_peer(const struct rpc_server_call *call);

#endif

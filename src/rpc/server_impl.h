/* The insides of a server and its calls. Inside rpc/ only. */
#ifndef GRPCROUTE_RPC_SERVER_IMPL_H
#define GRPCROUTE_RPC_SERVER_IMPL_H

#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"
#include "rpc/frame.h"
#include "rpc/server.h"

struct net_listener;
struct rpc_conn;

struct rpc_server {
    struct net_loop *loop; /* borrowed */
    struct rpc_server_config config;
    struct net_listener *listener;
    struct net_tick tick;
    struct list conns;
    struct list calls;
    uint64_t connections; /* so far */
    size_t conn_count;
    size_t call_count;
    bool draining;
    uint64_t drain_deadline_ms;
    void (*on_drained)(void *user);
    void *drained_user;
};

struct server_conn {
    struct list node; /* server->conns */
    struct rpc_server *server;
    struct rpc_conn *conn;
    uint64_t number; /* from 1 */
    void *user;      /* a method's; NULL: none */
};

struct rpc_server_call {
    struct list node; /* server->calls */
    struct rpc_server *server;
    struct server_conn *conn;
    struct h2_stream *stream;
    const struct rpc_method *method;
    void *user;
    struct rpc_frame_reader reader;
    struct buf held;   /* input that waits because the client does not read our answers */
    uv_timer_t *timer; /* owned; NULL without a deadline */
    uint64_t drain_ms; /* when the drain ends it */
    struct rpc_status status;
    bool decided; /* finish was called; nothing more is delivered */
    bool headers_sent;
    bool half_closed; /* the client's end waits behind `held` or was delivered */
    bool half_close_told;
    bool holds;        /* no credit is given back */
    uint32_t cut_with; /* NO_ERROR, or how the stream ended before what was decided had left */
};

/* A request on one of a server's connections; `user` is the server_conn. server_call.c */
void server_call_on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                            bool end_stream);

/* The status of a stream that ended with an HTTP/2 error before a method decided. server_out.c */
void server_call_describe_close(const struct rpc_server_call *call, uint32_t error,
                                struct rpc_status *ret_status);
/* Sends initial metadata unless it was sent, or nothing more is. server_out.c */
void server_call_send_headers(struct rpc_server_call *call);

/* Answers a request that is not a gRPC call, or not an acceptable one. Returns true when it did.
 * server_refuse.c */
bool server_refuse(struct h2_stream *stream, const struct h2_block *block, bool request_ended);
/* A request that h2 refused: one that is too large is answered. `user` is the server_conn. */
void server_on_refused(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why);
/* A status without a call (Trailers-Only). */
void server_answer_status(struct h2_stream *stream, enum rpc_code code, const char *message);

#endif

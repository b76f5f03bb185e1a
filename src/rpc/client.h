/* A connection to a gRPC server that is ready for calls: resolved, dialled, TLS, SETTINGS that
 * allow a stream.
 *
 * One attempt per rpc_client; who wants to reconnect makes another after rpc_backoff_next_ms(). */
#ifndef GRPCROUTE_RPC_CLIENT_H
#define GRPCROUTE_RPC_CLIENT_H

#include "base/text.h"
#include "net/error.h"
#include "net/loop.h"
#include "net/tls.h"
#include "rpc/gate.h"

struct rpc_client;
struct rpc_conn;
struct sockaddr;

struct rpc_client_config {
    struct text_address target;
    const struct sockaddr *address;        /* non-NULL: connect here, `target` only names it */
    struct net_tls *tls;                   /* borrowed; NULL: plaintext */
    const struct text_address *connect_to; /* non-NULL: dialled instead of the target; copied */
    const char *authority;                 /* :authority; NULL: from the target; copied */
    const char *server_name;               /* TLS name; NULL: the target's host; copied */
    uint64_t connect_timeout_ms;           /* 0: RPC_CONNECT_MIN_MS */
    uint64_t keepalive_ms;                 /* 0: never ping */
    uint32_t header_block_bytes;           /* of what the peer sends; 0: those of h2/limits.h */
    uint32_t header_fields;                /* the same */
    unsigned *credentials; /* borrowed; gets a bit for each enum net_credential of a connection
                            * that got ready; NULL: nobody asks */
    struct rpc_gate *gate; /* borrowed; its turn comes before all else; NULL: none */
};

struct rpc_client_events {
    /* The peer's SETTINGS came and allow a stream: calls may start. Later a peer may allow none for
     * a while: then a call is not started (H2_E_NO_ROOM), and those that live go on. */
    void (*on_ready)(void *user);
    /* The peer will take no new calls on this connection; live calls go on. May be NULL. */
    void (*on_goaway)(void *user, uint32_t error, const char *debug);
    /* Exactly once: never connected, or connected and lost; live calls had their on_closed. The
     * client is gone when it returns. */
    void (*on_closed)(void *user, const struct net_error *why);
};

struct rpc_client *rpc_client_open(struct net_loop *loop, const struct rpc_client_config *config,
                                   const struct rpc_client_events *events, void *user);

/* Drops the connection or the attempt; on_closed follows. Repeats are harmless. */
void rpc_client_close(struct rpc_client *client);

/* What is missing for a stream where the connection was made, for who gives it up after
 * `waited_ms`. Returns false, and nothing, where that is not so. */
bool rpc_client_explain_wait(const struct rpc_client *client, uint64_t waited_ms,
                             struct net_error *ret);

/* NULL until ready. */
struct rpc_conn *rpc_client_conn(struct rpc_client *client);
bool rpc_client_ready(const struct rpc_client *client);
/* What requests say of it. */
const char *rpc_client_authority(const struct rpc_client *client);
bool rpc_client_is_tls(const struct rpc_client *client);
/* "HOST:PORT" as given. */
const char *rpc_client_target(const struct rpc_client *client);
/* The address in use, or that of the last attempt. */
const char *rpc_client_peer(const struct rpc_client *client);

#endif

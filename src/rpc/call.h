/* One gRPC call from the client's side, on a connection.
 *
 * Happy path: rpc_call_start() -> on_headers -> on_message ... -> rpc_call_half_close() ->
 * on_closed OK.
 * Failure modes: trailers with a status, Trailers-Only, an HTTP answer that is not gRPC,
 * RST_STREAM, GOAWAY, the connection lost, the deadline: one on_closed with a status that says
 * which. */
#ifndef GRPCROUTE_RPC_CALL_H
#define GRPCROUTE_RPC_CALL_H

#include "h2/session.h"
#include "rpc/status.h"

struct rpc_call;
struct rpc_client; /* rpc/client.h */

struct rpc_call_events {
    /* The response's initial metadata (not for Trailers-Only). May be NULL. */
    void (*on_headers)(void *user, const struct h2_block *block);
    /* A whole message, borrowed. */
    void (*on_message)(void *user, const uint8_t *bytes, size_t len);
    /* The trailers, or a Trailers-Only response. May be NULL. */
    void (*on_trailers)(void *user, const struct h2_block *block);
    /* Exactly once, last; the call is gone when it returns. */
    void (*on_closed)(void *user, const struct rpc_status *status);
};

struct rpc_call_config {
    const char *path;                 /* "/package.Service/Method" */
    const struct h2_header *metadata; /* after gRPC's own fields; copied */
    size_t metadata_count;
    uint64_t timeout_ns;        /* 0: no deadline */
    size_t message_limit_bytes; /* of what the peer sends; 0: RPC_MESSAGE_LIMIT_BYTES */
    size_t send_limit_bytes;    /* of a message that is sent; 0: RPC_MESSAGE_LIMIT_BYTES */
};

/* Starts a call on a ready client. Returns 0 with `*ret_call`, or H2_E_NO_ROOM or a negative code,
 * and then no event follows. */
int rpc_call_start(struct rpc_client *client, const struct rpc_call_config *config,
                   const struct rpc_call_events *events, void *user, struct rpc_call **ret_call);

/* Why a call was not started, by what rpc_call_start() returned: a static clause whose subject is
 * the peer. */
const char *rpc_call_unstarted(int outcome);

/* Queues one message of at most the call's send limit. Returns 0, H2_E_CLOSED or H2_E_FULL when
 * more than that, and 64 KiB at least, already wait because the peer does not read. */
int rpc_call_send(struct rpc_call *call, const void *bytes, size_t len);

/* While held, what comes is delivered, and its credit is not given back: the peer may send what the
 * stream's window still has, and then has to wait (RFC 9113 section 6.9). Letting go gives all of
 * it back. */
void rpc_call_hold(struct rpc_call *call, bool hold);

void rpc_call_half_close(struct rpc_call *call);
/* RST_STREAM CANCEL; on_closed follows with CANCELLED. */
void rpc_call_cancel(struct rpc_call *call);
/* The same with another code of RFC 9113 section 7. */
void rpc_call_reset(struct rpc_call *call, uint32_t error);

#endif

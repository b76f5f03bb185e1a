/* The insides of a client's call; for its files alone: call.c over call_in.c over call_end.c. */
#ifndef GRPCROUTE_RPC_CALL_IMPL_H
#define GRPCROUTE_RPC_CALL_IMPL_H

#include "net/loop.h"
#include "rpc/call.h"
#include "rpc/frame.h"

/*    asking --response headers--> answering
 *      |                            |
 *      +-----------verdict----------+--> decided --stream closed--> closed */
enum rpc_call_state {
    RPC_CALL_ASKING,
    RPC_CALL_ANSWERING,
    RPC_CALL_DECIDED, /* from here on `status` is the verdict */
    RPC_CALL_CLOSED,  /* but for on_closed */
};

struct rpc_call {
    enum rpc_call_state state;
    struct rpc_client *client;
    struct h2_stream *stream; /* NULL once closed */
    const struct rpc_call_events *events;
    void *user;
    struct rpc_frame_reader reader;
    uv_timer_t *timer; /* owned; NULL without a deadline */
    size_t send_limit_bytes;
    size_t held_bytes; /* read, and their credit not given back */
    bool hold;
    bool early; /* a grpc-status stood in the response's headers, where it does not belong: */
    enum rpc_code early_code;
    struct rpc_status status;
};

static inline bool rpc_call_is_decided(const struct rpc_call *call)
{
    return call->state >= RPC_CALL_DECIDED;
}

/* ---- call_end.c ---- */

/* The only place where the state changes. */
void rpc_call_enter(struct rpc_call *call, enum rpc_call_state state);
/* The first verdict stands. */
void rpc_call_decide(struct rpc_call *call, const struct rpc_status *status);
/* Ends the call from this side: RST_STREAM with that code, or with CANCEL. */
void rpc_call_fail_with(struct rpc_call *call, enum rpc_code code, uint32_t error,
                        const char *message);
void rpc_call_fail(struct rpc_call *call, enum rpc_code code, const char *message);
/* The stream closed, as h2_stream_events say, and nothing else has decided. */
void rpc_call_decide_by_close(struct rpc_call *call, uint32_t error, bool unprocessed);

/* ---- call_in.c: events of its stream, as h2_stream_events say ---- */

void rpc_call_on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                       bool end_stream);
void rpc_call_on_data(void *user, const uint8_t *bytes, size_t len);
void rpc_call_on_end(void *user);

#endif

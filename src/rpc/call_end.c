/* How a call ends.
 *
 * A verdict is reached once, by the first of: trailers, an answer that is not gRPC, a broken
 * message, the deadline, cancellation, the stream's close. It is delivered when the stream has
 * closed. */
#include "rpc/call_impl.h"

#include "rpc/client.h"

#include <assert.h>

void rpc_call_enter(struct rpc_call *call, enum rpc_call_state state)
{
    static const unsigned may_follow[] = {
        [RPC_CALL_ASKING] = 1u << RPC_CALL_ANSWERING | 1u << RPC_CALL_DECIDED,
        [RPC_CALL_ANSWERING] = 1u << RPC_CALL_DECIDED,
        [RPC_CALL_DECIDED] = 1u << RPC_CALL_CLOSED,
        [RPC_CALL_CLOSED] = 0,
    };
    assert((may_follow[call->state] & 1u << state) != 0);
    call->state = state;
}

void rpc_call_decide(struct rpc_call *call, const struct rpc_status *status)
{
    if (!rpc_call_is_decided(call)) {
        call->status = *status;
        rpc_call_enter(call, RPC_CALL_DECIDED);
    }
}

void rpc_call_fail_with(struct rpc_call *call, enum rpc_code code, uint32_t error,
                        const char *message)
{
    struct rpc_status status;
    rpc_status_set(&status, code, "%s", message);
    rpc_call_decide(call, &status);
    if (call->stream != NULL) {
        h2_stream_reset(call->stream, error);
    }
}

void rpc_call_fail(struct rpc_call *call, enum rpc_code code, const char *message)
{
    rpc_call_fail_with(call, code, H2_CANCEL, message);
}

static void set_lost(const struct rpc_call *call, struct rpc_status *status, const char *goaway)
{
    rpc_status_set(status, RPC_UNAVAILABLE, "connection to %.80s was lost%s%.140s",
                   rpc_client_peer(call->client), goaway != NULL ? " after " : "",
                   goaway != NULL ? goaway : "");
    status->origin = RPC_FROM_CONNECTION;
}

void rpc_call_decide_by_close(struct rpc_call *call, uint32_t error, bool unprocessed)
{
    const char *goaway = h2_session_goaway_text(h2_stream_session(call->stream));
    const char *fault = h2_stream_fault(call->stream);
    struct rpc_status status;
    if (error == H2_CONNECTION_LOST) {
        set_lost(call, &status, goaway);
    } else if (unprocessed && goaway != NULL) {
        /* the connection itself may live on, for other calls */
        rpc_status_set(&status, RPC_UNAVAILABLE, "connection is going away: %s", goaway);
    } else if (fault != NULL) {
        rpc_status_set(&status, rpc_code_from_h2(error), "%s", fault);
    } else {
        rpc_status_set(&status, rpc_code_from_h2(error), "%s", "");
        status.origin = RPC_FROM_RESET;
        status.h2_error = error;
    }
    rpc_call_decide(call, &status);
}

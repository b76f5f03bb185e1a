/* grpc.reflection.v1 and v1alpha: what grpcurl asks. */
#include "rpc/reflection.h"
#include "server/server.h"

void server_reflection_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    const struct server *server = rpc_server_call_server_user(call);
    struct buf response = {0};
    int rv = rpc_reflection_answer(bytes, len, server->probe == NULL ? "probe" : NULL, &response);
    if (rv != 0) {
        rpc_server_call_finish(call, rv > 0 ? RPC_INTERNAL : RPC_RESOURCE_EXHAUSTED,
                               "message is not a ServerReflectionRequest");
    } else if (rpc_server_call_send(call, buf_data(&response), response.len) != 0) {
        rpc_server_call_finish(call, RPC_RESOURCE_EXHAUSTED, "client does not read the answers");
    }
    buf_deinit(&response);
}

void server_reflection_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, RPC_OK, NULL);
}

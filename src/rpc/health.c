#include "rpc/health.h"

#include "base/text.h"
#include "health.pb-c.h"
#include "rpc/arena.h"

#include <string.h>

int rpc_health_request_decode(const uint8_t *bytes, size_t len, const char **ret_service)
{
    Grpc__Health__V1__HealthCheckRequest *request =
        grpc__health__v1__health_check_request__unpack(rpc_arena_reset(), len, bytes);
    if (request == NULL || !text_is_utf8(request->service, strlen(request->service))) {
        return 1;
    }
    *ret_service = request->service;
    return 0;
}

int rpc_health_response_decode(const uint8_t *bytes, size_t len, enum rpc_health_status *ret_status)
{
    Grpc__Health__V1__HealthCheckResponse *response =
        grpc__health__v1__health_check_response__unpack(rpc_arena_reset(), len, bytes);
    if (response == NULL) {
        return 1;
    }
    *ret_status = (enum rpc_health_status)response->status;
    return 0;
}

size_t rpc_health_response_encode(enum rpc_health_status status,
                                  uint8_t out[static RPC_HEALTH_RESPONSE_BYTES])
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status;
    return grpc__health__v1__health_check_response__pack(&response, out);
}

#include "proxy/health_answer.h"

#include "base/text.h"
#include "rpc/frame.h"
#include "rpc/health.h"
#include "rpc/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_OK 200

void proxy_health_answer_init(struct proxy_health_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    answer->grpc_status = -1;
}

void proxy_health_answer_take_block(struct proxy_health_answer *answer,
                                    const struct h2_block *block)
{
    const struct h2_header *http_status = h2_block_find(block, ":status", NULL);
    const struct h2_header *status = h2_block_find(block, "grpc-status", NULL);
    const struct h2_header *type = h2_block_find(block, "content-type", NULL);
    if (http_status != NULL) {
        answer->http_status = strtol(http_status->value, NULL, 10);
    }
    if (status != NULL) {
        answer->grpc_status = (int)rpc_code_parse(status->value, status->value_len);
    }
    if (type != NULL) {
        text_escape(answer->content_type, sizeof(answer->content_type), type->value,
                    type->value_len);
    }
}

void proxy_health_answer_take_data(struct proxy_health_answer *answer, const uint8_t *bytes,
                                   size_t len)
{
    size_t room = HEALTH_ANSWER_BYTES - answer->message_len;
    size_t keep = len < room ? len : room;
    memcpy(answer->message + answer->message_len, bytes, keep);
    answer->message_len += keep;
}

__attribute__((format(printf, 3, 4))) static enum proxy_health_result
because(enum proxy_health_result result, char *ret_cause, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ret_cause, ENDPOINT_CAUSE_BYTES, format, args);
    va_end(args);
    return result;
}

static enum proxy_health_result judge_message(const struct proxy_health_answer *answer,
                                              char *ret_cause)
{
    static const char *const names[] = {
        [RPC_HEALTH_UNKNOWN] = "UNKNOWN",
        [RPC_HEALTH_NOT_SERVING] = "NOT_SERVING",
        [RPC_HEALTH_SERVICE_UNKNOWN] = "SERVICE_UNKNOWN",
    };
    enum rpc_health_status status;
    if (answer->message_len <= RPC_FRAME_PREFIX_BYTES ||
        rpc_health_response_decode(answer->message + RPC_FRAME_PREFIX_BYTES,
                                   answer->message_len - RPC_FRAME_PREFIX_BYTES, &status) != 0) {
        return because(PROXY_HEALTH_FAULT, ret_cause,
                       "health check was answered with what is no HealthCheckResponse");
    }
    switch (status) {
    case RPC_HEALTH_SERVING:
        return PROXY_HEALTH_PASSED;
    case RPC_HEALTH_UNKNOWN:
    case RPC_HEALTH_NOT_SERVING:
    case RPC_HEALTH_SERVICE_UNKNOWN:
        return because(PROXY_HEALTH_DECLINED, ret_cause, "health check answered %s", names[status]);
    }
    return because(PROXY_HEALTH_FAULT, ret_cause,
                   "health check answered %u, which is no serving status", (unsigned)status);
}

static enum proxy_health_result judge_status(const struct proxy_health_answer *answer,
                                             char *ret_cause)
{
    const char *name = rpc_code_name((enum rpc_code)answer->grpc_status);
    switch (answer->grpc_status) {
    case RPC_OK:
        return judge_message(answer, ret_cause);
    case RPC_UNIMPLEMENTED:
        return because(PROXY_HEALTH_PASSED, ret_cause, "%s", name);
    case RPC_NOT_FOUND: /* what Check says where Watch has SERVICE_UNKNOWN */
        return because(PROXY_HEALTH_FAULT, ret_cause,
                       "health check failed with %s: its health service says nothing of the whole "
                       "server, the service \"\"",
                       name);
    default:
        return because(PROXY_HEALTH_FAULT, ret_cause, "health check failed with %s", name);
    }
}

/* A server that routes by path, method or content type says in HTTP that it does not know the call
 * (http-grpc-status-mapping.md; 405 and 415 are what net/http and others answer). */
static bool is_unknown_call(long http_status)
{
    return http_status == 404 || http_status == 405 || http_status == 415;
}

enum proxy_health_result proxy_health_answer_judge(const struct proxy_health_answer *answer,
                                                   char ret_cause[static ENDPOINT_CAUSE_BYTES])
{
    ret_cause[0] = '\0';
    if (answer->grpc_status >= 0) {
        return judge_status(answer, ret_cause);
    }
    if (is_unknown_call(answer->http_status)) {
        return because(PROXY_HEALTH_PASSED, ret_cause, "HTTP status %ld", answer->http_status);
    }
    if (answer->http_status != HTTP_OK) {
        return because(PROXY_HEALTH_FAULT, ret_cause,
                       "health check was answered with HTTP status %ld", answer->http_status);
    }
    if (strncmp(answer->content_type, "application/grpc", strlen("application/grpc")) != 0 &&
        answer->content_type[0] != '\0') {
        return because(PROXY_HEALTH_FAULT, ret_cause,
                       "health check was not answered in gRPC, but with content-type %s",
                       answer->content_type);
    }
    return because(PROXY_HEALTH_FAULT, ret_cause, "health check was not answered in gRPC");
}

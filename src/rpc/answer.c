#include "rpc/answer.h"

#include "base/text.h"
#include "rpc/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t rpc_answer_http_status(const struct h2_block *block)
{
    const struct h2_header *status = h2_block_find(block, ":status", NULL);
    return status != NULL ? (uint32_t)strtoul(status->value, NULL, 10) : 0;
}

/* Reads a decimal number. Returns false when there is none, or no number of at most `max`. */
static bool read_number(const struct h2_block *block, const char *name, uint64_t max, uint64_t *ret)
{
    const struct h2_header *field = h2_block_find(block, name, NULL);
    const char *reason;
    return field != NULL && text_parse_u64(field->value, 0, max, ret, &reason) == 0;
}

/* Only both together say what an end that is planned says. */
static void read_plan(const struct h2_block *block, struct rpc_status *status)
{
    uint64_t pushback_ms;
    if (status->code == RPC_UNAVAILABLE &&
        read_number(block, RPC_PUSHBACK_HEADER, UINT32_MAX, &pushback_ms) &&
        read_number(block, RPC_RECEIVED_HEADER, UINT64_MAX, &status->received)) {
        status->planned = true;
        status->pushback_ms = (uint32_t)pushback_ms;
    }
}

bool rpc_answer_read(const struct h2_block *block, struct rpc_status *status)
{
    size_t count;
    const struct h2_header *code = h2_block_find(block, "grpc-status", &count);
    if (code == NULL) {
        return false;
    }
    if (count > 1) { /* which of them holds is nowhere said */
        rpc_status_set(status, RPC_INTERNAL, "grpc-status is given %zu times", count);
        status->origin = RPC_FROM_CONFLICT;
        return true;
    }
    rpc_status_set(status, rpc_code_parse(code->value, code->value_len), "%s", "");
    status->origin = RPC_FROM_TRAILERS;
    const struct h2_header *message = h2_block_find(block, "grpc-message", NULL);
    if (message != NULL) {
        rpc_percent_decode(status->message, sizeof(status->message), message->value,
                           message->value_len);
    }
    read_plan(block, status);
    return true;
}

/* A field's value, cut; its bytes are escaped when they are shown. */
struct shown_value {
    char text[100];
};

static struct shown_value value_of(const struct h2_block *block, const char *name)
{
    const struct h2_header *field = h2_block_find(block, name, NULL);
    struct shown_value shown = {0};
    if (field != NULL) {
        size_t room = sizeof(shown.text) - 1;
        memcpy(shown.text, field->value, field->value_len < room ? field->value_len : room);
    }
    return shown;
}

/* Of an answer that refuses us. */
static const char *certificate_part(enum net_credential certificate)
{
    static const char *const parts[] = {
        [NET_CREDENTIAL_NOT_ASKED] = "",
        [NET_CREDENTIAL_SHOWN] = ", and it was shown the client certificate of --cert",
        [NET_CREDENTIAL_NONE] = ", and it asked for a client certificate and got none (--cert)",
        [NET_CREDENTIAL_UNFIT] =
            ", and it asked for a client certificate and takes none of the type of --cert's key",
    };
    return parts[certificate];
}

/* What an HTTP answer says about itself: what it is, where it sends us, what it wants. */
static void describe_http(uint32_t http_status, enum net_credential certificate,
                          const struct h2_block *block, char *out, size_t out_bytes)
{
    struct shown_value type = value_of(block, "content-type");
    struct shown_value location = value_of(block, "location");
    struct shown_value wanted = value_of(block, "www-authenticate");
    int len = snprintf(out, out_bytes, "%s%s", type.text[0] != '\0' ? "content-type " : "",
                       type.text[0] != '\0' ? type.text : "no content-type");
    out += len;
    out_bytes -= (size_t)len;
    if (location.text[0] != '\0') {
        snprintf(out, out_bytes, ", it redirects to %s", location.text);
    } else if (http_status == 401) {
        snprintf(out, out_bytes, ", it wants credentials%s%s", wanted.text[0] != '\0' ? ": " : "",
                 wanted.text);
    } else if (http_status >= 400) {
        snprintf(out, out_bytes, "%s", certificate_part(certificate));
    }
}

void rpc_answer_describe(const struct h2_block *block, enum net_credential certificate,
                         struct rpc_status *ret_status)
{
    char message[RPC_MESSAGE_BYTES];
    uint32_t http_status = rpc_answer_http_status(block);
    describe_http(http_status, certificate, block, message, sizeof(message));
    rpc_status_set(ret_status, http_status == 200 ? RPC_UNKNOWN : rpc_code_from_http(http_status),
                   "%s", message);
    ret_status->origin = RPC_FROM_HTTP;
    ret_status->http_status = http_status;
}

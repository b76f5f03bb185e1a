#include "server/probe_script.h"

#include "base/mem.h"
#include "base/text.h"
#include "role/headers.h"
#include "rpc/metadata.h"
#include "server/probe_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAD_NAME_BYTES 24

/* ---- checks; each returns 0, or 1 with the answer ----------------------------------------------
 */

static int over(struct rpc_status *answer, const char *what, uint64_t asked, uint64_t limit)
{
    rpc_status_set(answer, RPC_RESOURCE_EXHAUSTED,
                   "%s: %" PRIu64 " is over this server's limit of %" PRIu64, what, asked, limit);
    return 1;
}

static int nonsense(struct rpc_status *answer, const char *why)
{
    rpc_status_set(answer, RPC_INVALID_ARGUMENT, "script: %s", why);
    return 1;
}

static int check_rate(const struct rpc_probe_script *script, struct rpc_status *answer)
{
    if (script->send_bytes > RPC_PROBE_PAYLOAD_BYTES) {
        return over(answer, "send_bytes", script->send_bytes, RPC_PROBE_PAYLOAD_BYTES);
    }
    if (script->send_every_ms == 0) {
        return 0;
    }
    uint64_t each = script->send_bytes > PROBE_MESSAGE_COST_BYTES ? script->send_bytes
                                                                  : PROBE_MESSAGE_COST_BYTES;
    uint64_t per_second = each * 1000 / script->send_every_ms;
    bool is_burst = script->send_count > 0 &&
                    each * script->send_count <= PROBE_STREAM_BURST_BYTES - RPC_PROBE_HEAD_BYTES;
    return per_second > PROBE_STREAM_BYTES_PER_SECOND && !is_burst
               ? over(answer, "bytes each second", per_second, PROBE_STREAM_BYTES_PER_SECOND)
               : 0;
}

static int check_sizes(const struct rpc_probe_script *script, struct rpc_status *answer)
{
    uint64_t life_ms = (uint64_t)script->end_after_ms + script->grace_ms;
    if (life_ms > PROBE_LIFE_MS) {
        return over(answer, "end_after_ms and grace_ms", life_ms, PROBE_LIFE_MS);
    }
    if (script->pad_fields > PROBE_PAD_FIELDS) {
        return over(answer, "pad_fields", script->pad_fields, PROBE_PAD_FIELDS);
    }
    if (script->pad_bytes > PROBE_PAD_BYTES) {
        return over(answer, "pad_bytes", script->pad_bytes, PROBE_PAD_BYTES);
    }
    uint64_t one = script->pad_fields > 0 ? script->pad_bytes / script->pad_fields : 0;
    if (one > PROBE_PAD_FIELD_BYTES) {
        return over(answer, "pad_bytes of one field", one, PROBE_PAD_FIELD_BYTES);
    }
    size_t message = script->status_message != NULL ? strlen(script->status_message) : 0;
    return message >= RPC_MESSAGE_BYTES
               ? over(answer, "bytes of status_message", message, RPC_MESSAGE_BYTES - 1)
               : 0;
}

static int check_sense(const struct rpc_probe_script *script, struct rpc_status *answer)
{
    bool answers = script->headers_at_once || script->echo || script->send_every_ms > 0 ||
                   script->header_count > 0 || script->pad_fields > 0 || script->pad_bytes > 0;
    if (script->echo && script->send_every_ms > 0) {
        return nonsense(answer, "echo and send_every_ms exclude each other");
    }
    if (script->status > RPC_UNAUTHENTICATED) {
        return nonsense(answer, "status is none of gRPC's, 0 to 16");
    }
    if (script->trailers_only && answers) {
        return nonsense(answer, "trailers_only goes with no metadata and no messages before");
    }
    if (script->goaway && script->end_after_ms == 0) {
        return nonsense(answer, "goaway needs end_after_ms");
    }
    return 0;
}

/* gRPC PROTOCOL-HTTP2.md, ASCII-Value. */
static bool is_value(const uint8_t *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) {
            return false;
        }
    }
    return len == 0 || (value[0] != ' ' && value[len - 1] != ' ');
}

static int check_fields(const struct rpc_probe_field *fields, size_t count,
                        struct rpc_status *answer)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = fields[i].name;
        char lower[ROLE_HEADER_NAME_BYTES];
        char shown[64];
        const char *why = role_header_name(name, strlen(name), lower);
        if (why == NULL && strcmp(name, lower) != 0) {
            why = "its name is not in lower case";
        }
        if (why == NULL && !role_header_is_binary(name) &&
            !is_value(fields[i].value, fields[i].value_len)) {
            why = "its value is not visible ASCII, and its name does not end in -bin";
        }
        if (why != NULL) {
            text_escape(shown, sizeof(shown), name, strlen(name));
            rpc_status_set(answer, RPC_INVALID_ARGUMENT, "script: field \"%s\": %s", shown, why);
            return 1;
        }
    }
    return 0;
}

int server_probe_script_check(const struct rpc_probe_script *script, struct rpc_status *ret_answer)
{
    return check_rate(script, ret_answer) != 0 || check_sizes(script, ret_answer) != 0 ||
           check_sense(script, ret_answer) != 0 ||
           check_fields(script->headers, script->header_count, ret_answer) != 0 ||
           check_fields(script->trailers, script->trailer_count, ret_answer) != 0;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static size_t text_bytes(const struct rpc_probe_field *fields, size_t count, uint32_t pad_fields,
                         uint32_t pad_bytes)
{
    size_t sum = pad_bytes + (size_t)pad_fields * (PAD_NAME_BYTES + 1);
    for (size_t i = 0; i < count; i++) {
        sum += strlen(fields[i].name) + 1 + RPC_BINARY_BYTES(fields[i].value_len);
    }
    return sum;
}

/* Each writes one field whose texts begin at `to`, and returns where the next one's do. */
static char *put_field(struct h2_header *out, const struct rpc_probe_field *field, char *to)
{
    out->name = to;
    out->name_len = strlen(field->name);
    memcpy(to, field->name, out->name_len + 1);
    to += out->name_len + 1;
    out->value = to;
    out->value_len = field->value_len;
    if (role_header_is_binary(field->name)) {
        out->value_len = rpc_binary_encode(to, RPC_BINARY_BYTES(field->value_len), field->value,
                                           field->value_len);
    } else if (field->value_len > 0) {
        memcpy(to, field->value, field->value_len);
    }
    return to + out->value_len + 1;
}

static char *put_pad(struct h2_header *out, uint32_t number, size_t value_len, char *to)
{
    out->name = to;
    out->name_len = (size_t)snprintf(to, PAD_NAME_BYTES, RPC_PROBE_PAD_HEADER "%" PRIu32, number);
    to += out->name_len + 1;
    out->value = to;
    out->value_len = value_len;
    memset(to, 'x', value_len);
    return to + value_len;
}

static size_t pad_name_bytes(uint32_t pad_fields)
{
    char name[PAD_NAME_BYTES];
    size_t sum = 0;
    for (uint32_t i = 1; i <= pad_fields; i++) {
        sum += (size_t)snprintf(name, sizeof(name), RPC_PROBE_PAD_HEADER "%" PRIu32, i);
    }
    return sum;
}

struct h2_header *server_probe_script_fields(const struct rpc_probe_field *fields, size_t count,
                                             uint32_t pad_fields, uint32_t pad_bytes,
                                             size_t *ret_count)
{
    if (pad_fields == 0) {
        pad_fields = (pad_bytes + PROBE_PAD_FIELD_BYTES - 1) / PROBE_PAD_FIELD_BYTES;
    }
    size_t all = count + pad_fields;
    size_t texts = text_bytes(fields, count, pad_fields, pad_bytes);
    struct h2_header *out = mem_calloc(1, all * sizeof(*out) + texts + 1);
    char *to = (char *)(out + all);
    for (size_t i = 0; i < count; i++) {
        to = put_field(&out[i], &fields[i], to);
    }
    size_t names = pad_name_bytes(pad_fields);
    size_t values = pad_bytes > names ? pad_bytes - names : 0;
    for (uint32_t i = 0; i < pad_fields; i++) {
        size_t len = values / pad_fields + (i < values % pad_fields);
        to = put_pad(&out[count + i], i + 1, len, to);
    }
    *ret_count = all;
    return out;
}

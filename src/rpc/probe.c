/* Scripts and what Seen asks and answers, by protobuf-c. */
#include "rpc/probe.h"

#include "base/mem.h"
#include "base/text.h"
#include "probe.pb-c.h"
#include "rpc/arena.h"
#include "rpc/field.h"
#include "rpc/metadata.h"

#include <string.h>

enum { SCRIPT_STATUS_MESSAGE = 10, SCRIPT_TRAILERS = 11, SCRIPT_HEADERS = 16, FIELD_NAME = 1 };

/* protobuf-c's structs hold char *, but packing only reads. */
static char *text(const char *value)
{
    return mem_unconst(value != NULL ? value : "");
}

/* proto3: a string must be UTF-8. */
static bool is_text(const char *value)
{
    return text_is_utf8(value, strlen(value));
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* What a message's fields point to while it is encoded. */
struct packed_fields {
    Probe__Field fields[RPC_PROBE_FIELDS];
    Probe__Field *pointers[RPC_PROBE_FIELDS];
};

static Probe__Field **pack_fields(struct packed_fields *packed,
                                  const struct rpc_probe_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        probe__field__init(&packed->fields[i]);
        packed->fields[i].name = text(fields[i].name);
        packed->fields[i].value.len = fields[i].value_len;
        packed->fields[i].value.data = mem_unconst(fields[i].value);
        packed->fields[i].malformed = fields[i].malformed;
        packed->pointers[i] = &packed->fields[i];
    }
    return packed->pointers;
}

/* Returns 0 or a fault. */
static int take_fields(Probe__Field *const *from, size_t count, struct rpc_probe_field *ret,
                       size_t *ret_count)
{
    if (count > RPC_PROBE_FIELDS) {
        return RPC_PROBE_E_FIELDS;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_text(from[i]->name)) {
            return RPC_PROBE_E_MALFORMED;
        }
        ret[i] = (struct rpc_probe_field){
            .name = from[i]->name,
            .value = from[i]->value.data,
            .value_len = from[i]->value.len,
            .malformed = from[i]->malformed,
        };
    }
    *ret_count = count;
    return 0;
}

/* ---- scripts --------------------------------------------------------------------------------- */

static size_t encode_script(const struct rpc_probe_script *script, uint8_t *out, size_t out_bytes)
{
    Probe__Script message = PROBE__SCRIPT__INIT;
    struct packed_fields trailers;
    struct packed_fields headers;
    message.send_every_ms = script->send_every_ms;
    message.send_bytes = script->send_bytes;
    message.send_count = script->send_count;
    message.echo = script->echo;
    message.headers_at_once = script->headers_at_once;
    message.hold = script->hold;
    message.go_on = script->go_on;
    message.end_after_ms = script->end_after_ms;
    message.status = script->status;
    message.status_message = text(script->status_message);
    message.trailers = pack_fields(&trailers, script->trailers, script->trailer_count);
    message.n_trailers = script->trailer_count;
    message.trailers_only = script->trailers_only;
    if (script->has_reset) {
        message.instead_case = PROBE__SCRIPT__INSTEAD_RESET;
        message.reset = script->reset;
    }
    message.goaway = script->goaway;
    message.grace_ms = script->grace_ms;
    message.headers = pack_fields(&headers, script->headers, script->header_count);
    message.n_headers = script->header_count;
    message.pad_fields = script->pad_fields;
    message.pad_bytes = script->pad_bytes;
    return probe__script__get_packed_size(&message) <= out_bytes
               ? probe__script__pack(&message, out)
               : 0;
}

size_t rpc_probe_script_header(const struct rpc_probe_script *script,
                               char out[static RPC_PROBE_HEADER_BYTES])
{
    uint8_t bytes[RPC_PROBE_SCRIPT_BYTES];
    size_t len = encode_script(script, bytes, sizeof(bytes));
    return rpc_binary_encode(out, RPC_PROBE_HEADER_BYTES, bytes, len);
}

/* protobuf-c ends a text at its first NUL, so what it would lose is looked for before. */
static bool has_nul(const uint8_t *bytes, size_t len)
{
    struct rpc_field_walk walk = {bytes, bytes + len};
    struct rpc_field_value value;
    for (int64_t number; (number = rpc_field_next(&walk, &value)) > 0;) {
        if (value.bytes == NULL) {
            continue;
        }
        struct rpc_field_walk inner = {value.bytes, value.bytes + value.len};
        bool is_field = number == SCRIPT_TRAILERS || number == SCRIPT_HEADERS;
        if (number == SCRIPT_STATUS_MESSAGE && memchr(value.bytes, 0, value.len) != NULL) {
            return true;
        }
        while (is_field && (number = rpc_field_next(&inner, &value)) > 0) {
            if (number == FIELD_NAME && value.bytes != NULL &&
                memchr(value.bytes, 0, value.len) != NULL) {
                return true;
            }
        }
    }
    return false;
}

static void take_numbers(const Probe__Script *from, struct rpc_probe_script *ret)
{
    *ret = (struct rpc_probe_script){
        .send_every_ms = from->send_every_ms,
        .send_bytes = from->send_bytes,
        .send_count = from->send_count,
        .echo = from->echo,
        .headers_at_once = from->headers_at_once,
        .hold = from->hold,
        .go_on = from->go_on,
        .end_after_ms = from->end_after_ms,
        .status = from->status,
        .status_message = from->status_message,
        .trailers_only = from->trailers_only,
        .has_reset = from->instead_case == PROBE__SCRIPT__INSTEAD_RESET,
        .goaway = from->goaway,
        .grace_ms = from->grace_ms,
        .pad_fields = from->pad_fields,
        .pad_bytes = from->pad_bytes,
    };
    ret->reset = ret->has_reset ? from->reset : 0;
}

int rpc_probe_script_decode(const uint8_t *bytes, size_t len, struct rpc_probe_script *ret)
{
    Probe__Script *message = probe__script__unpack(rpc_arena_reset(), len, bytes);
    if (message == NULL || !is_text(message->status_message) || has_nul(bytes, len)) {
        return RPC_PROBE_E_MALFORMED;
    }
    take_numbers(message, ret);
    int rv =
        take_fields(message->trailers, message->n_trailers, ret->trailers, &ret->trailer_count);
    return rv != 0 ? rv
                   : take_fields(message->headers, message->n_headers, ret->headers,
                                 &ret->header_count);
}

/* ---- Seen ------------------------------------------------------------------------------------ */

const char *rpc_probe_end_name(enum rpc_probe_end end)
{
    switch (end) {
#define X(number, name)                                                                            \
    case RPC_PROBE_##name:                                                                         \
        return #name;
        RPC_PROBE_END_LIST(X)
#undef X
    }
    return "unknown";
}

int rpc_probe_seen_request_decode(const uint8_t *bytes, size_t len, const char **ret_id)
{
    Probe__SeenRequest *message = probe__seen_request__unpack(rpc_arena_reset(), len, bytes);
    if (message == NULL || !is_text(message->probe_id)) {
        return 1;
    }
    *ret_id = message->probe_id;
    return 0;
}

size_t rpc_probe_seen_request_encode(const char *id, uint8_t *out, size_t out_bytes)
{
    Probe__SeenRequest message = PROBE__SEEN_REQUEST__INIT;
    message.probe_id = text(id);
    return probe__seen_request__get_packed_size(&message) <= out_bytes
               ? probe__seen_request__pack(&message, out)
               : 0;
}

size_t rpc_probe_seen_encode(const struct rpc_probe_seen *seen, uint8_t *out, size_t out_bytes)
{
    Probe__SeenResponse message = PROBE__SEEN_RESPONSE__INIT;
    struct packed_fields fields;
    message.found = seen->found;
    message.server_id = text(seen->server_id);
    message.connection = seen->connection;
    message.opened_ms_ago = seen->opened_ms_ago;
    message.open_for_ms = seen->open_for_ms;
    message.ended = seen->ended;
    message.how = (Probe__SeenResponse__End)seen->how;
    message.code = seen->code;
    message.half_closed = seen->half_closed;
    message.half_closed_after_ms = seen->half_closed_after_ms;
    message.messages = seen->messages;
    message.bytes = seen->bytes;
    message.sent_messages = seen->sent_messages;
    message.sent_bytes = seen->sent_bytes;
    message.silent_ms = seen->silent_ms;
    message.metadata_fields = seen->metadata_fields;
    message.metadata_bytes = seen->metadata_bytes;
    message.streams = seen->streams;
    message.connection_end = text(seen->connection_end);
    message.why = text(seen->why);
    message.peer = text(seen->peer);
    message.fields = pack_fields(&fields, seen->fields, seen->field_count);
    message.n_fields = seen->field_count;
    return probe__seen_response__get_packed_size(&message) <= out_bytes
               ? probe__seen_response__pack(&message, out)
               : 0;
}

int rpc_probe_seen_decode(const uint8_t *bytes, size_t len, struct rpc_probe_seen *ret)
{
    Probe__SeenResponse *message = probe__seen_response__unpack(rpc_arena_reset(), len, bytes);
    if (message == NULL || !is_text(message->server_id) || !is_text(message->connection_end) ||
        !is_text(message->why) || !is_text(message->peer)) {
        return 1;
    }
    *ret = (struct rpc_probe_seen){
        .found = message->found,
        .server_id = message->server_id,
        .connection = message->connection,
        .opened_ms_ago = message->opened_ms_ago,
        .open_for_ms = message->open_for_ms,
        .ended = message->ended,
        .how = (enum rpc_probe_end)message->how,
        .code = message->code,
        .half_closed = message->half_closed,
        .half_closed_after_ms = message->half_closed_after_ms,
        .messages = message->messages,
        .bytes = message->bytes,
        .sent_messages = message->sent_messages,
        .sent_bytes = message->sent_bytes,
        .silent_ms = message->silent_ms,
        .metadata_fields = message->metadata_fields,
        .metadata_bytes = message->metadata_bytes,
        .streams = message->streams,
        .connection_end = message->connection_end,
        .why = message->why,
        .peer = message->peer,
    };
    return take_fields(message->fields, message->n_fields, ret->fields, &ret->field_count) != 0;
}

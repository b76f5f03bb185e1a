#include "limits/call.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A message of ours is small: its time is what counts. */
#define MESSAGE_BYTES 256

/* ---- metadata -------------------------------------------------------------------------------- */

size_t limits_call_fields(struct limits_ground *ground, struct h2_header *out,
                          char id_text[static LIMITS_AGENT_BYTES])
{
    snprintf(id_text, LIMITS_AGENT_BYTES, "limits-%u", ++ground->next_id);
    const struct role_identity identity = {.version = ground->version, .id = id_text};
    return role_identity_fill(ground->target, &identity, out);
}

void limits_call_make_id(char out[static RPC_PROBE_ID_BYTES])
{
    snprintf(out, RPC_PROBE_ID_BYTES, "%08" PRIx32 "%08" PRIx32,
             (uint32_t)random_below(UINT64_C(1) << 32), (uint32_t)random_below(UINT64_C(1) << 32));
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answered(struct limits_call *call, const char *server_id)
{
    call->answered++;
    if (call->server_id[0] == '\0') {
        text_escape(call->server_id, sizeof(call->server_id), server_id, strlen(server_id));
    }
    if (call->events->on_answer != NULL) {
        call->events->on_answer(call->user);
    }
}

static void on_message(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_probe_response response;
    bool ours = rpc_probe_response_decode(bytes, len, &response) == 0;
    answered(user, ours ? response.server_id : "");
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    answered(user, pong->server_id);
}

static void on_headers(void *user, const struct h2_block *block)
{
    struct limits_call *call = user;
    if (call->events->on_headers != NULL) {
        call->events->on_headers(call->user, block);
    }
}

static void on_trailers(void *user, const struct h2_block *block)
{
    struct limits_call *call = user;
    call->busy = limits_call_is_busy(block);
}

static void on_closed(void *user, const struct rpc_status *status)
{
    struct limits_call *call = user;
    call->call = NULL;
    call->events->on_closed(call->user, status);
}

static void on_run_closed(void *user, const struct rpc_status *status)
{
    struct limits_call *call = user;
    const struct rpc_status restored = limits_call_restored(status, call->busy);
    on_closed(user, &restored);
}

static const struct rpc_call_events run_events = {
    .on_headers = on_headers,
    .on_message = on_message,
    .on_trailers = on_trailers,
    .on_closed = on_run_closed,
};

static const struct role_pinger_events pinger_events = {
    .on_pong = on_pong,
    .on_closed = on_closed,
};

/* ---- the call -------------------------------------------------------------------------------- */

void limits_call_init(struct limits_call *call, struct limits_ground *ground,
                      const struct limits_call_events *events, void *user)
{
    *call = (struct limits_call){.ground = ground, .events = events, .user = user};
    role_pinger_init(&call->pinger, ground->target, &pinger_events, call);
}

static int open_run(struct limits_call *call, struct rpc_client *client,
                    const struct rpc_probe_script *script)
{
    struct h2_header fields[LIMITS_CALL_FIELDS];
    char agent[LIMITS_AGENT_BYTES];
    char header[RPC_PROBE_HEADER_BYTES];
    size_t count = limits_call_fields(call->ground, fields, agent);
    limits_call_make_id(call->id);
    fields[count++] = H2_HEADER(RPC_PROBE_ID_HEADER, call->id);
    if (rpc_probe_script_header(script, header) > 0) {
        fields[count++] = H2_HEADER(RPC_PROBE_SCRIPT_HEADER, header);
    }
    const struct rpc_call_config config = {
        .path = RPC_PROBE_RUN_PATH,
        .metadata = fields,
        .metadata_count = count,
    };
    return rpc_call_start(client, &config, &run_events, call, &call->call);
}

static int open_pinger(struct limits_call *call, struct rpc_client *client)
{
    char agent[LIMITS_AGENT_BYTES];
    call->id[0] = '\0';
    snprintf(agent, sizeof(agent), "limits-%u", ++call->ground->next_id);
    const struct role_identity identity = {.version = call->ground->version, .id = agent};
    return role_pinger_open(&call->pinger, client, &identity);
}

int limits_call_open(struct limits_call *call, const struct limits_link *link,
                     const struct rpc_probe_script *script)
{
    struct rpc_client *client = limits_link_client(link);
    call->sent = 0;
    call->answered = 0;
    call->busy = false;
    return script != NULL ? open_run(call, client, script) : open_pinger(call, client);
}

bool limits_call_is_open(const struct limits_call *call)
{
    return call->call != NULL || role_pinger_is_open(&call->pinger);
}

static int send_run(struct limits_call *call)
{
    uint8_t bytes[MESSAGE_BYTES];
    const struct rpc_probe_request request = {.sequence = call->sent + 1};
    return rpc_call_send(call->call, bytes,
                         rpc_probe_request_encode(&request, bytes, sizeof(bytes)));
}

int limits_call_send(struct limits_call *call)
{
    const struct rpc_ping_request ping = {.message = "limits", .sequence = call->sent + 1};
    int rv = call->call != NULL ? send_run(call) : role_pinger_send(&call->pinger, &ping);
    call->sent += rv == 0;
    return rv;
}

void limits_call_half_close(struct limits_call *call)
{
    if (call->call != NULL) {
        rpc_call_half_close(call->call);
    } else {
        role_pinger_half_close(&call->pinger);
    }
}

void limits_call_hold(struct limits_call *call, bool hold)
{
    if (call->call != NULL) {
        rpc_call_hold(call->call, hold);
    }
}

/* ---- a busy service -------------------------------------------------------------------------- */

bool limits_call_is_busy(const struct h2_block *trailers)
{
    size_t count = 0;
    return h2_block_find(trailers, RPC_PROBE_BUSY_HEADER, &count) != NULL;
}

struct rpc_status limits_call_restored(const struct rpc_status *status, bool busy)
{
    struct rpc_status restored = *status;
    if (busy && strstr(status->message, RPC_PROBE_BUSY) == NULL) {
        rpc_status_set(&restored, RPC_RESOURCE_EXHAUSTED,
                       RPC_PROBE_BUSY "with what, no message of it says behind this path");
        restored.origin = RPC_FROM_TRAILERS;
    }
    return restored;
}

/* ---- its end --------------------------------------------------------------------------------- */

static enum limits_end end_of(const struct rpc_status *status, bool goaway, uint32_t *ret_code)
{
    *ret_code = (uint32_t)status->code;
    switch (status->origin) {
    case RPC_FROM_TRAILERS:
    case RPC_FROM_CONFLICT:
        return LIMITS_END_TRAILERS;
    case RPC_FROM_HTTP:
        *ret_code = status->http_status;
        return LIMITS_END_HTTP;
    case RPC_FROM_RESET:
        *ret_code = status->h2_error;
        return LIMITS_END_RESET;
    case RPC_FROM_CUT:
        return LIMITS_END_CUT;
    case RPC_FROM_CONNECTION:
        return goaway ? LIMITS_END_GOAWAY : LIMITS_END_CONNECTION;
    case RPC_FROM_HERE:
        break;
    }
    return status->code == RPC_CANCELLED ? LIMITS_END_HERE : LIMITS_END_BROKEN;
}

void limits_call_note_end(const struct rpc_status *status, const char *goaway,
                          struct limits_sample *sample)
{
    sample->goaway_seen = goaway != NULL;
    sample->end = end_of(status, goaway != NULL, &sample->code);
    rpc_status_describe(status, sample->saw, sizeof(sample->saw));
    size_t len = strlen(sample->saw);
    if (goaway != NULL && strstr(sample->saw, "GOAWAY") == NULL) {
        snprintf(sample->saw + len, sizeof(sample->saw) - len, " (after %s)", goaway);
    }
}

#include "limits/trial.h"

#include "base/clock.h"
#include "base/mem.h"
#include "limits/call.h"
#include "limits/trial_fields.h"
#include "rpc/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now_ns(const struct limits_trial *trial)
{
    return limits_ground_now_ns(trial->ground);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct limits_trial *trial = handle->data;
    trial->running = false;
    trial->on_over(trial->user, &trial->seen);
}

static void finish(struct limits_trial *trial)
{
    uv_close((uv_handle_t *)&trial->timer, on_timer_closed);
}

static bool is_same(const struct rpc_probe_field *sent, const uint8_t *value, size_t len)
{
    return sent->value_len == len && (len == 0 || memcmp(sent->value, value, len) == 0);
}

static void on_seen(void *user, const struct rpc_probe_seen *server)
{
    struct limits_trial *trial = user;
    struct limits_trial_seen *seen = &trial->seen;
    seen->seen_found = true;
    seen->seen_fields = server->metadata_fields;
    seen->seen_metadata_bytes = server->metadata_bytes;
    seen->seen_open_ms = server->open_for_ms;
    seen->seen_half_closed = server->half_closed;
    seen->binary_matched = 0;
    for (size_t i = 0; i < trial->setup.binary_count; i++) {
        const struct rpc_probe_field *sent = &trial->setup.binary[i];
        for (size_t k = 0; k < server->field_count; k++) {
            const struct rpc_probe_field *came = &server->fields[k];
            if (!came->malformed && strcmp(came->name, sent->name) == 0 &&
                is_same(sent, came->value, came->value_len)) {
                seen->binary_matched++;
                break;
            }
        }
    }
}

static void on_told(void *user, const struct limits_told *told)
{
    struct limits_trial *trial = user;
    trial->seen.asked = true;
    trial->seen.told = *told;
    limits_ground_note_peer(trial->ground, trial->local, told->peer);
    finish(trial);
}

/* A hop may have dropped all but the code of what a busy probe service said: it says it again. */
static bool may_be_busy(const struct limits_trial_seen *seen)
{
    const struct rpc_status *status = &seen->status;
    return status->code == RPC_RESOURCE_EXHAUSTED && status->origin == RPC_FROM_TRAILERS &&
           status->message[0] == '\0';
}

static void closed(struct limits_trial *trial)
{
    trial->call = NULL;
    uv_timer_stop(&trial->timer);
    enum limits_asking asking = trial->setup.asking;
    if (asking == LIMITS_ASK_NOT && may_be_busy(&trial->seen)) {
        asking = LIMITS_ASK_ONCE;
    }
    if (asking == LIMITS_ASK_NOT || trial->stopping ||
        (asking == LIMITS_ASK_UNLESS_MET && trial->seen.met) ||
        (asking == LIMITS_ASK_IF_MET && !trial->seen.met)) {
        finish(trial);
        return;
    }
    bool once = asking == LIMITS_ASK_ONCE || asking == LIMITS_ASK_IF_MET;
    limits_ask_start(&trial->ask, trial->ground, trial->id, !once, on_told, trial);
    trial->ask.on_seen = on_seen;
    if (trial->setup.ask_times != 0) {
        trial->ask.times = trial->setup.ask_times;
    }
    if (trial->setup.ask_settle_ms != 0) {
        trial->ask.settle_ms = trial->setup.ask_settle_ms;
    }
}

static void on_closed(void *user, const struct rpc_status *status)
{
    struct limits_trial *trial = user;
    const char *goaway = limits_link_goaway(trial->link);
    trial->seen.ended_ns = now_ns(trial);
    trial->seen.status = limits_call_restored(status, trial->seen.busy);
    limits_call_note_end(&trial->seen.status, goaway, &trial->seen.sample);
    closed(trial);
}

/* ---- what the server says -------------------------------------------------------------------- */

static bool is_binary(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, "-bin") == 0;
}

static bool came_as_sent(const struct h2_header *came, const struct rpc_probe_field *sent)
{
    uint8_t bytes[RPC_PROBE_SCRIPT_BYTES];
    size_t len;
    if (!is_binary(sent->name)) {
        return is_same(sent, (const uint8_t *)came->value, came->value_len);
    }
    return rpc_binary_decode(came->value, came->value_len, bytes, sizeof(bytes), &len) == 0 &&
           is_same(sent, bytes, len);
}

static size_t count_matched(const struct h2_block *block, const struct rpc_probe_field *sent,
                            size_t count)
{
    size_t matched = 0;
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < block->count && !found; k++) {
            found = strcmp(block->fields[k].name, sent[i].name) == 0 &&
                    came_as_sent(&block->fields[k], &sent[i]);
        }
        matched += found;
    }
    return matched;
}

static void met(struct limits_trial *trial, enum limits_until what)
{
    if (trial->setup.until == what && !trial->seen.met) {
        trial->seen.met = true;
        rpc_call_cancel(trial->call);
    }
}

static void on_headers(void *user, const struct h2_block *block)
{
    struct limits_trial *trial = user;
    const struct rpc_probe_script *script = &trial->setup.script;
    const size_t prefix = strlen(RPC_PROBE_PAD_HEADER);
    trial->seen.headers_ns = now_ns(trial);
    trial->seen.headers_matched = count_matched(block, script->headers, script->header_count);
    for (size_t i = 0; i < block->count; i++) {
        const struct h2_header *field = &block->fields[i];
        if (strncmp(field->name, RPC_PROBE_PAD_HEADER, prefix) == 0) {
            trial->seen.pad_fields++;
            trial->seen.pad_bytes += field->name_len + field->value_len;
        }
    }
    met(trial, LIMITS_UNTIL_HEADERS);
}

static void on_message(void *user, const uint8_t *bytes, size_t len)
{
    struct limits_trial *trial = user;
    struct rpc_probe_response response;
    if (rpc_probe_response_decode(bytes, len, &response) != 0) {
        return;
    }
    if (trial->seen.answers++ == 0) {
        trial->seen.answer_ns = now_ns(trial);
    }
    if (response.payload_len > trial->seen.answer_bytes) {
        trial->seen.answer_bytes = response.payload_len;
    }
    met(trial, LIMITS_UNTIL_ANSWER);
}

static void on_trailers(void *user, const struct h2_block *block)
{
    struct limits_trial *trial = user;
    const struct rpc_probe_script *script = &trial->setup.script;
    trial->seen.busy = limits_call_is_busy(block);
    trial->seen.trailers_matched = count_matched(block, script->trailers, script->trailer_count);
}

static const struct rpc_call_events call_events = {
    .on_headers = on_headers,
    .on_message = on_message,
    .on_trailers = on_trailers,
    .on_closed = on_closed,
};

/* ---- what the client does -------------------------------------------------------------------- */

static void on_patience(uv_timer_t *timer)
{
    struct limits_trial *trial = timer->data;
    trial->seen.given_up = true;
    rpc_call_cancel(trial->call);
}

static void on_reset(uv_timer_t *timer)
{
    struct limits_trial *trial = timer->data;
    trial->seen.reset_ns = now_ns(trial);
    rpc_call_reset(trial->call, trial->setup.reset);
}

static int open_call(struct limits_trial *trial)
{
    struct limits_trial_fields fields;
    limits_trial_fields_init(&fields, trial);
    const struct rpc_call_config config = {
        .path = RPC_PROBE_RUN_PATH,
        .metadata = fields.fields,
        .metadata_count = fields.count,
        .message_limit_bytes = RPC_PROBE_MESSAGE_BYTES,
        .send_limit_bytes = RPC_PROBE_MESSAGE_BYTES,
    };
    int rv =
        rpc_call_start(limits_link_client(trial->link), &config, &call_events, trial, &trial->call);
    limits_trial_fields_deinit(&fields);
    return rv;
}

static void send_message(struct limits_trial *trial)
{
    const struct rpc_probe_request request = {.sequence = 1,
                                              .payload_len = trial->setup.send_bytes};
    size_t room = request.payload_len + RPC_PROBE_HEAD_BYTES;
    uint8_t *bytes = mem_calloc(1, room);
    rpc_call_send(trial->call, bytes, rpc_probe_request_encode(&request, bytes, room));
    free(bytes);
}

void limits_trial_start(struct limits_trial *trial, struct limits_ground *ground,
                        struct limits_link *link, const struct limits_trial_setup *setup,
                        void (*on_over)(void *user, const struct limits_trial_seen *seen),
                        void *user)
{
    memset(trial, 0, sizeof(*trial));
    trial->ground = ground;
    trial->link = link;
    trial->setup = *setup;
    trial->on_over = on_over;
    trial->user = user;
    trial->running = true;
    snprintf(trial->local, sizeof(trial->local), "%s", limits_link_local(link));
    uv_timer_init(&ground->loop.uv, &trial->timer);
    trial->timer.data = trial;
    limits_call_make_id(trial->id);
    trial->seen.opened_ns = now_ns(trial);
    trial->seen.refused = open_call(trial);
    if (trial->seen.refused != 0) {
        finish(trial);
        return;
    }
    if (setup->sends) {
        send_message(trial);
    }
    if (setup->half_closes) {
        rpc_call_half_close(trial->call);
    }
    uv_timer_start(&trial->timer, setup->resets ? on_reset : on_patience,
                   setup->resets ? setup->reset_ms : setup->patience_ms, 0);
}

void limits_trial_goaway(struct limits_trial *trial)
{
    if (trial->running && trial->seen.goaway_ns == 0) {
        trial->seen.goaway_ns = now_ns(trial);
    }
}

void limits_trial_stop(struct limits_trial *trial)
{
    if (!trial->running || trial->stopping) {
        return;
    }
    trial->stopping = true;
    if (trial->call != NULL) {
        rpc_call_cancel(trial->call);
    } else {
        limits_ask_stop(&trial->ask);
    }
}

/*   asking --answered, found, and ended or not waited for--> settled
 *   asking --not found, or still open there--> pausing --PAUSE_MS--> asking
 *   asking --no service, no connection--> settled
 *   any --asked often or long enough, stopped--> settled
 *   settled --link closed, timer closed--> told */
#include "limits/ask.h"

#include "base/clock.h"
#include "base/text.h"
#include "limits/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_MS    100
#define SEEN_MS_MAX (UINT64_C(1) << 42) /* of a time that a server says */

static void ask_again(struct limits_ask *ask);

/* ---- the end --------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct limits_ask *ask = handle->data;
    ask->running = false;
    ask->on_told(ask->user, &ask->told);
}

static void settle(struct limits_ask *ask)
{
    if (ask->settled) {
        return;
    }
    ask->settled = true;
    uv_timer_stop(&ask->timer);
    if (ask->link != NULL) {
        limits_link_close(ask->link);
    } else {
        uv_close((uv_handle_t *)&ask->timer, on_timer_closed);
    }
}

static uint64_t asked_for_ms(const struct limits_ask *ask)
{
    return (limits_ground_now_ns(ask->ground) - ask->began_ns) / NS_PER_MS;
}

/* ---- one question ---------------------------------------------------------------------------- */

/* UNIMPLEMENTED and the like do not get better. */
static bool is_final(const struct rpc_status *status)
{
    return status->code == RPC_UNIMPLEMENTED || status->origin == RPC_FROM_HTTP;
}

static bool is_done(const struct limits_ask *ask)
{
    uint64_t ms = asked_for_ms(ask);
    if (ask->told.found) {
        return ask->told.ended || !ask->wait || ms >= ask->settle_ms;
    }
    return ask->asked >= ask->times || ms >= LIMITS_ASK_MS ||
           (!ask->told.answered && is_final(&ask->told.status));
}

static void on_pause(uv_timer_t *timer)
{
    ask_again(timer->data);
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct limits_ask *ask = user;
    ask->link = NULL;
    if (ask->told.status.code == RPC_OK && !ask->told.answered) {
        rpc_status_set(&ask->told.status, RPC_UNAVAILABLE, "%s", why->text);
        ask->told.status.origin = RPC_FROM_CONNECTION;
    }
    if (ask->settled) {
        uv_close((uv_handle_t *)&ask->timer, on_timer_closed);
    } else if (is_done(ask)) {
        settle(ask);
    } else {
        uv_timer_start(&ask->timer, on_pause, PAUSE_MS, 0);
    }
}

static void describe(struct limits_told *told, const struct rpc_probe_seen *seen)
{
    char after[32];
    char ended[LIMITS_TEXT_BYTES];
    text_format_duration(after, sizeof(after), seen->open_for_ms * NS_PER_MS);
    if (!seen->ended) {
        snprintf(told->text, sizeof(told->text), "still open after %s", after);
        return;
    }
    switch (seen->how) {
    case RPC_PROBE_RESET:
        snprintf(ended, sizeof(ended), "reset with %s", h2_error_name(seen->code));
        break;
    case RPC_PROBE_CONNECTION_LOST:
        snprintf(ended, sizeof(ended), "connection lost (%s)", seen->connection_end);
        break;
    default:
        snprintf(ended, sizeof(ended), "%s%s%s", rpc_probe_end_name(seen->how),
                 seen->why[0] != '\0' ? ": " : "", seen->why);
        break;
    }
    snprintf(told->text, sizeof(told->text), "ended after %s: ", after);
    size_t len = strlen(told->text);
    text_escape(told->text + len, sizeof(told->text) - len, ended, strlen(ended));
}

static void take(struct limits_ask *ask, const struct rpc_probe_seen *seen)
{
    struct limits_told *told = &ask->told;
    uint64_t now_ns = limits_ground_now_ns(ask->ground);
    told->answered = true;
    text_escape(told->server_id, sizeof(told->server_id), seen->server_id, strlen(seen->server_id));
    if (!seen->found) {
        return;
    }
    uint64_t ago_ns = seen->opened_ms_ago * NS_PER_MS;
    if (ask->on_seen != NULL) {
        ask->on_seen(ask->user, seen);
    }
    told->found = true;
    told->connection = seen->connection;
    snprintf(told->peer, sizeof(told->peer), "%s", seen->peer);
    told->ended = seen->ended;
    told->opened_ns = now_ns > ago_ns ? now_ns - ago_ns : 0;
    told->ended_ns = told->opened_ns + seen->open_for_ms * NS_PER_MS;
    uint64_t heard_ns = (ago_ns - seen->open_for_ms * NS_PER_MS) + seen->silent_ms * NS_PER_MS;
    told->heard_ns = now_ns > heard_ns ? now_ns - heard_ns : 0;
    told->how = seen->how;
    told->code = seen->code;
    told->messages = seen->messages;
    describe(told, seen);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* What a server may say of times, and no more: in nanoseconds they fit, and nothing ended later
 * than now. */
static void bound_times(struct rpc_probe_seen *seen)
{
    seen->opened_ms_ago = at_most(seen->opened_ms_ago, SEEN_MS_MAX);
    seen->open_for_ms = at_most(seen->open_for_ms, seen->opened_ms_ago);
    seen->silent_ms = at_most(seen->silent_ms, seen->open_for_ms);
}

static void on_message(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_probe_seen seen;
    if (rpc_probe_seen_decode(bytes, len, &seen) == 0) {
        bound_times(&seen);
        take(user, &seen);
    }
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct limits_ask *ask = user;
    ask->call = NULL;
    if (!ask->told.answered) {
        ask->told.status = *status;
    }
    limits_link_close(ask->link);
}

static const struct rpc_call_events call_events = {
    .on_message = on_message,
    .on_closed = on_call_closed,
};

static int open_call(struct limits_ask *ask)
{
    struct h2_header fields[LIMITS_CALL_FIELDS];
    char agent[LIMITS_AGENT_BYTES];
    const struct rpc_call_config config = {
        .path = RPC_PROBE_SEEN_PATH,
        .metadata = fields,
        .metadata_count = limits_call_fields(ask->ground, fields, agent),
        .timeout_ns = LIMITS_ANSWER_MS * NS_PER_MS,
    };
    return rpc_call_start(limits_link_client(ask->link), &config, &call_events, ask, &ask->call);
}

static void on_ready(void *user)
{
    struct limits_ask *ask = user;
    uint8_t bytes[64];
    ask->told.connected = true;
    int rv = ask->settled ? 0 : open_call(ask);
    if (ask->settled || rv != 0) {
        if (rv != 0 && !ask->told.answered) {
            rpc_status_set(&ask->told.status, RPC_UNAVAILABLE, "%s", rpc_call_unstarted(rv));
        }
        limits_link_close(ask->link);
        return;
    }
    rpc_call_send(ask->call, bytes, rpc_probe_seen_request_encode(ask->id, bytes, sizeof(bytes)));
    rpc_call_half_close(ask->call);
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_closed = on_link_closed,
};

static void ask_again(struct limits_ask *ask)
{
    const struct limits_link_setup setup = {.asks = true};
    ask->asked++;
    ask->told.status = (struct rpc_status){0};
    ask->link = limits_link_open(ask->ground, &setup, &link_events, ask);
}

/* ---- life ------------------------------------------------------------------------------------ */

void limits_ask_start(struct limits_ask *ask, struct limits_ground *ground, const char *id,
                      bool wait, void (*on_told)(void *user, const struct limits_told *told),
                      void *user)
{
    *ask = (struct limits_ask){
        .ground = ground, .on_told = on_told, .user = user, .id = id, .wait = wait};
    ask->times = LIMITS_ASK_TIMES;
    ask->settle_ms = LIMITS_ASK_SETTLES_MS;
    ask->began_ns = limits_ground_now_ns(ground);
    ask->running = true;
    uv_timer_init(&ground->loop.uv, &ask->timer);
    ask->timer.data = ask;
    ask_again(ask);
}

void limits_ask_stop(struct limits_ask *ask)
{
    if (ask->running) {
        settle(ask);
    }
}

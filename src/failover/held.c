/*   opening  --every stream answered-->  kept
 *   kept     --failover_held_finish()--> finishing: half-closed, until the server ends them
 *   any      --failover_held_close()-->  closing
 *
 * Failure modes: a stream that ends, or a connection that is lost, is opened again REOPEN_MS later;
 * in opening it is the end of the test. */
#include "failover/held.h"

#include "base/clock.h"
#include "base/mem.h"
#include "failover/held_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 5000
/* Soon, so that the gap is the target's and not ours. */
#define REOPEN_MS 100

/* ---- what is seen ---------------------------------------------------------------------------- */

static bool fault_is_over(const struct failover_held *held)
{
    return held->result->history.over_ns != 0;
}

static void send_ping(struct failover_held_stream *stream)
{
    const struct rpc_ping_request ping = {.message = "ping", .sequence = stream->call_sent + 1};
    if (role_pinger_send(&stream->pinger, &ping) == 0) {
        stream->call_sent++;
        stream->seen->sent += failover_fault_began(stream->held);
    }
}

size_t failover_held_answered(const struct failover_held *held)
{
    size_t answered = 0;
    if (!fault_is_over(held)) {
        return held->opened;
    }
    uint64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < held->result->stream_count; i++) {
        const struct failover_held_stream *stream = &held->streams[i];
        answered += stream->answered_since_fault &&
                    now_ns - stream->last_pong_ns <= failover_hole_ns(held->result);
    }
    return answered;
}

/* ---- one stream ------------------------------------------------------------------------------ */

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct failover_held_stream *stream = user;
    struct failover_held *held = stream->held;
    uint64_t now_ns = clock_now_ns();
    failover_note_answer(stream, pong, now_ns);
    bool is_first = stream->last_pong_ns == 0;
    held->opened += is_first;
    stream->last_pong_ns = stream->call_heard_ns = now_ns;
    if (stream->call_answered == stream->call_sent) {
        /* a service of others may answer as often as it likes */
        stream->seen->repeated += held->target->service == NULL;
    } else {
        stream->call_answered++;
        /* 0: of a server that does not know our fields */
        stream->seen->disordered += pong->sequence != 0 && pong->sequence != stream->call_answered;
    }
    stream->answered_since_fault = stream->answered_since_fault || fault_is_over(held);
    if (held->stage != FAILOVER_HELD_OPENING || !is_first) {
        return;
    }
    if (held->opened == held->result->stream_count) {
        held->stage = FAILOVER_HELD_KEPT;
        held->events->on_all_answered(held->user);
    } else {
        held->events->on_first_answer(held->user);
    }
}

/* A stream that ends before its first answer. */
static bool is_fatal(const struct failover_held_stream *stream)
{
    return stream->held->stage == FAILOVER_HELD_OPENING && stream->last_pong_ns == 0;
}

/* Of what was sent after the messages that a planned end says were received nobody saw anything. */
static uint64_t count_lost(const struct failover_held_stream *stream,
                           const struct rpc_status *status)
{
    uint64_t seen = stream->call_sent;
    if (status->planned && status->received < seen && status->received >= stream->call_answered) {
        seen = status->received;
    }
    return seen - stream->call_answered;
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct failover_held_stream *stream = user;
    struct failover_held *held = stream->held;
    char cause[FAILOVER_CAUSE_BYTES];
    if (held->stage == FAILOVER_HELD_FINISHING) {
        failover_note_end(stream, status);
    } else if (held->stage != FAILOVER_HELD_CLOSING) {
        if (failover_fault_began(held)) {
            stream->seen->lost += count_lost(stream, status);
            stream->answered_since_fault = false;
        }
        failover_note_silence(stream, clock_now_ns(), FAILOVER_HOLE_ENDED);
        if (stream->call_answered > 0) {
            failover_history_call_ended(&held->result->history, clock_now_ns());
        }
        rpc_status_describe(status, cause, sizeof(cause));
        failover_note_cause(stream, cause);
        if (is_fatal(stream)) {
            held->events->on_unopened(held->user, cause);
        }
    }
    if (stream->client != NULL) {
        rpc_client_close(stream->client); /* its on_closed opens again */
    }
}

static void on_named(void *user, const struct role_naming *naming)
{
    const struct failover_held_stream *stream = user;
    struct failover_stream *seen = stream->seen;
    if (seen->unnamed_why[0] == '\0') {
        snprintf(seen->unnamed_why, sizeof(seen->unnamed_why), "%s",
                 role_naming_missing(stream->held->target->service, naming));
    }
}

static const struct role_pinger_events pinger_events = {
    .on_pong = on_pong, .on_named = on_named, .on_closed = on_call_closed};

static void on_ready(void *user)
{
    struct failover_held_stream *stream = user;
    const struct role_identity self = {.version = stream->seen->version,
                                       .id = stream->seen->agent_id};
    stream->call_sent = stream->call_answered = 0;
    stream->call_heard_ns = clock_now_ns();
    int rv = role_pinger_open(&stream->pinger, stream->client, &self);
    stream->unstarted = rv != 0 ? rpc_call_unstarted(rv) : NULL;
    if (rv != 0) {
        rpc_client_close(stream->client);
        return;
    }
    send_ping(stream);
}

static void open_stream(struct failover_held_stream *stream);

static void on_reopen(uv_timer_t *timer)
{
    open_stream(timer->data);
}

/* Whose call was not started closed its connection itself. */
static void tell_closed(struct failover_held_stream *stream, const struct net_error *why,
                        char out[static FAILOVER_CAUSE_BYTES])
{
    if (stream->unstarted != NULL) {
        snprintf(out, FAILOVER_CAUSE_BYTES, "%s: %s", stream->held->target->name,
                 stream->unstarted);
    } else {
        snprintf(out, FAILOVER_CAUSE_BYTES, "%s", why->text);
    }
    stream->unstarted = NULL;
}

static void on_client_closed(void *user, const struct net_error *why)
{
    struct failover_held_stream *stream = user;
    struct failover_held *held = stream->held;
    stream->client = NULL;
    held->clients--;
    if (held->stage < FAILOVER_HELD_FINISHING) {
        char cause[FAILOVER_CAUSE_BYTES];
        tell_closed(stream, why, cause);
        failover_note_cause(stream, cause);
        if (is_fatal(stream)) {
            held->events->on_unopened(held->user, cause);
        } else {
            uv_timer_start(&stream->timer, on_reopen, REOPEN_MS, 0);
        }
    }
    if (held->clients == 0 && held->stage >= FAILOVER_HELD_FINISHING) {
        held->events->on_gone(held->user);
    }
}

static const struct rpc_client_events client_events = {.on_ready = on_ready,
                                                       .on_closed = on_client_closed};

static void open_stream(struct failover_held_stream *stream)
{
    struct rpc_client_config client = role_target_client(stream->held->target);
    client.connect_timeout_ms = CONNECT_MS;
    if (stream->last_pong_ns != 0) { /* a fleet comes back all at once */
        client.gate = NULL;
    }
    stream->held->clients++;
    stream->client = rpc_client_open(stream->held->loop, &client, &client_events, stream);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void on_pinger(uv_timer_t *timer)
{
    struct failover_held *held = timer->data;
    const struct role_service *service = held->target->service;
    if (service != NULL && role_service_sends_once(service)) {
        return; /* the server has its own pace */
    }
    for (size_t i = 0; i < held->result->stream_count; i++) {
        struct failover_held_stream *stream = &held->streams[i];
        if (role_pinger_is_open(&stream->pinger) && stream->call_answered == stream->call_sent) {
            send_ping(stream);
        }
    }
}

void failover_held_start(struct failover_held *held, struct net_loop *loop,
                         struct failover_result *result, const struct role_target *target,
                         const struct failover_held_events *events, void *user)
{
    uint64_t interval_ms = result->interval_ns / NS_PER_MS;
    *held = (struct failover_held){
        .loop = loop, .result = result, .target = target, .events = events, .user = user};
    held->streams = mem_calloc(result->stream_count, sizeof(*held->streams));
    uv_timer_init(&loop->uv, &held->pinger);
    held->pinger.data = held;
    uv_timer_start(&held->pinger, on_pinger, interval_ms, interval_ms);
    for (size_t i = 0; i < result->stream_count; i++) {
        struct failover_held_stream *stream = &held->streams[i];
        stream->held = held;
        stream->seen = &result->streams[i];
        uv_timer_init(&loop->uv, &stream->timer);
        stream->timer.data = stream;
        role_pinger_init(&stream->pinger, target, &pinger_events, stream);
        open_stream(stream);
    }
}

void failover_held_judge(struct failover_held *held)
{
    uint64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < held->result->stream_count; i++) {
        struct failover_held_stream *stream = &held->streams[i];
        bool silent = now_ns - stream->last_pong_ns > held->result->max_gap_ns;
        stream->seen->back = stream->answered_since_fault && !silent;
        if (!stream->seen->back) {
            failover_note_gap(stream, now_ns, "");
        }
        if (role_pinger_is_open(&stream->pinger)) {
            failover_note_silence(stream, now_ns, FAILOVER_HOLE_OPEN);
        }
    }
}

static void close_history(struct failover_held *held)
{
    struct failover_history *history = &held->result->history;
    if (history->ended_ns != 0) {
        return;
    }
    history->ended_ns = clock_now_ns();
    for (size_t i = 0; i < held->result->stream_count; i++) {
        const struct failover_held_stream *stream = &held->streams[i];
        if (role_pinger_is_open(&stream->pinger) && stream->call_answered > 0) {
            failover_lanes_close(history, &stream->seen->lanes, history->ended_ns);
        }
    }
}

void failover_held_finish(struct failover_held *held)
{
    close_history(held);
    held->stage = FAILOVER_HELD_FINISHING;
    uv_timer_stop(&held->pinger);
    for (size_t i = 0; i < held->result->stream_count; i++) {
        struct failover_held_stream *stream = &held->streams[i];
        uv_timer_stop(&stream->timer);
        if (role_pinger_is_open(&stream->pinger)) {
            stream->seen->end = FAILOVER_END_OPEN;
            role_pinger_half_close(&stream->pinger);
        } else if (stream->client != NULL) {
            rpc_client_close(stream->client);
        }
    }
    if (held->clients == 0) {
        held->events->on_gone(held->user);
    }
}

void failover_held_close(struct failover_held *held)
{
    close_history(held);
    held->stage = FAILOVER_HELD_CLOSING;
    uv_timer_stop(&held->pinger);
    for (size_t i = 0; i < held->result->stream_count; i++) {
        uv_timer_stop(&held->streams[i].timer);
        if (held->streams[i].client != NULL) {
            rpc_client_close(held->streams[i].client);
        }
    }
}

void failover_held_stop(struct failover_held *held)
{
    uv_close((uv_handle_t *)&held->pinger, NULL);
    for (size_t i = 0; i < held->result->stream_count; i++) {
        uv_close((uv_handle_t *)&held->streams[i].timer, NULL);
    }
}

void failover_held_deinit(struct failover_held *held)
{
    free(held->streams);
}

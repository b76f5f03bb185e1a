/* One Run stream: what its script says, in time.
 *
 * Happy path: start -> messages when they are due, or one for each that comes -> half-close or
 * end_after_ms -> status or reset.
 * Failure modes: a limit of probe_limits.h ends it with RESOURCE_EXHAUSTED, bytes that are no
 * RunRequest with INTERNAL. A client that does not read is sent nothing more until it does; its
 * stream ends with its life at the latest. */
#include "server/probe_stream.h"

#include "rpc/frame.h"
#include "server/probe_limits.h"

static void arm(struct server_probe_stream *stream);

static void flush_sent(struct server_probe_stream *stream)
{
    stream->facts.sent_bytes = stream->written_bytes - rpc_server_call_queued_bytes(stream->call);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void reset(struct server_probe_stream *stream)
{
    stream->phase = PROBE_ENDED;
    stream->facts.how = RPC_PROBE_BY_SCRIPT;
    stream->facts.code = stream->script.reset;
    flush_sent(stream);
    rpc_server_call_reset(stream->call, stream->script.reset);
}

/* Ends a stream that is to end, once the message on its way is out, and all before a reset. */
static void try_end(struct server_probe_stream *stream)
{
    if (stream->phase != PROBE_ENDING) {
        return;
    }
    if (!stream->script.has_reset) {
        if (stream->payload_left == 0) {
            server_probe_send_status(stream);
        }
        return;
    }
    bool is_out = stream->payload_left == 0 && rpc_server_call_queued_bytes(stream->call) == 0;
    if (is_out || server_probe_now_ms(stream) >= stream->end_ms + PROBE_RESET_WAIT_MS) {
        reset(stream);
    }
}

static void end(struct server_probe_stream *stream)
{
    stream->phase = PROBE_ENDING;
    stream->end_ms = server_probe_now_ms(stream);
    server_probe_send_payload(stream, 0, PROBE_QUEUE_BYTES);
    try_end(stream);
}

static void end_connection(struct server_probe_stream *stream)
{
    const struct server_probe_rate rate = {PROBE_GOAWAY_BURST * PROBE_GOAWAY_S, 1};
    uint64_t now_ms = server_probe_now_ms(stream);
    if (!server_probe_budget_take(&stream->probe->goaways, rate, PROBE_GOAWAY_S, now_ms)) {
        server_probe_refuse(
            stream, RPC_RESOURCE_EXHAUSTED,
            RPC_PROBE_BUSY "over the GOAWAYs that this server sends for its clients: one each %d s",
            PROBE_GOAWAY_S);
        return;
    }
    rpc_server_call_goaway(stream->call, "a probe asked for it");
    stream->phase = PROBE_GRACE;
    stream->end_ms = now_ms + stream->script.grace_ms;
}

/* Neither its script nor its client ended it in time: it ends here, whatever its client reads. */
static void end_life(struct server_probe_stream *stream)
{
    stream->life_end_ms = server_probe_now_ms(stream) + PROBE_RESET_WAIT_MS;
    if (stream->phase == PROBE_ENDED) {
        stream->dropped = true;
        stream->facts.how = RPC_PROBE_LIMIT;
        stream->facts.code = RPC_RESOURCE_EXHAUSTED;
        rpc_server_call_reset(stream->call, H2_CANCEL);
        return;
    }
    /* Who does not read is to hear of it, too; what waits for that never leaves. */
    stream->written_bytes -= rpc_server_call_queued_bytes(stream->call);
    rpc_server_call_discard(stream->call);
    if (stream->end_is_timed) {
        server_probe_refuse(stream, RPC_RESOURCE_EXHAUSTED,
                            "the client does not read what is before the end, for %d s now",
                            PROBE_END_WAIT_MS / 1000);
    } else {
        server_probe_refuse(stream, RPC_RESOURCE_EXHAUSTED,
                            "the stream is older than this server's %d s", PROBE_LIFE_MS / 1000);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Whether it is to send of itself as soon as it may. */
static bool wants_to_send(const struct server_probe_stream *stream)
{
    const struct rpc_probe_script *script = &stream->script;
    return script->send_every_ms > 0 && stream->phase < PROBE_ENDING &&
           (script->send_count == 0 || stream->facts.sent_messages < script->send_count);
}

/* While the last message waits for its reader, none is made. */
static bool may_send(const struct server_probe_stream *stream)
{
    return wants_to_send(stream) && stream->payload_left == 0 &&
           rpc_server_call_queued_bytes(stream->call) == 0;
}

static void send_next(struct server_probe_stream *stream)
{
    stream->send_ms = server_probe_now_ms(stream) + stream->script.send_every_ms;
    if (server_probe_begin_message(stream, stream->facts.sent_messages + 1,
                                   stream->script.send_bytes)) {
        server_probe_send_payload(stream, 0, PROBE_QUEUE_BYTES);
    }
}

/* What is due now. */
static void act(struct server_probe_stream *stream, uint64_t now_ms)
{
    if (now_ms >= stream->life_end_ms) {
        end_life(stream);
    } else if (stream->phase == PROBE_ENDING) {
        try_end(stream);
    } else if (stream->phase < PROBE_ENDING && stream->end_ms != 0 && now_ms >= stream->end_ms) {
        bool first = stream->phase == PROBE_RUNNING && stream->script.goaway;
        (first ? end_connection : end)(stream);
    } else if (may_send(stream) && now_ms >= stream->send_ms) {
        send_next(stream);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The last word of everything that may have brought it to its end: that waits only so long for a
 * client that does not read. */
static void time_end(struct server_probe_stream *stream)
{
    if (stream->phase < PROBE_ENDING || stream->end_is_timed) {
        return;
    }
    uint64_t last_ms = server_probe_now_ms(stream) + PROBE_END_WAIT_MS;
    stream->end_is_timed = true;
    stream->life_end_ms = earlier(stream->life_end_ms, last_ms);
    arm(stream);
}

static void on_timer(uv_timer_t *timer)
{
    struct server_probe_stream *stream = timer->data;
    act(stream, server_probe_now_ms(stream));
    arm(stream);
    time_end(stream);
}

static void arm(struct server_probe_stream *stream)
{
    uint64_t due_ms = stream->life_end_ms;
    uint64_t now_ms = server_probe_now_ms(stream);
    if (stream->phase < PROBE_ENDING && stream->end_ms != 0) {
        due_ms = earlier(due_ms, stream->end_ms);
    } else if (stream->phase == PROBE_ENDING && stream->script.has_reset) {
        due_ms = earlier(due_ms, stream->end_ms + PROBE_RESET_WAIT_MS);
    }
    if (may_send(stream)) {
        due_ms = earlier(due_ms, stream->send_ms);
    }
    uv_timer_start(stream->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

/* ---- what comes ------------------------------------------------------------------------------ */

static bool on_begin(void *ctx, uint64_t sequence, size_t payload_bytes)
{
    struct server_probe_stream *stream = ctx;
    stream->facts.messages++;
    stream->probe->messages_received++;
    return !stream->script.echo || server_probe_begin_message(stream, sequence, payload_bytes);
}

/* The answer leaves as the message comes, so that neither is ever held whole. */
static bool on_more(void *ctx, size_t left_bytes)
{
    struct server_probe_stream *stream = ctx;
    if (stream->script.echo) {
        server_probe_send_payload(stream, left_bytes, SIZE_MAX);
    }
    return stream->phase < PROBE_ENDING;
}

static const struct rpc_probe_reader_events reader_events = {
    .on_begin = on_begin,
    .on_more = on_more,
};

static void refuse_input(struct server_probe_stream *stream, int outcome)
{
    switch (outcome) {
    case RPC_FRAME_E_TOO_LARGE:
        server_probe_refuse(stream, RPC_RESOURCE_EXHAUSTED,
                            "message is larger than the limit of %d bytes",
                            RPC_PROBE_MESSAGE_BYTES);
        return;
    case RPC_FRAME_E_COMPRESSED:
        server_probe_refuse(stream, RPC_INTERNAL, "compressed message without grpc-encoding");
        return;
    case RPC_FRAME_E_FLAG:
        server_probe_refuse(stream, RPC_INTERNAL, "message flag is neither 0 nor 1");
        return;
    default:
        server_probe_refuse(stream, RPC_INTERNAL, "message is not a probe.RunRequest");
        return;
    }
}

void server_probe_stream_bytes(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    struct server_probe_stream *stream = rpc_server_call_user(call);
    if (stream == NULL) {
        return;
    }
    stream->facts.heard_ms = server_probe_now_ms(stream);
    stream->facts.bytes += len;
    if (stream->phase >= PROBE_ENDING) {
        return;
    }
    int rv = rpc_probe_reader_feed(&stream->reader, bytes, len, &reader_events, stream);
    if (rv != 0 && rv != RPC_FRAME_E_STOPPED) {
        refuse_input(stream, rv);
    }
    time_end(stream);
}

void server_probe_stream_half_close(struct rpc_server_call *call)
{
    struct server_probe_stream *stream = rpc_server_call_user(call);
    if (stream == NULL) {
        return;
    }
    stream->facts.half_closed = true;
    stream->facts.half_closed_ms = server_probe_now_ms(stream);
    stream->facts.heard_ms = stream->facts.half_closed_ms;
    if (stream->phase >= PROBE_ENDING) {
        return;
    }
    if (rpc_probe_reader_pending(&stream->reader)) {
        server_probe_refuse(stream, RPC_INTERNAL, "request ended inside a message");
    } else if (!stream->script.go_on) {
        end(stream);
    }
    time_end(stream);
}

void server_probe_stream_sent(struct rpc_server_call *call)
{
    struct server_probe_stream *stream = rpc_server_call_user(call);
    if (stream == NULL) {
        return;
    }
    flush_sent(stream);
    if (!stream->script.echo || stream->phase == PROBE_ENDING) {
        server_probe_send_payload(stream, 0, PROBE_QUEUE_BYTES);
    }
    try_end(stream);
    if (may_send(stream)) {
        arm(stream);
    }
    time_end(stream);
}

/* ---- start and settlement -------------------------------------------------------------------- */

void server_probe_stream_start(struct server_probe_stream *stream)
{
    const struct rpc_probe_script *script = &stream->script;
    uint64_t now_ms = server_probe_now_ms(stream);
    stream->life_end_ms = now_ms + PROBE_LIFE_MS;
    stream->end_ms = script->end_after_ms > 0 ? now_ms + script->end_after_ms : 0;
    stream->send_ms = now_ms + script->send_every_ms;
    if (script->hold) {
        rpc_server_call_hold(stream->call);
    }
    if (script->headers_at_once) {
        server_probe_send_headers(stream);
    }
    arm(stream);
    time_end(stream);
}

/* Of an end that the service did not decide. */
static void settle_other(struct server_probe_facts *facts, const struct rpc_status *status)
{
    facts->code = (uint32_t)status->code;
    if (status->origin == RPC_FROM_RESET) {
        facts->how = RPC_PROBE_RESET;
        facts->code = status->h2_error;
    } else if (status->origin == RPC_FROM_CONNECTION) {
        facts->how = RPC_PROBE_CONNECTION_LOST;
        facts->code = 0;
    } else if (status->code == RPC_DEADLINE_EXCEEDED) {
        facts->how = RPC_PROBE_DEADLINE;
    } else if (status->code == RPC_UNAVAILABLE) {
        facts->how = RPC_PROBE_SHUTDOWN;
    } else if (status->code == RPC_RESOURCE_EXHAUSTED) {
        facts->how = RPC_PROBE_LIMIT;
    } else {
        facts->how = RPC_PROBE_BROKEN;
    }
}

void server_probe_stream_settle(struct server_probe_stream *stream, struct rpc_status *status)
{
    bool was_reset = stream->dropped || (stream->phase == PROBE_ENDED && stream->script.has_reset);
    stream->facts.ended_ms = server_probe_now_ms(stream);
    flush_sent(stream);
    if (stream->phase != PROBE_ENDED) {
        settle_other(&stream->facts, status);
    } else if (!was_reset && rpc_server_call_was_cut(stream->call, status)) {
        settle_other(&stream->facts, status);
    }
    stream->probe->ended[stream->facts.how]++;
}

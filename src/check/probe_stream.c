/* One stream of a probe: its pings, its answers, its end.
 *
 *   waiting --connection ready--> open --all answered--> half-closed --on_closed--> over
 *   any --peer ends, time limit, signal--> over */
#include "base/clock.h"
#include "check/probe.h"
#include "check/probe_state.h"
#include "check/service.h"

#include <inttypes.h>
#include <stdio.h>

static size_t index_of(const struct probe_stream *stream)
{
    return (size_t)(stream - stream->probe->streams);
}

static struct check_observation *seen_of(const struct probe_stream *stream)
{
    return &stream->probe->run->streams[index_of(stream)];
}

void probe_stream_settle(struct probe_stream *stream, enum check_end end)
{
    if (!stream->settled) {
        stream->settled = true;
        seen_of(stream)->end = end;
    }
}

/* ---- pings ----------------------------------------------------------------------------------- */

/* Stamps are unique in the run, so that an answer names its ping. */
static uint64_t next_stamp(struct probe *probe)
{
    uint64_t now = clock_now_ns();
    probe->last_stamp_ns = now > probe->last_stamp_ns ? now : probe->last_stamp_ns + 1;
    return probe->last_stamp_ns;
}

/* Messages that a stream sends, and answers after which it is done. */
static uint64_t to_send(const struct check_plan *plan)
{
    return plan->service != NULL ? check_service_sends(plan) : plan->messages;
}

static uint64_t to_answer(const struct check_plan *plan)
{
    return plan->service != NULL ? check_service_wants(plan) : plan->messages;
}

static bool is_unary(const struct probe *probe)
{
    const struct role_service *service = probe->run->plan->service;
    return service != NULL && service->call == ROLE_CALL_UNARY;
}

/* The one answer of such a call comes when there is nothing more to be read. */
static void end_requests(struct probe_stream *stream)
{
    const struct check_plan *plan = stream->probe->run->plan;
    if (plan->service != NULL && plan->service->call == ROLE_CALL_CLIENT_STREAM &&
        seen_of(stream)->sent == to_send(plan)) {
        role_pinger_half_close(&stream->pinger);
    }
}

static void finish_if_answered(struct probe_stream *stream)
{
    const struct check_observation *seen = seen_of(stream);
    const struct check_plan *plan = stream->probe->run->plan;
    if (!stream->settled && seen->sent == to_send(plan) && seen->pong_count >= to_answer(plan)) {
        probe_stream_settle(stream, CHECK_END_DONE);
        stream->half_closed_ms = uv_now(&stream->probe->loop->uv);
        role_pinger_half_close(&stream->pinger);
    }
}

static void send_ping(struct probe_stream *stream)
{
    struct probe *probe = stream->probe;
    const struct check_observation *seen = seen_of(stream);
    char message[CHECK_ID_BYTES + 32];
    snprintf(message, sizeof(message), "ping %s/%" PRIu64,
             probe->run->plan->streams[index_of(stream)].agent_id, seen->sent + 1);
    const struct rpc_ping_request ping = {
        .message = message,
        .sequence = seen->sent + 1,
        .send_time_ns = next_stamp(probe),
    };
    /* A peer that does not read gets the ping with the next interval, or never. */
    if (role_pinger_send(&stream->pinger, &ping) == 0) {
        stream->last_message_ns = ping.send_time_ns;
        check_run_sent(probe->run, index_of(stream), ping.send_time_ns);
        end_requests(stream);
        finish_if_answered(stream);
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct probe_stream *stream = user;
    struct check_observation *seen = seen_of(stream);
    stream->last_message_ns = next_stamp(stream->probe);
    if (!check_run_received(stream->probe->run, index_of(stream), pong)) {
        probe_stream_settle(stream, CHECK_END_DONE);
        role_pinger_cancel(&stream->pinger);
    } else {
        seen->pongs[seen->pong_count - 1].received_ns = stream->last_message_ns;
        finish_if_answered(stream);
    }
}

static void on_garbled(void *user)
{
    struct probe_stream *stream = user;
    stream->last_message_ns = next_stamp(stream->probe);
    seen_of(stream)->garbled = true;
    probe_stream_settle(stream, CHECK_END_BY_PEER);
}

static void on_named(void *user, const struct role_naming *naming)
{
    struct probe_stream *stream = user;
    check_run_named(stream->probe->run, index_of(stream), stream->call_first, naming);
}

/* One of several unary calls went well; the next is made with the next interval. */
static bool has_next_call(const struct probe_stream *stream, const struct rpc_status *status)
{
    const struct check_observation *seen = seen_of(stream);
    return is_unary(stream->probe) && !stream->settled && status->code == RPC_OK &&
           seen->pong_count == seen->sent && seen->sent < to_send(stream->probe->run->plan);
}

/* The stream has no call and gets no other. */
static void leave_conn(struct probe_stream *stream)
{
    struct probe_conn *conn = stream->conn;
    stream->conn = NULL;
    conn->live--;
    if (conn->live == 0 && conn->started == conn->stream_count) {
        rpc_client_close(conn->client);
    }
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct probe_stream *stream = user;
    struct check_observation *seen = seen_of(stream);
    if (has_next_call(stream, status)) {
        return;
    }
    seen->status = *status;
    seen->ended = !stream->probe->stopping &&
                  !(status->origin == RPC_FROM_HERE && status->code == RPC_CANCELLED);
    uint64_t now_ns = next_stamp(stream->probe);
    seen->open_ns = now_ns - stream->opened_ns;
    seen->idle_ns = now_ns - stream->last_message_ns;
    seen->half_closed = stream->half_closed_ms != 0;
    seen->half_closed_ns =
        (uv_now(&stream->probe->loop->uv) - stream->half_closed_ms) * 1000000 * seen->half_closed;
    bool done = stream->probe->run->plan->service != NULL && seen->ended &&
                check_service_is_done(stream->probe->run->plan, seen);
    probe_stream_settle(stream, done ? CHECK_END_DONE : CHECK_END_BY_PEER);
    leave_conn(stream);
}

static const struct role_pinger_events pinger_events = {
    .on_pong = on_pong,
    .on_garbled = on_garbled,
    .on_closed = on_call_closed,
    .on_named = on_named,
};

static struct role_identity identity_of(const struct probe_stream *stream)
{
    const struct check_plan *plan = stream->probe->run->plan;
    const struct check_stream *planned = &plan->streams[index_of(stream)];
    const struct check_group *group = &plan->groups[planned->group];
    struct role_identity identity = {.id = planned->agent_id};
    if (group->header == CHECK_HEADER_ONCE) {
        identity.version = group->agent_version;
    } else if (group->header == CHECK_HEADER_TWICE) {
        identity.version = CHECK_TWICE_FIRST;
        identity.second_version = CHECK_TWICE_SECOND;
    }
    return identity;
}

int probe_stream_open(struct probe_stream *stream, struct probe_conn *conn)
{
    const struct role_identity identity = identity_of(stream);
    int outcome = role_pinger_open(&stream->pinger, conn->client, &identity);
    if (outcome == 0) {
        stream->conn = conn;
        stream->opened_ns = stream->last_message_ns = next_stamp(conn->probe);
        seen_of(stream)->opened = true;
        conn->live++;
        send_ping(stream);
    }
    return outcome;
}

void probe_stream_fail(struct probe_stream *stream, const struct net_error *why)
{
    if (!stream->settled) {
        seen_of(stream)->error = *why;
        probe_stream_settle(stream, CHECK_END_NOT_CONNECTED);
    }
}

/* Of a stream whose last unary call went well, or that has not begun yet. */
static void next_call(struct probe_stream *stream)
{
    if (stream->conn == NULL) {
        return;
    }
    const struct role_identity identity = identity_of(stream);
    stream->call_first = seen_of(stream)->pong_count;
    int outcome = role_pinger_open(&stream->pinger, stream->conn->client, &identity);
    if (outcome == 0) {
        send_ping(stream);
        return;
    }
    struct net_error why;
    net_error_set(&why, NET_FAILED, "%s: %s", rpc_client_peer(stream->conn->client),
                  rpc_call_unstarted(outcome));
    probe_stream_fail(stream, &why);
    leave_conn(stream);
}

/* ---- time ------------------------------------------------------------------------------------ */

void probe_stream_next(struct probe_stream *stream)
{
    const struct probe *probe = stream->probe;
    if (stream->settled || seen_of(stream)->sent >= to_send(probe->run->plan)) {
        return;
    }
    if (!is_unary(probe) && role_pinger_is_open(&stream->pinger)) {
        send_ping(stream);
    } else if (is_unary(probe) && !role_pinger_is_open(&stream->pinger)) {
        next_call(stream);
    }
}

/* A service that answers less often than it is asked: who waits for more waits for ever. */
static void half_close_if_quiet(struct probe_stream *stream)
{
    const struct check_plan *plan = stream->probe->run->plan;
    if (plan->service != NULL && plan->service->call == ROLE_CALL_BIDI &&
        seen_of(stream)->sent == to_send(plan) &&
        clock_now_ns() > stream->last_message_ns + CHECK_QUIET_MS * UINT64_C(1000000)) {
        role_pinger_half_close(&stream->pinger);
    }
}

void probe_stream_tick(struct probe_stream *stream, uint64_t now_ms)
{
    if (role_pinger_is_open(&stream->pinger)) {
        half_close_if_quiet(stream);
    }
    if (role_pinger_is_open(&stream->pinger) && stream->half_closed_ms != 0 &&
        now_ms >= stream->half_closed_ms + CHECK_LINGER_MS) {
        role_pinger_cancel(&stream->pinger);
    }
}

void probe_stream_init(struct probe_stream *stream, struct probe *probe)
{
    stream->probe = probe;
    role_pinger_init(&stream->pinger, probe->target, &pinger_events, stream);
}

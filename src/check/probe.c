/* The prober: connections, streams and pings of a plan on one event loop.
 *
 *   stream:  waiting --connection ready--> open --all answered--> half-closed --on_closed--> over
 *            any --peer ends, time limit, signal--> over */
#include "check/probe.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/text.h"
#include "check/service.h"
#include "cli/progress.h"
#include "net/loop.h"
#include "net/stream.h"
#include "role/pinger.h"
#include "role/signals.h"
#include "rpc/conn.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe;

struct probe_conn {
    struct list node; /* in probe.conns */
    struct probe *probe;
    struct rpc_client *client;
    size_t *streams; /* owned; indices */
    size_t stream_count;
    size_t started; /* the first `started` of them had their chance */
    size_t live;    /* of them, those whose call is open */
    bool ready;
};

struct probe_stream {
    struct probe *probe;
    struct probe_conn *conn; /* borrowed while the pinger is open, and between unary calls */
    struct role_pinger pinger;
    uint64_t opened_ns;
    uint64_t last_message_ns; /* in either direction */
    uint64_t half_closed_ms;  /* since when only its end is waited for; 0: not yet */
    size_t call_first;        /* of the answers, the call's first */
    bool settled;             /* its `end` is final */
};

struct probe {
    struct net_loop *loop;
    void (*on_done)(void *user);
    void *user;
    unsigned handles; /* open ones */
    uint64_t started_ns;
    uv_timer_t pinger;
    uv_timer_t deadline;
    struct net_tick tick;
    struct cli_progress progress;
    struct list conns;
    struct check_run *run;
    const struct role_target *target;
    struct probe_stream *streams; /* owned */
    size_t *order;                /* owned; the plan's streams by connection */
    size_t next;                  /* of `order`: the first whose connection was not begun */
    size_t connecting;
    uint64_t last_stamp_ns;
    bool stopping; /* time limit or signal: what ends from here on says nothing about the peer */
};

static size_t index_of(const struct probe_stream *stream)
{
    return (size_t)(stream - stream->probe->streams);
}

static struct check_observation *seen_of(const struct probe_stream *stream)
{
    return &stream->probe->run->streams[index_of(stream)];
}

static void settle(struct probe_stream *stream, enum check_end end)
{
    if (!stream->settled) {
        stream->settled = true;
        seen_of(stream)->end = end;
    }
}

/* ---- pings
 * --------------------------------------------------------------------------------------- */

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
        settle(stream, CHECK_END_DONE);
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

static void next_call(struct probe_stream *stream);

static void on_pinger(uv_timer_t *timer)
{
    struct probe *probe = timer->data;
    for (size_t i = 0; i < probe->run->plan->stream_count; i++) {
        struct probe_stream *stream = &probe->streams[i];
        if (stream->settled || seen_of(stream)->sent >= to_send(probe->run->plan)) {
            continue;
        }
        if (!is_unary(probe) && role_pinger_is_open(&stream->pinger)) {
            send_ping(stream);
        } else if (is_unary(probe) && !role_pinger_is_open(&stream->pinger)) {
            next_call(stream);
        }
    }
}

/* ---- streams
 * ------------------------------------------------------------------------------------- */

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct probe_stream *stream = user;
    struct check_observation *seen = seen_of(stream);
    stream->last_message_ns = next_stamp(stream->probe);
    if (!check_run_received(stream->probe->run, index_of(stream), pong)) {
        settle(stream, CHECK_END_DONE);
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
    settle(stream, CHECK_END_BY_PEER);
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
    settle(stream, done ? CHECK_END_DONE : CHECK_END_BY_PEER);
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

/* Returns what role_pinger_open() returns. */
static int open_stream(struct probe_stream *stream, struct probe_conn *conn)
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

static void fail_stream(struct probe_stream *stream, const struct net_error *why)
{
    if (!stream->settled) {
        seen_of(stream)->error = *why;
        settle(stream, CHECK_END_NOT_CONNECTED);
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
    if (role_pinger_open(&stream->pinger, stream->conn->client, &identity) == 0) {
        send_ping(stream);
        return;
    }
    struct net_error why;
    net_error_set(&why, NET_FAILED, "%s takes no further call on this connection",
                  rpc_client_peer(stream->conn->client));
    fail_stream(stream, &why);
    leave_conn(stream);
}

/* ---- connections
 * --------------------------------------------------------------------------------- */

static void open_conn(struct probe *probe, const size_t *streams, size_t stream_count);
static void open_planned(struct probe *probe);

/* The peer has no room for the streams from `first` on: they get a connection of their own, unless
 * not even one fitted on this one. */
static void move_rest(struct probe_conn *conn, size_t first)
{
    if (first > 0) {
        open_conn(conn->probe, conn->streams + first, conn->stream_count - first);
        conn->stream_count = first;
        return;
    }
    struct net_error why;
    net_error_set(&why, NET_FAILED, "%s allows no stream on a new connection",
                  rpc_client_peer(conn->client));
    for (size_t i = 0; i < conn->stream_count; i++) {
        fail_stream(&conn->probe->streams[conn->streams[i]], &why);
    }
}

static void keep_earliest(int64_t *kept, int64_t seen)
{
    *kept = *kept == 0 || seen < *kept ? seen : *kept;
}

/* Behind one address there may be several proxies, each with a certificate of its own. */
static void note_expiry(struct probe_conn *conn)
{
    struct net_expiry expiry;
    const struct net_stream *stream = rpc_conn_stream(rpc_client_conn(conn->client));
    if (net_stream_peer_expiry(stream, &expiry)) {
        keep_earliest(&conn->probe->run->expiry.leaf_s, expiry.leaf_s);
        keep_earliest(&conn->probe->run->expiry.chain_s, expiry.chain_s);
    }
}

static void on_ready(void *user)
{
    struct probe_conn *conn = user;
    conn->ready = true;
    conn->probe->run->connections_ready++;
    conn->probe->connecting--;
    note_expiry(conn);
    size_t i = 0;
    while (i < conn->stream_count &&
           open_stream(&conn->probe->streams[conn->streams[i]], conn) == 0) {
        i++;
    }
    if (i < conn->stream_count) {
        move_rest(conn, i);
    }
    conn->started = conn->stream_count;
    if (conn->live == 0) {
        rpc_client_close(conn->client);
    }
    open_planned(conn->probe);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct probe *probe = handle->data;
    if (--probe->handles > 0) {
        return;
    }
    void (*on_done)(void *user) = probe->on_done;
    void *user = probe->user;
    probe->run->duration_ns = clock_now_ns() - probe->started_ns;
    cli_progress_end(&probe->progress);
    free(probe->order);
    free(probe->streams);
    free(probe);
    on_done(user);
}

static void close_handles(struct probe *probe)
{
    net_loop_tick_stop(&probe->tick);
    uv_close((uv_handle_t *)&probe->pinger, on_handle_closed);
    uv_close((uv_handle_t *)&probe->deadline, on_handle_closed);
}

static void on_client_closed(void *user, const struct net_error *why)
{
    struct probe_conn *conn = user;
    struct probe *probe = conn->probe;
    if (!conn->ready && !probe->stopping && !probe->run->connection_failed) {
        probe->run->connection_failed = true;
        probe->run->error = *why;
    }
    for (size_t i = 0; i < conn->stream_count; i++) {
        struct probe_stream *stream = &probe->streams[conn->streams[i]];
        if (i >= conn->started || stream->conn == conn) { /* or it is between two unary calls */
            fail_stream(stream, why);
            stream->conn = NULL;
        }
    }
    probe->connecting -= !conn->ready;
    list_remove(&conn->node);
    free(conn->streams);
    free(conn);
    open_planned(probe);
    if (list_empty(&probe->conns)) {
        close_handles(probe);
    }
}

static const struct rpc_client_events client_events = {
    .on_ready = on_ready,
    .on_closed = on_client_closed,
};

/* Copies `streams`. */
static void open_conn(struct probe *probe, const size_t *streams, size_t stream_count)
{
    struct probe_conn *conn = mem_new(struct probe_conn);
    conn->probe = probe;
    conn->stream_count = stream_count;
    conn->streams = mem_calloc(stream_count, sizeof(size_t));
    memcpy(conn->streams, streams, stream_count * sizeof(size_t));
    list_init(&conn->node);
    list_append(&probe->conns, &conn->node);
    probe->connecting++;
    struct rpc_client_config config = role_target_client(probe->target);
    config.connect_timeout_ms = probe->run->timeout_ns / 1000000 + 1;
    conn->client = rpc_client_open(probe->loop, &config, &client_events, conn);
}

/* Opens the plan's connections in their order, as many at a time as may be on their way. */
static void open_planned(struct probe *probe)
{
    const struct check_plan *plan = probe->run->plan;
    while (!probe->stopping && probe->next < plan->stream_count &&
           probe->connecting < CHECK_CONNECTING_MAX) {
        const size_t *first = &probe->order[probe->next];
        size_t count = 0;
        while (probe->next + count < plan->stream_count &&
               plan->streams[first[count]].connection == plan->streams[first[0]].connection) {
            count++;
        }
        probe->next += count;
        open_conn(probe, first, count);
    }
}

/* By counting: a bucket per connection. */
static size_t *order_by_connection(const struct check_plan *plan)
{
    size_t *order = mem_calloc(plan->stream_count, sizeof(size_t));
    size_t *starts = mem_calloc(plan->connection_count + 1, sizeof(size_t));
    for (size_t i = 0; i < plan->stream_count; i++) {
        starts[plan->streams[i].connection + 1]++;
    }
    for (size_t i = 1; i <= plan->connection_count; i++) {
        starts[i] += starts[i - 1];
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        order[starts[plan->streams[i].connection]++] = i;
    }
    free(starts);
    return order;
}

/* ---- the end
 * ------------------------------------------------------------------------------------- */

static void drop_everything(struct probe *probe, enum check_end end)
{
    probe->stopping = true;
    for (size_t i = 0; i < probe->run->plan->stream_count; i++) {
        settle(&probe->streams[i], end);
    }
    struct list *node;
    struct list *next;
    list_each(node, next, &probe->conns)
    {
        rpc_client_close(container_of(node, struct probe_conn, node)->client);
    }
}

/* A server that was reached, and has nothing for us, is told as that. */
static void explain_waits(struct probe *probe)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &probe->conns)
    {
        const struct probe_conn *conn = container_of(node, struct probe_conn, node);
        if (!probe->run->connection_failed &&
            rpc_client_explain_wait(conn->client, probe->run->timeout_ns / 1000000,
                                    &probe->run->error)) {
            probe->run->connection_failed = true;
        }
    }
}

static void on_deadline(uv_timer_t *timer)
{
    explain_waits(timer->data);
    drop_everything(timer->data, CHECK_END_TIMED_OUT);
}

void check_probe_stop(struct probe *probe, int signal)
{
    probe->run->interrupted_by = signal;
    drop_everything(probe, CHECK_END_OPEN);
}

static uint64_t whole_seconds(uint64_t ns)
{
    return ns - ns % UINT64_C(1000000000);
}

static void show_progress(struct probe *probe)
{
    const struct check_plan *plan = probe->run->plan;
    char took[32];
    char limit[32];
    size_t done = 0;
    uint64_t answered = 0;
    if (!cli_progress_due(&probe->progress)) {
        return;
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        done += probe->streams[i].settled;
        answered += probe->run->streams[i].pong_count;
    }
    text_format_duration(took, sizeof(took), whole_seconds(clock_now_ns() - probe->started_ns));
    text_format_duration(limit, sizeof(limit), whole_seconds(probe->run->timeout_ns));
    cli_progress_show(&probe->progress,
                      "%s: %zu of %zu streams done, %" PRIu64 " of %" PRIu64
                      " messages answered, %s of at most %s",
                      plan->command == CHECK_VERIFY ? "verify" : "sticky-test", done,
                      plan->stream_count, answered, plan->stream_count * plan->messages, took,
                      limit);
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

/* Streams that the peer does not end, or for whose end it waits itself. */
static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct probe *probe = container_of(tick, struct probe, tick);
    for (size_t i = 0; i < probe->run->plan->stream_count; i++) {
        struct probe_stream *stream = &probe->streams[i];
        if (role_pinger_is_open(&stream->pinger)) {
            half_close_if_quiet(stream);
        }
        if (role_pinger_is_open(&stream->pinger) && stream->half_closed_ms != 0 &&
            now_ms >= stream->half_closed_ms + CHECK_LINGER_MS) {
            role_pinger_cancel(&stream->pinger);
        }
    }
    show_progress(probe);
}

static void start_handles(struct probe *probe)
{
    uint64_t planned_ms = probe->run->plan->interval_ms;
    uint64_t interval_ms = planned_ms > 0 ? planned_ms : 1; /* a timer of 0 fires only once */
    uv_timer_init(&probe->loop->uv, &probe->pinger);
    uv_timer_init(&probe->loop->uv, &probe->deadline);
    probe->pinger.data = probe->deadline.data = probe;
    probe->handles = 2;
    uv_timer_start(&probe->pinger, on_pinger, interval_ms, interval_ms);
    uv_timer_start(&probe->deadline, on_deadline, probe->run->timeout_ns / 1000000, 0);
    net_tick_init(&probe->tick, on_tick);
    net_loop_tick_start(probe->loop, &probe->tick);
}

struct probe *check_probe_start(struct net_loop *loop, struct check_run *run,
                                const struct role_target *target, void (*on_done)(void *user),
                                void *user)
{
    struct probe *probe = mem_new(struct probe);
    assert(run->plan->stream_count > 0);
    probe->loop = loop;
    probe->on_done = on_done;
    probe->user = user;
    probe->started_ns = clock_now_ns();
    probe->run = run;
    probe->target = target;
    probe->streams = mem_calloc(run->plan->stream_count, sizeof(struct probe_stream));
    for (size_t i = 0; i < run->plan->stream_count; i++) {
        probe->streams[i].probe = probe;
        role_pinger_init(&probe->streams[i].pinger, target, &pinger_events, &probe->streams[i]);
    }
    probe->order = order_by_connection(run->plan);
    list_init(&probe->conns);
    process_raise_fd_limit();
    cli_progress_begin(&probe->progress);
    start_handles(probe);
    open_planned(probe);
    return probe;
}

/* ---- with a loop of its own ------------------------------------------------------------------ */

struct alone {
    struct net_loop loop;
    struct role_signals signals;
    struct probe *probe;
};

static void on_alone_done(void *user)
{
    struct alone *alone = user;
    role_signals_close(&alone->signals);
}

static void on_alone_signal(void *user, int number, bool again)
{
    struct alone *alone = user;
    (void)again;
    check_probe_stop(alone->probe, number);
}

int check_probe(struct check_run *run, const struct role_target *target)
{
    struct alone alone;
    int error = net_loop_init(&alone.loop);
    if (error != 0) {
        return error;
    }
    role_signals_start(&alone.signals, &alone.loop, on_alone_signal, NULL, &alone);
    alone.probe = check_probe_start(&alone.loop, run, target, on_alone_done, &alone);
    net_loop_run(&alone.loop);
    net_loop_deinit(&alone.loop);
    return 0;
}

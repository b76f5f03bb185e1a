/* The connections of a probe: opened in the plan's order, each with its streams. */
#include "base/mem.h"
#include "check/probe.h"
#include "check/probe_state.h"
#include "net/stream.h"
#include "rpc/call.h"
#include "rpc/conn.h"

#include <stdlib.h>
#include <string.h>

static void open_conn(struct probe *probe, const size_t *streams, size_t stream_count);

/* The streams from `first` on cannot be opened, for the first of them with that outcome: they get a
 * connection of their own, unless this one took none. */
static void move_rest(struct probe_conn *conn, size_t first, int outcome)
{
    if (first > 0) {
        open_conn(conn->probe, conn->streams + first, conn->stream_count - first);
        conn->stream_count = first;
        return;
    }
    struct net_error why;
    net_error_set(&why, NET_FAILED, "%s: %s", rpc_client_peer(conn->client),
                  rpc_call_unstarted(outcome));
    for (size_t i = 0; i < conn->stream_count; i++) {
        probe_stream_fail(&conn->probe->streams[conn->streams[i]], &why);
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
    int outcome = 0;
    while (i < conn->stream_count && outcome == 0) {
        outcome = probe_stream_open(&conn->probe->streams[conn->streams[i]], conn);
        i += outcome == 0;
    }
    if (outcome != 0) {
        move_rest(conn, i, outcome);
    }
    conn->started = conn->stream_count;
    if (conn->live == 0) {
        rpc_client_close(conn->client);
    }
    probe_open_planned(conn->probe);
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
            probe_stream_fail(stream, why);
            stream->conn = NULL;
        }
    }
    probe->connecting -= !conn->ready;
    list_remove(&conn->node);
    free(conn->streams);
    free(conn);
    probe_open_planned(probe);
    if (list_empty(&probe->conns)) {
        probe->on_last_closed(probe);
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

void probe_open_planned(struct probe *probe)
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

/* ---- the end --------------------------------------------------------------------------------- */

void probe_explain_waits(struct probe *probe)
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

void probe_close_conns(struct probe *probe)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &probe->conns)
    {
        rpc_client_close(container_of(node, struct probe_conn, node)->client);
    }
}

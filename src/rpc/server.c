/* A gRPC server: listener, connections, drain.
 *
 * Happy path: listen -> connections -> calls -> drain: GOAWAY on every connection, each call ends
 * at its own moment of the window, connections close with their last call -> on_done.
 * Failure modes: what is left GOODBYE_MS after the window is closed without ceremony. */
#include "base/mem.h"
#include "base/random.h"
#include "net/listener.h"
#include "net/stream.h"
#include "rpc/conn.h"
#include "rpc/server_impl.h"

#include <assert.h>
#include <stdlib.h>

#define GOODBYE_MS 1000

/* ---- connections ----------------------------------------------------------------------------- */

static void on_closed(void *user, const struct net_error *why)
{
    struct server_conn *conn = user;
    const struct rpc_server_config *config = &conn->server->config;
    list_remove(&conn->node);
    conn->server->conn_count--;
    if (conn->user != NULL && config->on_connection_closed != NULL) {
        config->on_connection_closed(config->server_user, conn->user, why);
    }
    free(conn);
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_request = server_call_on_request, .on_refused = server_on_refused},
    .on_closed = on_closed,
};

static void on_stream(void *user, struct net_stream *stream)
{
    struct rpc_server *server = user;
    struct rpc_conn_config config = {
        .role = H2_SERVER,
        .limits = H2_LIMITS_SERVER,
        .keepalive_ms = server->config.keepalive_ms,
        .keepalive_timeout_ms = RPC_KEEPALIVE_TIMEOUT_MS,
        .min_ping_interval_ms = server->config.min_ping_interval_ms,
    };
    config.limits.max_concurrent_streams = server->config.max_streams;
    config.limits.header_block_bytes = server->config.header_block_bytes;
    config.limits.header_fields = server->config.header_fields;
    config.limits.header_path = server->config.header_path;
    struct server_conn *conn = mem_new(struct server_conn);
    conn->server = server;
    conn->number = ++server->connections;
    list_append(&server->conns, &conn->node);
    server->conn_count++;
    conn->conn = rpc_conn_new(stream, &config, &conn_events, conn);
}

static void on_refused(void *user, const struct net_error *why)
{
    struct rpc_server *server = user;
    if (server->config.on_refused != NULL) {
        server->config.on_refused(server->config.server_user, why);
    }
}

static const struct net_listener_events listener_events = {
    .on_stream = on_stream,
    .on_refused = on_refused,
};

/* ---- drain ----------------------------------------------------------------------------------- */

static void end_calls(struct rpc_server *server, uint64_t now, bool all)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &server->calls)
    {
        struct rpc_server_call *call = container_of(node, struct rpc_server_call, node);
        if (all || call->drain_ms <= now) {
            rpc_server_call_finish(call, RPC_UNAVAILABLE, "server is shutting down");
        }
    }
}

static void each_conn(struct rpc_server *server, void (*act)(struct rpc_conn *conn))
{
    struct list *node;
    struct list *next;
    list_each(node, next, &server->conns)
    {
        act(container_of(node, struct server_conn, node)->conn);
    }
}

static void close_conn(struct rpc_conn *conn)
{
    rpc_conn_close(conn, H2_NO_ERROR, NULL);
}

static void drain_conn(struct rpc_conn *conn)
{
    rpc_conn_drain(conn, "server is shutting down");
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct rpc_server *server = container_of(item, struct rpc_server, tick);
    if (!server->draining) {
        return;
    }
    bool late = now >= server->drain_deadline_ms;
    end_calls(server, now, late);
    if (late) {
        each_conn(server, close_conn);
    }
    if (list_empty(&server->conns)) {
        net_loop_tick_stop(&server->tick);
        server->on_drained(server->drained_user);
    }
}

static void begin_drain(struct rpc_server *server, uint64_t window_ms)
{
    uint64_t now = uv_now(&server->loop->uv);
    server->draining = true;
    server->drain_deadline_ms = now + window_ms + GOODBYE_MS;
    net_listener_close(server->listener);
    server->listener = NULL;
    struct list *node;
    struct list *next;
    list_each(node, next, &server->calls)
    {
        struct rpc_server_call *call = container_of(node, struct rpc_server_call, node);
        call->drain_ms = now + random_below(window_ms + 1);
    }
    each_conn(server, drain_conn);
}

void rpc_server_drain(struct rpc_server *server, uint64_t window_ms, void (*on_done)(void *user),
                      void *user)
{
    if (!server->draining) {
        server->on_drained = on_done;
        server->drained_user = user;
        begin_drain(server, window_ms);
        return;
    }
    server->drain_deadline_ms = 0;
    end_calls(server, 0, true);
    each_conn(server, close_conn);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct rpc_server *rpc_server_new(struct net_loop *loop, const struct rpc_server_config *config)
{
    struct rpc_server *server = mem_new(struct rpc_server);
    server->loop = loop;
    server->config = *config;
    list_init(&server->conns);
    list_init(&server->calls);
    net_tick_init(&server->tick, on_tick);
    net_loop_tick_start(loop, &server->tick);
    return server;
}

int rpc_server_listen(struct rpc_server *server, const struct text_address *address,
                      struct net_tls *tls, struct net_error *ret_error)
{
    const struct net_listener_config config = {.address = *address, .tls = tls};
    server->listener =
        net_listener_open(server->loop, &config, &listener_events, server, ret_error);
    return server->listener != NULL ? 0 : -1;
}

void rpc_server_set_tls(struct rpc_server *server, struct net_tls *tls)
{
    if (server->listener != NULL) {
        net_listener_set_tls(server->listener, tls);
    }
}

uint16_t rpc_server_port(const struct rpc_server *server)
{
    return net_listener_port(server->listener);
}

void rpc_server_free(struct rpc_server *server)
{
    if (server == NULL) {
        return;
    }
    assert(server->conn_count == 0 && server->call_count == 0);
    net_loop_tick_stop(&server->tick);
    net_listener_close(server->listener);
    free(server);
}

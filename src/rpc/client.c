/* A connection to a gRPC server.
 *
 * Happy path: dial -> rpc_conn -> the peer's SETTINGS -> on_ready -> calls.
 * Failure modes: the dial fails; the peer speaks something else than HTTP/2 or sends no SETTINGS in time; the connection is
 * lost: on_closed, once, with the reason. */
#include "rpc/client.h"

#include "base/mem.h"
#include "net/dial.h"
#include "net/stream.h"
#include "rpc/backoff.h"
#include "rpc/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOAWAY_DEBUG_BYTES 128

struct rpc_client {
    struct net_loop *loop;
    const struct rpc_client_events *events;
    void *user;
    struct rpc_client_config config;
    char target[TEXT_ADDRESS_BYTES];
    char *authority; /* owned */
    char peer[128];
    struct net_dial *dial;
    struct rpc_conn *conn;
    uv_timer_t timer; /* connect timeout, then the deferred end of a cancelled dial */
    struct net_error why;
    bool ready;
    bool closing;
};

static void explain(struct rpc_client *client, const struct net_error *why)
{
    if (client->why.text[0] == '\0') {
        client->why = *why;
    }
}

/* ---- end: on_closed fires when the timer's handle is closed, so never from within a call -------- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct rpc_client *client = handle->data;
    const struct net_error why = client->why;
    client->events->on_closed(client->user, &why);
    free(client->authority);
    free(client);
}

static void finish(struct rpc_client *client)
{
    client->ready = false;
    if (!uv_is_closing((uv_handle_t *)&client->timer)) {
        uv_close((uv_handle_t *)&client->timer, on_timer_closed);
    }
}

/* ---- connection ------------------------------------------------------------------------------ */

static void on_ready(void *user)
{
    struct rpc_client *client = user;
    uv_timer_stop(&client->timer);
    client->ready = true;
    if (!client->closing) {
        client->events->on_ready(client->user);
    }
}

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t debug_len)
{
    struct rpc_client *client = user;
    char text[GOAWAY_DEBUG_BYTES];
    text_escape(text, sizeof(text), (const char *)debug, debug_len);
    if (client->events->on_goaway != NULL) {
        client->events->on_goaway(client->user, error, text);
    }
}

static void on_conn_closed(void *user, const struct net_error *why)
{
    struct rpc_client *client = user;
    client->conn = NULL;
    struct net_error error = *why;
    if (!client->ready && !client->closing && why->kind != NET_TIMED_OUT) {
        net_error_set(&error, NET_FAILED,
                      "%s does not speak HTTP/2: the connection ended before its SETTINGS "
                      "(is it an HTTP/1.1 server, or TLS behind --plaintext?)",
                      client->target);
    }
    explain(client, &error);
    finish(client);
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_goaway = on_goaway, .on_ready = on_ready},
    .on_closed = on_conn_closed,
};

static void on_dialled(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct rpc_client *client = user;
    client->dial = NULL;
    if (stream == NULL) {
        explain(client, error);
        finish(client);
        return;
    }
    snprintf(client->peer, sizeof(client->peer), "%s", net_stream_peer(stream));
    const struct rpc_conn_config config = {
        .role = H2_CLIENT,
        .limits = H2_LIMITS_CLIENT,
        .keepalive_ms = client->config.keepalive_ms,
        .keepalive_timeout_ms = RPC_KEEPALIVE_TIMEOUT_MS,
    };
    client->conn = rpc_conn_new(stream, &config, &conn_events, client);
}

static void on_timeout(uv_timer_t *timer)
{
    struct rpc_client *client = timer->data;
    struct net_error error;
    net_error_set(&error, NET_TIMED_OUT, "%s accepted the connection but sent no HTTP/2 SETTINGS",
                  client->target);
    explain(client, &error);
    rpc_client_close(client);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct rpc_client *rpc_client_open(struct net_loop *loop, const struct rpc_client_config *config,
                                   const struct rpc_client_events *events, void *user)
{
    struct rpc_client *client = mem_new(struct rpc_client);
    client->loop = loop;
    client->events = events;
    client->user = user;
    client->config = *config;
    text_format_address(client->target, sizeof(client->target), config->target.host,
                        config->target.port);
    client->authority = mem_strdup(config->authority != NULL ? config->authority : client->target);
    snprintf(client->peer, sizeof(client->peer), "%.120s", client->target);
    uint64_t timeout_ms = config->connect_timeout_ms != 0 ? config->connect_timeout_ms
                                                          : RPC_CONNECT_MIN_MS;
    const struct net_dial_config dial = {
        .host = config->target.host,
        .port = config->target.port,
        .address = config->address,
        .tls = config->tls,
        .server_name = config->authority,
        .timeout_ms = timeout_ms,
    };
    uv_timer_init(&loop->uv, &client->timer);
    client->timer.data = client;
    /* the dial has its own limit; this one is for the SETTINGS after it */
    uv_timer_start(&client->timer, on_timeout, timeout_ms + NET_TICK_MS, 0);
    client->dial = net_dial_start(loop, &dial, on_dialled, client);
    return client;
}

void rpc_client_close(struct rpc_client *client)
{
    if (client->closing) {
        return;
    }
    client->closing = true;
    if (client->why.text[0] == '\0' && client->conn == NULL) {
        net_error_set(&client->why, NET_CLOSED, "%s: connection attempt given up", client->target);
    }
    if (client->conn != NULL) {
        rpc_conn_close(client->conn, H2_NO_ERROR, NULL);
        return;
    }
    if (client->dial != NULL) {
        net_dial_cancel(client->dial);
        client->dial = NULL;
    }
    finish(client);
}

struct rpc_conn *rpc_client_conn(struct rpc_client *client)
{
    return client->ready ? client->conn : NULL;
}

bool rpc_client_ready(const struct rpc_client *client)
{
    return client->ready && !client->closing;
}

const char *rpc_client_target(const struct rpc_client *client)
{
    return client->target;
}

const char *rpc_client_peer(const struct rpc_client *client)
{
    return client->peer;
}

const char *rpc_client_authority(const struct rpc_client *client)
{
    return client->authority;
}

bool rpc_client_is_tls(const struct rpc_client *client)
{
    return client->config.tls != NULL;
}

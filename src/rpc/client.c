/* A connection to a gRPC server.
 *
 * Happy path: its turn at the gate -> dial -> rpc_conn -> the peer's SETTINGS, which allow a stream
 * -> on_ready -> calls.
 * Failure modes: the dial fails; the peer speaks something else than HTTP/2, sends no SETTINGS or
 * allows no stream in time, says GOAWAY; the connection is lost: on_closed, once, with the first
 * reason that was seen.
 *
 *    queued --its turn--> dialling --connected--> waiting --room for a stream--> ready
 *       | closed             | failed                | GOAWAY, too late, closed    | closed
 *       |                    |                       +---------> closing <---------+
 *       |                    |                       | lost         |              | lost
 *       +--------------------+-----------------------+------------> gone <---------+ */
#include "rpc/client.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/stream.h"
#include "rpc/backoff.h"
#include "rpc/conn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOAWAY_DEBUG_BYTES 128

enum client_state {
    CLIENT_QUEUED,   /* not yet through the gate */
    CLIENT_DIALLING, /* there is a dial */
    CLIENT_WAITING,  /* until the peer allows a stream; from here to closing there is a conn */
    CLIENT_READY,
    CLIENT_CLOSING,
    CLIENT_GONE, /* but for on_closed */
};

#define MAY(state) (1u << (state))

static const unsigned may_follow[] = {
    [CLIENT_QUEUED] = MAY(CLIENT_DIALLING) | MAY(CLIENT_GONE),
    [CLIENT_DIALLING] = MAY(CLIENT_WAITING) | MAY(CLIENT_GONE),
    [CLIENT_WAITING] = MAY(CLIENT_READY) | MAY(CLIENT_CLOSING) | MAY(CLIENT_GONE),
    [CLIENT_READY] = MAY(CLIENT_CLOSING) | MAY(CLIENT_GONE),
    [CLIENT_CLOSING] = MAY(CLIENT_GONE),
    [CLIENT_GONE] = 0,
};

struct rpc_client {
    struct net_loop *loop;
    const struct rpc_client_events *events;
    void *user;
    struct rpc_client_config config;
    char target[TEXT_ADDRESS_BYTES];
    char *authority;        /* owned */
    char *server_name;      /* owned */
    struct text_address to; /* that is dialled */
    char peer[128];
    struct net_dial *dial;
    struct rpc_conn *conn;
    enum client_state state;
    struct rpc_gate_turn turn;
    uint64_t dialled_ms; /* when the dial began */
    uv_timer_t timer;    /* for the SETTINGS, from a connection to ready; its end is the client's */
    struct net_error why; /* empty: not known yet */
    bool settings_came;
    bool goaway_came;
};

/* The only place where the state changes, and where the connect timeout ends. */
static void enter(struct rpc_client *client, enum client_state state)
{
    assert((may_follow[client->state] & MAY(state)) != 0);
    client->state = state;
    assert((client->dial != NULL) == (state == CLIENT_DIALLING));
    assert((client->conn != NULL) == (state >= CLIENT_WAITING && state <= CLIENT_CLOSING));
    if (state != CLIENT_WAITING) {
        uv_timer_stop(&client->timer);
    }
    if (state >= CLIENT_READY) {
        rpc_gate_leave(&client->turn);
    }
}

static uint64_t timeout_ms(const struct rpc_client *client)
{
    uint64_t asked_ms = client->config.connect_timeout_ms;
    return asked_ms != 0 ? asked_ms : RPC_CONNECT_MIN_MS;
}

static void explain(struct rpc_client *client, const struct net_error *why)
{
    if (client->why.text[0] == '\0') {
        client->why = *why;
    }
}

/* ---- end: on_closed fires when the timer's handle is closed, so never from within a call ----- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct rpc_client *client = handle->data;
    assert(client->state == CLIENT_GONE);
    client->events->on_closed(client->user, &client->why);
    free(client->authority);
    free(client->server_name);
    free(client);
}

static void do_end(struct rpc_client *client)
{
    assert(client->why.text[0] != '\0');
    enter(client, CLIENT_GONE);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

static void do_close(struct rpc_client *client)
{
    enter(client, CLIENT_CLOSING);
    rpc_conn_close(client->conn, H2_NO_ERROR, NULL);
}

/* ---- connection ------------------------------------------------------------------------------ */

static void on_ready(void *user)
{
    struct rpc_client *client = user;
    client->settings_came = true;
}

static void note_certificate(const struct rpc_client *client)
{
    if (client->config.credentials != NULL) {
        *client->config.credentials |= 1U << rpc_conn_credential(client->conn);
    }
}

/* A server may allow no stream at first, or for a while (RFC 9113 section 6.5.2). */
static void on_room(void *user)
{
    struct rpc_client *client = user;
    if (client->state == CLIENT_WAITING && h2_session_room(rpc_conn_session(client->conn)) > 0) {
        enter(client, CLIENT_READY);
        note_certificate(client);
        client->events->on_ready(client->user);
    }
}

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t debug_len)
{
    struct rpc_client *client = user;
    char text[GOAWAY_DEBUG_BYTES];
    client->goaway_came = true;
    text_escape(text, sizeof(text), (const char *)debug, debug_len);
    if (client->events->on_goaway != NULL) {
        client->events->on_goaway(client->user, error, text);
    }
    if (client->state == CLIENT_WAITING) { /* there will be no stream */
        struct net_error why;
        net_error_set(&why, NET_CLOSED, "%s: %s", client->target,
                      h2_session_goaway_text(rpc_conn_session(client->conn)));
        explain(client, &why);
        do_close(client);
    }
}

/* What a bare end or reset before the first stream may mean, where nothing else is known. */
static void guess(const struct rpc_client *client, struct net_error *error)
{
    const char *hint =
        client->config.tls == NULL ? " (is it an HTTP/1.1 server, or TLS behind --plaintext?)" : "";
    if (client->settings_came) {
        net_error_set(error, error->kind,
                      "%s ended the connection and had accepted no stream: "
                      "MAX_CONCURRENT_STREAMS is 0",
                      client->target);
    } else if (error->kind == NET_RESET) {
        net_error_set(error, NET_RESET, "%s reset the connection before its HTTP/2 SETTINGS%s",
                      client->target, hint);
    } else {
        net_error_set(error, NET_FAILED, "%s ended the connection before its HTTP/2 SETTINGS%s",
                      client->target, hint);
    }
}

static void on_conn_closed(void *user, const struct net_error *why)
{
    struct rpc_client *client = user;
    struct net_error error = *why;
    client->conn = NULL;
    bool bare = !client->goaway_came && (why->kind == NET_CLOSED || why->kind == NET_RESET);
    if (client->state == CLIENT_WAITING && bare) {
        guess(client, &error);
    }
    explain(client, &error);
    do_end(client);
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_goaway = on_goaway, .on_ready = on_ready, .on_room = on_room},
    .on_closed = on_conn_closed,
};

bool rpc_client_explain_wait(const struct rpc_client *client, uint64_t waited_ms,
                             struct net_error *ret)
{
    char waited[16];
    text_format_duration(waited, sizeof(waited), waited_ms * NS_PER_MS);
    if (client->state != CLIENT_WAITING) {
        return false;
    }
    if (client->settings_came) {
        net_error_set(ret, NET_TIMED_OUT,
                      "%s accepts no streams: MAX_CONCURRENT_STREAMS is 0 (waited %s for more)",
                      client->target, waited);
    } else {
        net_error_set(ret, NET_TIMED_OUT,
                      "%s accepted the connection but sent no HTTP/2 SETTINGS (waited %s for them)",
                      client->target, waited);
    }
    return true;
}

static void on_timeout(uv_timer_t *timer)
{
    struct rpc_client *client = timer->data;
    struct net_error error;
    if (rpc_client_explain_wait(client, timeout_ms(client), &error)) {
        explain(client, &error);
    }
    rpc_client_close(client);
}

/* What the dial left of the connect timeout, and a moment in any case. */
static void wait_for_settings(struct rpc_client *client)
{
    uint64_t took_ms = uv_now(&client->loop->uv) - client->dialled_ms;
    uint64_t left_ms = timeout_ms(client) > took_ms ? timeout_ms(client) - took_ms : 0;
    enter(client, CLIENT_WAITING);
    uv_timer_start(&client->timer, on_timeout, left_ms + NET_TICK_MS, 0);
}

static void on_dialled(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct rpc_client *client = user;
    client->dial = NULL;
    if (stream == NULL) {
        explain(client, error);
        do_end(client);
        return;
    }
    snprintf(client->peer, sizeof(client->peer), "%s", net_stream_peer(stream));
    struct rpc_conn_config config = {
        .role = H2_CLIENT,
        .limits = H2_LIMITS_CLIENT,
        .keepalive_ms = client->config.keepalive_ms,
        .keepalive_timeout_ms = RPC_KEEPALIVE_TIMEOUT_MS,
    };
    config.limits.header_block_bytes = client->config.header_block_bytes;
    config.limits.header_fields = client->config.header_fields;
    client->conn = rpc_conn_new(stream, &config, &conn_events, client);
    wait_for_settings(client);
}

static void do_dial(struct rpc_client *client)
{
    const struct rpc_client_config *config = &client->config;
    const struct net_dial_config dial = {
        .host = client->to.host,
        .port = client->to.port,
        .address = config->address,
        .tls = config->tls,
        .server_name = client->server_name,
        .timeout_ms = timeout_ms(client),
    };
    client->dialled_ms = uv_now(&client->loop->uv);
    client->dial = net_dial_start(client->loop, &dial, on_dialled, client);
    enter(client, CLIENT_DIALLING);
}

static void on_turn(struct rpc_gate_turn *turn)
{
    do_dial(container_of(turn, struct rpc_client, turn));
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
    client->server_name =
        mem_strdup(config->server_name != NULL ? config->server_name : config->target.host);
    client->to = config->connect_to != NULL ? *config->connect_to : config->target;
    uv_timer_init(&loop->uv, &client->timer);
    client->timer.data = client;
    assert(config->gate == NULL || config->address == NULL); /* which is not copied */
    if (config->gate == NULL || rpc_gate_enter(config->gate, &client->turn, on_turn)) {
        do_dial(client);
    }
    return client;
}

void rpc_client_close(struct rpc_client *client)
{
    if (client->state >= CLIENT_CLOSING) {
        return;
    }
    if (client->state >= CLIENT_WAITING) {
        do_close(client);
        return;
    }
    struct net_error given_up;
    net_error_set(&given_up, NET_CLOSED, "%s: connection attempt given up", client->target);
    explain(client, &given_up);
    if (client->dial != NULL) {
        net_dial_cancel(client->dial);
        client->dial = NULL;
    }
    do_end(client);
}

struct rpc_conn *rpc_client_conn(struct rpc_client *client)
{
    return client->state == CLIENT_READY ? client->conn : NULL;
}

bool rpc_client_ready(const struct rpc_client *client)
{
    return client->state == CLIENT_READY;
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

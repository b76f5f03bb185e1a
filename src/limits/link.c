#include "limits/link.h"

#include "base/mem.h"
#include "net/stream.h"
#include "rpc/conn.h"

#include <stdio.h>
#include <stdlib.h>

struct limits_link {
    struct limits_ground *ground;
    struct limits_link_setup setup;
    const struct limits_link_events *events;
    void *user;
    struct rpc_gate_turn turn;
    struct rpc_client *client; /* NULL: it has no turn yet, or is closed */
    uv_timer_t end;            /* of one that was closed before its turn */
    bool closing;
    char local[NET_STREAM_ADDRESS_BYTES];
    char goaway[LIMITS_TEXT_BYTES];
};

static void on_ready(void *user)
{
    struct limits_link *link = user;
    net_stream_local(rpc_conn_stream(rpc_client_conn(link->client)), link->local);
    link->events->on_ready(link->user);
}

static void on_goaway(void *user, uint32_t error, const char *debug)
{
    struct limits_link *link = user;
    snprintf(link->goaway, sizeof(link->goaway), "GOAWAY %s%s%s", h2_error_name(error),
             debug[0] != '\0' ? ": " : "", debug);
    if (link->events->on_goaway != NULL) {
        link->events->on_goaway(link->user, error, debug);
    }
}

static void on_closed(void *user, const struct net_error *why)
{
    struct limits_link *link = user;
    link->client = NULL;
    link->events->on_closed(link->user, why);
    rpc_gate_leave(&link->turn);
    free(link);
}

static const struct rpc_client_events client_events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_closed = on_closed,
};

static void dial(struct limits_link *link)
{
    struct rpc_client_config config = role_target_client(link->ground->target);
    config.header_block_bytes = link->setup.header_block_bytes;
    config.header_fields = link->setup.header_fields;
    link->client = rpc_client_open(&link->ground->loop, &config, &client_events, link);
}

static void on_turn(struct rpc_gate_turn *turn)
{
    struct limits_link *link = container_of(turn, struct limits_link, turn);
    if (!link->closing) {
        dial(link);
    }
}

struct limits_link *limits_link_open(struct limits_ground *ground,
                                     const struct limits_link_setup *setup,
                                     const struct limits_link_events *events, void *user)
{
    struct limits_link *link = mem_new(struct limits_link);
    link->ground = ground;
    link->events = events;
    link->user = user;
    if (setup != NULL) {
        link->setup = *setup;
    }
    struct rpc_gate *gate = link->setup.asks ? &ground->askers : &ground->gate;
    if (rpc_gate_enter(gate, &link->turn, on_turn)) {
        dial(link);
    }
    return link;
}

static void on_end_closed(uv_handle_t *handle)
{
    struct net_error why;
    net_error_set(&why, NET_CLOSED, "no connection was made: the run ended before its turn");
    on_closed(handle->data, &why);
}

void limits_link_close(struct limits_link *link)
{
    if (link->client != NULL) {
        link->closing = true;
        rpc_client_close(link->client);
    } else if (!link->closing) {
        link->closing = true;
        uv_timer_init(&link->ground->loop.uv, &link->end);
        link->end.data = link;
        uv_close((uv_handle_t *)&link->end, on_end_closed);
    }
}

struct rpc_client *limits_link_client(const struct limits_link *link)
{
    return link->client;
}

bool limits_link_ready(const struct limits_link *link)
{
    return link->client != NULL && rpc_client_ready(link->client);
}

void limits_link_ping(struct limits_link *link)
{
    if (limits_link_ready(link)) {
        h2_session_ping(rpc_conn_session(rpc_client_conn(link->client)));
    }
}

bool limits_link_awaits_ping(const struct limits_link *link)
{
    struct rpc_conn *conn = limits_link_ready(link) ? rpc_client_conn(link->client) : NULL;
    return conn != NULL && h2_session_pings_unanswered(rpc_conn_session(conn)) > 0;
}

const char *limits_link_local(const struct limits_link *link)
{
    return link->local;
}

const char *limits_link_goaway(const struct limits_link *link)
{
    return link->goaway[0] != '\0' ? link->goaway : NULL;
}

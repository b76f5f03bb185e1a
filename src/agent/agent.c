/* One agent: connect, hold a stream, and begin again when it ends.
 *
 * Happy path: waiting -> connecting -> open: a ping at once and one per interval, each answered ->
 * (stop, or all messages sent) half-close -> finishing -> trailers -> leaving -> done.
 * Failure modes: the connection fails, the stream ends, answers stop coming: one line says why,
 * then waiting again. A stream that worked is opened again almost at once, failures back off (gRPC
 * connection-backoff.md).
 *
 *   waiting --timer--> connecting --ready--> open --half-close--> finishing
 *      ^ ^                 |                  | \                   |
 *      | +-----failed------+                  |  +--lost--> losing  | trailers
 *      +----------------stream ended----------+                |    v
 *                          ^------connection's reason----------+  leaving --closed--> done
 *
 * A connection that outlives a stream which worked is used again: a fleet then comes back without a
 * storm of handshakes when one server goes. */
#include "agent/agent.h"

#include "agent/report.h"
#include "agent/state.h"
#include "base/mem.h"
#include "base/random.h"
#include "h2/session.h"
#include "role/connect.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMERS 2

static void do_connect(struct agent *agent);

/* ---- the connection -------------------------------------------------------------------------- */

static void on_client_ready(void *user)
{
    struct agent *agent = user;
    agent->was_connected = true;
    if (agent->state == AGENT_CONNECTING) {
        agent_open(agent);
    }
}

/* gRFC A8: a server that is pinged too often says so once; it is pinged half as often then. */
static void on_client_goaway(void *user, uint32_t error, const char *debug)
{
    struct agent *agent = user;
    agent->client_spent = true;
    if (error == H2_ENHANCE_YOUR_CALM && strcmp(debug, "too_many_pings") == 0) {
        agent->keepalive_ms *= 2;
        report_too_many_pings(&agent->source, agent->keepalive_ms);
    }
}

static void on_client_closed(void *user, const struct net_error *why)
{
    struct agent *agent = user;
    bool was_ours = agent->client_closing;
    agent->client = NULL;
    agent->client_closing = false;
    switch (agent->state) {
    case AGENT_CONNECTING:
        if (was_ours) {
            do_connect(agent); /* the old connection is gone, now for the new one */
        } else {
            agent_retry(agent, "Connection failed", net_error_label(why->kind), why->text,
                        rpc_backoff_next_ms(&agent->backoff, random_unit()));
        }
        break;
    case AGENT_LOSING: {
        const struct rpc_status lost = {.code = RPC_UNAVAILABLE, .origin = RPC_FROM_CONNECTION};
        const char *hint = rpc_hint(&agent->life, &lost);
        char cause[RPC_CAUSE_BYTES];
        snprintf(cause, sizeof(cause), "%s%s%s%s", why->text, hint != NULL ? " (" : "",
                 hint != NULL ? hint : "", hint != NULL ? ")" : "");
        agent_after_stream(agent, net_error_label(why->kind), cause, false);
        break;
    }
    case AGENT_LEAVING:
        agent_leave(agent);
        break;
    default:
        break; /* waiting: the next attempt makes another */
    }
}

static const struct rpc_client_events client_events = {
    .on_ready = on_client_ready,
    .on_goaway = on_client_goaway,
    .on_closed = on_client_closed,
};

static void do_connect(struct agent *agent)
{
    agent->state = AGENT_CONNECTING;
    if (agent->client != NULL && agent->client_spent) {
        agent_drop_client(agent);
    }
    if (agent->client != NULL) {
        if (!agent->client_closing && rpc_client_ready(agent->client)) {
            agent_open(agent);
        }
        return; /* else its on_closed comes back here */
    }
    struct rpc_client_config config = role_target_client(agent->config->target);
    config.keepalive_ms = agent->keepalive_ms;
    if (agent->was_connected) { /* a fleet comes back all at once */
        config.gate = NULL;
    }
    agent->client_spent = false;
    agent->client = rpc_client_open(agent->config->loop, &config, &client_events, agent);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_wake(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    if (agent->state == AGENT_WAITING) {
        do_connect(agent);
    } else if (agent->state == AGENT_FINISHING) {
        agent_give_up(agent, "no_trailers", "half-closed, but the server does not end the stream");
    }
}

struct agent *agent_new(const struct agent_config *config, const char *id, uint64_t delay_ms)
{
    struct agent *agent = mem_new(struct agent);
    agent->config = config;
    agent->id = mem_strdup(id);
    agent->source = (struct log_source){"agent", config->version, agent->id};
    agent->keepalive_ms = config->keepalive_ms;
    agent_call_init(agent);
    rpc_backoff_init(&agent->backoff, config->max_backoff_ms);
    uv_timer_init(&config->loop->uv, &agent->wake);
    uv_timer_init(&config->loop->uv, &agent->ping);
    agent->wake.data = agent->ping.data = agent;
    agent->on_wake = on_wake;
    agent->timers_open = TIMERS;
    agent_wait_for(agent, delay_ms);
    return agent;
}

void agent_stop(struct agent *agent)
{
    if (agent->stopping) {
        return;
    }
    agent->stopping = true;
    switch (agent->state) {
    case AGENT_WAITING:
    case AGENT_CONNECTING:
        agent_leave(agent);
        break;
    case AGENT_OPEN:
        if (agent->given_up_label == NULL) {
            agent_half_close(agent, AGENT_STOP_MS);
        }
        break;
    case AGENT_FINISHING: /* for the sake of --messages: now with the shorter limit */
        uv_timer_start(&agent->wake, on_wake, AGENT_STOP_MS, 0);
        break;
    default:
        break;
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct agent *agent = handle->data;
    if (--agent->timers_open == 0) {
        free(agent->id);
        free(agent);
    }
}

void agent_free(struct agent *agent)
{
    assert(agent->state == AGENT_DONE);
    uv_close((uv_handle_t *)&agent->wake, on_timer_closed);
    uv_close((uv_handle_t *)&agent->ping, on_timer_closed);
}

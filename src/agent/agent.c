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
#include "agent/stream.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "h2/session.h"
#include "role/pinger.h"
#include "rpc/backoff.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define TIMERS    2

enum agent_state {
    AGENT_WAITING,    /* until the wake timer; a connection may be kept, or still be closing */
    AGENT_CONNECTING, /* a connection is being made, or an old one is not gone yet */
    AGENT_OPEN,       /* the stream is open */
    AGENT_FINISHING,  /* half-closed; the wake timer limits the wait for trailers */
    AGENT_LOSING,     /* the stream went with its connection, which has yet to say why */
    AGENT_LEAVING,    /* done but for the connection's end */
    AGENT_DONE,
};

struct agent {
    const struct agent_config *config; /* borrowed */
    char *id;                          /* owned */
    struct log_source source;
    enum agent_state state;
    uv_timer_t wake;
    uv_timer_t ping;
    unsigned timers_open;
    struct rpc_client *client; /* NULL: none */
    struct role_pinger pinger;
    bool client_closing;
    bool was_connected;
    bool client_spent; /* GOAWAY: good for no further stream */
    bool stopping;
    bool retried_unprocessed; /* gRFC A6: at once, once */
    struct rpc_backoff backoff;
    uint64_t keepalive_ms;
    uint64_t messages_sent; /* over all streams */
    struct agent_stream stream;
    struct rpc_stream_life life;      /* of the stream that ended; AGENT_LOSING */
    unsigned findings_told;           /* each kind is a line once per stream */
    const char *given_up_label;       /* set when this side ended the stream; NULL otherwise */
    char given_up[RPC_MESSAGE_BYTES]; /* why */
};

static void do_connect(struct agent *agent);
static void do_leave(struct agent *agent);
static void on_wake(uv_timer_t *timer);

static bool has_sent_all(const struct agent *agent)
{
    return agent->config->messages != 0 && agent->messages_sent >= agent->config->messages;
}

static uint64_t overdue_ms(const struct agent *agent)
{
    return AGENT_OVERDUE_INTERVALS * agent->config->interval_ms + AGENT_OVERDUE_MS;
}

/* ---- ends and retries ------------------------------------------------------------------------ */

static void wait_for(struct agent *agent, uint64_t delay_ms)
{
    agent->state = AGENT_WAITING;
    uv_timer_start(&agent->wake, on_wake, delay_ms, 0);
}

/* Says why in one line and tries again. */
static void retry(struct agent *agent, const char *what, const char *reason, const char *cause,
                  uint64_t delay_ms)
{
    agent_stats_reconnect(agent->config->stats, reason);
    report_reconnecting(&agent->source, what, reason, cause, delay_ms);
    wait_for(agent, delay_ms);
}

/* Not one instant for a whole fleet, and no pause that a user would notice. */
static uint64_t soon_ms(void)
{
    return random_below(AGENT_RETRY_SPREAD_MS);
}

/* The other end wanted it, and can take the stream again: now, or when it says. */
static void retry_planned(struct agent *agent, const char *cause, uint64_t delay_ms)
{
    rpc_backoff_reset(&agent->backoff);
    agent_stats_reconnect(agent->config->stats, "planned");
    if (delay_ms == 0) {
        report_planned(&agent->source, cause);
    } else {
        report_reconnecting(&agent->source, "Stream closed as planned", "planned", cause, delay_ms);
    }
    wait_for(agent, delay_ms);
}

static uint64_t delay_after_stream(struct agent *agent, bool unprocessed)
{
    bool worked = agent->stream.received > 0 && agent->life.age_ms >= AGENT_WORKED_MS;
    if (worked) {
        rpc_backoff_reset(&agent->backoff);
        return soon_ms();
    }
    if (unprocessed && !agent->retried_unprocessed) {
        agent->retried_unprocessed = true;
        return soon_ms();
    }
    return rpc_backoff_next_ms(&agent->backoff, random_unit());
}

/* The stream is over, and `cause` is known. */
static void do_after_stream(struct agent *agent, const char *reason, const char *cause,
                            bool unprocessed)
{
    if (!agent->stopping && !has_sent_all(agent)) {
        uint64_t delay_ms = delay_after_stream(agent, unprocessed);
        retry(agent, "Stream closed", reason, cause, delay_ms);
        return;
    }
    agent->config->stats->bad_ends += !agent->stopping;
    report_closed(&agent->source, reason, cause);
    do_leave(agent);
}

static void do_leave(struct agent *agent)
{
    uv_timer_stop(&agent->wake);
    uv_timer_stop(&agent->ping);
    if (agent->client != NULL) {
        agent->state = AGENT_LEAVING;
        agent->client_closing = true;
        rpc_client_close(agent->client);
        return;
    }
    agent->state = AGENT_DONE;
    agent->config->on_done(agent->config->user);
}

/* Drops the connection; a new one is made when this one is gone. */
static void drop_client(struct agent *agent)
{
    if (agent->client != NULL && !agent->client_closing) {
        agent->client_closing = true;
        rpc_client_close(agent->client);
    }
}

/* Ends the stream from this side; do_after_stream() follows with `label` and the text. */
__attribute__((format(printf, 3, 4))) static void give_up(struct agent *agent, const char *label,
                                                          const char *format, ...)
{
    if (agent->given_up_label != NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(agent->given_up, sizeof(agent->given_up), format, args);
    va_end(args);
    agent->given_up_label = label;
    role_pinger_cancel(&agent->pinger);
    drop_client(agent);
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void half_close(struct agent *agent, uint64_t limit_ms)
{
    agent->state = AGENT_FINISHING;
    uv_timer_stop(&agent->ping);
    uv_timer_start(&agent->wake, on_wake, limit_ms, 0);
    role_pinger_half_close(&agent->pinger);
    agent_stream_half_closed(&agent->stream, clock_now_ns());
}

static void send_ping(struct agent *agent)
{
    uint64_t now_ns = clock_now_ns();
    struct rpc_ping_request ping = agent_stream_next_ping(&agent->stream, now_ns);
    int rv = role_pinger_send(&agent->pinger, &ping);
    if (rv == H2_E_FULL) { /* the server does not read; the overdue pong tells in the end */
        agent->config->stats->skipped++;
        return;
    }
    if (rv != 0) {
        return; /* the stream is ending; its on_closed says why */
    }
    agent_stream_sent(&agent->stream, agent->config->stats, now_ns);
    agent->messages_sent++;
    report_ping(&agent->source, ping.sequence);
    if (has_sent_all(agent)) {
        half_close(agent, overdue_ms(agent));
    }
}

static void give_up_overdue(struct agent *agent)
{
    char waited[16];
    text_format_duration(waited, sizeof(waited), overdue_ms(agent) * NS_PER_MS);
    give_up(agent, "pong_overdue",
            "no pong for %s: the server hangs, or something in between lost it", waited);
}

static void on_ping_due(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    if (!role_pinger_is_open(&agent->pinger) || agent->given_up_label != NULL) {
        return;
    }
    if (agent_stream_overdue(&agent->stream, overdue_ms(agent), clock_now_ns())) {
        give_up_overdue(agent);
        return;
    }
    send_ping(agent);
}

static void on_garbled(void *user)
{
    give_up(user, "garbled", "the answer is not a ping.PingResponse");
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct agent *agent = user;
    const struct agent_identity self = {agent->config->version, agent->id, agent->config->expect,
                                        agent->config->target->service};
    agent->retried_unprocessed = false;
    report_pong(&agent->source, pong);
    unsigned findings =
        agent_stream_answer(&agent->stream, agent->config->stats, &self, pong, clock_now_ns());
    /* One line per kind and stream: a wrong route would otherwise drown the log. */
    report_findings(&agent->source, &self, &agent->stream, findings & ~agent->findings_told, pong);
    agent->findings_told |= findings;
    if (agent->stream.unexpected > AGENT_UNEXPECTED_MAX) {
        give_up(agent, "flooded", "the server sends answers that nobody asked for");
    }
}

static const char *reason_of(const struct rpc_status *status)
{
    switch (status->origin) {
    case RPC_FROM_HTTP:
        return "http";
    case RPC_FROM_RESET:
        return h2_error_name(status->h2_error);
    default:
        return rpc_code_name(status->code);
    }
}

/* A connection on which a stream worked can carry the next one; any other may lead to the wrong
 * place. */
static bool may_keep_client(const struct agent *agent, const struct rpc_status *status)
{
    bool stream_only = status->origin == RPC_FROM_TRAILERS || status->origin == RPC_FROM_RESET;
    return stream_only && agent->stream.received > 0 && !agent->client_spent;
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct agent *agent = user;
    char cause[RPC_CAUSE_BYTES];
    bool finishing = agent->state == AGENT_FINISHING;
    uv_timer_stop(&agent->ping);
    uv_timer_stop(&agent->wake);
    if (status->planned) {
        agent_stream_received(&agent->stream, agent->config->stats, status->received);
    }
    agent->life = agent_stream_close(&agent->stream, agent->config->stats, clock_now_ns());
    if (agent->given_up_label != NULL) {
        do_after_stream(agent, agent->given_up_label, agent->given_up, false);
    } else if (finishing && status->code == RPC_OK) {
        do_leave(agent);
    } else if (status->origin == RPC_FROM_CONNECTION) {
        agent->state = AGENT_LOSING;
        agent->client_closing = true;
        rpc_client_close(agent->client);
    } else {
        if (!may_keep_client(agent, status)) {
            drop_client(agent);
        }
        rpc_describe_end(&agent->life, status, cause, sizeof(cause));
        if (status->planned && !agent->stopping && !has_sent_all(agent)) {
            retry_planned(agent, cause, status->pushback_ms);
            return;
        }
        do_after_stream(agent, reason_of(status), cause, status->unprocessed);
    }
}

static void on_named(void *user, const struct role_naming *naming)
{
    const struct agent *agent = user;
    const char *missing = role_naming_missing(agent->config->target->service, naming);
    if (agent->stream.received > 0 && missing[0] != '\0') {
        report_unnamed(&agent->source, missing);
    }
}

static const struct role_pinger_events pinger_events = {
    .on_named = on_named,
    .on_pong = on_pong,
    .on_garbled = on_garbled,
    .on_closed = on_call_closed,
};

static void do_open(struct agent *agent)
{
    const struct role_identity self = {.version = agent->config->version, .id = agent->id};
    if (role_pinger_open(&agent->pinger, agent->client, &self) != 0) {
        drop_client(agent);
        retry(agent, "No stream", "no_room", "the connection takes no further stream",
              rpc_backoff_next_ms(&agent->backoff, random_unit()));
        return;
    }
    agent->state = AGENT_OPEN;
    agent->findings_told = 0;
    agent->given_up_label = NULL;
    agent_stream_open(&agent->stream, agent->config->stats, clock_now_ns());
    report_opened(&agent->source, rpc_client_target(agent->client), rpc_client_peer(agent->client));
    uv_timer_start(&agent->ping, on_ping_due, agent->config->interval_ms,
                   agent->config->interval_ms);
    send_ping(agent);
}

/* ---- the connection -------------------------------------------------------------------------- */

static void on_client_ready(void *user)
{
    struct agent *agent = user;
    agent->was_connected = true;
    if (agent->state == AGENT_CONNECTING) {
        do_open(agent);
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
            retry(agent, "Connection failed", net_error_label(why->kind), why->text,
                  rpc_backoff_next_ms(&agent->backoff, random_unit()));
        }
        break;
    case AGENT_LOSING: {
        const struct rpc_status lost = {.code = RPC_UNAVAILABLE, .origin = RPC_FROM_CONNECTION};
        const char *hint = rpc_hint(&agent->life, &lost);
        char cause[RPC_CAUSE_BYTES];
        snprintf(cause, sizeof(cause), "%s%s%s%s", why->text, hint != NULL ? " (" : "",
                 hint != NULL ? hint : "", hint != NULL ? ")" : "");
        do_after_stream(agent, net_error_label(why->kind), cause, false);
        break;
    }
    case AGENT_LEAVING:
        do_leave(agent);
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
        drop_client(agent);
    }
    if (agent->client != NULL) {
        if (!agent->client_closing && rpc_client_ready(agent->client)) {
            do_open(agent);
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
        give_up(agent, "no_trailers", "half-closed, but the server does not end the stream");
    }
}

struct agent *agent_new(const struct agent_config *config, const char *id, uint64_t delay_ms)
{
    struct agent *agent = mem_new(struct agent);
    agent->config = config;
    agent->id = mem_strdup(id);
    agent->source = (struct log_source){"agent", config->version, agent->id};
    agent->keepalive_ms = config->keepalive_ms;
    role_pinger_init(&agent->pinger, config->target, &pinger_events, agent);
    rpc_backoff_init(&agent->backoff, config->max_backoff_ms);
    uv_timer_init(&config->loop->uv, &agent->wake);
    uv_timer_init(&config->loop->uv, &agent->ping);
    agent->wake.data = agent->ping.data = agent;
    agent->timers_open = TIMERS;
    wait_for(agent, delay_ms);
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
        do_leave(agent);
        break;
    case AGENT_OPEN:
        if (agent->given_up_label == NULL) {
            half_close(agent, AGENT_STOP_MS);
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

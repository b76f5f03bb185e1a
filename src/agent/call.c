/* The stream of an agent: a ping at once and one per interval, each answered, until all are sent or
 * something ends it. */
#include "agent/report.h"
#include "agent/state.h"
#include "agent/stats.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "h2/session.h"

static uint64_t overdue_ms(const struct agent *agent)
{
    return AGENT_OVERDUE_INTERVALS * agent->config->interval_ms + AGENT_OVERDUE_MS;
}

void agent_half_close(struct agent *agent, uint64_t limit_ms)
{
    agent->state = AGENT_FINISHING;
    uv_timer_stop(&agent->ping);
    uv_timer_start(&agent->wake, agent->on_wake, limit_ms, 0);
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
    if (agent_has_sent_all(agent)) {
        agent_half_close(agent, overdue_ms(agent));
    }
}

static void give_up_overdue(struct agent *agent)
{
    char waited[16];
    text_format_duration(waited, sizeof(waited), overdue_ms(agent) * NS_PER_MS);
    agent_give_up(agent, "pong_overdue",
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
    agent_give_up(user, "garbled", "the answer is not a ping.PingResponse");
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
        agent_give_up(agent, "flooded", "the server sends answers that nobody asked for");
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
    agent->config->stats->ended[agent->given_up_label != NULL ? RPC_CANCELLED : status->code]++;
    agent->life = agent_stream_close(&agent->stream, agent->config->stats, clock_now_ns());
    if (agent->given_up_label != NULL) {
        agent_after_stream(agent, agent->given_up_label, agent->given_up, false);
    } else if (finishing && status->code == RPC_OK) {
        agent_leave(agent);
    } else if (status->origin == RPC_FROM_CONNECTION) {
        agent->state = AGENT_LOSING;
        agent->client_closing = true;
        rpc_client_close(agent->client);
    } else {
        if (!may_keep_client(agent, status)) {
            agent_drop_client(agent);
        }
        rpc_describe_end(&agent->life, status, cause, sizeof(cause));
        if (status->planned && !agent->stopping && !agent_has_sent_all(agent)) {
            agent_retry_planned(agent, cause, status->pushback_ms);
            return;
        }
        agent_after_stream(agent, reason_of(status), cause, status->unprocessed);
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

void agent_open(struct agent *agent)
{
    const struct role_identity self = {.version = agent->config->version, .id = agent->id};
    int rv = role_pinger_open(&agent->pinger, agent->client, &self);
    if (rv != 0) {
        char cause[RPC_CAUSE_BYTES];
        snprintf(cause, sizeof(cause), "%s: %s", rpc_client_peer(agent->client),
                 rpc_call_unstarted(rv));
        agent_drop_client(agent);
        agent_retry(agent, "No stream", rv == H2_E_HEADERS ? "header_limit" : "no_room", cause,
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

void agent_call_init(struct agent *agent)
{
    role_pinger_init(&agent->pinger, agent->config->target, &pinger_events, agent);
}

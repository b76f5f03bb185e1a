/* How an agent's stream ends and begins again: why, when, and whether at all. */
#include "agent/report.h"
#include "agent/state.h"
#include "agent/stats.h"
#include "base/random.h"

#include <stdarg.h>
#include <stdio.h>

bool agent_has_sent_all(const struct agent *agent)
{
    return agent->config->messages != 0 && agent->messages_sent >= agent->config->messages;
}

void agent_wait_for(struct agent *agent, uint64_t delay_ms)
{
    agent->state = AGENT_WAITING;
    uv_timer_start(&agent->wake, agent->on_wake, delay_ms, 0);
}

void agent_retry(struct agent *agent, const char *what, const char *reason, const char *cause,
                 uint64_t delay_ms)
{
    agent_stats_reconnect(agent->config->stats, reason);
    report_reconnecting(&agent->source, what, reason, cause, delay_ms);
    agent_wait_for(agent, delay_ms);
}

/* Not one instant for a whole fleet, and no pause that a user would notice. */
static uint64_t soon_ms(void)
{
    return random_below(AGENT_RETRY_SPREAD_MS);
}

void agent_retry_planned(struct agent *agent, const char *cause, uint64_t delay_ms)
{
    rpc_backoff_reset(&agent->backoff);
    agent_stats_reconnect(agent->config->stats, "planned");
    if (delay_ms == 0) {
        report_planned(&agent->source, cause);
    } else {
        report_reconnecting(&agent->source, "Stream closed as planned", "planned", cause, delay_ms);
    }
    agent_wait_for(agent, delay_ms);
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

void agent_after_stream(struct agent *agent, const char *reason, const char *cause,
                        bool unprocessed)
{
    if (!agent->stopping && !agent_has_sent_all(agent)) {
        uint64_t delay_ms = delay_after_stream(agent, unprocessed);
        agent_retry(agent, "Stream closed", reason, cause, delay_ms);
        return;
    }
    agent->config->stats->bad_ends += !agent->stopping;
    report_closed(&agent->source, reason, cause);
    agent_leave(agent);
}

void agent_leave(struct agent *agent)
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

void agent_drop_client(struct agent *agent)
{
    if (agent->client != NULL && !agent->client_closing) {
        agent->client_closing = true;
        rpc_client_close(agent->client);
    }
}

void agent_give_up(struct agent *agent, const char *label, const char *format, ...)
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
    agent_drop_client(agent);
}

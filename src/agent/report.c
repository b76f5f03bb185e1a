/* The agent's log lines. What a peer wrote is cut here and escaped by the log. */
#include "agent/report.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

void report_opened(const struct log_source *source, const char *target, const char *peer)
{
    log_event(LOG_INFO, source, "stream_opened", LOG_PAIRS({"target", target}, {"peer", peer}),
              "Stream opened to %s", target);
}

void report_unchecked(const struct log_source *source, const struct role_expectation *expect)
{
    log_event(LOG_WARN, source, "version_not_checked", LOG_PAIRS({"reason", expect->reason}),
              "Which server answers is not checked: %s", expect->reason);
}

void report_unnamed(const struct log_source *source, const char *why)
{
    log_event(LOG_WARN, source, "server_unnamed", LOG_PAIRS({"reason", why}),
              "Which server answered is not checked: %s", why);
}

void report_ping(const struct log_source *source, uint64_t sequence)
{
    if (!log_enabled(LOG_INFO)) {
        return;
    }
    char number[24];
    snprintf(number, sizeof(number), "%" PRIu64, sequence);
    log_event(LOG_INFO, source, "ping_sent", LOG_PAIRS({"sequence", number, true}), "Sent ping");
}

void report_pong(const struct log_source *source, const struct rpc_ping_response *pong)
{
    if (!log_enabled(LOG_INFO)) {
        return;
    }
    char number[24];
    snprintf(number, sizeof(number), "%" PRIu64, pong->sequence);
    log_event(LOG_INFO, source, "pong_received",
              LOG_PAIRS({"server_version", pong->server_version}, {"server_id", pong->server_id},
                        {"message", pong->message}, {"sequence", number, true}),
              "Received pong from server=%.255s/%.255s message=%.255s", pong->server_version,
              pong->server_id, pong->message);
}

static void warn(const struct log_source *source, const char *event, const char *text,
                 const struct rpc_ping_response *pong)
{
    log_event(LOG_WARN, source, event,
              LOG_PAIRS({"server_version", pong->server_version}, {"server_id", pong->server_id},
                        {"seen_agent_id", pong->agent_id},
                        {"seen_agent_version", pong->agent_version}),
              "%s server=%.255s/%.255s", text, pong->server_version, pong->server_id);
}

void report_findings(const struct log_source *source, const struct agent_identity *self,
                     const struct agent_stream *stream, unsigned findings,
                     const struct rpc_ping_response *pong)
{
    char text[1024];
    if ((findings & AGENT_WRONG_VERSION) != 0) {
        char expected[ROLE_EXPECT_MAX * ROLE_VERSION_BYTES];
        role_expectation_text(self->expect, expected, sizeof(expected));
        snprintf(text, sizeof(text), "Misrouted: %s belongs to %.700s, answered by", self->version,
                 expected[0] != '\0' ? expected : "no server");
        warn(source, "wrong_version", text, pong);
    }
    if ((findings & AGENT_MOVED) != 0) {
        snprintf(text, sizeof(text), "Not sticky: %s answered before on this stream, now",
                 stream->pod);
        warn(source, "moved", text, pong);
    }
    if ((findings & AGENT_MIXED) != 0) {
        snprintf(text, sizeof(text),
                 "Not isolated: our stream has agent-id=%.255s agent-version=%.255s in the eyes of",
                 pong->agent_id, pong->agent_version);
        warn(source, "mixed", text, pong);
    }
    if ((findings & AGENT_LOST) != 0) {
        snprintf(text, sizeof(text), "Messages were lost before answer %" PRIu64 " from",
                 pong->sequence);
        warn(source, "lost", text, pong);
    }
    if ((findings & AGENT_UNEXPECTED) != 0) {
        snprintf(text, sizeof(text), "Repeated or never asked for: answer %" PRIu64 " from",
                 pong->sequence);
        warn(source, "unexpected", text, pong);
    }
}

void report_reconnecting(const struct log_source *source, const char *what, const char *reason,
                         const char *cause, uint64_t delay_ms)
{
    char delay[32];
    char delay_ns[24];
    snprintf(delay_ns, sizeof(delay_ns), "%" PRIu64, delay_ms * NS_PER_MS);
    text_format_duration(delay, sizeof(delay), delay_ms * NS_PER_MS);
    log_event(LOG_WARN, source, "reconnecting",
              LOG_PAIRS({"cause", cause}, {"reason", reason}, {"delay", delay},
                        {"delay_ns", delay_ns, true}),
              "%s: %s; reconnecting in %s", what, cause, delay);
}

void report_planned(const struct log_source *source, const char *cause)
{
    log_event(LOG_INFO, source, "reconnecting",
              LOG_PAIRS({"cause", cause}, {"reason", "planned"}, {"delay", "0s"},
                        {"delay_ns", "0", true}),
              "Stream closed as planned: %s; reconnecting at once", cause);
}

void report_closed(const struct log_source *source, const char *reason, const char *cause)
{
    log_event(LOG_WARN, source, "stream_closed", LOG_PAIRS({"cause", cause}, {"reason", reason}),
              "Stream closed: %s", cause);
}

void report_too_many_pings(const struct log_source *source, uint64_t keepalive_ms)
{
    log_event(LOG_WARN, source, "too_many_pings", NULL,
              "The server wants fewer keepalive pings: now one every %" PRIu64
              "s; --keepalive makes it so from the start",
              keepalive_ms / 1000);
}

/* One agent.
 *
 *   waiting --timer--> connecting --ready--> open --end--> waiting (after a delay)
 *   any --agent_stop()--> stopping --stream and connection gone--> done
 *
 * Happy path: connect -> one PingPong stream -> a ping at once and one per interval -> the last message, or a stop: half-close, the
 * server's trailers -> done.
 * Failure modes: no connection, a refused or lost stream, a pong that is overdue, a server that answers what was not asked: one line with the
 * cause, then again: soon after a stream that worked, else after gRPC's backoff. */
#include "agent/agent.h"

#include "agent/stats.h"
#include "agent/stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "rpc/backoff.h"
#include "rpc/call.h"
#include "rpc/client.h"
#include "rpc/hint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define PING_BYTES 64

enum agent_state { AGENT_WAITING, AGENT_CONNECTING, AGENT_OPEN, AGENT_STOPPING, AGENT_DONE };

struct agent {
    const struct agent_config *config; /* borrowed */
    struct log_source source;
    char *id; /* owned */
    enum agent_state state;
    struct rpc_client *client; /* NULL: none */
    struct rpc_call *call;     /* NULL: none */
    struct agent_stream stream;
    struct rpc_backoff backoff;
    uint64_t keepalive_ms; /* doubled when a server calls it too much */
    uint64_t pings_left;   /* of config->messages */
    uv_timer_t retry;      /* waiting: when to connect; stopping: when to give up */
    uv_timer_t ping;
    unsigned closes_pending;
    bool half_closed;
    char cause[RPC_CAUSE_BYTES]; /* why the stream ended, until it is told */
    const char *reason;          /* the label of the cause */
    bool worked;                 /* the last stream was answered and lived a while */
};

static void connect_now(struct agent *agent);

/* ---- end ------------------------------------------------------------------------------------- */

static void finish(struct agent *agent)
{
    if (agent->state != AGENT_DONE && agent->client == NULL) {
        agent->state = AGENT_DONE;
        uv_timer_stop(&agent->retry);
        agent->config->on_done(agent->config->user);
    }
}

static void half_close(struct agent *agent)
{
    uv_timer_stop(&agent->ping);
    if (agent->call != NULL && !agent->half_closed) {
        agent->half_closed = true;
        rpc_call_half_close(agent->call);
    }
}

static void on_stop_timeout(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    if (agent->client != NULL) {
        rpc_client_close(agent->client);
    }
}

void agent_stop(struct agent *agent)
{
    if (agent->state == AGENT_STOPPING || agent->state == AGENT_DONE) {
        return;
    }
    bool open = agent->state == AGENT_OPEN;
    agent->state = AGENT_STOPPING;
    if (open) {
        half_close(agent);
        uv_timer_start(&agent->retry, on_stop_timeout, AGENT_STOP_MS, 0);
    } else if (agent->client != NULL) {
        rpc_client_close(agent->client);
    } else {
        finish(agent);
    }
}

/* ---- again ----------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer)
{
    connect_now(timer->data);
}

static void wait_and_retry(struct agent *agent)
{
    uint64_t delay_ms;
    if (agent->worked) {
        rpc_backoff_reset(&agent->backoff);
        delay_ms = random_below(AGENT_RETRY_SPREAD_MS);
    } else {
        delay_ms = rpc_backoff_next_ms(&agent->backoff, random_unit());
    }
    agent->worked = false;
    agent_stats_reconnect(agent->config->stats, agent->reason);
    char delay[32];
    text_format_duration(delay, sizeof(delay), delay_ms * NS_PER_MS);
    log_event(LOG_WARN, &agent->source, "reconnecting",
              LOG_PAIRS({"cause", agent->cause}, {"reason", agent->reason}, {"delay", delay}),
              "%s; reconnecting in %s", agent->cause, delay);
    agent->state = AGENT_WAITING;
    uv_timer_start(&agent->retry, on_retry, delay_ms, 0);
}

/* Keeps the first cause: what follows is its consequence. */
static void set_cause(struct agent *agent, const char *reason, const char *format,
                      const char *detail)
{
    if (agent->cause[0] == '\0') {
        snprintf(agent->cause, sizeof(agent->cause), "%s%s", format, detail);
        agent->reason = reason;
    }
}

/* ---- stream ---------------------------------------------------------------------------------- */

static void tell_findings(struct agent *agent, unsigned findings,
                          const struct rpc_ping_response *response)
{
    static const struct {
        enum agent_finding bit;
        const char *event;
        const char *text;
    } table[] = {
        {AGENT_WRONG_VERSION, "wrong_version", "Misrouted: answered by a server of another version"},
        {AGENT_MOVED, "moved", "Not sticky: another pod answered on the same stream"},
        {AGENT_MIXED, "mixed", "Not isolated: the server saw another agent's metadata"},
        {AGENT_LOST, "lost", "Messages were lost on the way"},
        {AGENT_UNEXPECTED, "unexpected", "Answer to no ping of this stream"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if ((findings & (unsigned)table[i].bit) != 0) {
            log_event(LOG_WARN, &agent->source, table[i].event,
                      LOG_PAIRS({"server_version", response->server_version},
                                {"server_id", response->server_id},
                                {"seen_agent_id", response->agent_id},
                                {"seen_agent_version", response->agent_version}),
                      "%s: server=%s/%s", table[i].text, response->server_version,
                      response->server_id);
        }
    }
}

static void on_message(void *user, const uint8_t *bytes, size_t len)
{
    struct agent *agent = user;
    struct rpc_ping_response response;
    if (rpc_ping_response_decode(bytes, len, &response) != 0) {
        set_cause(agent, "garbled", "Stream given up: ", "answer is not a ping.PingResponse");
        rpc_call_cancel(agent->call);
        return;
    }
    const struct agent_identity self = {agent->config->version, agent->id, agent->config->major};
    unsigned findings = agent_stream_answer(&agent->stream, agent->config->stats, &self, &response,
                                            clock_now_ns());
    if (log_enabled(LOG_INFO)) {
        log_event(LOG_INFO, &agent->source, "pong_received",
                  LOG_PAIRS({"server_version", response.server_version},
                            {"server_id", response.server_id}, {"message", response.message}),
                  "Received pong from server=%s/%s message=%s", response.server_version,
                  response.server_id, response.message);
    }
    tell_findings(agent, findings, &response);
    if (agent->stream.unexpected > AGENT_UNEXPECTED_MAX) {
        set_cause(agent, "unexpected_answers", "Stream given up: ",
                  "server answers what was not asked");
        rpc_call_cancel(agent->call);
    } else if (agent->config->messages != 0 && agent->pings_left == 0 &&
               agent_stream_outstanding(&agent->stream) == 0) {
        half_close(agent);
    }
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct agent *agent = user;
    agent->call = NULL;
    uv_timer_stop(&agent->ping);
    struct rpc_stream_life life =
        agent_stream_close(&agent->stream, agent->config->stats, clock_now_ns());
    agent->worked = agent->stream.received > 0 && life.age_ms >= AGENT_WORKED_MS;
    char end[RPC_CAUSE_BYTES];
    rpc_describe_end(&life, status, end, sizeof(end));
    set_cause(agent, rpc_code_name(status->code), "Stream closed: ", end);
    if (agent->half_closed && agent->config->messages != 0) {
        agent->state = AGENT_STOPPING; /* all messages are out */
    }
    rpc_client_close(agent->client);
}

static const struct rpc_call_events call_events = {
    .on_message = on_message,
    .on_closed = on_call_closed,
};

static uint64_t overdue_ms(const struct agent *agent)
{
    return AGENT_OVERDUE_INTERVALS * agent->config->interval_ms + AGENT_OVERDUE_MS;
}

static void send_ping(struct agent *agent)
{
    uint64_t now_ns = clock_now_ns();
    uint8_t bytes[PING_BYTES];
    const struct rpc_ping_request request = agent_stream_next_ping(&agent->stream, now_ns);
    size_t len = rpc_ping_request_encode(&request, bytes, sizeof(bytes));
    if (rpc_call_send(agent->call, bytes, len) != 0) {
        agent->config->stats->skipped++;
        return;
    }
    agent_stream_sent(&agent->stream, agent->config->stats, now_ns);
    if (agent->config->messages != 0) {
        agent->pings_left--;
    }
    log_event(LOG_INFO, &agent->source, "ping_sent", NULL, "Sent ping");
}

static void on_ping_timer(uv_timer_t *timer)
{
    struct agent *agent = timer->data;
    if (agent->call == NULL) {
        return;
    }
    if (agent_stream_overdue(&agent->stream, overdue_ms(agent), clock_now_ns())) {
        set_cause(agent, "overdue", "Stream given up: ", "no pong in time");
        rpc_call_cancel(agent->call);
        return;
    }
    if (agent->config->messages == 0 || agent->pings_left > 0) {
        send_ping(agent);
    }
}

static void on_ready(void *user)
{
    struct agent *agent = user;
    const struct h2_header metadata[] = {
        H2_HEADER("agent-version", agent->config->version),
        H2_HEADER("agent-id", agent->id),
    };
    const struct rpc_call_config config = {
        .path = RPC_PING_PATH,
        .metadata = metadata,
        .metadata_count = ARRAY_SIZE(metadata),
    };
    if (agent->state != AGENT_CONNECTING ||
        rpc_call_start(agent->client, &config, &call_events, agent, &agent->call) != 0) {
        set_cause(agent, "no_stream", "Stream not opened: ", "the peer takes no streams");
        rpc_client_close(agent->client);
        return;
    }
    agent->state = AGENT_OPEN;
    agent->half_closed = false;
    agent_stream_open(&agent->stream, agent->config->stats, clock_now_ns());
    log_event(LOG_INFO, &agent->source, "stream_opened",
              LOG_PAIRS({"target", rpc_client_target(agent->client)}), "Stream opened to %s",
              rpc_client_target(agent->client));
    send_ping(agent);
    uv_timer_start(&agent->ping, on_ping_timer, agent->config->interval_ms,
                   agent->config->interval_ms);
}

/* ---- connection ------------------------------------------------------------------------------ */

static void on_goaway(void *user, uint32_t error, const char *debug)
{
    struct agent *agent = user;
    if (error == H2_ENHANCE_YOUR_CALM && strcmp(debug, "too_many_pings") == 0) {
        agent->keepalive_ms *= 2; /* gRFC A8 */
        log_event(LOG_WARN, &agent->source, "too_many_pings", NULL,
                  "Server asks for fewer keepalive pings; now every %" PRIu64 " ms",
                  agent->keepalive_ms);
    }
}

static void on_client_closed(void *user, const struct net_error *why)
{
    struct agent *agent = user;
    agent->client = NULL;
    if (agent->state == AGENT_STOPPING) {
        finish(agent);
        return;
    }
    char text[RPC_CAUSE_BYTES];
    snprintf(text, sizeof(text), "%s", why->text);
    set_cause(agent, net_error_label(why->kind), "Connection failed: ", text);
    wait_and_retry(agent);
}

static const struct rpc_client_events client_events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_closed = on_client_closed,
};

static void connect_now(struct agent *agent)
{
    const struct rpc_client_config config = {
        .target = agent->config->target,
        .tls = agent->config->tls,
        .authority = agent->config->authority,
        .keepalive_ms = agent->keepalive_ms,
    };
    agent->state = AGENT_CONNECTING;
    agent->cause[0] = '\0';
    agent->client = rpc_client_open(agent->config->loop, &config, &client_events, agent);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct agent *agent_new(const struct agent_config *config, const char *id, uint64_t delay_ms)
{
    struct agent *agent = mem_new(struct agent);
    agent->config = config;
    agent->id = mem_strdup(id);
    agent->source = (struct log_source){"agent", config->version, agent->id};
    agent->keepalive_ms = config->keepalive_ms;
    agent->pings_left = config->messages;
    rpc_backoff_init(&agent->backoff, config->max_backoff_ms);
    uv_timer_init(&config->loop->uv, &agent->retry);
    uv_timer_init(&config->loop->uv, &agent->ping);
    agent->retry.data = agent;
    agent->ping.data = agent;
    uv_timer_start(&agent->retry, on_retry, delay_ms, 0);
    return agent;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct agent *agent = handle->data;
    if (--agent->closes_pending == 0) {
        free(agent->id);
        free(agent);
    }
}

void agent_free(struct agent *agent)
{
    agent->closes_pending = 2;
    uv_close((uv_handle_t *)&agent->retry, on_timer_closed);
    uv_close((uv_handle_t *)&agent->ping, on_timer_closed);
}

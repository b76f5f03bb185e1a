/* Active health checks.
 *
 * Happy path: due -> a Check call on a pooled connection -> SERVING -> healthy, due again after the
 * interval. Without checks: due -> there is a connection, or one is made -> healthy.
 * Failure modes: no connection, a reset, NOT_SERVING, no answer in time: health_state.h says what
 * they do to the endpoint, which is asked again every second. A check that the server did not look
 * at (its connection went away with a GOAWAY) tells nothing: it is asked once more. */
#include "proxy/health.h"

#include "base/log.h"
#include "base/mem.h"
#include "proxy/health_answer.h"
#include "relay/state.h"
#include "relay/upstream.h"
#include "rpc/frame.h"
#include "rpc/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
    struct list node;
    struct proxy_health *health;
    struct endpoint *endpoint; /* owned reference */
    struct upstream_request request;
    uint64_t due_ms;
    uint64_t deadline_ms; /* of the check in flight; 0: none */
    struct proxy_health_answer answer;
    struct proxy_health_streak streak;
    bool decided; /* the check in flight has its result; only the stream's end is awaited */
    bool checked_once;
    bool refused; /* the check before this one was not looked at */
    bool told;    /* that there is no health service was said */
};

struct proxy_health {
    struct relay *relay;
    struct relay_health config;
    struct net_tick tick;
    struct list probes;
};

/* ---- results --------------------------------------------------------------------------------- */

static uint64_t retry_ms(const struct proxy_health *health)
{
    uint64_t interval = health->config.interval_ms;
    return interval < PROXY_HEALTH_RETRY_MS ? interval : PROXY_HEALTH_RETRY_MS;
}

static void came_back(struct probe *probe)
{
    struct endpoint *endpoint = probe->endpoint;
    if (endpoint_set_health(endpoint, ENDPOINT_HEALTHY, NULL)) {
        relay_tell(probe->health->relay, LOG_INFO, "endpoint_healthy",
                   LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name}),
                   "Endpoint %s of cluster %s is healthy", endpoint->name, endpoint->cluster->name);
    }
}

static void decide(struct probe *probe, enum proxy_health_result result, const char *cause)
{
    struct relay *relay = probe->health->relay;
    struct worker *worker = relay_main_worker(relay);
    struct endpoint *endpoint = probe->endpoint;
    const struct proxy_health_thresholds thresholds = {
        .unhealthy = probe->health->config.unhealthy_threshold,
        .healthy = probe->health->config.healthy_threshold,
    };
    enum endpoint_health health = proxy_health_next(
        &thresholds, &probe->streak, (enum endpoint_health)atomic_load(&endpoint->health), result);
    bool good = result == PROXY_HEALTH_PASSED && health == ENDPOINT_HEALTHY;
    probe->decided = true;
    probe->checked_once = true;
    probe->refused = false;
    probe->deadline_ms = 0;
    probe->due_ms = worker_now_ms(worker) +
                    (good ? probe->health->config.interval_ms : retry_ms(probe->health));
    atomic_store(&endpoint->check_failures, probe->streak.failed);
    if (good) {
        came_back(probe);
    } else if (result != PROXY_HEALTH_PASSED && health == ENDPOINT_UNHEALTHY) {
        worker_endpoint_failed(worker, endpoint, cause);
    } else if (result != PROXY_HEALTH_PASSED) {
        endpoint_set_cause(endpoint, cause);
    }
}

/* It answers, but not this; said once. */
static void note_no_service(struct probe *probe, const char *how)
{
    const struct endpoint *endpoint = probe->endpoint;
    atomic_store(&probe->endpoint->no_health_service, how[0] != '\0');
    if (how[0] != '\0' && !probe->told) {
        probe->told = true;
        relay_tell(probe->health->relay, LOG_INFO, "no_health_service",
                   LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name},
                             {"cause", how}),
                   "Endpoint %s of cluster %s has no health service (%s): it counts as healthy "
                   "while it answers",
                   endpoint->name, endpoint->cluster->name, how);
    }
}

static void decide_by_answer(struct probe *probe)
{
    char cause[ENDPOINT_CAUSE_BYTES];
    enum proxy_health_result result = proxy_health_answer_judge(&probe->answer, cause);
    decide(probe, result, cause);
    if (result == PROXY_HEALTH_PASSED) {
        note_no_service(probe, cause);
    }
}

/* ---- the stream ------------------------------------------------------------------------------ */

static const struct h2_stream_events stream_events;

static int on_ready(struct upstream_request *request, struct h2_session *session)
{
    struct probe *probe = container_of(request, struct probe, request);
    if (!probe->health->config.checks) { /* there is a connection, which is all that is asked */
        decide(probe, PROXY_HEALTH_PASSED, NULL);
        return H2_E_CLOSED;
    }
    static const uint8_t whole_server[RPC_FRAME_PREFIX_BYTES]; /* a message that names no service */
    const struct h2_header fields[] = {
        H2_HEADER(":method", "POST"),
        H2_HEADER(":scheme", "http"),
        H2_HEADER(":path", RPC_HEALTH_CHECK_PATH),
        H2_HEADER(":authority", probe->endpoint->cluster->name),
        H2_HEADER("te", "trailers"),
        H2_HEADER("content-type", "application/grpc"),
        H2_HEADER("user-agent", "grpcroute-health-check"),
    };
    int rv = h2_stream_open(session, fields, ARRAY_SIZE(fields), false, &stream_events, probe,
                            &request->stream);
    if (rv == 0) {
        h2_stream_write(request->stream, whole_server, sizeof(whole_server), HEALTH_ANSWER_BYTES);
        h2_stream_end(request->stream);
    } else if (rv != H2_E_NO_ROOM) {
        decide(probe, PROXY_HEALTH_FAULT,
               "health check cannot be sent: its header block is too large");
    }
    return rv;
}

static void on_failed(struct upstream_request *request, const struct net_error *why)
{
    struct probe *probe = container_of(request, struct probe, request);
    if (why->kind == NET_FD_LIMIT) { /* tells nothing of the endpoint */
        probe->deadline_ms = 0;
        probe->due_ms =
            worker_now_ms(relay_main_worker(probe->health->relay)) + retry_ms(probe->health);
        return;
    }
    decide(probe, PROXY_HEALTH_FAULT, why->text);
}

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    (void)kind;
    struct probe *probe = user;
    proxy_health_answer_take_block(&probe->answer, block);
    if (end_stream && !probe->decided) {
        decide_by_answer(probe);
    }
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct probe *probe = user;
    proxy_health_answer_take_data(&probe->answer, bytes, len);
    h2_stream_consume(probe->request.stream, len);
}

static void on_end(void *user)
{
    struct probe *probe = user;
    if (!probe->decided) {
        decide_by_answer(probe);
    }
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct probe *probe = user;
    upstream_closed(&probe->request);
    if (probe->decided) {
        return;
    }
    if (unprocessed && !probe->refused) {
        probe->refused = true;
        probe->deadline_ms = 0;
        probe->due_ms = 0; /* the next tick asks again */
        return;
    }
    char cause[ENDPOINT_CAUSE_BYTES];
    snprintf(cause, sizeof(cause), "health check ended with %s",
             error == H2_CONNECTION_LOST ? "the connection" : h2_error_name(error));
    decide(probe, PROXY_HEALTH_FAULT, cause);
}

static const struct h2_stream_events stream_events = {
    .on_block = on_block,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

static const struct upstream_request_events request_events = {
    .on_ready = on_ready,
    .on_failed = on_failed,
};

/* ---- schedule -------------------------------------------------------------------------------- */

static void start_check(struct probe *probe, uint64_t now)
{
    probe->decided = false;
    proxy_health_answer_init(&probe->answer);
    probe->deadline_ms = now + probe->health->config.timeout_ms;
    upstream_submit(upstream_get(relay_main_worker(probe->health->relay), probe->endpoint),
                    &probe->request);
}

/* The reset never waits: it is one in seconds, and while it waited no other check could be made. */
static void withdraw(struct probe *probe)
{
    upstream_cancel(&probe->request);
    probe->request.urgent = true;
    upstream_reset(&probe->request, H2_CANCEL);
}

static void advance(struct probe *probe, uint64_t now)
{
    if (probe->deadline_ms != 0) {
        if (now >= probe->deadline_ms) {
            decide(probe, PROXY_HEALTH_FAULT,
                   probe->health->config.checks ? "health check was not answered in time"
                                                : "no connection in time");
            withdraw(probe);
        }
        return;
    }
    bool asked = atomic_exchange(&probe->endpoint->recheck, false);
    bool failed = atomic_load(&probe->endpoint->health) == ENDPOINT_UNHEALTHY &&
                  probe->due_ms > now + retry_ms(probe->health);
    if (failed) { /* a worker lost it meanwhile */
        probe->due_ms = now + retry_ms(probe->health);
    }
    bool idle = probe->request.upstream == NULL;
    if (idle && (asked || now >= probe->due_ms)) {
        start_check(probe, now);
    }
}

static void ensure_probe(void *ctx, struct endpoint *endpoint)
{
    struct proxy_health *health = ctx;
    if (endpoint->probed) {
        return;
    }
    endpoint->probed = true;
    struct probe *probe = mem_new(struct probe);
    probe->health = health;
    probe->endpoint = endpoint_ref(endpoint);
    upstream_request_init(&probe->request, &request_events);
    list_append(&health->probes, &probe->node);
}

static void ensure_probes(void *ctx, struct cluster *cluster)
{
    cluster_each(cluster, ensure_probe, ctx);
}

static void probe_free(struct probe *probe)
{
    list_remove(&probe->node);
    probe->endpoint->probed = false;
    endpoint_unref(probe->endpoint);
    free(probe);
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct proxy_health *health = container_of(item, struct proxy_health, tick);
    relay_each_cluster(health->relay, ensure_probes, health);
    struct list *node;
    struct list *next;
    list_each(node, next, &health->probes)
    {
        struct probe *probe = container_of(node, struct probe, node);
        if (!atomic_load(&probe->endpoint->removed)) {
            advance(probe, now);
        } else if (probe->request.stream == NULL) {
            upstream_cancel(&probe->request);
            probe_free(probe);
        } else {
            withdraw(probe);
        }
    }
}

struct proxy_health *proxy_health_start(struct relay *relay)
{
    struct proxy_health *health = mem_new(struct proxy_health);
    health->relay = relay;
    health->config = relay->config.health;
    list_init(&health->probes);
    net_tick_init(&health->tick, on_tick);
    net_loop_tick_start(&relay_main_worker(relay)->loop, &health->tick);
    return health;
}

void proxy_health_stop(struct proxy_health *health)
{
    if (health == NULL) {
        return;
    }
    net_loop_tick_stop(&health->tick);
    struct list *node;
    struct list *next;
    list_each(node, next, &health->probes)
    {
        struct probe *probe = container_of(node, struct probe, node);
        upstream_cancel(&probe->request);
        if (probe->request.stream != NULL) {
            struct h2_stream *stream = probe->request.stream;
            h2_stream_attach(stream, NULL, NULL);
            upstream_closed(&probe->request);
            h2_stream_reset(stream, H2_CANCEL);
        }
        probe_free(probe);
    }
    free(health);
}

bool proxy_health_done_once(const struct proxy_health *health)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &health->probes)
    {
        if (!container_of(node, struct probe, node)->checked_once) {
            return false;
        }
    }
    return true;
}

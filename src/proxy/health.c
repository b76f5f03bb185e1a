/* Active health checks.
 *
 * Happy path: due -> a Check call on a pooled connection -> SERVING -> healthy, due again after the
 * interval.
 * Failure modes: no connection, a reset, NOT_SERVING, no answer in time: unhealthy, asked again
 * every second. A server without the health service (UNIMPLEMENTED) answered, so it lives. A check
 * that the server did not look at (its connection went away with a GOAWAY) tells nothing: it is
 * asked once more. */
#include "proxy/health.h"

#include "base/log.h"
#include "base/mem.h"
#include "relay/cluster.h"
#include "relay/state.h"
#include "relay/upstream.h"
#include "rpc/frame.h"
#include "rpc/health.h"
#include "rpc/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES 64
#define HTTP_OK      200

struct probe {
    struct list node;
    struct proxy_health *health;
    struct endpoint *endpoint; /* owned reference */
    struct upstream_request request;
    uint64_t due_ms;
    uint64_t deadline_ms; /* of the check in flight; 0: none */
    uint8_t answer[ANSWER_BYTES];
    size_t answer_len;
    int grpc_status;  /* -1: none came */
    long http_status; /* 0: none came */
    bool decided;    /* the check in flight has its result; only the stream's end is awaited */
    bool checked_once;
    bool refused; /* the check before this one was not looked at */
};

struct proxy_health {
    struct relay *relay;
    uint64_t interval_ms;
    struct net_tick tick;
    struct list probes;
};

/* ---- results --------------------------------------------------------------------------------- */

static void decide(struct probe *probe, enum endpoint_health result, const char *cause)
{
    struct relay *relay = probe->health->relay;
    struct worker *worker = relay_main_worker(relay);
    struct endpoint *endpoint = probe->endpoint;
    uint64_t wait_ms = result == ENDPOINT_HEALTHY ? probe->health->interval_ms
                                                  : PROXY_HEALTH_RETRY_MS;
    probe->decided = true;
    probe->checked_once = true;
    probe->refused = false;
    probe->deadline_ms = 0;
    probe->due_ms = worker_now_ms(worker) + wait_ms;
    if (result == ENDPOINT_UNHEALTHY) {
        worker_endpoint_failed(worker, endpoint, cause);
    } else if (endpoint_set_health(endpoint, result, NULL)) {
        log_event(LOG_INFO, &relay->source, "endpoint_healthy",
                  LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name}),
                  "Endpoint %s of cluster %s is healthy", endpoint->name, endpoint->cluster->name);
    }
}

/* What the answer to a check that ended well says against the server; NULL: nothing. */
static const char *find_fault(const struct probe *probe)
{
    enum rpc_health_status status;
    if (probe->answer_len <= RPC_FRAME_PREFIX_BYTES ||
        rpc_health_response_decode(probe->answer + RPC_FRAME_PREFIX_BYTES,
                                   probe->answer_len - RPC_FRAME_PREFIX_BYTES, &status) != 0) {
        return "health check was answered with what is no HealthCheckResponse";
    }
    return status == RPC_HEALTH_SERVING ? NULL
           : status == RPC_HEALTH_NOT_SERVING
               ? "health check answered NOT_SERVING"
               : "health check answered neither SERVING nor NOT_SERVING";
}

/* It answers, but not this: UNIMPLEMENTED, or what a server that routes by path or content type
 * says in HTTP (http-grpc-status-mapping.md; 405 and 415 are what net/http and others answer). */
static bool has_no_health_service(const struct probe *probe)
{
    return probe->grpc_status == RPC_UNIMPLEMENTED ||
           (probe->grpc_status < 0 && (probe->http_status == 404 || probe->http_status == 405 ||
                                       probe->http_status == 415));
}

static void decide_by_status(struct probe *probe)
{
    char cause[CLUSTER_CAUSE_BYTES];
    const char *fault = probe->grpc_status == RPC_OK ? find_fault(probe) : NULL;
    if (fault != NULL) {
        decide(probe, ENDPOINT_UNHEALTHY, fault);
    } else if (probe->grpc_status == RPC_OK || has_no_health_service(probe)) {
        decide(probe, ENDPOINT_HEALTHY, NULL);
    } else if (probe->grpc_status > RPC_OK) {
        snprintf(cause, sizeof(cause), "health check failed with %s",
                 rpc_code_name((enum rpc_code)probe->grpc_status));
        decide(probe, ENDPOINT_UNHEALTHY, cause);
    } else if (probe->http_status != HTTP_OK) {
        snprintf(cause, sizeof(cause), "health check was answered with HTTP status %ld",
                 probe->http_status);
        decide(probe, ENDPOINT_UNHEALTHY, cause);
    } else {
        decide(probe, ENDPOINT_UNHEALTHY, "health check was not answered in gRPC");
    }
}

/* ---- the stream ------------------------------------------------------------------------------ */

static const struct h2_stream_events stream_events;

static int on_ready(struct upstream_request *request, struct h2_session *session)
{
    struct probe *probe = container_of(request, struct probe, request);
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
        h2_stream_write(request->stream, whole_server, sizeof(whole_server), ANSWER_BYTES);
        h2_stream_end(request->stream);
    } else if (rv != H2_E_NO_ROOM) {
        decide(probe, ENDPOINT_UNHEALTHY,
               "health check cannot be sent: its header block is too large");
    }
    return rv;
}

static void on_failed(struct upstream_request *request, const struct net_error *why)
{
    struct probe *probe = container_of(request, struct probe, request);
    if (why->kind == NET_FD_LIMIT) { /* tells nothing of the endpoint */
        probe->deadline_ms = 0;
        probe->due_ms = worker_now_ms(relay_main_worker(probe->health->relay)) + PROXY_HEALTH_RETRY_MS;
        return;
    }
    decide(probe, ENDPOINT_UNHEALTHY, why->text);
}

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    (void)kind;
    struct probe *probe = user;
    const struct h2_header *http_status = h2_block_find(block, ":status", NULL);
    const struct h2_header *status = h2_block_find(block, "grpc-status", NULL);
    if (http_status != NULL) {
        probe->http_status = strtol(http_status->value, NULL, 10);
    }
    if (status != NULL) {
        probe->grpc_status = (int)strtol(status->value, NULL, 10);
    }
    if (end_stream && !probe->decided) {
        decide_by_status(probe);
    }
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct probe *probe = user;
    size_t room = ANSWER_BYTES - probe->answer_len;
    size_t keep = len < room ? len : room;
    memcpy(probe->answer + probe->answer_len, bytes, keep);
    probe->answer_len += keep;
    h2_stream_consume(probe->request.stream, len);
}

static void on_end(void *user)
{
    struct probe *probe = user;
    if (!probe->decided) {
        decide_by_status(probe);
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
    char cause[CLUSTER_CAUSE_BYTES];
    snprintf(cause, sizeof(cause), "health check ended with %s",
             error == H2_CONNECTION_LOST ? "the connection" : h2_error_name(error));
    decide(probe, ENDPOINT_UNHEALTHY, cause);
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
    probe->answer_len = 0;
    probe->grpc_status = -1;
    probe->http_status = 0;
    probe->deadline_ms = now + PROXY_HEALTH_TIMEOUT_MS;
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
            decide(probe, ENDPOINT_UNHEALTHY, "health check was not answered in time");
            withdraw(probe);
        }
        return;
    }
    bool asked = atomic_exchange(&probe->endpoint->recheck, false);
    bool failed = atomic_load(&probe->endpoint->health) == ENDPOINT_UNHEALTHY &&
                  probe->due_ms > now + PROXY_HEALTH_RETRY_MS;
    if (failed) { /* a worker lost it meanwhile */
        probe->due_ms = now + PROXY_HEALTH_RETRY_MS;
    }
    bool idle = probe->request.upstream == NULL;
    if (idle && (asked || now >= probe->due_ms)) {
        start_check(probe, now);
    }
}

static struct probe *find_probe(struct proxy_health *health, const struct endpoint *endpoint)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &health->probes)
    {
        struct probe *probe = container_of(node, struct probe, node);
        if (probe->endpoint == endpoint) {
            return probe;
        }
    }
    return NULL;
}

static void ensure_probe(void *ctx, struct endpoint *endpoint)
{
    struct proxy_health *health = ctx;
    if (find_probe(health, endpoint) != NULL) {
        return;
    }
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

struct proxy_health *proxy_health_start(struct relay *relay, uint64_t interval_ms)
{
    struct proxy_health *health = mem_new(struct proxy_health);
    health->relay = relay;
    health->interval_ms = interval_ms;
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

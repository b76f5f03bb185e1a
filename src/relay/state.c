#include "relay/state.h"

#include "base/clock.h"
#include "relay/cluster.h"

#include <stdio.h>
#include <string.h>

#define TELL_PERIOD_MS 1000
#define TELL_LINES     10 /* in each period */

bool relay_is_draining(const struct relay *relay)
{
    return atomic_load(&relay->drain_requests) > 0;
}

bool relay_drain_is_forced(const struct relay *relay)
{
    return atomic_load(&relay->drain_requests) > 1;
}

uint64_t relay_uptime_s(const struct relay *relay)
{
    return (clock_now_ms() - relay->started_ms) / 1000;
}

uint64_t relay_sum(const struct relay *relay, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < relay->worker_count; i++) {
        const char *stats = (const char *)&relay->workers[i].stats;
        sum += atomic_load((const atomic_uint_fast64_t *)(const void *)(stats + offset));
    }
    return sum;
}

struct cluster *relay_find_cluster(const struct relay *relay, const char *name)
{
    for (size_t i = 0; i < relay->config.cluster_count; i++) {
        if (strcmp(relay->config.clusters[i].name, name) == 0) {
            return &relay->config.clusters[i];
        }
    }
    return NULL;
}

uint64_t relay_next_stream_number(struct relay *relay)
{
    return atomic_fetch_add(&relay->stream_number, 1) + 1;
}

void relay_ask_discovery(struct relay *relay)
{
    atomic_store(&relay->discovery_asked, true);
}

struct worker *relay_main_worker(struct relay *relay)
{
    return &relay->workers[0];
}

void worker_endpoint_failed(struct worker *worker, struct endpoint *endpoint, const char *cause)
{
    if (endpoint_set_health(endpoint, ENDPOINT_UNHEALTHY, cause)) {
        log_event(LOG_WARN, &worker->relay->source, "endpoint_unhealthy",
                  LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name},
                            {"cause", cause}),
                  "Endpoint %s of cluster %s is unhealthy: %s", endpoint->name,
                  endpoint->cluster->name, cause);
    }
}

void worker_endpoint_fault(struct worker *worker, struct endpoint *endpoint, const char *fault)
{
    if (endpoint_note_fault(endpoint, fault, worker_now_ms(worker) + 1)) {
        log_event(LOG_WARN, &worker->relay->source, "endpoint_fault",
                  LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name},
                            {"cause", fault}),
                  "Endpoint %s of cluster %s: %s", endpoint->name, endpoint->cluster->name, fault);
    }
}

void worker_tell_trailers(struct worker *worker)
{
    if (!atomic_exchange(&worker->relay->trailers_told, true)) {
        log_event(LOG_WARN, &worker->relay->source, "request_trailers_dropped", NULL,
                  "A client ended a request with trailers: gRPC defines none, and they are not "
                  "passed on (counted in rq_trailers_dropped)");
    }
}

void worker_tell_client(struct worker *worker, const char *event, const char *peer,
                        const char *text)
{
    uint64_t now = worker_now_ms(worker);
    char rest[48] = "";
    if (now - worker->told_ms >= TELL_PERIOD_MS) {
        worker->told_ms = now;
        worker->told = 0;
    }
    if (worker->told >= TELL_LINES) {
        worker->untold++;
        return;
    }
    worker->told++;
    if (worker->untold > 0) {
        snprintf(rest, sizeof(rest), " (and %u lines left out)", worker->untold);
        worker->untold = 0;
    }
    log_event(LOG_WARN, &worker->relay->source, event,
              LOG_PAIRS({"client", peer}, {"cause", text}), "Client %s: %s%s", peer, text, rest);
}

#include "relay/state.h"

#include "base/clock.h"
#include "base/log_line.h"
#include "base/mem.h"
#include "net/tls.h"
#include "relay/cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

struct routing *relay_routing(struct relay *relay)
{
    pthread_mutex_lock(&relay->force.mutex);
    struct routing *routing = routing_ref(relay->force.routing);
    pthread_mutex_unlock(&relay->force.mutex);
    return routing;
}

/* Those of `routing` that `before`, which may be NULL, does not have. */
static void visit_clusters(const struct routing *routing, const struct routing *before,
                           void (*visit)(void *ctx, struct cluster *cluster), void *ctx)
{
    for (size_t i = 0; i < routing->cluster_count; i++) {
        struct cluster *cluster = routing->clusters[i];
        if (before == NULL || routing_find(before, cluster->name) != cluster) {
            visit(ctx, cluster);
        }
    }
}

void relay_each_cluster(struct relay *relay, void (*visit)(void *ctx, struct cluster *cluster),
                        void *ctx)
{
    pthread_mutex_lock(&relay->force.mutex);
    struct routing *routing = routing_ref(relay->force.routing);
    struct routing *coming = relay->force.coming != NULL ? routing_ref(relay->force.coming) : NULL;
    pthread_mutex_unlock(&relay->force.mutex);
    visit_clusters(routing, NULL, visit, ctx);
    if (coming != NULL) {
        visit_clusters(coming, routing, visit, ctx);
    }
    routing_unref(routing);
    routing_unref(coming);
}

void relay_each_account(struct relay *relay,
                        void (*visit)(void *ctx, const struct account *account), void *ctx)
{
    struct routing *routing = relay_routing(relay);
    for (size_t i = 0; i < routing->table->rule_count; i++) {
        visit(ctx, routing->accounts[i]);
    }
    routing_unref(routing);
}

/* References for the caller, in an array of its own. */
static struct cluster **left_clusters(struct relay *relay, size_t *ret_count)
{
    struct relay_force *force = &relay->force;
    pthread_mutex_lock(&force->mutex);
    struct cluster **left = mem_calloc(force->left_count + 1, sizeof(*left));
    for (size_t i = 0; i < force->left_count; i++) {
        left[i] = cluster_ref(force->left[i]);
    }
    *ret_count = force->left_count;
    pthread_mutex_unlock(&force->mutex);
    return left;
}

void relay_each_left_cluster(struct relay *relay, void (*visit)(void *ctx, struct cluster *cluster),
                             void *ctx)
{
    size_t count;
    struct cluster **left = left_clusters(relay, &count);
    for (size_t i = 0; i < count; i++) {
        visit(ctx, left[i]);
        cluster_unref(left[i]);
    }
    free(left);
}

static void forget_left_endpoints(void *ctx, struct cluster *cluster)
{
    (void)ctx;
    cluster_forget_left(cluster);
}

void relay_forget_left(struct relay *relay)
{
    struct relay_force *force = &relay->force;
    relay_each_cluster(relay, forget_left_endpoints, NULL);
    pthread_mutex_lock(&force->mutex);
    size_t kept = 0;
    for (size_t i = 0; i < force->left_count; i++) {
        if (cluster_forget_left(force->left[i]) > 0) {
            force->left[kept++] = force->left[i];
        } else {
            cluster_unref(force->left[i]);
        }
    }
    force->left_count = kept;
    pthread_mutex_unlock(&force->mutex);
}

void relay_note_reload(struct relay *relay, const char *failure)
{
    struct relay_force *force = &relay->force;
    pthread_mutex_lock(&force->mutex);
    force->reloads++;
    force->failed_reloads += failure != NULL;
    force->last_reload_ns = clock_wall_ns();
    snprintf(force->failure, sizeof(force->failure), "%s", failure != NULL ? failure : "");
    pthread_mutex_unlock(&force->mutex);
}

struct net_tls *relay_tls(struct relay *relay)
{
    pthread_mutex_lock(&relay->force.mutex);
    struct net_tls *tls = net_tls_ref(relay->force.tls);
    pthread_mutex_unlock(&relay->force.mutex);
    return tls;
}

uint64_t relay_next_stream_number(struct relay *relay)
{
    return atomic_fetch_add(&relay->stream_number, 1) + 1;
}

/* What the pairs are about: "CLUSTER ENDPOINT", either of which may be empty. */
static void find_subject(const struct log_pair *pairs, char *out, size_t out_bytes)
{
    const char *cluster = "";
    const char *endpoint = "";
    for (; pairs != NULL && pairs->key != NULL; pairs++) {
        cluster = strcmp(pairs->key, "cluster") == 0 ? pairs->value : cluster;
        endpoint = strcmp(pairs->key, "endpoint") == 0 ? pairs->value : endpoint;
    }
    snprintf(out, out_bytes, "%s %s", cluster, endpoint);
}

void relay_tell(struct relay *relay, enum log_level level, const char *event,
                const struct log_pair *pairs, const char *format, ...)
{
    char text[LOG_MESSAGE_BYTES + 1]; /* the log sees what is too long, and cuts it */
    char subject[CLUSTER_NAME_BYTES + NET_ADDRESS_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    find_subject(pairs, subject, sizeof(subject));
    events_add(&relay->events, level, event, subject, 1, text);
    log_event(level, &relay->source, event, pairs, "%s", text);
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
        relay_tell(worker->relay, LOG_WARN, "endpoint_unhealthy",
                   LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name},
                             {"cause", cause}),
                   "Endpoint %s of cluster %s is unhealthy: %s", endpoint->name,
                   endpoint->cluster->name, cause);
    }
}

void worker_endpoint_fault(struct worker *worker, struct endpoint *endpoint, const char *fault)
{
    if (endpoint_note_fault(endpoint, fault, worker_now_ms(worker) + 1)) {
        relay_tell(worker->relay, LOG_WARN, "endpoint_fault",
                   LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name},
                             {"cause", fault}),
                   "Endpoint %s of cluster %s: %s", endpoint->name, endpoint->cluster->name, fault);
    }
}

void worker_tell_trailers(struct worker *worker)
{
    if (!atomic_exchange(&worker->relay->trailers_told, true)) {
        relay_tell(worker->relay, LOG_WARN, "request_trailers_dropped", NULL,
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
    log_event(LOG_WARN, &worker->relay->source, event, LOG_PAIRS({"client", peer}, {"cause", text}),
              "Client %s: %s%s", peer, text, rest);
}

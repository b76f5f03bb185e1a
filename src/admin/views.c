#include "admin/views.h"

#include "admin/rules.h"
#include "admin/text.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/tls.h"
#include "relay/cluster.h"
#include "relay/state.h"
#include "route/table.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_OF(endpoint, field)                                                                   \
    per_worker_sum(&(endpoint)->loads, offsetof(struct endpoint_load, field))

/* ---- clusters -------------------------------------------------------------------------------- */

static void endpoint_text(void *ctx, struct endpoint *endpoint)
{
    struct buf *out = ctx;
#define NUMBER(field, type, metric, help)                                                          \
    admin_printf(out, "%s::%s::%s::%llu\n", endpoint->cluster->name, endpoint->name, #field,       \
                 (unsigned long long)atomic_load(&endpoint->field));
    ENDPOINT_NUMBERS(NUMBER)
#undef NUMBER
#define LOAD(field, type, metric, help)                                                            \
    admin_printf(out, "%s::%s::%s::%llu\n", endpoint->cluster->name, endpoint->name, #field,       \
                 (unsigned long long)LOAD_OF(endpoint, field));
    ENDPOINT_LOADS(LOAD)
#undef LOAD
    enum endpoint_health health = (enum endpoint_health)atomic_load(&endpoint->health);
    admin_printf(out, "%s::%s::health_flags::%s\n", endpoint->cluster->name, endpoint->name,
                 endpoint_health_name(health));
    if (atomic_load(&endpoint->no_health_service)) {
        admin_printf(out, "%s::%s::health_service::none\n", endpoint->cluster->name,
                     endpoint->name);
    }
    if (atomic_load(&endpoint->removed)) {
        admin_printf(out, "%s::%s::leaving::true\n", endpoint->cluster->name, endpoint->name);
    }
    if (endpoint->cause[0] != '\0') {
        admin_printf(out, "%s::%s::cause::%s\n", endpoint->cluster->name, endpoint->name,
                     endpoint->cause);
    }
    if (endpoint->fault[0] != '\0') {
        admin_printf(out, "%s::%s::last_fault::%s\n", endpoint->cluster->name, endpoint->name,
                     endpoint->fault);
    }
}

static void cluster_text(void *ctx, struct cluster *cluster)
{
    admin_printf(ctx, "%s::lb_policy::%s\n", cluster->name, lb_policy_names[cluster->policy]);
    cluster_each(cluster, endpoint_text, ctx);
    cluster_each_left(cluster, endpoint_text, ctx);
}

static void left_cluster_text(void *ctx, struct cluster *cluster)
{
    admin_printf(ctx, "%s::leaving::true\n", cluster->name);
    cluster_text(ctx, cluster);
}

void admin_clusters_text(struct relay *relay, struct buf *out)
{
    relay_each_cluster(relay, cluster_text, out);
    relay_each_left_cluster(relay, left_cluster_text, out);
}

static void endpoint_json(void *ctx, struct endpoint *endpoint)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "address", endpoint->name);
    enum endpoint_health health = (enum endpoint_health)atomic_load(&endpoint->health);
    cJSON_AddStringToObject(object, "health", endpoint_health_name(health));
    cJSON_AddBoolToObject(object, "no_health_service", atomic_load(&endpoint->no_health_service));
    cJSON_AddBoolToObject(object, "leaving", atomic_load(&endpoint->removed));
    if (endpoint->cause[0] != '\0') {
        cJSON_AddStringToObject(object, "cause", endpoint->cause);
    }
    if (endpoint->fault[0] != '\0') {
        cJSON_AddStringToObject(object, "last_fault", endpoint->fault);
    }
#define NUMBER(field, type, metric, help)                                                          \
    cJSON_AddNumberToObject(object, #field, (double)atomic_load(&endpoint->field));
    ENDPOINT_NUMBERS(NUMBER)
#undef NUMBER
#define LOAD(field, type, metric, help)                                                            \
    cJSON_AddNumberToObject(object, #field, (double)LOAD_OF(endpoint, field));
    ENDPOINT_LOADS(LOAD)
#undef LOAD
    cJSON_AddItemToArray(ctx, object);
}

static cJSON *targets_array(struct cluster *cluster)
{
    struct text_address targets[CLUSTER_TARGETS_MAX];
    size_t count = cluster_targets(cluster, targets);
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        char target[TEXT_HOST_BYTES + 8];
        snprintf(target, sizeof(target), "%s:%u", targets[i].host, (unsigned)targets[i].port);
        cJSON_AddItemToArray(array, cJSON_CreateString(target));
    }
    return array;
}

static cJSON *add_cluster(cJSON *array, struct cluster *cluster, bool leaving)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", cluster->name);
    cJSON_AddBoolToObject(object, "leaving", leaving);
    cJSON_AddStringToObject(object, "lb_policy", lb_policy_names[cluster->policy]);
    cJSON_AddItemToObject(object, "targets", targets_array(cluster));
    cJSON_AddItemToArray(array, object);
    return object;
}

static void cluster_settings(void *ctx, struct cluster *cluster)
{
    add_cluster(ctx, cluster, false);
}

static void add_cluster_with_endpoints(cJSON *array, struct cluster *cluster, bool leaving)
{
    cJSON *endpoints = cJSON_AddArrayToObject(add_cluster(array, cluster, leaving), "endpoints");
    cluster_each(cluster, endpoint_json, endpoints);
    cluster_each_left(cluster, endpoint_json, endpoints);
}

static void cluster_with_endpoints(void *ctx, struct cluster *cluster)
{
    add_cluster_with_endpoints(ctx, cluster, false);
}

static void left_cluster_with_endpoints(void *ctx, struct cluster *cluster)
{
    add_cluster_with_endpoints(ctx, cluster, true);
}

void admin_clusters_json(struct relay *relay, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *clusters = cJSON_AddArrayToObject(root, "clusters");
    relay_each_cluster(relay, cluster_with_endpoints, clusters);
    relay_each_left_cluster(relay, left_cluster_with_endpoints, clusters);
    admin_finish_json(root, out);
}

/* ---- listeners, configuration, server -------------------------------------------------------- */

static const char *listener_name(struct relay *relay)
{
    return relay_is_draining(relay) ? "closed" : relay->listen_name;
}

static void workers_text(struct relay *relay, struct buf *out)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        const struct worker_stats *stats = &relay->workers[i].stats;
        admin_printf(out, "grpc::worker_%u::connections::%llu\ngrpc::worker_%u::streams::%llu\n", i,
                     (unsigned long long)atomic_load(&stats->downstream_cx_active), i,
                     (unsigned long long)atomic_load(&stats->downstream_rq_active));
    }
}

static void workers_json(struct relay *relay, cJSON *array)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        const struct worker_stats *stats = &relay->workers[i].stats;
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "worker", i);
        cJSON_AddNumberToObject(object, "connections",
                                (double)atomic_load(&stats->downstream_cx_active));
        cJSON_AddNumberToObject(object, "streams",
                                (double)atomic_load(&stats->downstream_rq_active));
        cJSON_AddItemToArray(array, object);
    }
}

void admin_listeners(struct relay *relay, bool json, struct buf *out)
{
    if (!json) {
        admin_printf(out, "grpc::%s\n", listener_name(relay));
        workers_text(relay, out);
        return;
    }
    cJSON *root = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(root, "listeners");
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", "grpc");
    cJSON_AddStringToObject(object, "address", listener_name(relay));
    struct net_tls *tls = relay_tls(relay);
    cJSON_AddBoolToObject(object, "tls", tls != NULL);
    net_tls_free(tls);
    workers_json(relay, cJSON_AddArrayToObject(object, "workers"));
    cJSON_AddItemToArray(array, object);
    admin_finish_json(root, out);
}

static void add_time(cJSON *object, const char *name, uint64_t wall_ns)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_format(wall_ns, text);
    cJSON_AddStringToObject(object, name, text);
}

/* Since when what follows is in force, and what became of the last reload. */
static void add_force(cJSON *root, struct relay *relay)
{
    struct relay_force *force = &relay->force;
    pthread_mutex_lock(&force->mutex);
    add_time(root, "last_updated", force->since_ns);
    if (force->last_reload_ns != 0) {
        cJSON *reload = cJSON_AddObjectToObject(root, "last_reload");
        add_time(reload, "time", force->last_reload_ns);
        cJSON_AddBoolToObject(reload, "ok", force->failure[0] == '\0');
        if (force->failure[0] != '\0') {
            cJSON_AddStringToObject(reload, "failure", force->failure);
        }
    }
    pthread_mutex_unlock(&force->mutex);
}

static void add_health(const struct relay_health *health, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "health_checks");
    cJSON_AddBoolToObject(object, "enabled", health->checks);
    cJSON_AddNumberToObject(object, "interval_ms", (double)health->interval_ms);
    cJSON_AddNumberToObject(object, "timeout_ms", (double)health->timeout_ms);
    cJSON_AddNumberToObject(object, "unhealthy_threshold", health->unhealthy_threshold);
    cJSON_AddNumberToObject(object, "healthy_threshold", health->healthy_threshold);
}

void admin_config_dump(struct relay *relay, struct buf *out)
{
    const struct relay_config *config = &relay->config;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "listen", listener_name(relay));
    cJSON_AddNumberToObject(root, "workers", relay->worker_count);
    cJSON_AddNumberToObject(root, "max_streams", config->max_streams);
    cJSON_AddNumberToObject(root, "drain_timeout_ms", (double)config->drain_ms);
    cJSON_AddNumberToObject(root, "max_buffered_bytes", (double)config->max_buffered_bytes);
    add_health(&config->health, root);
    add_force(root, relay);
    relay_each_cluster(relay, cluster_settings, cJSON_AddArrayToObject(root, "clusters"));
    struct routing *routing = relay_routing(relay);
    admin_rules_json(routing, cJSON_AddArrayToObject(root, "rules"));
    cJSON_AddItemToObject(root, "routes", cJSON_CreateString(route_table_source(routing->table)));
    routing_unref(routing);
    admin_finish_json(root, out);
}

void admin_server_info(struct relay *relay, const char *state, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "version", GRPCROUTE_VERSION);
    cJSON_AddStringToObject(root, "state", state);
    cJSON_AddNumberToObject(root, "uptime_s", (double)relay_uptime_s(relay));
    cJSON_AddStringToObject(root, "id", relay->config.id);
    admin_finish_json(root, out);
}

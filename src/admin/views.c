#include "admin/views.h"

#include "admin/clusters.h"
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

static void cluster_settings(void *ctx, struct cluster *cluster)
{
    admin_cluster_json(ctx, cluster, false);
}

void admin_config_dump(struct relay *relay, struct buf *out)
{
    const struct relay_config *config = &relay->config;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "listen", listener_name(relay));
    cJSON_AddNumberToObject(root, "workers", relay->worker_count);
    cJSON_AddNumberToObject(root, "coalesce_us", (double)config->coalesce_ns / 1000);
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

#include "proxy/admin_views.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/listener.h"
#include "proxy/admin_stats.h"
#include "proxy/cluster.h"
#include "proxy/proxy.h"
#include "route/table.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

void admin_finish_json(cJSON *root, struct buf *out)
{
    char *text = cJSON_Print(root);
    if (text != NULL) {
        admin_printf(out, "%s\n", text);
    }
    cJSON_free(text);
    cJSON_Delete(root);
}

static const char *policy_name(enum lb_policy policy)
{
    static const char *const names[] = {"round-robin", "least-request", "hash"};
    return names[policy];
}

/* ---- clusters -------------------------------------------------------------------------------- */

static void endpoint_text(void *ctx, struct endpoint *endpoint)
{
    struct buf *out = ctx;
    const struct {
        const char *key;
        atomic_uint_fast64_t *value;
    } numbers[] = {
        {"cx_active", &endpoint->cx_active}, {"cx_connect_fail", &endpoint->cx_connect_fail},
        {"cx_total", &endpoint->cx_total},   {"rq_active", &endpoint->rq_active},
        {"rq_error", &endpoint->rq_error},   {"rq_total", &endpoint->rq_total},
    };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        admin_printf(out, "%s::%s::%s::%llu\n", endpoint->cluster->name, endpoint->name,
                     numbers[i].key, (unsigned long long)atomic_load(numbers[i].value));
    }
    enum endpoint_health health = (enum endpoint_health)atomic_load(&endpoint->health);
    admin_printf(out, "%s::%s::health_flags::%s\n", endpoint->cluster->name, endpoint->name,
                 endpoint_health_name(health));
    if (health == ENDPOINT_UNHEALTHY) {
        admin_printf(out, "%s::%s::cause::%s\n", endpoint->cluster->name, endpoint->name,
                     endpoint->cause);
    }
}

void admin_clusters_text(struct proxy *proxy, struct buf *out)
{
    for (size_t i = 0; i < proxy->config.cluster_count; i++) {
        struct cluster *cluster = &proxy->config.clusters[i];
        admin_printf(out, "%s::lb_policy::%s\n", cluster->name, policy_name(cluster->policy));
        cluster_each(cluster, endpoint_text, out);
    }
}

static void endpoint_json(void *ctx, struct endpoint *endpoint)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "address", endpoint->name);
    enum endpoint_health health = (enum endpoint_health)atomic_load(&endpoint->health);
    cJSON_AddStringToObject(object, "health", endpoint_health_name(health));
    if (endpoint->cause[0] != '\0') {
        cJSON_AddStringToObject(object, "cause", endpoint->cause);
    }
    cJSON_AddNumberToObject(object, "cx_active", (double)atomic_load(&endpoint->cx_active));
    cJSON_AddNumberToObject(object, "rq_active", (double)atomic_load(&endpoint->rq_active));
    cJSON_AddNumberToObject(object, "rq_total", (double)atomic_load(&endpoint->rq_total));
    cJSON_AddNumberToObject(object, "rq_error", (double)atomic_load(&endpoint->rq_error));
    cJSON_AddItemToArray(ctx, object);
}

static cJSON *clusters_array(struct proxy *proxy, bool with_endpoints)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < proxy->config.cluster_count; i++) {
        struct cluster *cluster = &proxy->config.clusters[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", cluster->name);
        cJSON_AddStringToObject(object, "lb_policy", policy_name(cluster->policy));
        cJSON *targets = cJSON_AddArrayToObject(object, "targets");
        for (size_t k = 0; k < cluster->target_count; k++) {
            char target[TEXT_HOST_BYTES + 8];
            snprintf(target, sizeof(target), "%s:%u", cluster->targets[k].host,
                     (unsigned)cluster->targets[k].port);
            cJSON_AddItemToArray(targets, cJSON_CreateString(target));
        }
        if (with_endpoints) {
            cluster_each(cluster, endpoint_json, cJSON_AddArrayToObject(object, "endpoints"));
        }
        cJSON_AddItemToArray(array, object);
    }
    return array;
}

void admin_clusters_json(struct proxy *proxy, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "clusters", clusters_array(proxy, true));
    admin_finish_json(root, out);
}

/* ---- listeners, configuration, server ----------------------------------------------------------
 */

static const char *listener_name(struct proxy *proxy)
{
    return proxy_is_draining(proxy) ? "closed" : proxy->listen_name;
}

void admin_listeners(struct proxy *proxy, bool json, struct buf *out)
{
    if (!json) {
        admin_printf(out, "grpc::%s\n", listener_name(proxy));
        return;
    }
    cJSON *root = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(root, "listeners");
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", "grpc");
    cJSON_AddStringToObject(object, "address", listener_name(proxy));
    cJSON_AddBoolToObject(object, "tls", proxy->config.tls != NULL);
    cJSON_AddItemToArray(array, object);
    admin_finish_json(root, out);
}

void admin_config_dump(struct proxy *proxy, struct buf *out)
{
    const struct proxy_config *config = &proxy->config;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "listen", listener_name(proxy));
    cJSON_AddNumberToObject(root, "workers", proxy->worker_count);
    cJSON_AddNumberToObject(root, "max_streams", config->max_streams);
    cJSON_AddNumberToObject(root, "drain_timeout_ms", (double)config->drain_ms);
    cJSON_AddNumberToObject(root, "health_interval_ms", (double)config->health_interval_ms);
    cJSON_AddNumberToObject(root, "dns_refresh_ms", (double)config->dns_refresh_ms);
    cJSON_AddItemToObject(root, "clusters", clusters_array(proxy, false));
    cJSON_AddItemToObject(root, "routes", cJSON_CreateString(route_table_source(config->routes)));
    admin_finish_json(root, out);
}

void admin_server_info(struct proxy *proxy, const char *state, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "version", GRPCROUTE_VERSION);
    cJSON_AddStringToObject(root, "state", state);
    cJSON_AddNumberToObject(root, "uptime_s", (double)proxy_uptime_s(proxy));
    cJSON_AddStringToObject(root, "id", proxy->config.id);
    admin_finish_json(root, out);
}

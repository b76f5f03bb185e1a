#include "admin/views.h"

#include "admin/stats.h"
#include "base/buf.h"
#include "base/mem.h"
#include "relay/cluster.h"
#include "relay/state.h"
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

/* ---- clusters -------------------------------------------------------------------------------- */

static void endpoint_text(void *ctx, struct endpoint *endpoint)
{
    struct buf *out = ctx;
#define NUMBER(field, type, metric, help)                                                          \
    admin_printf(out, "%s::%s::%s::%llu\n", endpoint->cluster->name, endpoint->name, #field,       \
                 (unsigned long long)atomic_load(&endpoint->field));
    ENDPOINT_NUMBERS(NUMBER)
#undef NUMBER
    enum endpoint_health health = (enum endpoint_health)atomic_load(&endpoint->health);
    admin_printf(out, "%s::%s::health_flags::%s\n", endpoint->cluster->name, endpoint->name,
                 endpoint_health_name(health));
    if (health == ENDPOINT_UNHEALTHY) {
        admin_printf(out, "%s::%s::cause::%s\n", endpoint->cluster->name, endpoint->name,
                     endpoint->cause);
    }
    if (endpoint->fault[0] != '\0') {
        admin_printf(out, "%s::%s::last_fault::%s\n", endpoint->cluster->name, endpoint->name,
                     endpoint->fault);
    }
}

void admin_clusters_text(struct relay *relay, struct buf *out)
{
    for (size_t i = 0; i < relay->config.cluster_count; i++) {
        struct cluster *cluster = &relay->config.clusters[i];
        admin_printf(out, "%s::lb_policy::%s\n", cluster->name, lb_policy_names[cluster->policy]);
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
    if (endpoint->fault[0] != '\0') {
        cJSON_AddStringToObject(object, "last_fault", endpoint->fault);
    }
#define NUMBER(field, type, metric, help)                                                          \
    cJSON_AddNumberToObject(object, #field, (double)atomic_load(&endpoint->field));
    ENDPOINT_NUMBERS(NUMBER)
#undef NUMBER
    cJSON_AddItemToArray(ctx, object);
}

static cJSON *clusters_array(struct relay *relay, bool with_endpoints)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < relay->config.cluster_count; i++) {
        struct cluster *cluster = &relay->config.clusters[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", cluster->name);
        cJSON_AddStringToObject(object, "lb_policy", lb_policy_names[cluster->policy]);
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

void admin_clusters_json(struct relay *relay, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "clusters", clusters_array(relay, true));
    admin_finish_json(root, out);
}

/* ---- listeners, configuration, server -------------------------------------------------------- */

static const char *listener_name(struct relay *relay)
{
    return relay_is_draining(relay) ? "closed" : relay->listen_name;
}

void admin_listeners(struct relay *relay, bool json, struct buf *out)
{
    if (!json) {
        admin_printf(out, "grpc::%s\n", listener_name(relay));
        return;
    }
    cJSON *root = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(root, "listeners");
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", "grpc");
    cJSON_AddStringToObject(object, "address", listener_name(relay));
    cJSON_AddBoolToObject(object, "tls", relay->config.tls != NULL);
    cJSON_AddItemToArray(array, object);
    admin_finish_json(root, out);
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
    cJSON_AddItemToObject(root, "clusters", clusters_array(relay, false));
    cJSON_AddItemToObject(root, "routes", cJSON_CreateString(route_table_source(config->routes)));
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

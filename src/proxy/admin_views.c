#include "proxy/admin_views.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/listener.h"
#include "proxy/admin_stats.h"
#include "proxy/cluster.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"
#include "route/table.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

/* Prints and frees a JSON tree. */
static void finish_json(cJSON *root, struct buf *out)
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
    finish_json(root, out);
}

/* ---- listeners, configuration, server ---------------------------------------------------------- */

static const char *listener_name(struct proxy *proxy)
{
    const struct net_listener *listener = proxy->workers[0].listener;
    return listener != NULL ? net_listener_name(listener) : "closed";
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
    finish_json(root, out);
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
    finish_json(root, out);
}

void admin_server_info(struct proxy *proxy, const char *state, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "version", GRPCROUTE_VERSION);
    cJSON_AddStringToObject(root, "state", state);
    cJSON_AddNumberToObject(root, "uptime_s",
                            (double)((clock_now_ms() - proxy->started_ms) / 1000));
    cJSON_AddStringToObject(root, "id", proxy->config.id);
    finish_json(root, out);
}

/* ---- streams --------------------------------------------------------------------------------- */

struct stream_row {
    uint64_t number;
    uint64_t opened_ms;
    uint64_t messages_up;
    uint64_t messages_down;
    unsigned worker;
    char agent_id[EXCHANGE_LABEL_BYTES];
    char agent_version[EXCHANGE_LABEL_BYTES];
    char cluster[PROXY_CLUSTER_NAME_BYTES];
    char endpoint[NET_ADDRESS_TEXT_BYTES];
};

static void copy_row(struct stream_row *row, struct exchange *exchange, unsigned worker)
{
    row->number = exchange->number;
    row->opened_ms = exchange->opened_ms;
    row->messages_up = atomic_load(&exchange->up.messages);
    row->messages_down = atomic_load(&exchange->down.messages);
    row->worker = worker;
    memcpy(row->agent_id, exchange->agent_id, sizeof(row->agent_id));
    memcpy(row->agent_version, exchange->agent_version, sizeof(row->agent_version));
    if (exchange->endpoint != NULL) {
        memcpy(row->endpoint, exchange->endpoint->name, sizeof(row->endpoint));
        memcpy(row->cluster, exchange->endpoint->cluster->name, sizeof(row->cluster));
    }
}

static size_t copy_rows(struct worker *worker, uint64_t after, struct stream_row *rows, size_t limit)
{
    size_t count = 0;
    struct list *node;
    struct list *next;
    pthread_mutex_lock(&worker->exchanges_mutex);
    list_each(node, next, &worker->exchanges)
    {
        struct exchange *exchange = container_of(node, struct exchange, node);
        if (count == limit) {
            break;
        }
        if (exchange->number > after) {
            copy_row(&rows[count++], exchange, worker->index);
        }
    }
    pthread_mutex_unlock(&worker->exchanges_mutex);
    return count;
}

static cJSON *row_json(const struct stream_row *row, uint64_t now_ms)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "number", (double)row->number);
    cJSON_AddStringToObject(object, "agent_id", row->agent_id);
    cJSON_AddStringToObject(object, "agent_version", row->agent_version);
    cJSON_AddStringToObject(object, "cluster", row->cluster);
    cJSON_AddStringToObject(object, "endpoint", row->endpoint);
    cJSON_AddNumberToObject(object, "age_ms",
                            now_ms > row->opened_ms ? (double)(now_ms - row->opened_ms) : 0);
    cJSON_AddNumberToObject(object, "messages_up", (double)row->messages_up);
    cJSON_AddNumberToObject(object, "messages_down", (double)row->messages_down);
    cJSON_AddNumberToObject(object, "worker", row->worker);
    return object;
}

void admin_streams_json(struct proxy *proxy, uint64_t after, size_t limit, struct buf *out)
{
    struct stream_row *rows = mem_calloc(limit, sizeof(*rows));
    size_t count = 0;
    uint64_t total = 0;
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        count += copy_rows(&proxy->workers[i], after, rows + count, limit - count);
        total += atomic_load(&proxy->workers[i].stats.downstream_rq_active);
    }
    uint64_t now_ms = clock_now_ms();
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "total", (double)total);
    cJSON *array = cJSON_AddArrayToObject(root, "streams");
    for (size_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(array, row_json(&rows[i], now_ms));
    }
    free(rows);
    finish_json(root, out);
}

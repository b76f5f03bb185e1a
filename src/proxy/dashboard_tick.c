#include "proxy/dashboard_tick.h"

#include "base/clock.h"
#include "proxy/cluster.h"
#include "proxy/proxy.h"

#include <cJSON.h>
#include <stdio.h>
#include <string.h>

#define SUM(proxy, field) proxy_sum(proxy, offsetof(struct worker_stats, field))

void dashboard_sample_take(struct proxy *proxy, struct dashboard_sample *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->at_ms = clock_now_ms();
    ret->up = SUM(proxy, messages_up);
    ret->down = SUM(proxy, messages_down);
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        answer_time_sum(&proxy->workers[i].answer_time, ret->answers);
    }
}

/* ---- totals ---------------------------------------------------------------------------------- */

static void add_number(cJSON *object, const char *name, uint64_t value)
{
    cJSON_AddNumberToObject(object, name, (double)value);
}

/* Null when there is nothing to say. */
static void add_measure(cJSON *object, const char *name, double value)
{
    cJSON_AddItemToObject(object, name,
                          value >= 0 ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

static double rate(uint64_t now, uint64_t before, uint64_t ms)
{
    return ms > 0 ? (double)(now - before) * 1000 / (double)ms : -1;
}

static void add_totals(struct proxy *proxy, cJSON *root, const struct dashboard_sample *now,
                       const struct dashboard_sample *before, const struct dashboard_sample *window)
{
    uint64_t ms = now->at_ms - before->at_ms;
    cJSON_AddStringToObject(root, "id", proxy->config.id);
    cJSON_AddStringToObject(root, "state",
                            proxy_is_draining(proxy)     ? "draining"
                            : atomic_load(&proxy->ready) ? "live"
                                                         : "starting");
    add_number(root, "uptime_s", (now->at_ms - proxy->started_ms) / 1000);
    add_number(root, "workers", proxy->worker_count);
    add_number(root, "streams", SUM(proxy, downstream_rq_active));
    add_number(root, "streams_total", SUM(proxy, downstream_rq_total));
    add_number(root, "connections", SUM(proxy, downstream_cx_active));
    add_number(root, "unavailable", SUM(proxy, rq_unavailable));
    add_number(root, "no_route", SUM(proxy, rq_no_route));
    add_number(root, "checked", SUM(proxy, answers_checked));
    add_number(root, "misrouted", SUM(proxy, misrouted));
    add_measure(root, "up_per_s", rate(now->up, before->up, ms));
    add_measure(root, "down_per_s", rate(now->down, before->down, ms));
    add_measure(root, "p50_us", answer_time_quantile(window->answers, now->answers, 0.5));
    add_measure(root, "p99_us", answer_time_quantile(window->answers, now->answers, 0.99));
}

/* ---- clusters and flows ---------------------------------------------------------------------- */

static void add_endpoint(void *ctx, struct endpoint *endpoint)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "address", endpoint->name);
    cJSON_AddStringToObject(object, "pod", endpoint->pod);
    cJSON_AddStringToObject(
        object, "health",
        endpoint_health_name((enum endpoint_health)atomic_load(&endpoint->health)));
    cJSON_AddStringToObject(object, "cause", endpoint->cause);
    add_number(object, "streams", atomic_load(&endpoint->rq_active));
    add_number(object, "streams_total", atomic_load(&endpoint->rq_total));
    add_number(object, "errors", atomic_load(&endpoint->rq_error));
    add_number(object, "connections", atomic_load(&endpoint->cx_active));
    add_number(object, "misrouted", atomic_load(&endpoint->misrouted));
    cJSON_AddItemToArray(ctx, object);
}

static void add_clusters(struct proxy *proxy, cJSON *root)
{
    cJSON *array = cJSON_AddArrayToObject(root, "clusters");
    for (size_t i = 0; i < proxy->config.cluster_count; i++) {
        struct cluster *cluster = &proxy->config.clusters[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", cluster->name);
        cluster_each(cluster, add_endpoint, cJSON_AddArrayToObject(object, "endpoints"));
        cJSON_AddItemToArray(array, object);
    }
}

/* One flow as it was. */
struct flow {
    char version[OBSERVE_LABEL_BYTES];
    const char *cluster;
    uint64_t streams;
    uint64_t misrouted;
};

static size_t copy_flows(struct worker *worker, struct flow *ret)
{
    size_t count = 0;
    pthread_mutex_lock(&worker->exchanges_mutex);
    for (size_t i = 0; i <= OBSERVE_FLOWS; i++) {
        const struct observe_flow *flow = &worker->flows.flows[i];
        uint64_t streams = atomic_load(&flow->streams);
        if (streams > 0) {
            struct flow *copy = &ret[count++];
            snprintf(copy->version, sizeof(copy->version), "%s",
                     i < OBSERVE_FLOWS ? flow->version : "(more versions)");
            copy->cluster = flow->cluster != NULL ? flow->cluster->name : "";
            copy->streams = streams;
            copy->misrouted = atomic_load(&flow->misrouted);
        }
    }
    pthread_mutex_unlock(&worker->exchanges_mutex);
    return count;
}

/* Adds to the flow of the same version and cluster, which another worker may have had. */
static void add_flow(cJSON *flows, const struct flow *flow)
{
    cJSON *known = NULL;
    cJSON_ArrayForEach(known, flows)
    {
        if (strcmp(cJSON_GetObjectItem(known, "version")->valuestring, flow->version) == 0 &&
            strcmp(cJSON_GetObjectItem(known, "cluster")->valuestring, flow->cluster) == 0) {
            break;
        }
    }
    if (known == NULL) {
        known = cJSON_CreateObject();
        cJSON_AddStringToObject(known, "version", flow->version);
        cJSON_AddStringToObject(known, "cluster", flow->cluster);
        add_number(known, "streams", 0);
        add_number(known, "misrouted", 0);
        cJSON_AddItemToArray(flows, known);
    }
    cJSON *count = cJSON_GetObjectItem(known, "streams");
    cJSON *misrouted = cJSON_GetObjectItem(known, "misrouted");
    cJSON_SetNumberValue(count, count->valuedouble + (double)flow->streams);
    cJSON_SetNumberValue(misrouted, misrouted->valuedouble + (double)flow->misrouted);
}

static void add_flows(struct proxy *proxy, cJSON *root)
{
    cJSON *array = cJSON_AddArrayToObject(root, "flows");
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        struct flow flows[OBSERVE_FLOWS + 1];
        size_t count = copy_flows(&proxy->workers[i], flows);
        for (size_t k = 0; k < count; k++) {
            add_flow(array, &flows[k]);
        }
    }
}

char *dashboard_tick_json(struct proxy *proxy, const struct dashboard_sample *now,
                          const struct dashboard_sample *before,
                          const struct dashboard_sample *window)
{
    cJSON *root = cJSON_CreateObject();
    add_totals(proxy, root, now, before, window);
    add_clusters(proxy, root);
    add_flows(proxy, root);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

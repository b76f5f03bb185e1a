#include "admin/dashboard_tick.h"

#include "base/clock.h"
#include "relay/cluster.h"
#include "relay/state.h"

#include <cJSON.h>
#include <stdio.h>
#include <string.h>

#define SUM(relay, field) relay_sum(relay, offsetof(struct worker_stats, field))

void dashboard_sample_take(struct relay *relay, struct dashboard_sample *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->at_ms = clock_now_ms();
    ret->up = SUM(relay, messages_up);
    ret->down = SUM(relay, messages_down);
    for (unsigned i = 0; i < relay->worker_count; i++) {
        answer_time_sum(&relay->workers[i].answer_time, ret->answers);
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

static void add_totals(struct relay *relay, cJSON *root, const struct dashboard_sample *now,
                       const struct dashboard_sample *before, const struct dashboard_sample *window)
{
    uint64_t ms = now->at_ms - before->at_ms;
    cJSON_AddStringToObject(root, "id", relay->config.id);
    cJSON_AddStringToObject(root, "state",
                            relay_is_draining(relay)     ? "draining"
                            : atomic_load(&relay->ready) ? "live"
                                                         : "starting");
    add_number(root, "uptime_s", (now->at_ms - relay->started_ms) / 1000);
    add_number(root, "workers", relay->worker_count);
    add_number(root, "streams", SUM(relay, downstream_rq_active));
    add_number(root, "streams_total", SUM(relay, downstream_rq_total));
    add_number(root, "connections", SUM(relay, downstream_cx_active));
    add_number(root, "unavailable", SUM(relay, rq_unavailable));
    add_number(root, "no_route", SUM(relay, rq_no_route));
    add_number(root, "checked", SUM(relay, answers_checked));
    add_number(root, "misrouted", SUM(relay, misrouted));
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

static void add_cluster(void *ctx, struct cluster *cluster)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", cluster->name);
    cluster_each(cluster, add_endpoint, cJSON_AddArrayToObject(object, "endpoints"));
    cJSON_AddItemToArray(ctx, object);
}

/* Adds to the flow of the same version and cluster, which another worker may have had. */
static void add_flow(cJSON *flows, const struct flow_row *flow)
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

static void add_flows(struct relay *relay, cJSON *root)
{
    cJSON *array = cJSON_AddArrayToObject(root, "flows");
    for (unsigned i = 0; i < relay->worker_count; i++) {
        struct flow_row flows[FLOWS_MAX + 1];
        struct worker *worker = &relay->workers[i];
        streams_lock(&worker->streams);
        size_t count = flows_copy(&worker->flows, flows);
        streams_unlock(&worker->streams);
        for (size_t k = 0; k < count; k++) {
            add_flow(array, &flows[k]);
        }
    }
}

char *dashboard_tick_json(struct relay *relay, const struct dashboard_sample *now,
                          const struct dashboard_sample *before,
                          const struct dashboard_sample *window)
{
    cJSON *root = cJSON_CreateObject();
    add_totals(relay, root, now, before, window);
    relay_each_cluster(relay, add_cluster, cJSON_AddArrayToObject(root, "clusters"));
    add_flows(relay, root);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

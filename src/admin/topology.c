#include "admin/topology.h"

#include "admin/dashboard_tick.h"
#include "admin/flows.h"
#include "relay/state.h"

#include <cJSON.h>
#include <string.h>

/* On its way over all clusters, twice: for the endpoints that are named first, and for the rest.
 * One that changes in between may be named twice or not, until the next tick. */
struct walk {
    cJSON *clusters;
    cJSON *cluster;       /* the current one; NULL: it is not named */
    cJSON *endpoints;     /* its */
    size_t clusters_left; /* that may be named */
    size_t endpoints_left;
    uint64_t clusters_more;
    uint64_t seen; /* endpoints, also those that are leaving */
    uint64_t endpoint_count;
    uint64_t healthy_count;
    uint64_t streams; /* of the current cluster */
    uint64_t of_cluster;
    bool remarkable; /* those are named now */
    bool leaving;
};

static void add_number(cJSON *object, const char *name, uint64_t value)
{
    cJSON_AddNumberToObject(object, name, (double)value);
}

/* ---- clusters -------------------------------------------------------------------------------- */

static bool is_remarkable(const struct endpoint *endpoint)
{
    return atomic_load(&endpoint->health) != ENDPOINT_HEALTHY || atomic_load(&endpoint->removed) ||
           atomic_load(&endpoint->misrouted) > 0;
}

static void add_endpoint(cJSON *array, const struct endpoint *endpoint)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "address", endpoint->name);
    cJSON_AddStringToObject(object, "pod", endpoint->pod);
    cJSON_AddStringToObject(
        object, "health",
        endpoint_health_name((enum endpoint_health)atomic_load(&endpoint->health)));
    cJSON_AddStringToObject(object, "cause", endpoint->cause);
    cJSON_AddBoolToObject(object, "leaving", atomic_load(&endpoint->removed));
    add_number(object, "streams", atomic_load(&endpoint->rq_active));
    add_number(object, "streams_total", atomic_load(&endpoint->rq_total));
    add_number(object, "errors", atomic_load(&endpoint->rq_error));
    add_number(object, "connections", atomic_load(&endpoint->cx_active));
    add_number(object, "misrouted", atomic_load(&endpoint->misrouted));
    cJSON_AddItemToArray(array, object);
}

/* The first time, everything is counted. */
static void visit_endpoint(void *ctx, struct endpoint *endpoint)
{
    struct walk *walk = ctx;
    if (walk->remarkable) {
        walk->streams += atomic_load(&endpoint->rq_active);
        walk->seen++;
        if (!atomic_load(&endpoint->removed)) {
            walk->of_cluster++;
            walk->healthy_count += atomic_load(&endpoint->health) == ENDPOINT_HEALTHY;
        }
    }
    if (is_remarkable(endpoint) == walk->remarkable && walk->cluster != NULL &&
        walk->endpoints_left > 0) {
        walk->endpoints_left--;
        add_endpoint(walk->endpoints, endpoint);
    }
}

static void visit_endpoints(struct walk *walk, struct cluster *cluster)
{
    cluster_each(cluster, visit_endpoint, walk);
    cluster_each_left(cluster, visit_endpoint, walk);
}

static void begin_cluster(struct walk *walk, const struct cluster *cluster)
{
    walk->cluster = NULL;
    if (walk->clusters_left == 0) {
        walk->clusters_more++;
        return;
    }
    walk->clusters_left--;
    walk->cluster = cJSON_CreateObject();
    cJSON_AddStringToObject(walk->cluster, "name", cluster->name);
    cJSON_AddBoolToObject(walk->cluster, "leaving", walk->leaving);
    walk->endpoints = cJSON_AddArrayToObject(walk->cluster, "endpoints");
    cJSON_AddItemToArray(walk->clusters, walk->cluster);
}

static void first_visit(void *ctx, struct cluster *cluster)
{
    struct walk *walk = ctx;
    walk->streams = 0;
    walk->of_cluster = 0;
    begin_cluster(walk, cluster);
    visit_endpoints(walk, cluster);
    walk->endpoint_count += walk->of_cluster;
    if (walk->cluster != NULL) {
        add_number(walk->cluster, "streams", walk->streams);
        add_number(walk->cluster, "endpoint_count", walk->of_cluster);
    }
}

/* Clusters may have come or gone since the first visit: what is not found is not named. */
static void second_visit(void *ctx, struct cluster *cluster)
{
    struct walk *walk = ctx;
    walk->cluster = NULL;
    cJSON *known;
    cJSON_ArrayForEach(known, walk->clusters)
    {
        if (strcmp(cJSON_GetObjectItem(known, "name")->valuestring, cluster->name) == 0 &&
            cJSON_IsTrue(cJSON_GetObjectItem(known, "leaving")) == walk->leaving) {
            walk->cluster = known;
            walk->endpoints = cJSON_GetObjectItem(known, "endpoints");
            break;
        }
    }
    visit_endpoints(walk, cluster);
}

static void visit_clusters(struct relay *relay, struct walk *walk,
                           void (*visit)(void *ctx, struct cluster *cluster))
{
    walk->leaving = false;
    relay_each_cluster(relay, visit, walk);
    walk->leaving = true;
    relay_each_left_cluster(relay, visit, walk);
}

static void add_clusters(struct relay *relay, cJSON *root)
{
    struct walk walk = {
        .clusters = cJSON_AddArrayToObject(root, "clusters"),
        .clusters_left = DASHBOARD_CLUSTERS_MAX,
        .endpoints_left = DASHBOARD_ENDPOINTS_MAX,
        .remarkable = true,
    };
    visit_clusters(relay, &walk, first_visit);
    walk.remarkable = false;
    visit_clusters(relay, &walk, second_visit);
    uint64_t named = DASHBOARD_ENDPOINTS_MAX - walk.endpoints_left;
    add_number(root, "endpoints", walk.endpoint_count);
    add_number(root, "healthy", walk.healthy_count);
    add_number(root, "clusters_more", walk.clusters_more);
    add_number(root, "endpoints_more", walk.seen > named ? walk.seen - named : 0);
}

/* ---- flows ----------------------------------------------------------------------------------- */

static cJSON *new_flow(cJSON *flows, const char *version, const char *cluster)
{
    cJSON *flow = cJSON_CreateObject();
    cJSON_AddStringToObject(flow, "version", version);
    cJSON_AddStringToObject(flow, "cluster", cluster);
    add_number(flow, "streams", 0);
    add_number(flow, "misrouted", 0);
    cJSON_AddItemToArray(flows, flow);
    return flow;
}

/* The flow of the same version and cluster, which another worker may have had. */
static cJSON *find_flow(cJSON *flows, const char *version, const char *cluster)
{
    cJSON *known;
    cJSON_ArrayForEach(known, flows)
    {
        if (strcmp(cJSON_GetObjectItem(known, "version")->valuestring, version) == 0 &&
            strcmp(cJSON_GetObjectItem(known, "cluster")->valuestring, cluster) == 0) {
            return known;
        }
    }
    return NULL;
}

static void add_flow(void *ctx, const struct flow_row *flow)
{
    cJSON *flows = ctx;
    cJSON *known = find_flow(flows, flow->version, flow->cluster);
    if (known == NULL && cJSON_GetArraySize(flows) < DASHBOARD_FLOWS_MAX) {
        known = new_flow(flows, flow->version, flow->cluster);
    } else if (known == NULL) {
        known = find_flow(flows, FLOW_MORE, "");
    }
    if (known == NULL) {
        known = new_flow(flows, FLOW_MORE, "");
    }
    cJSON *count = cJSON_GetObjectItem(known, "streams");
    cJSON *misrouted = cJSON_GetObjectItem(known, "misrouted");
    cJSON_SetNumberValue(count, count->valuedouble + (double)flow->streams);
    cJSON_SetNumberValue(misrouted, misrouted->valuedouble + (double)flow->misrouted);
}

void topology_json(struct relay *relay, cJSON *root)
{
    add_clusters(relay, root);
    admin_each_flow(relay, add_flow, cJSON_AddArrayToObject(root, "flows"));
}

/* /clusters, as Envoy writes it and as JSON, and the walk over its endpoints. */
#include "admin/clusters.h"

#include "admin/text.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "relay/cluster.h"
#include "relay/state.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#define LOAD_OF(endpoint, field)                                                                   \
    per_worker_sum(&(endpoint)->loads, offsetof(struct endpoint_load, field))
/* " (leaving 4294967295)" */
#define LEAVING_BYTES 24

/* ---- names ----------------------------------------------------------------------------------- */

/* "server-v1::127.0.0.1:50051" and the like are keys, each told once: of those that are leaving
 * there may be one with the name of another that came since, and several. */
struct walk {
    struct buf *out;
    uint64_t *seen; /* what names were told, as hashes */
    size_t seen_count;
    size_t seen_room;
    bool leaving;      /* what is visited now */
    const char *label; /* of the current cluster */
};

static bool is_seen(const struct walk *walk, uint64_t hash)
{
    for (size_t i = 0; i < walk->seen_count; i++) {
        if (walk->seen[i] == hash) {
            return true;
        }
    }
    return false;
}

static void see(struct walk *walk, uint64_t hash)
{
    if (walk->seen_count == walk->seen_room) {
        walk->seen_room = walk->seen_room > 0 ? 2 * walk->seen_room : 64;
        walk->seen = mem_realloc(walk->seen, walk->seen_room * sizeof(*walk->seen));
    }
    walk->seen[walk->seen_count++] = hash;
}

/* Writes `name`, "name (leaving)", "name (leaving 2)": the first of them that is not taken under
 * `above`. Those that are not leaving come first, and have names of their own. */
static void label(struct walk *walk, const char *above, const char *name, bool leaving, char *out,
                  size_t out_bytes)
{
    uint64_t scope = hash_text(HASH_BASIS, above);
    uint64_t hash;
    unsigned number = 1;
    snprintf(out, out_bytes, "%s", name);
    while (hash = hash_text(scope, out), leaving && is_seen(walk, hash)) {
        snprintf(out, out_bytes, number > 1 ? "%s (leaving %u)" : "%s (leaving)", name, number);
        number++;
    }
    see(walk, hash);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void endpoint_line(const struct walk *walk, const char *name, const char *key,
                          const char *value)
{
    admin_printf(walk->out, "%s::%s::%s::%s\n", walk->label, name, key, value);
}

static void endpoint_number(const struct walk *walk, const char *name, const char *key,
                            uint64_t value)
{
    admin_printf(walk->out, "%s::%s::%s::%llu\n", walk->label, name, key,
                 (unsigned long long)value);
}

static void endpoint_state(const struct walk *walk, const char *name,
                           const struct endpoint *endpoint)
{
    enum endpoint_health health = (enum endpoint_health)atomic_load(&endpoint->health);
    endpoint_line(walk, name, "health_flags", endpoint_health_name(health));
    if (atomic_load(&endpoint->no_health_service)) {
        endpoint_line(walk, name, "health_service", "none");
    }
    if (atomic_load(&endpoint->removed)) {
        endpoint_line(walk, name, "leaving", "true");
    }
    if (endpoint->cause[0] != '\0') {
        endpoint_line(walk, name, "cause", endpoint->cause);
    }
    if (endpoint->fault[0] != '\0') {
        endpoint_line(walk, name, "last_fault", endpoint->fault);
    }
}

static void endpoint_text(struct walk *walk, const struct endpoint *endpoint, bool leaving)
{
    char name[sizeof(endpoint->name) + LEAVING_BYTES];
    label(walk, walk->label, endpoint->name, leaving, name, sizeof(name));
#define NUMBER(field, type, metric, help)                                                          \
    endpoint_number(walk, name, #field, atomic_load(&endpoint->field));
    ENDPOINT_NUMBERS(NUMBER)
#undef NUMBER
#define LOAD(field, type, metric, help)                                                            \
    endpoint_number(walk, name, #field, LOAD_OF(endpoint, field));
    ENDPOINT_LOADS(LOAD)
#undef LOAD
    endpoint_state(walk, name, endpoint);
}

static void staying_text(void *ctx, struct endpoint *endpoint)
{
    endpoint_text(ctx, endpoint, false);
}

static void left_text(void *ctx, struct endpoint *endpoint)
{
    endpoint_text(ctx, endpoint, true);
}

static void cluster_text(void *ctx, struct cluster *cluster)
{
    struct walk *walk = ctx;
    char name[CLUSTER_NAME_BYTES + LEAVING_BYTES];
    label(walk, "", cluster->name, walk->leaving, name, sizeof(name));
    walk->label = name;
    if (walk->leaving) {
        admin_printf(walk->out, "%s::leaving::true\n", name);
    }
    admin_printf(walk->out, "%s::lb_policy::%s\n", name, lb_policy_names[cluster->policy]);
    cluster_each(cluster, staying_text, walk);
    cluster_each_left(cluster, left_text, walk);
    walk->label = NULL;
}

void admin_clusters_text(struct relay *relay, struct buf *out)
{
    struct walk walk = {.out = out};
    relay_each_cluster(relay, cluster_text, &walk);
    walk.leaving = true;
    relay_each_left_cluster(relay, cluster_text, &walk);
    free(walk.seen);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

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

cJSON *admin_cluster_json(cJSON *array, struct cluster *cluster, bool leaving)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", cluster->name);
    cJSON_AddBoolToObject(object, "leaving", leaving);
    cJSON_AddStringToObject(object, "lb_policy", lb_policy_names[cluster->policy]);
    cJSON_AddItemToObject(object, "targets", targets_array(cluster));
    cJSON_AddItemToArray(array, object);
    return object;
}

static void add_cluster_with_endpoints(cJSON *array, struct cluster *cluster, bool leaving)
{
    cJSON *object = admin_cluster_json(array, cluster, leaving);
    cJSON *endpoints = cJSON_AddArrayToObject(object, "endpoints");
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

/* A cluster: its names, and what all its endpoints have counted. */
#include "relay/cluster_impl.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const lb_policy_names[] = {
#define LB_POLICY_WORD(name, word) word,
    LB_POLICIES(LB_POLICY_WORD) NULL
#undef LB_POLICY_WORD
};

struct cluster *cluster_new(const char *name, enum lb_policy policy)
{
    struct cluster *cluster = mem_new(struct cluster);
    snprintf(cluster->name, sizeof(cluster->name), "%s", name);
    cluster->policy = policy;
    atomic_store(&cluster->references, 1);
    list_init(&cluster->counted);
    pthread_mutex_init(&cluster->mutex, NULL);
    return cluster;
}

struct cluster *cluster_ref(struct cluster *cluster)
{
    atomic_fetch_add(&cluster->references, 1);
    return cluster;
}

void cluster_unref(struct cluster *cluster)
{
    if (cluster != NULL && atomic_fetch_sub(&cluster->references, 1) == 1) {
        assert(list_empty(&cluster->counted));
        free(cluster->endpoints); /* which is empty, as is the next: endpoints hold references */
        free(cluster->left);
        pthread_mutex_destroy(&cluster->mutex);
        free(cluster);
    }
}

static bool are_targets(const struct cluster *cluster, const struct text_address *targets,
                        size_t count)
{
    bool equal = cluster->target_count == count;
    for (size_t i = 0; i < count && equal; i++) {
        equal = cluster->targets[i].port == targets[i].port &&
                strcmp(cluster->targets[i].host, targets[i].host) == 0;
    }
    return equal;
}

bool cluster_set_targets(struct cluster *cluster, const struct text_address *targets, size_t count)
{
    assert(count <= CLUSTER_TARGETS_MAX);
    pthread_mutex_lock(&cluster->mutex);
    bool changed = !are_targets(cluster, targets, count);
    if (changed) {
        memcpy(cluster->targets, targets, count * sizeof(*targets));
        cluster->target_count = count;
    }
    pthread_mutex_unlock(&cluster->mutex);
    return changed;
}

bool cluster_has_targets(struct cluster *cluster, const struct text_address *targets, size_t count)
{
    pthread_mutex_lock(&cluster->mutex);
    bool has = are_targets(cluster, targets, count);
    pthread_mutex_unlock(&cluster->mutex);
    return has;
}

size_t cluster_targets(struct cluster *cluster, struct text_address out[static CLUSTER_TARGETS_MAX])
{
    pthread_mutex_lock(&cluster->mutex);
    size_t count = cluster->target_count;
    memcpy(out, cluster->targets, count * sizeof(*out));
    pthread_mutex_unlock(&cluster->mutex);
    return count;
}
/* ---- counting -------------------------------------------------------------------------------- */

static uint64_t number_of(const struct endpoint *endpoint, size_t offset)
{
    const char *at = (const char *)endpoint + offset;
    return atomic_load((const atomic_uint_fast64_t *)(const void *)at);
}

static uint64_t load_of(const struct endpoint *endpoint, size_t offset)
{
    return per_worker_sum(&endpoint->loads, offset);
}

static const struct {
    uint64_t (*read)(const struct endpoint *endpoint, size_t offset);
    size_t offset;
} COUNTS[] = {
#define NUMBER(name, type, metric, help) {number_of, offsetof(struct endpoint, name)},
#define LOAD(name, type, metric, help)   {load_of, offsetof(struct endpoint_load, name)},
    ENDPOINT_NUMBERS(NUMBER) ENDPOINT_LOADS(LOAD)
#undef NUMBER
#undef LOAD
};
_Static_assert(ARRAY_SIZE(COUNTS) == CLUSTER_COUNTS, "a number of an endpoint is not summed up");

void cluster_depart(struct endpoint *endpoint)
{
    struct cluster *cluster = endpoint->cluster;
    pthread_mutex_lock(&cluster->mutex);
    list_remove(&endpoint->node);
    for (size_t i = 0; i < ARRAY_SIZE(COUNTS); i++) {
        cluster->departed[i] += COUNTS[i].read(endpoint, COUNTS[i].offset);
    }
    pthread_mutex_unlock(&cluster->mutex);
}

static uint64_t sum_up(struct cluster *cluster, size_t index)
{
    struct list *node;
    struct list *next;
    pthread_mutex_lock(&cluster->mutex);
    uint64_t sum = cluster->departed[index];
    list_each(node, next, &cluster->counted)
    {
        struct endpoint *endpoint = container_of(node, struct endpoint, node);
        sum += COUNTS[index].read(endpoint, COUNTS[index].offset);
    }
    pthread_mutex_unlock(&cluster->mutex);
    return sum;
}

static uint64_t count_all(struct cluster *cluster,
                          uint64_t (*read)(const struct endpoint *endpoint, size_t offset),
                          size_t offset)
{
    size_t index = 0;
    while (COUNTS[index].read != read || COUNTS[index].offset != offset) {
        index++;
        assert(index < ARRAY_SIZE(COUNTS));
    }
    return sum_up(cluster, index);
}

uint64_t cluster_count_number(struct cluster *cluster, size_t offset)
{
    return count_all(cluster, number_of, offset);
}

uint64_t cluster_count_load(struct cluster *cluster, size_t offset)
{
    return count_all(cluster, load_of, offset);
}

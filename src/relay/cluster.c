#include "relay/cluster.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Faults of an endpoint are logged at most this often. */
#define FAULT_PERIOD_MS 1000

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

/* Nobody knows it any more; what it counted stays. */
static void depart(struct endpoint *endpoint)
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

/* ---- endpoints ------------------------------------------------------------------------------- */

/* With the cluster's mutex held. */
static struct endpoint *endpoint_new(struct cluster *cluster,
                                     const struct sockaddr_storage *address)
{
    struct endpoint *endpoint = mem_new(struct endpoint);
    endpoint->cluster = cluster_ref(cluster);
    list_append(&cluster->counted, &endpoint->node);
    endpoint->address = *address;
    net_address_format((const struct sockaddr *)address, endpoint->name);
    atomic_store(&endpoint->references, 1);
    return endpoint;
}

struct endpoint *endpoint_ref(struct endpoint *endpoint)
{
    atomic_fetch_add(&endpoint->references, 1);
    return endpoint;
}

void endpoint_unref(struct endpoint *endpoint)
{
    if (endpoint != NULL && atomic_fetch_sub(&endpoint->references, 1) == 1) {
        assert(atomic_load(&endpoint->cx_active) == 0 && atomic_load(&endpoint->rq_active) == 0);
        assert(atomic_load(&endpoint->misrouted) == 0);
        depart(endpoint);
        cluster_unref(endpoint->cluster);
        per_worker_deinit(&endpoint->loads);
        free(endpoint);
    }
}

void endpoint_set_cause(struct endpoint *endpoint, const char *cause)
{
    pthread_mutex_lock(&endpoint->cluster->mutex);
    snprintf(endpoint->cause, sizeof(endpoint->cause), "%s", cause);
    pthread_mutex_unlock(&endpoint->cluster->mutex);
}

bool endpoint_set_health(struct endpoint *endpoint, enum endpoint_health health, const char *cause)
{
    endpoint_set_cause(endpoint, cause != NULL ? cause : "");
    return atomic_exchange(&endpoint->health, (int)health) != (int)health;
}

void endpoint_set_pod(struct endpoint *endpoint, const char *pod)
{
    pthread_mutex_lock(&endpoint->cluster->mutex);
    snprintf(endpoint->pod, sizeof(endpoint->pod), "%s", pod);
    pthread_mutex_unlock(&endpoint->cluster->mutex);
}

bool endpoint_note_fault(struct endpoint *endpoint, const char *fault, uint64_t now_ms)
{
    pthread_mutex_lock(&endpoint->cluster->mutex);
    snprintf(endpoint->fault, sizeof(endpoint->fault), "%s", fault);
    pthread_mutex_unlock(&endpoint->cluster->mutex);
    atomic_fetch_add(&endpoint->faults, 1);
    uint64_t told_ms = atomic_load(&endpoint->fault_told_ms);
    return (told_ms == 0 || now_ms - told_ms >= FAULT_PERIOD_MS) &&
           atomic_compare_exchange_strong(&endpoint->fault_told_ms, &told_ms, now_ms);
}

struct endpoint_load *endpoint_load(struct endpoint *endpoint, unsigned worker)
{
    return per_worker_get(&endpoint->loads, worker, sizeof(struct endpoint_load));
}

#define WORD(name, word) word,

const char *endpoint_health_name(enum endpoint_health health)
{
    static const char *const names[] = {ENDPOINT_HEALTHS(WORD)};
    return names[health];
}

const char *const lb_policy_names[] = {LB_POLICIES(WORD) NULL};

#undef WORD

/* ---- clusters -------------------------------------------------------------------------------- */

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

static void release_endpoints(struct endpoint **endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        endpoint_unref(endpoints[i]);
    }
    free(endpoints);
}

/* The endpoint of that name, which nearly always is where it was. */
static struct endpoint *find(struct endpoint *const *endpoints, size_t count, size_t hint,
                             const char *name)
{
    if (hint < count && strcmp(endpoints[hint]->name, name) == 0) {
        return endpoints[hint];
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(endpoints[i]->name, name) == 0) {
            return endpoints[i];
        }
    }
    return NULL;
}

/* A removed endpoint that has streams remains in sight. One that a worker has just picked may be
 * missed; it is sent its stream all the same. */
static void keep_left(struct cluster *cluster, struct endpoint *endpoint)
{
    if (atomic_load(&endpoint->rq_active) > 0) {
        cluster->left =
            mem_realloc(cluster->left, (cluster->left_count + 1) * sizeof(struct endpoint *));
        cluster->left[cluster->left_count++] = endpoint_ref(endpoint);
    }
}

/* Marks the endpoints of `old` that are not among `kept`. Returns how many. */
static size_t mark_removed(struct cluster *cluster, struct endpoint **old, size_t old_count,
                           struct endpoint **kept, size_t kept_count)
{
    size_t removed = 0;
    for (size_t i = 0; i < old_count; i++) {
        if (find(kept, kept_count, i, old[i]->name) == NULL) {
            atomic_store(&old[i]->removed, true);
            keep_left(cluster, old[i]);
            removed++;
        }
    }
    return removed;
}

/* Fills `fresh` with an endpoint for each address, once; returns how many. */
static size_t make_endpoints(struct cluster *cluster, const struct sockaddr_storage *addresses,
                             size_t count, struct endpoint **fresh, size_t *ret_added)
{
    size_t made = 0;
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        char name[NET_ADDRESS_TEXT_BYTES];
        net_address_format((const struct sockaddr *)&addresses[i], name);
        struct endpoint *known = find(cluster->endpoints, cluster->endpoint_count, made, name);
        bool twice = cluster->target_count > 1 && find(fresh, made, 0, name) != NULL;
        if (!twice) {
            added += known == NULL;
            fresh[made++] =
                known != NULL ? endpoint_ref(known) : endpoint_new(cluster, &addresses[i]);
        }
    }
    *ret_added = added;
    return made;
}

void cluster_update(struct cluster *cluster, const struct sockaddr_storage *addresses, size_t count,
                    size_t *ret_added, size_t *ret_removed)
{
    size_t added;
    struct endpoint **fresh = mem_calloc(count + 1, sizeof(struct endpoint *));
    pthread_mutex_lock(&cluster->mutex);
    size_t made = make_endpoints(cluster, addresses, count, fresh, &added);
    struct endpoint **old = cluster->endpoints;
    size_t old_count = cluster->endpoint_count;
    cluster->endpoints = fresh;
    cluster->endpoint_count = made;
    size_t removed = mark_removed(cluster, old, old_count, fresh, made);
    pthread_mutex_unlock(&cluster->mutex);
    release_endpoints(old, old_count);
    *ret_added = added;
    *ret_removed = removed;
}

void cluster_retire(struct cluster *cluster)
{
    size_t added;
    size_t removed;
    cluster_update(cluster, NULL, 0, &added, &removed);
}

void cluster_each(struct cluster *cluster, void (*visit)(void *ctx, struct endpoint *endpoint),
                  void *ctx)
{
    pthread_mutex_lock(&cluster->mutex);
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        visit(ctx, cluster->endpoints[i]);
    }
    pthread_mutex_unlock(&cluster->mutex);
}

void cluster_each_left(struct cluster *cluster, void (*visit)(void *ctx, struct endpoint *endpoint),
                       void *ctx)
{
    pthread_mutex_lock(&cluster->mutex);
    for (size_t i = 0; i < cluster->left_count; i++) {
        visit(ctx, cluster->left[i]);
    }
    pthread_mutex_unlock(&cluster->mutex);
}

/* Takes one without streams out of the list; NULL: there is none. */
static struct endpoint *take_idle(struct cluster *cluster, size_t *ret_remain)
{
    struct endpoint *idle = NULL;
    pthread_mutex_lock(&cluster->mutex);
    for (size_t i = 0; i < cluster->left_count && idle == NULL; i++) {
        if (atomic_load(&cluster->left[i]->rq_active) == 0) {
            idle = cluster->left[i];
            cluster->left[i] = cluster->left[--cluster->left_count];
        }
    }
    *ret_remain = cluster->left_count;
    pthread_mutex_unlock(&cluster->mutex);
    return idle;
}

size_t cluster_forget_left(struct cluster *cluster)
{
    size_t remain;
    struct endpoint *idle;
    while ((idle = take_idle(cluster, &remain)) != NULL) {
        endpoint_unref(idle); /* not under the mutex, which may go with it */
    }
    return remain;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* Rendezvous hashing: each endpoint scores with the key, the highest wins; when one goes, only its
 * keys move. */
static uint64_t rendezvous_score(const struct endpoint *endpoint, uint64_t hash)
{
    uint64_t score =
        hash_bytes(hash ^ UINT64_C(0x9e3779b97f4a7c15), endpoint->name, strlen(endpoint->name));
    score ^= score >> 33;
    score *= UINT64_C(0xff51afd7ed558ccd);
    return score ^ score >> 33;
}

struct candidates {
    enum endpoint_health wanted;
    const struct endpoint *avoid;
};

static bool eligible(const struct candidates *candidates, const struct endpoint *endpoint)
{
    return atomic_load(&endpoint->health) == (int)candidates->wanted &&
           endpoint != candidates->avoid;
}

/* True when `a` is a better choice than `b` under the policy (not round robin). */
static bool better(enum lb_policy policy, const struct endpoint *a, const struct endpoint *b,
                   uint64_t hash)
{
    if (policy == LB_HASH) {
        return rendezvous_score(a, hash) > rendezvous_score(b, hash);
    }
    return atomic_load(&a->rq_active) < atomic_load(&b->rq_active);
}

static struct endpoint *choose(struct cluster *cluster, const struct candidates *candidates,
                               uint64_t hash)
{
    size_t count = 0;
    struct endpoint *best = NULL;
    enum lb_policy policy = atomic_load(&cluster->evening) ? LB_LEAST_REQUEST : cluster->policy;
    /* ties go to the next in turn, so that least-request also spreads equals */
    size_t start = cluster->endpoint_count > 0 ? cluster->ticket % cluster->endpoint_count : 0;
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        struct endpoint *endpoint = cluster->endpoints[(start + i) % cluster->endpoint_count];
        if (!eligible(candidates, endpoint)) {
            continue;
        }
        count++;
        if (best == NULL || (policy != LB_ROUND_ROBIN && better(policy, endpoint, best, hash))) {
            best = endpoint;
        }
    }
    if (policy != LB_ROUND_ROBIN || count < 2) {
        return best;
    }
    /* the n-th eligible one, so that an unhealthy neighbour does not double anyone's share */
    size_t skip = cluster->ticket % count;
    for (size_t i = 0; i < cluster->endpoint_count; i++) {
        if (eligible(candidates, cluster->endpoints[i]) && skip-- == 0) {
            return cluster->endpoints[i];
        }
    }
    return best;
}

struct endpoint *cluster_pick(struct cluster *cluster, uint64_t hash, const struct endpoint *avoid)
{
    const struct candidates preference[] = {
        {ENDPOINT_HEALTHY, avoid},
        {ENDPOINT_UNKNOWN, avoid},
        {ENDPOINT_HEALTHY, NULL},
        {ENDPOINT_UNKNOWN, NULL},
    };
    pthread_mutex_lock(&cluster->mutex);
    struct endpoint *endpoint = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(preference) && endpoint == NULL; i++) {
        endpoint = choose(cluster, &preference[i], hash);
    }
    if (endpoint != NULL) {
        cluster->ticket++;
        endpoint_ref(endpoint);
    } else {
        atomic_fetch_add(&cluster->rq_no_healthy, 1);
    }
    pthread_mutex_unlock(&cluster->mutex);
    return endpoint;
}

char *cluster_explain(struct cluster *cluster, char *out, size_t out_bytes)
{
    pthread_mutex_lock(&cluster->mutex);
    if (cluster->endpoint_count == 0) {
        snprintf(out, out_bytes, "no address for %s:%u", cluster->targets[0].host,
                 (unsigned)cluster->targets[0].port);
    } else {
        const struct endpoint *first = cluster->endpoints[0];
        snprintf(out, out_bytes, "all %zu endpoints unhealthy, %s: %s", cluster->endpoint_count,
                 first->name, first->cause);
    }
    pthread_mutex_unlock(&cluster->mutex);
    return out;
}

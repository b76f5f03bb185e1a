/* The endpoint for a new stream. */
#include "relay/cluster.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

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

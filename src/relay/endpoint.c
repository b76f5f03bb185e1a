/* An endpoint's life, its health and what is said of it. */
#include "relay/cluster_impl.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Faults of an endpoint are logged at most this often. */
#define FAULT_PERIOD_MS 1000

struct endpoint *endpoint_new(struct cluster *cluster, const struct sockaddr_storage *address)
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
        cluster_depart(endpoint);
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
    if (strcmp(endpoint->pod, pod) != 0) { /* it hardly ever changes */
        snprintf(endpoint->pod, sizeof(endpoint->pod), "%s", pod);
    }
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

const char *endpoint_health_name(enum endpoint_health health)
{
#define WORD(name, word) word,
    static const char *const names[] = {ENDPOINT_HEALTHS(WORD)};
#undef WORD
    return names[health];
}

/* The endpoints of a cluster: one for each address of its last look-up, and those that were removed
 * while streams were on them. */
#include "relay/cluster_impl.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

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

#include "relay/relay.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/error.h"
#include "net/listener.h"
#include "net/tls.h"
#include "relay/cluster.h"
#include "relay/worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int relay_init(struct relay *relay, const struct relay_config *config, struct routing *routing,
               struct net_tls *tls, struct net_error *ret_error)
{
    relay->config = *config;
    pthread_mutex_init(&relay->force.mutex, NULL);
    events_init(&relay->events);
    relay->force.routing = routing;
    relay->force.tls = tls;
    relay->force.since_ns = clock_wall_ns();
    relay->source = (struct log_source){"proxy", NULL, config->id};
    relay->started_ms = clock_now_ms();
    for (unsigned i = 0; i < config->workers; i++) {
        int rv = worker_init(&relay->workers[i], relay, i, ret_error);
        relay->worker_count = i + 1;
        if (rv != 0) {
            return rv;
        }
    }
    relay->config.listen.port = net_listener_port(relay->workers[0].listener);
    snprintf(relay->listen_name, sizeof(relay->listen_name), "%s",
             net_listener_name(relay->workers[0].listener));
    return 0;
}

static void *run_thread(void *worker)
{
    worker_run(worker);
    return NULL;
}

int relay_run(struct relay *relay, void (*on_started)(void *user), void *user)
{
    unsigned running = 1;
    int error = 0;
    while (running < relay->worker_count && error == 0) {
        struct worker *worker = &relay->workers[running];
        atomic_fetch_add(&relay->others, 1);
        error = pthread_create(&worker->thread, NULL, run_thread, worker);
        running += error == 0;
    }
    if (error == 0) {
        on_started(user);
    } else {
        atomic_fetch_sub(&relay->others, 1); /* that did not start */
        relay_drain(relay);
        relay_drain(relay); /* twice: everything ends now */
    }
    worker_run(&relay->workers[0]);
    for (unsigned i = 1; i < running; i++) {
        pthread_join(relay->workers[i].thread, NULL);
    }
    return error;
}

static void retire(void *ctx, struct cluster *cluster)
{
    (void)ctx;
    cluster_retire(cluster);
}

void relay_deinit(struct relay *relay)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        worker_deinit(&relay->workers[i]);
    }
    relay_each_cluster(relay, retire, NULL);
    relay_forget_left(relay);
    assert(relay->force.left_count == 0);
    free(relay->force.left);
    routing_unref(relay->force.routing);
    routing_unref(relay->force.coming);
    net_tls_free(relay->force.tls);
    pthread_mutex_destroy(&relay->force.mutex);
    events_deinit(&relay->events);
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void keep_left(struct relay_force *force, struct cluster *cluster)
{
    pthread_mutex_lock(&force->mutex);
    force->left = mem_realloc(force->left, (force->left_count + 1) * sizeof(struct cluster *));
    force->left[force->left_count++] = cluster_ref(cluster);
    pthread_mutex_unlock(&force->mutex);
}

/* Those of `old` that neither of the others has; these may be NULL. */
static void retire_missing(struct relay_force *force, const struct routing *old,
                           const struct routing *kept, const struct routing *also)
{
    for (size_t i = 0; i < old->cluster_count; i++) {
        struct cluster *cluster = old->clusters[i];
        if ((kept == NULL || routing_find(kept, cluster->name) != cluster) &&
            (also == NULL || routing_find(also, cluster->name) != cluster)) {
            cluster_retire(cluster);
            if (cluster_forget_left(cluster) > 0) {
                keep_left(force, cluster);
            }
        }
    }
}

void relay_expect(struct relay *relay, struct routing *routing)
{
    pthread_mutex_lock(&relay->force.mutex);
    struct routing *old = relay->force.coming;
    relay->force.coming = routing;
    pthread_mutex_unlock(&relay->force.mutex);
    if (old != NULL) {
        retire_missing(&relay->force, old, relay->force.routing, routing);
        routing_unref(old);
    }
}

void relay_replace(struct relay *relay, struct routing *routing, struct net_tls *tls)
{
    struct relay_force *force = &relay->force;
    routing_continue(routing, force->routing); /* which nobody else replaces */
    pthread_mutex_lock(&force->mutex);
    struct routing *old = force->routing;
    struct routing *coming = force->coming;
    struct net_tls *old_tls = force->tls;
    force->routing = routing;
    force->coming = NULL;
    force->tls = tls;
    force->since_ns = clock_wall_ns();
    pthread_mutex_unlock(&force->mutex);
    retire_missing(force, old, routing, NULL);
    if (coming != NULL) {
        retire_missing(force, coming, routing, NULL);
    }
    routing_unref(old);
    routing_unref(coming);
    net_tls_free(old_tls);
    relay_wake(relay);
}

void relay_wake(struct relay *relay)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        worker_wake(&relay->workers[i]);
    }
}

bool relay_drain(struct relay *relay)
{
    int requests = atomic_fetch_add(&relay->drain_requests, 1);
    relay_wake(relay);
    return requests == 0;
}

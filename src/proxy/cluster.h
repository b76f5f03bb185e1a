/* Clusters and their endpoints: what new streams are balanced over.
 *
 * Shared by all worker threads. Under the cluster's mutex, taken once per stream and never per message: the endpoint
 * array, the round robin ticket, the cause texts. Atomic: health, removal and counters of an endpoint, so that they can
 * be read and written from any worker. An endpoint lives as long as someone holds a reference. */
#ifndef GRPCROUTE_PROXY_CLUSTER_H
#define GRPCROUTE_PROXY_CLUSTER_H

#include "base/text.h"
#include "net/resolve.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY_CAUSE_BYTES 200
#define PROXY_POD_BYTES 96
#define PROXY_CLUSTER_NAME_BYTES 254
#define PROXY_CLUSTER_TARGETS 32

enum endpoint_health {
    ENDPOINT_UNKNOWN,   /* not checked yet: used only while none is healthy */
    ENDPOINT_HEALTHY,
    ENDPOINT_UNHEALTHY, /* gets no new streams */
};

struct cluster;

struct endpoint {
    struct cluster *cluster; /* borrowed */
    struct sockaddr_storage address;
    char name[NET_ADDRESS_TEXT_BYTES];
    char pod[PROXY_POD_BYTES];     /* the id its server gave last; empty: not known; under the cluster's mutex */
    char cause[PROXY_CAUSE_BYTES]; /* why it is unhealthy; under the cluster's mutex */
    atomic_int references;
    atomic_int health;      /* enum endpoint_health */
    atomic_bool removed;    /* no longer an address of its name */
    atomic_bool recheck;    /* something happened: check its health now */
    atomic_uint_fast64_t cx_active;
    atomic_uint_fast64_t cx_total;
    atomic_uint_fast64_t cx_connect_fail;
    atomic_uint_fast64_t rq_active;
    atomic_uint_fast64_t rq_total;
    atomic_uint_fast64_t rq_error;
    atomic_uint_fast64_t misrouted; /* live streams of agents of another version */
    atomic_uint_fast64_t messages_up;   /* towards the endpoint; added when a stream ends */
    atomic_uint_fast64_t messages_down;
};

enum lb_policy { LB_ROUND_ROBIN, LB_LEAST_REQUEST, LB_HASH };

struct cluster {
    char name[PROXY_CLUSTER_NAME_BYTES];
    struct text_address targets[PROXY_CLUSTER_TARGETS]; /* names whose addresses are the endpoints */
    size_t target_count;
    enum lb_policy policy;
    pthread_mutex_t mutex;
    struct endpoint **endpoints; /* owned references, sorted by address */
    size_t endpoint_count;
    uint64_t ticket;             /* round robin of the whole process */
    atomic_uint_fast64_t rq_no_healthy;
    atomic_uint_fast64_t retries;
};

void cluster_init(struct cluster *cluster, const char *name, enum lb_policy policy);
void cluster_deinit(struct cluster *cluster);

/* Replaces the addresses: endpoints that stay keep their health and counters, new ones start unknown, the rest are
 * marked removed and released. `added` and `removed` count the changes. */
void cluster_update(struct cluster *cluster, const struct sockaddr_storage *addresses, size_t count,
                    size_t *ret_added, size_t *ret_removed);

/* The endpoint for a new stream, with a reference for the caller, or NULL when none may be used. `hash` is the value of the hash
 * header (LB_HASH). `avoid` is not chosen while there is another; may be NULL. */
struct endpoint *cluster_pick(struct cluster *cluster, uint64_t hash, const struct endpoint *avoid);

/* Calls `visit` for each endpoint under the mutex. */
void cluster_each(struct cluster *cluster, void (*visit)(void *ctx, struct endpoint *endpoint),
                  void *ctx);

/* One line on why cluster_pick() found nothing: "no address for server-v1:50051", "2 of 2 endpoints unhealthy: 10.0.0.1:50051:
 * connection refused". Returns `out`. */
char *cluster_explain(struct cluster *cluster, char *out, size_t out_bytes);

/* Sets the health; `cause` is kept for people. Returns true when it changed. */
bool endpoint_set_health(struct endpoint *endpoint, enum endpoint_health health, const char *cause);

/* What the endpoint's server calls itself. */
void endpoint_set_pod(struct endpoint *endpoint, const char *pod);
const char *endpoint_health_name(enum endpoint_health health);

struct endpoint *endpoint_ref(struct endpoint *endpoint);
/* Accepts NULL. */
void endpoint_unref(struct endpoint *endpoint);

#endif

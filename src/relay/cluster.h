/* Clusters: what new streams are balanced over.
 *
 * Shared by all worker threads. Under the cluster's mutex, taken once per stream and never per
 * message: the endpoint array, the round robin ticket, the cause texts of the endpoints. */
#ifndef GRPCROUTE_RELAY_CLUSTER_H
#define GRPCROUTE_RELAY_CLUSTER_H

#include "base/list.h"
#include "base/text.h"
#include "relay/endpoint.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define CLUSTER_NAME_BYTES  254
#define CLUSTER_TARGETS_MAX 32

/* The numbers of an endpoint and those of its loads. */
#define CLUSTER_COUNT(...) +1
#define CLUSTER_COUNTS     (0 ENDPOINT_NUMBERS(CLUSTER_COUNT) ENDPOINT_LOADS(CLUSTER_COUNT))

/* How new streams are spread over a cluster's endpoints, and the words for it (options and
 * views). */
#define LB_POLICIES(X)                                                                             \
    X(LB_ROUND_ROBIN, "round-robin")                                                               \
    X(LB_LEAST_REQUEST, "least-request")                                                           \
    X(LB_HASH, "hash")

#define LB_POLICY_NAME(name, word) name,
enum lb_policy { LB_POLICIES(LB_POLICY_NAME) };
#undef LB_POLICY_NAME

/* "round-robin" and so on, ended by NULL. */
extern const char *const lb_policy_names[];

struct cluster {
    char name[CLUSTER_NAME_BYTES];
    enum lb_policy policy;
    atomic_int references;
    pthread_mutex_t mutex;
    /* Under the mutex: */
    struct text_address targets[CLUSTER_TARGETS_MAX]; /* names whose addresses are the endpoints */
    size_t target_count;
    struct endpoint **endpoints; /* owned references, in the order of cluster_update() */
    size_t endpoint_count;
    struct list counted;               /* all endpoints that there are: endpoint.node, borrowed */
    uint64_t departed[CLUSTER_COUNTS]; /* what those counted that are no more */
    struct endpoint **left;            /* owned references: removed, and streams were on them */
    size_t left_count;
    uint64_t ticket;     /* round robin of the whole process */
    atomic_bool evening; /* whatever the policy, the idlest endpoint is next */
    atomic_uint_fast64_t rq_no_healthy;
    atomic_uint_fast64_t retries;
};

/* A cluster without targets; the caller has the first reference. */
struct cluster *cluster_new(const char *name, enum lb_policy policy);
struct cluster *cluster_ref(struct cluster *cluster);
/* Accepts NULL. A cluster that had endpoints must have been retired before the last reference that
 * is not an endpoint's goes. */
void cluster_unref(struct cluster *cluster);

/* Replaces the names whose addresses are the endpoints, at most CLUSTER_TARGETS_MAX. Returns
 * whether they are others than before. */
bool cluster_set_targets(struct cluster *cluster, const struct text_address *targets, size_t count);

/* Whether these are the targets. */
bool cluster_has_targets(struct cluster *cluster, const struct text_address *targets, size_t count);

/* Copies them; returns how many. */
size_t cluster_targets(struct cluster *cluster,
                       struct text_address out[static CLUSTER_TARGETS_MAX]);

/* Calls `visit` under the mutex for each endpoint that was removed while streams were on it, until
 * cluster_forget_left() has found none there. */
void cluster_each_left(struct cluster *cluster, void (*visit)(void *ctx, struct endpoint *endpoint),
                       void *ctx);

/* Lets go of such endpoints that have no stream any more; returns how many remain. Must have
 * returned 0 before the last reference that is not an endpoint's goes. */
size_t cluster_forget_left(struct cluster *cluster);

/* Lets go of all endpoints: no stream is sent here any more, live ones go on. */
void cluster_retire(struct cluster *cluster);

/* Replaces the addresses: endpoints that stay keep their health and counters, new ones start
 * unknown, the rest are marked removed and released. `ret_added` and `ret_removed` count the
 * changes. */
void cluster_update(struct cluster *cluster, const struct sockaddr_storage *addresses, size_t count,
                    size_t *ret_added, size_t *ret_removed);

/* What all endpoints that the cluster ever had have counted, which never steps back: of the COUNTER
 * at `offset` in struct endpoint, or in struct endpoint_load. */
uint64_t cluster_count_number(struct cluster *cluster, size_t offset);
uint64_t cluster_count_load(struct cluster *cluster, size_t offset);

/* The endpoint for a new stream, with a reference for the caller, or NULL when none may be used.
 * `hash` is the value of the hash header (LB_HASH). `avoid` is not chosen while there is another;
 * may be NULL. */
struct endpoint *cluster_pick(struct cluster *cluster, uint64_t hash, const struct endpoint *avoid);

/* Calls `visit` for each endpoint under the mutex. */
void cluster_each(struct cluster *cluster, void (*visit)(void *ctx, struct endpoint *endpoint),
                  void *ctx);

/* One line on why cluster_pick() found nothing: "no address for server-v1:50051", "all 2 endpoints
 * unhealthy, 10.0.0.1:50051: connection refused". Returns `out`. */
char *cluster_explain(struct cluster *cluster, char *out, size_t out_bytes);

#endif

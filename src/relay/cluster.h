/* Clusters and their endpoints: what new streams are balanced over.
 *
 * Shared by all worker threads. Under the cluster's mutex, taken once per stream and never per
 * message: the endpoint array, the round robin ticket, the cause texts. Atomic: health, removal and
 * counters of an endpoint, so that they can be read and written from any worker. Messages and bytes
 * are counted by each worker for itself. An endpoint lives as long as someone holds a reference,
 * and its cluster with it. */
#ifndef GRPCROUTE_RELAY_CLUSTER_H
#define GRPCROUTE_RELAY_CLUSTER_H

#include "base/list.h"
#include "base/text.h"
#include "net/resolve.h"
#include "relay/per_worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define CLUSTER_CAUSE_BYTES 200
#define CLUSTER_POD_BYTES   96
#define CLUSTER_NAME_BYTES  254
#define CLUSTER_TARGETS_MAX 32

/* The states of an endpoint and their words. UNKNOWN: not checked yet, used only while none is
 * healthy; UNHEALTHY: gets no new streams. */
#define ENDPOINT_HEALTHS(X)                                                                        \
    X(ENDPOINT_UNKNOWN, "unknown")                                                                 \
    X(ENDPOINT_HEALTHY, "healthy")                                                                 \
    X(ENDPOINT_UNHEALTHY, "unhealthy")

#define ENDPOINT_HEALTH_NAME(name, word) name,
enum endpoint_health { ENDPOINT_HEALTHS(ENDPOINT_HEALTH_NAME) };
#undef ENDPOINT_HEALTH_NAME

/* The numbers of an endpoint: field, type for Prometheus, name there, help. Stats, clusters and the
 * dashboard print them from this list. */
#define ENDPOINT_NUMBERS(X)                                                                        \
    X(cx_active, GAUGE, "connections_active", "Open connections to the endpoint")                  \
    X(cx_total, COUNTER, "connections_total", "Connections made to the endpoint")                  \
    X(cx_connect_fail, COUNTER, "connect_failures_total",                                          \
      "Connections to the endpoint that could not be made")                                        \
    X(rq_active, GAUGE, "streams_active", "Live streams on the endpoint")                          \
    X(rq_total, COUNTER, "streams_total", "Streams sent to the endpoint")                          \
    X(rq_error, COUNTER, "errors_total", "Streams that the endpoint reset or lost")                \
    X(faults, COUNTER, "faults_total",                                                             \
      "Answers of the endpoint that break HTTP/2 or a limit, and GOAWAYs with an error")           \
    X(check_failures, GAUGE, "check_failures", "Health checks of the endpoint that failed in a row")

/* What passed between an endpoint and the clients of one worker, as it passes: the same columns.
 * A message begins to count with its first five bytes. What was sent to an endpoint that did not
 * take the stream, and again to another, counts for both. */
#define ENDPOINT_LOADS(X)                                                                          \
    X(messages_up, COUNTER, "messages_up_total", "gRPC messages sent to the endpoint")             \
    X(messages_down, COUNTER, "messages_down_total", "gRPC messages from the endpoint")            \
    X(bytes_up, COUNTER, "bytes_up_total", "Bytes of gRPC messages sent to the endpoint")          \
    X(bytes_down, COUNTER, "bytes_down_total", "Bytes of gRPC messages from the endpoint")

struct endpoint_load {
#define ENDPOINT_LOAD(name, type, metric, help) atomic_uint_fast64_t name;
    ENDPOINT_LOADS(ENDPOINT_LOAD)
#undef ENDPOINT_LOAD
};

/* The numbers of an endpoint and those of its loads. */
#define CLUSTER_COUNT(...) +1
#define CLUSTER_COUNTS     (0 ENDPOINT_NUMBERS(CLUSTER_COUNT) ENDPOINT_LOADS(CLUSTER_COUNT))

struct cluster;

struct endpoint {
    struct cluster *cluster; /* owned reference */
    struct list node;        /* cluster->counted; under its mutex */
    struct sockaddr_storage address;
    char name[NET_ADDRESS_TEXT_BYTES];
    /* Under the cluster's mutex: */
    char pod[CLUSTER_POD_BYTES];        /* the id its server gave last; empty: not known */
    char cause[CLUSTER_CAUSE_BYTES];    /* why it is unhealthy, or may soon be; empty: nothing is */
    char fault[CLUSTER_CAUSE_BYTES];    /* what it did wrong last; empty: nothing */
    atomic_uint_fast64_t fault_told_ms; /* when a fault of it was last logged; 0: never */
    atomic_int references;
    atomic_int health;             /* enum endpoint_health */
    atomic_bool removed;           /* no longer an address of its name */
    atomic_bool no_health_service; /* its answer to the last check */
    atomic_bool recheck;           /* something happened: check its health now */
#define ENDPOINT_NUMBER(name, type, metric, help) atomic_uint_fast64_t name;
    ENDPOINT_NUMBERS(ENDPOINT_NUMBER)
#undef ENDPOINT_NUMBER
    /* Of worker 0 alone: who keeps something for each endpoint has seen this one. */
    bool probed;                    /* proxy/health */
    bool seated;                    /* proxy/moves */
    struct per_worker loads;        /* struct endpoint_load */
    atomic_int leave_asked;         /* so many of its streams are to end on purpose */
    atomic_int leave_reason;        /* enum leave_reason: why */
    atomic_uint_fast64_t misrouted; /* live streams whose server is none that the rule names */
};

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

/* Sets the health; `cause` is kept for people. Returns true when it changed. */
bool endpoint_set_health(struct endpoint *endpoint, enum endpoint_health health, const char *cause);

/* What speaks against an endpoint whose health does not change. */
void endpoint_set_cause(struct endpoint *endpoint, const char *cause);

/* Notes what the endpoint did wrong. Returns true when it is time to log such a thing again (once a
 * second for each endpoint); `now_ms` of any one monotonic clock. */
bool endpoint_note_fault(struct endpoint *endpoint, const char *fault, uint64_t now_ms);

/* What the endpoint's server calls itself. */
void endpoint_set_pod(struct endpoint *endpoint, const char *pod);
const char *endpoint_health_name(enum endpoint_health health);

/* Where `worker` counts what passes; on its thread. */
struct endpoint_load *endpoint_load(struct endpoint *endpoint, unsigned worker);

struct endpoint *endpoint_ref(struct endpoint *endpoint);
/* Accepts NULL. */
void endpoint_unref(struct endpoint *endpoint);

#endif

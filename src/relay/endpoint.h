/* An endpoint of a cluster: its health, what is known of it, and what it counts.
 *
 * Under its cluster's mutex: the cause texts. Atomic: health, removal and counters, so that they
 * can be read and written from any worker. Messages and bytes are counted by each worker for
 * itself. An endpoint lives as long as someone holds a reference, and its cluster with it. */
#ifndef GRPCROUTE_RELAY_ENDPOINT_H
#define GRPCROUTE_RELAY_ENDPOINT_H

#include "base/list.h"
#include "net/resolve.h"
#include "relay/per_worker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_CAUSE_BYTES 200
#define ENDPOINT_POD_BYTES   96

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

struct cluster;

struct endpoint {
    struct cluster *cluster; /* owned reference */
    struct list node;        /* cluster->counted; under its mutex */
    struct sockaddr_storage address;
    char name[NET_ADDRESS_TEXT_BYTES];
    /* Under the cluster's mutex: */
    char pod[ENDPOINT_POD_BYTES];       /* the id its server gave last; empty: not known */
    char cause[ENDPOINT_CAUSE_BYTES];   /* why it is unhealthy, or may soon be; empty: nothing is */
    char fault[ENDPOINT_CAUSE_BYTES];   /* what it did wrong last; empty: nothing */
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

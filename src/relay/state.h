/* All state of a relay: what its workers share, and what each of them has of its own.
 *
 * Worker 0 runs on the main thread, which also resolves names and checks health; the admin port has
 * a thread of its own. What threads share: the configuration (constant); what
 * is in force (struct relay_force, under its mutex, which is taken once per stream); clusters
 * (relay/cluster.h); counters and answer times; the atomics of struct relay; each worker's list of
 * live streams with what was observed of them (relay/streams.h); its number of connections; and its
 * inbox, through which worker 0 gives it connections and asks for a drain. Everything else of a
 * worker is its own thread's. */
#ifndef GRPCROUTE_RELAY_STATE_H
#define GRPCROUTE_RELAY_STATE_H

#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "relay/answer_time.h"
#include "relay/config.h"
#include "relay/events.h"
#include "relay/flow.h"
#include "relay/inbox.h"
#include "relay/per_worker.h"
#include "relay/routing.h"
#include "relay/streams.h"
#include "relay/tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RELAY_FAILURE_BYTES  512
#define RELAY_ANSWERS_WANTED 16
/* Upstream connections are shared within a lane: lane 0 is for everybody, the others for clients
 * that were moved apart. */
#define RELAY_LANES 9

struct account;
struct endpoint;
struct net_listener;
struct net_tls;
struct relay;

/* The numbers of a worker: field, Envoy's name, type and name for Prometheus, help. Written by the
 * worker alone. */
#define WORKER_NUMBERS(X)                                                                          \
    X(downstream_cx_active, "downstream_cx_active", GAUGE, "downstream_connections_active",        \
      "Open client connections")                                                                   \
    X(downstream_cx_total, "downstream_cx_total", COUNTER, "downstream_connections_total",         \
      "Client connections accepted")                                                               \
    X(downstream_cx_refused, "downstream_cx_refused", COUNTER,                                     \
      "downstream_connections_refused_total",                                                      \
      "Client connections lost before HTTP/2: failed handshakes, descriptor limit")                \
    X(downstream_cx_ended, "downstream_cx_ended", COUNTER, "downstream_connections_ended_total",   \
      "Client connections ended because of what the client did")                                   \
    X(downstream_cx_timed_out, "downstream_cx_timed_out", COUNTER,                                 \
      "downstream_connections_timed_out_total",                                                    \
      "Client connections ended because the client answered nothing or took no bytes in time")     \
    X(clients_apart, "clients_apart", COUNTER, "clients_apart_total",                              \
      "Clients given upstream connections of their own because of what they did")                  \
    X(downstream_rq_active, "downstream_rq_active", GAUGE, "streams_active", "Live streams")       \
    X(downstream_rq_total, "downstream_rq_total", COUNTER, "streams_total",                        \
      "Streams opened by clients")                                                                 \
    X(rq_no_route, "no_route", COUNTER, "no_route_total", "Streams that no rule matched")          \
    X(rq_rejected, "rq_rejected", COUNTER, "rejected_total",                                       \
      "Streams with malformed, oversized or repeated headers")                                     \
    X(rq_unavailable, "rq_unavailable", COUNTER, "unavailable_total",                              \
      "Streams for which no endpoint could be reached")                                            \
    X(rq_reset, "rq_reset", COUNTER, "upstream_resets_total",                                      \
      "Streams whose endpoint ended them without a status")                                        \
    X(rq_shed, "rq_shed", COUNTER, "shed_total",                                                   \
      "Streams ended because their client held too much of what all share")                        \
    X(ended_old, "rq_ended_age", COUNTER, "ended_age_total",                                       \
      "Streams ended because of --max-stream-age")                                                 \
    X(ended_moved, "rq_ended_rebalance", COUNTER, "ended_rebalance_total",                         \
      "Streams ended to spread them over endpoints that came (--rebalance)")                       \
    X(ended_removed, "rq_ended_removed", COUNTER, "ended_removed_total",                           \
      "Streams ended because their endpoint was removed (--on-removed end)")                       \
    X(ended_unhealthy, "rq_ended_unhealthy", COUNTER, "ended_unhealthy_total",                     \
      "Streams ended because their endpoint was unhealthy (--on-unhealthy end)")                   \
    X(messages_cut, "messages_cut", COUNTER, "messages_cut_total",                                 \
      "Streams that were ended on purpose within a message that was still half sent after 30 s")   \
    X(retries, "rq_retry", COUNTER, "retries_total",                                               \
      "Unprocessed streams sent to another endpoint")                                              \
    X(trailers_dropped, "rq_trailers_dropped", COUNTER, "request_trailers_dropped_total",          \
      "Requests whose trailers were not passed on: gRPC defines none")                             \
    X(messages_up, "messages_up", COUNTER, "messages_up_total", "gRPC messages sent to endpoints") \
    X(messages_down, "messages_down", COUNTER, "messages_down_total",                              \
      "gRPC messages from endpoints")                                                              \
    X(messages_resent, "messages_resent", COUNTER, "messages_resent_total",                        \
      "Those of messages_up that went to an endpoint before, which did not take their stream")     \
    X(answers_checked, "answers_checked", COUNTER, "answers_checked_total",                        \
      "Ping streams whose first answer told its server's version, and whose rule names versions")  \
    X(misrouted, "misrouted", COUNTER, "misrouted_total",                                          \
      "Ping streams answered by a server version that the matching rule does not name")            \
    X(buffered_bytes, "buffered_bytes", GAUGE, "buffered_bytes", "Bytes that wait in the proxy")

struct worker_stats {
#define WORKER_NUMBER(name, envoy, type, metric, help) atomic_uint_fast64_t name;
    WORKER_NUMBERS(WORKER_NUMBER)
#undef WORKER_NUMBER
};

/* One thread: a loop, downstream connections, upstream pools. */
struct worker {
    struct relay *relay; /* borrowed */
    unsigned index;
    struct net_loop loop;
    pthread_t thread;
    struct inbox inbox;      /* connections for it; a word that a drain or a reload is asked for */
    atomic_uint connections; /* given to it and not gone; counted where there are several workers */
    struct net_tick tick;
    uv_timer_t leave;                /* runs while streams are ended on purpose */
    struct list answered;            /* of those, the ones that were answered in this turn */
    struct net_flush answered_flush; /* looks at them */
    struct net_listener *listener;   /* worker 0's has the socket */
    struct net_tls *tls;             /* owned reference, of the listener; NULL: plaintext */
    struct list downstreams;
    struct list upstreams;
    struct streams streams; /* the live ones */
    size_t queued_bytes;    /* in all HTTP/2 sessions of the worker, and kept for retries */
    size_t queued_limit;
    size_t queued_peak;                 /* since memory was last noted as freed */
    struct net_flush relief;            /* asked for when that is too much */
    unsigned lane_clients[RELAY_LANES]; /* clients in each lane but the shared one */
    uint64_t told_ms; /* begin of the second in which `told` lines about clients were written */
    unsigned told;
    size_t leaving;  /* streams that are to end, for another reason than age */
    unsigned untold; /* left out since then */
    bool draining;
    bool ended; /* everything is closed; the loop runs out */
    uint64_t drain_deadline_ms;
    struct worker_stats stats;
    struct flows flows;
    struct answer_time answer_time;
    /* So many answers more are timed. Who samples sets it to RELAY_ANSWERS_WANTED a few times a
     * second, and the worker counts down: a busy message path pays for few of its messages. */
    atomic_uint answers_wanted;
    struct tally lifetimes; /* of streams that ended, in the scale of tally_ages */
};

/* What a reload replaces. */
struct relay_force {
    pthread_mutex_t mutex;
    struct routing *routing; /* owned reference: where new streams go */
    struct routing *coming;  /* owned reference, or NULL: the next one, whose clusters are made
                                ready first */
    struct net_tls *tls;     /* owned reference, for new connections; NULL: plaintext */
    struct cluster **left;   /* owned references: no longer led to, with streams yet */
    size_t left_count;
    uint64_t since_ns; /* of the wall clock */
    /* Reloads, also those that changed nothing: */
    uint64_t reloads;
    uint64_t failed_reloads;
    uint64_t last_reload_ns;           /* of the wall clock; 0: none */
    char failure[RELAY_FAILURE_BYTES]; /* why the last one failed; empty: it did not */
};

struct relay {
    struct relay_config config;
    struct relay_force force;
    struct log_source source;
    struct events events; /* what happened, for the dashboard */
    struct worker workers[RELAY_WORKERS_MAX];
    unsigned worker_count;
    char listen_name[NET_ADDRESS_TEXT_BYTES];
    uint64_t started_ms;
    unsigned next_worker;              /* whose turn it is among equals; worker 0's thread */
    atomic_uint others;                /* workers that run, beside worker 0 */
    void (*on_main_ended)(void *user); /* all workers have closed everything; worker 0's thread */
    void *user;
    atomic_uint_fast64_t stream_number;
    atomic_bool discovery_asked;
    atomic_bool moving;        /* streams are asked to leave endpoints: see relay/leave.h */
    atomic_int drain_requests; /* 0: serving, 1: draining, 2: now */
    atomic_bool ready;         /* names resolved, first health checks made */
    atomic_bool trailers_told; /* that request trailers are not passed on was said once */
};

/* ---- the relay, from any thread ---- */

bool relay_is_draining(const struct relay *relay);
bool relay_drain_is_forced(const struct relay *relay);
uint64_t relay_uptime_s(const struct relay *relay);
/* The sum over the workers of the number at `offset` in struct worker_stats. */
uint64_t relay_sum(const struct relay *relay, size_t offset);
/* The routing in force, with a reference for the caller. */
struct routing *relay_routing(struct relay *relay);
/* Calls `visit` for what is counted of each rule in force. */
void relay_each_account(struct relay *relay,
                        void (*visit)(void *ctx, const struct account *account), void *ctx);
/* Calls `visit` for each cluster in force, and for those that are coming. */
void relay_each_cluster(struct relay *relay, void (*visit)(void *ctx, struct cluster *cluster),
                        void *ctx);
/* The same for clusters that are no longer led to, while streams live on them. */
void relay_each_left_cluster(struct relay *relay, void (*visit)(void *ctx, struct cluster *cluster),
                             void *ctx);
/* Lets go of removed endpoints, and of such clusters, whose streams have ended; to be called now
 * and then. */
void relay_forget_left(struct relay *relay);
/* Counts a reload; `failure` is why it failed, NULL: it did not. */
void relay_note_reload(struct relay *relay, const char *failure);
/* The certificate for new connections, with a reference for the caller; NULL: plaintext. */
struct net_tls *relay_tls(struct relay *relay);
/* A number for a new stream, unique in the process. */
uint64_t relay_next_stream_number(struct relay *relay);
/* Logs what happened, and keeps it for the dashboard: there, what happened to an endpoint that
 * `pairs` name is one with what happens to it again. */
void relay_tell(struct relay *relay, enum log_level level, const char *event,
                const struct log_pair *pairs, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Names should be resolved again soon. */
void relay_ask_discovery(struct relay *relay);
/* Worker 0, whose loop carries what there is once: signals, discovery, health checks. */
struct worker *relay_main_worker(struct relay *relay);

/* ---- a worker, on its thread ---- */

static inline const struct relay_config *worker_config(const struct worker *worker)
{
    return &worker->relay->config;
}

static inline uint64_t worker_now_ms(const struct worker *worker)
{
    return uv_now(&worker->loop.uv);
}

/* A connection that was given to the worker has ended. */
static inline void worker_connection_gone(struct worker *worker)
{
    if (worker->relay->config.workers > 1) {
        atomic_fetch_sub(&worker->connections, 1);
    }
}

/* An endpoint cannot be reached or dropped a connection: no new streams until a health check
 * succeeds. */
void worker_endpoint_failed(struct worker *worker, struct endpoint *endpoint, const char *cause);

/* The endpoint broke HTTP/2 or a limit: said in its views, and in the log once a second. */
void worker_endpoint_fault(struct worker *worker, struct endpoint *endpoint, const char *fault);

/* Says once in the life of the process that request trailers are not passed on. */
void worker_tell_trailers(struct worker *worker);

/* A line about a client, at most ten a second of each worker; what was left out is counted in the
 * next one. */
void worker_tell_client(struct worker *worker, const char *event, const char *peer,
                        const char *text);

#endif

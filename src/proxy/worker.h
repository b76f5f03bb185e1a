/* One thread of the proxy: a loop, a listener, downstream connections, upstream pools.
 *
 * Worker 0 runs on the main thread and also resolves names and checks health; the admin port has a
 * thread of its own. What threads share: the configuration (constant); clusters (proxy/cluster.h);
 * the counters and the answer times below, and the atomics of struct proxy; each worker's list of
 * exchanges, with what was observed of them, and its flows, under its mutex, which is held when a
 * stream begins, is first answered or ends, and for a few rows by /streams and the dashboard; and
 * the async handles that ask for a drain. */
#ifndef GRPCROUTE_PROXY_WORKER_H
#define GRPCROUTE_PROXY_WORKER_H

#include "base/list.h"
#include "net/loop.h"
#include "proxy/answer_time.h"
#include "proxy/config.h"
#include "proxy/observe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cluster;
struct endpoint;
struct net_error;
struct net_listener;
struct proxy;

/* Counters of a worker; written by it alone, read by the admin port. */
struct worker_stats {
    atomic_uint_fast64_t downstream_cx_active;
    atomic_uint_fast64_t downstream_cx_total;
    atomic_uint_fast64_t downstream_cx_refused; /* handshake failures and descriptor limit */
    atomic_uint_fast64_t downstream_rq_active;
    atomic_uint_fast64_t downstream_rq_total;
    atomic_uint_fast64_t rq_no_route;
    atomic_uint_fast64_t rq_rejected;  /* malformed or repeated header */
    atomic_uint_fast64_t rq_unavailable;
    atomic_uint_fast64_t rq_reset; /* ended by a reset of the endpoint's side */
    atomic_uint_fast64_t retries;
    atomic_uint_fast64_t messages_up;
    atomic_uint_fast64_t messages_down;
    atomic_uint_fast64_t answers_checked; /* streams whose first answer told its server's version */
    atomic_uint_fast64_t misrouted;       /* ... and that was not the agent's */
};

struct worker {
    struct proxy *proxy; /* borrowed */
    unsigned index;
    struct net_loop loop;
    pthread_t thread;
    uv_async_t wake;     /* asks to look at proxy->draining */
    struct net_tick tick;
    struct net_listener *listener;
    struct list downstreams;
    struct list upstreams;
    pthread_mutex_t exchanges_mutex;
    struct list exchanges;
    struct list *walk; /* where a reader goes on, or NULL; moves on when that exchange ends */
    size_t exchange_count;
    bool draining;
    bool ended; /* everything is closed; the loop runs out */
    uint64_t drain_deadline_ms;
    struct worker_stats stats;
    struct observe_flows flows;
    struct answer_time answer_time;
};

/* Prepares the loop and listens; nothing runs yet. Returns 0 or -1 with `ret_error`. */
int worker_init(struct worker *worker, struct proxy *proxy, unsigned index,
                struct net_error *ret_error);
/* Runs the loop on the calling thread until the drain is over. */
void worker_run(struct worker *worker);
void worker_deinit(struct worker *worker);

/* From any thread: look at the proxy's drain state. */
void worker_wake(struct worker *worker);

/* An endpoint cannot be reached or dropped a connection: no new streams until a health check succeeds. */
void worker_endpoint_failed(struct worker *worker, struct endpoint *endpoint, const char *cause);

/* Takes an exchange's node out of the list; a reader that would go on there goes on behind it. Under the mutex. */
void worker_unlist(struct worker *worker, struct list *node);

const struct proxy_config *worker_config(const struct worker *worker);

/* Names should be resolved again soon. */
void worker_ask_discovery(struct worker *worker);

#endif

/* One thread of the proxy.
 *
 * Happy path: worker_init() listens, or waits for what worker 0 accepts for it -> worker_run()
 * relays until a drain is asked -> GOAWAY on every connection, each exchange ends at its own moment
 * of the window -> all connections closed -> the loop has nothing left and returns.
 * Failure modes: accept errors are counted and logged once per pause; a second request to drain
 * ends everything now. */
#include "relay/worker.h"

#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/listener.h"
#include "net/tls.h"
#include "relay/balance.h"
#include "relay/downstream.h"
#include "relay/exchange.h"
#include "relay/leave.h"
#include "relay/relief.h"
#include "relay/state.h"
#include "relay/upstream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* After the drain window, how long connections may take to say goodbye. */
#define GOODBYE_MS 1000
/* Less is not worth giving back. */
#define FREED_BYTES ((size_t)1024 * 1024)

/* ---- drain ----------------------------------------------------------------------------------- */

/* Each exchange ends at a random moment of the window, so that a fleet does not reconnect all at
 * once. */
static void begin_drain(struct worker *worker)
{
    uint64_t now = worker_now_ms(worker);
    uint64_t window = worker_config(worker)->drain_ms;
    worker->draining = true;
    worker->drain_deadline_ms = now + window + GOODBYE_MS;
    net_listener_close(worker->listener);
    worker->listener = NULL;
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->streams.records)
    {
        struct exchange *exchange = exchange_at(node);
        exchange->drain_ms = now + 1 + random_below(window + 1);
    }
    downstream_drain_all(worker);
}

static void end_due_exchanges(struct worker *worker, uint64_t now, bool all)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->streams.records)
    {
        struct exchange *exchange = exchange_at(node);
        if (all || exchange->drain_ms <= now) {
            exchange_shut_down(exchange);
        }
    }
}

/* Closes what no connection needs any more, so that the loop runs out. Worker 0, which hears the
 * signals, is the last one. */
static void end_worker(struct worker *worker)
{
    bool last = worker->index != 0 || atomic_load(&worker->relay->others) == 0;
    if (!worker->ended && last) {
        worker->ended = true;
        net_loop_tick_stop(&worker->tick);
        leave_close(worker);
        inbox_close(&worker->inbox);
        if (worker->index != 0) {
            atomic_fetch_sub(&worker->relay->others, 1);
            worker_wake(&worker->relay->workers[0]);
        } else if (worker->relay->on_main_ended != NULL) {
            worker->relay->on_main_ended(worker->relay->user);
        }
    }
}

static void advance_drain(struct worker *worker, uint64_t now)
{
    bool late = now >= worker->drain_deadline_ms || relay_drain_is_forced(worker->relay);
    end_due_exchanges(worker, now, late);
    if (late) {
        downstream_close_all(worker);
    }
    if (list_empty(&worker->downstreams)) {
        upstream_close_all(worker);
        if (list_empty(&worker->upstreams)) {
            end_worker(worker);
        }
    }
}

/* Connections that come from now on are shown the certificate in force. */
static void update_tls(struct worker *worker)
{
    struct net_tls *old = worker->tls;
    worker->tls = relay_tls(worker->relay);
    net_listener_set_tls(worker->listener, worker->tls);
    net_tls_free(old);
}

static void take_connections(struct worker *worker)
{
    int *fds;
    size_t count = inbox_take(&worker->inbox, &fds);
    for (size_t i = 0; i < count; i++) {
        if (worker->listener != NULL) {
            net_listener_take(worker->listener, fds[i]);
        } else { /* draining */
            close(fds[i]);
            worker_connection_gone(worker);
        }
    }
    free(fds);
}

static void on_wake(uv_async_t *handle)
{
    struct worker *worker = handle->data;
    if (worker->listener != NULL) {
        update_tls(worker);
    }
    take_connections(worker);
    leave_on_tick(worker);
    if (relay_is_draining(worker->relay) && !worker->draining) {
        begin_drain(worker);
    }
    if (worker->draining) {
        advance_drain(worker, worker_now_ms(worker));
    }
}

/* What slow readers held goes back to the system when they have left. */
static void note_freed(struct worker *worker)
{
    if (worker->queued_bytes > worker->queued_peak) {
        worker->queued_peak = worker->queued_bytes;
    } else if (worker->queued_peak - worker->queued_bytes >= FREED_BYTES) {
        net_loop_freed(&worker->loop, worker->queued_peak - worker->queued_bytes);
        worker->queued_peak = worker->queued_bytes;
    }
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct worker *worker = container_of(item, struct worker, tick);
    upstream_tick_all(worker);
    note_freed(worker);
    leave_on_tick(worker);
    atomic_store_explicit(&worker->stats.buffered_bytes, worker->queued_bytes,
                          memory_order_relaxed);
    if (worker->draining) {
        advance_drain(worker, now);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_stream(void *user, struct net_stream *stream)
{
    downstream_new(user, stream);
}

static void on_refused(void *user, const struct net_error *why)
{
    struct worker *worker = user;
    bool serious = why->kind == NET_FD_LIMIT; /* of which there is no connection */
    if (!serious) {
        worker_connection_gone(worker);
    }
    counter_add(&worker->stats.downstream_cx_refused, 1); /* last: who sees it finds room */
    log_event(serious ? LOG_ERROR : LOG_DEBUG, &worker->relay->source, "connection_refused",
              LOG_PAIRS({"cause", net_error_label(why->kind)}), "Connection refused: %s",
              why->text);
}

static void on_accepted(void *user, int fd)
{
    struct worker *worker = user;
    balance_connection(worker->relay, fd);
}

static const struct net_listener_events listener_events = {
    .on_stream = on_stream,
    .on_refused = on_refused,
};

/* Of the one that accepts for several. */
static const struct net_listener_events balancing_events = {
    .on_stream = on_stream,
    .on_refused = on_refused,
    .on_accepted = on_accepted,
};

/* ---- life ------------------------------------------------------------------------------------ */

static void init_state(struct worker *worker, struct relay *relay, unsigned index)
{
    memset(worker, 0, sizeof(*worker));
    worker->relay = relay;
    worker->index = index;
    worker->queued_limit = relay->config.max_buffered_bytes / relay->config.workers;
    list_init(&worker->downstreams);
    list_init(&worker->upstreams);
    streams_init(&worker->streams);
    net_flush_init(&worker->relief, relief_on_flush);
}

static struct net_listener *open_listener(struct worker *worker, struct net_error *ret_error)
{
    const struct relay_config *config = worker_config(worker);
    const struct net_listener_config listener = {.address = config->listen, .tls = worker->tls};
    if (worker->index > 0) {
        return net_listener_open_fed(&worker->loop, worker->tls, &listener_events, worker);
    }
    return net_listener_open(&worker->loop, &listener,
                             config->workers > 1 ? &balancing_events : &listener_events, worker,
                             ret_error);
}

int worker_init(struct worker *worker, struct relay *relay, unsigned index,
                struct net_error *ret_error)
{
    init_state(worker, relay, index);
    int rv = net_loop_init(&worker->loop);
    if (rv != 0) {
        net_error_from_uv(ret_error, rv, "start an event loop");
        return -1;
    }
    net_loop_space_polls(&worker->loop, relay->config.coalesce_ns);
    inbox_init(&worker->inbox, &worker->loop.uv, on_wake, worker);
    leave_open(worker);
    net_tick_init(&worker->tick, on_tick);
    net_loop_tick_start(&worker->loop, &worker->tick);
    worker->tls = relay_tls(relay);
    worker->listener = open_listener(worker, ret_error);
    return worker->listener != NULL ? 0 : -1;
}

void worker_run(struct worker *worker)
{
    net_loop_run(&worker->loop);
}

/* Nothing is left of anybody. */
static void assert_idle(const struct worker *worker)
{
    assert(list_empty(&worker->downstreams) && list_empty(&worker->upstreams));
    assert(worker->queued_bytes == 0);
    assert(atomic_load(&worker->stats.downstream_cx_active) == 0);
    assert(atomic_load(&worker->stats.downstream_rq_active) == 0);
    for (unsigned lane = 0; lane < RELAY_LANES; lane++) {
        assert(worker->lane_clients[lane] == 0);
    }
    for (size_t i = 0; i <= FLOWS_MAX; i++) {
        assert(atomic_load(&worker->flows.flows[i].streams) == 0);
        assert(atomic_load(&worker->flows.flows[i].misrouted) == 0);
    }
    (void)worker; /* with NDEBUG */
}

void worker_deinit(struct worker *worker)
{
    if (!worker->ended) { /* never ran */
        worker->ended = true;
        net_listener_close(worker->listener);
        net_loop_tick_stop(&worker->tick);
        leave_close(worker);
        inbox_close(&worker->inbox);
        net_loop_run(&worker->loop);
    }
    net_loop_flush_cancel(&worker->relief);
    net_loop_deinit(&worker->loop);
    inbox_deinit(&worker->inbox);
    net_tls_free(worker->tls);
    assert_idle(worker);
    streams_deinit(&worker->streams);
}

void worker_wake(struct worker *worker)
{
    inbox_wake(&worker->inbox);
}

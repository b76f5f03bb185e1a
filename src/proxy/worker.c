/* One thread of the proxy.
 *
 * Happy path: worker_init() listens -> worker_run() relays until a drain is asked -> GOAWAY on every connection, each exchange ends at its
 * own moment of the window -> all connections closed -> the loop has nothing left and returns.
 * Failure modes: accept errors are counted and logged once per pause; a second request to drain ends everything now. */
#include "proxy/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/listener.h"
#include "proxy/cluster.h"
#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"
#include "proxy/upstream.h"

#include <string.h>

/* After the drain window, how long connections may take to say goodbye. */
#define GOODBYE_MS 1000

const struct proxy_config *worker_config(const struct worker *worker)
{
    return &worker->proxy->config;
}

/* ---- drain ----------------------------------------------------------------------------------- */

/* Each exchange ends at a random moment of the window, so that a fleet does not reconnect all at once. */
static void begin_drain(struct worker *worker)
{
    uint64_t now = uv_now(&worker->loop.uv);
    uint64_t window = worker->proxy->config.drain_ms;
    worker->draining = true;
    worker->drain_deadline_ms = now + window + GOODBYE_MS;
    net_listener_close(worker->listener);
    worker->listener = NULL;
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->exchanges)
    {
        struct exchange *exchange = container_of(node, struct exchange, node);
        exchange->drain_ms = now + 1 + random_below(window + 1);
    }
    downstream_drain_all(worker);
}

static void end_due_exchanges(struct worker *worker, uint64_t now, bool all)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->exchanges)
    {
        struct exchange *exchange = container_of(node, struct exchange, node);
        if (all || exchange->drain_ms <= now) {
            exchange_shut_down(exchange);
        }
    }
}

/* Closes what no connection needs any more, so that the loop runs out. */
static void end_worker(struct worker *worker)
{
    if (!worker->ended) {
        worker->ended = true;
        net_loop_tick_stop(&worker->tick);
        uv_close((uv_handle_t *)&worker->wake, NULL);
        proxy_worker_ended(worker->proxy, worker);
    }
}

static void advance_drain(struct worker *worker, uint64_t now)
{
    bool late = now >= worker->drain_deadline_ms || proxy_drain_is_forced(worker->proxy);
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

static void on_wake(uv_async_t *handle)
{
    struct worker *worker = handle->data;
    if (proxy_is_draining(worker->proxy) && !worker->draining) {
        begin_drain(worker);
    }
    if (worker->draining) {
        advance_drain(worker, uv_now(&worker->loop.uv));
    }
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct worker *worker = container_of(item, struct worker, tick);
    upstream_tick_all(worker);
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
    atomic_fetch_add(&worker->stats.downstream_cx_refused, 1);
    bool serious = why->kind == NET_FD_LIMIT;
    log_event(serious ? LOG_ERROR : LOG_DEBUG, &worker->proxy->source, "connection_refused",
              LOG_PAIRS({"cause", net_error_label(why->kind)}), "Connection refused: %s", why->text);
}

static const struct net_listener_events listener_events = {
    .on_stream = on_stream,
    .on_refused = on_refused,
};

void worker_endpoint_failed(struct worker *worker, struct endpoint *endpoint, const char *cause)
{
    if (endpoint_set_health(endpoint, ENDPOINT_UNHEALTHY, cause)) {
        log_event(LOG_WARN, &worker->proxy->source, "endpoint_unhealthy",
                  LOG_PAIRS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name},
                            {"cause", cause}),
                  "Endpoint %s of cluster %s is unhealthy: %s", endpoint->name,
                  endpoint->cluster->name, cause);
    }
}

void worker_ask_discovery(struct worker *worker)
{
    atomic_store(&worker->proxy->discovery_asked, true);
}

void worker_unlist(struct worker *worker, struct list *node)
{
    if (worker->walk == node) {
        worker->walk = node->next;
    }
    list_remove(node);
    worker->exchange_count--;
}

/* ---- life ------------------------------------------------------------------------------------ */

int worker_init(struct worker *worker, struct proxy *proxy, unsigned index,
                struct net_error *ret_error)
{
    memset(worker, 0, sizeof(*worker));
    worker->proxy = proxy;
    worker->index = index;
    list_init(&worker->downstreams);
    list_init(&worker->upstreams);
    list_init(&worker->exchanges);
    pthread_mutex_init(&worker->exchanges_mutex, NULL);
    int rv = net_loop_init(&worker->loop);
    if (rv != 0) {
        net_error_from_uv(ret_error, rv, "start an event loop");
        return -1;
    }
    uv_async_init(&worker->loop.uv, &worker->wake, on_wake);
    worker->wake.data = worker;
    net_tick_init(&worker->tick, on_tick);
    net_loop_tick_start(&worker->loop, &worker->tick);
    const struct net_listener_config config = {
        .address = proxy->config.listen,
        .tls = proxy->config.tls,
        .reuse_port = proxy->config.workers > 1,
    };
    worker->listener = net_listener_open(&worker->loop, &config, &listener_events, worker, ret_error);
    return worker->listener != NULL ? 0 : -1;
}

void worker_run(struct worker *worker)
{
    net_loop_run(&worker->loop);
}

void worker_deinit(struct worker *worker)
{
    if (!worker->ended) { /* never ran */
        worker->ended = true;
        net_listener_close(worker->listener);
        net_loop_tick_stop(&worker->tick);
        uv_close((uv_handle_t *)&worker->wake, NULL);
        net_loop_run(&worker->loop);
    }
    net_loop_deinit(&worker->loop);
    pthread_mutex_destroy(&worker->exchanges_mutex);
}

void worker_wake(struct worker *worker)
{
    uv_async_send(&worker->wake);
}

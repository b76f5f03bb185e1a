/* The whole proxy of a process.
 *
 * Happy path: workers listen -> names are resolved, endpoints checked -> ready -> SIGTERM or SIGINT -> every worker drains -> exit 0.
 * Failure modes: a worker or the admin port cannot listen: nothing is started, one line says why. A second signal ends now. */
#include "proxy/proxy.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "net/error.h"
#include "net/listener.h"
#include "proxy/admin.h"
#include "proxy/cluster.h"
#include "proxy/discovery.h"
#include "proxy/health.h"

#include <signal.h>
#include <string.h>

uint64_t proxy_next_stream_number(struct proxy *proxy)
{
    return atomic_fetch_add(&proxy->stream_number, 1) + 1;
}

uint64_t proxy_sum(const struct proxy *proxy, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        const char *stats = (const char *)&proxy->workers[i].stats;
        sum += atomic_load((const atomic_uint_fast64_t *)(const void *)(stats + offset));
    }
    return sum;
}

uint64_t proxy_uptime_s(const struct proxy *proxy)
{
    return (clock_now_ms() - proxy->started_ms) / 1000;
}

struct cluster *proxy_find_cluster(struct proxy *proxy, const char *name)
{
    for (size_t i = 0; i < proxy->config.cluster_count; i++) {
        if (strcmp(proxy->config.clusters[i].name, name) == 0) {
            return &proxy->config.clusters[i];
        }
    }
    return NULL;
}

/* ---- drain ----------------------------------------------------------------------------------- */

bool proxy_is_draining(const struct proxy *proxy)
{
    return atomic_load(&proxy->drain_requests) > 0;
}

bool proxy_drain_is_forced(const struct proxy *proxy)
{
    return atomic_load(&proxy->drain_requests) > 1;
}

void proxy_drain(struct proxy *proxy)
{
    int requests = atomic_fetch_add(&proxy->drain_requests, 1);
    if (requests == 0) {
        log_event(LOG_INFO, &proxy->source, "draining", NULL, "Draining: no new streams");
        proxy_discovery_stop(proxy->discovery);
        proxy->discovery = NULL;
        proxy_health_stop(proxy->health);
        proxy->health = NULL;
        proxy_admin_drain(proxy->admin);
    }
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        worker_wake(&proxy->workers[i]);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    proxy_drain(handle->data);
}

static void stop_signals(struct proxy *proxy)
{
    for (size_t i = 0; i < ARRAY_SIZE(proxy->signals); i++) {
        uv_close((uv_handle_t *)&proxy->signals[i], NULL);
    }
}

/* Worker 0 also carries the signals; they go with it. */
void proxy_worker_ended(struct proxy *proxy, struct worker *worker)
{
    if (worker->index == 0) {
        stop_signals(proxy);
    }
}

/* ---- start ----------------------------------------------------------------------------------- */

struct ready_watch {
    struct net_tick tick;
    struct proxy *proxy;
};

static void on_ready_tick(struct net_tick *item, uint64_t now)
{
    struct ready_watch *watch = container_of(item, struct ready_watch, tick);
    struct proxy *proxy = watch->proxy;
    (void)now;
    if (proxy_is_draining(proxy)) {
        net_loop_tick_stop(&watch->tick);
    } else if (proxy_discovery_done_once(proxy->discovery) && proxy_health_done_once(proxy->health)) {
        atomic_store(&proxy->ready, true);
        log_event(LOG_INFO, &proxy->source, "ready", NULL, "Ready");
        net_loop_tick_stop(&watch->tick);
    }
}

static int start_workers(struct proxy *proxy)
{
    for (unsigned i = 0; i < proxy->config.workers; i++) {
        struct net_error error;
        int rv = worker_init(&proxy->workers[i], proxy, i, &error);
        proxy->worker_count = i + 1;
        if (rv != 0) {
            cli_error("proxy", "%s", error.text);
            return EXIT_USAGE;
        }
        /* port 0: the others share the port the first was given */
        proxy->config.listen.port = net_listener_port(proxy->workers[i].listener);
    }
    return EXIT_GOOD;
}

static int start_services(struct proxy *proxy)
{
    struct net_loop *loop = &proxy->workers[0].loop;
    struct net_error error;
    snprintf(proxy->listen_name, sizeof(proxy->listen_name), "%s",
             net_listener_name(proxy->workers[0].listener));
    proxy->admin = proxy_admin_start(proxy, &error);
    if (proxy->admin == NULL) {
        cli_error("proxy", "admin: %s", error.text);
        return EXIT_USAGE;
    }
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uv_signal_init(&loop->uv, &proxy->signals[i]);
        proxy->signals[i].data = proxy;
        uv_signal_start(&proxy->signals[i], on_signal, numbers[i]);
    }
    proxy->discovery = proxy_discovery_start(proxy);
    proxy->health = proxy_health_start(proxy);
    return EXIT_GOOD;
}

static void announce(struct proxy *proxy)
{
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)proxy->config.listen.port);
    log_event(LOG_INFO, &proxy->source, "listening",
              LOG_PAIRS({"port", port}, {"admin", proxy_admin_name(proxy->admin)}),
              "Listening on %s, admin on %s", proxy->listen_name,
              proxy_admin_name(proxy->admin));
}

static void *run_thread(void *worker)
{
    worker_run(worker);
    return NULL;
}

static int run(struct proxy *proxy)
{
    struct ready_watch watch = {.proxy = proxy};
    net_tick_init(&watch.tick, on_ready_tick);
    net_loop_tick_start(&proxy->workers[0].loop, &watch.tick);
    unsigned running = 1;
    int error = 0;
    while (running < proxy->worker_count && error == 0) {
        struct worker *worker = &proxy->workers[running];
        error = pthread_create(&worker->thread, NULL, run_thread, worker);
        running += error == 0;
    }
    if (error == 0) {
        announce(proxy);
    } else {
        cli_error("proxy", "cannot start %u threads: %s; choose fewer --workers",
                  proxy->worker_count, strerror(error));
        proxy_drain(proxy);
        proxy_drain(proxy); /* twice: everything ends now */
    }
    worker_run(&proxy->workers[0]);
    net_loop_tick_stop(&watch.tick);
    for (unsigned i = 1; i < running; i++) {
        pthread_join(proxy->workers[i].thread, NULL);
    }
    return error == 0 ? EXIT_GOOD : EXIT_USAGE;
}

int proxy_run(struct proxy *proxy, const struct proxy_config *config)
{
    proxy->config = *config;
    proxy->source = (struct log_source){"proxy", NULL, config->id};
    proxy->started_ms = clock_now_ms();
    int rv = start_workers(proxy);
    if (rv == EXIT_GOOD) {
        rv = start_services(proxy);
    }
    if (rv == EXIT_GOOD) {
        rv = run(proxy);
    }
    proxy_admin_stop(proxy->admin);
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        worker_deinit(&proxy->workers[i]);
    }
    return rv;
}

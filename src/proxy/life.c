/* The life of a proxy.
 *
 * Happy path: workers listen -> names are resolved, endpoints checked -> ready -> SIGTERM or SIGINT
 * -> every worker drains -> exit 0.
 * Failure modes: a worker or the admin port cannot listen: nothing is started, one line says why. A
 * second signal ends now. */
#include "proxy/life.h"

#include "admin/admin.h"
#include "base/mem.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "net/error.h"
#include "proxy/discovery.h"
#include "proxy/health.h"
#include "relay/relay.h"
#include "role/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct proxy {
    struct relay relay;
    const struct proxy_config *config; /* borrowed */
    struct proxy_discovery *discovery; /* owned; worker 0's loop; NULL from the drain on */
    struct proxy_health *health;       /* likewise */
    struct admin *admin;               /* owned; a thread of its own */
    struct net_tick ready_tick;
    struct role_signals signals; /* on worker 0's loop */
};

/* ---- drain ----------------------------------------------------------------------------------- */

static void drain(struct proxy *proxy)
{
    if (relay_drain(&proxy->relay)) {
        log_event(LOG_INFO, &proxy->relay.source, "draining", NULL, "Draining: no new streams");
        proxy_discovery_stop(proxy->discovery);
        proxy->discovery = NULL;
        proxy_health_stop(proxy->health);
        proxy->health = NULL;
        admin_drain(proxy->admin);
    }
}

static void on_end_signal(void *user, int number, bool again)
{
    (void)number;
    (void)again; /* relay_drain() counts them, too */
    drain(user);
}

static void on_main_ended(void *user)
{
    struct proxy *proxy = user;
    role_signals_unref(&proxy->signals);
}

/* ---- start ----------------------------------------------------------------------------------- */

static void on_ready_tick(struct net_tick *item, uint64_t now)
{
    struct proxy *proxy = container_of(item, struct proxy, ready_tick);
    (void)now;
    if (relay_is_draining(&proxy->relay)) {
        net_loop_tick_stop(item);
    } else if (proxy_discovery_done_once(proxy->discovery) &&
               proxy_health_done_once(proxy->health)) {
        atomic_store(&proxy->relay.ready, true);
        log_event(LOG_INFO, &proxy->relay.source, "ready", NULL, "Ready");
        net_loop_tick_stop(item);
    }
}

static int start_services(struct proxy *proxy)
{
    struct net_loop *loop = &relay_main_worker(&proxy->relay)->loop;
    struct net_error error;
    proxy->admin = admin_start(&proxy->relay, &proxy->config->admin, &error);
    if (proxy->admin == NULL) {
        cli_error("proxy", "admin: %s", error.text);
        return EXIT_USAGE;
    }
    proxy->relay.on_main_ended = on_main_ended;
    proxy->relay.user = proxy;
    role_signals_start(&proxy->signals, loop, on_end_signal, NULL, proxy);
    proxy->discovery = proxy_discovery_start(&proxy->relay, proxy->config->dns_refresh_ms);
    proxy->health = proxy_health_start(&proxy->relay, proxy->config->health_interval_ms);
    net_tick_init(&proxy->ready_tick, on_ready_tick);
    net_loop_tick_start(loop, &proxy->ready_tick);
    return EXIT_GOOD;
}

/* A browser cannot go to "any address". */
static void announce_dashboard(const struct proxy *proxy, const char *admin)
{
    bool any = strncmp(admin, "0.0.0.0:", 8) == 0 || strncmp(admin, "[::]:", 5) == 0;
    char url[NET_ADDRESS_TEXT_BYTES + 32];
    snprintf(url, sizeof(url), "http://%s%s/dashboard", any ? "localhost" : "",
             any ? strrchr(admin, ':') : admin);
    log_event(LOG_INFO, &proxy->relay.source, "dashboard", LOG_PAIRS({"url", url}),
              "Dashboard: %s", url);
}

static void announce(void *user)
{
    struct proxy *proxy = user;
    char port[8];
    const char *admin = admin_name(proxy->admin);
    snprintf(port, sizeof(port), "%u", (unsigned)proxy->relay.config.listen.port);
    log_event(LOG_INFO, &proxy->relay.source, "listening",
              LOG_PAIRS({"port", port, true}, {"admin", admin}), "Listening on %s, admin on %s",
              proxy->relay.listen_name, admin);
    announce_dashboard(proxy, admin);
}

static int run(struct proxy *proxy)
{
    int error = relay_run(&proxy->relay, announce, proxy);
    net_loop_tick_stop(&proxy->ready_tick);
    if (error != 0) {
        cli_error("proxy", "cannot start %u threads: %s; choose fewer --workers",
                  proxy->relay.worker_count, strerror(error));
    }
    /* of a drain that no signal began */
    proxy_discovery_stop(proxy->discovery);
    proxy_health_stop(proxy->health);
    return error == 0 ? EXIT_GOOD : EXIT_USAGE;
}

int proxy_run(const struct proxy_config *config)
{
    struct proxy *proxy = mem_new(struct proxy);
    struct net_error error;
    proxy->config = config;
    int rv = EXIT_GOOD;
    if (relay_init(&proxy->relay, &config->relay, &error) != 0) {
        cli_error("proxy", "%s", error.text);
        rv = EXIT_USAGE;
    }
    if (rv == EXIT_GOOD) {
        rv = start_services(proxy);
    }
    if (rv == EXIT_GOOD) {
        rv = run(proxy);
    }
    admin_stop(proxy->admin);
    role_signals_end(&proxy->signals); /* no other thread is left */
    relay_deinit(&proxy->relay);
    free(proxy);
    return rv;
}

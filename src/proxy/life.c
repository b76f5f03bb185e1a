/* The life of a proxy.
 *
 * Happy path: workers listen -> names are resolved, endpoints checked -> ready -> SIGHUP, a file
 * that changes or POST /reload: reloaded -> SIGTERM, SIGINT or POST /drain -> every worker drains
 * -> exit 0. Failure modes: a worker or the admin port cannot listen: nothing is started, one line
 * says why. A second signal ends now. */
#include "proxy/life.h"

#include "admin/admin.h"
#include "base/line_file.h"
#include "base/mem.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "net/error.h"
#include "net/tls.h"
#include "proxy/discovery.h"
#include "proxy/health.h"
#include "proxy/mailbox.h"
#include "proxy/reload.h"
#include "relay/relay.h"
#include "relay/stream_line.h"
#include "role/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct proxy {
    struct relay relay;
    const struct proxy_config *config; /* borrowed */
    struct proxy_discovery *discovery; /* owned; worker 0's loop; NULL from the drain on */
    struct proxy_health *health;       /* likewise */
    struct proxy_reload *reload;       /* likewise */
    struct proxy_moves *moves;         /* likewise */
    struct proxy_mailbox mailbox;      /* of the admin port, read on worker 0's loop */
    struct admin *admin;               /* owned; a thread of its own */
    struct line_file *access_log;      /* owned; NULL: none */
    struct net_tick ready_tick;
    struct role_signals signals; /* on worker 0's loop */
    bool initialised;            /* the relay must be deinitialised */
};

/* ---- drain ----------------------------------------------------------------------------------- */

static void stop_services(struct proxy *proxy)
{
    proxy_mailbox_close(&proxy->mailbox);
    proxy_reload_stop(proxy->reload);
    proxy->reload = NULL;
    proxy_moves_stop(proxy->moves);
    proxy->moves = NULL;
    proxy_discovery_stop(proxy->discovery);
    proxy->discovery = NULL;
    proxy_health_stop(proxy->health);
    proxy->health = NULL;
}

static void drain(struct proxy *proxy)
{
    if (relay_drain(&proxy->relay)) {
        relay_tell(&proxy->relay, LOG_INFO, "draining", NULL, "Draining: no new streams");
        stop_services(proxy);
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

/* ---- reload ---------------------------------------------------------------------------------- */

static void reopen_access_log(struct proxy *proxy)
{
    if (proxy->access_log != NULL) {
        line_file_reopen(proxy->access_log);
    }
}

static void on_hangup(void *user)
{
    struct proxy *proxy = user;
    char line[ROUTE_ERROR_BYTES];
    reopen_access_log(proxy);
    if (proxy->reload != NULL) {
        proxy_reload_now(proxy->reload, "SIGHUP", line, sizeof(line));
    }
}

/* Asked by the admin port. Answered with a status of HTTP. */
static unsigned on_asked(void *user, int what, char *out, size_t out_bytes)
{
    struct proxy *proxy = user;
    if (what == ADMIN_RELOAD) {
        static const unsigned statuses[] = {
            [PROXY_RELOADED] = 200, [PROXY_RELOADING] = 202, [PROXY_NOT_RELOADED] = 400};
        reopen_access_log(proxy);
        return statuses[proxy_reload_now(proxy->reload, "POST /reload", out, out_bytes)];
    }
    snprintf(out, out_bytes, "draining");
    drain(proxy);
    return 200;
}

static unsigned ask(void *user, enum admin_act act, char *out, size_t out_bytes)
{
    return proxy_mailbox_ask(&((struct proxy *)user)->mailbox, (int)act, out, out_bytes);
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
        relay_tell(&proxy->relay, LOG_INFO, "ready", NULL, "Ready");
        net_loop_tick_stop(item);
    }
}

static int start_services(struct proxy *proxy)
{
    struct net_loop *loop = &relay_main_worker(&proxy->relay)->loop;
    struct net_error error;
    proxy_mailbox_open(&proxy->mailbox, loop, on_asked, proxy);
    proxy->admin =
        admin_start(&proxy->relay, &(struct admin_acts){ask, proxy}, &proxy->config->admin, &error);
    if (proxy->admin == NULL) {
        cli_error("proxy", "admin: %s", error.text);
        return EXIT_USAGE;
    }
    proxy->relay.on_main_ended = on_main_ended;
    proxy->relay.user = proxy;
    role_signals_start(&proxy->signals, loop, on_end_signal, on_hangup, proxy);
    proxy->discovery = proxy_discovery_start(&proxy->relay, proxy->config->dns_refresh_ms);
    proxy->health = proxy_health_start(&proxy->relay);
    proxy->moves = proxy_moves_start(&proxy->relay, &proxy->config->moves);
    proxy->reload = proxy_reload_start(&proxy->relay, &proxy->config->sources, proxy->discovery,
                                       proxy->health, proxy->config->watch);
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
    log_event(LOG_INFO, &proxy->relay.source, "dashboard", LOG_PAIRS({"url", url}), "Dashboard: %s",
              url);
}

static void announce(void *user)
{
    struct proxy *proxy = user;
    char port[8];
    const char *admin = admin_name(proxy->admin);
    snprintf(port, sizeof(port), "%u", (unsigned)proxy->relay.config.listen.port);
    relay_tell(&proxy->relay, LOG_INFO, "listening",
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
    stop_services(proxy); /* of a drain that nobody asked for */
    return error == 0 ? EXIT_GOOD : EXIT_USAGE;
}

/* Its thread speaks for the proxy. */
static int open_access_log(struct proxy *proxy)
{
    const struct log_source source = {"proxy", NULL, proxy->config->relay.id};
    char why[APPEND_ERROR_BYTES];
    if (proxy->config->access_log == NULL) {
        return EXIT_GOOD;
    }
    proxy->access_log = line_file_open(proxy->config->access_log, "stream log", &source,
                                       stream_line_write_gap, why);
    if (proxy->access_log == NULL) {
        cli_error("proxy", "--access-log: %s", why);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

/* Reads what the sources say, and listens. */
static int init_relay(struct proxy *proxy)
{
    const struct proxy_config *config = proxy->config;
    struct relay_config relay = config->relay;
    struct proxy_setup setup;
    struct route_error wrong;
    struct net_error error;
    if (proxy_setup_load(&config->sources, false, NULL, &setup, &wrong) != 0) {
        cli_error("proxy", "%s", wrong.text);
        proxy_setup_deinit(&setup);
        return EXIT_USAGE;
    }
    struct routing *routing = proxy_setup_routing(&setup, NULL, config->sources.policy);
    proxy->initialised = true;
    relay.access_log = proxy->access_log;
    int rv = relay_init(&proxy->relay, &relay, routing, net_tls_ref(setup.tls), &error);
    proxy_setup_deinit(&setup);
    if (rv != 0) {
        cli_error("proxy", "%s", error.text);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

int proxy_run(const struct proxy_config *config)
{
    struct proxy *proxy = mem_new(struct proxy);
    proxy->config = config;
    int rv = open_access_log(proxy);
    if (rv == EXIT_GOOD) {
        rv = init_relay(proxy);
    }
    if (rv == EXIT_GOOD) {
        rv = start_services(proxy);
    }
    if (rv == EXIT_GOOD) {
        rv = run(proxy);
    }
    admin_stop(proxy->admin);
    role_signals_end(&proxy->signals); /* no other thread is left */
    proxy_mailbox_close(&proxy->mailbox);
    if (proxy->initialised) {
        relay_deinit(&proxy->relay);
    }
    line_file_close(proxy->access_log);
    free(proxy);
    return rv;
}

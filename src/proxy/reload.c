#include "proxy/reload.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"
#include "proxy/discovery.h"
#include "proxy/health.h"
#include "proxy/setup.h"
#include "relay/relay.h"
#include "role/routes.h"
#include "role/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a reload changes, in words: "routes, new cluster server-v3". Longer is cut. */
struct changes {
    char text[400];
    size_t len;
    size_t new_clusters;
};

struct proxy_reload {
    struct relay *relay; /* borrowed, and so are: */
    const struct proxy_sources *sources;
    struct proxy_discovery *discovery;
    struct proxy_health *health;
    struct role_watch *watch; /* owned; NULL: none */
    struct net_tick tick;
    /* What is being made ready; routing is NULL when there is none. */
    struct proxy_setup setup;
    struct routing *routing; /* owned reference */
    struct changes changes;
    uint64_t deadline_ms;
};

/* ---- what changes ---------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void add_change(struct changes *changes,
                                                             const char *format, ...)
{
    va_list args;
    size_t room = sizeof(changes->text) - changes->len;
    int len = snprintf(changes->text + changes->len, room, "%s", changes->len > 0 ? ", " : "");
    changes->len += (size_t)len < room ? (size_t)len : room - 1;
    room = sizeof(changes->text) - changes->len;
    va_start(args, format);
    len = vsnprintf(changes->text + changes->len, room, format, args);
    va_end(args);
    changes->len += (size_t)len < room ? (size_t)len : room - 1;
}

static void compare_clusters(const struct proxy_setup *setup, const struct routing *current,
                             const struct routing *next, struct changes *changes)
{
    for (size_t i = 0; i < next->cluster_count; i++) {
        struct cluster *cluster = next->clusters[i];
        if (routing_find(current, cluster->name) == NULL) {
            changes->new_clusters++;
            add_change(changes, "new cluster %s", cluster->name);
        } else if (!cluster_has_targets(cluster, setup->targets[i].addresses,
                                        setup->targets[i].count)) {
            add_change(changes, "endpoints of %s", cluster->name);
        }
    }
    for (size_t i = 0; i < current->cluster_count; i++) {
        if (routing_find(next, current->clusters[i]->name) == NULL) {
            add_change(changes, "cluster %s gone", current->clusters[i]->name);
        }
    }
}

static void compare_certificates(struct relay *relay, const struct net_tls *next,
                                 struct changes *changes)
{
    struct net_tls *current = relay_tls(relay);
    if (next != NULL && !net_tls_is_same(current, next)) {
        char words[NET_TLS_WORDS_BYTES];
        net_tls_words(next, words);
        add_change(changes, "certificate (%s)", words);
    }
    net_tls_free(current);
}

/* ---- in force -------------------------------------------------------------------------------- */

static void drop_pending(struct proxy_reload *reload)
{
    routing_unref(reload->routing);
    reload->routing = NULL;
    proxy_setup_deinit(&reload->setup);
}

static void put_in_force(struct proxy_reload *reload)
{
    for (size_t i = 0; i < reload->routing->cluster_count; i++) {
        cluster_set_targets(reload->routing->clusters[i], reload->setup.targets[i].addresses,
                            reload->setup.targets[i].count);
    }
    relay_replace(reload->relay, reload->routing, reload->setup.tls);
    reload->routing = NULL;
    reload->setup.tls = NULL;
    drop_pending(reload);
    proxy_discovery_update(reload->discovery);
    relay_tell(reload->relay, LOG_INFO, "reloaded", LOG_PAIRS({"changed", reload->changes.text}),
               "Reloaded: %s", reload->changes.text);
}

/* Of the clusters that are new, and of those that were there before. */
static bool is_ready(const struct proxy_reload *reload)
{
    return proxy_discovery_done_once(reload->discovery) && proxy_health_done_once(reload->health);
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct proxy_reload *reload = container_of(item, struct proxy_reload, tick);
    if (reload->routing != NULL && (is_ready(reload) || now >= reload->deadline_ms)) {
        put_in_force(reload);
    }
}

/* ---- asked for ------------------------------------------------------------------------------- */

static enum proxy_reload_result fail(struct proxy_reload *reload, const char *by, const char *why,
                                     char *out, size_t out_bytes)
{
    relay_note_reload(reload->relay, why);
    snprintf(out, out_bytes, "not reloaded, all stays as it was: %s", why);
    relay_tell(reload->relay, LOG_ERROR, "reload_failed", LOG_PAIRS({"by", by}, {"cause", why}),
               "Not reloaded (%s), all stays as it was: %s", by, why);
    return PROXY_NOT_RELOADED;
}

static void forget(struct proxy_reload *reload)
{
    drop_pending(reload);
    relay_expect(reload->relay, NULL);
    proxy_discovery_update(reload->discovery);
}

/* What was read waits until its new clusters are ready. Returns whether it is in force already. */
static bool expect(struct proxy_reload *reload, struct proxy_setup *setup, struct routing *routing,
                   const struct changes *changes)
{
    drop_pending(reload);
    reload->setup = *setup;
    reload->routing = routing;
    reload->changes = *changes;
    reload->deadline_ms = uv_now(&relay_main_worker(reload->relay)->loop.uv) + PROXY_RELOAD_MS;
    if (changes->new_clusters == 0) {
        put_in_force(reload);
        return true;
    }
    relay_expect(reload->relay, routing_ref(routing));
    proxy_discovery_update(reload->discovery);
    return false;
}

static void compare(struct proxy_reload *reload, const struct proxy_setup *setup,
                    const struct routing *current, const struct routing *next,
                    struct changes *changes)
{
    if (strcmp(route_table_source(next->table), route_table_source(current->table)) != 0) {
        add_change(changes, "routes (%zu rules)", next->table->rule_count);
    }
    compare_clusters(setup, current, next, changes);
    compare_certificates(reload->relay, setup->tls, changes);
}

/* Takes over what was read. */
static enum proxy_reload_result use(struct proxy_reload *reload, struct proxy_setup *setup,
                                    const char *by, char *out, size_t out_bytes)
{
    struct changes changes = {0};
    struct routing *current = relay_routing(reload->relay);
    struct routing *next = proxy_setup_routing(setup, current, reload->sources->policy);
    compare(reload, setup, current, next, &changes);
    routing_unref(current);
    if (changes.len > 0) {
        bool done = expect(reload, setup, next, &changes);
        snprintf(out, out_bytes, "%s: %s", done ? "reloaded" : "in force when ready", changes.text);
        return done ? PROXY_RELOADED : PROXY_RELOADING;
    }
    routing_unref(next);
    proxy_setup_deinit(setup);
    forget(reload);
    snprintf(out, out_bytes, "reloaded: nothing has changed");
    relay_tell(reload->relay, LOG_INFO, "reloaded", LOG_PAIRS({"by", by}),
               "Reloaded (%s): nothing has changed", by);
    return PROXY_RELOADED;
}

enum proxy_reload_result proxy_reload_now(struct proxy_reload *reload, const char *by, char *out,
                                          size_t out_bytes)
{
    struct proxy_setup setup;
    struct route_error error;
    struct net_tls *in_force = relay_tls(reload->relay);
    int rv = proxy_setup_load(reload->sources, true, in_force, &setup, &error);
    net_tls_free(in_force);
    if (rv != 0) {
        proxy_setup_deinit(&setup);
        return fail(reload, by, error.text, out, out_bytes);
    }
    relay_note_reload(reload->relay, NULL);
    relay_ask_discovery(reload->relay);
    return use(reload, &setup, by, out, out_bytes);
}

static void on_change(void *user)
{
    char line[ROUTE_ERROR_BYTES];
    proxy_reload_now(user, "a file changed", line, sizeof(line));
}

/* ---- life ------------------------------------------------------------------------------------ */

static void watch_sources(struct proxy_reload *reload, struct net_loop *loop)
{
    const struct proxy_sources *sources = reload->sources;
    reload->watch = role_watch_start(loop, on_change, reload);
    role_watch_add(reload->watch, sources->routes);
    role_watch_add(reload->watch, sources->cert);
    role_watch_add(reload->watch, sources->key);
    role_watch_add(reload->watch, sources->client_ca);
    for (size_t i = 0; i < sources->endpoints.count; i++) {
        role_watch_add(reload->watch, role_endpoints_file(sources->endpoints.values[i]));
    }
}

struct proxy_reload *proxy_reload_start(struct relay *relay, const struct proxy_sources *sources,
                                        struct proxy_discovery *discovery,
                                        struct proxy_health *health, bool watch)
{
    struct net_loop *loop = &relay_main_worker(relay)->loop;
    struct proxy_reload *reload = mem_new(struct proxy_reload);
    reload->relay = relay;
    reload->sources = sources;
    reload->discovery = discovery;
    reload->health = health;
    net_tick_init(&reload->tick, on_tick);
    net_loop_tick_start(loop, &reload->tick);
    if (watch) {
        watch_sources(reload, loop);
    }
    return reload;
}

void proxy_reload_stop(struct proxy_reload *reload)
{
    if (reload == NULL) {
        return;
    }
    role_watch_stop(reload->watch);
    net_loop_tick_stop(&reload->tick);
    drop_pending(reload);
    relay_expect(reload->relay, NULL);
    free(reload);
}

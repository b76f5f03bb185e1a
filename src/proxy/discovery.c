#include "proxy/discovery.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/resolve.h"
#include "proxy/endpoint_names.h"
#include "relay/cluster.h"
#include "relay/state.h"

#include <stdlib.h>
#include <string.h>

/* A lost connection asks for new addresses, but not more often than this. */
#define MIN_REFRESH_MS 1000

/* One name of a cluster. */
struct lookup {
    struct watch *watch;
    const struct text_address *target;  /* the watch's */
    struct net_resolve *resolve;        /* in progress */
    struct sockaddr_storage *addresses; /* owned; the last ones */
    size_t count;
    bool answered;
    bool failed; /* the last time; said once */
    bool cut;    /* likewise: there were more addresses than are kept */
};

/* One cluster. */
struct watch {
    struct list node;
    struct proxy_discovery *discovery;
    struct cluster *cluster; /* owned reference */
    struct text_address targets[CLUSTER_TARGETS_MAX];
    struct lookup lookups[CLUSTER_TARGETS_MAX];
    size_t count;
    bool seen; /* the relay still has it */
};

struct proxy_discovery {
    struct relay *relay;
    uint64_t refresh_ms;
    struct net_tick tick;
    struct list watches;
    uint64_t next_ms;
    uint64_t last_ms;
};

static void tell_change(struct watch *watch, const struct proxy_endpoint_names *before,
                        size_t added, size_t removed)
{
    if (added + removed > 0) {
        char changes[400];
        struct proxy_endpoint_names after;
        proxy_endpoint_names_take(&after, watch->cluster);
        relay_tell(watch->discovery->relay, LOG_INFO, "endpoints_changed",
                   LOG_PAIRS({"cluster", watch->cluster->name}),
                   "Cluster %s has %zu endpoints (%zu new, %zu gone)%s", watch->cluster->name,
                   after.count, added, removed,
                   proxy_endpoint_names_changes(before, &after, changes, sizeof(changes)));
        proxy_endpoint_names_free(&after);
    }
}

/* All lookups' addresses together become the cluster's endpoints; none at all is no news. */
static void publish(struct watch *watch)
{
    size_t total = 0;
    for (size_t i = 0; i < watch->count; i++) {
        total += watch->lookups[i].count;
    }
    if (total == 0) {
        return;
    }
    struct sockaddr_storage *all = mem_calloc(total + 1, sizeof(*all));
    size_t count = 0;
    for (size_t i = 0; i < watch->count; i++) {
        const struct lookup *lookup = &watch->lookups[i];
        if (lookup->count > 0) {
            memcpy(all + count, lookup->addresses, lookup->count * sizeof(*all));
        }
        count += lookup->count;
    }
    size_t added;
    size_t removed;
    struct proxy_endpoint_names before;
    proxy_endpoint_names_take(&before, watch->cluster);
    cluster_update(watch->cluster, all, count, &added, &removed);
    free(all);
    tell_change(watch, &before, added, removed);
    proxy_endpoint_names_free(&before);
}

static void keep(struct lookup *lookup, const struct sockaddr_storage *addresses, size_t count)
{
    lookup->addresses = mem_realloc(lookup->addresses, count * sizeof(*addresses));
    memcpy(lookup->addresses, addresses, count * sizeof(*addresses));
    lookup->count = count;
    lookup->failed = false;
}

/* A name with more addresses than are kept; said once. */
static void tell_cut(struct lookup *lookup, const struct net_error *error)
{
    const struct watch *watch = lookup->watch;
    if (error != NULL && !lookup->cut) {
        relay_tell(watch->discovery->relay, LOG_WARN, "too_many_addresses",
                   LOG_PAIRS({"cluster", watch->cluster->name}, {"cause", error->text}),
                   "Cluster %s: %s", watch->cluster->name, error->text);
    }
    lookup->cut = error != NULL;
}

static bool all_answered(const struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (!watch->lookups[i].answered) {
            return false;
        }
    }
    return true;
}

static void on_resolved(void *user, const struct sockaddr_storage *addresses, size_t count,
                        const struct net_error *error)
{
    struct lookup *lookup = user;
    struct watch *watch = lookup->watch;
    lookup->resolve = NULL;
    lookup->answered = true;
    if (count > 0) {
        keep(lookup, addresses, count);
        tell_cut(lookup, error);
    } else if (!lookup->failed) {
        lookup->failed = true;
        relay_tell(watch->discovery->relay, LOG_WARN, "resolve_failed",
                   LOG_PAIRS({"cluster", watch->cluster->name}, {"cause", error->text}),
                   "Cluster %s: %s; keeping %zu endpoints", watch->cluster->name, error->text,
                   watch->cluster->endpoint_count);
    }
    /* Some are better than none; but who has some waits for all of the new ones. */
    if (watch->cluster->endpoint_count == 0 || all_answered(watch)) {
        publish(watch);
    }
}

static void ask(struct watch *watch)
{
    struct net_loop *loop = &relay_main_worker(watch->discovery->relay)->loop;
    for (size_t i = 0; i < watch->count; i++) {
        struct lookup *lookup = &watch->lookups[i];
        if (lookup->resolve == NULL) {
            lookup->resolve = net_resolve_start(loop, lookup->target->host, lookup->target->port,
                                                on_resolved, lookup);
        }
    }
}

static void ask_all(struct proxy_discovery *discovery)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &discovery->watches)
    {
        ask(container_of(node, struct watch, node));
    }
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct proxy_discovery *discovery = container_of(item, struct proxy_discovery, tick);
    bool asked = now - discovery->last_ms >= MIN_REFRESH_MS &&
                 atomic_exchange(&discovery->relay->discovery_asked, false);
    if (asked || now >= discovery->next_ms) {
        discovery->last_ms = now;
        discovery->next_ms = now + discovery->refresh_ms;
        ask_all(discovery);
    }
}

/* ---- what is followed ------------------------------------------------------------------------ */

static void forget_lookups(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->lookups[i].resolve != NULL) {
            net_resolve_cancel(watch->lookups[i].resolve);
        }
        free(watch->lookups[i].addresses);
    }
    memset(watch->lookups, 0, sizeof(watch->lookups));
    watch->count = 0;
}

static void watch_free(struct watch *watch)
{
    list_remove(&watch->node);
    forget_lookups(watch);
    cluster_unref(watch->cluster);
    free(watch);
}

/* The cluster keeps its endpoints until the new names have answered. */
static void take_targets(struct watch *watch)
{
    struct text_address targets[CLUSTER_TARGETS_MAX];
    size_t count = cluster_targets(watch->cluster, targets);
    if (count == watch->count && memcmp(targets, watch->targets, count * sizeof(*targets)) == 0) {
        return;
    }
    forget_lookups(watch);
    memcpy(watch->targets, targets, count * sizeof(*targets));
    watch->count = count;
    for (size_t i = 0; i < count; i++) {
        watch->lookups[i].watch = watch;
        watch->lookups[i].target = &watch->targets[i];
    }
    ask(watch);
}

static struct watch *find_watch(struct proxy_discovery *discovery, const struct cluster *cluster)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &discovery->watches)
    {
        struct watch *watch = container_of(node, struct watch, node);
        if (watch->cluster == cluster) {
            return watch;
        }
    }
    return NULL;
}

static void follow(void *ctx, struct cluster *cluster)
{
    struct proxy_discovery *discovery = ctx;
    struct watch *watch = find_watch(discovery, cluster);
    if (watch == NULL) {
        watch = mem_new(struct watch);
        watch->discovery = discovery;
        watch->cluster = cluster_ref(cluster);
        list_append(&discovery->watches, &watch->node);
    }
    watch->seen = true;
    take_targets(watch);
}

void proxy_discovery_update(struct proxy_discovery *discovery)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &discovery->watches)
    {
        container_of(node, struct watch, node)->seen = false;
    }
    relay_each_cluster(discovery->relay, follow, discovery);
    list_each(node, next, &discovery->watches)
    {
        struct watch *watch = container_of(node, struct watch, node);
        if (!watch->seen) {
            watch_free(watch);
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct proxy_discovery *proxy_discovery_start(struct relay *relay, uint64_t refresh_ms)
{
    struct net_loop *loop = &relay_main_worker(relay)->loop;
    struct proxy_discovery *discovery = mem_new(struct proxy_discovery);
    discovery->relay = relay;
    discovery->refresh_ms = refresh_ms;
    list_init(&discovery->watches);
    discovery->last_ms = uv_now(&loop->uv);
    discovery->next_ms = discovery->last_ms + refresh_ms;
    net_tick_init(&discovery->tick, on_tick);
    net_loop_tick_start(loop, &discovery->tick);
    proxy_discovery_update(discovery);
    return discovery;
}

void proxy_discovery_stop(struct proxy_discovery *discovery)
{
    if (discovery == NULL) {
        return;
    }
    net_loop_tick_stop(&discovery->tick);
    struct list *node;
    struct list *next;
    list_each(node, next, &discovery->watches)
    {
        watch_free(container_of(node, struct watch, node));
    }
    free(discovery);
}

bool proxy_discovery_done_once(const struct proxy_discovery *discovery)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &discovery->watches)
    {
        if (!all_answered(container_of(node, struct watch, node))) {
            return false;
        }
    }
    return true;
}

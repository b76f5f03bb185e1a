#include "proxy/setup.h"

#include "base/mem.h"
#include "net/tls.h"
#include "relay/routing.h"
#include "role/routes.h"
#include "route/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The host that a backend names, unless --endpoints says otherwise. */
static void fill_targets(struct proxy_setup *setup)
{
    setup->cluster_count = setup->routes->cluster_count;
    setup->targets = mem_calloc(setup->cluster_count + 1, sizeof(*setup->targets));
    for (size_t i = 0; i < setup->cluster_count; i++) {
        const struct route_cluster *from = &setup->routes->clusters[i];
        struct text_address *target = &setup->targets[i].addresses[0];
        snprintf(target->host, sizeof(target->host), "%s", from->host);
        target->port = from->port;
        setup->targets[i].count = 1;
    }
}

static void take_endpoints(void *user, size_t index, const struct text_address *addresses,
                           size_t count)
{
    struct proxy_targets *targets = &((struct proxy_setup *)user)->targets[index];
    memcpy(targets->addresses, addresses, count * sizeof(*addresses));
    targets->count = count;
}

static int load_routes(const struct proxy_sources *sources, struct proxy_setup *setup,
                       struct route_error *error)
{
    if (sources->routes == NULL) {
        setup->routes = route_table_default();
        return 0;
    }
    return route_table_load_file(sources->routes, &setup->routes, error);
}

static int load_certificate(const struct proxy_sources *sources, struct net_tls *in_force,
                            struct proxy_setup *setup, struct route_error *error)
{
    struct net_error why;
    if (sources->cert == NULL) {
        return 0;
    }
    const struct net_tls_server_config config = {
        .cert_file = sources->cert,
        .key_file = sources->key,
        .client_ca_file = sources->client_ca,
        .client_cert_optional = sources->client_cert_optional,
    };
    setup->tls = net_tls_server_renew(in_force, &config, &why);
    if (setup->tls == NULL) {
        snprintf(error->text, sizeof(error->text), "%s", why.text);
        return -1;
    }
    return 0;
}

int proxy_setup_load(const struct proxy_sources *sources, bool again, struct net_tls *in_force,
                     struct proxy_setup *ret_setup, struct route_error *ret_error)
{
    *ret_setup = (struct proxy_setup){0};
    if (load_routes(sources, ret_setup, ret_error) != 0) {
        return -1;
    }
    fill_targets(ret_setup);
    return role_endpoints_apply(&sources->endpoints, ret_setup->routes, again, CLUSTER_TARGETS_MAX,
                                take_endpoints, ret_setup, ret_error) != 0 ||
                   load_certificate(sources, in_force, ret_setup, ret_error) != 0
               ? -1
               : 0;
}

void proxy_setup_deinit(struct proxy_setup *setup)
{
    route_table_free(setup->routes);
    free(setup->targets);
    net_tls_free(setup->tls);
    *setup = (struct proxy_setup){0};
}

static struct cluster *make_cluster(const char *name, const struct proxy_targets *targets,
                                    enum lb_policy policy)
{
    struct cluster *cluster = cluster_new(name, policy);
    cluster_set_targets(cluster, targets->addresses, targets->count);
    return cluster;
}

struct routing *proxy_setup_routing(struct proxy_setup *setup, const struct routing *current,
                                    enum lb_policy policy)
{
    struct cluster **clusters = mem_calloc(setup->cluster_count + 1, sizeof(*clusters));
    for (size_t i = 0; i < setup->cluster_count; i++) {
        const char *name = setup->routes->clusters[i].name;
        struct cluster *known = current != NULL ? routing_find(current, name) : NULL;
        clusters[i] =
            known != NULL ? cluster_ref(known) : make_cluster(name, &setup->targets[i], policy);
    }
    struct routing *routing = routing_new(setup->routes, clusters);
    setup->routes = NULL;
    free(clusters);
    return routing;
}

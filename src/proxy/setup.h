/* What a proxy reads at its start and at each reload: routes, endpoints, certificate. */
#ifndef GRPCROUTE_PROXY_SETUP_H
#define GRPCROUTE_PROXY_SETUP_H

#include "cli/options.h"
#include "relay/cluster.h"
#include "route/table.h"

struct net_tls;
struct routing;

/* Where it is read from; texts are borrowed. */
struct proxy_sources {
    const char *routes; /* NULL: the built-in ones */
    const char *cert;   /* NULL: plaintext */
    const char *key;
    const char *client_ca; /* NULL: clients are not asked for certificates */
    bool client_cert_optional;
    struct cli_list endpoints; /* of --endpoints */
    enum lb_policy policy;
};

struct proxy_targets {
    struct text_address addresses[CLUSTER_TARGETS_MAX];
    size_t count;
};

/* What was read. */
struct proxy_setup {
    struct route_table *routes;    /* owned, until it becomes a routing */
    struct proxy_targets *targets; /* owned array: of each cluster of the routes */
    size_t cluster_count;
    struct net_tls *tls; /* owned; NULL: plaintext */
};

/* Reads all of it; `again`: not for the first time, and `in_force`, NULL or borrowed, is the
 * context of its certificate. Returns 0, or -1 with a line in `ret_error`; proxy_setup_deinit()
 * either way.
 */
int proxy_setup_load(const struct proxy_sources *sources, bool again, struct net_tls *in_force,
                     struct proxy_setup *ret_setup, struct route_error *ret_error);
void proxy_setup_deinit(struct proxy_setup *setup);

/* The routes as a routing, for who takes over the reference. Clusters that `current` (NULL: none)
 * has under the same name stay the same, with the targets they have; others are new, with theirs.
 * Once. */
struct routing *proxy_setup_routing(struct proxy_setup *setup, const struct routing *current,
                                    enum lb_policy policy);

#endif

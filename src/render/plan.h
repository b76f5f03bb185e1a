/* What a configuration is made of: the routes, and everything that they do not say. */
#ifndef GRPCROUTE_RENDER_PLAN_H
#define GRPCROUTE_RENDER_PLAN_H

#include "base/text.h"
#include "route/table.h"

#include <stdio.h>

#define RENDER_ENDPOINTS_MAX 4096 /* of a cluster; a name has no more, see net/resolve.h */
#define RENDER_REASON_BYTES  512
#define RENDER_RULE_BYTES    160

struct render_cluster {
    const struct route_cluster *route; /* borrowed */
    struct text_address *endpoints;    /* owned; as given, or the one name of the Service */
    size_t endpoint_count;
    bool given; /* addresses, not a name whose addresses the proxy has to find */
};

/* The headers in which agents say who they are, in lower case and of letters, digits, - and _. */
struct render_log {
    const char *version_header;
    const char *id_header;
};

struct render_plan {
    const struct route_table *routes;
    struct render_cluster *clusters; /* owned; in the order of the routes' */
    struct text_address listen;
    struct text_address admin;
    const char *cert;
    const char *key;
    const char *dynamic; /* Traefik: the folder of its dynamic configuration */
    bool health_checks;
    const char *identity; /* the response header in which the proxy names the cluster that it chose,
                             and with RENDER_POD_SUFFIX the endpoint; NULL: it names none */
    const struct render_log *log; /* borrowed; NULL: no log of streams */
};

#define RENDER_POD_SUFFIX "-pod"

/* Writes a configuration. Returns 0, or 1 with a sentence in `reason` when the proxy cannot express
 * the routes; what was written then is worth nothing. */
typedef int render_fn(FILE *out, const struct render_plan *plan,
                      char reason[static RENDER_REASON_BYTES]);

render_fn render_envoy;
render_fn render_traefik;        /* the dynamic file */
render_fn render_traefik_static; /* the static file */
render_fn render_haproxy;
render_fn render_nginx;

/* "HOST:PORT", with brackets around IPv6; `any` stands for no host. */
const char *render_address(const struct text_address *address, const char *any,
                           char out[static TEXT_ADDRESS_BYTES]);

/* The sum of a rule's weights. */
uint64_t render_weight(const struct route_rule *rule);

/* "spec.rules[1]", and of which GRPCRoute where there are several. Returns `out`. */
const char *render_rule_name(const struct route_table *routes, const struct route_rule *rule,
                             char out[static RENDER_RULE_BYTES]);

/* Of all hosts together. */
size_t render_candidates(const struct route_table *routes);

/* The rule's place among all of the table. */
size_t render_rule_index(const struct route_table *routes, const struct route_rule *rule);

#endif

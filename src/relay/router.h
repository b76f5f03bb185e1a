/* From a request's header block to a cluster, by the route table. */
#ifndef GRPCROUTE_RELAY_ROUTER_H
#define GRPCROUTE_RELAY_ROUTER_H

#include "h2/session.h"
#include "rpc/status.h"

#include <stdint.h>

struct cluster;
struct relay;
struct route_rule;
struct routing;

struct router_decision {
    struct cluster *cluster;       /* of the routing; NULL: answer `code` and `reason` instead */
    const struct route_rule *rule; /* that took it; NULL: none */
    enum rpc_code code;
    char reason[RPC_MESSAGE_BYTES];
    uint64_t hash; /* of the hash header's value */
};

/* What `ret_decision` borrows lives as long as `routing`. */
void router_decide(const struct relay *relay, struct routing *routing, const struct h2_block *block,
                   struct router_decision *ret_decision);

#endif

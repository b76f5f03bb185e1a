/* From a request's header block to a cluster, by the route table. */
#ifndef GRPCROUTE_RELAY_ROUTER_H
#define GRPCROUTE_RELAY_ROUTER_H

#include "h2/session.h"
#include "rpc/status.h"

#include <stdint.h>

struct cluster;
struct relay;
struct route_rule;

struct router_decision {
    struct cluster *cluster;       /* NULL: answer `code` and `reason` instead */
    const struct route_rule *rule; /* that took it; NULL: none */
    enum rpc_code code;
    char reason[RPC_MESSAGE_BYTES];
    uint64_t hash; /* of the hash header's value */
};

void router_decide(struct relay *relay, const struct h2_block *block,
                   struct router_decision *ret_decision);

#endif

#include "relay/router.h"

#include "base/hash.h"
#include "relay/routing.h"
#include "relay/state.h"
#include "route/match.h"

#include <stdio.h>
#include <string.h>

/* Stable over restarts and replicas, which hashing on a header is for. */
static uint64_t hash_of(const struct relay *relay, const struct h2_block *block)
{
    const struct h2_header *field = relay->config.hash_header != NULL
                                        ? h2_block_find(block, relay->config.hash_header, NULL)
                                        : NULL;
    return field != NULL ? hash_bytes(HASH_BASIS, field->value, field->value_len) : 0;
}

static void refuse(struct router_decision *decision, enum rpc_code code, const char *format,
                   const char *detail)
{
    decision->code = code;
    snprintf(decision->reason, sizeof(decision->reason), "%s%.160s", format, detail);
}

void router_decide(const struct relay *relay, struct routing *routing, const struct h2_block *block,
                   struct router_decision *ret_decision)
{
    const struct route_rule *rule;
    const char *header;
    ret_decision->cluster = NULL;
    ret_decision->rule = NULL;
    ret_decision->hash = hash_of(relay, block);
    switch (route_table_match(routing->table, block, &rule, &header)) {
    case 0:
        ret_decision->rule = rule;
        ret_decision->cluster = routing_pick(routing, rule);
        if (ret_decision->cluster == NULL) {
            refuse(ret_decision, RPC_UNAVAILABLE, "no backend of the matching rule has a weight",
                   "");
        }
        return;
    case ROUTE_E_REPEATED_HEADER:
        refuse(ret_decision, RPC_INVALID_ARGUMENT, "header is given more than once: ", header);
        return;
    case ROUTE_E_UNDECIDED:
        refuse(ret_decision, RPC_INVALID_ARGUMENT,
               "a regular expression of the routes reached its limits on ", header);
        return;
    default:
        refuse(ret_decision, RPC_UNIMPLEMENTED, "no route matches this request", "");
        return;
    }
}

#include "render/plan.h"

#include <stdio.h>
#include <string.h>

const char *render_address(const struct text_address *address, const char *any,
                           char out[static TEXT_ADDRESS_BYTES])
{
    const char *host = address->host[0] != '\0' ? address->host : any;
    return text_format_address(out, TEXT_ADDRESS_BYTES, host, address->port);
}

uint64_t render_weight(const struct route_rule *rule)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rule->backend_count; i++) {
        sum += rule->backends[i].weight;
    }
    return sum;
}

const char *render_rule_name(const struct route_table *routes, const struct route_rule *rule,
                             char out[static RENDER_RULE_BYTES])
{
    if (routes->object_count == 1) {
        snprintf(out, RENDER_RULE_BYTES, "spec.rules[%zu]", rule->number);
    } else {
        snprintf(out, RENDER_RULE_BYTES, "GRPCRoute %.100s: spec.rules[%zu]", rule->object->id,
                 rule->number);
    }
    return out;
}

size_t render_rule_index(const struct route_table *routes, const struct route_rule *rule)
{
    return (size_t)(rule - routes->rules);
}

size_t render_candidates(const struct route_table *routes)
{
    size_t count = 0;
    for (size_t i = 0; i < routes->host_count; i++) {
        count += routes->hosts[i].candidate_count;
    }
    return count;
}

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

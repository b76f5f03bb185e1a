#include "render/plan.h"

#include <stdio.h>
#include <string.h>

const char *render_address(const struct text_address *address, const char *any,
                           char out[static RENDER_ADDRESS_BYTES])
{
    const char *host = address->host[0] != '\0' ? address->host : any;
    bool v6 = strchr(host, ':') != NULL;
    snprintf(out, RENDER_ADDRESS_BYTES, v6 ? "[%s]:%u" : "%s:%u", host, (unsigned)address->port);
    return out;
}

uint64_t render_weight(const struct route_rule *rule)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rule->backend_count; i++) {
        sum += rule->backends[i].weight;
    }
    return sum;
}

#include "relay/flow.h"

#include "relay/cluster.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct flow *flows_find(struct flows *flows, const char *version, const struct cluster *cluster)
{
    struct flow *last = &flows->flows[FLOWS_MAX];
    struct flow *place = last;
    for (struct flow *flow = flows->flows; flow < last; flow++) {
        bool used = atomic_load_explicit(&flow->streams, memory_order_relaxed) > 0;
        if (used && flow->cluster == cluster && strcmp(flow->version, version) == 0) {
            return flow;
        }
        if (!used && place == last) {
            place = flow;
        }
    }
    if (place != last) {
        snprintf(place->version, sizeof(place->version), "%s", version);
        place->cluster = cluster;
    }
    return place;
}

size_t flows_copy(const struct flows *flows, struct flow_row out[static FLOWS_MAX + 1])
{
    size_t count = 0;
    for (size_t i = 0; i <= FLOWS_MAX; i++) {
        const struct flow *flow = &flows->flows[i];
        uint64_t streams = atomic_load(&flow->streams);
        if (streams > 0) {
            struct flow_row *row = &out[count++];
            snprintf(row->version, sizeof(row->version), "%s",
                     i < FLOWS_MAX ? flow->version : FLOW_MORE);
            snprintf(row->cluster, sizeof(row->cluster), "%s",
                     flow->cluster != NULL ? flow->cluster->name : "");
            row->streams = streams;
            row->misrouted = atomic_load(&flow->misrouted);
        }
    }
    return count;
}

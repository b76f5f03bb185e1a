#include "admin/flows.h"

#include "relay/state.h"

void admin_each_flow(struct relay *relay, void (*visit)(void *ctx, const struct flow_row *flow),
                     void *ctx)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        struct flow_row flows[FLOWS_MAX + 1];
        struct worker *worker = &relay->workers[i];
        streams_lock(&worker->streams);
        size_t count = flows_copy(&worker->flows, flows);
        streams_unlock(&worker->streams);
        for (size_t k = 0; k < count; k++) {
            visit(ctx, &flows[k]);
        }
    }
}

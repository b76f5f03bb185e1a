/* The flows of all workers: which agent versions are on which clusters, with how many streams. */
#ifndef GRPCROUTE_ADMIN_FLOWS_H
#define GRPCROUTE_ADMIN_FLOWS_H

struct flow_row;
struct relay;

/* Calls `visit` for each, worker by worker, so that one of the same version and cluster comes once
 * from each that has it. No mutex is held meanwhile. */
void admin_each_flow(struct relay *relay, void (*visit)(void *ctx, const struct flow_row *flow),
                     void *ctx);

#endif

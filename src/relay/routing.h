/* Where new streams go: a route table and the clusters that it leads to.
 *
 * It never changes once made. A reload makes another one and puts it in force
 * (relay/state.h); a stream holds the one by which it was routed until it ends. The same cluster
 * may belong to many. */
#ifndef GRPCROUTE_RELAY_ROUTING_H
#define GRPCROUTE_RELAY_ROUTING_H

#include "route/table.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct cluster;

struct routing {
    struct route_table *table; /* owned */
    struct cluster **clusters; /* owned array of references, in the order of the table's clusters */
    size_t cluster_count;
    struct account **accounts; /* owned array of references: of each rule */
    atomic_int references;
};

/* Takes over `table` and the references in `clusters`, one for each cluster of the table, in its
 * order; the array itself is copied. The caller has the first reference. */
struct routing *routing_new(struct route_table *table, struct cluster *const *clusters);
struct routing *routing_ref(struct routing *routing);
/* Accepts NULL. */
void routing_unref(struct routing *routing);

/* Goes on with what `before` counts of rules of the same name; before any stream is routed by
 * it. */
void routing_continue(struct routing *routing, const struct routing *before);

/* What is counted of a rule of the table; borrowed. */
struct account *routing_account(const struct routing *routing, const struct route_rule *rule);

/* The cluster of that name, or NULL; borrowed. */
struct cluster *routing_find(const struct routing *routing, const char *name);

/* Counts the next stream of a rule of the table, and returns its cluster, by the weights of its
 * backends; NULL when none has a weight. Borrowed. From any thread. */
struct cluster *routing_pick(struct routing *routing, const struct route_rule *rule);

#endif

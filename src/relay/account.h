/* What is counted of one rule of the routes, by the rule's name: a rule that a reload keeps goes on
 * with the same account. */
#ifndef GRPCROUTE_RELAY_ACCOUNT_H
#define GRPCROUTE_RELAY_ACCOUNT_H

#include "relay/per_worker.h"
#include "relay/tally.h"
#include "route/table.h"

#include <stdatomic.h>
#include <stdint.h>

/* The numbers of a rule, beside how many streams it took: field, type for Prometheus, name there,
 * help. Written by a worker for what it relays. */
#define ACCOUNT_NUMBERS(X)                                                                         \
    X(streams_active, GAUGE, "streams_active", "Live streams that the rule took")                  \
    X(answers_checked, COUNTER, "answers_checked_total",                                           \
      "Ping streams of the rule whose first answer told its server's version, and whose backends " \
      "name versions")                                                                             \
    X(misrouted, COUNTER, "misrouted_total",                                                       \
      "Ping streams answered by a server version that the rule does not name")

/* A worker's share of it. */
struct account_block {
#define ACCOUNT_NUMBER(name, type, metric, help) atomic_uint_fast64_t name;
    ACCOUNT_NUMBERS(ACCOUNT_NUMBER)
#undef ACCOUNT_NUMBER
    struct tally answers; /* how long those took that were timed */
};

struct account {
    char name[ROUTE_LABEL_BYTES];
    atomic_int references;
    /* That the rule took: of all workers together, for its number decides by the weights of the
     * rule's backends where a stream goes. */
    atomic_uint_fast64_t streams_total;
    struct per_worker blocks; /* struct account_block */
};

/* An empty one; the caller has the first reference. */
struct account *account_new(const struct route_rule *rule);
struct account *account_ref(struct account *account);
void account_unref(struct account *account);

/* Where `worker` counts; on its thread. */
struct account_block *account_block(struct account *account, unsigned worker);

/* The answer times of all workers. */
void account_answers(const struct account *account, struct tally_sum *ret_sum);

#endif

/* Budgets that fill again with time. Pure. */
#ifndef GRPCROUTE_SERVER_PROBE_BUDGET_H
#define GRPCROUTE_SERVER_PROBE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct server_probe_rate {
    uint64_t burst; /* of any unit */
    uint64_t per_second;
};

/* Zeroed: all of it is there. */
struct server_probe_budget {
    uint64_t used_milli;
    uint64_t counted_ms;
};

/* Takes `amount`, or nothing when there is less. `now_ms` is of any monotonic clock. */
bool server_probe_budget_take(struct server_probe_budget *budget, struct server_probe_rate rate,
                              uint64_t amount, uint64_t now_ms);

#endif

#include "server/probe_budget.h"

#define MILLI 1000

bool server_probe_budget_take(struct server_probe_budget *budget, struct server_probe_rate rate,
                              uint64_t amount, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > budget->counted_ms ? now_ms - budget->counted_ms : 0;
    uint64_t full_ms = rate.burst * MILLI / rate.per_second + 1;
    uint64_t refilled_milli = (elapsed_ms < full_ms ? elapsed_ms : full_ms) * rate.per_second;
    budget->used_milli =
        budget->used_milli > refilled_milli ? budget->used_milli - refilled_milli : 0;
    budget->counted_ms = now_ms;
    if (amount > rate.burst || budget->used_milli > (rate.burst - amount) * MILLI) {
        return false;
    }
    budget->used_milli += amount * MILLI;
    return true;
}

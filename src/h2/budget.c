#include "h2/budget.h"

#include "h2/limits.h"

void h2_budget_init(struct h2_budget *budget, uint64_t now_ms)
{
    budget->updated_ms = now_ms;
    budget->milli_capacity = H2_BUDGET_BURST * H2_BUDGET_MILLI;
    budget->milli_tokens = budget->milli_capacity;
}

void h2_budget_hold(struct h2_budget *budget, size_t streams)
{
    size_t needed = streams + H2_BUDGET_BURST / 2;
    size_t capacity = budget->milli_capacity / H2_BUDGET_MILLI;
    if (needed > capacity && needed <= UINT32_MAX / H2_BUDGET_MILLI) {
        uint32_t more = (uint32_t)(needed - capacity) * H2_BUDGET_MILLI;
        budget->milli_capacity += more;
        budget->milli_tokens += more;
    }
}

static void set_tokens(struct h2_budget *budget, uint64_t milli)
{
    budget->milli_tokens =
        milli > budget->milli_capacity ? budget->milli_capacity : (uint32_t)milli;
}

static void refill(struct h2_budget *budget, uint64_t now_ms)
{
    if (now_ms <= budget->updated_ms) {
        return;
    }
    /* milliseconds times tokens per second are thousandths of tokens */
    set_tokens(budget, (now_ms - budget->updated_ms) * H2_BUDGET_PER_SECOND + budget->milli_tokens);
    budget->updated_ms = now_ms;
}

bool h2_budget_spend(struct h2_budget *budget, uint32_t milli, uint64_t now_ms)
{
    refill(budget, now_ms);
    if (budget->milli_tokens < milli) {
        budget->milli_tokens = 0;
        return false;
    }
    budget->milli_tokens -= milli;
    return true;
}

void h2_budget_credit(struct h2_budget *budget)
{
    set_tokens(budget, (uint64_t)budget->milli_tokens + H2_BUDGET_MILLI);
}

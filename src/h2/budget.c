#include "h2/budget.h"

#include "h2/limits.h"

#define MILLI 1000u

void h2_budget_init(struct h2_budget *budget, uint64_t now_ms)
{
    budget->updated_ms = now_ms;
    budget->milli_tokens = H2_BUDGET_BURST * MILLI;
}

static void refill(struct h2_budget *budget, uint64_t now_ms)
{
    if (now_ms <= budget->updated_ms) {
        return;
    }
    /* milliseconds times tokens per second are thousandths of tokens */
    uint64_t milli = (now_ms - budget->updated_ms) * H2_BUDGET_PER_SECOND + budget->milli_tokens;
    budget->milli_tokens = milli > H2_BUDGET_BURST * MILLI ? H2_BUDGET_BURST * MILLI : (uint32_t)milli;
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
    uint32_t milli = budget->milli_tokens + MILLI;
    budget->milli_tokens = milli > H2_BUDGET_BURST * MILLI ? H2_BUDGET_BURST * MILLI : milli;
}

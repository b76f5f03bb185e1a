/* The budget of one connection for work that serves nobody: a token bucket with an injected
 * clock. */
#ifndef GRPCROUTE_H2_BUDGET_H
#define GRPCROUTE_H2_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Thousandths in a token, so that a refill of 20 per second works at any tick. */
#define H2_BUDGET_MILLI 1000u

struct h2_budget {
    uint64_t updated_ms;
    uint32_t milli_capacity;
    uint32_t milli_tokens;
};

/* Fills the bucket. */
void h2_budget_init(struct h2_budget *budget, uint64_t now_ms);

/* Grows the bucket, with what is in it, to a token for each of `streams` that are open at once and
 * half a burst. */
void h2_budget_hold(struct h2_budget *budget, size_t streams);

/* Takes `milli` thousandths of a token. Returns false when the budget is used up: end the
 * connection. */
bool h2_budget_spend(struct h2_budget *budget, uint32_t milli, uint64_t now_ms);

/* Gives a token back, for a stream that ended well. */
void h2_budget_credit(struct h2_budget *budget);

#endif

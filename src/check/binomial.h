/* Exact binomial probabilities: how surprising a count is, and what a count says of a share.
 * Pure. */
#ifndef GRPCROUTE_CHECK_BINOMIAL_H
#define GRPCROUTE_CHECK_BINOMIAL_H

#include <stdint.h>

/* P(X <= k) and P(X >= k) of `n` independent draws that hit with probability `p`, 0 to 1. Exact but
 * for rounding (1e-10 of the value or better up to a million draws). */
double binomial_at_most(uint64_t n, uint64_t k, double p);
double binomial_at_least(uint64_t n, uint64_t k, double p);

/* The shares that `k` hits of `n` (at least 1) do not contradict: the interval of Clopper and
 * Pearson, with at most `alpha` / 2 of error at each end. */
void binomial_interval(uint64_t n, uint64_t k, double alpha, double *ret_low, double *ret_high);

#endif

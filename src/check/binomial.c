/* Tails are summed term by term from the count outwards, away from the mean: there the terms
 * fall, so that the sum is done when they no longer count, and nothing is lost by subtraction. A
 * tail that holds the mean is what the other one leaves. */
#include "check/binomial.h"

#include <math.h>

/* A term that is this much smaller than the sum, with all that follow it, changes no digit. */
#define NEGLIGIBLE 1e-18
/* Halvings of an interval of length 1, to the last digit of a double near 1. */
#define HALVINGS 60

/* ln(n!) without the sign that lgamma() keeps in a variable for all threads. */
static double log_factorial(uint64_t n)
{
    int sign;
    return lgamma_r((double)n + 1, &sign);
}

/* P(X = k) for 0 < p < 1. */
static double term(uint64_t n, uint64_t k, double p)
{
    double ways = log_factorial(n) - log_factorial(k) - log_factorial(n - k);
    return exp(ways + (double)k * log(p) + (double)(n - k) * log1p(-p));
}

/* P(X <= k) for a k below the mean. */
static double sum_down(uint64_t n, uint64_t k, double p)
{
    double piece = term(n, k, p);
    double sum = piece;
    for (uint64_t i = k; i > 0 && piece > sum * NEGLIGIBLE; i--) {
        piece *= (double)i / (double)(n - i + 1) * ((1 - p) / p);
        sum += piece;
    }
    return sum;
}

double binomial_at_most(uint64_t n, uint64_t k, double p)
{
    if (k >= n || p <= 0) {
        return 1;
    }
    if (p >= 1) {
        return 0;
    }
    if ((double)k < (double)n * p) {
        return sum_down(n, k, p);
    }
    /* X >= k + 1 is n - X <= n - k - 1, of draws that hit with 1 - p. */
    return 1 - sum_down(n, n - k - 1, 1 - p);
}

double binomial_at_least(uint64_t n, uint64_t k, double p)
{
    if (k == 0) {
        return 1;
    }
    return k > n ? 0 : binomial_at_most(n, n - k, 1 - p);
}

/* The share up to which `k` or more of `n` are rarer than `rare`. */
static double lower_end(uint64_t n, uint64_t k, double rare)
{
    double low = 0;
    double high = 1;
    for (int i = 0; k > 0 && i < HALVINGS; i++) {
        double middle = (low + high) / 2;
        if (binomial_at_least(n, k, middle) < rare) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

void binomial_interval(uint64_t n, uint64_t k, double alpha, double *ret_low, double *ret_high)
{
    *ret_low = lower_end(n, k, alpha / 2);
    *ret_high = 1 - lower_end(n, n - k, alpha / 2);
}

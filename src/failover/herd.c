#include "failover/herd.h"

#include "failover/history.h"

#include <math.h>

/* P(X >= k) of n draws that hit with probability 1 / bins. */
static double chance_of_bin(uint64_t n, uint64_t k, uint64_t bins)
{
    double p = 1 / (double)bins;
    double sum = 0;
    for (uint64_t i = k; i <= n; i++) {
        double of_i =
            exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) +
                (double)i * log(p) + (double)(n - i) * log1p(-p));
        sum += of_i;
        if ((double)i > (double)n * p && of_i < sum * 1e-12) {
            break; /* the rest falls faster than a geometric series */
        }
    }
    return sum;
}

void failover_herd_find(const struct failover_history *history, struct failover_herd *ret)
{
    size_t first = history->bin_count;
    size_t last = 0;
    *ret = (struct failover_herd){.chance = 1};
    for (size_t i = 0; i < history->bin_count; i++) {
        const struct failover_bin *bin = &history->bins[i];
        if (first == history->bin_count && bin->ended + bin->back > 0) {
            first = i;
        }
        if (bin->back > 0) {
            last = i;
        }
        ret->count += bin->back;
        if (bin->back > ret->peak) {
            ret->peak = bin->back;
            ret->peak_ns = i * FAILOVER_BIN_NS;
        }
    }
    if (ret->count == 0) {
        return;
    }
    uint64_t bins = last - first + 1;
    ret->bins = bins > FAILOVER_HERD_BINS_MIN ? bins : FAILOVER_HERD_BINS_MIN;
    ret->mean = (double)ret->count / (double)ret->bins;
    ret->ratio = (double)ret->peak / ret->mean;
    ret->chance = fmin(1, (double)ret->bins * chance_of_bin(ret->count, ret->peak, ret->bins));
}

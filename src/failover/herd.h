/* How streams came back: one after the other, or as a herd. Pure. */
#ifndef GRPCROUTE_FAILOVER_HERD_H
#define GRPCROUTE_FAILOVER_HERD_H

#include <stdbool.h>
#include <stdint.h>

/* The mean is over at least so many bins: all at once is a herd. */
#define FAILOVER_HERD_BINS_MIN 10
/* A peak that even reconnects would reach more often than this proves nothing. */
#define FAILOVER_HERD_CHANCE_MAX 0.01

struct failover_history;

struct failover_herd {
    uint64_t count;   /* reconnects since the fault */
    uint64_t peak;    /* in one bin (FAILOVER_BIN_NS) */
    uint64_t peak_ns; /* when, from the begin of the fault on */
    uint64_t bins;    /* from the first end to the last reconnect, or FAILOVER_HERD_BINS_MIN */
    double mean;      /* of a bin */
    double ratio;     /* of the peak to the mean; 0: there was no reconnect */
    double chance;    /* at most: that reconnects at random moments have such a peak */
};

void failover_herd_find(const struct failover_history *history, struct failover_herd *ret);

#endif

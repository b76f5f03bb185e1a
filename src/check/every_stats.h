/* What continuous verification counts, and how it looks to Prometheus. Pure. */
#ifndef GRPCROUTE_CHECK_EVERY_STATS_H
#define GRPCROUTE_CHECK_EVERY_STATS_H

#include "base/histogram.h"
#include "base/metrics.h"
#include "check/finding.h"

#define EVERY_VERSIONS_MAX 64

struct every_version {
    char version[CHECK_VERSION_BYTES];
    bool passed; /* in the last run */
    uint64_t misrouted;
    uint64_t unanswered;
    struct histogram rtt;
};

struct every_stats {
    double interval_s;
    uint64_t runs[CHECK_INTERRUPTED]; /* by enum check_result; an interrupted one is none */
    struct every_version *versions[EVERY_VERSIONS_MAX]; /* owned */
    size_t version_count;
    bool last_passed;
    int64_t last_run_s; /* the wall clock at its end; 0: none yet */
    int64_t last_success_s;
    uint64_t last_duration_ns;
    struct net_expiry expiry; /* as last seen; 0: not known */
};

/* Counts a run that ended at `now_s`, in seconds since 1970. */
void every_stats_note(struct every_stats *stats, const struct check_report *report, int64_t now_s);

uint64_t every_stats_runs(const struct every_stats *stats);

void every_stats_write(const struct every_stats *stats, struct metrics *out);

/* Frees what a zeroed or filled struct owns. */
void every_stats_deinit(struct every_stats *stats);

#endif

/* Which agent versions the fault met. Pure.
 *
 * Versions have their streams in random order. Where the fault ended streams of a backend, a
 * version of that backend of which it ended none was missed: how it comes back was not checked. */
#ifndef GRPCROUTE_FAILOVER_MET_H
#define GRPCROUTE_FAILOVER_MET_H

#include <stdbool.h>
#include <stddef.h>

struct failover_result;

enum failover_meeting {
    FAILOVER_UNTOUCHED, /* the fault interrupted nothing of its backend, and need not have */
    FAILOVER_MET,
    FAILOVER_MISSED,
};

/* The streams of a version on a backend, a version of servers; of a version for which there were
 * not enough streams none, on none. */
struct failover_met {
    const char *version; /* borrowed, as is the next */
    const char *backend;
    size_t streams;
    size_t interrupted;
    size_t backend_streams;
    size_t backend_interrupted;
    enum failover_meeting meeting;
};

struct failover_mets {
    struct failover_met *all; /* owned */
    size_t count;
    double probability; /* at least: that the end of a pod meets each version of its backend */
    size_t agents_for_99_percent; /* so many streams give 99 % of it; 0: unknown */
};

void failover_mets_find(const struct failover_result *result, struct failover_mets *ret);
void failover_mets_deinit(struct failover_mets *mets);

/* Whether one was missed. */
bool failover_is_missed(const struct failover_mets *mets);

#endif

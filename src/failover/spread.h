/* Where the streams are: how evenly the pods of each backend version hold them. Pure.
 *
 * The streams of a backend are those that its version answered when the fault began; its pods, at
 * the end, those that hold one of them then, answered or not, or that the roll call found. Of n
 * streams on p pods each pod's even share is n / p. The spread is the largest deviation from it, in
 * percent of it; a deviation of less than one stream is none, for streams cannot be divided.
 */
#ifndef GRPCROUTE_FAILOVER_SPREAD_H
#define GRPCROUTE_FAILOVER_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far from even is even where --max-spread does not say it. */
#define FAILOVER_EVEN_PERCENT 10
#define FAILOVER_NEVER        UINT64_MAX
#define FAILOVER_POINTS_MAX   600

struct failover_result;

struct failover_spread_pod {
    uint32_t pod;    /* number in the history */
    uint32_t before; /* streams when the fault began */
    uint32_t after;  /* and at the end */
    uint32_t silent; /* open then, and not answered */
    bool there;      /* at the end */
};

/* How it was from here on until the next. */
struct failover_spread_point {
    uint64_t at_ns;  /* from the begin of the fault on */
    double percent;  /* of the pods that are there at the end */
    uint32_t absent; /* streams that none of its pods answers */
};

struct failover_spread {
    const char *backend; /* the version of its servers; borrowed from the history */
    size_t streams;
    struct failover_spread_pod *pods; /* owned */
    size_t pod_count;
    size_t pods_before; /* that held a stream */
    size_t pods_after;  /* that are there at the end */
    double before_percent;
    double after_percent;
    uint64_t even_after_ns;               /* from the begin of the fault on; FAILOVER_NEVER */
    struct failover_spread_point *points; /* owned */
    uint32_t *counts;                     /* owned; for each point, of each pod */
    size_t point_count;
    const char *unknown; /* why nothing can be said of it; NULL: it can */
};

struct failover_spreads {
    struct failover_spread *all; /* owned */
    size_t count;
};

/* Of a run whose fault began; else there are none. */
void failover_spreads_find(const struct failover_result *result, struct failover_spreads *ret);
void failover_spreads_deinit(struct failover_spreads *spreads);

#endif

/* Why runs of continuous verification do not pass: which causes a verdict has had lately, so that a
 * new one is told where the verdict stays the same, and causes that take turns are not told at each
 * turn. Pure. */
#ifndef GRPCROUTE_CHECK_EVERY_CAUSE_H
#define GRPCROUTE_CHECK_EVERY_CAUSE_H

#include "check/verdict.h"

/* A cause that was not seen in so many runs is news when it comes back. */
#define EVERY_CAUSE_RUNS 10
/* Causes that are remembered. Peers choose words of theirs: while so many are remembered, further
 * ones are none. */
#define EVERY_CAUSES_MAX 32

/* Zeroed: none was seen yet. */
struct every_causes {
    struct {
        uint64_t mark; /* of its words; 0: the place is free */
        uint64_t run;  /* the last that had it */
    } seen[EVERY_CAUSES_MAX];
};

/* Notes what run number `run`, none of them before the last one noted, did not pass for. Returns
 * whether a cause is among it that none of the last EVERY_CAUSE_RUNS runs had. What differs from
 * run to run in one cause (counts, durations, names of agents and pods) makes no other one of it.
 */
bool every_causes_note(struct every_causes *causes, uint64_t run,
                       const struct check_report *report);

#endif

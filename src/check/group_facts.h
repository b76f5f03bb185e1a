/* What the streams of a group show, taken together. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_GROUP_FACTS_H
#define GRPCROUTE_CHECK_GROUP_FACTS_H

#include "check/explain.h"
#include "check/finding.h"

/* The facts of all streams of a group. */
struct check_group_facts {
    struct check_tally metadata;
    struct check_tally foreign;
    struct check_tally moved;
    struct check_tally reordered;
    struct check_tally lost;
    struct check_tally duplicated;
    struct check_tally rejected; /* streams refused by a proxy without a route */
    struct check_tally accepted; /* messages answered where a rejection was due */
    struct check_tally broken;   /* streams without an OK at their end, all being answered */
    struct check_tally refused;  /* streams that were rejected, as they may or should be */
    struct check_tally undone;   /* streams that prove nothing to their end */
};

/* Adds a stream of the group to its facts, and to the counts of its verdict. `rule` is what the
 * group expects. */
void check_group_tally(const struct check_run *run, size_t stream, enum role_expect_rule rule,
                       struct check_verdict *verdict, struct check_group_facts *group);

/* The stream ended without an answer and with a status that somebody sent for this stream alone. */
bool check_was_rejected(const struct check_observation *seen);
/* Its end says two things. */
bool check_contradicts_itself(const struct check_observation *seen);

#endif

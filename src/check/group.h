/* Judges one group of streams. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_GROUP_H
#define GRPCROUTE_CHECK_GROUP_H

#include "check/finding.h"

/* Judges a group of the run's plan. */
void check_judge_group(const struct check_run *run, size_t group,
                       struct check_verdict *ret_verdict);

/* Where nothing says which server belongs to the group, adds that finding to a verdict that has
 * none of CHECK_VERSION. */
void check_judge_unknown(const struct check_run *run, size_t group, struct check_verdict *verdict);

#endif

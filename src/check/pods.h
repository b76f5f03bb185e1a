/* Which pods the versions met, and how likely they met all. Pure. */
#ifndef GRPCROUTE_CHECK_PODS_H
#define GRPCROUTE_CHECK_PODS_H

#include "check/finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The pods that rightly answered versions of the same servers as one group's. */
struct check_pods {
    uint32_t all[CHECK_ANSWERS_MAX];
    size_t count;
    uint32_t missed[CHECK_ANSWERS_MAX]; /* of them, those that did not answer this group */
    size_t missed_count;
    size_t streams;        /* of all these groups, that ran to their end */
    bool first_of_servers; /* no group before it has the same servers and was answered */
};

/* Empty for a group whose servers are not known. */
void check_report_pods(const struct check_report *report, size_t group,
                       struct check_pods *ret_pods);

/* The probability that `streams`, each on a pod that chance decides, meet all of `pods`. */
double check_coverage(size_t streams, size_t pods);

#endif

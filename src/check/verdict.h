/* From observations to a report, with the sentences that explain it. Pure. */
#ifndef GRPCROUTE_CHECK_VERDICT_H
#define GRPCROUTE_CHECK_VERDICT_H

#include "check/finding.h"

/* Judges the whole run. check_report_deinit() frees it; the run must outlive it. */
void check_judge(const struct check_run *run, struct check_report *ret_report);
/* check_judge_unknown() for all groups of a report that was judged otherwise. */
void check_report_judge_unknown(struct check_report *report);
/* Where the run was interrupted, that is the result, whatever was judged. */
void check_report_interrupted(struct check_report *report);
void check_report_deinit(struct check_report *report);

#endif

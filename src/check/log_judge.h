/* Judges what agents and servers logged. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_JUDGE_H
#define GRPCROUTE_CHECK_LOG_JUDGE_H

#include "check/log_collect.h"

/* Judges the versions of the plan: each needs one opened stream and plan->messages answers. What
 * servers say of agents that have no log of their own here (probes, agents elsewhere) counts only
 * when there is no agent's log at all: nobody knows what those wanted. Once; check_report_deinit()
 * frees the report. */
void check_logs_verify(struct check_logs *logs, struct check_report *ret_report);

/* Judges each agent whose id begins with `prefix`: it never moved within a stream, and was answered
 * plan->messages times on one. Adds a group and a stream for each to the plan. */
void check_logs_sticky(const struct check_logs *logs, const char *prefix,
                       struct check_report *ret_report);

#endif

/* The split of a run: its streams counted, its verdict as findings and words. Inside check/
 * only; pure. */
#ifndef GRPCROUTE_CHECK_SPLIT_COUNT_H
#define GRPCROUTE_CHECK_SPLIT_COUNT_H

#include "check/explain.h"

/* How many judgements the version groups of the plan take together. */
size_t check_split_judgements(const struct check_plan *plan);

/* Fills report->splits and adds findings of CHECK_SPLIT to the groups, which have been judged. */
void check_judge_splits(struct check_report *report);

/* "server-v1 263 of 290 (90.7 %, expected 90.0 %, interval 84.5 to 95.0 %), server-v2 ...", and
 * what would have shown. */
void check_explain_split(struct sentence *sentence, const struct split *split);
void check_explain_split_power(struct sentence *sentence, const struct split *split);
/* The same of the streams that were held: "server-v1 260 of 288 (90.3 %), ..." */
void check_explain_split_live(struct sentence *sentence, const struct split *split);

#endif

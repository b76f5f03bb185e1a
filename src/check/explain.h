/* The sentences of a verdict: each writes one finding's text. Inside check/ only; pure.
 *
 * All names come from check_names_text() or are escaped here, so the texts are printable ASCII. */
#ifndef GRPCROUTE_CHECK_EXPLAIN_H
#define GRPCROUTE_CHECK_EXPLAIN_H

#include "check/facts.h"
#include "check/finding.h"
#include "check/sentence.h"

/* Which streams of a group show a fact, how often, and the first of them as the example. */
struct check_tally {
    uint64_t count;
    size_t stream;            /* CHECK_NONE when `count` is 0 */
    struct check_facts facts; /* of that stream */
};

/* "v2 (10 of 50 messages, pods server-v2-a, server-v2-b)" for the versions that `expect` does not
 * allow, or for all when it is NULL. Returns how many messages those are. */
uint64_t check_explain_answers(struct sentence *sentence, const struct check_run *run,
                               const struct check_verdict *verdict,
                               const struct role_expectation *expect);

void check_explain_isolation(struct sentence *sentence, const struct check_run *run,
                             const struct check_verdict *verdict,
                             const struct check_tally *metadata, const struct check_tally *foreign);
void check_explain_stickiness(struct sentence *sentence, const struct check_run *run,
                              const struct check_verdict *verdict, const struct check_tally *moved);
void check_explain_order(struct sentence *sentence, const struct check_run *run,
                         const struct check_verdict *verdict, const struct check_tally *reordered);
void check_explain_loss(struct sentence *sentence, const struct check_run *run,
                        const struct check_verdict *verdict, const struct check_tally *lost);
void check_explain_duplication(struct sentence *sentence, const struct check_run *run,
                               const struct check_verdict *verdict,
                               const struct check_tally *duplicated);

/* How one stream ended before it was done: "ended after 2 of 5 messages: UNAVAILABLE: no healthy
 * upstream". */
void check_explain_end(struct sentence *sentence, const struct check_run *run, size_t stream);

#endif

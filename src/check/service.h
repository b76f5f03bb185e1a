/* What can be said of a service that is not PingPong (--method), and how. Inside check/ only; pure.
 */
#ifndef GRPCROUTE_CHECK_SERVICE_H
#define GRPCROUTE_CHECK_SERVICE_H

#include "check/finding.h"
#include "check/sentence.h"

/* A silence of so long on a bidirectional stream whose messages are out: no further answers are
 * waited for. */
#define CHECK_QUIET_MS 1000

/* Messages that one stream of the plan sends, over all its calls. */
uint64_t check_service_sends(const struct check_plan *plan);
/* Answers after which a stream is done. */
uint64_t check_service_wants(const struct check_plan *plan);
/* A stream that the server ended with OK before that is done, too, if it was answered. */
bool check_service_is_done(const struct check_plan *plan, const struct check_observation *seen);

/* What a service does not tell of a stream: a bit per check_kind. */
unsigned check_service_unchecked(const struct check_plan *plan,
                                 const struct check_observation *seen);

/* "; not checked: order, loss" for the line of what passed. */
void check_service_add_unchecked(struct sentence *sentence, unsigned unchecked);

/* The words for such a set: "order, loss: only PingPong tells". */
void check_service_explain_unchecked(struct sentence *sentence, const struct check_plan *plan,
                                     unsigned unchecked);

/* "7 of 20 answers do not name their server: no header x-up, but server, date", where that keeps a
 * group's version open. Returns how many answers those are. */
uint64_t check_service_explain_unnamed(struct sentence *sentence, const struct check_run *run,
                                       size_t group);

/* Why nothing is known of the pods of a stream's messages; for a group whose stickiness is not
 * checked. */
void check_service_explain_pods(struct sentence *sentence, const struct check_run *run,
                                size_t group);

/* How a stream ended before it was done. */
void check_service_explain_end(struct sentence *sentence, const struct check_run *run,
                               const struct check_observation *seen);

#endif

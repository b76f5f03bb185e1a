/* From samples to findings. Pure. */
#ifndef GRPCROUTE_LIMITS_JUDGE_H
#define GRPCROUTE_LIMITS_JUDGE_H

#include "limits/finding.h"
#include "limits/told.h"

/* Two samples agree that differ by no more than this, or this share of the larger, or what they may
 * be off themselves. */
#define LIMITS_AGREE_MS      500
#define LIMITS_AGREE_PERCENT 3
/* Those of a limit that varies by itself, and says what it is. */
#define LIMITS_JITTER_PERCENT 25
/* Ends at the two sides of a stream that lie no farther apart are one: a hop that cuts both ways,
 * or hands on what it heard. */
#define LIMITS_AT_ONCE_MS 1500

bool limits_judge_agree(uint64_t a, uint64_t b, uint64_t resolution);

/* Who ended a sample of time, from what its server said; `told` NULL: it was not asked. */
enum limits_side limits_judge_side(const struct limits_sample *sample,
                                   const struct limits_told *told);

/* What the samples of a finding of time say together: its state, value, resolution, looked, side,
 * look and why. */
void limits_judge_times(struct limits_finding *finding);

/* The same of requests that were asked one after the other, at two paces; values are requests. */
void limits_judge_requests(struct limits_finding *finding);

/* Behind limits_judge_times(): ends of connections whose ages disagree, and whose numbers of
 * requests, asked at two paces, do not, are told as a limit on these. A call that failed on a
 * connection that lives leaves its age not measured. */
void limits_judge_paced(struct limits_finding *finding, const uint64_t requests[LIMITS_SAMPLES]);

/* PINGs of one interval, on as many connections as there are samples. */
struct limits_pinged {
    uint64_t interval_ns;
    uint64_t sent[LIMITS_SAMPLES]; /* PINGs */
    bool refused[LIMITS_SAMPLES];  /* the connection was ended for them */
    bool measured[LIMITS_SAMPLES]; /* the connection was not lost before more were sent than a
                                      policy forgives */
    struct limits_sample samples[LIMITS_SAMPLES];
};

/* PINGs that say nothing if they are not refused: the first has none before it, two are forgiven,
 * and what a server sends at first takes back what it held against them (gRFC A8). */
#define LIMITS_PINGS_FORGIVEN 5

/* Which intervals are taken, by increasing interval. Fills the finding. */
void limits_judge_pings(struct limits_finding *finding, const struct limits_pinged *pinged,
                        size_t count);

/* What the probe service of the server refused because others use it, too, says nothing of the
 * path: not measured. Of all findings, before limits_judge_explain(). */
void limits_judge_busy(struct limits_finding findings[static LIMITS_SHAPES]);

/* Where no hop is between: what the server alone can have sent is told as its own. Of all findings,
 * behind limits_judge_explain(). */
void limits_judge_direct(struct limits_finding findings[static LIMITS_SHAPES]);

/* Ends that the limit of another shape explains are told as that one's. Of all findings, once each
 * is judged. */
void limits_judge_explain(struct limits_finding findings[static LIMITS_SHAPES]);

#endif

/* The judge of facts: what arrived of what was sent, case by case. Pure. */
#ifndef GRPCROUTE_LIMITS_FACTS_H
#define GRPCROUTE_LIMITS_FACTS_H

#include "limits/finding.h"

#define LIMITS_CASES_MAX  20
#define LIMITS_CASE_BYTES 96

/* What is later than that did not arrive as sent: who waits for it holds what it should free. */
#define LIMITS_LATE_MS 2000

struct limits_case {
    char sent[LIMITS_CASE_BYTES]; /* "NOT_FOUND" */
    char got[LIMITS_CASE_BYTES];  /* "UNKNOWN"; escaped */
    bool same;
    bool timed; /* `late_ns` is known */
    uint64_t late_ns;
};

struct limits_cases {
    struct limits_case cases[LIMITS_CASES_MAX];
    size_t count;
    char unknown[LIMITS_CASE_BYTES]; /* why one cannot be judged, escaped; "": all can be */
};

/* Adds a case; `got` is cut, and escaped already. Too many are dropped. */
void limits_cases_add(struct limits_cases *cases, const char *sent, const char *got, bool same);
/* Of the last one: when it arrived; what is later than LIMITS_LATE_MS is not the same. */
void limits_cases_late(struct limits_cases *cases, uint64_t late_ns);

/* One cannot be judged, as the server could not be asked what it saw: then nothing is. `why` is
 * cut, and escaped already. */
void limits_cases_unknown(struct limits_cases *cases, const char *why);

/* Not opened where one is unknown. Value: how many arrived as sent; `saw`: those that did not, as
 * what, and how late the latest was. */
void limits_cases_sample(const struct limits_cases *cases, struct limits_sample *sample);

/* Judges a fact by samples whose value is `looked` where it holds, and less where it does not. One
 * alone leaves it unmeasured. */
void limits_facts_judge(struct limits_finding *finding);

#endif

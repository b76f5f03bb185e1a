/* Whether new streams are shared out among backends as the routes' weights say. Pure: counts in, a
 * verdict out.
 *
 * A backend is known by the version of its servers, so those of one version are one part, whose
 * weights add up. A part's share is wrong when the exact binomial test rules it out. All the
 * judgements of a run share its chance of a false alarm, SPLIT_ALARM: each gets an equal piece
 * (Bonferroni). Two parts are one judgement, as what one lacks the other has. A proxy that takes
 * the backends in turn splits more evenly than chance: it passes all the more. */
#ifndef GRPCROUTE_CHECK_SPLIT_H
#define GRPCROUTE_CHECK_SPLIT_H

#include "role/expect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a false alarm, in a whole run: half of the 1 % that is promised, so that a thousand runs
 * keep to it, too. */
#define SPLIT_ALARM 0.005
/* With which an error that matters must be found ... */
#define SPLIT_POWER 0.99
/* ... and for which streams are planned, so that a few may be lost. */
#define SPLIT_POWER_PLANNED 0.996
/* More streams than this no plan is for. */
#define SPLIT_STREAMS_MAX 1000000
#define SPLIT_NAMES_BYTES 256

struct split_part {
    char names[SPLIT_NAMES_BYTES]; /* of its backends: "server-v1", "blue + green" */
    bool merged;                   /* several backends */
    uint64_t weight;
    uint32_t versions; /* of its servers: a bit for each of the expectation's */
    double expected;   /* share, 0 to 1 */
    uint64_t streams;  /* to be counted in before it is judged */
    uint64_t live;     /* of those that were held and live at the end */
    /* By split_judge(): */
    double low; /* shares that the count does not contradict */
    double high;
    double found_below; /* a true share that far down (up) would have been found; */
    double found_above; /* below 0 (above 1): none would */
    bool wrong;
};

enum split_result {
    SPLIT_RIGHT,
    SPLIT_WRONG,
    SPLIT_TOO_FEW, /* nothing is wrong, but an error of the size asked for need not have shown */
};

struct split {
    struct split_part parts[ROUTE_BACKENDS_MAX];
    size_t part_count;
    uint64_t streams; /* new ones that were answered, by whomever; to be counted in */
    uint64_t unanswered;
    uint64_t live;
    double resolution; /* the error that must be found, of any share */
    double alpha;      /* of a false alarm in one judgement */
    enum split_result result;
    uint64_t needed; /* streams for SPLIT_TOO_FEW */
};

/* The parts of what the routes say of a version: none where they do not say. */
void split_init(struct split *split, const struct role_expectation *expect);

/* How many judgements it takes: none for one part, as a stream elsewhere is a misroute anyway. */
size_t split_judgements(const struct split *split);

/* New streams for an error of `resolution` (0 to 1), or of the whole smallest share where that
 * is less, to be found with SPLIT_POWER_PLANNED, in a run of so many judgements;
 * SPLIT_STREAMS_MAX for more than that. */
uint64_t split_streams_needed(const struct split *split, size_t judgements, double resolution);

/* Judges what was counted, in a run of so many judgements (at least those of this one). */
void split_judge(struct split *split, size_t judgements, double resolution);

#endif

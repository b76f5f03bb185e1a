/* What a bench has seen. */
#ifndef GRPCROUTE_BENCH_RESULT_H
#define GRPCROUTE_BENCH_RESULT_H

#include "base/histogram.h"
#include "bench/setup.h"
#include "role/expect.h"

#define BENCH_CAUSES_MAX  16 /* the last one takes all further causes */
#define BENCH_CAUSE_BYTES 256
#define BENCH_SECONDS_MAX 7200 /* of the time line; longer runs count on without it */

struct bench_cause {
    char text[BENCH_CAUSE_BYTES]; /* escaped */
    uint64_t count;
};

/* One second of the time line, counted by when answers came. */
struct bench_second {
    uint64_t answered;
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t length_ns; /* less than a second where the load ended */
};

/* What a process used while the load counted. */
struct bench_cost {
    pid_t pid;
    bool ended; /* before the load did: the figures below tell nothing */
    double cpu_seconds;
    uint64_t memory_kib;      /* PSS at the end */
    int64_t idle_streams_kib; /* PSS with all streams open and idle, minus before; may be noise */
};

/* A version of which nothing says who must answer it. */
struct bench_unchecked {
    char version[CLI_AGENT_VERSION_BYTES];
    char reason[ROLE_REASON_BYTES]; /* escaped */
};

struct bench_result {
    struct bench_setup setup;
    struct bench_unchecked unchecked[BENCH_VERSIONS_MAX];
    size_t unchecked_count;
    uint64_t seconds_ns; /* that counted */

    /* Of messages that were due (open loop) or sent (closed loop) in that time. */
    uint64_t sent;
    uint64_t answered;
    uint64_t unanswered;       /* in `latency` with the time they had waited at the end */
    uint64_t lost;             /* their stream ended before the answer */
    struct histogram latency;  /* from due (open loop) or sent (closed loop) to answered */
    struct histogram lateness; /* open loop: from due to sent, where the stream was free */

    /* Of all messages, those that open a stream and the warm-up's included. */
    uint64_t misrouted; /* answered by another version than asked for */
    uint64_t moved;     /* answered by another server than the stream's first */
    uint64_t disordered;
    uint64_t unsequenced; /* answers that do not say which message they are to: in any order */
    uint64_t unplaced;    /* answers that do not name their pod: nobody sees a stream move */

    uint64_t streams_opened;
    uint64_t unopened; /* that were asked for and never answered their first message */
    uint64_t reopened;
    uint64_t left_open;       /* by the server, after they were half-closed */
    uint64_t planned;         /* ended as planned, and opened again as they were asked to be */
    uint64_t withdrawn;       /* messages that such an end left unseen: `sent` when sent again */
    uint64_t sent_again;      /* calls that the server had not processed, each time */
    uint64_t opening_ns;      /* from the first connection to the last stream's first answer */
    struct histogram opening; /* per stream: call to first answer */

    struct bench_cause causes[BENCH_CAUSES_MAX]; /* why connections and streams ended */
    size_t cause_count;

    double driver_cpu_seconds;  /* of all drivers */
    double busiest_cpu_seconds; /* of the one that used most: each must keep up by itself */
    struct bench_cost costs[BENCH_PIDS_MAX];

    struct bench_second *timeline; /* owned */
    size_t timeline_count;
    uint64_t *reports; /* owned: marks of the reports that this is made of */
    size_t report_count;
    int interrupted_by; /* signal number, or 0 */
    bool unlike;        /* merged from loads that were not alike */
    bool holds_invalid; /* a load that was merged was not valid */
    bool cut_short;     /* read from a report: that load was interrupted */
};

/* Counts `count` more ends for this reason, escaped; reasons beyond the last count as "other". */
void bench_count_cause(struct bench_result *result, const char *text, uint64_t count);

/* Notes a version that is not checked, once. */
void bench_add_unchecked(struct bench_result *result, const char *version, const char *reason);

/* Whether what the counter at `offset` of the result counts could not be seen in all answers, so
 * that 0 says nothing: misroutes where nothing says who must answer, moves without names of pods,
 * order without numbers. False for counters that are always seen. */
bool bench_is_blind(const struct bench_result *result, size_t offset);

uint64_t bench_errors(const struct bench_result *result);

/* Why the driver could not keep up, or NULL. */
const char *bench_driver_fault(const struct bench_result *result);

/* Why the figures are not to be trusted, or NULL: that, or nothing was answered. */
const char *bench_invalid(const struct bench_result *result);

/* Whether the two did the same, however much of it; versions in the same order. */
bool bench_is_alike(const struct bench_setup *a, const struct bench_setup *b);

/* Whether there is a report that both are made of, so that it would count twice. */
bool bench_shares_report(const struct bench_result *a, const struct bench_result *b);

/* Adds another machine's result of the same setup; time lines are added second by second. */
void bench_merge(struct bench_result *into, const struct bench_result *from);

void bench_result_deinit(struct bench_result *result);

#endif

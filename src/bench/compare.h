/* Two results side by side. Pure, but for what is printed. */
#ifndef GRPCROUTE_BENCH_COMPARE_H
#define GRPCROUTE_BENCH_COMPARE_H

#include "bench/result.h"

#include <stdio.h>

struct cJSON;

/* What decides unless --metric names others. Quantiles further out rest on too few messages of a
 * usual run to be compared by a percentage. */
#define COMPARE_METRICS "p50,p99,rate,errors,unopened,lost,unanswered,misrouted,moved,cpu"
/* A quantile that fewer messages lie beyond is told as uncertain. */
#define COMPARE_SAMPLES_MIN 100
#define COMPARE_ROWS        40

struct bench_compare_row {
    char name[32]; /* a metric, or "cpu": us per message of a process */
    const char *unit;
    double before;
    double now;
    double ratio;
    bool decides;
    bool worse;           /* decides, and is worse by more than the tolerance */
    bool missing;         /* decides, and one of the two has nothing of it */
    bool before_is_blind; /* no figure: nothing of it could be seen, or was measured */
    bool now_is_blind;
    uint64_t rests_on; /* quantiles: messages beyond it in the smaller result; else 0 */
    bool is_uncertain; /* a quantile that rests on too few */
};

struct bench_comparison {
    struct bench_compare_row rows[COMPARE_ROWS];
    size_t row_count;
    unsigned worse;
    unsigned missing;
    double tolerance; /* a fraction, e.g. 0.1 */
    bool other_load;  /* the two were not loaded alike */
};

/* `metrics`: names with commas between them. Returns 0, or 1 when one is unknown, and then a copy
 * of it is in `ret_unknown`. */
int bench_compare_check_metrics(const char *metrics, char ret_unknown[static 32]);

/* `metrics` must be good. */
void bench_compare_results(const struct bench_result *before, const struct bench_result *now,
                           const char *metrics, double tolerance, struct bench_comparison *ret);

#define COMPARE_FIGURE_BYTES 32

/* A figure of a row as people read it: `out`, or "not checked" of a count and "-" of another. */
const char *bench_compare_figure(const struct bench_compare_row *row, double value, bool is_blind,
                                 char out[static COMPARE_FIGURE_BYTES]);

/* "ok", "worse", "missing", or "not judged". */
const char *bench_compare_row_word(const struct bench_compare_row *row);

void bench_compare_print_text(FILE *out, const struct bench_comparison *comparison);

/* The figures as an object, owned by the caller, or added to one. */
struct cJSON *bench_compare_to_json(const struct bench_comparison *comparison);
void bench_compare_add_json(struct cJSON *object, const struct bench_comparison *comparison);

#endif

/* Between the text of a report and its result. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_REPORT_FILE_H
#define GRPCROUTE_BENCH_REPORT_FILE_H

#include "bench/report.h"

#include <cJSON.h>

/* The value of "format" in every report, which no other text has. */
#define REPORT_FORMAT "grpcroute-bench-1"

/* Adds what a report says beside its envelope. */
void bench_report_add_json(cJSON *root, const struct bench_result *result);

/* The object that bench_report_from_json() reads; owned by the caller. */
cJSON *bench_report_to_json(const struct bench_result *result);

/* Returns 0, or 1 when it is no report; bench_result_deinit() in both cases. */
int bench_report_from_json(const cJSON *root, struct bench_result *ret);

#endif

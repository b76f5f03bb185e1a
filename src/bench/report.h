/* A result as text, and as JSON that can be read back. */
#ifndef GRPCROUTE_BENCH_REPORT_H
#define GRPCROUTE_BENCH_REPORT_H

#include "bench/result.h"

#include <stdio.h>

#define REPORT_REASON_BYTES 160

void bench_report_text(FILE *out, const struct bench_result *result);

/* One object; the histograms are in it. */
void bench_report_json(FILE *out, const struct bench_result *result);

/* Reads what bench_report_json() wrote, from standard input for "-". Several reports, as in the
 * logs of several pods, are added up, each line behind a prefix or not, in UTF-8 or UTF-16; what is
 * between them is passed over, but no report is. Returns 0 with an initialised result, or with a
 * sentence in `reason` the exit code: EXIT_USAGE, or that of an interruption. */
int bench_report_read(const char *path, struct bench_result *ret,
                      char reason[static REPORT_REASON_BYTES]);

#endif

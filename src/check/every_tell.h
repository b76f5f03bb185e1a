/* What continuous verification prints. Inside check/ only. */
#ifndef GRPCROUTE_CHECK_EVERY_TELL_H
#define GRPCROUTE_CHECK_EVERY_TELL_H

#include "check/every_stats.h"
#include "cli/common.h"

#include <stdio.h>

/* Enough to tell two verdicts apart: the result of the run and of each of its checks. */
#define EVERY_KEY_BYTES 4096

void every_key(const struct check_report *report, char out[static EVERY_KEY_BYTES]);

/* One line, as text or as a JSON object. */
void every_tell_run(FILE *out, enum cli_output output, uint64_t run,
                    const struct check_report *report);

/* --json-file, which holds the last run as `verify` without --every would tell it. */
void every_write_run(const struct check_report *report, uint64_t started_ns,
                     const struct cli_output_options *outputs);

/* The last words: how many runs there were, and what they said. Returns the exit code. */
int every_tell_end(const struct every_stats *stats, const char *target, int exit_code,
                   const struct cli_output_options *outputs);

#endif

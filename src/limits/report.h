/* What a run has to tell in the end: what was found, whether a contract is kept, and what follows
 * from both. Pure. */
#ifndef GRPCROUTE_LIMITS_REPORT_H
#define GRPCROUTE_LIMITS_REPORT_H

#include "limits/contract.h"
#include "limits/finding.h"

#define LIMITS_MESSAGE_BYTES 1400

struct limits_report {
    const struct limits_result *result;     /* borrowed, as the next */
    const struct limits_contract *contract; /* NULL: none was given */
};

/* A finding of a limit is no fault: 0 unless a contract is broken (1) or was not checked in full,
 * or nothing was measured at all (4), there was no connection (3), or a signal ended the run. */
int limits_report_exit_code(const struct limits_report *report);

/* How long was looked for limits of time: shorter in a run that was stopped, 0 where none was
 * measured. */
uint64_t limits_report_looked_ns(const struct limits_result *result);

/* One sentence, escaped. Returns `out`. */
const char *limits_report_message(const struct limits_report *report,
                                  char out[static LIMITS_MESSAGE_BYTES]);

#endif

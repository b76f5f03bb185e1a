/* What a service needs of its path, as people write it down: a promise a line.
 *
 *   idle >= 10m                     # as long as our quietest stream
 *   streams_per_connection >= 500
 *   message_up >= 4MiB
 *   ping_interval <= 10s
 *   headers_first = yes
 *
 * All lines are read before anything is measured. */
#ifndef GRPCROUTE_LIMITS_CONTRACT_H
#define GRPCROUTE_LIMITS_CONTRACT_H

#include "limits/finding.h"
#include "limits/text_file.h"

#define LIMITS_PROMISE_BYTES 64

struct limits_promise {
    enum limits_shape shape;
    unsigned line;
    uint64_t value; /* ns, bytes or count, at least; where less is better, at most; 1 for facts */
    char text[LIMITS_PROMISE_BYTES]; /* "idle >= 10m" */
};

struct limits_contract {
    const char *path;                              /* borrowed */
    struct limits_promise promises[LIMITS_SHAPES]; /* a shape has one at most */
    size_t count;                                  /* at least 1 */
};

/* Returns 0, or an exit code with "FILE:LINE: what is wrong, and what to write" in `reason`,
 * without a byte that has no place on a terminal. `path` is borrowed by the contract; "-" is
 * standard input. */
int limits_contract_read(const char *path, struct limits_contract *ret,
                         char reason[static LIMITS_REASON_BYTES]);

/* The same for a text that was read. */
int limits_contract_parse(const char *path, const char *text, size_t len,
                          struct limits_contract *ret, char reason[static LIMITS_REASON_BYTES]);

/* How long a run must look for all promises of it to be checked, in ns; 0: any will do. */
uint64_t limits_contract_within_ns(const struct limits_contract *contract);

/* ---- verdicts -------------------------------------------------------------------------------- */

enum limits_verdict {
    LIMITS_KEPT,
    LIMITS_BROKEN,
    LIMITS_NOT_CHECKED, /* which is not good, either */
};

/* "kept", "broken", "not_checked". */
const char *limits_verdict_name(enum limits_verdict verdict);

/* Whether what was found keeps the promise, with the evidence in `why`: a phrase, escaped. */
enum limits_verdict limits_promise_judge(const struct limits_promise *promise,
                                         const struct limits_result *result,
                                         char why[static LIMITS_TEXT_BYTES]);

/* How many have this verdict. */
size_t limits_contract_count(const struct limits_contract *contract,
                             const struct limits_result *result, enum limits_verdict verdict);

#endif

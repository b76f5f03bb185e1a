/* How findings are put into words, for every form of a result. Pure. */
#ifndef GRPCROUTE_LIMITS_WORDS_H
#define GRPCROUTE_LIMITS_WORDS_H

#include "limits/finding.h"

#define LIMITS_VALUE_BYTES 32
#define LIMITS_FOUND_BYTES 96

/* Whether the smaller value is the more tolerant path: the interval of PINGs that is taken, and
 * what is held for a slow reader. */
bool limits_less_is_better(enum limits_shape shape);

/* Whether something ended, was refused or did not arrive as sent: what is more than a measure. */
bool limits_is_notable(const struct limits_finding *finding);

/* "5.01s ± 500ms", "none within 1m30s", "none up to 4.00 MiB", "10.0s, not 5.00s", "not even
 * every 30.0s", "yes", "not measured"; "+-" without UTF-8. Returns `out`. */
const char *limits_found_text(const struct limits_finding *finding, bool utf8,
                              char out[static LIMITS_FOUND_BYTES]);

/* Who ended it: limits_side_text(), "by age_stream", or "" where nothing ended. `out` is for the
 * second. */
const char *limits_ended_by_text(const struct limits_finding *finding,
                                 char out[static LIMITS_FOUND_BYTES]);

/* "open", "trailers", "http", "reset", "cut", "connection", "goaway", "untold",
 * "dead", "broken", "here". */
const char *limits_end_name(enum limits_end end);

/* A sample that lived when it was not looked at any more: its value is what it reached at least. */
bool limits_sample_lives(const struct limits_sample *sample);

#endif

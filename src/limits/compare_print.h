/* The forms of a comparison (cli/result.h). */
#ifndef GRPCROUTE_LIMITS_COMPARE_PRINT_H
#define GRPCROUTE_LIMITS_COMPARE_PRINT_H

#include "limits/compare.h"
#include "limits/file.h"
#include "limits/report.h"

#include <stdio.h>

struct cJSON;

struct limits_pair {
    const struct limits_file *before; /* borrowed, as the next */
    const struct limits_file *now;
    struct limits_comparison comparison;
};

/* 0 nothing is worse; 1 something is; 4 something could not be compared. */
int limits_pair_exit_code(const struct limits_pair *pair);
/* One sentence, escaped. Returns `out`. */
const char *limits_pair_message(const struct limits_pair *pair,
                                char out[static LIMITS_MESSAGE_BYTES]);

/* `pair` is a struct limits_pair. */
void limits_pair_print_text(FILE *out, const void *pair);
void limits_pair_print_json(struct cJSON *object, const void *pair);
void limits_pair_print_markdown(FILE *out, const void *pair);
void limits_pair_print_junit(FILE *out, const void *pair); /* a case for each shape */

#endif

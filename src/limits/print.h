/* The forms of a result (cli/result.h). */
#ifndef GRPCROUTE_LIMITS_PRINT_H
#define GRPCROUTE_LIMITS_PRINT_H

#include <stdio.h>

struct cJSON;

/* The value of "format" in every result, by which `limits compare` knows one. */
#define LIMITS_FORMAT "grpcroute-limits-1"

/* `report` is a struct limits_report. */
void limits_print_text(FILE *out, const void *report);
void limits_print_json(struct cJSON *object, const void *report);
void limits_print_markdown(FILE *out, const void *report);
void limits_print_junit(FILE *out, const void *report); /* a case for each shape and promise */
void limits_print_page(FILE *out, const void *report);  /* with a timeline of each shape */

#endif

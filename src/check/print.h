/* A report for people, for programs, and for CI. Each is a function over one struct; no judging
 * here. */
#ifndef GRPCROUTE_CHECK_PRINT_H
#define GRPCROUTE_CHECK_PRINT_H

#include "check/finding.h"

#include <stdio.h>

/* "verify" or "sticky-test". */
const char *check_command_name(enum check_command command);

/* sticky-test: the line before the first ping. */
void check_print_begin(FILE *out, const struct check_plan *plan);

/* Lines for people. CHECK_NOT_CONNECTED prints nothing: the command says it on standard error. */
void check_print_text(FILE *out, const void *report /* struct check_report */);

/* The sentence that ends the text, or why there was no connection. Returns `out`. */
const char *check_summary(const struct check_report *report, char *out, size_t out_bytes);

struct cJSON;
/* Adds the report to the envelope. */
void check_print_json(struct cJSON *object, const void *report);

/* JUnit XML as CI servers read it: one test case per group; no evidence, no connection and an
 * interruption are errors, not failures; what could not be checked stands in system-out. */
void check_print_junit(FILE *out, const void *report);

/* A table: what was expected, who answered, and what is wrong. */
void check_print_markdown(FILE *out, const void *report);

/* A page with a picture: versions to pods. */
void check_print_page(FILE *out, const void *report /* struct check_report */);

/* "metadata isolation, order, loss: server sends no extension fields" for a mask of
 * verdict->unchecked of a run with this plan, which must not be 0. Returns `out`. */
char *check_unchecked_text(const struct check_plan *plan, unsigned unchecked, char *out,
                           size_t out_bytes);

#endif

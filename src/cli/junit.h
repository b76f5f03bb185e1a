/* JUnit XML, as continuous integration reads it: one suite, a case for each thing that was checked.
 * */
#ifndef GRPCROUTE_CLI_JUNIT_H
#define GRPCROUTE_CLI_JUNIT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli_junit_suite {
    const char *command; /* "verify" */
    const char *target;
    size_t tests;
    size_t failures;
    size_t errors;
};

enum cli_junit_result { CLI_JUNIT_PASSED, CLI_JUNIT_FAILURE, CLI_JUNIT_ERROR };

/* The suite's time is that of the result that is told. All texts may hold any bytes; what is not
 * UTF-8, a control character, or has no place in XML becomes "?". Cases have no time of their own:
 * they run side by side. */
void cli_junit_begin(FILE *out, const struct cli_junit_suite *suite);
void cli_junit_case_begin(FILE *out, const struct cli_junit_suite *suite, const char *name);
/* At most one in a case, before its output. `type` is a short word, `text` the sentence. */
void cli_junit_problem(FILE *out, enum cli_junit_result result, const char *type, const char *text);
/* Lines for system-out; NULL or "": none. */
void cli_junit_output(FILE *out, const char *lines);
void cli_junit_case_end(FILE *out);
void cli_junit_end(FILE *out);

#endif

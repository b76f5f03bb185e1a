/* What is said of options and exit codes, in help and manual pages. */
#ifndef GRPCROUTE_CLI_DESCRIBE_H
#define GRPCROUTE_CLI_DESCRIBE_H

#include "cli/options.h"

#define CLI_SENTENCE_BYTES 512

/* Writes the option's sentence and, in brackets, choices, limits, default and environment. */
void cli_describe_option(const struct cli_option *option, char out[static CLI_SENTENCE_BYTES]);

struct cli_exit_code {
    const char *codes; /* "0", or several: "129, 130, 143" */
    const char *meaning;
};

extern const struct cli_exit_code cli_exit_codes[]; /* ends with an empty one */

#endif

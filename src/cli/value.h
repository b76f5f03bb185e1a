/* From the text of an option's value to the field of the options struct. */
#ifndef GRPCROUTE_CLI_VALUE_H
#define GRPCROUTE_CLI_VALUE_H

#include "cli/options.h"

#define CLI_EXPECTED_BYTES 256
#define CLI_RANGE_BYTES    64

/* Parses `text` into the option's field of `options`, which borrows it. Returns 0, or 1 with a
 * phrase in `ret_expected` ("a whole number from 1 to 100"); then the field is unchanged. */
int cli_value_set(const struct cli_option *option, const char *text, void *options,
                  char ret_expected[static CLI_EXPECTED_BYTES]);

/* Writes the limits of a count or duration as "1 to 100" or "at least 1"; "" when it has none. */
void cli_value_range(const struct cli_option *option, char out[static CLI_RANGE_BYTES]);

#endif

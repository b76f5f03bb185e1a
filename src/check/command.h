/* The checks a user types: `verify` and `sticky-test`. */
#ifndef GRPCROUTE_CHECK_COMMAND_H
#define GRPCROUTE_CHECK_COMMAND_H

#include "cli/options.h"

/* Accuracy and isolation of the proxy at --target, one line per agent version. */
extern const struct cli_command verify_command;
/* All messages of a stream are answered by one pod. */
extern const struct cli_command sticky_test_command;

#endif

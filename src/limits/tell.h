/* The end of `grpcroute limits`: tells what was found, in every form that was asked for. */
#ifndef GRPCROUTE_LIMITS_TELL_H
#define GRPCROUTE_LIMITS_TELL_H

#include "cli/common.h"
#include "limits/report.h"

/* Writes the files, then standard output. Returns the exit code of the command. */
int limits_tell(const struct limits_report *report, const struct cli_output_options *outputs);

#endif

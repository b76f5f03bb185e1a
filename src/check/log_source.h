/* Where logs come from: a file, standard input, or kubectl. */
#ifndef GRPCROUTE_CHECK_LOG_SOURCE_H
#define GRPCROUTE_CHECK_LOG_SOURCE_H

#include "check/log_session.h"

/* Feeds all of a source to `logs`. Returns 0, or an exit code after a line on standard error:
 * EXIT_USAGE for a file, EXIT_NO_CONNECTION for kubectl. */
int log_source_read(const char *command, const char *source,
                    const struct check_log_options *options, struct check_logs *logs);

#endif

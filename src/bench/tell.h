/* A result in every form that was asked for, in the envelope of all commands (cli/result.h). */
#ifndef GRPCROUTE_BENCH_TELL_H
#define GRPCROUTE_BENCH_TELL_H

#include "bench/page.h"
#include "cli/common.h"

/* Also says on standard error what does not hold, so that JSON stays JSON. Returns the exit code.
 * */
int bench_tell(const struct bench_page *page, const struct cli_output_options *outputs);

#endif

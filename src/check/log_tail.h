/* Lines of ours whose beginning is missing. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_LOG_TAIL_H
#define GRPCROUTE_CHECK_LOG_TAIL_H

#include <stdbool.h>

/* Whether `text` is the end of a line of ours: where files that were cut within a line were put
 * together in another order. */
bool check_log_is_tail(const char *text);

#endif

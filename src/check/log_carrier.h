/* What known carriers put before a line of ours. Behind anything else it stands in somebody's own
 * text, who quotes what a client sent, and a client may send a whole line. Inside check/ only;
 * pure. */
#ifndef GRPCROUTE_CHECK_LOG_CARRIER_H
#define GRPCROUTE_CHECK_LOG_CARRIER_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the first `len` bytes of `text` are what a known carrier puts before a line or an
 * object: times, names of pods and containers, of a syslog, of a file. Nothing is a prefix, too. */
bool check_log_is_prefix(const char *text, size_t len);

/* Likewise before the quote of a string that is a line: a key of JSON, YAML or logfmt, or columns
 * of CSV. */
bool check_log_is_before_string(const char *text, size_t len);

#endif

/* Collects what a proxy's log says of streams, by versions. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_LOG_PROXIED_H
#define GRPCROUTE_CHECK_LOG_PROXIED_H

#include "check/finding.h"
#include "check/log_told.h"

/* What is known of a stream's way. */
enum check_way { CHECK_WAY_RIGHT, CHECK_WAY_WRONG, CHECK_WAY_UNKNOWN };

/* Whether the stream went where agents with the expectation belong. `servers` are those behind its
 * cluster; who answered goes before that. */
enum check_way check_way_of(const struct role_expectation *expect,
                            const struct role_expectation *servers,
                            const struct check_log_event *event);

/* Counts a stream that went that way to an endpoint, or nowhere. */
void check_proxied_add(struct check_proxied *proxied, struct check_names *names, enum check_way way,
                       const struct check_log_event *event);

/* Counts why a stream was refused. */
void check_proxy_log_refuse(struct check_proxy_log *log, const char *reason);

#endif

/* `grpcroute verify --logs`. */
#ifndef GRPCROUTE_CHECK_VERIFY_LOGS_H
#define GRPCROUTE_CHECK_VERIFY_LOGS_H

#include "check/log_session.h"
#include "role/expect.h"

/* What logs are judged by; `method` is that of the streams of a proxy's log, or NULL. As
 * role_expects_init(). */
int verify_logs_expect(struct role_expects *expects, const struct role_expect_options *options,
                       const char *method);

/* Judges the logs by the plan's versions, and by others that occur. Returns the exit code. */
int verify_logs_run(struct check_plan *plan, const struct check_log_options *logs,
                    const struct check_session_options *session, struct role_expects *expects);

#endif

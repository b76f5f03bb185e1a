/* What an agent says: the lines of its log. */
#ifndef GRPCROUTE_AGENT_REPORT_H
#define GRPCROUTE_AGENT_REPORT_H

#include "agent/stream.h"
#include "base/log.h"

/* "Stream opened to HOST:PORT"; `peer` is the address behind the name. */
void report_opened(const struct log_source *source, const char *target, const char *peer);

/* Nothing says which server must answer. */
void report_unchecked(const struct log_source *source, const struct role_expectation *expect);

/* Answers of --method named no server; `why`. */
void report_unnamed(const struct log_source *source, const char *why);

/* "Sent ping". */
void report_ping(const struct log_source *source, uint64_t sequence);

/* "Received pong from server=v1/ID message=pong". */
void report_pong(const struct log_source *source, const struct rpc_ping_response *pong);

/* One warning for each of `findings`, a set of enum agent_finding. */
void report_findings(const struct log_source *source, const struct agent_identity *self,
                     const struct agent_stream *stream, unsigned findings,
                     const struct rpc_ping_response *pong);

/* "WHAT: CAUSE; reconnecting in DELAY"; `reason` is the cause's stable label. */
void report_reconnecting(const struct log_source *source, const char *what, const char *reason,
                         const char *cause, uint64_t delay_ms);

/* The stream was ended as planned, and is opened again at once. */
void report_planned(const struct log_source *source, const char *cause);

/* "Stream closed: CAUSE", for a stream that did not end well and is not opened again. */
void report_closed(const struct log_source *source, const char *reason, const char *cause);

/* The server told us to ping less (gRFC A8). */
void report_too_many_pings(const struct log_source *source, uint64_t keepalive_ms);

#endif

/* The verdict on a failover test, and each of the limits that it is made of. Pure. */
#ifndef GRPCROUTE_FAILOVER_JUDGE_H
#define GRPCROUTE_FAILOVER_JUDGE_H

#include "failover/result.h"

/* Finds out what the run means: once, behind it and before all else here. */
void failover_find(struct failover_result *result);

/* What must hold, and how far it did. */
struct failover_limit {
    const char *metric; /* "gap" */
    const char *unit;   /* "ns", "streams", "messages", "percent", "ratio" */
    char text[40];      /* "spread<=10%" */
    double limit;
    double value;
    bool known; /* else there is not enough evidence for `why` */
    const char *why;
};

/* Frees what the result owns, found or not. */
void failover_result_deinit(struct failover_result *result);

#define FAILOVER_LIMITS_MAX 6

/* Writes those that are asked for. Returns how many. */
size_t failover_limits(const struct failover_result *result,
                       struct failover_limit limits[static FAILOVER_LIMITS_MAX]);
/* EXIT_GOOD, EXIT_CHECK_FAILED or EXIT_NO_EVIDENCE. */
int failover_limit_exit(const struct failover_result *result, const struct failover_limit *limit);
/* "10%", "2.3", "1.20s". Returns `out`. */
#define FAILOVER_LIMIT_BYTES 32
const char *failover_limit_text(const struct failover_limit *limit, double value,
                                char out[static FAILOVER_LIMIT_BYTES]);

/* An exit code: that of a run that did not come to its end; EXIT_CHECK_FAILED when a stream is not
 * back, was silent for too long, was answered by a wrong version, was answered twice or was ended
 * badly, or a limit does not hold; EXIT_USAGE when the command failed; EXIT_NO_EVIDENCE when it is
 * not known who must answer, the fault missed a version or a limit could not be judged; else
 * EXIT_GOOD. */
int failover_exit_code(const struct failover_result *result);

/* The result of one stream: a word. */
const char *failover_stream_result(const struct failover_result *result,
                                   const struct failover_stream *stream);

#define FAILOVER_SUMMARY_BYTES 200

/* The verdict in a sentence; NULL where an error line has said it. */
const char *failover_summary(const struct failover_result *result,
                             char out[static FAILOVER_SUMMARY_BYTES]);

/* How the command of the fault ended, in words: "exit code 127 (the shell did not find it)". */
#define FAILOVER_COMMAND_END_BYTES 96
const char *failover_command_end(const struct failover_result *result,
                                 char out[static FAILOVER_COMMAND_END_BYTES]);

#endif

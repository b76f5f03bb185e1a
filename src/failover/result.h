/* What a failover test has seen, and its verdict. Pure. */
#ifndef GRPCROUTE_FAILOVER_RESULT_H
#define GRPCROUTE_FAILOVER_RESULT_H

#include "failover/history.h"
#include "role/expect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FAILOVER_CAUSE_BYTES 256

/* How the server ended the stream that was half-closed when the test was over. */
enum failover_end {
    FAILOVER_END_NONE, /* there was none, or it was not asked for */
    FAILOVER_END_GOOD, /* with OK */
    FAILOVER_END_BAD,  /* with anything else: `end_cause` */
    FAILOVER_END_OPEN, /* not at all, which is told and not judged */
};

/* One stream from the fault on; gaps are between two answers, or from the last one to the end of
 * the test. */
struct failover_stream {
    char agent_id[FAILOVER_NAME_BYTES];
    const char *version;              /* borrowed */
    const struct role_expectation *expect; /* who must answer it; borrowed */
    char before[FAILOVER_NAME_BYTES]; /* the server that answered last before the stream ended, or
                                         else before the longest gap; escaped */
    char after[FAILOVER_NAME_BYTES];  /* and first after it */
    char cause[FAILOVER_CAUSE_BYTES]; /* why the stream or connection first ended after the fault;
                                         "": it did not */
    uint64_t gap_ns;
    uint64_t sent;
    uint64_t lost;      /* sent and never answered, because their stream ended */
    uint64_t repeated;  /* answers beyond the one that was due */
    uint64_t misrouted; /* answers of a server that is not its own */
    uint64_t unnamed;   /* answers of --method that do not say which server it was */
    char unnamed_why[FAILOVER_CAUSE_BYTES]; /* escaped */
    bool back;          /* answered again after the fault was over */
    struct failover_lanes lanes; /* owned */
    enum failover_end end;
    char end_cause[FAILOVER_CAUSE_BYTES]; /* escaped */
};

struct failover_result {
    const char *target;
    const struct role_service *service; /* borrowed; NULL: PingPong */
    const char *fault; /* the command */
    uint64_t max_gap_ns;
    uint64_t seed; /* that decided which version has which stream */
    uint64_t fault_ns;               /* how long the command ran */
    int fault_exit;                  /* its exit code, or 128 and its signal */
    bool fault_ended;                /* else it did not run, or not to its end */
    struct failover_stream *streams; /* owned */
    size_t stream_count;
    struct failover_history history; /* owned */
    uint64_t interval_ns;            /* between the pings of a stream */
    int run_exit;                    /* of failover_run(): why the test ended before it was over, or 0 */
    char reason[FAILOVER_CAUSE_BYTES]; /* why the streams could not be opened, or the command not begun; escaped */
};

/* Whether nothing says which server must answer the stream, or did: only its life is judged. */
bool failover_is_unchecked(const struct failover_stream *stream);
/* Why; for one of those. */
const char *failover_unchecked_why(const struct failover_stream *stream);

/* Whether it ended after the fault, or was silent for longer than max_gap_ns. */
bool failover_is_interrupted(const struct failover_result *result,
                             const struct failover_stream *stream);
/* How many streams were. */
size_t failover_interrupted(const struct failover_result *result);

/* Back in time, from the right version, nothing answered twice, and not ended badly. */
bool failover_is_good(const struct failover_result *result, const struct failover_stream *stream);

/* An exit code: that of a run that did not come to its end; EXIT_CHECK_FAILED when a stream is not
 * back, was silent for too long, was answered by a wrong version, was answered twice or was ended
 * badly; EXIT_USAGE when the command failed; EXIT_NO_EVIDENCE when it is not known who must answer;
 * else EXIT_GOOD. */
int failover_exit_code(const struct failover_result *result);

/* Frees what the streams and the history own. */
void failover_result_deinit(struct failover_result *result);

/* The result of one stream: a word. */
const char *failover_stream_result(const struct failover_result *result,
                                   const struct failover_stream *stream);

#define FAILOVER_SUMMARY_BYTES 160

/* The verdict in a sentence; NULL where an error line has said it. */
const char *failover_summary(const struct failover_result *result,
                             char out[static FAILOVER_SUMMARY_BYTES]);

/* The forms of a result (cli/result.h). */
struct cJSON;
void failover_print_text(FILE *out, const void *result /* struct failover_result */);
void failover_print_json(struct cJSON *object, const void *result);
void failover_print_markdown(FILE *out, const void *result);
void failover_print_junit(FILE *out, const void *result); /* a case for each stream */
void failover_print_page(FILE *out, const void *result);  /* with pictures */

#endif

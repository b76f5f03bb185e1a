/* Judges what agents and servers logged. Filled by events of log_line.h; no I/O. */
#ifndef GRPCROUTE_CHECK_LOG_JUDGE_H
#define GRPCROUTE_CHECK_LOG_JUDGE_H

#include "check/log_line.h"
#include "check/verdict.h"

/* Agents told apart, as their own logs name them; lines of further ones are counted and dropped. */
#define CHECK_LOG_AGENTS 1000
#define CHECK_LOG_PROOF  512

/* One agent version: what its agents' lines and the servers' lines about it say. */
struct check_log_group {
    uint64_t opened; /* streams, by the agents' logs */
    uint64_t pongs;
    uint64_t seen_opened; /* streams, by the servers' logs */
    uint64_t seen_pings;
    uint64_t wrong; /* lines that show a server which does not belong to the version */
    uint64_t mixed; /* lines of servers that give an agent another version than its own log */
    uint64_t moved; /* pongs from another pod than the stream's first */
    char wrong_line[CHECK_LOG_PROOF]; /* the first of each, escaped */
    char mixed_line[CHECK_LOG_PROOF];
    char moved_line[CHECK_LOG_PROOF];
    struct check_answer answers[CHECK_ANSWERS_MAX];
    size_t answer_count;
    uint64_t other_answers;
};

struct check_log_agent {
    uint32_t version; /* numbers in the run's names */
    uint32_t id;
    bool in_stream; /* its "Stream opened" was seen: a log's cut front proves nothing */
    uint32_t pod;   /* of the stream */
    uint32_t pod_version;
    uint64_t streak; /* pongs of the stream */
};

struct check_logs {
    struct check_run *run;          /* borrowed; its plan has the version groups */
    struct check_log_group *groups; /* owned, one per group of the plan */
    struct check_log_agent *agents; /* owned */
    size_t agent_count;
    uint64_t dropped; /* lines of agents beyond CHECK_LOG_AGENTS */
    uint64_t agent_lines;
    uint64_t server_lines;
};

void check_logs_init(struct check_logs *logs, struct check_run *run);
void check_logs_deinit(struct check_logs *logs);

/* Takes an event; a check_log_on_event with the logs as `user`. */
void check_logs_take(void *user, const struct check_log_event *event);

/* Judges the versions of the plan: each needs one opened stream and plan->messages answers.
 * check_report_deinit() frees the report. */
void check_logs_verify(const struct check_logs *logs, struct check_report *ret_report);

#endif

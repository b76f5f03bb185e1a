/* Collects what agents and servers logged, by versions and by agents. Filled by events of
 * log_line.h; no I/O. */
#ifndef GRPCROUTE_CHECK_LOG_COLLECT_H
#define GRPCROUTE_CHECK_LOG_COLLECT_H

#include "check/finding.h"
#include "check/log_line.h"
#include "check/log_proxied.h"

/* Different names (agents, servers, versions) told apart; lines with further ones are counted. */
#define CHECK_LOG_NAMES 100000
/* Versions judged: those of the plan, and others that occur. */
#define CHECK_LOG_GROUPS 128
#define CHECK_LOG_PROOF  512

/* Lines that show a fault: how many, and the first of them, escaped. */
struct check_log_fault {
    uint64_t count;
    char line[CHECK_LOG_PROOF];
};

/* One agent version: what its agents' lines and the servers' lines about it say. */
struct check_log_group {
    bool extra;      /* not asked for: judged, but nothing has to be there */
    uint64_t opened; /* streams, by the agents' logs */
    uint64_t pongs;
    uint64_t seen_opened; /* streams, by the servers' logs */
    uint64_t seen_pings;
    struct check_log_fault wrong;     /* a server that does not belong to the version */
    struct check_log_fault mixed;     /* an agent-id with another version than before */
    struct check_proxied proxied;     /* by a proxy's log */
    struct check_log_fault misrouted; /* a stream that it sent to a wrong endpoint */
    struct check_log_fault moved;     /* an answer from another pod than the stream's first */
    struct check_answer answers[CHECK_ANSWERS_MAX];
    size_t answer_count;
    uint64_t other_answers;
};

/* One agent-id; all numbers are of the run's names. */
struct check_log_agent {
    uint32_t own_version;  /* by its own log; CHECK_NAME_EMPTY: it has none here */
    uint32_t seen_version; /* by servers */
    uint32_t pod;          /* of the stream that runs, or ran last */
    uint32_t pod_version;
    uint64_t streak; /* answers of that stream */
    uint64_t best;   /* of the stream with the most */
    uint32_t best_pod;
    uint32_t best_pod_version;
    struct check_log_fault *moved; /* owned; NULL: never */
    struct check_log_fault
        *seen_wrong; /* owned; it reached a server of another version, by the servers' logs */
    struct check_log_fault *seen_mixed; /* owned; servers saw its id with two versions */
    size_t seen_group;                  /* of seen_wrong and seen_mixed */
};

/* What is expected of a version that was not asked for but occurs; "" is a stream without one. */
typedef struct role_expectation check_log_expect(void *user, const char *version);

/* Which servers are behind a cluster of a proxy; its rule is ROLE_EXPECT_UNKNOWN where nothing says
 * it. */
typedef struct role_expectation check_log_servers(void *user, const char *cluster);

/* What the logs are judged by. */
struct check_log_owner {
    check_log_expect *expect;   /* NULL: what was not asked for is not judged */
    check_log_servers *servers; /* NULL: what a proxy's log says is counted, and not judged */
    const char *path;           /* of the streams that are judged; borrowed */
    const struct check_log_headers *headers; /* in which agents say who they are; NULL: as usual */
    void *user;
};

/* All bytes of a source. */
struct check_log_digest {
    const char *source; /* borrowed */
    uint64_t bytes;
    uint64_t hash; /* base/hash.h */
};

struct check_logs {
    struct check_run *run;
    struct check_plan *plan;             /* the run's */
    const struct check_log_owner *owner; /* borrowed */
    struct check_proxy_log proxy;
    struct check_log_group *groups; /* owned, CHECK_LOG_GROUPS; as the plan's */
    struct check_log_agent *agents; /* owned, CHECK_LOG_NAMES + 2; by the number of the id's name */
    uint64_t dropped;               /* lines with an agent or a server that is one too many */
    struct check_log_unread unread; /* of all sources */
    uint64_t lines;                 /* of all sources */
    bool incomplete;                /* a source broke off: evidence is missing ... */
    bool late;                      /* ... since the time limit came first */
    uint64_t deadline_ns;           /* by clock_now_ns(); 0: none */
    struct check_log_digest *digests; /* owned; of the files that were read and understood */
    size_t digest_count;
    uint64_t agent_lines;
    uint64_t server_lines;
};

/* `plan` is that of `run`, and borrowed like it. */
void check_logs_init(struct check_logs *logs, struct check_run *run, struct check_plan *plan,
                     const struct check_log_owner *owner);
void check_logs_deinit(struct check_logs *logs);

/* Takes an event; a check_log_on_event with the logs as `user`. */
void check_logs_take(void *user, const struct check_log_event *event);

/* Notes how much of a source, read to its end, was understood. */
void check_logs_add_source(struct check_logs *logs, const struct check_log_reader *reader);

/* Keeps the digest of a file. Returns the one that had the same bytes, and then it is not kept, or
 * NULL. */
const char *check_logs_add_digest(struct check_logs *logs, const struct check_log_digest *digest);

/* Agent-ids that servers saw and no agent's log has; 0 when there is no agent's log at all. */
size_t check_logs_unknown_agents(const struct check_logs *logs);

#endif

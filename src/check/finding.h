/* What a run came to: findings, the verdict on each group, the report on all. */
#ifndef GRPCROUTE_CHECK_FINDING_H
#define GRPCROUTE_CHECK_FINDING_H

#include "check/kinds.h"
#include "check/observe.h"
#include "check/split.h"

#define CHECK_TEXT_BYTES 1200
/* Pods told apart in one group; further ones are counted together. */
#define CHECK_ANSWERS_MAX 64

/* One thing that is wrong, or that keeps the verdict open. */
struct check_finding {
    enum check_kind kind;
    enum check_result result;    /* CHECK_FAILED or CHECK_NO_EVIDENCE */
    uint64_t count;              /* messages, or streams for rejection, stickiness and evidence */
    char text[CHECK_TEXT_BYTES]; /* printable ASCII */
};

/* Who answered how often. */
struct check_answer {
    uint32_t server_version;
    uint32_t server_id;
    uint64_t messages;
};

/* Where a proxy's log says that streams went. */
struct check_endpoint {
    uint32_t cluster; /* this and the next: numbers in the run's names */
    uint32_t address;
    uint64_t streams;
    uint64_t wrong; /* of them: it is none for their version */
};

/* What a proxy's log says of the streams of a version. It is evidence beside that of agents and
 * servers, never added to theirs: both may tell of one stream. */
struct check_proxied {
    uint64_t answered; /* by an endpoint; right, wrong or unknown */
    uint64_t right;
    uint64_t named;           /* of those: the log says which server answered */
    uint64_t wrong;           /* with those that nobody answered there */
    uint64_t unknown;         /* nothing says which servers are behind their cluster, ... */
    uint32_t unknown_cluster; /* the first of them; a number in the run's names */
    uint64_t disputed;        /* not wrong by what is expected, but by the proxy's own rule */
    uint64_t unanswered;      /* it was sent to an endpoint, and got no message */
    uint64_t refused;         /* it was sent to none */
    struct check_endpoint endpoints[CHECK_ANSWERS_MAX];
    size_t endpoint_count;
    uint64_t other_endpoints; /* streams to further ones */
    uint64_t other_wrong;     /* of those */
};

struct check_verdict {
    enum check_result result; /* CHECK_PASSED, CHECK_FAILED or CHECK_NO_EVIDENCE */
    struct check_finding findings[CHECK_KIND_COUNT]; /* at most one per kind */
    size_t finding_count;
    unsigned unchecked; /* bit per check_kind: the server does not say what the check needs */
    char outcome[CHECK_TEXT_BYTES]; /* boundary groups: what happened, "rejected: ..." or "server
                                       v1" */
    size_t streams;
    size_t streams_done;
    uint64_t sent;
    uint64_t received;
    struct check_answer answers[CHECK_ANSWERS_MAX];
    size_t answer_count;
    uint64_t other_answers; /* messages of pods beyond CHECK_ANSWERS_MAX */
    struct check_proxied proxied;
};

#define CHECK_REASONS_MAX 8

struct check_refusal {
    char text[96]; /* printable ASCII */
    uint64_t streams;
};

/* What a proxy's log says of all streams. */
struct check_proxy_log {
    uint64_t streams;    /* that ended, of the path that is checked */
    uint64_t refused;    /* of them: sent to no endpoint */
    uint64_t unanswered; /* of them: sent to one, and without a message from there */
    uint64_t unjudged;   /* of them: they prove something of a version that has no check */
    struct check_refusal reasons[CHECK_REASONS_MAX]; /* of those refused, as the proxy says them */
    size_t reason_count;
    uint64_t other_paths; /* streams of other paths */
    char other_path[128]; /* the first of them, printable ASCII */
};

/* How much of the logs was understood. */
struct check_logs_read {
    uint64_t lines;
    uint64_t not_understood;
    uint64_t lost;    /* of them: evidence may be gone with them */
    uint64_t strange; /* of those: brought by no known carrier */
    uint64_t tails;   /* of those not understood: their beginning is missing */
    char quote[256];  /* one of them, printable ASCII */
};

struct check_report {
    const struct check_run *run; /* borrowed */
    enum check_result result;
    int exit_code;                 /* cli/exit.h */
    struct check_verdict *groups;  /* owned, one per group of the plan */
    struct split *splits;          /* owned, one per group; NULL: not asked for */
    char reason[CHECK_TEXT_BYTES]; /* CHECK_NOT_CONNECTED: why, else empty */
    struct check_logs_read logs;   /* of a plan that is judged from logs */
    struct check_proxy_log proxy;  /* likewise */
};

/* Adds a finding and returns the sentence to fill. */
struct sentence check_add_finding(struct check_verdict *verdict, enum check_kind kind,
                                  enum check_result result, uint64_t count);

/* Whether a stream was seen to stay on one pod, whatever else could not be checked. */
bool check_is_sticky(const struct check_verdict *verdict);

#endif

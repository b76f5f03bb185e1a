/* What was seen on each stream of a plan. Filled by the prober, read by the verdict; no I/O. */
#ifndef GRPCROUTE_CHECK_OBSERVE_H
#define GRPCROUTE_CHECK_OBSERVE_H

#include "check/names.h"
#include "check/plan.h"
#include "net/error.h"
#include "net/tls.h"
#include "role/pinger.h"
#include "rpc/ping.h"
#include "rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Different peer texts kept of one run, besides our own agents' names. */
#define CHECK_PEER_NAMES 4096
/* Answers kept beyond the number of pings; a peer that sends more is cut off. */
#define CHECK_EXTRA_PONGS 64

/* One answer. */
struct check_pong {
    uint64_t sequence;       /* 0: not echoed */
    uint64_t send_time_ns;   /* 0: not echoed */
    uint64_t received_ns;    /* by the clock of the stamps; 0: not noted */
    uint32_t server_version; /* this and the next three: numbers in the run's names */
    uint32_t server_id;
    uint32_t agent_id;      /* as the server saw it; empty: not echoed */
    uint32_t agent_version; /* the same */
};

enum check_end {
    CHECK_END_OPEN,          /* still open, or never begun, when the run was interrupted */
    CHECK_END_NOT_CONNECTED, /* there was no connection to begin on: `error` says why */
    CHECK_END_DONE,          /* as many answers as pings came, then the stream was ended by us */
    CHECK_END_BY_PEER,       /* ended before that: `status` says how */
    CHECK_END_TIMED_OUT,     /* open, or waiting for its connection, at the time limit */
};

/* One stream. */
struct check_observation {
    enum check_end end;
    bool opened;       /* the request went out, once: a stream is never opened again */
    bool garbled;      /* an answer was not a PingResponse */
    bool ended;        /* by the peer or with the connection: `status` says how */
    bool flooded;      /* more than CHECK_EXTRA_PONGS answers too many */
    uint32_t agent_id; /* our own, numbers in the run's names */
    uint32_t agent_version;
    char *server_missing; /* owned; --method: why an answer has no version; NULL: each has one */
    char *pod_missing;    /* owned; likewise */
    uint64_t sent;        /* pings */
    uint64_t *
        sent_ns; /* owned, plan->messages of them: the time stamp of each ping, unique in the run */
    struct check_pong *pongs; /* owned, in order of arrival */
    size_t pong_count;
    size_t pong_capacity;
    uint64_t open_ns;        /* how long the stream was open */
    uint64_t idle_ns;        /* from its last message, in either direction, to its end */
    bool half_closed;        /* by us, before its end */
    uint64_t half_closed_ns; /* from that to its end */
    struct rpc_status status;
    struct net_error error;
};

struct check_run {
    const struct check_plan *plan; /* borrowed */
    const char *target;            /* "HOST:PORT", borrowed */
    struct check_names names;
    struct check_observation *streams; /* owned, one per stream of the plan, in the same order */
    size_t connections_ready;
    struct net_expiry expiry; /* the earliest of all connections; 0: not known */
    int interrupted_by;       /* signal number, or 0 */
    struct net_error error;   /* the first connection that failed; meaningless without one */
    bool connection_failed;
    uint64_t timeout_ns;
    uint64_t duration_ns;
};

/* Makes an empty observation for every stream of `plan`, which must outlive the run. */
void check_run_init(struct check_run *run, const struct check_plan *plan, const char *target,
                    uint64_t timeout_ns);
void check_run_deinit(struct check_run *run);

/* Notes that the next ping of the stream went out; `now_ns` must differ from all earlier ones. */
void check_run_sent(struct check_run *run, size_t stream, uint64_t now_ns);

/* Notes an answer. Returns false when the peer sends far too many: end the stream. */
bool check_run_received(struct check_run *run, size_t stream,
                        const struct rpc_ping_response *response);

/* Notes who gave the answers from number `first` on, where only the end of their call told, and why
 * some have no name. */
void check_run_named(struct check_run *run, size_t stream, size_t first,
                     const struct role_naming *naming);

#endif

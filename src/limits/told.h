/* What a server said of a stream (Seen of the probe service), in the time of the run. Plain data.
 */
#ifndef GRPCROUTE_LIMITS_TOLD_H
#define GRPCROUTE_LIMITS_TOLD_H

#include "limits/finding.h"
#include "rpc/probe.h"
#include "rpc/status.h"

struct limits_told {
    bool connected; /* a connection was ready once */
    bool answered;  /* by any server */
    bool found;
    struct rpc_status status;          /* of the last question, where nobody answered */
    char server_id[LIMITS_TEXT_BYTES]; /* escaped */
    uint64_t connection;
    char peer[RPC_PROBE_NAME_BYTES]; /* from where it came; as the server wrote it */
    bool ended;
    uint64_t opened_ns;
    uint64_t ended_ns; /* where it ended */
    enum rpc_probe_end how;
    uint32_t code;
    uint64_t messages;            /* that came */
    uint64_t heard_ns;            /* when the last byte of it came */
    char text[LIMITS_TEXT_BYTES]; /* one sentence for people, escaped */
};

#endif

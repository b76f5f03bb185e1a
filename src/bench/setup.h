/* What a bench is asked to do. */
#ifndef GRPCROUTE_BENCH_SETUP_H
#define GRPCROUTE_BENCH_SETUP_H

#include "base/text.h"
#include "cli/common.h"
#include "role/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_VERSIONS_MAX 16
#define BENCH_PIDS_MAX     8

static inline bool bench_is_per_call(enum role_call call)
{
    return call != ROLE_CALL_BIDI;
}

struct bench_setup {
    char target[TEXT_ADDRESS_BYTES];
    char method[ROLE_METHOD_BYTES]; /* "/package.Service/Method" */
    enum role_call call;            /* bidi: a message is sent on a stream that stays; else each is
                                       a call */
    bool tls;
    uint64_t connections;
    uint64_t streams;                                           /* on each connection */
    char versions[BENCH_VERSIONS_MAX][CLI_AGENT_VERSION_BYTES]; /* of agents, in turn */
    size_t version_count;
    uint64_t rate; /* messages per second over all streams (open loop); 0: each stream sends when it
                      was answered (closed loop) */
    uint64_t size_bytes;        /* of the text in a ping */
    uint64_t ramp_ns;           /* connections open evenly over this */
    uint64_t warmup_ns;         /* load that does not count */
    uint64_t duration_ns;       /* load that counts */
    pid_t pids[BENCH_PIDS_MAX]; /* whose cost is measured */
    size_t pid_count;
};

#endif

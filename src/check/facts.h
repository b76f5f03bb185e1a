/* What the answers on one stream say, counted. Pure. */
#ifndef GRPCROUTE_CHECK_FACTS_H
#define GRPCROUTE_CHECK_FACTS_H

#include "check/observe.h"

/* Where a count came from, so that a sentence can give one example. */
#define CHECK_NONE SIZE_MAX
/* At the time limit an answer may still be under way on a stream that was not silent for so
 * long: it is not seen, but not lost, either. */
#define CHECK_UNDER_WAY_NS UINT64_C(1000000000)

struct check_facts {
    bool echoes_metadata; /* the server fills the extension fields of ping.proto */
    bool echoes_sequence;
    bool names_pod;          /* every answer has a server_id */
    uint64_t wrong_metadata; /* answers with another agent-id or agent-version than this stream's */
    size_t wrong_metadata_first; /* index of the pong, or CHECK_NONE */
    uint64_t foreign;            /* answers to pings that this stream did not send */
    size_t foreign_first;
    uint64_t reordered;
    uint64_t reordered_first; /* sequence; 0: none */
    uint64_t duplicated;
    uint64_t duplicated_first; /* sequence; 0: none, or not known without the extension */
    uint64_t lost;             /* pings that can no longer be answered */
    uint64_t lost_first;       /* the same */
    bool moved;                /* more than one pod, by server_version and server_id */
};

/* Counts the facts of stream number `stream`. */
struct check_facts check_facts_of(const struct check_run *run, size_t stream);

/* The stream whose ping `pong` answers, by sequence and time stamp; CHECK_NONE when it is of none.
 */
size_t check_facts_owner(const struct check_run *run, const struct check_pong *pong);

#endif

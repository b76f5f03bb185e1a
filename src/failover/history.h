/* Who answered each stream, and when: what a picture needs. Pure, and bounded whatever the servers
 * call themselves. */
#ifndef GRPCROUTE_FAILOVER_HISTORY_H
#define GRPCROUTE_FAILOVER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAILOVER_NAME_BYTES 80
#define FAILOVER_PODS_MAX   256 /* told apart; the last one stands for all others */
#define FAILOVER_LANES_MAX  64  /* of one stream; the last one goes on to its end */
#define FAILOVER_BIN_NS     UINT64_C(100000000)
#define FAILOVER_BINS_MAX   36000 /* an hour; the last one takes what comes later */

struct failover_pod {
    char name[FAILOVER_NAME_BYTES];    /* escaped, as is the next */
    char version[FAILOVER_NAME_BYTES]; /* of its server; one name and two versions are two pods */
    uint32_t called;                   /* new streams of the roll call that it answered */
};

/* Answers of one server on one call, without a silence between them. */
struct failover_lane {
    uint64_t from_ns; /* the first of them */
    uint64_t to_ns;   /* the last */
    uint32_t pod;     /* number in the history's pods */
    bool first;       /* on its call */
    bool reopened;    /* the call is not the stream's first */
    bool wrong;       /* the server is of a version that must not answer */
};

struct failover_lanes {
    struct failover_lane *all; /* owned */
    size_t count;
    size_t capacity;
    bool cut; /* there were more */
};

/* What happened within FAILOVER_BIN_NS. */
struct failover_bin {
    uint32_t ended; /* calls that had been answered */
    uint32_t back;  /* streams that were answered on a call that is not their first */
};

/* A zeroed struct, but for silence_ns and gone_ns, is an empty one. Times are clock_now_ns()'s. */
struct failover_history {
    uint64_t silence_ns; /* a pause that is longer is one */
    uint64_t gone_ns;    /* who is silent for longer at the end holds no pod */
    uint64_t began_ns;
    uint64_t fault_ns; /* when the command began; 0: it did not */
    uint64_t over_ns;  /* when it ended; 0: it did not */
    uint64_t ended_ns;
    struct failover_pod *pods; /* owned */
    size_t pod_count;
    struct failover_bin *bins; /* owned; from the fault on */
    size_t bin_count;
    size_t bin_capacity;
};

void failover_history_deinit(struct failover_history *history);
void failover_lanes_deinit(struct failover_lanes *lanes);

/* One answer, of this server. `first`: on its call. */
void failover_lanes_answer(struct failover_history *history, struct failover_lanes *lanes,
                           uint64_t now_ns, const struct failover_pod *pod, bool first, bool wrong);

/* A new stream of the roll call was answered by this server. */
void failover_history_called(struct failover_history *history, const struct failover_pod *pod);

/* Whether some pods are not told apart. */
bool failover_history_is_full(const struct failover_history *history);

/* Which pod answered last before the fault, or since where none did; NULL: none ever. */
const struct failover_pod *failover_lanes_before(const struct failover_history *history,
                                                 const struct failover_lanes *lanes);
/* Which pod answers at the end; NULL: the stream is gone. */
const struct failover_pod *failover_lanes_after(const struct failover_history *history,
                                                const struct failover_lanes *lanes);

/* A call ended that had been answered. */
void failover_history_call_ended(struct failover_history *history, uint64_t now_ns);

/* The end of the test, for a stream whose open call was answered: its lane goes on to the end,
 * unless it is gone. */
void failover_lanes_close(const struct failover_history *history, struct failover_lanes *lanes,
                          uint64_t now_ns);

#endif

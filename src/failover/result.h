/* What a failover test has seen, and what follows from it for each stream. Pure. */
#ifndef GRPCROUTE_FAILOVER_RESULT_H
#define GRPCROUTE_FAILOVER_RESULT_H

#include "failover/herd.h"
#include "failover/history.h"
#include "failover/hole.h"
#include "failover/met.h"
#include "failover/spread.h"
#include "role/expect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    const char *version;                   /* borrowed */
    const struct role_expectation *expect; /* who must answer it; borrowed */
    char before[FAILOVER_NAME_BYTES]; /* the server that answered last before the stream ended, or
                                         else before the longest gap; escaped */
    char after[FAILOVER_NAME_BYTES];  /* and first after it */
    char cause[FAILOVER_CAUSE_BYTES]; /* why the stream or connection first ended after the fault;
                                         "": it did not */
    uint64_t gap_ns;
    uint64_t sent;
    uint64_t lost;       /* sent and never answered, because their stream ended */
    uint64_t repeated;   /* answers beyond the one that was due */
    uint64_t disordered; /* answers to another ping than the one that was due */
    uint64_t moved;      /* answers of another pod than before on the same stream */
    uint64_t misrouted;  /* answers of a server that is not its own */
    uint64_t unnamed;    /* answers of --method that do not say which server it was */
    char unnamed_why[FAILOVER_CAUSE_BYTES]; /* escaped */
    uint64_t podless;                       /* answers that do not name their pod */
    bool back;                              /* answered again after the fault was over */
    struct failover_silence silence;
    struct failover_lanes lanes; /* owned */
    enum failover_end end;
    char end_cause[FAILOVER_CAUSE_BYTES]; /* escaped */
};

/* New streams that were opened behind the watch, each on a connection of its own, to find the pods
 * that no held stream is on. */
struct failover_roll_call {
    bool wanted;
    bool made;
    size_t calls;
    size_t answered;
    size_t misrouted;
    char cause[FAILOVER_CAUSE_BYTES]; /* why the first was not answered; escaped */
};

/* What failover_find() has found. */
struct failover_found {
    struct failover_mets mets;       /* owned */
    struct failover_spreads spreads; /* owned */
    struct failover_holes holes;     /* owned */
    struct failover_herd herd;
};

struct failover_result {
    const char *target;
    const struct role_service *service; /* borrowed; NULL: PingPong */
    const char *fault;                  /* as the user names it */
    const char *command; /* for the shell: the same, or what its short name stands for */
    uint64_t max_gap_ns;
    double max_spread_percent;   /* negative: not judged */
    double even_percent;         /* it, or FAILOVER_EVEN_PERCENT */
    double max_herd;             /* negative: not judged */
    const char *const *versions; /* that were asked for; borrowed, as is the next */
    size_t version_count;
    const char *const *must_meet; /* those that the fault must interrupt */
    size_t must_meet_count;
    uint64_t seed;                   /* that decided which version has which stream */
    uint64_t fault_ns;               /* how long the command ran */
    int fault_exit;                  /* its exit code, or 128 and its signal */
    bool fault_ended;                /* else it did not run, or not to its end */
    struct failover_stream *streams; /* owned */
    size_t stream_count;
    struct failover_history history; /* owned */
    struct failover_roll_call roll_call;
    struct failover_found found;
    uint64_t interval_ns; /* between the pings of a stream */
    bool own_pace;        /* servers answer once and then as often as they like */
    int run_exit;         /* of failover_run(): why the test ended before it was over, or 0 */
    /* why the streams could not be opened, or the command not begun; escaped */
    char reason[FAILOVER_CAUSE_BYTES];
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
/* Whether it has no verdict: the test ended early, and nothing was seen against the stream but that
 * it is not back yet. */
bool failover_is_undecided(const struct failover_result *result,
                           const struct failover_stream *stream);

/* From how long on a silence of an open stream is no pause. */
uint64_t failover_hole_ns(const struct failover_result *result);
/* Whether it was open and silent for so long. */
bool failover_is_hole(const struct failover_result *result, const struct failover_stream *stream);

/* What the stream saw, in words. */
#define FAILOVER_SAW_BYTES (FAILOVER_CAUSE_BYTES + FAILOVER_NAME_BYTES + 120)
const char *failover_saw(const struct failover_result *result, const struct failover_stream *stream,
                         char out[static FAILOVER_SAW_BYTES]);

#endif

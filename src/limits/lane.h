/* Shapes that are measured by trials one after the other: each sample is a lane with a connection
 * of its own, which is made again when the path has closed it. The second lane begins when the
 * first is over, so that what happens to the path once is in one of them alone. */
#ifndef GRPCROUTE_LIMITS_LANE_H
#define GRPCROUTE_LIMITS_LANE_H

#include "limits/shape.h"
#include "limits/trial.h"

/* Connections of one lane, one after the other; who needs more has a path that closes all. */
#define LIMITS_LANE_LINKS 40

struct limits_lane;

/* The plan's setup. */
struct limits_lane_ops {
    /* Fills `setup` for the next trial; false: the lane has all it wants. */
    bool (*next)(struct limits_lane *lane, struct limits_trial_setup *setup);
    /* What became of it. */
    void (*told)(struct limits_lane *lane, const struct limits_trial_seen *seen);
    /* The lane is complete: fills its sample. */
    void (*sum)(const struct limits_lane *lane, struct limits_sample *sample);
    /* Both are. */
    void (*judge)(struct limits_finding *finding);
    size_t state_bytes;        /* of a lane's state, zeroed */
    uint64_t looked;           /* as in the finding */
    uint64_t bytes_per_second; /* of trials that say what they cost; 0: they cost nothing */
    const void *what;          /* the shape's own */
};

struct limits_lane {
    struct limits_lanes *lanes;
    const struct limits_lane_ops *ops;
    void *state;         /* owned */
    uint64_t cost_bytes; /* of the trial, for `next` to say */
    /* ---- the rest is the lane's own ---- */
    struct limits_trial trial;
    struct limits_trial_setup setup;
    struct limits_link *link; /* NULL: none is open */
    unsigned links;
    unsigned unready;       /* of them, the last that never were */
    uint64_t opened_ns;     /* the first trial */
    uint64_t not_before_ns; /* the next trial */
    bool pending;           /* a trial that was not started yet */
    bool trying;
    bool done; /* no further trial */
    bool failed;
    bool over;
    char why[LIMITS_TEXT_BYTES]; /* failed */
};

/* For the plan of such a shape; the first three are its functions. */
void limits_lanes_start(struct limits_work *work);
void limits_lanes_tick(struct limits_work *work, uint64_t now_ns);
void limits_lanes_stop(struct limits_work *work);
void limits_lanes_free(struct limits_work *work);

/* A plan of lanes. */
#define LIMITS_LANES_PLAN(shape_, turn_, harsh_, ops_)                                             \
    {                                                                                              \
        .shape = (shape_), .turn = (turn_), .needs_probe = true, .harsh = (harsh_),                \
        .setup = (ops_), .start = limits_lanes_start, .tick = limits_lanes_tick,                   \
        .stop = limits_lanes_stop, .free = limits_lanes_free                                       \
    }

#endif

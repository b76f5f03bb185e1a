/* How a shape is measured: a plan per shape says who does it, the run starts a work for each that
 * is wanted, ticks it, and waits for its end.
 *
 *   start() --limits_work_over()--> over --judge by the work itself--> told
 *     any --stop()--> the same, with what is known
 *
 * A work writes its own finding: state, value, resolution, looked, samples, why. Sides, what
 * explains what, settings and advice are for limits/judge.h and limits/setting.h, once all are
 * over. */
#ifndef GRPCROUTE_LIMITS_SHAPE_H
#define GRPCROUTE_LIMITS_SHAPE_H

#include "limits/finding.h"
#include "limits/ground.h"

struct limits_work;

/* Behind a proxy, streams of several shapes, and of others, share a connection to the server: a
 * shape that may break or fill it comes alone, when the time that is looked for is over. */
enum limits_turn {
    LIMITS_TURN_TOGETHER,
    LIMITS_TURN_GOAWAY,
    LIMITS_TURN_WALL,
    LIMITS_TURN_MESSAGES,
    LIMITS_TURN_SLOW_READER,
    LIMITS_TURN_BUFFERED,
    LIMITS_TURN_FIELDS_UP,
    LIMITS_TURN_FIELDS_DOWN,
    LIMITS_TURN_METADATA_UP,
    LIMITS_TURN_METADATA_DOWN,
    LIMITS_TURN_QUIET, /* the last: what is forgotten there, nothing else is to meet */
    LIMITS_TURNS
};

struct limits_plan {
    enum limits_shape shape;
    enum limits_turn turn;
    bool needs_probe;  /* the server must have the ProbeService, or it is not measured */
    bool harsh;        /* not with --gentle */
    const void *setup; /* of the module: what this shape is among those it measures; constant */
    /* Begins, and sets `state`. limits_work_over() may come from within. */
    void (*start)(struct limits_work *work);
    /* Every LIMITS_TICK_MS until it is over; may be NULL. */
    void (*tick)(struct limits_work *work, uint64_t now_ns);
    /* The run is to end soon: what is watched was watched for long enough, and is to show that it
     * is alive. May be NULL: it stops. Not called when it is over. Repeats are harmless. */
    void (*cut)(struct limits_work *work, uint64_t now_ns);
    /* The run ends now: nothing new, connections are closed, limits_work_over() follows, with
     * what is known by then in the finding. Not called when it is over. Repeats are harmless. */
    void (*stop)(struct limits_work *work);
    /* After it was over, and all of its connections are closed. */
    void (*free)(struct limits_work *work);
};

/* One shape in a run. */
struct limits_work {
    const struct limits_plan *plan;
    struct limits_ground *ground;   /* borrowed */
    struct limits_finding *finding; /* borrowed; initialised, `sample_count` 0 */
    void *state;                    /* the plan's */
    void (*on_over)(struct limits_work *work);
    void *user; /* the run's */
    bool over;
};

/* Of the work itself: its finding is filled and none of its connections is open any more. Exactly
 * once. */
void limits_work_over(struct limits_work *work);

#endif

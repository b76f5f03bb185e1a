/*   waiting --a connection, its time--> trying --told--> waiting ...
 *     nothing next, no connection, stopped --> done --connection closed--> over
 *
 * Failure modes: no connection can be made, or the path closes each: the sample is none, and says
 * why; a call finds no room on a connection that goes away: it is made again on a new one. */
#include "limits/lane.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For what is received: nothing that the path lets through is refused here. */
#define HEADER_BLOCK_BYTES (96 * 1024)
#define HEADER_FIELDS      400
/* Connections in a row that were never ready. */
#define UNREADY_LINKS 3

struct limits_lanes {
    struct limits_work *work;
    struct limits_lane lanes[LIMITS_SAMPLES];
    size_t current;
    bool stopping;
};

static void do_next(struct limits_lane *lane);
static void start_lane(struct limits_lanes *lanes);

static struct limits_ground *ground_of(const struct limits_lane *lane)
{
    return lane->lanes->work->ground;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void finish_work(struct limits_lanes *lanes)
{
    struct limits_work *work = lanes->work;
    if (work->finding->sample_count > 0) {
        lanes->lanes[0].ops->judge(work->finding);
    } else {
        work->finding->state = LIMITS_NOT_MEASURED;
        snprintf(work->finding->why, sizeof(work->finding->why), "the run ended before");
    }
    limits_work_over(work);
}

static void lane_over(struct limits_lane *lane)
{
    struct limits_lanes *lanes = lane->lanes;
    struct limits_finding *finding = lanes->work->finding;
    lane->over = true;
    if (!lanes->stopping) {
        struct limits_sample *sample = &finding->samples[finding->sample_count++];
        sample->opened = !lane->failed;
        sample->opened_ns = lane->opened_ns;
        sample->lived_ns = limits_ground_now_ns(ground_of(lane)) - lane->opened_ns;
        if (lane->failed) {
            snprintf(sample->saw, sizeof(sample->saw), "%s", lane->why);
        } else {
            lane->ops->sum(lane, sample);
        }
    }
    if (lanes->stopping || lane->failed || ++lanes->current == LIMITS_SAMPLES) {
        finish_work(lanes);
    } else {
        start_lane(lanes);
    }
}

static void do_done(struct limits_lane *lane)
{
    lane->done = true;
    lane->pending = false;
    if (lane->link != NULL) {
        limits_link_close(lane->link);
    } else {
        lane_over(lane);
    }
}

static void fail(struct limits_lane *lane, const char *why)
{
    lane->failed = true;
    snprintf(lane->why, sizeof(lane->why), "%s", why);
    do_done(lane);
}

/* ---- trials ---------------------------------------------------------------------------------- */

/* What the probe service of the server said, or says that it sent, where it had no room for it:
 * that is nothing of the path's. NULL: it had. */
static const char *busy_in(const struct limits_trial_seen *seen)
{
    const char *said = strstr(seen->sample.saw, RPC_PROBE_BUSY);
    return said != NULL ? said : strstr(seen->told.text, RPC_PROBE_BUSY);
}

static void on_trial_over(void *user, const struct limits_trial_seen *seen)
{
    struct limits_lane *lane = user;
    lane->trying = false;
    if (lane->lanes->stopping) {
        do_done(lane);
        return;
    }
    if (seen->refused == H2_E_NO_ROOM) { /* the connection goes away */
        lane->pending = true;
        if (lane->link != NULL) {
            limits_link_close(lane->link);
        } else {
            do_next(lane);
        }
        return;
    }
    const char *busy = busy_in(seen);
    if (busy != NULL) {
        fail(lane, busy);
        return;
    }
    lane->ops->told(lane, seen);
    do_next(lane);
}

static void try_now(struct limits_lane *lane)
{
    uint64_t now_ns = limits_ground_now_ns(ground_of(lane));
    if (now_ns < lane->not_before_ns) {
        return; /* a tick will see to it */
    }
    lane->pending = false;
    lane->trying = true;
    lane->opened_ns = lane->opened_ns != 0 ? lane->opened_ns : now_ns;
    if (lane->ops->bytes_per_second != 0) {
        lane->not_before_ns =
            now_ns + lane->cost_bytes * NS_PER_MS * 1000 / lane->ops->bytes_per_second;
    }
    limits_trial_start(&lane->trial, ground_of(lane), lane->link, &lane->setup, on_trial_over,
                       lane);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_ready(void *user)
{
    struct limits_lane *lane = user;
    lane->unready = 0;
    if (lane->pending && !lane->done) {
        try_now(lane);
    }
}

static void on_goaway(void *user, uint32_t error, const char *debug)
{
    struct limits_lane *lane = user;
    (void)error;
    (void)debug;
    limits_trial_goaway(&lane->trial);
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct limits_lane *lane = user;
    lane->link = NULL;
    if (lane->done) {
        lane_over(lane);
    } else if (lane->trying) {
        return; /* its end comes by itself */
    } else if (lane->lanes->stopping) {
        do_done(lane);
    } else if (lane->unready >= UNREADY_LINKS || lane->links >= LIMITS_LANE_LINKS) {
        fail(lane, why->text);
    } else {
        do_next(lane);
    }
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_closed = on_link_closed,
};

static void open_link(struct limits_lane *lane)
{
    const struct limits_link_setup setup = {.header_block_bytes = HEADER_BLOCK_BYTES,
                                            .header_fields = HEADER_FIELDS};
    if (lane->links >= LIMITS_LANE_LINKS) {
        fail(lane, "the path closed every connection that was made");
        return;
    }
    lane->links++;
    lane->unready++;
    lane->link = limits_link_open(ground_of(lane), &setup, &link_events, lane);
}

static void do_next(struct limits_lane *lane)
{
    if (!lane->pending) {
        lane->setup = (struct limits_trial_setup){0};
        lane->cost_bytes = 0;
        if (lane->lanes->stopping || !lane->ops->next(lane, &lane->setup)) {
            do_done(lane);
            return;
        }
        lane->pending = true;
    }
    if (lane->link == NULL) {
        open_link(lane);
    } else if (limits_link_goaway(lane->link) != NULL) {
        limits_link_close(lane->link); /* and then a new one */
    } else if (limits_link_ready(lane->link)) {
        try_now(lane);
    }
}

/* ---- the plan's functions -------------------------------------------------------------------- */

static void start_lane(struct limits_lanes *lanes)
{
    do_next(&lanes->lanes[lanes->current]);
}

void limits_lanes_start(struct limits_work *work)
{
    const struct limits_lane_ops *ops = work->plan->setup;
    struct limits_lanes *lanes = mem_new(struct limits_lanes);
    work->state = lanes;
    work->finding->looked = ops->looked;
    lanes->work = work;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        lanes->lanes[i].lanes = lanes;
        lanes->lanes[i].ops = ops;
        lanes->lanes[i].state = mem_calloc(1, ops->state_bytes);
    }
    start_lane(lanes);
}

void limits_lanes_tick(struct limits_work *work, uint64_t now_ns)
{
    struct limits_lanes *lanes = work->state;
    struct limits_lane *lane = &lanes->lanes[lanes->current];
    (void)now_ns;
    if (lane->pending && lane->link != NULL && limits_link_ready(lane->link)) {
        try_now(lane);
    }
}

void limits_lanes_stop(struct limits_work *work)
{
    struct limits_lanes *lanes = work->state;
    struct limits_lane *lane = &lanes->lanes[lanes->current];
    if (lanes->stopping) {
        return;
    }
    lanes->stopping = true;
    if (lane->trying) {
        limits_trial_stop(&lane->trial);
    } else if (!lane->done) {
        do_done(lane);
    }
}

void limits_lanes_free(struct limits_work *work)
{
    struct limits_lanes *lanes = work->state;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        free(lanes->lanes[i].state);
    }
    free(lanes);
}

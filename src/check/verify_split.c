#include "check/verify_split.h"

#include "base/clock.h"
#include "check/split.h"
#include "check/split_count.h"

#define HOLD_PING_NS UINT64_C(1000000000)
/* Every answer of a stream is kept to the end: no more pings than this on each. */
#define HOLD_PINGS 3600

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void verify_split_hold(const struct verify_split_options *options, uint64_t *messages,
                       uint64_t *interval_ns)
{
    if (options->hold_ns > 0) {
        *interval_ns = larger(*interval_ns, larger(HOLD_PING_NS, options->hold_ns / HOLD_PINGS));
        *messages = larger(*messages, options->hold_ns / *interval_ns + 1);
    }
}

static size_t streams_for(const struct check_plan *plan, const struct split *split,
                          size_t judgements, size_t streams)
{
    uint64_t needed = streams > 0 ? streams - plan->usual_streams
                                  : split_streams_needed(split, judgements, plan->split_resolution);
    uint64_t most = CHECK_STREAMS_MAX - plan->usual_streams;
    return (size_t)(needed < most ? needed : most);
}

static void add_split_streams(struct check_plan *plan, size_t streams, const char *run_id)
{
    size_t judgements = check_split_judgements(plan);
    for (size_t i = 0; i < plan->group_count; i++) {
        struct split split;
        split_init(&split, &plan->groups[i].expect);
        check_plan_add_own_streams(plan, i, streams_for(plan, &split, judgements, streams), run_id);
    }
}

void verify_split_add_streams(struct check_plan *plan, const struct verify_split_options *options,
                              size_t streams, const char *run_id)
{
    bool all_usual = streams > 0 && (!options->split || streams < VERIFY_STREAMS);
    size_t usual = all_usual ? streams : VERIFY_STREAMS;
    check_plan_add_version_streams(plan, usual, run_id);
    if (options->split) {
        plan->split = true;
        plan->split_resolution = (double)options->error_points / 100;
        plan->usual_streams = usual;
        plan->hold_ms = options->hold_ns / NS_PER_MS;
        add_split_streams(plan, streams, run_id);
    }
}

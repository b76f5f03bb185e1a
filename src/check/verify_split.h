/* The options of `verify --split`, and the streams it needs. Inside check/ only. */
#ifndef GRPCROUTE_CHECK_VERIFY_SPLIT_H
#define GRPCROUTE_CHECK_VERIFY_SPLIT_H

#include "check/plan.h"
#include "cli/options.h"

/* Streams of a version where the user says no number. */
#define VERIFY_STREAMS 6

struct verify_split_options {
    bool split;
    uint64_t error_points;
    uint64_t hold_ns;
};

/* clang-format off */
#define VERIFY_SPLIT_OPTIONS(type, field)                                                          \
    {.name = "split", .kind = CLI_FLAG, .offset = offsetof(type, field.split), .needs = "routes",  \
     .help = "Also judge the weights of --routes on new streams, each on a connection of its own"},\
    {.name = "split-error", .kind = CLI_COUNT, .offset = offsetof(type, field.error_points),       \
     .needs = "split", .argument = "POINTS", .fallback = "10", .min = 1, .max = 50,                \
     .help = "With --split: an error of so many percentage points must show (99 %); it decides "   \
             "how many streams are needed"},                                                       \
    {.name = "hold", .kind = CLI_DURATION, .offset = offsetof(type, field.hold_ns),                \
     .needs = "split", .argument = "DURATION", .fallback = "0", .max = UINT64_C(86400000000000),   \
     .help = "With --split: keep the streams open so long, a ping each --interval but at most one "\
             "a second, and tell how those that live are split"}
/* clang-format on */

/* Makes messages and interval those of streams that are held; nothing without --hold. */
void verify_split_hold(const struct verify_split_options *options, uint64_t *messages,
                       uint64_t *interval_ns);

/* Adds the streams of all version groups, `streams` of each, 0 for as many as it takes; with
 * --split those above VERIFY_STREAMS are for it, where there is something to split. */
void verify_split_add_streams(struct check_plan *plan, const struct verify_split_options *options,
                              size_t streams, const char *run_id);

#endif

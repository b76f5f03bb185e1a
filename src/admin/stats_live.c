#include "admin/stats_live.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/traffic.h"
#include "relay/account.h"
#include "relay/state.h"

static void put_tally(struct metrics *out, const char *name, const struct metrics_label *labels,
                      const struct tally_scale *scale, const struct tally_sum *sum)
{
    double bounds_s[TALLY_BOUNDS];
    for (size_t i = 0; i < TALLY_BOUNDS; i++) {
        bounds_s[i] = (double)scale->bounds[i] / scale->per_second;
    }
    const struct metrics_counts counts = {
        .bounds_s = bounds_s,
        .bound_count = TALLY_BOUNDS,
        .counts = sum->counts,
        .sum_s = (double)sum->sum / scale->per_second,
    };
    metrics_counted(out, name, labels, &counts);
}

/* ---- routes ---------------------------------------------------------------------------------- */

struct account_entry {
    const char *name;
    enum metrics_type type;
    const char *help;
    size_t offset;
};

#define ACCOUNT_ENTRY(field, type, metric, help)                                                   \
    {"grpcroute_proxy_route_" metric, METRICS_##type, help, offsetof(struct account_block, field)},

static const struct account_entry account_entries[] = {ACCOUNT_NUMBERS(ACCOUNT_ENTRY)};

static const char streams_name[] = "grpcroute_proxy_route_streams_total";
static const char answer_name[] = "grpcroute_proxy_route_answer_seconds";

struct account_context {
    struct metrics *out;
    const struct account_entry *entry;
};

static void put_number(void *ctx, const struct account *account)
{
    const struct account_context *context = ctx;
    metrics_sample(context->out, context->entry->name, METRICS_LABELS({"route", account->name}),
                   (double)per_worker_sum(&account->blocks, context->entry->offset));
}

static void put_streams(void *ctx, const struct account *account)
{
    metrics_sample(ctx, streams_name, METRICS_LABELS({"route", account->name}),
                   (double)atomic_load(&account->streams_total));
}

/* A rule that no stream took has no answers to tell of. */
static void put_answers(void *ctx, const struct account *account)
{
    struct tally_sum sum;
    if (atomic_load(&account->streams_total) > 0) {
        account_answers(account, &sum);
        put_tally(ctx, answer_name, METRICS_LABELS({"route", account->name}), &tally_answers, &sum);
    }
}

void admin_routes_metrics(struct relay *relay, struct metrics *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(account_entries); i++) {
        const struct account_entry *entry = &account_entries[i];
        metrics_begin(out, entry->name, entry->type, entry->help);
        relay_each_account(relay, put_number, &(struct account_context){out, entry});
    }
    metrics_begin(out, streams_name, METRICS_COUNTER, "Streams that the rule took");
    relay_each_account(relay, put_streams, out);
    metrics_begin(out, answer_name, METRICS_HISTOGRAM,
                  "From a message towards the endpoint to the next one from it, of a sample");
    relay_each_account(relay, put_answers, out);
}

/* ---- ages ------------------------------------------------------------------------------------ */

/* Some bounds of tally_ages, as people say them. */
static const struct {
    const char *label;
    size_t end; /* counts before this one */
} age_groups[] = {
    {"under 1m", 4},
    {"1m to 15m", 6},
    {"15m to 1h", 7},
    {"1h to 6h", 8},
    {"6h to 1d", 9},
    {"1d to 7d", 11},
    {"over 7d", TALLY_BOUNDS + 1},
};

static void put_live_ages(const struct streams_ages *ages, struct metrics *out)
{
    static const char groups[] = "grpcroute_proxy_streams_by_age";
    static const char oldest[] = "grpcroute_proxy_oldest_stream_seconds";
    size_t bucket = 0;
    metrics_begin(out, groups, METRICS_GAUGE, "Live streams by how long they have lived");
    for (size_t i = 0; i < ARRAY_SIZE(age_groups); i++) {
        uint64_t count = 0;
        while (bucket < age_groups[i].end) {
            count += ages->counts[bucket++];
        }
        metrics_sample(out, groups, METRICS_LABELS({"age", age_groups[i].label}), (double)count);
    }
    metrics_begin(out, oldest, METRICS_GAUGE, "Age of the oldest live stream; 0 without any");
    metrics_sample(out, oldest, NULL, (double)ages->oldest_ms / tally_ages.per_second);
}

void admin_ages_metrics(struct relay *relay, struct metrics *out)
{
    static const char ended[] = "grpcroute_proxy_stream_lifetime_seconds";
    uint64_t now_ms = clock_now_ms();
    struct streams_ages ages = {0};
    struct tally_sum lifetimes = {0};
    for (unsigned i = 0; i < relay->worker_count; i++) {
        streams_add_ages(&relay->workers[i].streams, now_ms, &ages);
        tally_add_to(&relay->workers[i].lifetimes, &lifetimes);
    }
    put_live_ages(&ages, out);
    metrics_begin(out, ended, METRICS_HISTOGRAM, "Ended streams by their age");
    put_tally(out, ended, NULL, &tally_ages, &lifetimes);
}

/* ---- network --------------------------------------------------------------------------------- */

void admin_network_metrics(struct relay *relay, struct metrics *out)
{
    struct net_traffic_sum sides[] = {{.side = "downstream"}, {.side = "upstream"}};
    for (unsigned i = 0; i < relay->worker_count; i++) {
        net_traffic_add_to(&relay->workers[i].loop.accepted, &sides[0]);
        net_traffic_add_to(&relay->workers[i].loop.dialled, &sides[1]);
    }
    net_traffic_metrics(out, "proxy", sides, ARRAY_SIZE(sides));
}

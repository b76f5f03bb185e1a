#include "check/every_stats.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- counting -------------------------------------------------------------------------------- */

/* NULL where there are too many: the user chose them, and a plan has no more. */
static struct every_version *find_version(struct every_stats *stats, const char *version)
{
    for (size_t i = 0; i < stats->version_count; i++) {
        if (strcmp(stats->versions[i]->version, version) == 0) {
            return stats->versions[i];
        }
    }
    if (stats->version_count == EVERY_VERSIONS_MAX) {
        return NULL;
    }
    struct every_version *found = mem_new(struct every_version);
    snprintf(found->version, sizeof(found->version), "%s", version);
    stats->versions[stats->version_count++] = found;
    return found;
}

/* Messages that a server answered which should not have. */
static uint64_t misrouted(const struct check_group *planned, const struct check_verdict *verdict)
{
    uint64_t count = 0;
    bool due = planned->expect.rule == ROLE_EXPECT_REJECTED; /* a rejection, and there was none */
    for (size_t i = 0; i < verdict->finding_count; i++) {
        const struct check_finding *finding = &verdict->findings[i];
        bool answered = finding->kind == CHECK_VERSION || (finding->kind == CHECK_REJECTION && due);
        count += finding->result == CHECK_FAILED && answered ? finding->count : 0;
    }
    return count;
}

static void add_round_trips(const struct check_run *run, size_t group, struct histogram *rtt)
{
    for (size_t i = 0; i < run->plan->stream_count; i++) {
        const struct check_observation *seen = &run->streams[i];
        for (size_t p = 0; run->plan->streams[i].group == group && p < seen->pong_count; p++) {
            const struct check_pong *pong = &seen->pongs[p];
            /* Sequence and stamp are echoes: an answer to none of our pings has no round trip. */
            if (pong->sequence > 0 && pong->sequence <= seen->sent &&
                pong->send_time_ns == seen->sent_ns[pong->sequence - 1] &&
                pong->received_ns > pong->send_time_ns) {
                histogram_add(rtt, pong->received_ns - pong->send_time_ns);
            }
        }
    }
}

static void note_group(struct every_stats *stats, const struct check_report *report, size_t group)
{
    const struct check_group *planned = &report->run->plan->groups[group];
    const struct check_verdict *verdict = &report->groups[group];
    struct every_version *version = find_version(stats, planned->agent_version);
    if (version == NULL) {
        return;
    }
    version->passed = report->result != CHECK_NOT_CONNECTED && verdict->result == CHECK_PASSED;
    version->misrouted += misrouted(planned, verdict);
    if (verdict->sent > verdict->received) {
        version->unanswered += verdict->sent - verdict->received;
    }
    add_round_trips(report->run, group, &version->rtt);
}

void every_stats_note(struct every_stats *stats, const struct check_report *report, int64_t now_s)
{
    const struct check_run *run = report->run;
    stats->runs[report->result]++;
    stats->last_passed = report->result == CHECK_PASSED;
    stats->last_run_s = now_s;
    stats->last_success_s = stats->last_passed ? now_s : stats->last_success_s;
    stats->last_duration_ns = run->duration_ns;
    if (run->expiry.leaf_s != 0) {
        stats->expiry = run->expiry;
    }
    for (size_t i = 0; i < run->plan->group_count; i++) {
        if (run->plan->groups[i].kind == CHECK_GROUP_VERSION) {
            note_group(stats, report, i);
        }
    }
}

uint64_t every_stats_runs(const struct every_stats *stats)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(stats->runs); i++) {
        sum += stats->runs[i];
    }
    return sum;
}

void every_stats_deinit(struct every_stats *stats)
{
    for (size_t i = 0; i < stats->version_count; i++) {
        free(stats->versions[i]);
    }
    stats->version_count = 0;
}

/* ---- metrics --------------------------------------------------------------------------------- */

static void put(struct metrics *out, const char *name, const char *help, double value)
{
    metrics_begin(out, name, METRICS_GAUGE, help);
    metrics_sample(out, name, NULL, value);
}

static void put_runs(const struct every_stats *stats, struct metrics *out)
{
    const char *name = "grpcroute_verify_runs_total";
    metrics_begin(out, name, METRICS_COUNTER, "Runs of verify, by their result.");
    for (size_t i = 0; i < ARRAY_SIZE(stats->runs); i++) {
        metrics_sample(out, name,
                       METRICS_LABELS({"result", check_result_label((enum check_result)i)}),
                       (double)stats->runs[i]);
    }
}

static double value_passed(const struct every_version *version)
{
    return version->passed;
}

static double value_misrouted(const struct every_version *version)
{
    return (double)version->misrouted;
}

static double value_unanswered(const struct every_version *version)
{
    return (double)version->unanswered;
}

static void put_versions(const struct every_stats *stats, struct metrics *out)
{
    static const struct {
        const char *name;
        enum metrics_type type;
        const char *help;
        double (*value)(const struct every_version *version);
    } rows[] = {
        {"grpcroute_verify_version_ok", METRICS_GAUGE,
         "1 where the last run found the version's routing right, else 0.", value_passed},
        {"grpcroute_verify_misrouted_messages_total", METRICS_COUNTER,
         "Pings that a server answered which the version does not belong to.", value_misrouted},
        {"grpcroute_verify_unanswered_messages_total", METRICS_COUNTER, "Pings without an answer.",
         value_unanswered},
    };
    for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
        metrics_begin(out, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < stats->version_count; i++) {
            metrics_sample(out, rows[r].name,
                           METRICS_LABELS({"agent_version", stats->versions[i]->version}),
                           rows[r].value(stats->versions[i]));
        }
    }
}

static void put_round_trips(const struct every_stats *stats, struct metrics *out)
{
    const char *name = "grpcroute_verify_rtt_seconds";
    metrics_begin(out, name, METRICS_HISTOGRAM, "From a ping to its answer.");
    for (size_t i = 0; i < stats->version_count; i++) {
        metrics_histogram(out, name, METRICS_LABELS({"agent_version", stats->versions[i]->version}),
                          &stats->versions[i]->rtt, NULL, 0);
    }
}

static void put_last_run(const struct every_stats *stats, struct metrics *out)
{
    put(out, "grpcroute_verify_interval_seconds", "Time from run to run (--every).",
        stats->interval_s);
    if (stats->last_run_s == 0) {
        return;
    }
    put(out, "grpcroute_verify_passed", "1 where the last run passed, else 0.", stats->last_passed);
    put(out, "grpcroute_verify_last_run_timestamp_seconds", "When the last run ended.",
        (double)stats->last_run_s);
    put(out, "grpcroute_verify_last_run_duration_seconds", "How long the last run took.",
        (double)stats->last_duration_ns / 1e9);
    if (stats->last_success_s != 0) {
        put(out, "grpcroute_verify_last_success_timestamp_seconds",
            "When the last run ended that passed.", (double)stats->last_success_s);
    }
}

static void put_expiry(const struct every_stats *stats, struct metrics *out)
{
    const char *name = "grpcroute_verify_certificate_expiry_timestamp_seconds";
    if (stats->expiry.leaf_s == 0) {
        return;
    }
    metrics_begin(out, name, METRICS_GAUGE,
                  "When the target's certificate ends (leaf), and the first of its chain.");
    metrics_sample(out, name, METRICS_LABELS({"certificate", "leaf"}),
                   (double)stats->expiry.leaf_s);
    metrics_sample(out, name, METRICS_LABELS({"certificate", "chain"}),
                   (double)stats->expiry.chain_s);
}

void every_stats_write(const struct every_stats *stats, struct metrics *out)
{
    put_runs(stats, out);
    put_versions(stats, out);
    put_round_trips(stats, out);
    put_last_run(stats, out);
    put_expiry(stats, out);
}

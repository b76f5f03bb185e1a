#include "base/mem.h"
#include "base/text.h"
#include "bench/report.h"
#include "cli/terminal.h"
#include "rpc/ping.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *name;
    double fraction;
} SHOWN[] = {{"p50", 0.5},     {"p90", 0.9},       {"p99", 0.99},
             {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};

static const char *duration(char out[static TEXT_DURATION_BYTES], uint64_t ns)
{
    return text_format_duration(out, TEXT_DURATION_BYTES, ns);
}

static double per_second(uint64_t count, uint64_t ns)
{
    return ns > 0 ? (double)count * 1e9 / (double)ns : 0;
}

/* What is counted: a call for each, or a message on a stream. */
static const char *unit(const struct bench_setup *setup)
{
    return bench_is_per_call(setup->call) ? "calls" : "messages";
}

static void print_setup(FILE *out, const struct bench_setup *setup)
{
    char lasted[TEXT_DURATION_BYTES];
    char warmup[TEXT_DURATION_BYTES];
    fprintf(out, "Load      %s", setup->target);
    if (strcmp(setup->method, RPC_PING_PATH) != 0) {
        fprintf(out, ", %s (%s)", setup->method, role_call_choices[setup->call]);
    }
    fprintf(out, ", %" PRIu64 " connections x %" PRIu64 " %s,", setup->connections, setup->streams,
            bench_is_per_call(setup->call) ? "calls at a time" : "streams");
    for (size_t i = 0; i < setup->version_count; i++) {
        fprintf(out, " %s", setup->versions[i]);
    }
    if (setup->rate > 0) {
        fprintf(out, ", open loop at %" PRIu64 " %s/s", setup->rate, unit(setup));
    } else {
        fprintf(out, ", closed loop");
    }
    fprintf(out, ", %" PRIu64 " bytes, %s after %s\n", setup->size_bytes,
            duration(lasted, setup->duration_ns), duration(warmup, setup->warmup_ns));
}

/* A count of what was seen; where nothing was and not all could be, that. */
static void print_seen(FILE *out, const struct bench_result *result, size_t offset,
                       const char *what, const char *not_seen)
{
    uint64_t count;
    memcpy(&count, (const char *)result + offset, sizeof(count));
    if (count == 0 && bench_is_blind(result, offset)) {
        fprintf(out, "%s not checked", not_seen);
    } else {
        fprintf(out, "%" PRIu64 " %s", count, what);
    }
}

/* Of several versions some may be without an expectation: of the others it is told. */
static void print_misrouted(FILE *out, const struct bench_result *result)
{
    size_t unchecked = result->unchecked_count;
    size_t versions = result->setup.version_count;
    if (result->misrouted > 0 || unchecked == 0 || unchecked >= versions) {
        print_seen(out, result, offsetof(struct bench_result, misrouted), "misrouted", "versions");
    } else {
        fprintf(out, "0 misrouted, %zu of %zu versions not checked", unchecked, versions);
    }
}

static void print_routing(FILE *out, const struct bench_result *result)
{
    fprintf(out, "Routing   ");
    print_misrouted(out, result);
    if (!bench_is_per_call(result->setup.call)) { /* each call is on its own */
        fprintf(out, ", ");
        print_seen(out, result, offsetof(struct bench_result, moved), "moved to another server",
                   "moves");
        fprintf(out, ", ");
        print_seen(out, result, offsetof(struct bench_result, disordered), "out of order", "order");
    }
    fprintf(out, "\n");
}

static void print_messages(FILE *out, const struct bench_result *result)
{
    fprintf(out,
            "%-10s%.1f/s, %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64 " unanswered, %" PRIu64
            " lost\n",
            bench_is_per_call(result->setup.call) ? "Calls" : "Messages",
            per_second(result->answered, result->seconds_ns), result->sent, result->answered,
            result->unanswered, result->lost);
    print_routing(out, result);
}

static void print_quantiles(FILE *out, const char *label, const struct histogram *histogram)
{
    char shown[TEXT_DURATION_BYTES];
    fprintf(out, "%-10s", label);
    for (size_t i = 0; i < ARRAY_SIZE(SHOWN); i++) {
        fprintf(out, "%s %s%s", SHOWN[i].name,
                duration(shown, histogram_quantile(histogram, SHOWN[i].fraction)),
                i + 1 < ARRAY_SIZE(SHOWN) ? "  " : "\n");
    }
}

static void print_streams(FILE *out, const struct bench_result *result)
{
    char took[TEXT_DURATION_BYTES];
    fprintf(out,
            "Streams   %" PRIu64 " of %" PRIu64 " opened in %s (%.1f/s), %" PRIu64
            " opened again\n",
            result->streams_opened, result->streams_opened + result->unopened,
            duration(took, result->opening_ns),
            per_second(result->streams_opened, result->opening_ns), result->reopened);
    if (result->planned > 0) {
        fprintf(out,
                "          %" PRIu64 " were ended as planned; %" PRIu64
                " messages that nobody had seen were sent again\n",
                result->planned, result->withdrawn);
    }
    if (result->sent_again > 0) {
        fprintf(out,
                "          %" PRIu64 " calls that the server had not processed were sent again\n",
                result->sent_again);
    }
    if (result->left_open > 0) {
        fprintf(out, "          %" PRIu64 " were left open by the server after their half-close\n",
                result->left_open);
    }
    for (size_t i = 0; i < result->cause_count; i++) {
        char cause[BENCH_CAUSE_BYTES];
        snprintf(cause, sizeof(cause), "%s", result->causes[i].text);
        fprintf(out, "Errors    %" PRIu64 " x %s\n", result->causes[i].count, cli_readable(cause));
    }
}

static double us_per_message(double cpu_seconds, const struct bench_result *result)
{
    return result->answered > 0 ? cpu_seconds * 1e6 / (double)result->answered : 0;
}

static void print_costs(FILE *out, const struct bench_result *result)
{
    char late[TEXT_DURATION_BYTES];
    char share[16];
    char memory[16];
    char idle[16];
    double seconds = (double)result->seconds_ns / 1e9;
    fprintf(out, "Driver    %s%s of a core, %.2f us per message, sends late by p99 %s\n",
            result->busiest_cpu_seconds < result->driver_cpu_seconds ? "at most " : "",
            text_format_percent(share, sizeof(share),
                                seconds > 0 ? result->busiest_cpu_seconds / seconds : 0),
            us_per_message(result->driver_cpu_seconds, result),
            duration(late, histogram_quantile(&result->lateness, 0.99)));
    for (size_t i = 0; i < result->setup.pid_count; i++) {
        const struct bench_cost *cost = &result->costs[i];
        if (cost->ended) {
            fprintf(out, "Process   %d: ended before the load did\n", (int)cost->pid);
            continue;
        }
        fprintf(out, "Process   %d: %.2f us per message (%s of a core), %s, %s per idle stream\n",
                (int)cost->pid, us_per_message(cost->cpu_seconds, result),
                text_format_percent(share, sizeof(share),
                                    seconds > 0 ? cost->cpu_seconds / seconds : 0),
                text_format_size(memory, sizeof(memory), 1024 * (double)cost->memory_kib),
                text_format_size(idle, sizeof(idle),
                                 result->streams_opened > 0
                                     ? 1024 * (double)cost->idle_streams_kib /
                                           (double)result->streams_opened
                                     : 0));
    }
}

/* Of no message there is none: "p50 0s" would be the best one of all. */
static void print_latency(FILE *out, const struct bench_result *result)
{
    if (result->latency.count == 0) {
        return;
    }
    print_quantiles(out, "Latency", &result->latency);
    bool per_call = bench_is_per_call(result->setup.call);
    fprintf(out, "          from when a %s was %s to its %s; quantiles within 0.4 %%\n",
            per_call ? "call" : "message", result->setup.rate > 0 ? "due" : "sent",
            per_call ? "end" : "answer");
}

/* The first line says how long it was to be. */
static void print_interruption(FILE *out, const struct bench_result *result)
{
    char lasted[TEXT_DURATION_BYTES];
    char wanted[TEXT_DURATION_BYTES];
    if (result->interrupted_by == 0) {
        return;
    }
    fprintf(out, "%s Interrupted ", cli_mark(CLI_MARK_WARN));
    if (result->seconds_ns == 0) {
        fprintf(out, "before anything was measured\n");
    } else {
        fprintf(out, "after %s of %s were measured\n", duration(lasted, result->seconds_ns),
                duration(wanted, result->setup.duration_ns));
    }
}

void bench_report_text(FILE *out, const struct bench_result *result)
{
    print_setup(out, &result->setup);
    print_messages(out, result);
    print_latency(out, result);
    print_streams(out, result);
    print_costs(out, result);
    if (result->unlike) {
        fprintf(out,
                "%s Merged from loads that were not alike (method, versions, size, TLS or "
                "loop)\n",
                cli_mark(CLI_MARK_WARN));
    }
    print_interruption(out, result);
    const char *invalid = bench_invalid(result);
    if (invalid != NULL) {
        fprintf(out, "%s Not valid: %s\n", cli_mark(CLI_MARK_BAD), invalid);
    }
}

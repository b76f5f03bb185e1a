#include "base/mem.h"
#include "base/text.h"
#include "bench/report.h"
#include "cli/terminal.h"

#include <inttypes.h>
#include <string.h>

#define DURATION_BYTES 24

static const struct {
    const char *name;
    double fraction;
} SHOWN[] = {{"p50", 0.5},     {"p90", 0.9},       {"p99", 0.99},
             {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};

static const char *duration(char out[static DURATION_BYTES], uint64_t ns)
{
    return text_format_duration(out, DURATION_BYTES, ns);
}

static double per_second(uint64_t count, uint64_t ns)
{
    return ns > 0 ? (double)count * 1e9 / (double)ns : 0;
}

static void print_setup(FILE *out, const struct bench_setup *setup)
{
    char lasted[DURATION_BYTES];
    char warmup[DURATION_BYTES];
    fprintf(out, "Load      %s, %" PRIu64 " connections x %" PRIu64 " streams,", setup->target,
            setup->connections, setup->streams);
    for (size_t i = 0; i < setup->version_count; i++) {
        fprintf(out, " %s", setup->versions[i]);
    }
    if (setup->rate > 0) {
        fprintf(out, ", open loop at %" PRIu64 " messages/s", setup->rate);
    } else {
        fprintf(out, ", closed loop");
    }
    fprintf(out, ", %" PRIu64 " bytes, %s after %s\n", setup->size_bytes,
            duration(lasted, setup->duration_ns), duration(warmup, setup->warmup_ns));
}

static void print_messages(FILE *out, const struct bench_result *result)
{
    fprintf(out,
            "Messages  %.1f/s, %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64
            " unanswered, %" PRIu64 " lost\n",
            per_second(result->answered, result->seconds_ns), result->sent, result->answered,
            result->unanswered, result->lost);
    fprintf(out,
            "Routing   %" PRIu64 " misrouted, %" PRIu64 " moved to another server, %" PRIu64
            " out of order\n",
            result->misrouted, result->moved, result->disordered);
}

static void print_quantiles(FILE *out, const char *label, const struct histogram *histogram)
{
    char shown[DURATION_BYTES];
    fprintf(out, "%-10s", label);
    for (size_t i = 0; i < ARRAY_SIZE(SHOWN); i++) {
        fprintf(out, "%s %s%s", SHOWN[i].name,
                duration(shown, histogram_quantile(histogram, SHOWN[i].fraction)),
                i + 1 < ARRAY_SIZE(SHOWN) ? "  " : "\n");
    }
}

static void print_streams(FILE *out, const struct bench_result *result)
{
    char took[DURATION_BYTES];
    fprintf(out,
            "Streams   %" PRIu64 " of %" PRIu64 " opened in %s (%.1f/s), %" PRIu64
            " opened again\n",
            result->streams_opened, result->streams_opened + result->unopened, duration(took, result->opening_ns),
            per_second(result->streams_opened, result->opening_ns), result->reopened);
    for (size_t i = 0; i < result->cause_count; i++) {
        char cause[BENCH_CAUSE_BYTES];
        snprintf(cause, sizeof(cause), "%s", result->causes[i].text);
        fprintf(out, "Errors    %" PRIu64 " x %s\n", result->causes[i].count,
                cli_readable(cause));
    }
}

static double us_per_message(double cpu_seconds, const struct bench_result *result)
{
    return result->answered > 0 ? cpu_seconds * 1e6 / (double)result->answered : 0;
}

static void print_costs(FILE *out, const struct bench_result *result)
{
    char late[DURATION_BYTES];
    char share[16];
    char memory[16];
    char idle[16];
    double seconds = (double)result->seconds_ns / 1e9;
    fprintf(out, "Driver    %s of a core, %.2f us per message, sends late by p99 %s\n",
            text_format_percent(share, sizeof(share),
                                seconds > 0 ? result->driver_cpu_seconds / seconds : 0),
            us_per_message(result->driver_cpu_seconds, result),
            duration(late, histogram_quantile(&result->lateness, 0.99)));
    for (size_t i = 0; i < result->setup.pid_count; i++) {
        const struct bench_cost *cost = &result->costs[i];
        if (cost->ended) {
            fprintf(out, "Process   %d: ended before the load did\n", (int)cost->pid);
            continue;
        }
        fprintf(out,
                "Process   %d: %.2f us per message (%s of a core), %s, %s per idle stream\n",
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

void report_text(FILE *out, const struct bench_result *result)
{
    print_setup(out, &result->setup);
    print_messages(out, result);
    print_quantiles(out, "Latency", &result->latency);
    fprintf(out, "          from when a message was %s to its answer; quantiles within 0.4 %%\n",
            result->setup.rate > 0 ? "due" : "sent");
    print_streams(out, result);
    print_costs(out, result);
    const char *invalid = bench_invalid(result);
    if (invalid != NULL) {
        fprintf(out, "%s Not valid: %s\n", cli_mark(CLI_MARK_BAD), invalid);
    }
}

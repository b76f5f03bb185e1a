/* The seconds of the load that count, as they pass. */
#include "bench/timeline.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static void show_progress(struct bench_driver *driver, const struct bench_second *second)
{
    char p50[24];
    char p99[24];
    cli_progress_show(
        &driver->progress, "%5zu s  %8" PRIu64 " messages/s  p50 %-8s p99 %-8s  errors %" PRIu64,
        driver->result->timeline_count, second->answered,
        text_format_duration(p50, sizeof(p50), second->p50_ns),
        text_format_duration(p99, sizeof(p99), second->p99_ns), bench_errors(driver->result));
}

void bench_second_end(struct bench_driver *driver, uint64_t now_ns)
{
    struct bench_result *result = driver->result;
    if (result->timeline_count < BENCH_SECONDS_MAX) {
        struct bench_second *second = &result->timeline[result->timeline_count++];
        second->answered = driver->second.count;
        second->length_ns = now_ns - driver->second_began_ns;
        second->p50_ns = histogram_quantile(&driver->second, 0.5);
        second->p99_ns = histogram_quantile(&driver->second, 0.99);
        show_progress(driver, second);
    }
    memset(&driver->second, 0, sizeof(driver->second));
    driver->second_began_ns = now_ns;
}

static void on_second(uv_timer_t *timer);

void bench_second_begin(struct bench_driver *driver)
{
    uint64_t over_ns = driver->measure_ns + ++driver->seconds_begun * NS_PER_S;
    if (over_ns < driver->end_ns) {
        uv_timer_start(&driver->second_timer, on_second, bench_ms_until(over_ns), 0);
    }
}

static void on_second(uv_timer_t *timer)
{
    bench_second_end(timer->data, clock_now_ns());
    bench_second_begin(timer->data);
}

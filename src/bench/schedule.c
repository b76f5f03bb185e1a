#include "bench/schedule.h"
#include "base/clock.h"

uint64_t bench_schedule_due_ns(const struct bench_schedule *schedule, uint64_t k)
{
    /* In two parts, as k * 10^9 would overflow within minutes at high rates. */
    uint64_t whole_s = k / schedule->rate;
    uint64_t rest = k % schedule->rate;
    return schedule->start_ns + whole_s * NS_PER_S + rest * NS_PER_S / schedule->rate;
}

uint64_t bench_schedule_stream_due_ns(const struct bench_schedule *schedule, size_t stream,
                                      uint64_t n)
{
    return bench_schedule_due_ns(schedule, n * schedule->streams + stream);
}

uint64_t bench_schedule_stream_count(const struct bench_schedule *schedule, size_t stream,
                                     uint64_t until_ns)
{
    if (until_ns <= schedule->start_ns) {
        return 0;
    }
    uint64_t span_ns = until_ns - schedule->start_ns;
    uint64_t k =
        span_ns / NS_PER_S * schedule->rate + span_ns % NS_PER_S * schedule->rate / NS_PER_S;
    uint64_t n = k > stream ? (k - stream) / schedule->streams : 0; /* at most two too few */
    while (bench_schedule_stream_due_ns(schedule, stream, n) < until_ns) {
        n++;
    }
    return n;
}

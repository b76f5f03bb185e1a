#include "base/mem.h"
#include "bench/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

static void messages_are_due_evenly_and_streams_take_turns(void **state)
{
    (void)state;
    const struct bench_schedule schedule = {.start_ns = 1000, .rate = 4, .streams = 3};
    assert_int_equal(bench_schedule_due_ns(&schedule, 0), 1000);
    assert_int_equal(bench_schedule_due_ns(&schedule, 1), 1000 + 250000000);
    assert_int_equal(bench_schedule_due_ns(&schedule, 4), 1000 + 1000000000);
    assert_int_equal(bench_schedule_stream_due_ns(&schedule, 2, 1),
                     bench_schedule_due_ns(&schedule, 5));
}

static void long_runs_at_high_rates_do_not_overflow(void **state)
{
    (void)state;
    const struct bench_schedule schedule = {.start_ns = 0, .rate = 10000000, .streams = 100000};
    uint64_t day_s = 24 * 3600;
    assert_int_equal(bench_schedule_due_ns(&schedule, day_s * 10000000), day_s * 1000000000);
}

/* The count is the number of due times before the limit, whatever the numbers. */
static void counts_agree_with_due_times(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 3, 7, 1000, 999983};
    for (size_t r = 0; r < ARRAY_SIZE(rates); r++) {
        const struct bench_schedule schedule = {.start_ns = 12345, .rate = rates[r], .streams = 7};
        for (uint64_t until_ns = 12000; until_ns < UINT64_C(4000000000); until_ns += 98765431) {
            uint64_t total = 0;
            for (size_t stream = 0; stream < schedule.streams; stream++) {
                uint64_t n = bench_schedule_stream_count(&schedule, stream, until_ns);
                total += n;
                assert_true(bench_schedule_stream_due_ns(&schedule, stream, n) >= until_ns);
                if (n > 0) {
                    assert_true(bench_schedule_stream_due_ns(&schedule, stream, n - 1) < until_ns);
                }
            }
            if (total > 0) {
                assert_true(bench_schedule_due_ns(&schedule, total - 1) < until_ns);
            }
            assert_true(bench_schedule_due_ns(&schedule, total) >= until_ns);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_due_evenly_and_streams_take_turns),
        cmocka_unit_test(long_runs_at_high_rates_do_not_overflow),
        cmocka_unit_test(counts_agree_with_due_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/mem.h"
#include "bench/threshold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

static struct bench_result *result_with_latencies(uint64_t ns)
{
    struct bench_result *result = mem_new(struct bench_result);
    for (int i = 0; i < 100; i++) {
        histogram_add(&result->latency, ns);
    }
    result->answered = 100;
    result->seconds_ns = UINT64_C(2000000000);
    result->lost = 3;
    return result;
}

static bool holds(const char *text, const struct bench_result *result)
{
    struct bench_threshold threshold;
    char shown[THRESHOLD_SHOWN_BYTES];
    assert_int_equal(bench_threshold_parse(text, &threshold), 0);
    return bench_threshold_holds(&threshold, result, shown);
}

static void each_metric_and_comparison_can_hold_and_fail(void **state)
{
    (void)state;
    struct bench_result *result = result_with_latencies(1000000);
    assert_true(holds("p99<1.1ms", result));
    assert_false(holds("p99<900us", result));
    assert_true(holds("max<=1ms", result));
    assert_false(holds("max<1ms", result));
    assert_true(holds("mean==1ms", result));
    assert_true(holds("rate>=50", result));
    assert_false(holds("rate>50", result));
    assert_true(holds("lost==3", result));
    assert_false(holds("lost<3", result));
    assert_true(holds("errors==0", result));
    bench_count_cause(result, "gone", 2);
    assert_false(holds("errors==0", result));
    free(result);
}

static void latency_of_no_messages_holds_nothing(void **state)
{
    (void)state;
    struct bench_result *empty = mem_new(struct bench_result);
    assert_false(holds("p99<1h", empty));
    free(empty);
}

static unsigned missed(const struct bench_result *result, const char *allowed)
{
    struct bench_threshold threshold;
    const struct bench_metric *metric;
    unsigned count = 0;
    assert_int_equal(bench_threshold_parse(allowed, &threshold), 0);
    for (size_t i = 0; (metric = bench_metric(i)) != NULL; i++) {
        count += bench_threshold_is_missed(metric, &threshold, 1, result);
    }
    return count;
}

static void what_must_not_be_is_missed_unless_it_is_named(void **state)
{
    (void)state;
    struct bench_result *result = result_with_latencies(1000000);
    assert_int_equal(missed(result, "p99<1h"), 1); /* lost */
    assert_int_equal(missed(result, "lost<5"), 0);
    result->lost = 0;
    assert_int_equal(missed(result, "p99<1h"), 0);
    result->unopened = 1;
    assert_int_equal(missed(result, "errors<5"), 1);
    assert_int_equal(missed(result, "unopened<5"), 0);
    bench_count_cause(result, "gone", 1);
    result->unanswered = 1;
    result->disordered = 1;
    assert_int_equal(missed(result, "p99<1h"), 4);
    for (int i = 0; i < 100; i++) {
        histogram_add(&result->lateness, UINT64_C(100000000)); /* the driver's fault */
    }
    assert_int_equal(missed(result, "p99<1h"), 3);
    free(result);
}

static void what_is_no_threshold_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",         "p99",      "p98<1ms",    "p99<",    "p99<5",    "p99=5ms",  "errors<x",
        "rate>-1",  "<5ms",     "p99<5ms ",   "lost<<3", "lost<inf", "lost<nan", "lost<0x10",
        "lost<\t3", "p 99<5ms", "lost < = 3", "lost",    "lost <",   " "};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct bench_threshold threshold;
        if (bench_threshold_parse(texts[i], &threshold) == 0) {
            fail_msg("\"%s\" was taken", texts[i]);
        }
    }
}

static void blanks_may_stand_around_the_comparison(void **state)
{
    (void)state;
    struct bench_result *result = result_with_latencies(1000000);
    assert_true(holds("p99 < 1.1ms", result));
    assert_false(holds(" p99  <  900us", result));
    assert_true(holds("rate >=5e1", result));
    free(result);
}

static void limits_that_no_value_keeps_exclude_each_other(void **state)
{
    (void)state;
    static const struct {
        const char *one;
        const char *other;
        bool excludes;
    } pairs[] = {
        {"p99<5ms", "p99>10ms", true},   {"p99<5ms", "p99>=5ms", true},
        {"p99<=5ms", "p99>5ms", true},   {"p99<=5ms", "p99>=5ms", false},
        {"p99<5ms", "p99>4ms", false},   {"p99<5ms", "p50>10ms", false},
        {"lost==1", "lost==2", true},    {"lost==1", "lost>1", true},
        {"lost==1", "lost>=1", false},   {"lost<3", "lost<1", false},
        {"rate>100", "rate>200", false}, {"errors==0", "errors<1", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct bench_threshold one;
        struct bench_threshold other;
        assert_int_equal(bench_threshold_parse(pairs[i].one, &one), 0);
        assert_int_equal(bench_threshold_parse(pairs[i].other, &other), 0);
        assert_int_equal(bench_threshold_excludes(&one, &other), pairs[i].excludes);
        assert_int_equal(bench_threshold_excludes(&other, &one), pairs[i].excludes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_metric_and_comparison_can_hold_and_fail),
        cmocka_unit_test(latency_of_no_messages_holds_nothing),
        cmocka_unit_test(what_must_not_be_is_missed_unless_it_is_named),
        cmocka_unit_test(what_is_no_threshold_is_refused),
        cmocka_unit_test(blanks_may_stand_around_the_comparison),
        cmocka_unit_test(limits_that_no_value_keeps_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

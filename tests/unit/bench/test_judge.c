#include "base/mem.h"
#include "bench/judge.h"
#include "cli/exit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

static struct bench_result *good_result(void)
{
    struct bench_result *result = mem_new(struct bench_result);
    for (int i = 0; i < 100; i++) {
        histogram_add(&result->latency, 1000000);
    }
    result->answered = 100;
    result->seconds_ns = UINT64_C(1000000000);
    return result;
}

static struct bench_verdict judge(const struct bench_result *result, const char *limit)
{
    static struct bench_threshold threshold;
    struct bench_verdict verdict;
    if (limit != NULL) {
        assert_int_equal(bench_threshold_parse(limit, &threshold), 0);
    }
    bench_judge(result, &threshold, limit != NULL, &verdict);
    return verdict;
}

static void what_is_good_passes(void **state)
{
    (void)state;
    struct bench_result *result = good_result();
    assert_int_equal(judge(result, NULL).exit_code, EXIT_GOOD);
    struct bench_verdict verdict = judge(result, "p99<2ms");
    assert_int_equal(verdict.exit_code, EXIT_GOOD);
    assert_int_equal(verdict.count, 1);
    assert_true(verdict.checks[0].holds);
    assert_string_equal(verdict.checks[0].text, "p99<2ms");
    assert_string_equal(verdict.checks[0].value, "1.00ms");
    free(result);
}

static void each_fault_fails(void **state)
{
    (void)state;
    struct bench_result *result = good_result();
    struct bench_verdict verdict = judge(result, "p99<1ms");
    assert_int_equal(verdict.exit_code, EXIT_CHECK_FAILED);
    assert_int_equal(verdict.missed, 1);
    result->lost = 2;
    verdict = judge(result, NULL);
    assert_int_equal(verdict.exit_code, EXIT_CHECK_FAILED);
    assert_string_equal(
        verdict.checks[0].text,
        "2 messages were lost with their stream (allow it with --threshold 'lost<=N')");
    assert_int_equal(judge(result, "lost<=2").exit_code, EXIT_GOOD);
    result->lost = 0;
    result->misrouted = 1;
    assert_int_equal(judge(result, "misrouted<=5").exit_code, EXIT_CHECK_FAILED);
    free(result);
}

static void what_is_not_valid_is_no_evidence(void **state)
{
    (void)state;
    struct bench_result *result = good_result();
    result->busiest_cpu_seconds = 1;
    assert_int_equal(judge(result, "p99<2ms").exit_code, EXIT_NO_EVIDENCE);
    assert_int_equal(judge(result, "p99<1ms").exit_code, EXIT_CHECK_FAILED);
    free(result);
}

/* No zero is kept by what could not be seen; what was seen is wrong all the same. */
static void what_could_not_be_seen_is_no_evidence(void **state)
{
    (void)state;
    struct bench_result *result = good_result();
    assert_int_equal(judge(result, "disordered==0").exit_code, EXIT_GOOD);
    assert_int_equal(judge(result, "moved<1").exit_code, EXIT_GOOD);
    result->unsequenced = result->unplaced = 1;
    struct bench_verdict verdict = judge(result, "disordered==0");
    assert_int_equal(verdict.exit_code, EXIT_NO_EVIDENCE);
    assert_int_equal(verdict.missed, 0);
    assert_false(verdict.checks[0].holds);
    assert_string_equal(verdict.checks[0].value, "not checked");
    assert_string_equal(bench_check_word(&verdict.checks[0]), "no_evidence");
    assert_int_equal(judge(result, "moved==0").exit_code, EXIT_NO_EVIDENCE);
    assert_int_equal(judge(result, "lost==0").exit_code, EXIT_GOOD);
    assert_int_equal(judge(result, NULL).exit_code, EXIT_GOOD);
    result->disordered = 1;
    assert_int_equal(judge(result, "disordered==0").exit_code, EXIT_CHECK_FAILED);
    result->disordered = result->unsequenced = result->unplaced = 0;
    result->setup.call = ROLE_CALL_UNARY; /* one call has no order, nor anywhere to move to */
    assert_int_equal(judge(result, "disordered==0").exit_code, EXIT_NO_EVIDENCE);
    assert_int_equal(judge(result, "moved==0").exit_code, EXIT_NO_EVIDENCE);
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_good_passes),
        cmocka_unit_test(each_fault_fails),
        cmocka_unit_test(what_is_not_valid_is_no_evidence),
        cmocka_unit_test(what_could_not_be_seen_is_no_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

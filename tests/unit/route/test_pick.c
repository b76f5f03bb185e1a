/* Weights: shares that are exact and spread evenly. */
#include "support.h"

#include "base/mem.h"

static struct route_rule rule_of(const uint32_t *weights, size_t count)
{
    struct route_rule rule = {.backend_count = count};
    for (size_t i = 0; i < count; i++) {
        rule.backends[i].weight = weights[i];
    }
    return rule;
}

/* How often each backend is picked by `tickets` tickets from `first` on. */
static void tally(const struct route_rule *rule, uint64_t first, uint64_t tickets, uint64_t *counts)
{
    memset(counts, 0, sizeof(*counts) * ROUTE_BACKENDS_MAX);
    for (uint64_t i = 0; i < tickets; i++) {
        counts[route_rule_pick(rule, first + i) - rule->backends]++;
    }
}

/* GRPCRouteWeight */
static void seventy_thirty_zero_is_exact_over_a_hundred(void **state)
{
    (void)state;
    struct route_rule rule = rule_of((const uint32_t[]){70, 30, 0}, 3);
    uint64_t counts[ROUTE_BACKENDS_MAX];
    const uint64_t firsts[] = {0, 1, 55, 1000003, UINT64_C(1) << 40};
    for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
        tally(&rule, firsts[i], 100, counts);
        assert_int_equal(counts[0], 70);
        assert_int_equal(counts[1], 30);
        assert_int_equal(counts[2], 0);
    }
}

static void any_weights_are_exact_over_their_sum(void **state)
{
    (void)state;
    static const uint32_t weights[][4] = {
        {1, 1, 0, 0},  {1, 0, 0, 0}, {0, 0, 0, 7},     {1, 1, 1, 0},    {1, 2, 3, 4},
        {99, 1, 0, 0}, {0, 5, 0, 5}, {13, 17, 19, 23}, {1000, 1, 1, 1}, {6, 10, 15, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(weights); i++) {
        struct route_rule rule = rule_of(weights[i], 4);
        uint64_t total = 0;
        for (size_t k = 0; k < 4; k++) {
            total += weights[i][k];
        }
        uint64_t counts[ROUTE_BACKENDS_MAX];
        tally(&rule, 12345, total, counts);
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(counts[k], weights[i][k]);
        }
    }
}

static void shares_are_spread_and_not_in_blocks(void **state)
{
    (void)state;
    struct route_rule rule = rule_of((const uint32_t[]){70, 30}, 2);
    uint64_t counts[ROUTE_BACKENDS_MAX];
    for (uint64_t first = 0; first < 100; first++) {
        tally(&rule, first, 10, counts);
        assert_in_range(counts[0], 6, 8);
    }
    rule = rule_of((const uint32_t[]){500000, 500000}, 2);
    tally(&rule, 0, 2, counts);
    assert_int_equal(counts[0], 1);
    rule = rule_of((const uint32_t[]){1000000, 999999}, 2);
    tally(&rule, 0, 1000, counts);
    assert_in_range(counts[0], 480, 520);
}

static void largest_weights_do_not_overflow(void **state)
{
    (void)state;
    uint32_t weights[ROUTE_BACKENDS_MAX];
    for (size_t i = 0; i < ROUTE_BACKENDS_MAX; i++) {
        weights[i] = ROUTE_WEIGHT_MAX - (uint32_t)i; /* no common divisor */
    }
    struct route_rule rule = rule_of(weights, ROUTE_BACKENDS_MAX);
    uint64_t counts[ROUTE_BACKENDS_MAX];
    tally(&rule, UINT64_MAX - 8000, 16000, counts);
    for (size_t i = 0; i < ROUTE_BACKENDS_MAX; i++) {
        assert_in_range(counts[i], 900, 1100);
    }
}

static void nothing_to_pick_without_weights(void **state)
{
    (void)state;
    struct route_rule none = {0};
    struct route_rule zeros = rule_of((const uint32_t[]){0, 0}, 2);
    assert_null(route_rule_pick(&none, 0));
    assert_null(route_rule_pick(&zeros, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seventy_thirty_zero_is_exact_over_a_hundred),
        cmocka_unit_test(any_weights_are_exact_over_their_sum),
        cmocka_unit_test(shares_are_spread_and_not_in_blocks),
        cmocka_unit_test(largest_weights_do_not_overflow),
        cmocka_unit_test(nothing_to_pick_without_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

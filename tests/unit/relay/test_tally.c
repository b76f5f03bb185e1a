/* Samples on both sides of each bound, and ages of streams that live. */
#include "relay/tally.h"

#include "relay/streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STREAMS 1000 /* more than are looked at in one go */

static void a_bound_belongs_to_what_is_below_it(void **state)
{
    (void)state;
    static const struct tally_scale *const scales[] = {&tally_answers, &tally_ages};
    for (size_t s = 0; s < 2; s++) {
        assert_int_equal(tally_bucket(scales[s], 0), 0);
        for (size_t i = 0; i < TALLY_BOUNDS; i++) {
            assert_int_equal(tally_bucket(scales[s], scales[s]->bounds[i]), i);
            assert_int_equal(tally_bucket(scales[s], scales[s]->bounds[i] + 1), i + 1);
            assert_true(i == 0 || scales[s]->bounds[i - 1] < scales[s]->bounds[i]);
        }
        assert_int_equal(tally_bucket(scales[s], UINT64_MAX), TALLY_BOUNDS);
    }
}

static void sums_add_up(void **state)
{
    (void)state;
    struct tally tallies[2];
    struct tally_sum sum = {0};
    memset(tallies, 0, sizeof(tallies));
    tally_add(&tallies[0], &tally_answers, 100);
    tally_add(&tallies[0], &tally_answers, 101);
    tally_add(&tallies[1], &tally_answers, 101);
    tally_add_to(&tallies[0], &sum);
    tally_add_to(&tallies[1], &sum);
    assert_int_equal(sum.counts[0], 1);
    assert_int_equal(sum.counts[1], 2);
    assert_int_equal(sum.sum, 302);
}

static void every_live_stream_has_an_age(void **state)
{
    (void)state;
    static struct stream_record records[STREAMS];
    struct streams streams;
    struct streams_ages ages = {0};
    streams_init(&streams);
    for (size_t i = 0; i < STREAMS; i++) {
        records[i].opened_ms = 1000 + i;
        streams_add(&streams, &records[i]);
    }
    streams_add_ages(&streams, 1000 + 60000 + 300, &ages); /* the first 300 are over a minute */
    uint64_t count = 0;
    for (size_t i = 0; i <= TALLY_BOUNDS; i++) {
        count += ages.counts[i];
    }
    assert_int_equal(count, STREAMS);
    assert_int_equal(ages.counts[tally_bucket(&tally_ages, 60001)], 300);
    assert_int_equal(ages.oldest_ms, 60300);
    struct streams_ages young = {0};
    streams_add_ages(&streams, 500, &young); /* by the reader's clock, from after now */
    assert_int_equal(young.counts[0], STREAMS);
    assert_int_equal(young.oldest_ms, 0);
    for (size_t i = 0; i < STREAMS; i++) {
        streams_remove(&streams, &records[i]);
    }
    streams_deinit(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_belongs_to_what_is_below_it),
        cmocka_unit_test(sums_add_up),
        cmocka_unit_test(every_live_stream_has_an_age),
    };
    return cmocka_run_group_tests_name("relay/tally", tests, NULL, NULL);
}

/* What is counted and weighed: a limit is one only below what was looked for, twice, and told as
 * what it was. */
#include "base/clock.h"
#include "limits/counted.h"
#include "limits/sizes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KIB UINT64_C(1024)

static struct limits_finding judged(enum limits_shape shape, uint64_t looked,
                                    const struct limits_sample *first,
                                    const struct limits_sample *second)
{
    struct limits_finding finding;
    limits_finding_init(&finding, shape);
    finding.looked = looked;
    finding.samples[finding.sample_count++] = *first;
    if (second != NULL) {
        finding.samples[finding.sample_count++] = *second;
    }
    limits_counted_judge(&finding);
    return finding;
}

static struct limits_sample reached(uint64_t value, uint64_t resolution)
{
    return (struct limits_sample){.opened = true,
                                  .value = value,
                                  .resolution = resolution,
                                  .end = LIMITS_END_RESET,
                                  .side = LIMITS_SIDE_CLIENT_HOP,
                                  .saw = "stream reset with REFUSED_STREAM"};
}

/* ---- the judge ------------------------------------------------------------------------------- */

static void samples_that_agree_are_a_limit(void **state)
{
    (void)state;
    const struct limits_sample a = reached(100 * KIB, 1 * KIB);
    const struct limits_sample b = reached(102 * KIB, 1 * KIB);
    struct limits_finding found = judged(LIMITS_MESSAGE_UP, 4096 * KIB, &a, &b);
    assert_int_equal(found.state, LIMITS_FOUND);
    assert_int_equal(found.value, 100 * KIB);
    assert_int_equal(found.resolution, 2 * KIB);
    assert_int_equal(found.side, LIMITS_SIDE_CLIENT_HOP);
    assert_string_equal(found.look, "stream reset with REFUSED_STREAM");
}

static void samples_that_differ_are_unsteady_and_both_are_told(void **state)
{
    (void)state;
    const struct limits_sample a = reached(100, 1);
    const struct limits_sample b = reached(150, 1);
    struct limits_finding found = judged(LIMITS_STREAMS_PER_CONNECTION, 2000, &a, &b);
    assert_int_equal(found.state, LIMITS_UNSTEADY);
    assert_non_null(strstr(found.why, "100"));
    assert_non_null(strstr(found.why, "150"));
}

static void one_that_took_all_and_one_that_did_not_are_unsteady(void **state)
{
    (void)state;
    const struct limits_sample all = reached(200, 0);
    const struct limits_sample near = reached(199, 1);
    assert_int_equal(judged(LIMITS_METADATA_FIELDS_UP, 200, &all, &near).state, LIMITS_UNSTEADY);
    assert_int_equal(judged(LIMITS_METADATA_FIELDS_UP, 200, &near, &all).state, LIMITS_UNSTEADY);
    assert_int_equal(judged(LIMITS_METADATA_FIELDS_UP, 200, &all, &all).state, LIMITS_NONE_WITHIN);
}

static void one_sample_alone_is_no_limit_and_is_told(void **state)
{
    (void)state;
    const struct limits_sample all = reached(200, 0);
    const struct limits_sample some = reached(100, 1);
    struct limits_finding found = judged(LIMITS_METADATA_FIELDS_UP, 200, &some, NULL);
    assert_int_equal(found.state, LIMITS_NOT_MEASURED);
    assert_non_null(strstr(found.why, "before the second sample; one reached 100, then stream"));
    found = judged(LIMITS_METADATA_FIELDS_UP, 200, &all, NULL);
    assert_int_equal(found.state, LIMITS_NOT_MEASURED);
}

static void without_a_connection_nothing_is_said(void **state)
{
    (void)state;
    const struct limits_sample none = {.saw = "connection refused"};
    const struct limits_sample some = reached(10, 1);
    struct limits_finding found = judged(LIMITS_MESSAGE_UP, 4096 * KIB, &some, &none);
    assert_int_equal(found.state, LIMITS_NOT_MEASURED);
    assert_string_equal(found.why, "connection refused");
}

/* ---- the wall -------------------------------------------------------------------------------- */

static void a_wall_is_told_as_what_it_is(void **state)
{
    (void)state;
    static const struct {
        struct limits_wall wall;
        uint64_t value;
        enum limits_end end;
        enum limits_side side;
        const char *saw;
    } cases[] = {
        {{.asked = 2000, .announced = 100, .opened = 100, .answered = 100},
         100,
         LIMITS_END_HERE,
         LIMITS_SIDE_CLIENT_HOP,
         "SETTINGS allow 100 streams at once: a client opens no more"},
        {{.asked = 2000,
          .announced = UINT32_MAX,
          .opened = 50,
          .answered = 10,
          .ended = 40,
          .ended_number = 11,
          .end = LIMITS_END_RESET,
          .code = 7,
          .ended_text = "stream reset with REFUSED_STREAM"},
         10,
         LIMITS_END_RESET,
         LIMITS_SIDE_UNKNOWN, /* the server was not asked */
         "stream 11 of 50: stream reset with REFUSED_STREAM"},
        {{.asked = 2000,
          .opened = 50,
          .answered = 10,
          .ended = 40,
          .ended_number = 11,
          .end = LIMITS_END_TRAILERS,
          .ended_side = LIMITS_SIDE_SERVER,
          .ended_text = "RESOURCE_EXHAUSTED"},
         10,
         LIMITS_END_TRAILERS,
         LIMITS_SIDE_SERVER,
         "stream 11 of 50: RESOURCE_EXHAUSTED"},
        {{.asked = 2000, .announced = 2000, .opened = 700, .answered = 700},
         700,
         LIMITS_END_HERE,
         LIMITS_SIDE_UNKNOWN,
         "after 700 streams the connection takes no more"},
        {{.asked = 2000, .announced = 2000, .opened = 150, .answered = 120, .waited_ms = 4000},
         120,
         LIMITS_END_UNTOLD,
         LIMITS_SIDE_UNKNOWN, /* in whose queue, neither end sees */
         "stream 121 of 150 waits: in 4000 ms neither an answer nor a refusal"},
        {{.asked = 2000, .opened = 2000, .answered = 2000, .looked_at = 8, .connections = 1},
         2000,
         LIMITS_END_OPEN,
         LIMITS_SIDE_UNKNOWN,
         "all 2000 are answered"},
        {{.asked = 2000, .opened = 2000, .answered = 2000, .looked_at = 8, .connections = 3},
         2000,
         LIMITS_END_OPEN,
         LIMITS_SIDE_UNKNOWN,
         "all 2000 are answered, on more than one connection to the server"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct limits_sample sample = {.opened = true};
        limits_wall_sample(&cases[i].wall, &sample);
        assert_int_equal(sample.value, cases[i].value);
        assert_int_equal(sample.end, cases[i].end);
        assert_int_equal(sample.side, cases[i].side);
        assert_string_equal(sample.saw, cases[i].saw);
    }
}

static void of_a_stream_that_waits_the_server_is_asked(void **state)
{
    (void)state;
    struct limits_wall wall = {
        .asked = 2000, .announced = 2000, .opened = 50, .answered = 30, .waiting_asked = true};
    struct limits_sample sample = {.opened = true};
    limits_wall_sample(&wall, &sample);
    assert_string_equal(sample.server_saw, "the one that waits it has not seen");
    wall.waiting_seen = true;
    wall.looked_at = 8;
    wall.connections = 1;
    limits_wall_sample(&wall, &sample);
    assert_string_equal(sample.server_saw,
                        "8 of these streams came to the server on 1 connection; the one that waits "
                        "it has seen");
    assert_int_equal(sample.side, LIMITS_SIDE_UNKNOWN);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static struct limits_sample refusal(const struct limits_told *told, bool given_up, bool unsent)
{
    const struct limits_size_try try = {
        .unsent = unsent,
        .announced = 16384,
        .given_up = given_up,
        .waited_ms = 5000,
        .end = {.end = LIMITS_END_HTTP, .code = 413, .saw = "HTTP status 413"},
        .told = told,
    };
    struct limits_sample sample = {.opened = true};
    limits_size_refused(&try, &sample);
    return sample;
}

static void what_arrives_in_part_is_no_end_of_anybody_s(void **state)
{
    (void)state;
    const struct limits_told told = {
        .answered = true, .found = true, .ended = true, .how = RPC_PROBE_RESET};
    const struct limits_size_try try = {
        .lessened = true,
        .end = {.end = LIMITS_END_HERE, .code = 1, .saw = "CANCELLED: cancelled here"},
        .told = &told,
    };
    struct limits_sample sample = {.opened = true};
    limits_size_refused(&try, &sample);
    assert_int_equal(sample.end, LIMITS_END_UNTOLD);
    assert_int_equal(sample.side, LIMITS_SIDE_UNKNOWN);
    assert_string_equal(sample.saw, "the stream arrives, but not with all of it");
}

static void whose_a_refusal_is_follows_from_what_the_server_saw(void **state)
{
    (void)state;
    const struct limits_told nothing = {.answered = true};
    const struct limits_told own = {
        .answered = true, .found = true, .ended = true, .how = RPC_PROBE_LIMIT, .text = "LIMIT"};
    const struct limits_told cut = {
        .answered = true, .found = true, .ended = true, .how = RPC_PROBE_RESET, .text = "reset"};
    const struct limits_told mute = {0};
    assert_true(refusal(&cut, false, false).server_told);
    assert_int_equal(refusal(&cut, false, false).server_end, RPC_PROBE_RESET);
    assert_false(refusal(&nothing, false, false).server_told);
    assert_int_equal(refusal(&nothing, false, false).side, LIMITS_SIDE_CLIENT_HOP);
    assert_string_equal(refusal(&nothing, false, false).server_saw, "nothing of the stream");
    assert_int_equal(refusal(&own, false, false).side, LIMITS_SIDE_SERVER);
    assert_int_equal(refusal(&cut, false, false).side, LIMITS_SIDE_BOTH);
    assert_int_equal(refusal(&mute, false, false).side, LIMITS_SIDE_UNKNOWN);
    assert_int_equal(refusal(NULL, false, false).side, LIMITS_SIDE_UNKNOWN);
    assert_string_equal(refusal(&cut, false, false).saw, "HTTP status 413");
    assert_string_equal(refusal(NULL, true, false).saw,
                        "in 5000 ms it neither arrived nor was refused");
    assert_int_equal(refusal(NULL, true, false).end, LIMITS_END_UNTOLD);
    assert_string_equal(refusal(NULL, false, true).saw,
                        "SETTINGS allow a header list of 16384 bytes: a client sends no more");
}

static void a_refusal_that_may_be_another_s_is_tried_again(void **state)
{
    (void)state;
    struct limits_size_try try = {.end = {.end = LIMITS_END_HTTP, .code = 413}};
    assert_false(limits_size_is_doubtful(&try));
    try.end.end = LIMITS_END_RESET;
    try.end.code = 7;
    assert_true(limits_size_is_doubtful(&try));
    try.unsent = true;
    assert_false(limits_size_is_doubtful(&try));
    try = (struct limits_size_try){.end = {.end = LIMITS_END_RESET, .code = 2}};
    assert_false(limits_size_is_doubtful(&try));
    try.given_up = true;
    assert_true(limits_size_is_doubtful(&try));
    try = (struct limits_size_try){.end = {.end = LIMITS_END_CONNECTION}};
    assert_true(limits_size_is_doubtful(&try));
    try.end.end = LIMITS_END_GOAWAY;
    assert_true(limits_size_is_doubtful(&try));
}

static void metadata_that_the_server_may_not_send_is_its_hop_s_limit(void **state)
{
    (void)state;
    const struct limits_told told = {
        .answered = true, .found = true, .ended = true, .how = RPC_PROBE_LIMIT};
    struct limits_sample sample = {0};
    struct limits_size_try try = {.down = true, .told = &told};
    limits_size_refused(&try, &sample);
    assert_int_equal(sample.side, LIMITS_SIDE_SERVER_HOP);
    try.down = false;
    limits_size_refused(&try, &sample);
    assert_int_equal(sample.side, LIMITS_SIDE_SERVER);
}

static void a_search_is_a_sample(void **state)
{
    (void)state;
    const struct limits_sample refused = refusal(NULL, false, false);
    struct limits_search search = {.most = 64 * KIB, .passed = 8000, .refused = 8100};
    struct limits_sample sample = {.opened = true, .opened_ns = 7};
    limits_size_sample(&search, &refused, &sample);
    assert_int_equal(sample.value, 8000);
    assert_int_equal(sample.resolution, 100);
    assert_int_equal(sample.code, 413);
    assert_int_equal(sample.opened_ns, 7);
    search = (struct limits_search){.most = 64 * KIB, .passed = 64 * KIB};
    sample = (struct limits_sample){.opened = true};
    limits_size_sample(&search, &refused, &sample);
    assert_int_equal(sample.end, LIMITS_END_OPEN);
    assert_int_equal(sample.code, 0);
}

/* ---- a slow reader --------------------------------------------------------------------------- */

static uint64_t left_alone(const struct limits_slow *slow, const char *said)
{
    struct limits_sample sample = {.opened = true};
    limits_slow_sample(slow, &sample);
    assert_int_equal(sample.side, LIMITS_SIDE_UNKNOWN); /* no hop shows where an answer waits */
    assert_non_null(strstr(sample.saw, said));
    return sample.value;
}

static void a_neighbour_without_answers_is_hurt(void **state)
{
    (void)state;
    struct limits_slow slow = {.alone_ns = 2 * NS_PER_MS,
                               .beside_ns = 9 * NS_PER_MS,
                               .asked = 20,
                               .answered = 20,
                               .waited_ms = 4000};
    assert_int_equal(left_alone(&slow, "9.00ms beside"), 1);
    slow.answered = 19;
    assert_int_equal(left_alone(&slow, "no answer within 4000 ms"), 0);
    slow.answered_behind = true;
    assert_int_equal(left_alone(&slow, "and had it once that was"), 0);
}

static void a_late_answer_hurts_unless_it_was_as_late_before(void **state)
{
    (void)state;
    struct limits_slow slow = {.alone_ns = 100 * NS_PER_MS,
                               .beside_ns = (LIMITS_SLOW_HARM_MS + 1) * NS_PER_MS,
                               .asked = 20,
                               .answered = 20};
    assert_int_equal(left_alone(&slow, "2.00s beside"), 0);
    slow.beside_ns = LIMITS_SLOW_HARM_MS * NS_PER_MS;
    assert_int_equal(left_alone(&slow, "2.00s beside"), 1);
    slow.beside_ns = 3000 * NS_PER_MS;
    slow.alone_ns = 800 * NS_PER_MS; /* the machine stood still then, too */
    assert_int_equal(left_alone(&slow, "3.00s beside"), 1);
}

static void what_is_held_is_what_was_sent_and_not_received(void **state)
{
    (void)state;
    struct limits_slow slow = {
        .offered_bytes = 16384 * KIB, .sent_bytes = 1064 * KIB, .received_bytes = 64 * KIB};
    struct limits_sample sample = {.opened = true};
    limits_buffered_sample(&slow, &sample);
    assert_false(sample.opened); /* it may have gone on */
    slow.settled = true;
    sample = (struct limits_sample){.opened = true};
    limits_buffered_sample(&slow, &sample);
    assert_true(sample.opened);
    assert_int_equal(sample.value, 1000 * KIB);
    assert_string_equal(sample.saw, "the server had to wait");
    slow.sent_bytes = 64 * KIB;
    limits_buffered_sample(&slow, &sample);
    assert_int_equal(sample.value, 0);
    assert_string_equal(sample.saw, "the server had to wait as soon as the client did not read");
    slow.sent_bytes = 16384 * KIB;
    limits_buffered_sample(&slow, &sample);
    assert_int_equal(sample.value, 16384 * KIB); /* all of it: no limit was met */
    assert_non_null(strstr(sample.saw, "got rid of all 16.0 MiB"));
    const struct limits_sample all = sample;
    assert_int_equal(judged(LIMITS_BUFFERED, 16384 * KIB, &all, &all).state, LIMITS_NONE_WITHIN);
}

static void a_slow_stream_that_ended_is_told_so(void **state)
{
    (void)state;
    const struct limits_slow slow = {.offered_bytes = 16384 * KIB,
                                     .sent_bytes = 1064 * KIB,
                                     .received_bytes = 64 * KIB,
                                     .end = LIMITS_END_RESET,
                                     .code = 11,
                                     .ended_text = "stream reset with ENHANCE_YOUR_CALM"};
    struct limits_sample sample = {.opened = true};
    limits_buffered_sample(&slow, &sample);
    assert_int_equal(sample.end, LIMITS_END_RESET);
    assert_non_null(strstr(sample.saw, "not read ended: stream reset with ENHANCE_YOUR_CALM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_that_agree_are_a_limit),
        cmocka_unit_test(samples_that_differ_are_unsteady_and_both_are_told),
        cmocka_unit_test(one_that_took_all_and_one_that_did_not_are_unsteady),
        cmocka_unit_test(one_sample_alone_is_no_limit_and_is_told),
        cmocka_unit_test(without_a_connection_nothing_is_said),
        cmocka_unit_test(a_wall_is_told_as_what_it_is),
        cmocka_unit_test(of_a_stream_that_waits_the_server_is_asked),
        cmocka_unit_test(what_arrives_in_part_is_no_end_of_anybody_s),
        cmocka_unit_test(whose_a_refusal_is_follows_from_what_the_server_saw),
        cmocka_unit_test(a_refusal_that_may_be_another_s_is_tried_again),
        cmocka_unit_test(metadata_that_the_server_may_not_send_is_its_hop_s_limit),
        cmocka_unit_test(a_search_is_a_sample),
        cmocka_unit_test(a_neighbour_without_answers_is_hurt),
        cmocka_unit_test(a_late_answer_hurts_unless_it_was_as_late_before),
        cmocka_unit_test(what_is_held_is_what_was_sent_and_not_received),
        cmocka_unit_test(a_slow_stream_that_ended_is_told_so),
    };
    return cmocka_run_group_tests_name("limits/counted", tests, NULL, NULL);
}

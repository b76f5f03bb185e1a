/* Facts: what arrives otherwise, or late, or not at all, is not what was sent. */
#include "base/clock.h"
#include "limits/facts.h"
#include "limits/goaway.h"
#include "limits/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- cases ----------------------------------------------------------------------------------- */

static void all_that_arrives_holds(void **state)
{
    (void)state;
    struct limits_cases cases = {0};
    struct limits_sample sample = {.opened = true};
    limits_cases_add(&cases, "OK", "OK", true);
    limits_cases_add(&cases, "NOT_FOUND", "NOT_FOUND", true);
    limits_cases_sample(&cases, &sample);
    assert_int_equal(sample.value, 2);
    assert_string_equal(sample.saw, "2 of 2 arrive as sent");
}

static void what_arrives_as_the_same_is_told_in_one(void **state)
{
    (void)state;
    struct limits_cases cases = {0};
    struct limits_sample sample = {.opened = true};
    limits_cases_add(&cases, "NO_ERROR", "INTERNAL_ERROR", false);
    limits_cases_add(&cases, "INTERNAL_ERROR", "INTERNAL_ERROR", true);
    limits_cases_add(&cases, "CANCEL", "nothing", false);
    limits_cases_add(&cases, "REFUSED_STREAM", "INTERNAL_ERROR", false);
    limits_cases_sample(&cases, &sample);
    assert_int_equal(sample.value, 1);
    assert_string_equal(sample.saw, "1 of 4 arrive as sent; NO_ERROR, REFUSED_STREAM as "
                                    "INTERNAL_ERROR; CANCEL as nothing");
    limits_cases_add(&cases, "CONNECT_ERROR", "INTERNAL_ERROR", false);
    limits_cases_add(&cases, "STREAM_CLOSED", "INTERNAL_ERROR", false);
    limits_cases_sample(&cases, &sample);
    assert_non_null(strstr(sample.saw, "NO_ERROR, REFUSED_STREAM, CONNECT_ERROR and 1 more as "));
}

static void what_is_late_did_not_arrive_as_sent(void **state)
{
    (void)state;
    struct limits_cases cases = {0};
    struct limits_sample sample = {.opened = true};
    limits_cases_add(&cases, "CANCEL", "the server sees CANCEL", true);
    limits_cases_late(&cases, LIMITS_LATE_MS * NS_PER_MS);
    limits_cases_sample(&cases, &sample);
    assert_int_equal(sample.value, 1);
    assert_string_equal(sample.saw, "the server sees CANCEL, after 2.00s");
    limits_cases_late(&cases, 4000 * NS_PER_MS);
    limits_cases_sample(&cases, &sample);
    assert_int_equal(sample.value, 0);
    assert_string_equal(sample.saw, "the same, 4.00s late");
}

static void what_the_server_could_not_be_asked_is_not_said(void **state)
{
    (void)state;
    struct limits_cases cases = {0};
    struct limits_sample sample = {.opened = true};
    limits_cases_add(&cases, "CANCEL", "the server sees CANCEL", true);
    limits_cases_unknown(&cases, "no connection");
    limits_cases_sample(&cases, &sample);
    assert_false(sample.opened);
    assert_string_equal(sample.saw, "the server could not be asked what it saw: no connection");
}

static void more_cases_than_there_is_room_for_are_dropped(void **state)
{
    (void)state;
    struct limits_cases cases = {0};
    struct limits_sample sample = {.opened = true};
    char sent[LIMITS_CASE_BYTES];
    for (unsigned i = 0; i < LIMITS_CASES_MAX + 5; i++) {
        snprintf(sent, sizeof(sent), "case %u", i);
        limits_cases_add(&cases, sent, sent, false);
    }
    limits_cases_sample(&cases, &sample);
    assert_int_equal(cases.count, LIMITS_CASES_MAX);
    assert_int_equal(strlen(sample.saw), LIMITS_TEXT_BYTES - 1);
}

/* ---- the judge ------------------------------------------------------------------------------- */

static struct limits_finding judged(uint64_t first, uint64_t second, bool opened)
{
    struct limits_finding finding;
    limits_finding_init(&finding, LIMITS_STATUS);
    finding.looked = 17;
    finding.sample_count = 2;
    finding.samples[0] = (struct limits_sample){.opened = true, .value = first, .saw = "first"};
    finding.samples[1] = (struct limits_sample){.opened = opened, .value = second, .saw = "second"};
    limits_facts_judge(&finding);
    return finding;
}

static void a_fact_holds_where_both_samples_say_so(void **state)
{
    (void)state;
    struct limits_finding found = judged(17, 17, true);
    assert_int_equal(found.state, LIMITS_FOUND);
    assert_true(found.fact);
    found = judged(16, 3, true);
    assert_int_equal(found.state, LIMITS_FOUND);
    assert_false(found.fact);
    assert_string_equal(found.look, "first");
    assert_int_equal(judged(17, 16, true).state, LIMITS_UNSTEADY);
    assert_int_equal(judged(16, 17, true).state, LIMITS_UNSTEADY);
    found = judged(17, 17, false);
    assert_int_equal(found.state, LIMITS_NOT_MEASURED);
    assert_string_equal(found.why, "second");
    found.sample_count = 1; /* the run was stopped */
    limits_facts_judge(&found);
    assert_int_equal(found.state, LIMITS_NOT_MEASURED);
    assert_string_equal(found.why, "the run ended before the second sample; one: first");
}

/* ---- headers before messages ----------------------------------------------------------------- */

static struct limits_sample of_headers(const struct limits_headers *headers)
{
    struct limits_sample sample = {.opened = true};
    limits_headers_sample(headers, &sample);
    return sample;
}

static void headers_that_wait_for_a_message_are_found_out(void **state)
{
    (void)state;
    struct limits_headers headers = {
        .came = true, .came_ns = 3 * NS_PER_MS, .server_asked = true, .server_saw = true};
    assert_int_equal(of_headers(&headers).value, 2);
    assert_non_null(strstr(of_headers(&headers).saw, "after 3.00ms, before any message"));
    headers = (struct limits_headers){.waited_ns = 4 * NS_PER_S,
                                      .server_asked = true,
                                      .server_saw = true,
                                      .came_with_message = true};
    assert_int_equal(of_headers(&headers).value, 1);
    assert_int_equal(of_headers(&headers).side, LIMITS_SIDE_CLIENT_HOP);
    assert_non_null(strstr(of_headers(&headers).saw, "the server had seen the stream before"));
    headers.server_saw = false;
    assert_int_equal(of_headers(&headers).value, 0);
    assert_int_equal(of_headers(&headers).side, LIMITS_SIDE_SERVER_HOP);
    assert_non_null(strstr(of_headers(&headers).saw, "the server does not see the stream"));
    headers.server_asked = false;
    assert_int_equal(of_headers(&headers).side, LIMITS_SIDE_UNKNOWN);
    assert_null(strstr(of_headers(&headers).saw, "does not see"));
}

static void a_path_that_never_answers_says_nothing_of_headers(void **state)
{
    (void)state;
    const struct limits_headers headers = {.waited_ns = 4 * NS_PER_S};
    assert_false(of_headers(&headers).opened);
}

/* ---- goodbyes -------------------------------------------------------------------------------- */

static const struct limits_goodbye good = {
    .began = true,
    .after_ns = 500 * NS_PER_MS,
    .grace_ns = 2000 * NS_PER_MS,
    .goaway_came = true,
    .goaway_ns = 504 * NS_PER_MS,
    .ended = true,
    .ended_ns = 2503 * NS_PER_MS,
    .as_sent = true,
    .saw = "ABORTED: the grace is over",
    .end = LIMITS_END_TRAILERS,
};

static struct limits_sample of_grace(const struct limits_goodbye *goodbye)
{
    struct limits_sample sample = {.opened = true};
    limits_grace_sample(goodbye, &sample);
    return sample;
}

static void a_goaway_is_heard_or_hidden(void **state)
{
    (void)state;
    struct limits_goodbye goodbye = good;
    struct limits_sample sample = {.opened = true};
    limits_goaway_sample(&goodbye, &sample);
    assert_int_equal(sample.value, 1);
    assert_string_equal(sample.saw, "the client hears the GOAWAY after 4.00ms");
    goodbye.goaway_came = false;
    limits_goaway_sample(&goodbye, &sample);
    assert_int_equal(sample.value, 0);
    assert_non_null(strstr(sample.saw, "hears nothing"));
    goodbye.began = false;
    limits_goaway_sample(&goodbye, &sample);
    assert_false(sample.opened);
}

static void a_grace_is_kept_or_cut(void **state)
{
    (void)state;
    struct limits_goodbye goodbye = good;
    assert_int_equal(of_grace(&goodbye).value, 1);
    goodbye.ended_ns = (2500 - LIMITS_GRACE_SLACK_MS) * NS_PER_MS;
    assert_int_equal(of_grace(&goodbye).value, 1);
    goodbye.ended_ns -= NS_PER_MS; /* that is early, whatever it says */
    assert_int_equal(of_grace(&goodbye).value, 0);
    goodbye = good;
    goodbye.as_sent = false;
    goodbye.saw = "stream reset with CANCEL";
    assert_int_equal(of_grace(&goodbye).value, 0);
    assert_non_null(strstr(of_grace(&goodbye).saw, "stream reset with CANCEL"));
    goodbye = good;
    goodbye.ended = false;
    assert_int_equal(of_grace(&goodbye).value, 0);
    assert_non_null(strstr(of_grace(&goodbye).saw, "does not arrive"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_arrives_holds),
        cmocka_unit_test(what_arrives_as_the_same_is_told_in_one),
        cmocka_unit_test(what_is_late_did_not_arrive_as_sent),
        cmocka_unit_test(what_the_server_could_not_be_asked_is_not_said),
        cmocka_unit_test(more_cases_than_there_is_room_for_are_dropped),
        cmocka_unit_test(a_fact_holds_where_both_samples_say_so),
        cmocka_unit_test(headers_that_wait_for_a_message_are_found_out),
        cmocka_unit_test(a_path_that_never_answers_says_nothing_of_headers),
        cmocka_unit_test(a_goaway_is_heard_or_hidden),
        cmocka_unit_test(a_grace_is_kept_or_cut),
    };
    return cmocka_run_group_tests_name("limits/facts", tests, NULL, NULL);
}

/* From samples to findings: agreement, restarts, sides, what explains what, PINGs. */
#include "base/clock.h"
#include "base/mem.h"
#include "h2/session.h"
#include "limits/ground.h"
#include "limits/judge.h"
#include "rpc/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS     NS_PER_MS
#define WITHIN (90000 * MS)

/* A stream that was opened at `at_ms`, whose limit counts from then, and that ended so. */
static struct limits_sample sample(uint64_t at_ms, uint64_t value_ms, enum limits_end end)
{
    struct limits_sample it = {
        .opened = true,
        .opened_ns = at_ms * MS,
        .lived_ns = value_ms * MS,
        .value = value_ms * MS,
        .resolution = 100 * MS,
        .end = end,
        .side = LIMITS_SIDE_BOTH,
    };
    strcpy(it.saw, end == LIMITS_END_RESET ? "stream reset with CANCEL" : "");
    return it;
}

static struct limits_finding finding_of(enum limits_shape shape, struct limits_sample first,
                                        struct limits_sample second)
{
    struct limits_finding finding;
    limits_finding_init(&finding, shape);
    finding.wanted = true;
    finding.sample_count = 2;
    finding.samples[0] = first;
    finding.samples[1] = second;
    limits_judge_times(&finding);
    return finding;
}

static struct limits_finding ended(enum limits_shape shape, uint64_t value_ms)
{
    return finding_of(shape, sample(0, value_ms, LIMITS_END_RESET),
                      sample(4500, value_ms + 20, LIMITS_END_RESET));
}

/* ---- two samples ----------------------------------------------------------------------------- */

static void two_that_agree_are_a_limit(void **state)
{
    (void)state;
    struct limits_finding finding = ended(LIMITS_IDLE, 5010);
    assert_int_equal(finding.state, LIMITS_FOUND);
    assert_int_equal(finding.value, 5010 * MS);
    assert_int_equal(finding.side, LIMITS_SIDE_BOTH);
    assert_string_equal(finding.look, "stream reset with CANCEL");
}

static void none_is_said_as_far_as_was_looked(void **state)
{
    (void)state;
    struct limits_finding finding = finding_of(LIMITS_IDLE, sample(0, 90000, LIMITS_END_OPEN),
                                               sample(4500, 89000, LIMITS_END_OPEN));
    assert_int_equal(finding.state, LIMITS_NONE_WITHIN);
    assert_int_equal(finding.looked, 89000 * MS);
}

static void what_nothing_shows_to_be_alive_is_not_measured(void **state)
{
    (void)state;
    struct limits_sample silent = sample(0, 90000, LIMITS_END_OPEN);
    silent.unproved = true;
    struct limits_finding finding =
        finding_of(LIMITS_IDLE, sample(4500, 90000, LIMITS_END_OPEN), silent);
    assert_int_equal(finding.state, LIMITS_NOT_MEASURED);
    assert_non_null(strstr(finding.why, "did not answer a last message"));
}

static void a_restart_is_no_limit(void **state)
{
    (void)state;
    struct limits_finding finding = finding_of(LIMITS_IDLE, sample(0, 20000, LIMITS_END_CONNECTION),
                                               sample(4500, 15500, LIMITS_END_CONNECTION));
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
    assert_non_null(strstr(finding.why, "in one moment"));
}

static void two_that_disagree_are_no_limit(void **state)
{
    (void)state;
    struct limits_finding finding = finding_of(LIMITS_IDLE, sample(0, 20000, LIMITS_END_RESET),
                                               sample(4500, 31000, LIMITS_END_RESET));
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
    assert_null(strstr(finding.why, "in one moment"));
}

static void one_that_ended_alone_is_no_limit(void **state)
{
    (void)state;
    struct limits_finding finding = finding_of(LIMITS_IDLE, sample(0, 20000, LIMITS_END_RESET),
                                               sample(4500, 90000, LIMITS_END_OPEN));
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
    finding = finding_of(LIMITS_IDLE, sample(0, 20000, LIMITS_END_RESET),
                         sample(4500, 18000, LIMITS_END_HERE));
    assert_int_equal(finding.state, LIMITS_NOT_MEASURED); /* it might have ended so, too */
    assert_non_null(strstr(finding.why, "stopped"));
    finding = finding_of(LIMITS_IDLE, sample(0, 20000, LIMITS_END_RESET),
                         sample(4500, 24000, LIMITS_END_HERE));
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
    assert_non_null(strstr(finding.why, "stopped"));
}

static void a_run_that_was_stopped_says_how_far_it_looked(void **state)
{
    (void)state;
    struct limits_finding finding = finding_of(LIMITS_IDLE, sample(0, 7000, LIMITS_END_HERE),
                                               sample(4500, 2500, LIMITS_END_HERE));
    assert_int_equal(finding.state, LIMITS_NONE_WITHIN);
    assert_int_equal(finding.looked, 2500 * MS);
    const struct limits_sample none = {0};
    finding = finding_of(LIMITS_IDLE, sample(0, 2000, LIMITS_END_HERE), none);
    assert_int_equal(finding.state, LIMITS_NOT_MEASURED);
    assert_string_equal(finding.why, "the run ended before its second try was begun");
}

static void what_was_not_opened_is_not_measured(void **state)
{
    (void)state;
    struct limits_sample none = {.saw = "UNAVAILABLE: no healthy endpoint"};
    struct limits_finding finding = finding_of(LIMITS_IDLE, none, none);
    assert_int_equal(finding.state, LIMITS_NOT_MEASURED);
    assert_string_equal(finding.why, none.saw);
    finding = finding_of(LIMITS_IDLE, sample(0, 90000, LIMITS_END_OPEN), none);
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
}

static void samples_agree_within_what_they_may_be_off(void **state)
{
    (void)state;
    assert_true(limits_judge_agree(5000 * MS, 5500 * MS, 0));
    assert_false(limits_judge_agree(5000 * MS, 5501 * MS, 0));
    assert_true(limits_judge_agree(5000 * MS, 5700 * MS, 700 * MS));
    assert_true(limits_judge_agree(100000 * MS, 103000 * MS, 0));
    assert_false(limits_judge_agree(100000 * MS, 103200 * MS, 0));
}

static void a_limit_that_varies_and_says_so_is_one(void **state)
{
    (void)state;
    struct limits_sample first = sample(0, 55000, LIMITS_END_GOAWAY);
    struct limits_sample second = sample(4500, 64000, LIMITS_END_GOAWAY);
    assert_int_equal(finding_of(LIMITS_AGE_CONNECTION, first, second).state, LIMITS_UNSTEADY);
    strcpy(first.saw, "GOAWAY NO_ERROR: max_age");
    strcpy(second.saw, first.saw);
    struct limits_finding finding = finding_of(LIMITS_AGE_CONNECTION, first, second);
    assert_int_equal(finding.state, LIMITS_FOUND);
    assert_int_equal(finding.value, 55000 * MS);
    assert_int_equal(finding.resolution, 9000 * MS);
    second.value = 90000 * MS;
    assert_int_equal(finding_of(LIMITS_AGE_CONNECTION, first, second).state, LIMITS_UNSTEADY);
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct limits_finding counted(uint64_t first, enum limits_end first_end, uint64_t second,
                                     enum limits_end second_end)
{
    struct limits_finding finding;
    limits_finding_init(&finding, LIMITS_REQUESTS_PER_CONNECTION);
    finding.wanted = true;
    finding.sample_count = 2;
    finding.samples[0] = sample(0, 3000, first_end);
    finding.samples[1] = sample(1500, 6000, second_end);
    finding.samples[0].value = first;
    finding.samples[1].value = second;
    limits_judge_requests(&finding);
    return finding;
}

static void a_number_that_two_paces_agree_in_is_a_limit(void **state)
{
    (void)state;
    struct limits_finding finding = counted(20, LIMITS_END_GOAWAY, 20, LIMITS_END_GOAWAY);
    assert_int_equal(finding.state, LIMITS_FOUND);
    assert_int_equal(finding.value, 20);
    finding = counted(400, LIMITS_END_GOAWAY, 200, LIMITS_END_GOAWAY); /* an age */
    assert_int_equal(finding.state, LIMITS_NONE_WITHIN);
    assert_int_equal(finding.looked, 400);
    finding = counted(1100, LIMITS_END_OPEN, 300, LIMITS_END_CONNECTION);
    assert_int_equal(finding.state, LIMITS_NONE_WITHIN);
    finding = counted(1000, LIMITS_END_GOAWAY, 300, LIMITS_END_OPEN);
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
    finding = counted(20, LIMITS_END_BROKEN, 20, LIMITS_END_BROKEN); /* a limit of a rate */
    assert_int_equal(finding.state, LIMITS_NOT_MEASURED);
}

static void ages_that_disagree_in_a_number_that_agrees_are_that_one_s(void **state)
{
    (void)state;
    const uint64_t same[] = {20, 20};
    const uint64_t other[] = {20, 10};
    const struct limits_finding apart =
        finding_of(LIMITS_AGE_CONNECTION, sample(0, 5000, LIMITS_END_GOAWAY),
                   sample(1500, 10000, LIMITS_END_GOAWAY));
    struct limits_finding finding = apart;
    limits_judge_paced(&finding, same);
    assert_int_equal(finding.state, LIMITS_BY_OTHER);
    assert_int_equal(finding.by, LIMITS_REQUESTS_PER_CONNECTION);
    assert_int_equal(finding.value, 5000 * MS);
    finding = apart;
    limits_judge_paced(&finding, other);
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
    finding = ended(LIMITS_AGE_CONNECTION, 5000);
    limits_judge_paced(&finding, same);
    assert_int_equal(finding.state, LIMITS_FOUND);
}

/* As where a proxy answers for want of a server: the connection lives. */
static void a_call_that_failed_is_no_age_of_its_connection(void **state)
{
    (void)state;
    const uint64_t requests[] = {2, 2};
    struct limits_finding finding =
        finding_of(LIMITS_AGE_CONNECTION, sample(0, 5000, LIMITS_END_BROKEN),
                   sample(1500, 9000, LIMITS_END_BROKEN));
    strcpy(finding.samples[0].saw, "HTTP status 503");
    limits_judge_paced(&finding, requests);
    assert_int_equal(finding.state, LIMITS_NOT_MEASURED);
    assert_string_equal(finding.why, "HTTP status 503");
}

static void what_a_busy_probe_service_refuses_is_not_measured(void **state)
{
    (void)state;
    struct limits_finding findings[LIMITS_SHAPES];
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        findings[i] = ended(LIMITS_IDLE, 5000);
    }
    strcpy(findings[LIMITS_MESSAGE_UP].samples[0].server_saw, /* the path dropped the message */
           "ended after 1ms: LIMIT: " RPC_PROBE_BUSY "over the bytes");
    findings[LIMITS_GOAWAY].kind = LIMITS_FACT;
    strcpy(findings[LIMITS_GOAWAY].samples[1].saw,
           "ends with RESOURCE_EXHAUSTED: " RPC_PROBE_BUSY "over the GOAWAYs");
    limits_judge_busy(findings);
    assert_int_equal(findings[LIMITS_GOAWAY].state, LIMITS_NOT_MEASURED);
    assert_string_equal(findings[LIMITS_GOAWAY].why,
                        "refused by the server itself: probe service is busy: over the GOAWAYs; "
                        "all who measure through it share what it does, so one at a time");
    assert_int_equal(findings[LIMITS_MESSAGE_UP].state, LIMITS_NOT_MEASURED);
    assert_int_equal(findings[LIMITS_IDLE].state, LIMITS_FOUND);
}

/* ---- sides ----------------------------------------------------------------------------------- */

static enum limits_side side_of(enum limits_end client_end, uint64_t client_ms, bool server_ended,
                                uint64_t server_ms, enum rpc_probe_end how)
{
    struct limits_sample it = sample(1000, client_ms, client_end);
    const struct limits_told told = {.answered = true,
                                     .found = true,
                                     .ended = server_ended,
                                     .ended_ns = (1000 + server_ms) * MS,
                                     .how = how};
    return limits_judge_side(&it, &told);
}

static void sides_follow_from_both_ends(void **state)
{
    (void)state;
    assert_int_equal(side_of(LIMITS_END_RESET, 5000, true, 5010, RPC_PROBE_RESET),
                     LIMITS_SIDE_BOTH);
    assert_int_equal(side_of(LIMITS_END_RESET, 5000, false, 0, RPC_PROBE_OPEN),
                     LIMITS_SIDE_CLIENT_HOP);
    assert_int_equal(side_of(LIMITS_END_RESET, 5000, true, 9000, RPC_PROBE_RESET),
                     LIMITS_SIDE_CLIENT_HOP);
    assert_int_equal(side_of(LIMITS_END_RESET, 9000, true, 5000, RPC_PROBE_CONNECTION_LOST),
                     LIMITS_SIDE_SERVER_HOP);
    assert_int_equal(side_of(LIMITS_END_OPEN, 90000, true, 5000, RPC_PROBE_CONNECTION_LOST),
                     LIMITS_SIDE_SERVER_HOP);
    assert_int_equal(side_of(LIMITS_END_TRAILERS, 5000, true, 5000, RPC_PROBE_LIMIT),
                     LIMITS_SIDE_SERVER);
}

/* Straight to the server: what it sent is its own; of what a device below HTTP can do, too, nobody
 * knows whose it is. */
static void without_a_hop_between_what_was_sent_is_the_server_s(void **state)
{
    (void)state;
    struct limits_finding findings[LIMITS_SHAPES];
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        findings[i] = ended(i, 5000);
        findings[i].state = LIMITS_FOUND;
        findings[i].side = LIMITS_SIDE_BOTH;
    }
    findings[LIMITS_IDLE].samples[0].end = LIMITS_END_CONNECTION;
    findings[LIMITS_HALF_CLOSE].side = LIMITS_SIDE_SERVER;
    findings[LIMITS_PING_INTERVAL].samples[0].end = LIMITS_END_GOAWAY;
    findings[LIMITS_STREAMS_PER_CONNECTION].samples[0].end = LIMITS_END_HERE;
    findings[LIMITS_AGE_STREAM].state = LIMITS_UNSTEADY;
    limits_judge_direct(findings);
    assert_int_equal(findings[LIMITS_IDLE].side, LIMITS_SIDE_UNKNOWN);
    assert_int_equal(findings[LIMITS_HALF_CLOSE].side, LIMITS_SIDE_SERVER);
    assert_int_equal(findings[LIMITS_PING_INTERVAL].side, LIMITS_SIDE_NO_HOP);
    assert_int_equal(findings[LIMITS_STREAMS_PER_CONNECTION].side, LIMITS_SIDE_NO_HOP);
    assert_int_equal(findings[LIMITS_IDLE_CLIENT].side, LIMITS_SIDE_NO_HOP);
    assert_int_equal(findings[LIMITS_IDLE_CLIENT].samples[1].side, LIMITS_SIDE_NO_HOP);
    assert_int_equal(findings[LIMITS_AGE_STREAM].samples[0].side, LIMITS_SIDE_UNKNOWN);
}

/* NAT, a proxy, or a second way to the server: nothing is claimed. */
static void only_addresses_that_are_equal_show_that_no_hop_is_between(void **state)
{
    (void)state;
    struct limits_ground ground = {0};
    assert_false(limits_ground_is_direct(&ground));
    limits_ground_note_peer(&ground, "127.0.0.1:4000", "");
    limits_ground_note_peer(&ground, "", "");
    assert_false(limits_ground_is_direct(&ground));
    limits_ground_note_peer(&ground, "127.0.0.1:4000", "127.0.0.1:4000");
    assert_true(limits_ground_is_direct(&ground));
    limits_ground_note_peer(&ground, "127.0.0.1:4001", "127.0.0.1:4000");
    assert_false(limits_ground_is_direct(&ground));
}

static void without_the_server_no_side_is_known(void **state)
{
    (void)state;
    struct limits_sample it = sample(1000, 5000, LIMITS_END_RESET);
    const struct limits_told told = {.answered = true};
    assert_int_equal(limits_judge_side(&it, NULL), LIMITS_SIDE_UNKNOWN);
    assert_int_equal(limits_judge_side(&it, &told), LIMITS_SIDE_UNKNOWN);
}

/* ---- what explains what ---------------------------------------------------------------------- */

static struct limits_finding *all_none(void)
{
    struct limits_finding *findings = mem_calloc(LIMITS_SHAPES, sizeof(*findings));
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        limits_finding_init(&findings[i], i);
        findings[i].wanted = true;
        findings[i].state = LIMITS_NONE_WITHIN;
        findings[i].looked = WITHIN;
    }
    return findings;
}

static void assert_by(const struct limits_finding *findings, enum limits_shape shape,
                      enum limits_shape by)
{
    assert_int_equal(findings[shape].state, LIMITS_BY_OTHER);
    assert_int_equal(findings[shape].by, by);
}

static void an_age_limit_explains_the_silent_ones(void **state)
{
    (void)state;
    struct limits_finding *findings = all_none();
    findings[LIMITS_AGE_STREAM] = ended(LIMITS_AGE_STREAM, 5000);
    findings[LIMITS_IDLE] = ended(LIMITS_IDLE, 5010);
    findings[LIMITS_HALF_CLOSE] = ended(LIMITS_HALF_CLOSE, 4000);
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) { /* half-closed a second after it was opened */
        findings[LIMITS_HALF_CLOSE].samples[i].lived_ns += 1000 * MS;
    }
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_AGE_STREAM].state, LIMITS_FOUND);
    assert_by(findings, LIMITS_IDLE, LIMITS_AGE_STREAM);
    assert_by(findings, LIMITS_HALF_CLOSE, LIMITS_AGE_STREAM);
    free(findings);
}

static void a_shorter_limit_is_one_of_its_own(void **state)
{
    (void)state;
    struct limits_finding *findings = all_none();
    findings[LIMITS_AGE_STREAM] = ended(LIMITS_AGE_STREAM, 9000);
    findings[LIMITS_IDLE] = ended(LIMITS_IDLE, 5000);
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_IDLE].state, LIMITS_FOUND);
    free(findings);
}

static void silence_one_way_explains_silence_both_ways(void **state)
{
    (void)state;
    struct limits_finding *findings = all_none();
    findings[LIMITS_IDLE_SERVER] = ended(LIMITS_IDLE_SERVER, 7000);
    findings[LIMITS_IDLE] = ended(LIMITS_IDLE, 7010);
    findings[LIMITS_IDLE_WITH_PINGS] = ended(LIMITS_IDLE_WITH_PINGS, 7020);
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_IDLE_SERVER].state, LIMITS_FOUND);
    assert_by(findings, LIMITS_IDLE, LIMITS_IDLE_SERVER);
    assert_by(findings, LIMITS_IDLE_WITH_PINGS, LIMITS_IDLE_SERVER);
    free(findings);
}

static void silence_of_a_stream_explains_that_of_the_path(void **state)
{
    (void)state;
    struct limits_finding *findings = all_none();
    findings[LIMITS_IDLE] = ended(LIMITS_IDLE, 7000);
    findings[LIMITS_IDLE_PATH] = ended(LIMITS_IDLE_PATH, 7010);
    limits_judge_explain(findings);
    assert_by(findings, LIMITS_IDLE_PATH, LIMITS_IDLE);
    findings[LIMITS_IDLE_PATH] = ended(LIMITS_IDLE_PATH, 3000);
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_IDLE_PATH].state, LIMITS_FOUND);
    free(findings);
}

static void silent_ones_that_end_in_one_moment_may_share_a_connection(void **state)
{
    (void)state;
    struct limits_finding finding = finding_of(LIMITS_IDLE, sample(0, 6500, LIMITS_END_RESET),
                                               sample(1500, 5000, LIMITS_END_RESET));
    assert_int_equal(finding.state, LIMITS_UNSTEADY);
    assert_non_null(strstr(finding.why, ": both in one moment, as when something restarts, or "));
    assert_non_null(strstr(finding.why, "idle_path"));
    finding = finding_of(LIMITS_HALF_CLOSE, sample(0, 6500, LIMITS_END_RESET),
                         sample(1500, 5000, LIMITS_END_RESET));
    assert_null(strstr(finding.why, "idle_path"));
}

static void two_limits_of_one_length_that_look_apart_are_two(void **state)
{
    (void)state;
    struct limits_finding *findings = all_none();
    findings[LIMITS_IDLE_SERVER] = ended(LIMITS_IDLE_SERVER, 60000);
    findings[LIMITS_IDLE] = ended(LIMITS_IDLE, 60000);
    findings[LIMITS_IDLE].samples[0].code = H2_PROTOCOL_ERROR;
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_IDLE].state, LIMITS_FOUND);
    free(findings);
}

static void a_stream_cut_on_a_live_connection_has_a_limit_of_its_own(void **state)
{
    (void)state;
    struct limits_finding *findings = all_none();
    findings[LIMITS_AGE_CONNECTION] = ended(LIMITS_AGE_CONNECTION, 5000);
    findings[LIMITS_AGE_STREAM] = ended(LIMITS_AGE_STREAM, 5000);
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_AGE_STREAM].state, LIMITS_FOUND);
    findings[LIMITS_AGE_STREAM].samples[0].end = LIMITS_END_GOAWAY;
    limits_judge_explain(findings);
    assert_by(findings, LIMITS_AGE_STREAM, LIMITS_AGE_CONNECTION);
    free(findings);
}

static void refused_pings_are_no_silence(void **state)
{
    (void)state;
    struct limits_finding *findings = all_none();
    struct limits_finding *pinged = &findings[LIMITS_IDLE_WITH_PINGS];
    *pinged = ended(LIMITS_IDLE_WITH_PINGS, 8000);
    pinged->samples[0].end = LIMITS_END_GOAWAY;
    strcpy(pinged->look, "connection lost after GOAWAY ENHANCE_YOUR_CALM: too_many_pings");
    limits_judge_explain(findings);
    assert_by(findings, LIMITS_IDLE_WITH_PINGS, LIMITS_PING_INTERVAL);
    free(findings);
}

/* ---- PINGs ----------------------------------------------------------------------------------- */

static struct limits_pinged pinged(uint64_t interval_s, uint64_t sent, bool refused, bool measured)
{
    struct limits_pinged it = {
        .interval_ns = interval_s * NS_PER_S,
        .sent = {sent, sent},
        .refused = {refused, refused},
        .measured = {measured, measured},
        .samples = {sample(0, 3000, LIMITS_END_GOAWAY), sample(1500, 3000, LIMITS_END_GOAWAY)},
    };
    strcpy(it.samples[0].saw, "GOAWAY ENHANCE_YOUR_CALM: too_many_pings");
    return it;
}

static struct limits_finding judge_pings(const struct limits_pinged tried[static 4])
{
    struct limits_finding finding;
    limits_finding_init(&finding, LIMITS_PING_INTERVAL);
    finding.wanted = true;
    limits_judge_pings(&finding, tried, 4);
    return finding;
}

static void the_shortest_interval_that_is_taken_is_named(void **state)
{
    (void)state;
    const struct limits_pinged tried[] = {pinged(1, 4, true, false), pinged(5, 4, true, false),
                                          pinged(10, 8, false, true), pinged(30, 2, false, false)};
    struct limits_finding finding = judge_pings(tried);
    assert_int_equal(finding.state, LIMITS_FOUND);
    assert_int_equal(finding.value, 10 * NS_PER_S);
    assert_int_equal(finding.resolution, 5 * NS_PER_S);
    assert_string_equal(finding.look, "PINGs every 5.00s: GOAWAY ENHANCE_YOUR_CALM: "
                                      "too_many_pings, after 4 of them");
}

static void intervals_that_are_all_taken_are_no_limit(void **state)
{
    (void)state;
    const struct limits_pinged tried[] = {pinged(1, 89, false, true), pinged(5, 17, false, true),
                                          pinged(10, 8, false, true), pinged(30, 2, false, false)};
    struct limits_finding finding = judge_pings(tried);
    assert_int_equal(finding.state, LIMITS_NONE_WITHIN);
    assert_int_equal(finding.looked, 1 * NS_PER_S);
}

static void what_was_pinged_too_seldom_is_not_taken(void **state)
{
    (void)state;
    const struct limits_pinged tried[] = {pinged(1, 4, true, false), pinged(5, 1, false, false),
                                          pinged(10, 0, false, false), pinged(30, 0, false, false)};
    struct limits_finding finding = judge_pings(tried);
    assert_int_equal(finding.state, LIMITS_FOUND);
    assert_true(finding.value == LIMITS_VALUE_NONE);
    assert_int_equal(finding.looked, 1 * NS_PER_S);
    const struct limits_pinged few[] = {pinged(1, 2, false, false), pinged(5, 0, false, false),
                                        pinged(10, 0, false, false), pinged(30, 0, false, false)};
    assert_int_equal(judge_pings(few).state, LIMITS_NOT_MEASURED);
}

static void a_refusal_on_one_connection_alone_is_unsteady(void **state)
{
    (void)state;
    struct limits_pinged tried[] = {pinged(1, 4, true, false), pinged(5, 17, false, true),
                                    pinged(10, 8, false, true), pinged(30, 2, false, false)};
    tried[1].refused[1] = true;
    assert_int_equal(judge_pings(tried).state, LIMITS_UNSTEADY);
    tried[1].measured[0] = false; /* it met another limit first, and shows nothing */
    assert_int_equal(judge_pings(tried).state, LIMITS_FOUND);
}

/* ---- what no end comes of -------------------------------------------------------------------- */

static struct limits_finding dead(enum limits_shape shape, uint64_t value_ms, uint64_t off_ms)
{
    struct limits_sample one = sample(0, value_ms, LIMITS_END_DEAD);
    struct limits_sample other = sample(4500, value_ms, LIMITS_END_DEAD);
    one.resolution = other.resolution = off_ms * MS;
    return finding_of(shape, one, other);
}

static void what_is_dead_by_age_is_known_where_most_was_sent(void **state)
{
    (void)state;
    struct limits_finding findings[LIMITS_SHAPES] = {0};
    findings[LIMITS_AGE_STREAM] = dead(LIMITS_AGE_STREAM, 5000, 500);
    findings[LIMITS_IDLE] = dead(LIMITS_IDLE, 7500, 7500);
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_IDLE].state, LIMITS_BY_OTHER);
    assert_int_equal(findings[LIMITS_IDLE].by, LIMITS_AGE_STREAM);
    assert_int_equal(findings[LIMITS_IDLE].value, 5000 * MS);
    assert_int_equal(findings[LIMITS_IDLE].resolution, 500 * MS);
}

static void an_end_that_is_told_explains_none_that_is_not(void **state)
{
    (void)state;
    struct limits_finding findings[LIMITS_SHAPES] = {0};
    findings[LIMITS_AGE_STREAM] = ended(LIMITS_AGE_STREAM, 5000);
    findings[LIMITS_IDLE] = dead(LIMITS_IDLE, 7500, 7500);
    limits_judge_explain(findings);
    assert_int_equal(findings[LIMITS_IDLE].state, LIMITS_FOUND);
}

static void nobody_says_which_hop_forgot_a_stream(void **state)
{
    (void)state;
    struct limits_sample one = sample(0, 5000, LIMITS_END_DEAD);
    const struct limits_told open = {.found = true};
    const struct limits_told reset = {
        .found = true, .ended = true, .how = RPC_PROBE_RESET, .ended_ns = 5000 * MS};
    assert_int_equal(limits_judge_side(&one, &open), LIMITS_SIDE_UNKNOWN);
    assert_int_equal(limits_judge_side(&one, &reset), LIMITS_SIDE_SERVER_HOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_agree_are_a_limit),
        cmocka_unit_test(none_is_said_as_far_as_was_looked),
        cmocka_unit_test(what_nothing_shows_to_be_alive_is_not_measured),
        cmocka_unit_test(a_restart_is_no_limit),
        cmocka_unit_test(two_that_disagree_are_no_limit),
        cmocka_unit_test(one_that_ended_alone_is_no_limit),
        cmocka_unit_test(a_run_that_was_stopped_says_how_far_it_looked),
        cmocka_unit_test(what_was_not_opened_is_not_measured),
        cmocka_unit_test(samples_agree_within_what_they_may_be_off),
        cmocka_unit_test(a_limit_that_varies_and_says_so_is_one),
        cmocka_unit_test(a_call_that_failed_is_no_age_of_its_connection),
        cmocka_unit_test(what_a_busy_probe_service_refuses_is_not_measured),
        cmocka_unit_test(a_number_that_two_paces_agree_in_is_a_limit),
        cmocka_unit_test(ages_that_disagree_in_a_number_that_agrees_are_that_one_s),
        cmocka_unit_test(sides_follow_from_both_ends),
        cmocka_unit_test(without_a_hop_between_what_was_sent_is_the_server_s),
        cmocka_unit_test(only_addresses_that_are_equal_show_that_no_hop_is_between),
        cmocka_unit_test(without_the_server_no_side_is_known),
        cmocka_unit_test(an_age_limit_explains_the_silent_ones),
        cmocka_unit_test(a_shorter_limit_is_one_of_its_own),
        cmocka_unit_test(silence_one_way_explains_silence_both_ways),
        cmocka_unit_test(silence_of_a_stream_explains_that_of_the_path),
        cmocka_unit_test(silent_ones_that_end_in_one_moment_may_share_a_connection),
        cmocka_unit_test(two_limits_of_one_length_that_look_apart_are_two),
        cmocka_unit_test(a_stream_cut_on_a_live_connection_has_a_limit_of_its_own),
        cmocka_unit_test(refused_pings_are_no_silence),
        cmocka_unit_test(the_shortest_interval_that_is_taken_is_named),
        cmocka_unit_test(intervals_that_are_all_taken_are_no_limit),
        cmocka_unit_test(what_was_pinged_too_seldom_is_not_taken),
        cmocka_unit_test(a_refusal_on_one_connection_alone_is_unsteady),
        cmocka_unit_test(what_is_dead_by_age_is_known_where_most_was_sent),
        cmocka_unit_test(an_end_that_is_told_explains_none_that_is_not),
        cmocka_unit_test(nobody_says_which_hop_forgot_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which settings are named, and what a client is told to set. */
#include "base/clock.h"
#include "base/mem.h"
#include "h2/session.h"
#include "limits/setting.h"
#include "rpc/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct limits_finding findings[LIMITS_SHAPES];

static int begin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        limits_finding_init(&findings[i], i);
        findings[i].wanted = true;
        findings[i].state = LIMITS_NONE_WITHIN;
        findings[i].looked = 90 * NS_PER_S;
    }
    return 0;
}

static struct limits_finding *found(enum limits_shape shape, uint64_t value, enum limits_end end,
                                    uint32_t code, const char *look)
{
    struct limits_finding *finding = &findings[shape];
    finding->state = LIMITS_FOUND;
    finding->value = value;
    finding->side = LIMITS_SIDE_BOTH;
    finding->samples[0].end = end;
    finding->samples[0].code = code;
    strcpy(finding->look, look);
    return finding;
}

static void server_saw(struct limits_finding *finding, enum rpc_probe_end how, uint32_t code)
{
    finding->samples[0].server_told = true;
    finding->samples[0].server_end = how;
    finding->samples[0].server_code = code;
}

static void assert_named(const struct limits_finding *finding, size_t index, const char *program,
                         const char *name)
{
    assert_true(finding->setting_count > index);
    assert_string_equal(finding->settings[index]->program, program);
    assert_non_null(strstr(finding->settings[index]->name, name));
}

static void what_looks_so_at_both_ends_is_named(void **state)
{
    (void)state;
    struct limits_finding *idle =
        found(LIMITS_IDLE, 7 * NS_PER_S, LIMITS_END_RESET, H2_INTERNAL_ERROR, "");
    server_saw(idle, RPC_PROBE_RESET, H2_INTERNAL_ERROR);
    limits_setting_name_all(findings, false);
    assert_int_equal(idle->setting_count, 1);
    assert_named(idle, 0, "Envoy", "stream_idle_timeout");
}

/* A proxy behind the first hands the reset on with another code. */
static void behind_a_second_proxy_either_end_names_it(void **state)
{
    (void)state;
    struct limits_finding *idle =
        found(LIMITS_IDLE, 7 * NS_PER_S, LIMITS_END_RESET, H2_INTERNAL_ERROR, "");
    server_saw(idle, RPC_PROBE_RESET, H2_CANCEL);
    limits_setting_name_all(findings, false);
    assert_int_equal(idle->setting_count, 2);
    assert_named(idle, 0, "Envoy", "stream_idle_timeout");
    assert_named(idle, 1, "HAProxy", "timeout server");
}

/* nginx resets a stream: whoever closes the client's connection is another. */
static void no_proxy_is_named_for_a_connection_that_both_ends_lost(void **state)
{
    (void)state;
    struct limits_finding *idle =
        found(LIMITS_IDLE, 5 * NS_PER_S, LIMITS_END_CONNECTION, 14, "UNAVAILABLE: lost");
    server_saw(idle, RPC_PROBE_CONNECTION_LOST, 0);
    limits_setting_name_all(findings, false);
    assert_int_equal(idle->setting_count, 0);
}

/* Its readTimeout ends no stream that the client half-closed: the writeTimeout does later. */
static void the_second_limit_of_traefik_is_not_the_route_of_another(void **state)
{
    (void)state;
    struct limits_finding *half =
        found(LIMITS_HALF_CLOSE, 10 * NS_PER_S, LIMITS_END_RESET, H2_INTERNAL_ERROR, "");
    server_saw(half, RPC_PROBE_RESET, H2_CANCEL);
    limits_setting_name_all(findings, false);
    assert_int_equal(half->setting_count, 1);
    assert_named(half, 0, "Traefik", "writeTimeout");
}

static void what_is_dead_is_found_by_pings_with_a_timeout(void **state)
{
    (void)state;
    struct limits_finding *idle = found(LIMITS_IDLE, 45 * NS_PER_S, LIMITS_END_DEAD, 0, "nothing");
    idle->resolution = 45 * NS_PER_S;
    limits_setting_name_all(findings, false);
    assert_int_equal(idle->setting_count, 0);
    assert_non_null(strstr(idle->advice, "PINGs with a timeout"));
    assert_non_null(strstr(idle->advice, "a shorter --within"));
}

/* A limit of the route goes on to the server as a timeout. */
static void a_timeout_that_the_path_adds_is_named(void **state)
{
    (void)state;
    struct limits_finding *age = found(LIMITS_AGE_STREAM, 7 * NS_PER_S, LIMITS_END_TRAILERS, 4,
                                       "DEADLINE_EXCEEDED: deadline exceeded");
    server_saw(age, RPC_PROBE_DEADLINE, 4);
    age->side = LIMITS_SIDE_SERVER_HOP;
    limits_setting_name_all(findings, false);
    assert_int_equal(age->setting_count, 1);
    assert_named(age, 0, "Envoy", "max_stream_duration");
}

static void what_nothing_known_looks_like_is_not_named(void **state)
{
    (void)state;
    struct limits_finding *idle =
        found(LIMITS_IDLE, 7 * NS_PER_S, LIMITS_END_RESET, H2_ENHANCE_YOUR_CALM, "");
    limits_setting_name_all(findings, false);
    assert_int_equal(idle->setting_count, 0);
    assert_true(idle->advice[0] != '\0');
}

static void the_one_at_its_default_comes_first(void **state)
{
    (void)state;
    struct limits_finding *idle =
        found(LIMITS_IDLE_CONNECTION, 75 * NS_PER_S, LIMITS_END_GOAWAY, 0, "GOAWAY NO_ERROR");
    limits_setting_name_all(findings, false);
    assert_int_equal(idle->setting_count, 4);
    assert_named(idle, 0, "nginx", "keepalive_timeout");
    begin(NULL);
    idle = found(LIMITS_IDLE_CONNECTION, 180 * NS_PER_S, LIMITS_END_GOAWAY, 0, "GOAWAY NO_ERROR");
    limits_setting_name_all(findings, false);
    assert_named(idle, 0, "Traefik", "idleTimeout");
}

/* Straight to grpcroute server no proxy is there to have a setting. */
static void where_no_hop_is_between_the_settings_are_the_server_s(void **state)
{
    (void)state;
    struct limits_finding *wall = found(LIMITS_STREAMS_PER_CONNECTION, 128, LIMITS_END_HERE, 0,
                                        "SETTINGS allow 128 streams at once");
    struct limits_finding *pings = found(LIMITS_PING_INTERVAL, 10 * NS_PER_S, LIMITS_END_GOAWAY, 11,
                                         "GOAWAY ENHANCE_YOUR_CALM: too_many_pings");
    struct limits_finding *idle =
        found(LIMITS_IDLE_CONNECTION, 75 * NS_PER_S, LIMITS_END_GOAWAY, 0, "GOAWAY NO_ERROR");
    limits_setting_name_all(findings, true);
    assert_int_equal(wall->setting_count, 1);
    assert_named(wall, 0, "grpcroute server", "--max-streams");
    assert_int_equal(pings->setting_count, 1);
    assert_named(pings, 0, "grpcroute proxy and server", "a PING in 9s");
    assert_int_equal(idle->setting_count, 0);
    begin(NULL);
    wall = found(LIMITS_STREAMS_PER_CONNECTION, 128, LIMITS_END_HERE, 0,
                 "SETTINGS allow 128 streams at once");
    limits_setting_name_all(findings, false);
    for (size_t i = 0; i < wall->setting_count; i++) {
        assert_string_not_equal(wall->settings[i]->program, "grpcroute server");
    }
}

/* HAProxy and nginx answer with a page of their own when metadata is too large; the connection to
 * the server shows that it was these. */
static void a_size_is_named_by_what_both_ends_saw(void **state)
{
    (void)state;
    struct limits_finding *fields =
        found(LIMITS_METADATA_FIELDS_DOWN, 101, LIMITS_END_RESET, H2_INTERNAL_ERROR, "");
    server_saw(fields, RPC_PROBE_RESET, H2_CANCEL);
    struct limits_finding *up =
        found(LIMITS_MESSAGE_UP, 1 << 20, LIMITS_END_RESET, H2_INTERNAL_ERROR, "");
    server_saw(up, RPC_PROBE_CONNECTION_LOST, 0);
    limits_setting_name_all(findings, false);
    assert_named(fields, 0, "HAProxy", "tune.http.maxhdr");
    assert_named(up, 0, "nginx", "client_max_body_size");
}

/* As measured: each holds more where its setting is larger (tests/e2e/test_limits_counted.py). */
static void what_is_held_for_a_slow_reader_has_settings(void **state)
{
    (void)state;
    struct limits_finding *held =
        found(LIMITS_BUFFERED, 90175, LIMITS_END_OPEN, 0, "the server had to wait");
    held->kind = LIMITS_BYTES;
    limits_setting_name_all(findings, false);
    assert_int_equal(held->setting_count, 3);
    assert_named(held, 0, "HAProxy", "tune.h2.initial-window-size");
    assert_string_equal("", held->advice);
}

static void streams_on_a_connection_are_counted_exactly(void **state)
{
    (void)state;
    struct limits_finding *wall = found(LIMITS_STREAMS_PER_CONNECTION, 128, LIMITS_END_HERE, 0,
                                        "SETTINGS allow 128 streams at once");
    limits_setting_name_all(findings, false);
    assert_named(wall, 0, "nginx", "http2_max_concurrent_streams");
}

static struct limits_finding *traefik_age(void)
{
    struct limits_finding *age =
        found(LIMITS_AGE_STREAM, 60 * NS_PER_S, LIMITS_END_RESET, H2_INTERNAL_ERROR, "");
    server_saw(age, RPC_PROBE_RESET, H2_CANCEL);
    return age;
}

static void a_half_closed_stream_tells_two_limits_of_age_apart(void **state)
{
    (void)state;
    struct limits_finding *age = traefik_age();
    limits_setting_name_all(findings, false);
    assert_int_equal(age->setting_count, 1);
    assert_named(age, 0, "Traefik", "readTimeout");
    begin(NULL);
    age = traefik_age();
    findings[LIMITS_HALF_CLOSE].state = LIMITS_BY_OTHER;
    findings[LIMITS_HALF_CLOSE].by = LIMITS_AGE_STREAM;
    limits_setting_name_all(findings, false);
    assert_int_equal(age->setting_count, 1);
    assert_named(age, 0, "Traefik", "writeTimeout");
    begin(NULL);
    age = traefik_age();
    findings[LIMITS_HALF_CLOSE].wanted = false; /* not known: both */
    limits_setting_name_all(findings, false);
    assert_int_equal(age->setting_count, 2);
}

static void a_goaway_with_words_is_what_it_says(void **state)
{
    (void)state;
    struct limits_finding *age = found(LIMITS_AGE_CONNECTION, 60 * NS_PER_S, LIMITS_END_GOAWAY, 0,
                                       "GOAWAY NO_ERROR: max_age");
    limits_setting_name_all(findings, false);
    assert_int_equal(age->setting_count, 1);
    assert_named(age, 0, "a gRPC server", "MAX_CONNECTION_AGE");
}

static void no_proxy_is_named_for_what_the_server_did(void **state)
{
    (void)state;
    struct limits_finding *idle =
        found(LIMITS_IDLE, 7 * NS_PER_S, LIMITS_END_RESET, H2_INTERNAL_ERROR, "");
    idle->side = LIMITS_SIDE_SERVER;
    struct limits_finding *age = traefik_age();
    age->state = LIMITS_BY_OTHER;
    limits_setting_name_all(findings, false);
    assert_int_equal(idle->setting_count, 0);
    assert_int_equal(age->setting_count, 0);
    assert_string_equal(age->advice, "");
}

static void pings_are_advised_where_they_keep_a_stream(void **state)
{
    (void)state;
    struct limits_finding *idle = found(LIMITS_IDLE, 60 * NS_PER_S, LIMITS_END_CUT, 0, "");
    limits_setting_name_all(findings, false);
    assert_string_equal(idle->advice,
                        "HTTP/2 PINGs keep it open: keepalive every 30.0s or more often");
    begin(NULL);
    idle = found(LIMITS_IDLE, 60 * NS_PER_S, LIMITS_END_CUT, 0, "");
    findings[LIMITS_IDLE_WITH_PINGS].looked = 20 * NS_PER_S; /* not looked as far */
    limits_setting_name_all(findings, false);
    assert_string_equal(idle->advice, "a message either way every 30.0s or more often");
    findings[LIMITS_IDLE_WITH_PINGS].state = LIMITS_BY_OTHER;
    findings[LIMITS_IDLE_WITH_PINGS].by = LIMITS_IDLE;
    limits_setting_name_all(findings, false);
    assert_non_null(strstr(idle->advice, "; HTTP/2 PINGs do not count"));
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_looks_so_at_both_ends_is_named),
        TEST(behind_a_second_proxy_either_end_names_it),
        TEST(no_proxy_is_named_for_a_connection_that_both_ends_lost),
        TEST(the_second_limit_of_traefik_is_not_the_route_of_another),
        TEST(what_is_dead_is_found_by_pings_with_a_timeout),
        TEST(a_timeout_that_the_path_adds_is_named),
        TEST(what_nothing_known_looks_like_is_not_named),
        TEST(the_one_at_its_default_comes_first),
        TEST(where_no_hop_is_between_the_settings_are_the_server_s),
        TEST(a_size_is_named_by_what_both_ends_saw),
        TEST(what_is_held_for_a_slow_reader_has_settings),
        TEST(streams_on_a_connection_are_counted_exactly),
        TEST(a_half_closed_stream_tells_two_limits_of_age_apart),
        TEST(a_goaway_with_words_is_what_it_says),
        TEST(no_proxy_is_named_for_what_the_server_did),
        TEST(pings_are_advised_where_they_keep_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

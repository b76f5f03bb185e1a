/* Time limits of proxies, told from the life of a stream. */
#include "h2/session.h"
#include "rpc/hint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct rpc_status RESET = {.code = RPC_INTERNAL, .origin = RPC_FROM_RESET};

static const char *hint_of(uint64_t age_ms, uint64_t idle_ms)
{
    const struct rpc_stream_life life = {.age_ms = age_ms, .idle_ms = idle_ms};
    return rpc_hint(&life, &RESET);
}

static void assert_names(const char *hint, const char *setting)
{
    assert_non_null(hint);
    assert_non_null(strstr(hint, setting));
}

static void cut_at_sixty_seconds_while_active_is_traefik(void **state)
{
    (void)state;
    assert_names(hint_of(60012, 12), "readTimeout");
    assert_names(hint_of(59900, 4900), "readTimeout");
    assert_null(hint_of(58000, 12));
    assert_null(hint_of(62000, 12));
}

static void silent_for_sixty_seconds_is_an_idle_timeout(void **state)
{
    (void)state;
    assert_names(hint_of(600000, 60020), "grpc_read_timeout");
    assert_names(hint_of(60020, 60020), "grpc_read_timeout");
}

static void silent_for_five_minutes_is_envoy(void **state)
{
    (void)state;
    assert_names(hint_of(900000, 300030), "stream_idle_timeout");
    assert_null(hint_of(300030, 100));
}

/* Its clock starts at the half-close: an open stream has another cause, whatever its age. */
static void cut_fifteen_seconds_after_the_half_close_is_envoys_route_timeout(void **state)
{
    (void)state;
    const struct rpc_stream_life half_closed = {95003, 15003, true, 15003};
    const struct rpc_stream_life in_use = {95003, 3, true, 14900};
    const struct rpc_stream_life later = {15003, 3, true, 9000};
    assert_names(rpc_hint(&half_closed, &RESET), "route timeout");
    assert_names(rpc_hint(&in_use, &RESET), "route timeout");
    assert_null(rpc_hint(&later, &RESET));
    assert_null(hint_of(15003, 3));
    assert_null(hint_of(15003, 15003));
}

/* Traefik's clock is over when the client half-closes. */
static void a_half_closed_stream_was_not_cut_by_a_limit_on_open_ones(void **state)
{
    (void)state;
    const struct rpc_stream_life life = {60012, 12, true, 3000};
    assert_null(rpc_hint(&life, &RESET));
}

static void silent_from_its_begin_it_may_be_either(void **state)
{
    (void)state;
    assert_names(hint_of(60020, 60000), "readTimeout");
    assert_names(hint_of(60020, 60000), "grpc_read_timeout");
    assert_null(strstr(hint_of(90000, 60000), "readTimeout"));
}

static void words_of_envoy_say_it_whatever_the_time(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"upstream request timeout", "route timeout"},
        {"stream timeout", "stream_idle_timeout"},
        {"downstream duration timeout", "max_stream_duration"},
        {"request timeout", "request_timeout"},
    };
    const struct rpc_stream_life life = {3000, 3000, false, 0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rpc_status status = {.code = RPC_UNAVAILABLE, .origin = RPC_FROM_TRAILERS};
        strcpy(status.message, rows[i][0]);
        assert_names(rpc_hint(&life, &status), rows[i][1]);
        strcat(status.message, "s");
        assert_null(rpc_hint(&life, &status));
    }
}

/* What each proxy's reset looks like, and what cannot have done it. */
static void the_kind_of_cut_narrows_what_did_it(void **state)
{
    (void)state;
    static const struct {
        struct rpc_stream_life life;
        enum rpc_status_origin origin;
        uint32_t h2_error;
        const char *named; /* NULL: nothing */
        const char *absent;
    } rows[] = {
        {{9000, 3000, false, 0}, RPC_FROM_RESET, H2_CANCEL, "timeout server", "Envoy"},
        {{9000, 3000, false, 0}, RPC_FROM_RESET, H2_PROTOCOL_ERROR, "client_body_timeout", "Envoy"},
        {{9000, 3000, true, 3000}, RPC_FROM_RESET, H2_PROTOCOL_ERROR, NULL, NULL},
        {{9000, 100, false, 0}, RPC_FROM_RESET, H2_CANCEL, NULL, NULL},
        {{9000, 3000, false, 0},
         RPC_FROM_RESET,
         H2_INTERNAL_ERROR,
         "stream_idle_timeout",
         "route timeout"},
        {{9000, 3000, true, 3000},
         RPC_FROM_RESET,
         H2_INTERNAL_ERROR,
         "route timeout",
         "readTimeout"},
        {{9000, 100, true, 3000},
         RPC_FROM_RESET,
         H2_INTERNAL_ERROR,
         "route timeout",
         "readTimeout"},
        {{9000, 100, false, 0}, RPC_FROM_RESET, H2_INTERNAL_ERROR, "readTimeout", "route timeout"},
        {{9000, 3000, false, 0}, RPC_FROM_RESET, H2_NO_ERROR, "stream_idle_timeout", NULL},
        {{9000, 100, false, 0}, RPC_FROM_RESET, H2_NO_ERROR, "max_stream_duration", NULL},
        {{9000, 3000, false, 0}, RPC_FROM_CUT, 0, "timeout server", "timeout client"},
        {{9000, 3000, false, 0}, RPC_FROM_CUT, 0, "grpc_read_timeout", "grpc_send_timeout"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct rpc_status status = {
            .code = RPC_INTERNAL, .origin = rows[i].origin, .h2_error = rows[i].h2_error};
        char text[RPC_CAUSE_BYTES];
        rpc_describe_end(&rows[i].life, &status, text, sizeof(text));
        if ((strstr(text, "cut off") != NULL) != (rows[i].named != NULL) ||
            (rows[i].named != NULL && strstr(text, rows[i].named) == NULL) ||
            (rows[i].absent != NULL && strstr(text, rows[i].absent) != NULL)) {
            fail_msg("row %zu: %s", i, text);
        }
    }
}

static void regular_ends_and_our_own_have_no_hint(void **state)
{
    (void)state;
    const struct rpc_stream_life life = {60012, 12};
    const struct rpc_status good = {.code = RPC_OK, .origin = RPC_FROM_TRAILERS};
    const struct rpc_status here = {.code = RPC_CANCELLED, .origin = RPC_FROM_HERE};
    const struct rpc_status unprocessed = {
        .code = RPC_UNAVAILABLE, .origin = RPC_FROM_RESET, .unprocessed = true};
    assert_non_null(rpc_hint(&life, &RESET));
    assert_null(rpc_hint(&life, &good));
    assert_null(rpc_hint(&life, &here));
    assert_null(rpc_hint(&life, &unprocessed));
}

static void description_carries_the_hint_in_brackets_and_fits(void **state)
{
    (void)state;
    const struct rpc_stream_life life = {60012, 12};
    const struct rpc_stream_life other = {1000, 12};
    char text[RPC_CAUSE_BYTES];
    char small[24];
    rpc_describe_end(&life, &RESET, text, sizeof(text));
    assert_non_null(strstr(text, " (ended 60 s after it began"));
    assert_int_equal(text[strlen(text) - 1], ')');
    rpc_describe_end(&other, &RESET, text, sizeof(text));
    assert_null(strstr(text, "ended"));
    rpc_describe_end(&life, &RESET, small, sizeof(small));
    assert_int_equal(strlen(small), sizeof(small) - 1);
}

static void who_says_why_is_not_contradicted(void **state)
{
    (void)state;
    const struct rpc_stream_life traefiks = {60012, 12};
    struct rpc_status status = {.code = RPC_UNAVAILABLE, .origin = RPC_FROM_TRAILERS};
    assert_names(rpc_hint(&traefiks, &status), "readTimeout");
    snprintf(status.message, sizeof(status.message), "proxy is shutting down");
    assert_null(rpc_hint(&traefiks, &status));
}

static void a_stream_that_was_cut_off_tells_the_kind_of_limit(void **state)
{
    (void)state;
    const struct rpc_status cut = {.code = RPC_INTERNAL, .origin = RPC_FROM_CUT};
    const struct rpc_status internal = {
        .code = RPC_INTERNAL, .origin = RPC_FROM_RESET, .h2_error = H2_INTERNAL_ERROR};
    const struct rpc_status ended = {.code = RPC_INTERNAL, .origin = RPC_FROM_TRAILERS};
    const struct rpc_stream_life silent = {7000, 2000};
    const struct rpc_stream_life busy = {7000, 100};
    const struct rpc_stream_life young = {500, 500};
    char text[RPC_CAUSE_BYTES];
    assert_non_null(strstr(rpc_describe_end(&silent, &cut, text, sizeof(text)),
                           "after 2.00s without a message"));
    assert_non_null(strstr(text, "stream_idle_timeout"));
    assert_non_null(
        strstr(rpc_describe_end(&busy, &internal, text, sizeof(text)), "7.00s after it began"));
    assert_non_null(strstr(text, "readTimeout"));
    assert_null(strstr(rpc_describe_end(&young, &cut, text, sizeof(text)), "cut off"));
    assert_null(strstr(rpc_describe_end(&silent, &ended, text, sizeof(text)), "cut off"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_sixty_seconds_while_active_is_traefik),
        cmocka_unit_test(silent_for_sixty_seconds_is_an_idle_timeout),
        cmocka_unit_test(silent_for_five_minutes_is_envoy),
        cmocka_unit_test(cut_fifteen_seconds_after_the_half_close_is_envoys_route_timeout),
        cmocka_unit_test(a_half_closed_stream_was_not_cut_by_a_limit_on_open_ones),
        cmocka_unit_test(silent_from_its_begin_it_may_be_either),
        cmocka_unit_test(words_of_envoy_say_it_whatever_the_time),
        cmocka_unit_test(the_kind_of_cut_narrows_what_did_it),
        cmocka_unit_test(regular_ends_and_our_own_have_no_hint),
        cmocka_unit_test(who_says_why_is_not_contradicted),
        cmocka_unit_test(a_stream_that_was_cut_off_tells_the_kind_of_limit),
        cmocka_unit_test(description_carries_the_hint_in_brackets_and_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The agent's counters and their Prometheus form. */
#include "agent/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The exposition as one string, owned by the caller. */
static char *exposition_of(const struct agent_stats *stats)
{
    struct metrics metrics = {0};
    agent_stats_write(stats, "v1.2", "/ping.PingService/PingPong", &metrics);
    assert_false(metrics.incomplete);
    char *text = strndup((const char *)buf_data(&metrics.text), metrics.text.len);
    buf_deinit(&metrics.text);
    return text;
}

static void assert_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    bool whole = at != NULL && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
    if (!whole) {
        fail_msg("no line \"%s\" in:\n%s", line, text);
    }
}

static void answers_are_counted_by_server_version(void **state)
{
    (void)state;
    struct agent_stats stats = {0};
    agent_stats_answer(&stats, "v1", AGENT_STATS_MATCH);
    agent_stats_answer(&stats, "v1", AGENT_STATS_MATCH);
    agent_stats_answer(&stats, "v2", AGENT_STATS_MISMATCH);
    char *text = exposition_of(&stats);
    assert_line(text,
                "grpcroute_route_decisions_total{agent_version=\"v1.2\",server_version=\"v1\","
                "result=\"match\"} 2");
    assert_line(text,
                "grpcroute_route_decisions_total{agent_version=\"v1.2\",server_version=\"v2\","
                "result=\"mismatch\"} 1");
    free(text);
}

static void invented_versions_share_one_label(void **state)
{
    (void)state;
    struct agent_stats stats = {0};
    char version[200];
    for (int i = 0; i < 1000; i++) {
        snprintf(version, sizeof(version), "v%d", i);
        agent_stats_answer(&stats, version, AGENT_STATS_MISMATCH);
    }
    memset(version, 'x', sizeof(version) - 1);
    version[sizeof(version) - 1] = '\0';
    agent_stats_answer(&stats, version, AGENT_STATS_MISMATCH);
    assert_int_equal(stats.server_count, AGENT_STATS_SERVERS);
    assert_int_equal(stats.mismatches, 1001);
    char *text = exposition_of(&stats);
    assert_line(text, "grpcroute_route_decisions_total{agent_version=\"v1.2\",server_version="
                      "\"other\",result=\"mismatch\"} 985");
    free(text);
}

static void reconnections_are_counted_by_reason(void **state)
{
    (void)state;
    struct agent_stats stats = {0};
    agent_stats_reconnect(&stats, "refused");
    agent_stats_reconnect(&stats, "UNAVAILABLE");
    agent_stats_reconnect(&stats, "refused");
    char *text = exposition_of(&stats);
    assert_line(text, "grpcroute_stream_reconnects_total{reason=\"refused\"} 2");
    assert_line(text, "grpcroute_stream_reconnects_total{reason=\"UNAVAILABLE\"} 1");
    free(text);
}

static void ended_streams_are_counted_by_status_as_go_names_it(void **state)
{
    (void)state;
    struct agent_stats stats = {.streams_opened = 5};
    stats.ended[RPC_UNAVAILABLE] = 3;
    stats.ended[RPC_CANCELLED] = 1;
    char *text = exposition_of(&stats);
    static const char method[] = "{grpc_type=\"bidi_stream\",grpc_service=\"ping.PingService\","
                                 "grpc_method=\"PingPong\"";
    static const struct {
        const char *name;
        const char *rest;
    } lines[] = {
        {"grpc_client_started_total", "} 5"},
        {"grpc_client_handled_total", ",grpc_code=\"OK\"} 0"},
        {"grpc_client_handled_total", ",grpc_code=\"Canceled\"} 1"},
        {"grpc_client_handled_total", ",grpc_code=\"Unavailable\"} 3"},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), "%s%s%s", lines[i].name, method, lines[i].rest);
        assert_line(text, line);
    }
    free(text);
}

static void every_kind_of_fault_makes_it_unclean(void **state)
{
    (void)state;
    struct agent_stats stats = {.sent = 5, .received = 5, .skipped = 1};
    uint64_t *const faults[] = {&stats.lost, &stats.unexpected, &stats.mixed, &stats.moved,
                                &stats.mismatches};
    assert_true(agent_stats_clean(&stats));
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        *faults[i] = 1;
        assert_false(agent_stats_clean(&stats));
        *faults[i] = 0;
    }
    assert_true(agent_stats_clean(&stats));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_counted_by_server_version),
        cmocka_unit_test(invented_versions_share_one_label),
        cmocka_unit_test(reconnections_are_counted_by_reason),
        cmocka_unit_test(ended_streams_are_counted_by_status_as_go_names_it),
        cmocka_unit_test(every_kind_of_fault_makes_it_unclean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

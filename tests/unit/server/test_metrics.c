/* The server's counters and their Prometheus form. */
#include "server/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define METHOD                                                                                     \
    "grpc_type=\"bidi_stream\",grpc_service=\"ping.PingService\",grpc_method=\"PingPong\""

static struct server_metrics counted;

static int begin(void **state)
{
    (void)state;
    memset(&counted, 0, sizeof(counted));
    return 0;
}

static void assert_line(const char *line)
{
    struct metrics metrics = {0};
    server_metrics_write(&counted, "v1", &metrics);
    assert_false(metrics.incomplete);
    char *text = strndup((const char *)buf_data(&metrics.text), metrics.text.len);
    buf_deinit(&metrics.text);
    const char *at = strstr(text, line);
    if (at == NULL || at[-1] != '\n' || at[strlen(line)] != '\n') {
        fail_msg("no line \"%s\" in:\n%s", line, text);
    }
    free(text);
}

static void streams_are_counted_by_agent_version_and_status(void **state)
{
    (void)state;
    size_t a = server_metrics_opened(&counted, "v1.1");
    size_t b = server_metrics_opened(&counted, "v1.2");
    size_t c = server_metrics_opened(&counted, "v1.1");
    assert_line("grpcroute_streams_active{agent_version=\"v1.1\",server_version=\"v1\"} 2");
    server_metrics_ended(&counted, a, RPC_OK, 1);
    server_metrics_ended(&counted, b, RPC_CANCELLED, 2);
    server_metrics_ended(&counted, c, RPC_CANCELLED, 3);
    assert_line("grpcroute_streams_active{agent_version=\"v1.1\",server_version=\"v1\"} 0");
    assert_line("grpcroute_streams_active{agent_version=\"v1.2\",server_version=\"v1\"} 0");
    assert_line("grpc_server_started_total{" METHOD "} 3");
    assert_line("grpc_server_handled_total{" METHOD ",grpc_code=\"OK\"} 1");
    assert_line("grpc_server_handled_total{" METHOD ",grpc_code=\"Canceled\"} 2");
    assert_line("grpcroute_stream_lifetime_seconds_count{server_version=\"v1\"} 3");
}

static void hostile_versions_share_one_label(void **state)
{
    (void)state;
    char version[300];
    server_metrics_opened(&counted, "");
    server_metrics_opened(&counted, "v1.1 x");
    server_metrics_opened(&counted, "\xff\x1b[31m");
    memset(version, 'v', sizeof(version) - 1);
    version[sizeof(version) - 1] = '\0';
    server_metrics_opened(&counted, version);
    assert_int_equal(counted.version_count, 0);
    for (int i = 0; i < 100; i++) {
        snprintf(version, sizeof(version), "v1.%d", i);
        server_metrics_opened(&counted, version);
    }
    assert_int_equal(counted.version_count, SERVER_METRICS_VERSIONS);
    assert_line("grpcroute_streams_active{agent_version=\"other\",server_version=\"v1\"} 88");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(streams_are_counted_by_agent_version_and_status, begin),
        cmocka_unit_test_setup(hostile_versions_share_one_label, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

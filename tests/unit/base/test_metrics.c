#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct metrics *metrics, const char *expected)
{
    assert_false(metrics->incomplete);
    assert_int_equal(buf_append(&metrics->text, "", 1, SIZE_MAX), 0);
    assert_string_equal((char *)buf_data(&metrics->text), expected);
    buf_deinit(&metrics->text);
}

static void counters_and_gauges_have_help_type_and_samples(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    metrics_begin(&metrics, "pings_total", METRICS_COUNTER, "Pings sent.");
    metrics_sample(&metrics, "pings_total", NULL, 9007199254740991.0);
    metrics_begin(&metrics, "streams", METRICS_GAUGE, "Live streams.");
    metrics_sample(&metrics, "streams", METRICS_LABELS({"version", "v1"}, {"pod", "a"}), 2);
    metrics_sample(&metrics, "streams", METRICS_LABELS({"version", "v2"}), 0.25);
    metrics_sample(&metrics, "streams", METRICS_LABELS({"version", NULL}), -1);
    metrics_sample(&metrics, "start_seconds", NULL, 1795000123.25);
    metrics_sample(&metrics, "tenth", NULL, 0.1);
    metrics_sample(&metrics, "third", NULL, 1.0 / 3);
    assert_text(&metrics, "# HELP pings_total Pings sent.\n"
                          "# TYPE pings_total counter\n"
                          "pings_total 9007199254740991\n"
                          "# HELP streams Live streams.\n"
                          "# TYPE streams gauge\n"
                          "streams{version=\"v1\",pod=\"a\"} 2\n"
                          "streams{version=\"v2\"} 0.25\n"
                          "streams{version=\"\"} -1\n"
                          "start_seconds 1795000123.25\n"
                          "tenth 0.1\n"
                          "third 0.33333333333333331\n");
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    metrics_sample(&metrics, "m", METRICS_LABELS({"a", "q\"b\\c\nd"}, {"b", "p\xc3\xb6"}), 1);
    metrics_sample(&metrics, "m", METRICS_LABELS({"a", "\xff\""}), 1);
    assert_text(&metrics, "m{a=\"q\\\"b\\\\c\\nd\",b=\"p\xc3\xb6\"} 1\n"
                          "m{a=\"\\\\xff\\\"\"} 1\n");
}

static void control_characters_never_reach_the_page_raw(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    char controls[33] = {[31] = 0x7f};
    for (int i = 1; i < 32; i++) {
        controls[i - 1] = (char)i;
    }
    metrics_sample(&metrics, "m", METRICS_LABELS({"a", controls}), 1);
    metrics_sample(&metrics, "m",
                   METRICS_LABELS({"a", "\xc2\x9b"
                                        "2J"}),
                   1);
    metrics_sample(&metrics, "m", METRICS_LABELS({"a", "\x1b[2J"}), 1);
    const uint8_t *page = buf_data(&metrics.text);
    for (size_t i = 0; i < metrics.text.len; i++) {
        assert_true((page[i] >= 0x20 || page[i] == '\n') && page[i] < 0x7f);
    }
    buf_deinit(&metrics.text);
}

static void a_histogram_is_cumulative_and_in_seconds(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    struct histogram histogram = {0};
    histogram_add(&histogram, 500000);
    histogram_add(&histogram, 1500000);
    histogram_add(&histogram, UINT64_C(20000000000));
    static const uint64_t BOUNDS[] = {1000000, 5000000};
    metrics_begin(&metrics, "rtt_seconds", METRICS_HISTOGRAM, "Round trips.");
    metrics_histogram(&metrics, "rtt_seconds", METRICS_LABELS({"v", "v1"}), &histogram, BOUNDS, 2);
    metrics_histogram(&metrics, "rtt_seconds", NULL, &histogram, BOUNDS, 1);
    assert_text(&metrics, "# HELP rtt_seconds Round trips.\n"
                          "# TYPE rtt_seconds histogram\n"
                          "rtt_seconds_bucket{v=\"v1\",le=\"0.001\"} 1\n"
                          "rtt_seconds_bucket{v=\"v1\",le=\"0.005\"} 2\n"
                          "rtt_seconds_bucket{v=\"v1\",le=\"+Inf\"} 3\n"
                          "rtt_seconds_sum{v=\"v1\"} 20.002\n"
                          "rtt_seconds_count{v=\"v1\"} 3\n"
                          "rtt_seconds_bucket{le=\"0.001\"} 1\n"
                          "rtt_seconds_bucket{le=\"+Inf\"} 3\n"
                          "rtt_seconds_sum 20.002\n"
                          "rtt_seconds_count 3\n");
}

static void default_bounds_reach_from_100_us_to_10_s(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    struct histogram histogram = {0};
    metrics_histogram(&metrics, "m", NULL, &histogram, NULL, 0);
    assert_int_equal(buf_append(&metrics.text, "", 1, SIZE_MAX), 0);
    assert_non_null(strstr((char *)buf_data(&metrics.text), "m_bucket{le=\"0.0001\"} 0\n"));
    assert_non_null(strstr((char *)buf_data(&metrics.text), "m_bucket{le=\"10.0\"} 0\n"));
    buf_deinit(&metrics.text);
}

static void open_metrics_name_families_and_units_and_end(void **state)
{
    (void)state;
    struct metrics metrics = {.open = true};
    struct histogram histogram = {0};
    static const uint64_t BOUNDS[] = {1000000000};
    metrics_begin(&metrics, "pings_total", METRICS_COUNTER, "Pings.");
    metrics_sample(&metrics, "pings_total", NULL, 2);
    metrics_begin(&metrics, "cpu_seconds_total", METRICS_COUNTER, "Time.");
    metrics_begin(&metrics, "of_total", METRICS_GAUGE, "No counter.");
    metrics_begin(&metrics, "rtt_seconds", METRICS_HISTOGRAM, "Round trips.");
    metrics_histogram(&metrics, "rtt_seconds", NULL, &histogram, BOUNDS, 1);
    metrics_end(&metrics);
    assert_text(&metrics, "# HELP pings Pings.\n"
                          "# TYPE pings counter\n"
                          "pings_total 2\n"
                          "# HELP cpu_seconds Time.\n"
                          "# TYPE cpu_seconds counter\n"
                          "# UNIT cpu_seconds seconds\n"
                          "# HELP of_total No counter.\n"
                          "# TYPE of_total gauge\n"
                          "# HELP rtt_seconds Round trips.\n"
                          "# TYPE rtt_seconds histogram\n"
                          "# UNIT rtt_seconds seconds\n"
                          "rtt_seconds_bucket{le=\"1.0\"} 0\n"
                          "rtt_seconds_bucket{le=\"+Inf\"} 0\n"
                          "rtt_seconds_sum 0\n"
                          "rtt_seconds_count 0\n"
                          "# EOF\n");
}

static void the_format_is_what_the_reader_prefers(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool open;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"text/plain", false},
        {"application/openmetrics-text", true},
        {"APPLICATION/OpenMetrics-Text;version=1.0.0", true},
        {"application/openmetrics-text;version=2.0.0", false},
        {"application/openmetrics-text;version=0.0.1", false},
        {"application/openmetrics-text;q=0", false},
        {"application/openmetrics-text-x", false},
        {"application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5", false},
        {"application/openmetrics-text; version=1.0.0; q=0.6, text/plain;version=0.0.4;q=0.5",
         true},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {";;,=q,;q=,;version", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (metrics_wants_open(cases[i].accept) != cases[i].open) {
            fail_msg("%s", cases[i].accept);
        }
    }
    struct metrics open = {.open = true};
    struct metrics text = {0};
    assert_string_equal(metrics_content_type(&open),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_string_equal(metrics_content_type(&text), "text/plain; version=0.0.4; charset=utf-8");
}

static void a_page_without_end_is_marked_incomplete(void **state)
{
    (void)state;
    struct metrics metrics = {0};
    static char help[4096];
    memset(help, 'x', sizeof(help) - 1);
    for (int i = 0; i < 5000 && !metrics.incomplete; i++) {
        metrics_begin(&metrics, "m", METRICS_GAUGE, help);
    }
    assert_true(metrics.incomplete);
    assert_true(metrics.text.len <= 16 * 1024 * 1024);
    buf_deinit(&metrics.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_have_help_type_and_samples),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(control_characters_never_reach_the_page_raw),
        cmocka_unit_test(a_histogram_is_cumulative_and_in_seconds),
        cmocka_unit_test(default_bounds_reach_from_100_us_to_10_s),
        cmocka_unit_test(open_metrics_name_families_and_units_and_end),
        cmocka_unit_test(the_format_is_what_the_reader_prefers),
        cmocka_unit_test(a_page_without_end_is_marked_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

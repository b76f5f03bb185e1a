#include "base/mem.h"
#include "bench/compare.h"
#include "bench/page.h"
#include "bench/report.h"
#include "bench/threshold.h"
#include "cli/exit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka needs those first */
#include <cmocka.h>

static struct bench_result *sample(uint64_t step_ns)
{
    struct bench_result *result = mem_new(struct bench_result);
    snprintf(result->setup.method, sizeof(result->setup.method), "/ping.PingService/PingPong");
    snprintf(result->setup.target, sizeof(result->setup.target), "</script><b>");
    snprintf(result->setup.versions[result->setup.version_count++], TEXT_VERSION_BYTES, "v1.1");
    result->setup.connections = 2;
    result->setup.streams = 5;
    result->setup.rate = 100;
    result->seconds_ns = UINT64_C(1000000000);
    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_add(&result->latency, i * step_ns);
    }
    result->sent = 1010;
    result->answered = 1000;
    result->lost = 10;
    result->sent_again = 7;
    result->setup.pid_count = 1;
    result->costs[0] = (struct bench_cost){.pid = 7, .cpu_seconds = 0.5, .memory_kib = 99};
    bench_count_cause(result, "UNAVAILABLE\n", 10);
    result->timeline = mem_calloc(1, sizeof(*result->timeline));
    result->timeline[result->timeline_count++] = (struct bench_second){1000, 5, 9};
    return result;
}

static void drop(struct bench_result *result)
{
    bench_result_deinit(result);
    free(result);
}

static void write_file(char path[static 32], void (*print)(FILE *, const struct bench_result *),
                       const struct bench_result *result)
{
    strcpy(path, "/tmp/test-bench-XXXXXX");
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    print(file, result);
    assert_int_equal(fclose(file), 0);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    char path[32];
    char reason[REPORT_REASON_BYTES];
    struct bench_result *written = sample(1000);
    struct bench_result *read = mem_new(struct bench_result);
    write_file(path, bench_report_json, written);
    assert_int_equal(bench_report_read(path, read, reason), 0);
    assert_int_equal(read->sent, 1010);
    assert_int_equal(read->lost, 10);
    assert_int_equal(read->sent_again, 7);
    assert_int_equal(read->setup.streams, 5);
    assert_string_equal(read->setup.target, written->setup.target);
    assert_memory_equal(&read->latency, &written->latency, sizeof(read->latency));
    assert_string_equal(read->causes[0].text, "UNAVAILABLE\\x0a");
    assert_int_equal(read->causes[0].count, 10);
    assert_int_equal(read->timeline[0].answered, 1000);
    assert_int_equal(read->costs[0].memory_kib, 99);
    unlink(path);
    drop(written);
    drop(read);
}

static void merged_quantiles_are_those_of_all_samples(void **state)
{
    (void)state;
    struct bench_result *fast = sample(1000);
    struct bench_result *slow = sample(1000000);
    fast->driver_cpu_seconds = fast->busiest_cpu_seconds = 0.5;
    slow->driver_cpu_seconds = slow->busiest_cpu_seconds = 0.75;
    bench_merge(fast, slow);
    assert_true(fast->driver_cpu_seconds == 1.25 && fast->busiest_cpu_seconds == 0.75);
    assert_null(bench_driver_fault(fast)); /* each kept up */
    assert_int_equal(fast->latency.count, 2000);
    assert_int_equal(histogram_quantile(&fast->latency, 1), UINT64_C(1000000000));
    assert_in_range(histogram_quantile(&fast->latency, 0.5), 990000, 1010000);
    assert_int_equal(fast->answered, 2000);
    assert_int_equal(fast->setup.rate, 200);
    assert_int_equal(fast->causes[0].count, 20);
    assert_int_equal(fast->timeline[0].answered, 2000);
    drop(fast);
    drop(slow);
}

static void what_was_not_valid_is_not_hidden_by_what_was(void **state)
{
    (void)state;
    struct bench_result *good = sample(1000);
    struct bench_result *late = sample(1000);
    assert_null(bench_invalid(good));
    histogram_add(&late->lateness, UINT64_C(1000000000));
    assert_non_null(bench_driver_fault(late));
    for (int i = 0; i < 1000; i++) {
        histogram_add(&good->lateness, 1000);
    }
    bench_merge(good, late);
    assert_null(bench_driver_fault(good));
    assert_string_equal(bench_invalid(good), "a load that was merged was not valid");
    assert_false(good->unlike);
    late->setup.size_bytes++;
    bench_merge(good, late);
    assert_true(good->unlike);
    drop(good);
    drop(late);
}

/* "0 misrouted" of which nobody knows who must answer would be a lie, in whatever form. */
static void what_was_not_checked_is_no_zero(void **state)
{
    (void)state;
    char path[32];
    char reason[REPORT_REASON_BYTES];
    static char text[256 * 1024];
    struct bench_result *seen = sample(1000);
    struct bench_result *blind = sample(1000);
    struct bench_result *read = mem_new(struct bench_result);
    bench_add_unchecked(blind, "v1.1", "nothing says so");
    blind->unplaced = blind->unsequenced = 1000;
    write_file(path, bench_report_json, blind);
    FILE *file = fopen(path, "r");
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(text, "\"misrouted\":\tnull"));
    assert_non_null(strstr(text, "\"moved\":\tnull"));
    assert_non_null(strstr(text, "\"disordered\":\tnull"));
    assert_int_equal(bench_report_read(path, read, reason), 0);
    assert_int_equal(read->misrouted, 0);
    assert_int_equal(read->unchecked_count, 1);
    unlink(path);
    static const char *const names[] = {"misrouted", "moved", "disordered"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char shown[THRESHOLD_SHOWN_BYTES];
        const struct bench_metric *metric = bench_metric_find(names[i], strlen(names[i]));
        assert_string_equal(bench_metric_text(metric, read, shown), "not checked");
        assert_string_equal(bench_metric_text(metric, seen, shown), "0");
    }
    read->misrouted = 2; /* what was seen is told all the same */
    char shown[THRESHOLD_SHOWN_BYTES];
    assert_string_equal(bench_metric_text(bench_metric_find("misrouted", 9), read, shown), "2");
    drop(seen);
    drop(blind);
    drop(read);
}

static unsigned missing(const struct bench_result *before, const struct bench_result *now,
                        const char *metrics)
{
    struct bench_comparison comparison;
    bench_compare_results(before, now, metrics, 0.1, &comparison);
    assert_int_equal(comparison.worse, 0);
    return comparison.missing;
}

static void what_was_not_checked_is_not_compared(void **state)
{
    (void)state;
    struct bench_result *seen = sample(1000);
    struct bench_result *blind = sample(1000);
    bench_add_unchecked(blind, "v1.1", "nothing says so");
    assert_int_equal(missing(seen, seen, COMPARE_METRICS), 0);
    assert_int_equal(missing(seen, blind, COMPARE_METRICS), 1);
    assert_int_equal(missing(blind, seen, COMPARE_METRICS), 1);
    assert_int_equal(missing(blind, blind, COMPARE_METRICS), 0); /* not judged */
    assert_int_equal(missing(blind, blind, "p50,misrouted"), 1);
    drop(seen);
    drop(blind);
}

static unsigned worse(const struct bench_result *before, const struct bench_result *now,
                      const char *metrics, double tolerance)
{
    struct bench_comparison comparison;
    bench_compare_results(before, now, metrics, tolerance, &comparison);
    return comparison.worse;
}

static void worse_by_more_than_the_tolerance_is_counted(void **state)
{
    (void)state;
    struct bench_result *before = sample(1000);
    struct bench_result *now = sample(1200);
    assert_int_equal(worse(before, before, COMPARE_METRICS, 0), 0);
    assert_int_equal(worse(before, now, COMPARE_METRICS, 0.3), 0);
    assert_true(worse(before, now, COMPARE_METRICS, 0.1) > 0);
    assert_int_equal(worse(now, before, COMPARE_METRICS, 0.1), 0); /* better is fine */
    drop(before);
    drop(now);
}

static void only_the_metrics_that_are_named_decide(void **state)
{
    (void)state;
    struct bench_result *before = sample(1000);
    struct bench_result *now = sample(1000);
    histogram_add(&now->latency, UINT64_C(900000000)); /* one message of a thousand */
    assert_int_equal(worse(before, now, COMPARE_METRICS, 0.1), 0);
    assert_int_equal(worse(before, now, "max", 0.1), 1);
    now->answered = 500;
    assert_int_equal(worse(before, now, "p50,p99", 0.1), 0);
    assert_int_equal(worse(before, now, "rate", 0.1), 1);
    now->unopened = 1;
    assert_int_equal(worse(before, now, "unopened", 0.1), 1);
    assert_int_equal(worse(before, now, "unopened", 10), 1); /* there were none: that is no ratio */
    assert_int_equal(worse(now, before, "unopened", 0.1), 0);
    now->costs[0].cpu_seconds = 2;
    assert_int_equal(worse(before, now, "cpu", 0.1), 1);
    drop(before);
    drop(now);
}

static void a_quantile_of_few_messages_is_uncertain(void **state)
{
    (void)state;
    struct bench_result *one = sample(1000);
    struct bench_comparison comparison;
    bench_compare_results(one, one, COMPARE_METRICS, 0.1, &comparison);
    for (size_t i = 0; i < comparison.row_count; i++) {
        const struct bench_compare_row *row = &comparison.rows[i];
        if (row->name[0] == 'p' || strcmp(row->name, "max") == 0) {
            bool few = strcmp(row->name, "p50") != 0 && strcmp(row->name, "p90") != 0;
            assert_int_equal(row->is_uncertain, few);
        }
    }
    drop(one);
}

static void unknown_metrics_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "p98", "p50,", ",p50", "p50,,p99", "p50 p99", "P50"};
    char unknown[32];
    assert_int_equal(bench_compare_check_metrics(COMPARE_METRICS, unknown), 0);
    assert_int_equal(bench_compare_check_metrics("max", unknown), 0);
    assert_int_equal(bench_compare_check_metrics(" p50 , p99", unknown), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(bench_compare_check_metrics(bad[i], unknown), 1);
    }
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const char OUT_OF_RANGE[] = "{\"format\": \"grpcroute-bench-1\", "
                                       "\"latency\": {\"count\": 1, \"buckets\": [99999999, 1]}}";
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"format\": 1}",
        "{\"format\": \"grpcroute-bench-1\"",
        "{\"format\": \"grpcroute-bench-1\", \"latency\": {\"count\": 1, \"buckets\": []}}",
        OUT_OF_RANGE,
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        char path[] = "/tmp/test-bench-XXXXXX";
        char reason[REPORT_REASON_BYTES];
        int fd = mkstemp(path);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        close(fd);
        struct bench_result *result = mem_new(struct bench_result);
        assert_int_equal(bench_report_read(path, result, reason), EXIT_USAGE);
        unlink(path);
        free(result);
    }
}

/* The text of a report, owned by the caller. */
static char *text_of(const struct bench_result *result)
{
    char *text = mem_calloc(1, 16384);
    FILE *out = fmemopen(text, 16384, "w");
    assert_non_null(out);
    bench_report_json(out, result);
    fclose(out);
    return text;
}

static int read_bytes(const void *bytes, size_t len, struct bench_result *ret)
{
    char path[] = "/tmp/test-bench-XXXXXX";
    char reason[REPORT_REASON_BYTES];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
    int rv = bench_report_read(path, ret, reason);
    unlink(path);
    return rv;
}

/* "None was lost" must not come from a report that does not say. */
static void a_report_that_lacks_a_figure_is_refused(void **state)
{
    static const char *const changes[][2] = {
        {"\"misrouted\":", "\"mis\":"},      {"\"lost\":\t10", "\"lost\":\t\"10\""},
        {"\"lost\":\t10", "\"lost\":\t-10"}, {"\"lost\":\t10", "\"lost\":\t1e300"},
        {"\"cpu_seconds\":", "\"cpu\":"},    {"\"sum_ns\":", "\"sum\":"},
        {"x0a\":\t10", "x\":\t\"\""},        {"\"p50_ns\":\t5,", "\"p50\":\t5,"},
    };
    (void)state;
    struct bench_result *written = sample(1000);
    char *text = text_of(written);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        char *at = strstr(text, changes[i][0]);
        assert_non_null(at);
        char *changed = NULL;
        assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, changes[i][1],
                             at + strlen(changes[i][0])) > 0);
        struct bench_result *result = mem_new(struct bench_result);
        assert_int_equal(read_bytes(changed, strlen(changed), result), EXIT_USAGE);
        free(result);
        free(changed);
    }
    free(text);
    drop(written);
}

/* Cut anywhere, in front or at its end: a report is read, or the file is refused. */
static void a_report_that_was_cut_is_never_passed_over(void **state)
{
    (void)state;
    struct bench_result *written = sample(1000);
    char *text = text_of(written);
    size_t len = strlen(text);
    for (size_t cut = 10; cut + 5 < len; cut += 37) {
        char *pieces[4];
        assert_true(asprintf(&pieces[0], "%s%s", text, text + cut) > 0);
        assert_true(asprintf(&pieces[1], "%s%s", text + cut, text) > 0);
        assert_true(asprintf(&pieces[2], "%s%.*s", text, (int)cut, text) > 0);
        assert_true(asprintf(&pieces[3], "%.*s\n%s", (int)cut, text, text) > 0);
        for (unsigned i = 0; i < 4; i++) {
            struct bench_result *result = mem_new(struct bench_result);
            assert_int_equal(read_bytes(pieces[i], strlen(pieces[i]), result), EXIT_USAGE);
            free(result);
            free(pieces[i]);
        }
    }
    free(text);
    drop(written);
}

/* The text of another load that did as much. */
static char *text_of_another(void)
{
    struct bench_result *another = sample(1000);
    another->opening_ns++;
    char *text = text_of(another);
    drop(another);
    return text;
}

static void a_report_counts_once(void **state)
{
    (void)state;
    struct bench_result *written = sample(1000);
    struct bench_result *result = mem_new(struct bench_result);
    char *text = text_of(written);
    char *twice = NULL;
    int len = asprintf(&twice, "%s%s", text, text);
    assert_true(len > 0);
    assert_int_equal(read_bytes(twice, (size_t)len, result), EXIT_USAGE);
    free(twice);
    free(text);
    free(result);
    drop(written);
}

static void reports_in_any_json_are_found(void **state)
{
    (void)state;
    struct bench_result *written = sample(1000);
    char *text = text_of(written);
    char *more = text_of_another();
    char *compact = mem_calloc(strlen(text) + 1, 1);
    for (char *from = text, *to = compact; *from != '\0'; from++) {
        if (strchr("\t\n", *from) == NULL) {
            *to++ = *from;
        }
    }
    char *wide = mem_calloc(2 * strlen(text) + 3, 1);
    size_t wide_len = 0;
    wide[wide_len++] = (char)0xff;
    wide[wide_len++] = (char)0xfe;
    for (const char *at = text; *at != '\0'; at++, wide_len += 2) {
        wide[wide_len] = *at;
    }
    char *files[4];
    size_t lens[4];
    lens[0] = (size_t)asprintf(&files[0], "%s%s", compact, more);
    lens[1] = (size_t)asprintf(&files[1], "[%s,\n  %s]", more, compact);
    lens[2] = (size_t)asprintf(&files[2], "%s\r%s", text, more);
    files[3] = mem_calloc(wide_len + strlen(more), 1);
    memcpy(files[3], wide, wide_len);
    memcpy(files[3] + wide_len, more, strlen(more));
    lens[3] = wide_len + strlen(more);
    for (char *at = files[2]; *at != '\0'; at++) {
        *at = *at == '\n' ? '\r' : *at;
    }
    for (unsigned i = 0; i < 4; i++) {
        struct bench_result *result = mem_new(struct bench_result);
        assert_int_equal(read_bytes(files[i], lens[i], result), 0);
        assert_int_equal(result->lost, 20);
        drop(result);
        free(files[i]);
    }
    free(wide);
    free(compact);
    free(more);
    free(text);
    drop(written);
}

/* As a file that was cut, or a log that was rotated, leaves them. */
static void zero_bytes_do_not_hide_the_reports_behind_them(void **state)
{
    (void)state;
    struct bench_result *written = sample(1000);
    char *text = text_of(written);
    struct bench_result *result = mem_new(struct bench_result);
    char *both = NULL;
    char *more = text_of_another();
    int len = asprintf(&both, "%s@@\n%s", text, more);
    assert_true(len > 0);
    memset(strstr(both, "@@"), 0, 2);
    assert_int_equal(read_bytes(both, (size_t)len, result), 0);
    assert_int_equal(result->lost, 20);
    assert_int_equal(result->sent_again, 14);
    free(both);
    free(more);
    free(text);
    drop(result);
    drop(written);
}

static void print_page(FILE *out, const struct bench_result *result)
{
    const struct bench_page page = {.runs = {result}, .run_count = 1};
    bench_page_write(out, &page);
}

static void a_hostile_name_cannot_leave_the_data_of_the_page(void **state)
{
    (void)state;
    char path[32];
    static char page[256 * 1024];
    struct bench_result *result = sample(1000);
    write_file(path, print_page, result);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(page, "\\u003c/script\\u003e\\u003cb\\u003e"));
    assert_null(strstr(page, "<b>"));
    unlink(path);
    drop(result);
}

static void causes_beyond_the_table_are_counted_as_other(void **state)
{
    (void)state;
    struct bench_result *result = mem_new(struct bench_result);
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof(text), "cause %d", i);
        bench_count_cause(result, text, 1);
    }
    assert_int_equal(result->cause_count, BENCH_CAUSES_MAX);
    assert_int_equal(bench_errors(result), 100);
    assert_string_equal(result->causes[BENCH_CAUSES_MAX - 1].text, "other");
    free(result);
}

static void a_driver_at_its_limit_is_no_measurement(void **state)
{
    (void)state;
    struct bench_result *result = sample(1000);
    assert_null(bench_invalid(result));
    result->busiest_cpu_seconds = 0.99;
    assert_non_null(bench_invalid(result));
    result->busiest_cpu_seconds = 0.1;
    histogram_add(&result->lateness, UINT64_C(50000000));
    assert_non_null(bench_invalid(result));
    drop(result);
}

static bool says(const struct bench_result *result, const char *words)
{
    char *text = mem_calloc(1, 16384);
    FILE *out = fmemopen(text, 16384, "w");
    bench_report_text(out, result);
    assert_int_equal(fclose(out), 0);
    bool found = strstr(text, words) != NULL;
    free(text);
    return found;
}

static void an_interrupted_run_is_no_whole_one(void **state)
{
    (void)state;
    struct bench_result *result = sample(1000);
    result->setup.duration_ns = UINT64_C(20000000000);
    assert_false(says(result, "Interrupted"));
    assert_true(says(result, "Latency "));
    result->interrupted_by = SIGINT;
    assert_true(says(result, "Interrupted after 1.00s of 20.0s were measured\n"));
    drop(result);
}

static void nothing_measured_has_no_latency(void **state)
{
    (void)state;
    struct bench_result *result = mem_new(struct bench_result);
    result->interrupted_by = SIGTERM;
    assert_true(says(result, "Interrupted before anything was measured\n"));
    assert_false(says(result, "Latency "));
    assert_false(says(result, "quantiles"));
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(merged_quantiles_are_those_of_all_samples),
        cmocka_unit_test(what_was_not_valid_is_not_hidden_by_what_was),
        cmocka_unit_test(what_was_not_checked_is_no_zero),
        cmocka_unit_test(what_was_not_checked_is_not_compared),
        cmocka_unit_test(worse_by_more_than_the_tolerance_is_counted),
        cmocka_unit_test(only_the_metrics_that_are_named_decide),
        cmocka_unit_test(a_quantile_of_few_messages_is_uncertain),
        cmocka_unit_test(unknown_metrics_are_refused),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_report_that_lacks_a_figure_is_refused),
        cmocka_unit_test(a_report_that_was_cut_is_never_passed_over),
        cmocka_unit_test(a_report_counts_once),
        cmocka_unit_test(reports_in_any_json_are_found),
        cmocka_unit_test(zero_bytes_do_not_hide_the_reports_behind_them),
        cmocka_unit_test(a_hostile_name_cannot_leave_the_data_of_the_page),
        cmocka_unit_test(causes_beyond_the_table_are_counted_as_other),
        cmocka_unit_test(a_driver_at_its_limit_is_no_measurement),
        cmocka_unit_test(an_interrupted_run_is_no_whole_one),
        cmocka_unit_test(nothing_measured_has_no_latency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

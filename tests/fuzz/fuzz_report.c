/* Any bytes as reports of bench: what is taken for one reads back the same from what is written of
 * it, no figure appears or goes on the way, two together are no better than each, and no form of it
 * says what a terminal or a page must not see. */
#include "fuzz.h"

#include "base/mem.h"
#include "bench/compare.h"
#include "bench/page.h"
#include "bench/report.h"
#include "bench/threshold.h"

#include <cjson/cJSON.h>
#include <sys/mman.h>
#include <unistd.h>

/* The page without a result in it: what else holds "<" is the result's. */
static size_t page_tags;
static FILE *nowhere;

static struct bench_result *read_bytes(const void *bytes, size_t size)
{
    char path[64];
    char reason[REPORT_REASON_BYTES];
    struct bench_result *result = mem_new(struct bench_result);
    int fd = memfd_create("report", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (bench_report_read(path, result, reason) != 0) {
        FUZZ_CHECK(reason[0] != '\0');
        free(result);
        result = NULL;
    }
    close(fd);
    return result;
}

static void drop(struct bench_result *result)
{
    bench_result_deinit(result);
    free(result);
}

static void print_json(FILE *out, const void *result)
{
    bench_report_json(out, result);
}

static void print_text(FILE *out, const void *result)
{
    bench_report_text(out, result);
}

static void print_html(FILE *out, const void *result)
{
    const struct bench_page page = {.runs = {result}, .run_count = 1};
    bench_page_write(out, &page);
}

static size_t count_char(const char *text, char what)
{
    size_t count = 0;
    for (const char *at = text; *at != '\0'; at++) {
        count += *at == what;
    }
    return count;
}

static void check_histogram(const struct histogram *histogram)
{
    static const double fractions[] = {0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    uint64_t sum = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum += histogram->buckets[i];
    }
    FUZZ_CHECK(sum == histogram->count);
    for (size_t i = 0; i < ARRAY_SIZE(fractions); i++) {
        uint64_t value = histogram_quantile(histogram, fractions[i]);
        FUZZ_CHECK(value >= last && value <= histogram->max_ns);
        last = value;
    }
}

/* Written and read again it is the same report. */
static void check_written(const struct bench_result *result)
{
    char *written = fuzz_printed(print_json, result);
    struct bench_result *again = read_bytes(written, strlen(written));
    FUZZ_CHECK(again != NULL);
    char *rewritten = fuzz_printed(print_json, again);
    FUZZ_CHECK(strcmp(written, rewritten) == 0);
    drop(again);
    free(written);
    free(rewritten);
}

static void check_shown(const struct bench_result *result)
{
    char *text = fuzz_printed(print_text, result);
    char *page = fuzz_printed(print_html, result);
    FUZZ_CHECK(fuzz_is_plain(text));
    FUZZ_CHECK(count_char(page, '<') == page_tags);
    free(text);
    free(page);
}

static bool holds(const char *limit, const struct bench_result *result)
{
    struct bench_threshold threshold;
    char shown[THRESHOLD_SHOWN_BYTES];
    FUZZ_CHECK(bench_threshold_parse(limit, &threshold) == 0);
    bool kept = bench_threshold_holds(&threshold, result, shown);
    FUZZ_CHECK(fuzz_is_plain(shown));
    return kept;
}

/* A fault that one of them had is there in the sum. */
static void check_sum(const struct bench_result *one, const struct bench_result *sum)
{
    static const char *const limits[] = {"errors==0", "lost==0", "unanswered==0", "misrouted==0",
                                         "moved==0"};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        FUZZ_CHECK(holds(limits[i], one) || !holds(limits[i], sum));
    }
    FUZZ_CHECK(holds("max>=0ns", sum) == (sum->latency.count > 0));
    check_histogram(&sum->latency);
}

static void check_merged(struct bench_result *one, const void *bytes, size_t size)
{
    struct bench_result *sum = read_bytes(bytes, size);
    struct bench_comparison comparison;
    FUZZ_CHECK(sum != NULL);
    bench_compare_results(one, sum, COMPARE_METRICS, 0, &comparison);
    FUZZ_CHECK(comparison.worse == 0);
    bench_compare_print_text(nowhere, &comparison);
    cJSON *object = bench_compare_to_json(&comparison);
    FUZZ_CHECK(cJSON_IsObject(object));
    cJSON_Delete(object);
    bench_merge(sum, one);
    check_sum(one, sum);
    drop(sum);
}

static void begin(void)
{
    nowhere = fopen("/dev/null", "w");
    FUZZ_CHECK(nowhere != NULL);
    struct bench_result *empty = mem_new(struct bench_result);
    char *page = fuzz_printed(print_html, empty);
    page_tags = count_char(page, '<');
    free(page);
    drop(empty);
}

/* Ends of lines at which the bytes can be read as two files with the same sum. */
static void check_split(const struct bench_result *whole, const char *bytes, size_t size)
{
    const char *end = memmem(bytes, size, "\n{", 2);
    size_t len = end != NULL ? (size_t)(end + 1 - bytes) : 0;
    struct bench_result *first = len > 0 ? read_bytes(bytes, len) : NULL;
    struct bench_result *rest = first != NULL ? read_bytes(bytes + len, size - len) : NULL;
    if (rest != NULL) {
        bench_merge(first, rest);
        FUZZ_CHECK(first->answered == whole->answered && first->lost == whole->lost &&
                   bench_errors(first) == bench_errors(whole) &&
                   first->latency.count == whole->latency.count);
        drop(rest);
    }
    if (first != NULL) {
        drop(first);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (page_tags == 0) {
        begin();
    }
    struct bench_result *result = read_bytes(data, size);
    if (result == NULL) {
        return 0;
    }
    check_histogram(&result->latency);
    check_histogram(&result->lateness);
    check_histogram(&result->opening);
    check_written(result);
    check_shown(result);
    check_split(result, (const char *)data, size);
    check_merged(result, data, size);
    drop(result);
    return 0;
}

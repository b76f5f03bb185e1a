#include "bench/compare.h"

#include "bench/threshold.h"
#include "cli/terminal.h"

#include <cJSON.h>
#include <inttypes.h>
#include <string.h>

#define LABEL_BYTES 48

/* ---- which decide ---------------------------------------------------------------------------- */

/* The name at `*at`, without the blanks around it; moves on to the comma or the end behind it.
 * Returns its length. */
static size_t take_name(const char **at, const char **ret_name)
{
    *ret_name = *at + strspn(*at, " ");
    size_t len = strcspn(*ret_name, ",");
    *at = *ret_name + len;
    while (len > 0 && (*ret_name)[len - 1] == ' ') {
        len--;
    }
    return len;
}

static bool names(const char *metrics, const char *name)
{
    const char *one;
    do {
        size_t len = take_name(&metrics, &one);
        if (len == strlen(name) && strncmp(one, name, len) == 0) {
            return true;
        }
    } while (*metrics++ != '\0');
    return false;
}

int bench_compare_check_metrics(const char *metrics, char ret_unknown[static 32])
{
    const char *one;
    do {
        size_t len = take_name(&metrics, &one);
        bool is_cpu = len == 3 && strncmp(one, "cpu", 3) == 0;
        if (!is_cpu && bench_metric_find(one, len) == NULL) {
            text_escape(ret_unknown, 32, one, len);
            return 1;
        }
    } while (*metrics++ != '\0');
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void add_row(struct bench_comparison *comparison, struct bench_compare_row row,
                    bool more_is_better)
{
    row.ratio = row.before > 0 ? row.now / row.before : row.now > 0 ? 2 : 1;
    double tolerance = comparison->tolerance;
    bool is_new = row.before <= 0 && row.now > 0; /* no tolerance is wide enough for it */
    bool worse = more_is_better ? row.ratio < 1 - tolerance : row.ratio > 1 + tolerance || is_new;
    row.missing = row.missing && row.decides;
    row.worse = row.decides && worse && !row.missing;
    comparison->missing += row.missing;
    row.is_uncertain = row.unit[0] == 'u' && row.rests_on > 0 && row.rests_on < COMPARE_SAMPLES_MIN;
    comparison->worse += row.worse;
    if (comparison->row_count < COMPARE_ROWS) {
        comparison->rows[comparison->row_count++] = row;
    }
}

static uint64_t beyond(const struct histogram *latency, double quantile)
{
    double left = (double)latency->count * (1 - quantile);
    return left > 1 ? (uint64_t)(left + 0.5) : 1;
}

/* A count of nothing that could not be seen is no figure. Where neither has one, it is a matter of
 * who asked for it by name. */
static void mark_blind(const struct bench_metric *metric, const struct bench_result *before,
                       const struct bench_result *now, bool by_name, struct bench_compare_row *row)
{
    row->before_is_blind = bench_metric_is_blind(metric, before);
    row->now_is_blind = bench_metric_is_blind(metric, now);
    row->missing = row->before_is_blind || row->now_is_blind;
    if (row->before_is_blind && row->now_is_blind && !by_name) {
        row->decides = false;
    }
}

static void add_metric(const struct bench_metric *metric, const struct bench_result *before,
                       const struct bench_result *now, const char *metrics,
                       struct bench_comparison *comparison)
{
    static const char *const units[] = {"us", "/s", ""};
    double scale = metric->unit == BENCH_NANOSECONDS ? 1e3 : 1;
    struct bench_compare_row row = {
        .unit = units[metric->unit],
        .before = bench_metric_value(metric, before) / scale,
        .now = bench_metric_value(metric, now) / scale,
        .decides = names(metrics, metric->name),
    };
    mark_blind(metric, before, now, strcmp(metrics, COMPARE_METRICS) != 0, &row);
    snprintf(row.name, sizeof(row.name), "%s", metric->name);
    bool both = before->latency.count > 0 && now->latency.count > 0;
    if (metric->quantile > 0 && both) {
        uint64_t first = beyond(&before->latency, metric->quantile);
        uint64_t second = beyond(&now->latency, metric->quantile);
        row.rests_on = first < second ? first : second;
    }
    if (metric->unit == BENCH_NANOSECONDS) {
        row.before_is_blind = before->latency.count == 0;
        row.now_is_blind = now->latency.count == 0;
        row.missing = !both;
    } else if (metric->unit == BENCH_PER_SECOND) {
        row.missing = row.before <= 0; /* nothing to be worse than */
    }
    add_row(comparison, row, metric->unit == BENCH_PER_SECOND);
}

static double us_per_message(double cpu_seconds, const struct bench_result *result)
{
    return result->answered > 0 ? cpu_seconds * 1e6 / (double)result->answered : 0;
}

static bool is_same_load(const struct bench_setup *a, const struct bench_setup *b)
{
    return a->connections == b->connections && a->streams == b->streams && a->rate == b->rate &&
           bench_is_alike(a, b);
}

static bool has_cost(const struct bench_result *result, size_t number)
{
    return number < result->setup.pid_count && result->answered > 0 && !result->costs[number].ended;
}

/* A row for each process of both. One that only one of them has, or none although it was asked for
 * by name, is missing. */
static void add_costs(const struct bench_result *before, const struct bench_result *now,
                      const char *metrics, struct bench_comparison *ret)
{
    size_t first = before->setup.pid_count;
    size_t second = now->setup.pid_count;
    size_t wanted = strcmp(metrics, COMPARE_METRICS) == 0 ? 0 : 1;
    size_t most = first > second ? first : second;
    for (size_t i = 0; i < (most > 0 ? most : wanted); i++) {
        bool first_has = has_cost(before, i);
        bool second_has = has_cost(now, i);
        struct bench_compare_row row = {
            .name = "cpu",
            .unit = "us/message",
            .before = first_has ? us_per_message(before->costs[i].cpu_seconds, before) : 0,
            .now = second_has ? us_per_message(now->costs[i].cpu_seconds, now) : 0,
            .before_is_blind = !first_has,
            .now_is_blind = !second_has,
            .decides = names(metrics, "cpu"),
            .missing = !first_has || !second_has,
        };
        if (row.decides || !row.missing) {
            add_row(ret, row, false);
        }
    }
}

void bench_compare_results(const struct bench_result *before, const struct bench_result *now,
                           const char *metrics, double tolerance, struct bench_comparison *ret)
{
    *ret = (struct bench_comparison){
        .tolerance = tolerance,
        .other_load = !is_same_load(&before->setup, &now->setup),
    };
    const struct bench_metric *metric;
    for (size_t i = 0; (metric = bench_metric(i)) != NULL; i++) {
        add_metric(metric, before, now, metrics, ret);
    }
    add_costs(before, now, metrics, ret);
}

/* ---- printing -------------------------------------------------------------------------------- */

static void row_label(const struct bench_compare_row *row, char out[static LABEL_BYTES])
{
    if (strcmp(row->name, "rate") == 0) {
        snprintf(out, LABEL_BYTES, "messages/s");
    } else if (strcmp(row->name, "cpu") == 0) {
        snprintf(out, LABEL_BYTES, "process us per message");
    } else {
        bool is_latency = strcmp(row->unit, "us") == 0;
        snprintf(out, LABEL_BYTES, "%s%s%s", is_latency ? "latency " : "", row->name,
                 is_latency ? " us" : "");
    }
}

const char *bench_compare_figure(const struct bench_compare_row *row, double value, bool is_blind,
                                 char out[static COMPARE_FIGURE_BYTES])
{
    if (is_blind) {
        return row->unit[0] == '\0' ? "not checked" : "-";
    }
    snprintf(out, COMPARE_FIGURE_BYTES, "%.2f", value);
    return out;
}

const char *bench_compare_row_word(const struct bench_compare_row *row)
{
    return !row->decides ? "not judged" : row->missing ? "missing" : row->worse ? "worse" : "ok";
}

static void print_row(FILE *out, const struct bench_compare_row *row, double tolerance)
{
    char label[LABEL_BYTES];
    char limit[16] = "-";
    char figures[3][COMPARE_FIGURE_BYTES];
    bool is_blind = row->before_is_blind || row->now_is_blind;
    row_label(row, label);
    if (row->decides) {
        text_format_percent(limit, sizeof(limit), tolerance);
    }
    fprintf(out, "%-24s %14s %14s %8s %9s  %s", label,
            bench_compare_figure(row, row->before, row->before_is_blind, figures[0]),
            bench_compare_figure(row, row->now, row->now_is_blind, figures[1]),
            is_blind ? "-" : bench_compare_figure(row, row->ratio, false, figures[2]), limit,
            bench_compare_row_word(row));
    if (row->is_uncertain) {
        fprintf(out, ", uncertain: rests on %" PRIu64 " message%s", row->rests_on,
                row->rests_on == 1 ? "" : "s");
    }
    fputc('\n', out);
}

enum shown { WORSE, MISSING, DECIDING };

static void print_names(FILE *out, const struct bench_comparison *comparison, enum shown shown)
{
    const char *joint = "";
    for (size_t i = 0; i < comparison->row_count; i++) {
        const struct bench_compare_row *row = &comparison->rows[i];
        if (shown == WORSE ? row->worse : shown == MISSING ? row->missing : row->decides) {
            fprintf(out, "%s%s", joint, row->name);
            joint = ", ";
        }
    }
    fputc('\n', out);
}

static void print_verdict(FILE *out, const struct bench_comparison *comparison)
{
    char percent[16];
    text_format_percent(percent, sizeof(percent), comparison->tolerance);
    if (comparison->missing > 0) {
        fprintf(out, "%s Not compared, since one of the two has no figures of it: ",
                cli_mark(CLI_MARK_WARN));
        print_names(out, comparison, MISSING);
    }
    if (comparison->worse > 0) {
        fprintf(out, "%s Worse by more than %s: ", cli_mark(CLI_MARK_BAD), percent);
        print_names(out, comparison, WORSE);
    } else if (comparison->missing == 0) {
        fprintf(out, "%s Within %s: ", cli_mark(CLI_MARK_GOOD), percent);
        print_names(out, comparison, DECIDING);
    }
}

void bench_compare_print_text(FILE *out, const struct bench_comparison *comparison)
{
    fprintf(out, "%-24s %14s %14s %8s %9s\n", "", "before", "now", "ratio", "tolerance");
    for (size_t i = 0; i < comparison->row_count; i++) {
        print_row(out, &comparison->rows[i], comparison->tolerance);
    }
    if (comparison->other_load) {
        fprintf(out,
                "%s The two were not loaded alike (method, versions, connections, streams, rate, "
                "size or TLS)\n",
                cli_mark(CLI_MARK_WARN));
    }
    print_verdict(out, comparison);
}

static void add_figure(cJSON *object, const char *name, double value, bool is_blind)
{
    cJSON_AddItemToObject(object, name, is_blind ? cJSON_CreateNull() : cJSON_CreateNumber(value));
}

static cJSON *json_row(const struct bench_compare_row *row)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "metric", row->name);
    cJSON_AddStringToObject(object, "unit", row->unit);
    add_figure(object, "before", row->before, row->before_is_blind);
    add_figure(object, "now", row->now, row->now_is_blind);
    add_figure(object, "ratio", row->ratio, row->before_is_blind || row->now_is_blind);
    cJSON_AddBoolToObject(object, "judged", row->decides);
    cJSON_AddBoolToObject(object, "worse", row->worse);
    cJSON_AddBoolToObject(object, "missing", row->missing);
    if (row->rests_on > 0) {
        cJSON_AddNumberToObject(object, "rests_on_messages", (double)row->rests_on);
        cJSON_AddBoolToObject(object, "uncertain", row->is_uncertain);
    }
    return object;
}

void bench_compare_add_json(cJSON *object, const struct bench_comparison *comparison)
{
    cJSON_AddNumberToObject(object, "tolerance", comparison->tolerance);
    cJSON_AddBoolToObject(object, "same_load", !comparison->other_load);
    cJSON *rows = cJSON_AddArrayToObject(object, "metrics");
    for (size_t i = 0; i < comparison->row_count; i++) {
        cJSON_AddItemToArray(rows, json_row(&comparison->rows[i]));
    }
}

cJSON *bench_compare_to_json(const struct bench_comparison *comparison)
{
    cJSON *object = cJSON_CreateObject();
    bench_compare_add_json(object, comparison);
    return object;
}

/* Prometheus' text exposition, written line by line. */
#include "base/metrics.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES  ((size_t)16 * 1024 * 1024)
#define VALUE_MAX_BYTES 256 /* of a label's value */

static const uint64_t DEFAULT_BOUNDS_NS[] = {
    100000,   250000,   500000,    1000000,   2500000,    5000000,
    10000000, 50000000, 100000000, 500000000, 1000000000, UINT64_C(10000000000),
};

static void put_bytes(struct metrics *metrics, const char *bytes, size_t len)
{
    if (buf_append(&metrics->text, bytes, len, TEXT_MAX_BYTES) != 0) {
        metrics->incomplete = true;
    }
}

static void put(struct metrics *metrics, const char *text)
{
    put_bytes(metrics, text, strlen(text));
}

/* A number that reads back the same: 0.1 and not 0.10000000000000001, but every digit where they
 * count, as in the seconds since 1970. */
static void put_number(struct metrics *metrics, double value)
{
    char number[32];
    snprintf(number, sizeof(number), "%.15g", value);
    if (strtod(number, NULL) != value) {
        snprintf(number, sizeof(number), "%.17g", value);
    }
    put(metrics, number);
}

void metrics_begin(struct metrics *metrics, const char *name, enum metrics_type type,
                   const char *help)
{
    static const char *const TYPES[] = {"counter", "gauge", "histogram"};
    put(metrics, "# HELP ");
    put(metrics, name);
    put(metrics, " ");
    put(metrics, help);
    put(metrics, "\n# TYPE ");
    put(metrics, name);
    put(metrics, " ");
    put(metrics, TYPES[type]);
    put(metrics, "\n");
}

static void put_label_value(struct metrics *metrics, const char *value)
{
    char escaped[4 * VALUE_MAX_BYTES + 1];
    size_t len = strlen(value);
    if (len > VALUE_MAX_BYTES || !text_is_utf8(value, len)) {
        /* Prometheus rejects a whole page for one byte that is not UTF-8. */
        text_escape(escaped, sizeof(escaped), value, len);
        value = escaped;
    }
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            put(metrics, "\\n");
            continue;
        }
        if (*value == '\\' || *value == '"') {
            put(metrics, "\\");
        }
        put_bytes(metrics, value, 1);
    }
}

/* Writes `name suffix{labels,le="bound"} value`; `bound` NULL leaves `le` out. */
static void put_sample(struct metrics *metrics, const char *name, const char *suffix,
                       const struct metrics_label *labels, const char *bound, double value)
{
    const char *before = "{";
    put(metrics, name);
    put(metrics, suffix);
    for (; labels != NULL && labels->name != NULL; labels++) {
        put(metrics, before);
        put(metrics, labels->name);
        put(metrics, "=\"");
        put_label_value(metrics, labels->value != NULL ? labels->value : "");
        put(metrics, "\"");
        before = ",";
    }
    if (bound != NULL) {
        put(metrics, before);
        put(metrics, "le=\"");
        put(metrics, bound);
        put(metrics, "\"");
        before = ",";
    }
    put(metrics, *before == ',' ? "} " : " ");
    put_number(metrics, value);
    put(metrics, "\n");
}

void metrics_sample(struct metrics *metrics, const char *name, const struct metrics_label *labels,
                    double value)
{
    put_sample(metrics, name, "", labels, NULL, value);
}

void metrics_histogram(struct metrics *metrics, const char *name,
                       const struct metrics_label *labels, const struct histogram *histogram,
                       const uint64_t *bounds_ns, size_t bound_count)
{
    if (bounds_ns == NULL) {
        bounds_ns = DEFAULT_BOUNDS_NS;
        bound_count = sizeof(DEFAULT_BOUNDS_NS) / sizeof(DEFAULT_BOUNDS_NS[0]);
    }
    for (size_t i = 0; i < bound_count; i++) {
        char bound[32];
        snprintf(bound, sizeof(bound), "%.9g", (double)bounds_ns[i] / 1e9);
        put_sample(metrics, name, "_bucket", labels, bound,
                   (double)histogram_count_up_to(histogram, bounds_ns[i]));
    }
    put_sample(metrics, name, "_bucket", labels, "+Inf", (double)histogram->count);
    put_sample(metrics, name, "_sum", labels, NULL, (double)histogram->sum_ns / 1e9);
    put_sample(metrics, name, "_count", labels, NULL, (double)histogram->count);
}

/* Prometheus' text exposition and OpenMetrics, written line by line. */
#include "base/metrics.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX_BYTES  ((size_t)16 * 1024 * 1024)
#define VALUE_MAX_BYTES 256 /* of a label's value */
#define BOUND_BYTES     32

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

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* "# WORD name text" */
static void put_comment(struct metrics *metrics, const char *word, const char *name, size_t len,
                        const char *text)
{
    put(metrics, "# ");
    put(metrics, word);
    put(metrics, " ");
    put_bytes(metrics, name, len);
    put(metrics, " ");
    put(metrics, text);
    put(metrics, "\n");
}

void metrics_begin(struct metrics *metrics, const char *name, enum metrics_type type,
                   const char *help)
{
    static const char *const TYPES[] = {"counter", "gauge", "histogram"};
    static const char *const UNITS[] = {"seconds", "bytes"};
    size_t len = strlen(name);
    if (metrics->open && type == METRICS_COUNTER && ends_with(name, len, "_total")) {
        len -= strlen("_total"); /* a counter is the name of its family and this */
    }
    put_comment(metrics, "HELP", name, len, help);
    put_comment(metrics, "TYPE", name, len, TYPES[type]);
    for (size_t i = 0; metrics->open && i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        if (ends_with(name, len, UNITS[i])) {
            put_comment(metrics, "UNIT", name, len, UNITS[i]);
        }
    }
}

void metrics_end(struct metrics *metrics)
{
    if (metrics->open) {
        put(metrics, "# EOF\n");
    }
}

/* Text that a parser accepts and a terminal shows as it is: UTF-8 without control characters (C0,
 * DEL, C1), for `curl` prints the page raw. A newline has an escape of its own. */
static bool is_plain(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)value[i];
        bool c1 = byte == 0xc2 && (unsigned char)value[i + 1] < 0xa0;
        if ((byte < 0x20 && byte != '\n') || byte == 0x7f || c1) {
            return false;
        }
    }
    return text_is_utf8(value, len);
}

static void put_label_value(struct metrics *metrics, const char *value)
{
    char escaped[4 * VALUE_MAX_BYTES + 1];
    size_t len = strlen(value);
    if (len > VALUE_MAX_BYTES || !is_plain(value, len)) {
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

/* "1.0" in both formats, so that a series does not depend on what was asked for. */
static void format_bound(char out[static BOUND_BYTES], double bound_s)
{
    snprintf(out, BOUND_BYTES, bound_s == (double)(uint64_t)bound_s ? "%.1f" : "%.9g", bound_s);
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
        char bound[BOUND_BYTES];
        format_bound(bound, (double)bounds_ns[i] / 1e9);
        put_sample(metrics, name, "_bucket", labels, bound,
                   (double)histogram_count_up_to(histogram, bounds_ns[i]));
    }
    put_sample(metrics, name, "_bucket", labels, "+Inf", (double)histogram->count);
    put_sample(metrics, name, "_sum", labels, NULL, (double)histogram->sum_ns / 1e9);
    put_sample(metrics, name, "_count", labels, NULL, (double)histogram->count);
}

void metrics_counted(struct metrics *metrics, const char *name, const struct metrics_label *labels,
                     const struct metrics_counts *counts)
{
    uint64_t passed = 0;
    for (size_t i = 0; i < counts->bound_count; i++) {
        char bound[BOUND_BYTES];
        format_bound(bound, counts->bounds_s[i]);
        passed += counts->counts[i];
        put_sample(metrics, name, "_bucket", labels, bound, (double)passed);
    }
    passed += counts->counts[counts->bound_count];
    put_sample(metrics, name, "_bucket", labels, "+Inf", (double)passed);
    put_sample(metrics, name, "_sum", labels, NULL, counts->sum_s);
    put_sample(metrics, name, "_count", labels, NULL, (double)passed);
}

/* ---- which format ---------------------------------------------------------------------------- */

/* The value of ";name=" in the parameters of a media range, or NULL. */
static const char *find_parameter(const char *range, const char *end, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = memchr(range, ';', (size_t)(end - range)); at != NULL;
         at = memchr(at, ';', (size_t)(end - at))) {
        do {
            at++;
        } while (at < end && *at == ' ');
        if ((size_t)(end - at) > len && strncasecmp(at, name, len) == 0 && at[len] == '=') {
            return at + len + 1;
        }
    }
    return NULL;
}

static double quality(const char *range, const char *end)
{
    const char *q = find_parameter(range, end, "q");
    return q != NULL ? strtod(q, NULL) : 1;
}

static bool is_type(const char *range, const char *end, const char *type)
{
    size_t len = strlen(type);
    return (size_t)(end - range) >= len && strncasecmp(range, type, len) == 0 &&
           (range + len == end || strchr("; \t", range[len]) != NULL);
}

/* RFC 9110 section 12.5.1, for the two types there are. */
bool metrics_wants_open(const char *accept)
{
    double open = 0;
    double text = 0;
    while (accept != NULL && *accept != '\0') {
        accept += strspn(accept, ", \t");
        const char *end = accept + strcspn(accept, ",");
        const char *version = find_parameter(accept, end, "version");
        double q = quality(accept, end);
        if (is_type(accept, end, "application/openmetrics-text")) {
            bool known = version == NULL || strncmp(version, "1.0.", 4) == 0;
            open = known && q > open ? q : open;
        } else if (is_type(accept, end, "text/plain") || is_type(accept, end, "*/*") ||
                   is_type(accept, end, "text/*")) {
            text = q > text ? q : text;
        }
        accept = end;
    }
    return open > 0 && open >= text;
}

const char *metrics_content_type(const struct metrics *metrics)
{
    return metrics->open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                         : "text/plain; version=0.0.4; charset=utf-8";
}

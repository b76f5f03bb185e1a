/* Reads contracts. */
#include "limits/contract.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/suggest.h"
#include "limits/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES  200
#define SHOWN_BYTES 64
#define VALUE_MAX   24 /* letters of a value */
#define BLANKS      " \t\r"

/* The line that is being read, and where its complaint goes. */
struct line {
    const char *path;
    unsigned number;
    char text[LINE_BYTES]; /* without comment and blanks around it */
    char *reason;          /* LIMITS_REASON_BYTES */
};

/* `cause`: what is wrong, and what to write instead. Returns 1. */
__attribute__((format(printf, 2, 3))) static int refuse(const struct line *line, const char *cause,
                                                        ...)
{
    char path[128];
    va_list arguments;
    text_escape(path, sizeof(path), line->path, strlen(line->path));
    int len = snprintf(line->reason, LIMITS_REASON_BYTES, "%s:%u: ", path, line->number);
    va_start(arguments, cause);
    vsnprintf(line->reason + len, LIMITS_REASON_BYTES - (size_t)len, cause, arguments);
    va_end(arguments);
    return 1;
}

static const char *shown(const char *text, size_t len, char out[static SHOWN_BYTES])
{
    text_escape(out, SHOWN_BYTES, text, len);
    return out;
}

/* ---- one promise ----------------------------------------------------------------------------- */

static const char *operator_of(enum limits_shape shape)
{
    return limits_shape_kind(shape) == LIMITS_FACT ? "="
           : limits_less_is_better(shape)          ? "<="
                                                   : ">=";
}

/* How such a line looks. */
static const char *example_of(enum limits_shape shape, char out[static SHOWN_BYTES])
{
    static const char *const values[] = {
        [LIMITS_DURATION] = "10m",
        [LIMITS_BYTES] = "64KiB",
        [LIMITS_COUNT] = "100",
        [LIMITS_FACT] = "yes",
    };
    snprintf(out, SHOWN_BYTES, "%s %s %s", limits_shape_name(shape), operator_of(shape),
             shape == LIMITS_PING_INTERVAL ? "10s" : values[limits_shape_kind(shape)]);
    return out;
}

static int find_shape(const struct line *line, size_t name_len, enum limits_shape *ret)
{
    char name[SHOWN_BYTES];
    *ret = limits_shape_find(line->text, name_len);
    if (*ret != LIMITS_SHAPES) {
        return 0;
    }
    shown(line->text, name_len, name);
    struct cli_suggestion suggestion = {.typed = name};
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        cli_suggest(&suggestion, limits_shape_name(i));
    }
    return suggestion.best != NULL
               ? refuse(line, "nothing is called \"%s\"; did you mean %s?", name, suggestion.best)
               : refuse(line,
                        "nothing is called \"%s\"; expected NAME >= VALUE with a name of grpcroute "
                        "limits, such as idle >= 10m",
                        name);
}

static int read_value(const struct line *line, const char *text, struct limits_promise *promise)
{
    char value[SHOWN_BYTES];
    char example[SHOWN_BYTES];
    const char *reason = NULL;
    int rv = 0;
    shown(text, strlen(text), value);
    example_of(promise->shape, example);
    if (strlen(text) > VALUE_MAX) {
        return refuse(line, "\"%s\" is too long; write %s", value, example);
    }
    switch (limits_shape_kind(promise->shape)) {
    case LIMITS_DURATION:
        rv = text_parse_duration(text, &promise->value, &reason);
        break;
    case LIMITS_BYTES:
        rv = text_parse_size(text, &promise->value, &reason);
        break;
    case LIMITS_COUNT:
        rv = text_parse_u64(text, 1, INT64_MAX, &promise->value, &reason);
        reason = "a whole number above 0";
        break;
    case LIMITS_FACT:
        promise->value = 1;
        return strcmp(text, "yes") == 0
                   ? 0
                   : refuse(line,
                            "\"%s\" is not yes: a contract says what is needed; write %s, or no "
                            "line of it",
                            value, example);
    }
    if (rv != 0) {
        return refuse(line, "\"%s\" is not %s; write %s", value, reason, example);
    }
    if (limits_shape_kind(promise->shape) == LIMITS_DURATION &&
        promise->value > LIMITS_WITHIN_MAX_NS) {
        return refuse(line, "\"%s\" is longer than the 24h that a run can look; write %s", value,
                      example);
    }
    return promise->value > 0
               ? 0
               : refuse(line, "\"%s\" promises nothing; write a value above 0, such as %s", value,
                        example);
}

/* Blanks around the operator may be missing. */
static int read_promise(const struct line *line, struct limits_promise *promise)
{
    char example[SHOWN_BYTES];
    char typed[SHOWN_BYTES];
    size_t name_len = strcspn(line->text, "<>=" BLANKS);
    const char *sign = line->text + name_len + strspn(line->text + name_len, BLANKS);
    size_t sign_len = strspn(sign, "<>=");
    const char *value = sign + sign_len + strspn(sign + sign_len, BLANKS);
    if (find_shape(line, name_len, &promise->shape) != 0) {
        return 1;
    }
    const char *wanted = operator_of(promise->shape);
    example_of(promise->shape, example);
    if (sign_len == 0 || *value == '\0') {
        return refuse(line, "%s is missing; write %s", sign_len == 0 ? wanted : "the value",
                      example);
    }
    if (strlen(wanted) != sign_len || memcmp(wanted, sign, sign_len) != 0) {
        return refuse(line, "%s takes %s, not %s; write %s", limits_shape_name(promise->shape),
                      wanted, shown(sign, sign_len, typed), example);
    }
    promise->line = line->number;
    if (read_value(line, value, promise) != 0) {
        return 1;
    }
    snprintf(promise->text, sizeof(promise->text), "%s %s %s", limits_shape_name(promise->shape),
             wanted, value);
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* A NUL is none: the end of BLANKS is no part of it. */
static bool is_blank(char c)
{
    return c != '\0' && strchr(BLANKS, c) != NULL;
}

/* Takes the line at `text` without its comment. */
static int take_line(struct line *line, const char *text, size_t len)
{
    const char *comment = memchr(text, '#', len);
    len = comment != NULL ? (size_t)(comment - text) : len;
    while (len > 0 && is_blank(text[len - 1])) {
        len--;
    }
    while (len > 0 && is_blank(*text)) {
        text++;
        len--;
    }
    if (len >= LINE_BYTES) {
        return refuse(line, "is longer than %d bytes; write one promise, such as idle >= 10m",
                      LINE_BYTES - 1);
    }
    text_escape(line->text, sizeof(line->text), text, len);
    return 0;
}

static int add_promise(const struct line *line, struct limits_contract *contract)
{
    struct limits_promise promise = {0};
    if (read_promise(line, &promise) != 0) {
        return 1;
    }
    for (size_t i = 0; i < contract->count; i++) {
        if (contract->promises[i].shape == promise.shape) {
            return refuse(line, "%s stands in line %u already; leave one of the two",
                          limits_shape_name(promise.shape), contract->promises[i].line);
        }
    }
    contract->promises[contract->count++] = promise;
    return 0;
}

int limits_contract_parse(const char *path, const char *text, size_t len,
                          struct limits_contract *ret, char reason[static LIMITS_REASON_BYTES])
{
    struct line line = {.path = path, .reason = reason};
    *ret = (struct limits_contract){.path = path};
    const char *end = text + len;
    for (const char *at = text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline != NULL ? newline + 1 : end;
        line.number++;
        if (take_line(&line, at, (size_t)((newline != NULL ? newline : end) - at)) != 0 ||
            (line.text[0] != '\0' && add_promise(&line, ret) != 0)) {
            return EXIT_USAGE;
        }
        at = next;
    }
    if (ret->count == 0) {
        char shown_path[128];
        text_escape(shown_path, sizeof(shown_path), path, strlen(path));
        snprintf(reason, LIMITS_REASON_BYTES,
                 "%s: holds no promise; write one a line, such as idle >= 10m", shown_path);
        return EXIT_USAGE;
    }
    return 0;
}

uint64_t limits_contract_within_ns(const struct limits_contract *contract)
{
    uint64_t most = 0;
    for (size_t i = 0; i < contract->count; i++) {
        const struct limits_promise *promise = &contract->promises[i];
        if (limits_shape_kind(promise->shape) == LIMITS_DURATION &&
            !limits_less_is_better(promise->shape) && promise->value > most) {
            most = promise->value;
        }
    }
    return most;
}

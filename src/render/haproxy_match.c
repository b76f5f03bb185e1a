/* Matches as conditions of HAProxy, and those that it has no words for. */
#include "render/haproxy_match.h"

#include "base/mem.h"
#include "render/text.h"
#include "route/regex.h"

#include <stdlib.h>
#include <string.h>

/* Conditions of a line in full; more are named before, since a line has at most 64 words. */
#define INLINE_HEADERS 6

/* ---- conditions ------------------------------------------------------------------------------ */

static void put_condition(FILE *out, const char *sample, const char *method, const char *text)
{
    fprintf(out, "%s -m %s ", sample, method);
    fputs(text[0] == '-' ? "-- " : "", out); /* else a flag */
    put_haproxy(out, text);
}

/* Expressions are PCRE2 as ours, but not anchored. */
static void put_whole(FILE *out, const char *sample, const char *expression)
{
    size_t len = strlen(expression) + sizeof("^(?:)$");
    char *whole = mem_calloc(1, len);
    snprintf(whole, len, "^(?:%s)$", expression);
    put_condition(out, sample, "reg", whole);
    free(whole);
}

static void put_path(FILE *out, const struct route_match *match)
{
    char *text;
    enum path_kind kind = path_of(match, &text);
    fputs(kind != PATH_ANY ? " { " : "", out);
    switch (kind) {
    case PATH_ANY:
        break;
    case PATH_EXACT:
        put_condition(out, "path", "str", text);
        break;
    case PATH_PREFIX:
        put_condition(out, "path", "beg", text);
        break;
    case PATH_REGEX:
        put_whole(out, "path", text);
        break;
    }
    fputs(kind != PATH_ANY ? " }" : "", out);
    free(text);
}

static void put_header(FILE *out, const struct route_header_match *header)
{
    char sample[ROUTE_VALUE_MAX];
    snprintf(sample, sizeof(sample), "req.fhdr(%s)", header->name);
    if (header->pattern.regex != NULL) {
        put_whole(out, sample, header->pattern.value);
    } else {
        put_condition(out, sample, "str", header->pattern.value);
    }
}

static bool has_names(const struct route_match *match)
{
    return match != NULL && match->header_count > INLINE_HEADERS;
}

/* A name for each condition of the `index`-th match, where it has many. */
void haproxy_put_names(FILE *out, const struct route_match *match, size_t index)
{
    for (size_t i = 0; has_names(match) && i < match->header_count; i++) {
        fprintf(out, "    acl match-%zu-%zu ", index + 1, i + 1);
        put_header(out, &match->headers[i]);
        fputc('\n', out);
    }
}

void haproxy_put_match(FILE *out, const struct route_match *match, size_t index)
{
    put_path(out, match);
    for (size_t i = 0; match != NULL && i < match->header_count; i++) {
        if (has_names(match)) {
            fprintf(out, " match-%zu-%zu", index + 1, i + 1);
        } else {
            fputs(" { ", out);
            put_header(out, &match->headers[i]);
            fputs(" }", out);
        }
    }
}

/* ---- what cannot be said --------------------------------------------------------------------- */

/* HAProxy compiles expressions without capture groups but named ones. */
static bool is_sayable_expression(const char *expression)
{
    struct route_regex_facts with = route_regex_wrapped(expression, true);
    struct route_regex_facts without = route_regex_wrapped(expression, false);
    bool refers = with.back_references > 0 || strstr(expression, "(?(") != NULL;
    for (const char *at = strstr(expression, "(?"); at != NULL; at = strstr(at + 1, "(?")) {
        refers = refers || strchr("0123456789+R", at[2]) != NULL ||
                 (at[2] == '-' && at[3] >= '0' && at[3] <= '9');
    }
    return with.compiles && without.compiles && (with.groups == without.groups || !refers);
}

static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static int check_pattern(const struct route_pattern *pattern,
                         char reason[static RENDER_REASON_BYTES])
{
    const char *text = pattern->value;
    if (text == NULL) {
        return 0;
    }
    if (!is_one_line(text)) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "HAProxy's configuration cannot say a value with control characters");
        return 1;
    }
    if (pattern->regex != NULL && !is_sayable_expression(text)) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "HAProxy's expressions (PCRE2 without numbered groups, anchored by render) cannot "
                 "say \"%.100s\"",
                 text);
        return 1;
    }
    return 0;
}

/* It stands within an expression, where a quote would open a text and a number sign a comment. */
static int check_name(const char *name, char reason[static RENDER_REASON_BYTES])
{
    if (strpbrk(name, "'#") != NULL) {
        snprintf(reason, RENDER_REASON_BYTES,
                 "HAProxy's expressions cannot say the header \"%.100s\"", name);
        return 1;
    }
    return 0;
}

static int check_match(const struct route_match *match, char reason[static RENDER_REASON_BYTES])
{
    int rv = check_pattern(&match->service, reason) != 0 || check_pattern(&match->method, reason);
    for (size_t i = 0; i < match->header_count && rv == 0; i++) {
        rv = check_name(match->headers[i].name, reason) != 0 ||
             check_pattern(&match->headers[i].pattern, reason) != 0;
    }
    return rv;
}

int haproxy_check(const struct route_table *routes, char reason[static RENDER_REASON_BYTES])
{
    int rv = 0;
    for (size_t i = 0; i < routes->rule_count && rv == 0; i++) {
        const struct route_rule *rule = &routes->rules[i];
        for (size_t k = 0; k < rule->match_count && rv == 0; k++) {
            rv = check_match(&rule->matches[k], reason);
        }
    }
    return rv;
}

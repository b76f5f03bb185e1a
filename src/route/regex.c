#include "route/regex.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

struct route_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

struct route_regex *route_regex_new(const char *pattern, char *reason, size_t reason_bytes)
{
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                                         PCRE2_NEVER_BACKSLASH_C,
                                     &error, &offset, NULL);
    if (code == NULL) {
        PCRE2_UCHAR text[128];
        pcre2_get_error_message(error, text, sizeof(text));
        snprintf(reason, reason_bytes, "%s at offset %zu", (const char *)text, (size_t)offset);
        return NULL;
    }
    struct route_regex *regex = mem_new(struct route_regex);
    regex->code = code;
    regex->limits = pcre2_match_context_create(NULL);
    if (regex->limits == NULL) {
        abort(); /* no memory for a structure of fixed size */
    }
    pcre2_set_match_limit(regex->limits, ROUTE_REGEX_STEPS);
    pcre2_set_depth_limit(regex->limits, ROUTE_REGEX_STEPS);
    return regex;
}

void route_regex_free(struct route_regex *regex)
{
    if (regex != NULL) {
        pcre2_match_context_free(regex->limits);
        pcre2_code_free(regex->code);
        free(regex);
    }
}

bool route_regex_matches(const struct route_regex *regex, const char *value, size_t len)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (data == NULL) {
        return false;
    }
    int rv = pcre2_match(regex->code, (PCRE2_SPTR)value, len, 0, 0, data, regex->limits);
    pcre2_match_data_free(data);
    return rv >= 0;
}

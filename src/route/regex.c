#include "route/regex.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

/* The memory that a match works in, one per thread, so that a stream costs no allocation. */
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;

static void free_scratch(void *scratch)
{
    pcre2_match_data_free(scratch);
}

static void make_scratch_key(void)
{
    if (pthread_key_create(&scratch_key, free_scratch) != 0) {
        abort(); /* 1024 keys are there, and nobody else takes any */
    }
}

static pcre2_match_data *scratch(void)
{
    pthread_once(&scratch_once, make_scratch_key);
    pcre2_match_data *data = pthread_getspecific(scratch_key);
    if (data == NULL) {
        data = pcre2_match_data_create(1, NULL);
        if (data != NULL && pthread_setspecific(scratch_key, data) != 0) {
            pcre2_match_data_free(data);
            return NULL;
        }
    }
    return data;
}

static pcre2_match_context *new_limits(void)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (limits == NULL) {
        abort(); /* no memory for a structure of fixed size */
    }
    pcre2_set_match_limit(limits, ROUTE_REGEX_STEPS);
    pcre2_set_depth_limit(limits, ROUTE_REGEX_STEPS);
    pcre2_set_heap_limit(limits, ROUTE_REGEX_HEAP_KIB);
    return limits;
}

struct route_regex *route_regex_new(const char *pattern, char *reason, size_t reason_bytes)
{
    /* Header values are bytes: (*UTF) in a pattern would refuse some of them at match time. */
    const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &offset, NULL);
    if (code == NULL) {
        PCRE2_UCHAR text[128];
        pcre2_get_error_message(error, text, sizeof(text));
        snprintf(reason, reason_bytes, "%s at offset %zu", (const char *)text, (size_t)offset);
        return NULL;
    }
    struct route_regex *regex = mem_new(struct route_regex);
    regex->code = code;
    regex->limits = new_limits();
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

enum route_regex_answer route_regex_matches(const struct route_regex *regex, const char *value,
                                            size_t len)
{
    pcre2_match_data *data = scratch();
    if (data == NULL) {
        return ROUTE_REGEX_GAVE_UP;
    }
    int rv = pcre2_match(regex->code, (PCRE2_SPTR)value, len, 0, 0, data, regex->limits);
    return rv >= 0                     ? ROUTE_REGEX_YES
           : rv == PCRE2_ERROR_NOMATCH ? ROUTE_REGEX_NO
                                       : ROUTE_REGEX_GAVE_UP;
}

struct route_regex_facts route_regex_wrapped(const char *pattern, bool numbered)
{
    struct route_regex_facts facts = {0};
    size_t bytes = strlen(pattern) + sizeof("^(?:)$");
    char *whole = mem_calloc(1, bytes);
    snprintf(whole, bytes, "^(?:%s)$", pattern);
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)whole, PCRE2_ZERO_TERMINATED,
                                     numbered ? 0 : PCRE2_NO_AUTO_CAPTURE, &error, &offset, NULL);
    if (code != NULL) {
        facts.compiles = true;
        pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &facts.groups);
        pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &facts.names);
        pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &facts.back_references);
        pcre2_code_free(code);
    }
    free(whole);
    return facts;
}

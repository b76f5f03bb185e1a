/* Facts of what a server says: statuses and their messages, and metadata of any bytes each way. */
#include "base/mem.h"
#include "base/text.h"
#include "limits/fact_shape.h"

#include <stdio.h>
#include <string.h>

bool limits_fact_is_status(const struct limits_trial_seen *seen, enum rpc_code code)
{
    return seen->sample.end == LIMITS_END_TRAILERS && seen->status.code == code;
}

const char *limits_fact_came(const struct limits_trial_seen *seen)
{
    return seen->given_up                            ? "nothing"
           : seen->sample.end == LIMITS_END_TRAILERS ? rpc_code_name(seen->status.code)
                                                     : seen->sample.saw;
}

/* ---- statuses -------------------------------------------------------------------------------- */

/* Behind a response that had begun; it ends with the client's half-close. */
static void ask_status(size_t index, struct limits_trial_setup *setup)
{
    setup->script.headers_at_once = true;
    setup->script.status = (uint32_t)index;
    setup->half_closes = true;
}

static void look_at_status(size_t index, const struct limits_trial_seen *seen,
                           struct limits_cases *cases)
{
    limits_cases_add(cases, rpc_code_name((enum rpc_code)index), limits_fact_came(seen),
                     limits_fact_is_status(seen, (enum rpc_code)index));
}

const struct limits_fact_shape limits_fact_status = {LIMITS_CASES_STATUS, ask_status,
                                                     look_at_status};

static const enum rpc_code alone[LIMITS_CASES_TRAILERS_ONLY] = {
    RPC_OK, RPC_NOT_FOUND, RPC_UNAVAILABLE, RPC_UNAUTHENTICATED};

static void ask_trailers_only(size_t index, struct limits_trial_setup *setup)
{
    setup->script.trailers_only = true;
    setup->script.status = alone[index];
    setup->half_closes = true;
}

static void look_at_trailers_only(size_t index, const struct limits_trial_seen *seen,
                                  struct limits_cases *cases)
{
    bool right = limits_fact_is_status(seen, alone[index]);
    bool whole = seen->headers_ns == 0;
    limits_cases_add(cases, rpc_code_name(alone[index]),
                     right && !whole ? "headers and trailers" : limits_fact_came(seen),
                     right && whole);
}

const struct limits_fact_shape limits_fact_trailers_only = {
    LIMITS_CASES_TRAILERS_ONLY, ask_trailers_only, look_at_trailers_only};

static const struct {
    const char *what;
    const char *text;
} messages[LIMITS_CASES_MESSAGE] = {
    {"ASCII", "no such route: a/b?c=d"},
    {"UTF-8", "gr\xc3\xbc\xc3\x9f\xe2\x9c\x93 \xf0\x9f\x9a\xaa"},
    {"percent signs", "100% of %20 and %"},
    {"line breaks", "first line\nsecond\tline"},
    {"200 letters", "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
                    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
                    "llllllllllllllllllllllllllllllllllllllllllll"},
};

static void ask_message(size_t index, struct limits_trial_setup *setup)
{
    setup->script.headers_at_once = true;
    setup->script.status = RPC_FAILED_PRECONDITION;
    setup->script.status_message = messages[index].text;
    setup->half_closes = true;
}

static void look_at_message(size_t index, const struct limits_trial_seen *seen,
                            struct limits_cases *cases)
{
    char got[LIMITS_CASE_BYTES];
    bool code = limits_fact_is_status(seen, RPC_FAILED_PRECONDITION);
    const char *text = seen->status.message;
    text_escape(got, sizeof(got), text, strlen(text));
    limits_cases_add(cases, messages[index].what,
                     !code             ? limits_fact_came(seen)
                     : text[0] == '\0' ? "nothing"
                                       : got,
                     code && strcmp(text, messages[index].text) == 0);
}

const struct limits_fact_shape limits_fact_message = {LIMITS_CASES_MESSAGE, ask_message,
                                                      look_at_message};

/* ---- metadata of any bytes ------------------------------------------------------------------- */

enum { UP, WITH_HEADERS, WITH_TRAILERS };

#define BINARY(name_, bytes_)                                                                      \
    {                                                                                              \
        .name = (name_), .value = (const uint8_t *)(bytes_), .value_len = sizeof(bytes_) - 1       \
    }

static const struct rpc_probe_field binary[] = {
    BINARY("probe-one-bin", "\x00"),
    BINARY("probe-two-bin", "\xff\xfe"),
    BINARY("probe-some-bin", "\x00\x01\n\r\t ,;=%\x7f\x80\xbf\xc0\xfb\xff"),
    BINARY("probe-text-bin", "text, and more"),
};

static void ask_binary(size_t index, struct limits_trial_setup *setup)
{
    setup->script.headers_at_once = true;
    setup->half_closes = true;
    if (index == UP) {
        setup->binary = binary;
        setup->binary_count = ARRAY_SIZE(binary);
        setup->asking = LIMITS_ASK_UNTIL_ENDED;
    } else if (index == WITH_HEADERS) {
        memcpy(setup->script.headers, binary, sizeof(binary));
        setup->script.header_count = ARRAY_SIZE(binary);
    } else {
        memcpy(setup->script.trailers, binary, sizeof(binary));
        setup->script.trailer_count = ARRAY_SIZE(binary);
    }
}

static void look_at_binary(size_t index, const struct limits_trial_seen *seen,
                           struct limits_cases *cases)
{
    static const char *const names[] = {"request metadata", "response metadata", "trailers"};
    const size_t matched[] = {seen->binary_matched, seen->headers_matched, seen->trailers_matched};
    bool same = matched[index] == ARRAY_SIZE(binary);
    char got[LIMITS_CASE_BYTES];
    snprintf(got, sizeof(got), "%zu of %zu fields", matched[index], ARRAY_SIZE(binary));
    bool unseen = index == UP && !seen->seen_found;
    limits_cases_add(cases, names[index],
                     unseen ? "a stream that the server does not know"
                     : limits_fact_is_status(seen, RPC_OK) ? got
                                                           : limits_fact_came(seen),
                     same);
}

const struct limits_fact_shape limits_fact_binary = {LIMITS_CASES_BINARY, ask_binary,
                                                     look_at_binary};

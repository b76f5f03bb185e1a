#include "limits/shape_facts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "limits/facts.h"
#include "limits/lane.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 5000
/* A stream that is to be reset is there by then, on both sides. */
#define SETTLED_MS  250
#define DEADLINE_MS 500
/* A cancellation that did not arrive by then is lost; one before may be late. */
#define CANCEL_MS 6000

struct fact_shape {
    size_t count; /* of cases */
    void (*ask)(size_t index, struct limits_trial_setup *setup);
    void (*look)(size_t index, const struct limits_trial_seen *seen, struct limits_cases *cases);
};

struct state {
    size_t next;
    struct limits_cases cases;
};

static const struct fact_shape *shape_of(const struct limits_lane *lane)
{
    return lane->ops->what;
}

/* ---- statuses -------------------------------------------------------------------------------- */

#define STATUS_CODES 17

/* Behind a response that had begun; it ends with the client's half-close. */
static void ask_status(size_t index, struct limits_trial_setup *setup)
{
    setup->script.headers_at_once = true;
    setup->script.status = (uint32_t)index;
    setup->half_closes = true;
}

static bool is_status(const struct limits_trial_seen *seen, enum rpc_code code)
{
    return seen->sample.end == LIMITS_END_TRAILERS && seen->status.code == code;
}

/* What came instead of what was sent. */
static const char *came(const struct limits_trial_seen *seen)
{
    return seen->given_up                            ? "nothing"
           : seen->sample.end == LIMITS_END_TRAILERS ? rpc_code_name(seen->status.code)
                                                     : seen->sample.saw;
}

static void look_at_status(size_t index, const struct limits_trial_seen *seen,
                           struct limits_cases *cases)
{
    limits_cases_add(cases, rpc_code_name((enum rpc_code)index), came(seen),
                     is_status(seen, (enum rpc_code)index));
}

static const struct fact_shape status_shape = {STATUS_CODES, ask_status, look_at_status};

static const enum rpc_code alone[] = {RPC_OK, RPC_NOT_FOUND, RPC_UNAVAILABLE, RPC_UNAUTHENTICATED};

static void ask_trailers_only(size_t index, struct limits_trial_setup *setup)
{
    setup->script.trailers_only = true;
    setup->script.status = alone[index];
    setup->half_closes = true;
}

static void look_at_trailers_only(size_t index, const struct limits_trial_seen *seen,
                                  struct limits_cases *cases)
{
    bool right = is_status(seen, alone[index]);
    bool whole = seen->headers_ns == 0;
    limits_cases_add(cases, rpc_code_name(alone[index]),
                     right && !whole ? "headers and trailers" : came(seen), right && whole);
}

static const struct fact_shape trailers_only_shape = {ARRAY_SIZE(alone), ask_trailers_only,
                                                      look_at_trailers_only};

static const struct {
    const char *what;
    const char *text;
} messages[] = {
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
    bool code = is_status(seen, RPC_FAILED_PRECONDITION);
    const char *text = seen->status.message;
    text_escape(got, sizeof(got), text, strlen(text));
    limits_cases_add(cases, messages[index].what,
                     !code             ? came(seen)
                     : text[0] == '\0' ? "nothing"
                                       : got,
                     code && strcmp(text, messages[index].text) == 0);
}

static const struct fact_shape message_shape = {ARRAY_SIZE(messages), ask_message, look_at_message};

/* ---- metadata of any bytes ------------------------------------------------------------------- */

enum { UP, WITH_HEADERS, WITH_TRAILERS, BINARY_CASES };

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
                     unseen                    ? "a stream that the server does not know"
                     : is_status(seen, RPC_OK) ? got
                                               : came(seen),
                     same);
}

static const struct fact_shape binary__shape = {BINARY_CASES, ask_binary, look_at_binary};

/* ---- resets ---------------------------------------------------------------------------------- */

/* RFC 9113 section 7: NO_ERROR up to HTTP_1_1_REQUIRED. */
#define RESET_CODES 14

static void ask_reset(size_t index, struct limits_trial_setup *setup)
{
    setup->script.headers_at_once = true;
    setup->script.end_after_ms = SETTLED_MS;
    setup->script.has_reset = true;
    setup->script.reset = (uint32_t)index;
}

static void look_at_reset(size_t index, const struct limits_trial_seen *seen,
                          struct limits_cases *cases)
{
    bool reset = seen->sample.end == LIMITS_END_RESET;
    limits_cases_add(cases, h2_error_name((uint32_t)index),
                     reset ? h2_error_name(seen->sample.code) : came(seen),
                     reset && seen->sample.code == index);
}

static const struct fact_shape reset_shape = {RESET_CODES, ask_reset, look_at_reset};

/* What clients send: gRPC's own libraries these, by what their user did. */
static const uint32_t of_clients[] = {H2_CANCEL, H2_NO_ERROR, H2_INTERNAL_ERROR,
                                      H2_ENHANCE_YOUR_CALM};

static void ask_client_reset(size_t index, struct limits_trial_setup *setup)
{
    setup->script.headers_at_once = true;
    setup->resets = true;
    setup->reset = of_clients[index];
    setup->reset_ms = SETTLED_MS;
    setup->asking = LIMITS_ASK_UNTIL_ENDED;
}

/* How the server says that the stream ended, when it did not end it itself. */
static void describe_told(const struct limits_trial_seen *seen, char *out, size_t out_bytes)
{
    const struct limits_told *told = &seen->told;
    if (!told->found) {
        snprintf(out, out_bytes, "a stream that the server does not know");
    } else if (!told->ended) {
        snprintf(out, out_bytes, "nothing: the server's stream is still open");
    } else if (told->how == RPC_PROBE_RESET) {
        snprintf(out, out_bytes, "%s", h2_error_name(told->code));
    } else if (told->how == RPC_PROBE_CONNECTION_LOST) {
        snprintf(out, out_bytes, "the end of the server's connection");
    } else {
        snprintf(out, out_bytes, "%.*s", (int)out_bytes - 1, told->text);
    }
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* How much longer the stream was open at the server than until the reset here. */
static uint64_t lateness_ns(const struct limits_trial_seen *seen)
{
    return less(seen->seen_open_ms * NS_PER_MS, less(seen->reset_ns, seen->opened_ns));
}

static void look_at_client_reset(size_t index, const struct limits_trial_seen *seen,
                                 struct limits_cases *cases)
{
    char got[LIMITS_CASE_BYTES];
    describe_told(seen, got, sizeof(got));
    bool same = seen->told.ended && seen->told.how == RPC_PROBE_RESET &&
                seen->told.code == of_clients[index];
    limits_cases_add(cases, h2_error_name(of_clients[index]), got, same);
}

static const struct fact_shape client_reset_shape = {ARRAY_SIZE(of_clients), ask_client_reset,
                                                     look_at_client_reset};

static void ask_cancel(size_t index, struct limits_trial_setup *setup)
{
    (void)index;
    ask_client_reset(0, setup);
    setup->ask_settle_ms = CANCEL_MS;
}

/* With whatever code: what counts is that the server can stop to work for it. */
static void look_at_cancel(size_t index, const struct limits_trial_seen *seen,
                           struct limits_cases *cases)
{
    (void)index;
    char got[LIMITS_CASE_BYTES];
    describe_told(seen, got, sizeof(got));
    bool heard = seen->told.ended &&
                 (seen->told.how == RPC_PROBE_RESET || seen->told.how == RPC_PROBE_CONNECTION_LOST);
    char text[LIMITS_CASE_BYTES];
    snprintf(text, sizeof(text), "the server sees %.70s", got);
    limits_cases_add(cases, "CANCEL", text, heard);
    if (heard) {
        limits_cases_late(cases, lateness_ns(seen));
    }
}

static const struct fact_shape cancel_shape = {1, ask_cancel, look_at_cancel};

/* ---- a deadline ------------------------------------------------------------------------------ */

static void ask_deadline(size_t index, struct limits_trial_setup *setup)
{
    (void)index;
    setup->script.headers_at_once = true;
    setup->timeout_ns = DEADLINE_MS * NS_PER_MS;
    setup->asking = LIMITS_ASK_UNTIL_ENDED;
}

static void look_at_deadline(size_t index, const struct limits_trial_seen *seen,
                             struct limits_cases *cases)
{
    (void)index;
    const struct limits_told *told = &seen->told;
    char got[LIMITS_CASE_BYTES];
    bool server = told->found && told->ended && told->how == RPC_PROBE_DEADLINE;
    bool client = is_status(seen, RPC_DEADLINE_EXCEEDED);
    if (server && client) {
        snprintf(got, sizeof(got), "the server ends it, and the client hears DEADLINE_EXCEEDED");
    } else if (server) {
        snprintf(got, sizeof(got), "the server ends it, and the client hears %.50s", came(seen));
    } else if (!seen->given_up) {
        snprintf(got, sizeof(got), "the path ends it without the server: %.55s", came(seen));
    } else {
        snprintf(got, sizeof(got), "%s",
                 told->found ? "the server does not know of it"
                             : "the server does not know the stream");
    }
    limits_cases_add(cases, "grpc-timeout", got, server && client);
    if (server) {
        limits_cases_late(cases, less(seen->seen_open_ms, DEADLINE_MS) * NS_PER_MS);
    }
}

static const struct fact_shape deadline_shape = {1, ask_deadline, look_at_deadline};

/* ---- the lanes ------------------------------------------------------------------------------- */

static bool next(struct limits_lane *lane, struct limits_trial_setup *setup)
{
    const struct state *state = lane->state;
    const struct fact_shape *shape = shape_of(lane);
    if (state->next == shape->count) {
        return false;
    }
    setup->patience_ms = PATIENCE_MS;
    shape->ask(state->next, setup);
    return true;
}

static void told(struct limits_lane *lane, const struct limits_trial_seen *seen)
{
    struct state *state = lane->state;
    shape_of(lane)->look(state->next, seen, &state->cases);
    state->next++;
}

static void sum(const struct limits_lane *lane, struct limits_sample *sample)
{
    const struct state *state = lane->state;
    limits_cases_sample(&state->cases, sample);
}

#define LANES(name, cases_)                                                                        \
    static const struct limits_lane_ops name = {.next = next,                                      \
                                                .told = told,                                      \
                                                .sum = sum,                                        \
                                                .judge = limits_facts_judge,                       \
                                                .state_bytes = sizeof(struct state),               \
                                                .looked = (cases_),                                \
                                                .what = &name##_shape}

LANES(status, STATUS_CODES);
LANES(trailers_only, ARRAY_SIZE(alone));
LANES(message, ARRAY_SIZE(messages));
LANES(binary_, BINARY_CASES);
LANES(reset, RESET_CODES);
LANES(client_reset, ARRAY_SIZE(of_clients));
LANES(cancel, 1);
LANES(deadline, 1);

const struct limits_plan limits_facts_plans[LIMITS_FACTS_PLANS] = {
    LIMITS_LANES_PLAN(LIMITS_STATUS, LIMITS_TURN_TOGETHER, false, &status),
    LIMITS_LANES_PLAN(LIMITS_TRAILERS_ONLY, LIMITS_TURN_TOGETHER, false, &trailers_only),
    LIMITS_LANES_PLAN(LIMITS_STATUS_MESSAGE, LIMITS_TURN_TOGETHER, false, &message),
    LIMITS_LANES_PLAN(LIMITS_BINARY_METADATA, LIMITS_TURN_TOGETHER, false, &binary_),
    LIMITS_LANES_PLAN(LIMITS_RESET_FROM_SERVER, LIMITS_TURN_TOGETHER, false, &reset),
    LIMITS_LANES_PLAN(LIMITS_RESET_FROM_CLIENT, LIMITS_TURN_TOGETHER, false, &client_reset),
    LIMITS_LANES_PLAN(LIMITS_CANCEL, LIMITS_TURN_TOGETHER, false, &cancel),
    LIMITS_LANES_PLAN(LIMITS_DEADLINE, LIMITS_TURN_TOGETHER, false, &deadline),
};

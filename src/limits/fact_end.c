/* Facts of how a stream is ended: resets of both sides, cancellation, a deadline. */
#include "base/clock.h"
#include "limits/fact_shape.h"

#include <stdio.h>

/* A stream that is to be reset is there by then, on both sides. */
#define SETTLED_MS  250
#define DEADLINE_MS 500
/* A cancellation that did not arrive by then is lost; one before may be late. */
#define CANCEL_MS 6000

/* ---- resets ---------------------------------------------------------------------------------- */

/* RFC 9113 section 7: NO_ERROR up to HTTP_1_1_REQUIRED. */
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
                     reset ? h2_error_name(seen->sample.code) : limits_fact_came(seen),
                     reset && seen->sample.code == index);
}

const struct limits_fact_shape limits_fact_reset = {LIMITS_CASES_RESET, ask_reset, look_at_reset};

/* What clients send: gRPC's own libraries these, by what their user did. */
static const uint32_t of_clients[LIMITS_CASES_CLIENT_RESET] = {
    H2_CANCEL, H2_NO_ERROR, H2_INTERNAL_ERROR, H2_ENHANCE_YOUR_CALM};

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

const struct limits_fact_shape limits_fact_client_reset = {LIMITS_CASES_CLIENT_RESET,
                                                           ask_client_reset, look_at_client_reset};

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

const struct limits_fact_shape limits_fact_cancel = {1, ask_cancel, look_at_cancel};

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
    bool client = limits_fact_is_status(seen, RPC_DEADLINE_EXCEEDED);
    if (server && client) {
        snprintf(got, sizeof(got), "the server ends it, and the client hears DEADLINE_EXCEEDED");
    } else if (server) {
        snprintf(got, sizeof(got), "the server ends it, and the client hears %.50s",
                 limits_fact_came(seen));
    } else if (!seen->given_up) {
        snprintf(got, sizeof(got), "the path ends it without the server: %.55s",
                 limits_fact_came(seen));
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

const struct limits_fact_shape limits_fact_deadline = {1, ask_deadline, look_at_deadline};

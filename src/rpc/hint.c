/* The time limits of proxies, recognised by the life of the stream they ended.
 *
 * What each of them counts was measured with the limit set to 3 s, for streams that were used,
 * silent one way, silent both ways, open and half-closed (tests/e2e/test_limits_named.py). A limit
 * that never ended one is not named: HAProxy's timeout client, tunnel and http-request, nginx's
 * grpc_send_timeout and keepalive_*, the idle timeouts of connections. */
#include "rpc/hint.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "h2/session.h"

#include <stdio.h>
#include <string.h>

/* How far from its limit an end still counts as one: timers, and the network both ways. */
#define EARLY_MS 250
#define LATE_MS  1500
/* A stream silent for less than this share of its limit was in use. */
#define IN_USE_SHARE 2
/* Limits shorter than this are not told apart from chance. */
#define CUT_MS 900

/* ---- limits by their default ----------------------------------------------------------------- */

enum clock {
    CLOCK_OPEN,        /* from the stream's begin; over when the client half-closes */
    CLOCK_HALF_CLOSED, /* from the client's half-close */
    CLOCK_SILENCE,     /* from the last message in either direction */
    CLOCK_ALL_SILENT,  /* silent since its begin: two clocks cannot be told apart */
};

struct limit {
    enum clock clock;
    uint64_t ms;
    const char *hint;
};

/* One entry per default that is known to cut streams. */
static const struct limit LIMITS[] = {
    {CLOCK_ALL_SILENT, 60000,
     "ended after 60 s without a message: that is nginx's grpc_read_timeout or client_body_timeout, "
     "60s by default, Traefik's respondingTimeouts.readTimeout, 60s by default from the stream's "
     "begin, or a cloud load balancer's idle timeout; set it above the interval"},
    {CLOCK_OPEN, 60000,
     "ended 60 s after it began: that is Traefik's respondingTimeouts.readTimeout, 60s by default; "
     "set it to 0s on the entry point"},
    {CLOCK_SILENCE, 60000,
     "ended after 60 s without a message: that is nginx's grpc_read_timeout or client_body_timeout, "
     "60s by default, or a cloud load balancer's idle timeout; set it above the interval"},
    {CLOCK_SILENCE, 300000,
     "ended after 5 min without a message: that is Envoy's stream_idle_timeout, 5m by default; set "
     "it to 0s or above the interval"},
    {CLOCK_HALF_CLOSED, 15000,
     "ended 15 s after the client had sent everything: that is Envoy's route timeout, 15s by "
     "default; set timeout: 0s on the route"},
};

static bool near(uint64_t value_ms, uint64_t limit_ms)
{
    return value_ms + EARLY_MS >= limit_ms && value_ms <= limit_ms + LATE_MS;
}

static bool fits(const struct limit *limit, const struct rpc_stream_life *life)
{
    switch (limit->clock) {
    case CLOCK_OPEN:
        return !life->half_closed && near(life->age_ms, limit->ms) &&
               life->idle_ms < limit->ms / IN_USE_SHARE;
    case CLOCK_HALF_CLOSED:
        return life->half_closed && near(life->half_closed_ms, limit->ms);
    case CLOCK_SILENCE:
        return near(life->idle_ms, limit->ms);
    case CLOCK_ALL_SILENT:
        return !life->half_closed && near(life->age_ms, limit->ms) &&
               near(life->idle_ms, limit->ms);
    }
    return false;
}

/* ---- limits by their words ------------------------------------------------------------------- */

/* What Envoy writes into grpc-message where no answer had begun. */
static const struct {
    const char *message;
    const char *hint;
} WORDS[] = {
    {"upstream request timeout", "that is Envoy's route timeout: set timeout: 0s on the route"},
    {"stream timeout",
     "that is Envoy's stream_idle_timeout, or idle_timeout of the route: set it to 0s or above the "
     "interval"},
    {"downstream duration timeout", "that is Envoy's max_stream_duration"},
    {"upstream max stream duration reached", "that is Envoy's max_stream_duration of the cluster"},
    {"request timeout", "that is Envoy's request_timeout: set it to 0s"},
};

static const char *hint_of_words(const struct rpc_status *status)
{
    for (size_t i = 0; status->origin == RPC_FROM_TRAILERS && i < ARRAY_SIZE(WORDS); i++) {
        if (strcmp(status->message, WORDS[i].message) == 0) {
            return WORDS[i].hint;
        }
    }
    return NULL;
}

const char *rpc_hint(const struct rpc_stream_life *life, const struct rpc_status *status)
{
    bool known = status->origin == RPC_FROM_HERE || status->origin == RPC_FROM_CONFLICT;
    if (status->code == RPC_OK || known || status->unprocessed) {
        return NULL;
    }
    const char *hint = hint_of_words(status);
    bool says_why = status->origin == RPC_FROM_TRAILERS && status->message[0] != '\0';
    for (size_t i = 0; hint == NULL && !says_why && i < ARRAY_SIZE(LIMITS); i++) {
        if (fits(&LIMITS[i], life)) {
            hint = LIMITS[i].hint;
        }
    }
    return hint;
}

/* ---- other limits ---------------------------------------------------------------------------- */

static bool is_reset_with(const struct rpc_status *status, uint32_t error)
{
    return status->origin == RPC_FROM_RESET && status->h2_error == error;
}

/* No gRPC server ends a stream so; a proxy does when a limit of its is reached, or its server is
 * lost (Envoy up to 1.36 with NO_ERROR). */
static bool is_cut_off(const struct rpc_status *status)
{
    return status->origin == RPC_FROM_CUT || is_reset_with(status, H2_INTERNAL_ERROR) ||
           is_reset_with(status, H2_NO_ERROR);
}

/* For a silent stream: what counts silence. */
static const char *idle_settings(const struct rpc_stream_life *life,
                                 const struct rpc_status *status)
{
    if (is_reset_with(status, H2_CANCEL)) {
        return "HAProxy's timeout server";
    }
    if (is_reset_with(status, H2_PROTOCOL_ERROR)) {
        return life->half_closed ? NULL : "nginx's client_body_timeout";
    }
    if (!is_cut_off(status)) {
        return NULL;
    }
    return life->half_closed ? "Envoy's stream_idle_timeout or route timeout, HAProxy's timeout "
                               "server, nginx's grpc_read_timeout"
                             : "Envoy's stream_idle_timeout, HAProxy's timeout server, nginx's "
                               "grpc_read_timeout";
}

static void describe_idle_cut(const struct rpc_stream_life *life, const struct rpc_status *status,
                              char *out, size_t out_bytes)
{
    const char *settings = idle_settings(life, status);
    char after[24];
    text_format_duration(after, sizeof(after), life->idle_ms * NS_PER_MS);
    if (settings != NULL) {
        snprintf(out, out_bytes,
                 " (cut off after %s without a message: if not a lost server, an idle limit of the "
                 "proxy such as %s, or one on a stream's age)",
                 after, settings);
    }
}

static void describe_age_cut(const struct rpc_stream_life *life, char *out, size_t out_bytes)
{
    char after[24];
    char since[24];
    text_format_duration(after, sizeof(after), life->age_ms * NS_PER_MS);
    text_format_duration(since, sizeof(since), life->half_closed_ms * NS_PER_MS);
    if (life->half_closed) {
        snprintf(
            out, out_bytes,
            " (cut off %s after it began and %s after the client had sent everything: if not a "
            "lost server, a limit of the proxy such as Envoy's route timeout or "
            "max_stream_duration, Traefik's respondingTimeouts.writeTimeout)",
            after, since);
    } else {
        snprintf(
            out, out_bytes,
            " (cut off %s after it began: if not a lost server, a limit of the proxy on a "
            "stream's age such as Traefik's respondingTimeouts.readTimeout or writeTimeout, or "
            "Envoy's max_stream_duration)",
            after);
    }
}

/* For a limit that is not a default: what it counts, and the settings that do. Nothing when the
 * stream was too young. */
static void describe_cut(const struct rpc_stream_life *life, const struct rpc_status *status,
                         char *out, size_t out_bytes)
{
    if (life->idle_ms >= CUT_MS) {
        describe_idle_cut(life, status, out, out_bytes);
    } else if (life->age_ms >= CUT_MS && is_cut_off(status)) {
        describe_age_cut(life, out, out_bytes);
    }
}

char *rpc_describe_end(const struct rpc_stream_life *life, const struct rpc_status *status,
                       char *out, size_t out_bytes)
{
    const char *hint = rpc_hint(life, status);
    rpc_status_describe(status, out, out_bytes);
    size_t len = strlen(out);
    if (hint != NULL) {
        snprintf(out + len, out_bytes - len, " (%s)", hint);
    } else {
        describe_cut(life, status, out + len, out_bytes - len);
    }
    return out;
}

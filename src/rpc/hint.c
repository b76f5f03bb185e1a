/* The time limits of proxies, recognised by the life of the stream they ended.
 *
 * A stream that was used until it died was cut by a limit on its age, one that was silent by an
 * idle limit. */
#include "rpc/hint.h"

#include "base/mem.h"
#include "base/text.h"
#include "h2/session.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How far from its limit an end still counts as one: timers, and the network both ways. */
#define EARLY_MS 250
#define LATE_MS  1500
/* A stream silent for less than this share of its limit was in use. */
#define IN_USE_SHARE 2
/* Limits shorter than this are not told apart from chance. */
#define CUT_MS    900
#define NS_PER_MS UINT64_C(1000000)

struct limit {
    bool idle; /* counts from the last message, else from the stream's begin */
    uint64_t ms;
    const char *hint;
};

/* Sources: the proxies' reference documentation; one entry per default that is known to cut
 * streams. */
static const struct limit LIMITS[] = {
    {false, 60000,
     "ended 60 s after it began: that is Traefik's respondingTimeouts.readTimeout, 60s by default; "
     "set it to 0s "
     "on the entry point"},
    {true, 60000,
     "ended after 60 s without a message: that is nginx's grpc_read_timeout (or grpc_send_timeout, "
     "client_body_timeout), 60s by default, or a cloud load balancer's idle timeout; set it above "
     "the interval"},
    {true, 300000,
     "ended after 5 min without a message: that is Envoy's stream_idle_timeout, 5m by default; set "
     "it to 0s or "
     "above the interval"},
    {false, 15000,
     "ended 15 s after it began: that is Envoy's route timeout, 15s by default; set timeout: 0s on "
     "the route"},
};

static bool near(uint64_t value_ms, uint64_t limit_ms)
{
    return value_ms + EARLY_MS >= limit_ms && value_ms <= limit_ms + LATE_MS;
}

static bool fits(const struct limit *limit, const struct rpc_stream_life *life)
{
    if (limit->idle) {
        return near(life->idle_ms, limit->ms);
    }
    return near(life->age_ms, limit->ms) && life->idle_ms < limit->ms / IN_USE_SHARE;
}

const char *rpc_hint(const struct rpc_stream_life *life, const struct rpc_status *status)
{
    if (status->code == RPC_OK || status->origin == RPC_FROM_HERE || status->unprocessed) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(LIMITS); i++) {
        if (fits(&LIMITS[i], life)) {
            return LIMITS[i].hint;
        }
    }
    return NULL;
}

/* No gRPC server ends a stream so; a proxy does when a limit of its is reached, or its server is
 * lost. */
static bool is_cut_off(const struct rpc_status *status)
{
    return status->origin == RPC_FROM_CUT ||
           (status->origin == RPC_FROM_RESET && status->h2_error == H2_INTERNAL_ERROR);
}

/* For a limit that is not a default: what it counts, and the settings that do. "" when the stream
 * was too young. */
static void describe_cut(const struct rpc_stream_life *life, char *out, size_t out_bytes)
{
    char after[24];
    out[0] = '\0';
    if (life->age_ms < CUT_MS) {
        return;
    }
    if (life->idle_ms >= CUT_MS) {
        text_format_duration(after, sizeof(after), life->idle_ms * NS_PER_MS);
        snprintf(
            out, out_bytes,
            " (cut off after %s without a message: if not a lost server, an idle limit of the "
            "proxy such as Envoy's "
            "stream_idle_timeout, HAProxy's timeout client or server, nginx's grpc_read_timeout)",
            after);
    } else {
        text_format_duration(after, sizeof(after), life->age_ms * NS_PER_MS);
        snprintf(out, out_bytes,
                 " (cut off %s after it began: if not a lost server, a limit of the proxy on a "
                 "stream's age such as "
                 "Traefik's respondingTimeouts.readTimeout or Envoy's max_stream_duration)",
                 after);
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
    } else if (is_cut_off(status)) {
        describe_cut(life, out + len, out_bytes - len);
    }
    return out;
}

/* The time limits of proxies, recognised by the life of the stream they ended.
 *
 * A stream that was used until it died was cut by a limit on its age, one that was silent by an
 * idle limit. */
#include "rpc/hint.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How far from its limit an end still counts as one: timers, and the network both ways. */
#define EARLY_MS 250
#define LATE_MS  1500
/* A stream silent for less than this share of its limit was in use. */
#define IN_USE_SHARE 2

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

char *rpc_describe_end(const struct rpc_stream_life *life, const struct rpc_status *status,
                       char *out, size_t out_bytes)
{
    const char *hint = rpc_hint(life, status);
    rpc_status_describe(status, out, out_bytes);
    size_t len = strlen(out);
    if (hint != NULL) {
        snprintf(out + len, out_bytes - len, " (%s)", hint);
    }
    return out;
}

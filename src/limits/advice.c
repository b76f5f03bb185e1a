#include "limits/advice.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum pings { PINGS_UNKNOWN, PINGS_COUNT, PINGS_DO_NOT };

/* Whether PINGs keep a silent stream: known where one with them was looked at for longer. */
static enum pings pings_of(const struct limits_finding findings[static LIMITS_SHAPES])
{
    const struct limits_finding *pings = &findings[LIMITS_IDLE_WITH_PINGS];
    const struct limits_finding *idle = &findings[LIMITS_IDLE];
    if (pings->wanted && pings->state == LIMITS_NONE_WITHIN && pings->looked > idle->value) {
        return PINGS_COUNT;
    }
    bool ends = pings->wanted && pings->state == LIMITS_BY_OTHER && pings->by == LIMITS_IDLE;
    return ends ? PINGS_DO_NOT : PINGS_UNKNOWN;
}

static void advise_idle(struct limits_finding *finding, enum pings pings, const char *half)
{
    bool told = pings == PINGS_DO_NOT && finding->shape == LIMITS_IDLE;
    const char *what = "a message either way";
    if (finding->shape == LIMITS_IDLE_CLIENT) {
        what = "a message of the client";
    } else if (finding->shape == LIMITS_IDLE_SERVER) {
        what = "a message of the server";
    }
    if (pings == PINGS_COUNT && finding->shape == LIMITS_IDLE) {
        snprintf(finding->advice, sizeof(finding->advice),
                 "HTTP/2 PINGs keep it open: keepalive every %s or more often", half);
    } else {
        snprintf(finding->advice, sizeof(finding->advice), "%s every %s or more often%s", what,
                 half, told ? "; HTTP/2 PINGs do not count" : "");
    }
}

static void advise_time(struct limits_finding *finding, enum pings pings)
{
    char value[32];
    char half[32];
    if (finding->samples[0].end == LIMITS_END_DEAD) {
        snprintf(finding->advice, sizeof(finding->advice),
                 "HTTP/2 PINGs with a timeout, or a deadline: no end of it is ever told%s",
                 finding->resolution > finding->value / 4
                     ? "; a shorter --within tells more exactly when"
                     : "");
        return;
    }
    text_format_duration(value, sizeof(value), finding->value);
    text_format_duration(half, sizeof(half), finding->value / 2);
    switch (finding->shape) {
    case LIMITS_IDLE:
    case LIMITS_IDLE_CLIENT:
    case LIMITS_IDLE_SERVER:
        advise_idle(finding, pings, half);
        return;
    case LIMITS_IDLE_PATH:
        snprintf(finding->advice, sizeof(finding->advice),
                 "a message either way every %s or more often; HTTP/2 PINGs of a client end at the "
                 "next proxy, which needs its own to the server",
                 half);
        return;
    case LIMITS_AGE_STREAM:
        snprintf(finding->advice, sizeof(finding->advice),
                 "end and reopen streams before %s by themselves, each at a time of its own",
                 value);
        return;
    case LIMITS_AGE_CONNECTION:
        snprintf(finding->advice, sizeof(finding->advice),
                 "a GOAWAY every %s is usual here: new streams on a new connection, none retried "
                 "at once by all",
                 value);
        return;
    case LIMITS_HALF_CLOSE:
        snprintf(finding->advice, sizeof(finding->advice),
                 "leave the client's side open while the server sends for longer than %s", value);
        return;
    case LIMITS_IDLE_CONNECTION:
        snprintf(finding->advice, sizeof(finding->advice),
                 "reconnect with the next call, and at its UNAVAILABLE once more");
        return;
    case LIMITS_PING_INTERVAL:
        if (finding->value == LIMITS_VALUE_NONE) {
            snprintf(finding->advice, sizeof(finding->advice),
                     "longer intervals need a longer --within to be tried; gRPC servers take one "
                     "in 5m by default");
        } else {
            snprintf(finding->advice, sizeof(finding->advice), "keepalive every %s or less often",
                     value);
        }
        return;
    default:
        return;
    }
}

void limits_advise_all(struct limits_finding findings[static LIMITS_SHAPES])
{
    enum pings pings = pings_of(findings);
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &findings[i];
        if (!finding->wanted || finding->state != LIMITS_FOUND ||
            finding->side == LIMITS_SIDE_SERVER) {
            continue;
        }
        if (finding->kind == LIMITS_DURATION) {
            advise_time(finding, pings);
        } else if (finding->shape == LIMITS_REQUESTS_PER_CONNECTION) {
            snprintf(finding->advice, sizeof(finding->advice),
                     "a new connection after %" PRIu64 " requests is usual here: streams that are "
                     "kept open need fewer",
                     finding->value);
        }
    }
}

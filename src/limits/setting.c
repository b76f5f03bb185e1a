#include "limits/setting.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "h2/session.h"
#include "limits/judge.h"
#include "rpc/probe.h"

#include <stdio.h>
#include <string.h>

/* How an end looks to the client. */
enum look {
    LOOK_RESET_INTERNAL,
    LOOK_RESET_PROTOCOL,
    LOOK_CUT,
    LOOK_TRAILERS,
    LOOK_GOAWAY,      /* without debug text */
    LOOK_GOAWAY_TEXT, /* `words` in it */
};

/* And to the server. */
enum server_look {
    SERVER_ANY,
    SERVER_RESET_INTERNAL,
    SERVER_RESET_CANCEL,
    SERVER_LOST, /* its connection */
};

/* Two limits on age differ in streams that the client has half-closed. */
enum half_closed { HALF_ANY, HALF_TOO, HALF_NOT };

struct rule {
    enum limits_shape shape;
    enum look look;
    enum server_look server;
    enum half_closed half;
    uint64_t usual_ns; /* 0: off, or it has no default */
    const char *words;
    struct limits_setting setting;
};

#define SECONDS(n) ((n)*NS_PER_S)

/* clang-format off */
static const struct rule RULES[] = {
    {LIMITS_IDLE, LOOK_RESET_INTERNAL, SERVER_RESET_INTERNAL, HALF_ANY, SECONDS(300), NULL,
     {"Envoy", "stream_idle_timeout, or idle_timeout of the route", "5m by default",
      "0s, or above the longest silence"}},
    {LIMITS_IDLE, LOOK_CUT, SERVER_RESET_CANCEL, HALF_ANY, 0, NULL,
     {"HAProxy", "timeout server", "no default", "above the longest silence"}},
    {LIMITS_IDLE, LOOK_RESET_PROTOCOL, SERVER_LOST, HALF_ANY, SECONDS(60), NULL,
     {"nginx", "client_body_timeout", "60s by default", "above the longest silence"}},
    {LIMITS_IDLE_SERVER, LOOK_RESET_INTERNAL, SERVER_LOST, HALF_ANY, SECONDS(60), NULL,
     {"nginx", "grpc_read_timeout", "60s by default", "above the server's longest silence"}},
    {LIMITS_HALF_CLOSE, LOOK_RESET_INTERNAL, SERVER_RESET_INTERNAL, HALF_ANY, SECONDS(15), NULL,
     {"Envoy", "timeout of the route", "15s by default", "0s"}},
    {LIMITS_AGE_STREAM, LOOK_RESET_INTERNAL, SERVER_RESET_INTERNAL, HALF_ANY, 0, NULL,
     {"Envoy", "max_stream_duration of the listener, the route or the cluster", "off by default",
      "leave it out, or above the oldest stream"}},
    {LIMITS_AGE_STREAM, LOOK_RESET_INTERNAL, SERVER_RESET_CANCEL, HALF_NOT, SECONDS(60), NULL,
     {"Traefik", "respondingTimeouts.readTimeout", "60s by default", "0s on the entry point"}},
    {LIMITS_AGE_STREAM, LOOK_RESET_INTERNAL, SERVER_RESET_CANCEL, HALF_TOO, 0, NULL,
     {"Traefik", "respondingTimeouts.writeTimeout", "off by default", "0s on the entry point"}},
    {LIMITS_AGE_STREAM, LOOK_TRAILERS, SERVER_ANY, HALF_ANY, 0, "--max-stream-age",
     {"grpcroute proxy", "--max-stream-age", "off by default", "0, or above the oldest stream"}},
    {LIMITS_IDLE_CONNECTION, LOOK_GOAWAY, SERVER_ANY, HALF_ANY, SECONDS(3600), NULL,
     {"Envoy", "common_http_protocol_options.idle_timeout", "1h by default",
      "above the longest time without a stream"}},
    {LIMITS_IDLE_CONNECTION, LOOK_GOAWAY, SERVER_ANY, HALF_ANY, 0, NULL,
     {"HAProxy", "timeout http-keep-alive, else timeout http-request, else timeout client",
      "no default", "above the longest time without a stream"}},
    {LIMITS_IDLE_CONNECTION, LOOK_GOAWAY, SERVER_ANY, HALF_ANY, SECONDS(75), NULL,
     {"nginx", "keepalive_timeout", "75s by default", "above the longest time without a stream"}},
    {LIMITS_IDLE_CONNECTION, LOOK_GOAWAY, SERVER_ANY, HALF_ANY, SECONDS(180), NULL,
     {"Traefik", "respondingTimeouts.idleTimeout", "180s by default",
      "above the longest time without a stream"}},
    {LIMITS_IDLE_CONNECTION, LOOK_GOAWAY_TEXT, SERVER_ANY, HALF_ANY, 0, "idle",
     {"a gRPC server", "MAX_CONNECTION_IDLE", "off by default",
      "above the longest time without a stream"}},
    {LIMITS_AGE_CONNECTION, LOOK_GOAWAY, SERVER_ANY, HALF_ANY, 0, NULL,
     {"Envoy", "max_connection_duration", "off by default", "leave it out"}},
    {LIMITS_AGE_CONNECTION, LOOK_GOAWAY, SERVER_ANY, HALF_ANY, SECONDS(3600), NULL,
     {"nginx", "keepalive_time", "1h by default", "as old as a connection may be"}},
    {LIMITS_AGE_CONNECTION, LOOK_GOAWAY, SERVER_ANY, HALF_ANY, 0, NULL,
     {"Traefik", "keepAliveMaxTime of the entry point", "off by default", "leave it out"}},
    {LIMITS_AGE_CONNECTION, LOOK_GOAWAY_TEXT, SERVER_ANY, HALF_ANY, 0, "max_age",
     {"a gRPC server", "MAX_CONNECTION_AGE", "off by default",
      "leave it out, or give streams MAX_CONNECTION_AGE_GRACE to end"}},
    {LIMITS_PING_INTERVAL, LOOK_GOAWAY_TEXT, SERVER_ANY, HALF_ANY, SECONDS(300), "too_many_pings",
     {"a gRPC server", "the shortest interval of PINGs that it permits (MinTime, "
      "permitKeepAliveTime, http2.min_recv_ping_interval_without_data)", "5m by default",
      "as short as clients PING"}},
    {LIMITS_PING_INTERVAL, LOOK_GOAWAY_TEXT, SERVER_ANY, HALF_ANY, SECONDS(9), "too_many_pings",
     {"grpcroute proxy and server", "a PING in 9s, and three more", "fixed",
      "clients PING every 10s or less often"}},
};
/* clang-format on */

/* ---- which look so --------------------------------------------------------------------------- */

static bool is_reset(const struct limits_sample *sample, uint32_t code)
{
    return sample->end == LIMITS_END_RESET && sample->code == code;
}

static bool looks(const struct rule *rule, const struct limits_finding *finding)
{
    const struct limits_sample *sample = &finding->samples[0];
    bool goaway = sample->end == LIMITS_END_GOAWAY;
    switch (rule->look) {
    case LOOK_RESET_INTERNAL:
        return is_reset(sample, H2_INTERNAL_ERROR);
    case LOOK_RESET_PROTOCOL:
        return is_reset(sample, H2_PROTOCOL_ERROR);
    case LOOK_CUT:
        return sample->end == LIMITS_END_CUT;
    case LOOK_TRAILERS:
        return sample->end == LIMITS_END_TRAILERS && strstr(finding->look, rule->words) != NULL;
    case LOOK_GOAWAY:
        return goaway && strchr(finding->look, ':') == NULL;
    case LOOK_GOAWAY_TEXT:
        return goaway && strstr(finding->look, rule->words) != NULL;
    }
    return false;
}

static bool server_looks(const struct rule *rule, const struct limits_finding *finding)
{
    const struct limits_sample *sample = &finding->samples[0];
    bool reset = sample->server_end == RPC_PROBE_RESET;
    switch (rule->server) {
    case SERVER_ANY:
        break;
    case SERVER_RESET_INTERNAL:
        return sample->server_told && reset && sample->server_code == H2_INTERNAL_ERROR;
    case SERVER_RESET_CANCEL:
        return sample->server_told && reset && sample->server_code == H2_CANCEL;
    case SERVER_LOST:
        return sample->server_told && sample->server_end == RPC_PROBE_CONNECTION_LOST;
    }
    return true;
}

static bool fits_half_closed(const struct rule *rule, const struct limits_finding *half)
{
    bool measured = half->wanted && half->state != LIMITS_NOT_MEASURED;
    bool too = half->state == LIMITS_BY_OTHER && half->by == LIMITS_AGE_STREAM;
    return rule->half == HALF_ANY || !measured || too == (rule->half == HALF_TOO);
}

static bool fits(const struct rule *rule, const struct limits_finding *finding,
                 const struct limits_finding *half, bool by_server)
{
    return rule->shape == finding->shape && looks(rule, finding) && fits_half_closed(rule, half) &&
           (!by_server || server_looks(rule, finding));
}

/* ---- naming them ----------------------------------------------------------------------------- */

static bool is_usual(const struct rule *rule, const struct limits_finding *finding)
{
    return rule->usual_ns != 0 &&
           limits_judge_agree(finding->value, rule->usual_ns, finding->resolution);
}

static void add(struct limits_finding *finding, const struct limits_setting *setting)
{
    if (finding->setting_count < LIMITS_SETTINGS_MAX) {
        finding->settings[finding->setting_count++] = setting;
    }
}

/* Those at their default first. */
static void add_fitting(struct limits_finding *finding, const struct limits_finding *half,
                        bool by_server)
{
    for (int usual = 1; usual >= 0; usual--) {
        for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
            if (fits(&RULES[i], finding, half, by_server) &&
                is_usual(&RULES[i], finding) == (usual == 1)) {
                add(finding, &RULES[i].setting);
            }
        }
    }
}

/* What looks so at both ends, or, where none does, as behind a second proxy that hands an end on in
 * its own way, at the client's. */
static void name_settings(struct limits_finding *finding, const struct limits_finding *half)
{
    add_fitting(finding, half, true);
    if (finding->setting_count == 0) {
        add_fitting(finding, half, false);
    }
}

/* ---- advice ---------------------------------------------------------------------------------- */

static bool pings_keep_it(const struct limits_finding findings[static LIMITS_SHAPES])
{
    const struct limits_finding *pings = &findings[LIMITS_IDLE_WITH_PINGS];
    return pings->wanted && pings->state == LIMITS_NONE_WITHIN &&
           pings->looked > findings[LIMITS_IDLE].value;
}

static void advise_idle(struct limits_finding *finding, bool pings, const char *half)
{
    const char *what = "a message either way";
    if (finding->shape == LIMITS_IDLE_CLIENT) {
        what = "a message of the client";
    } else if (finding->shape == LIMITS_IDLE_SERVER) {
        what = "a message of the server";
    }
    if (pings && finding->shape == LIMITS_IDLE) {
        snprintf(finding->advice, sizeof(finding->advice),
                 "HTTP/2 PINGs keep it open: keepalive every %s or more often", half);
    } else {
        snprintf(finding->advice, sizeof(finding->advice), "%s every %s or more often%s", what,
                 half, finding->shape == LIMITS_IDLE ? "; HTTP/2 PINGs do not count" : "");
    }
}

static void advise(struct limits_finding *finding, bool pings)
{
    char value[32];
    char half[32];
    text_format_duration(value, sizeof(value), finding->value);
    text_format_duration(half, sizeof(half), finding->value / 2);
    switch (finding->shape) {
    case LIMITS_IDLE:
    case LIMITS_IDLE_CLIENT:
    case LIMITS_IDLE_SERVER:
        advise_idle(finding, pings, half);
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

void limits_setting_name_all(struct limits_finding findings[static LIMITS_SHAPES])
{
    bool pings = pings_keep_it(findings);
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &findings[i];
        if (finding->wanted && finding->state == LIMITS_FOUND && finding->kind == LIMITS_DURATION &&
            finding->side != LIMITS_SIDE_SERVER) {
            name_settings(finding, &findings[LIMITS_HALF_CLOSE]);
            advise(finding, pings);
        }
    }
}

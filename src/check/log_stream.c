#include "check/log_stream.h"

#include "base/hash.h"
#include "base/mem.h"
#include "check/log_words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTP_OK 200
/* The reason in our own stream log of an end without a grpc-status. */
#define CHECK_LOG_NO_STATUS "no status"

/* Where a log has what is to be known of a stream. */
struct keys {
    const char *path;
    const char *cluster;
    const char *endpoint;
    const char *http_status;
    const char *bytes_down;
    char agent_version[CHECK_LOG_HEADER_BYTES + sizeof("request_")];
    char agent_id[CHECK_LOG_HEADER_BYTES + sizeof("request_")];
};

/* What of it is not told as it is. */
struct facts {
    double http_status;
    double bytes_down;
    double messages_down;
    double grpc_status;
};

#define NO_NUMBER (-1.0)

/* ---- fields ---------------------------------------------------------------------------------- */

/* Empty where the log does not know it: no such key, null, "" as nginx and HAProxy write it, or
 * "-". False: it is something else than a text. */
static bool take_text(const cJSON *object, const char *key, char out[static CHECK_LOG_NAME_BYTES])
{
    const cJSON *item = cJSON_GetObjectItem(object, key); /* whatever the case: Traefik's headers */
    const char *text = cJSON_GetStringValue(item);
    out[0] = '\0';
    if (text != NULL && strcmp(text, "-") != 0) {
        check_log_escape_name(out, text, text + strlen(text));
    }
    return item == NULL || cJSON_IsNull(item) || text != NULL;
}

/* NO_NUMBER likewise. A number in quotes is one. */
static bool take_number(const cJSON *object, const char *key, double *ret)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    const char *text = cJSON_GetStringValue(item);
    char *end = NULL;
    *ret = NO_NUMBER;
    if (text != NULL && text[0] != '\0' && strcmp(text, "-") != 0) {
        *ret = strtod(text, &end);
    } else if (cJSON_IsNumber(item)) {
        *ret = item->valuedouble;
    }
    return (item == NULL || cJSON_IsNull(item) || text != NULL || cJSON_IsNumber(item)) &&
           (end == NULL || *end == '\0') && isfinite(*ret);
}

/* A key that is there twice, in whatever case, says nothing. */
static bool has_twice(const cJSON *object, const struct keys *keys)
{
    const char *const names[] = {"log",
                                 "event",
                                 "time",
                                 "pod",
                                 "grpc_status",
                                 "reason",
                                 "server_version",
                                 "messages_down",
                                 "misrouted",
                                 keys->path,
                                 keys->cluster,
                                 keys->endpoint,
                                 keys->agent_id,
                                 keys->agent_version,
                                 keys->http_status,
                                 keys->bytes_down};
    uint32_t seen = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        for (size_t i = 0; item->string != NULL && i < ARRAY_SIZE(names); i++) {
            if (strcasecmp(item->string, names[i]) == 0) {
                if ((seen & UINT32_C(1) << i) != 0) {
                    return true;
                }
                seen |= UINT32_C(1) << i;
            }
        }
    }
    return false;
}

/* HOST:PORT; HAProxy has "-:0" where there was no server. */
static bool is_endpoint(const char *text)
{
    const char *colon = strrchr(text, ':');
    return colon != NULL && colon > text && text[0] != '-' && text[0] != '<' && colon[1] != '\0';
}

/* ---- what became of it ----------------------------------------------------------------------- */

/* A proxy's own error may have the HTTP status 200, and no message; where neither messages nor
 * bytes are counted, a status that is an error says as much. A body that came without a status may
 * be anybody's page. */
static bool is_answered(const struct facts *facts, const struct check_log_event *event)
{
    bool anything = facts->messages_down != NO_NUMBER ? facts->messages_down > 0
                    : facts->bytes_down != NO_NUMBER  ? facts->bytes_down > 0
                                                      : facts->grpc_status <= 0;
    bool page =
        event->peer_version[0] == '\0' && strcmp(event->stream.reason, CHECK_LOG_NO_STATUS) == 0;
    return facts->http_status == HTTP_OK && anything && !page;
}

/* False: it is something else than yes or no. */
static bool take_misrouted(const cJSON *object, bool *ret)
{
    const cJSON *item = cJSON_GetObjectItem(object, "misrouted");
    *ret = cJSON_IsTrue(item);
    return item == NULL || cJSON_IsNull(item) || cJSON_IsBool(item);
}

/* The proxy's own words for the end, the best there are. */
static bool take_reason(const cJSON *object, const struct facts *facts,
                        char out[static CHECK_LOG_NAME_BYTES])
{
    char detail[CHECK_LOG_NAME_BYTES];
    bool valid = take_text(object, "reason", out) && take_text(object, "detail", detail);
    if (out[0] == '\0' && detail[0] != '\0') {
        memcpy(out, detail, sizeof(detail));
    } else if (out[0] == '\0' && facts->grpc_status > 0) {
        snprintf(out, CHECK_LOG_NAME_BYTES, "grpc-status %.0f", facts->grpc_status);
    } else if (out[0] == '\0' && facts->http_status > 0) {
        snprintf(out, CHECK_LOG_NAME_BYTES, "HTTP %.0f", facts->http_status);
    } else if (out[0] == '\0') {
        snprintf(out, CHECK_LOG_NAME_BYTES, "no reason given");
    }
    return valid;
}

static uint64_t mix(uint64_t mark, const cJSON *item)
{
    const char *text = cJSON_GetStringValue(item);
    char number[32];
    if (cJSON_IsNumber(item)) {
        snprintf(number, sizeof(number), "%.17g", item->valuedouble);
        text = number;
    }
    return text != NULL ? hash_bytes(mark, text, strlen(text)) : mark;
}

/* Differs between streams that are alike in everything that is judged. */
static uint64_t mark_of(const cJSON *object)
{
    static const char *const keys[] = {"time",   "start_time", "stream",   "client",
                                       "age_ms", "StartUTC",   "Duration", "ClientAddr"};
    uint64_t mark = HASH_BASIS;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        mark = mix(mark, cJSON_GetObjectItemCaseSensitive(object, keys[i]));
    }
    return mark;
}

/* Envoy writes the cluster that its route names also where a filter refused the request, which is
 * before it takes that way. Source: Envoy, "Response code details", and those of its filters. */
static bool is_filtered(const cJSON *object)
{
    static const char *const by_filters[] = {
        "lua_response",
        "direct_response",
        "ext_authz_",
        "ext_proc_",
        "rbac_",
        "jwt_authn_access_denied",
        "fault_filter",
        "request_rate_limited",
        "local_rate_limited",
    };
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "detail"));
    const char *flags_end = detail != NULL ? strchr(detail, ' ') : NULL;
    for (size_t i = 0; flags_end != NULL && i < ARRAY_SIZE(by_filters); i++) {
        if (strncmp(flags_end + 1, by_filters[i], strlen(by_filters[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Without a path it cannot be one that went anywhere: then the request was refused as it came, or
 * the connection ended without any. */
static enum check_log_meaning take(const cJSON *object, const struct keys *keys,
                                   struct check_log_event *event)
{
    struct check_log_stream *stream = &event->stream;
    struct facts facts;
    bool valid = take_text(object, keys->path, stream->path) &&
                 take_text(object, keys->cluster, stream->cluster) &&
                 take_text(object, keys->endpoint, stream->endpoint) &&
                 take_text(object, keys->agent_version, event->version) &&
                 take_text(object, keys->agent_id, event->id) &&
                 take_text(object, "server_version", event->peer_version) &&
                 take_text(object, "pod", event->peer_id) &&
                 take_number(object, keys->http_status, &facts.http_status) &&
                 take_number(object, keys->bytes_down, &facts.bytes_down) &&
                 take_number(object, "messages_down", &facts.messages_down) &&
                 take_number(object, "grpc_status", &facts.grpc_status) &&
                 take_misrouted(object, &stream->misrouted) &&
                 take_reason(object, &facts, stream->reason);
    if (!valid || (stream->path[0] == '\0' && stream->cluster[0] != '\0')) {
        return CHECK_LOG_LOST;
    }
    if (stream->path[0] == '\0' && event->version[0] == '\0') {
        return CHECK_LOG_OTHER;
    }
    if (!is_endpoint(stream->endpoint)) {
        stream->endpoint[0] = '\0';
    }
    if (stream->endpoint[0] == '\0' && is_filtered(object)) {
        stream->cluster[0] = '\0';
    }
    event->kind = CHECK_LOG_STREAM;
    stream->answered = stream->endpoint[0] != '\0' && is_answered(&facts, event);
    stream->mark = mark_of(object);
    return CHECK_LOG_SAID;
}

/* ---- logs ------------------------------------------------------------------------------------ */

static bool is_ours(const cJSON *object)
{
    const char *log = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "log"));
    return log != NULL && strcmp(log, CHECK_LOG_STREAM_NAME) == 0;
}

/* Its keys are the same in every version, and no other proxy's. */
static bool is_traefiks(const cJSON *object)
{
    return cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(object, CHECK_LOG_TRAEFIK_KEY)) &&
           cJSON_IsString(cJSON_GetObjectItemCaseSensitive(object, "RequestPath"));
}

bool check_log_is_stream(const cJSON *object)
{
    return cJSON_IsObject(object) && (is_ours(object) || is_traefiks(object));
}

static enum check_log_meaning read_ours(const cJSON *object, struct check_log_event *event)
{
    static const struct keys keys = {.path = "path",
                                     .cluster = "cluster",
                                     .endpoint = "endpoint",
                                     .http_status = "http_status",
                                     .bytes_down = "bytes_down",
                                     .agent_version = "agent_version",
                                     .agent_id = "agent_id"};
    const char *what = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "event"));
    if (has_twice(object, &keys)) {
        return CHECK_LOG_LOST;
    }
    if (what != NULL && strcmp(what, "open") == 0) {
        return CHECK_LOG_OTHER; /* where it went for good stands in its end */
    }
    bool is_end = what != NULL && strcmp(what, "end") == 0;
    return is_end ? take(object, &keys, event) : CHECK_LOG_LOST;
}

/* "server-v1@file": a service, and the provider of its configuration. */
static enum check_log_meaning read_traefiks(const struct check_log_headers *headers,
                                            const cJSON *object, struct check_log_event *event)
{
    struct keys keys = {.path = "RequestPath",
                        .cluster = "ServiceName",
                        .endpoint = "ServiceAddr",
                        .http_status = CHECK_LOG_TRAEFIK_KEY,
                        .bytes_down = "DownstreamContentSize"};
    const char *version = headers != NULL ? headers->version : "agent-version";
    const char *id = headers != NULL ? headers->id : "agent-id";
    snprintf(keys.agent_version, sizeof(keys.agent_version), "request_%s", version);
    snprintf(keys.agent_id, sizeof(keys.agent_id), "request_%s", id);
    enum check_log_meaning meaning =
        has_twice(object, &keys) ? CHECK_LOG_LOST : take(object, &keys, event);
    event->stream.cluster[strcspn(event->stream.cluster, "@")] = '\0';
    event->stream.path[strcspn(event->stream.path, "?")] = '\0';
    event->stream.rewritten = true;
    return meaning;
}

enum check_log_meaning check_log_read_stream(const struct check_log_reading *reading,
                                             const cJSON *object)
{
    struct check_log_event event = {0};
    enum check_log_meaning meaning = is_ours(object)
                                         ? read_ours(object, &event)
                                         : read_traefiks(reading->headers, object, &event);
    return check_log_tell(reading, &event, meaning);
}

/* What is left of a line that was cut is known by the words, names and keys behind the cut. */
#include "check/log_tail.h"

#include "base/mem.h"
#include "check/log_carrier.h"

#include <cjson/cJSON.h>
#include <string.h>

/* Words of agents and servers: `len` of their last bytes are enough to know them by, where `then`
 * comes behind. */
static const struct {
    const char *word;
    size_t enough;
    const char *then;
} words[] = {
    {"] Stream opened to ", 9, ""},
    {"] Received pong from server=", 4, " message="},
    {"] Stream opened from agent-id=", 4, " agent-version="},
    {"] Received ping from agent-id=", 4, " agent-version="},
    {" agent-version=", 6, ""},
};

/* "v1.2" and no more: anybody's text may begin with "version=". */
static bool is_version(const char *text)
{
    size_t major = text[0] == 'v' ? strspn(&text[1], "0123456789") : 0;
    size_t minor = text[1 + major] == '.' ? strspn(&text[2 + major], "0123456789") : 0;
    char end = major > 0 && minor > 0 ? text[2 + major + minor] : 'x';
    return end == '\0' || end == ' ';
}

/* It begins within one of the words, or within the names before them. */
static bool begins_within_words(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t len = strlen(words[i].word);
        const char *at = i < ARRAY_SIZE(words) - 1 ? strstr(text, words[i].word) : NULL;
        at = at != NULL && at < text + strcspn(text, "[{\"") ? at + len : NULL;
        for (size_t from = 0; at == NULL && from + words[i].enough <= len; from++) {
            const char *rest = words[i].word + from;
            at = strncmp(text, rest, len - from) == 0 ? text + len - from : NULL;
        }
        bool is_ours = at != NULL && strstr(at, words[i].then) != NULL;
        if (is_ours && (i < ARRAY_SIZE(words) - 1 || is_version(at))) {
            return true;
        }
    }
    return false;
}

/* "1/pod message=pong", "a agent-version=v1.1" */
static bool begins_within_name(const char *text)
{
    size_t len = strcspn(text, " ");
    const char *slash = memchr(text, '/', len);
    bool is_server = slash != NULL && slash > text &&
                     memchr(slash + 1, '/', len - (size_t)(slash + 1 - text)) == NULL &&
                     strncmp(text + len, " message=", 9) == 0;
    bool is_agent = strncmp(text + len, " agent-version=", 15) == 0;
    return len > 0 && memchr(text, '=', len) == NULL && (is_server || is_agent);
}

/* A key of a proxy's log, or of Traefik's, in an object that is quoted or not. */
static bool has_key(const char *text)
{
    static const char *const keys[] = {
        "agent_id",    "agent_version", "tls_version",      "server_version", "grpc_status",
        "http_status", "ended_by",      "age_ms",           "messages_up",    "messages_down",
        "bytes_up",    "bytes_down",    "request_Agent-Id", "entryPointName", "ServiceAddr"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *at = strstr(text, keys[i]);
        if (at == NULL) {
            continue;
        }
        at += strlen(keys[i]);
        at += *at == '\\';
        if (strncmp(at, "\":", 2) == 0) {
            return true;
        }
    }
    return false;
}

static bool holds_object(const char *text)
{
    const char *front = strchr(text, '{');
    cJSON *object = front != NULL ? cJSON_Parse(front) : NULL;
    cJSON_Delete(object);
    return object != NULL;
}

/* No object begins where one of a line would, or is there as a whole: that is another program's. */
static bool begins_within_object(const char *text)
{
    size_t len = strlen(text);
    size_t front = strcspn(text, "{");
    return len > 0 && text[len - 1] == '}' &&
           !(text[front] == '{' && check_log_is_prefix(text, front)) && has_key(text) &&
           !holds_object(text);
}

bool check_log_is_tail(const char *text)
{
    return begins_within_words(text) || begins_within_name(text) || begins_within_object(text);
}

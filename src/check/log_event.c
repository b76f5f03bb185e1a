/* The lines of agents and servers, as text or JSON. The first front on a line decides: what an
 * agent or server quotes behind its own front is none. Around it there may be a prefix (kubectl,
 * stern, compose, journald, Go's log), quotes (logfmt, JSON over several lines), or an object that
 * carries the line as a string (docker, Loki, journald, the collectors). */
#include "check/log_event.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/text_line.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 8 /* tried on one line */
#define DEPTH_MAX   6 /* of lines within objects within lines */

struct reading {
    const char *line; /* all of it, to be shown */
    size_t line_len;
    bool cut;
    unsigned depth;
    check_log_on_event *on_event;
    void *user;
};

static enum check_log_meaning read_text(struct reading *reading, const char *text);

/* ---- the words of agents and servers --------------------------------------------------------- */

static const char agent_front[] = "[AGENT_";
static const char server_front[] = "[SERVER_";
static const char opened_to[] = "Stream opened to ";
static const char pong_from[] = "Received pong from server=";
static const char opened_from[] = "Stream opened from agent-id=";
static const char ping_from[] = "Received ping from agent-id=";

static void escape_name(char out[static CHECK_LOG_NAME_BYTES], const char *from, const char *end)
{
    text_escape(out, CHECK_LOG_NAME_BYTES, from, (size_t)(end - from));
}

/* Moves `*at` behind `word`; false when it is not there. */
static bool take(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0) {
        return false;
    }
    *at += len;
    return true;
}

/* "server=v1/POD message=..." */
static bool parse_server(const char *at, struct check_log_event *event)
{
    const char *slash = strchr(at, '/');
    const char *end = slash == NULL ? NULL : strstr(slash, " message=");
    if (end == NULL) {
        return false;
    }
    escape_name(event->peer_version, at, slash);
    escape_name(event->peer_id, slash + 1, end);
    return true;
}

/* "A agent-version=v1.1", with " message=..." behind it for a ping */
static bool parse_agent(const char *at, const char *end_word, struct check_log_event *event)
{
    static const char word[] = " agent-version=";
    const char *version = strstr(at, word);
    if (version == NULL) {
        return false;
    }
    const char *from = version + sizeof(word) - 1;
    const char *end = end_word == NULL ? from + strlen(from) : strstr(from, end_word);
    if (end == NULL) {
        return false;
    }
    escape_name(event->peer_id, at, version);
    escape_name(event->peer_version, from, end);
    return true;
}

/* True when `text` is the beginning of `word`, and not all of it. */
static bool is_part(const char *text, const char *word)
{
    size_t len = strlen(text);
    return len < strlen(word) && strncmp(text, word, len) == 0;
}

static enum check_log_meaning parse_words(const char *at, bool is_agent, bool cut,
                                          struct check_log_event *event)
{
    const char *opened = is_agent ? opened_to : opened_from;
    const char *answered = is_agent ? pong_from : ping_from;
    bool whole = false;
    if (is_part(at, opened) || is_part(at, answered)) {
        return CHECK_LOG_LOST;
    }
    if (take(&at, opened)) {
        event->kind = is_agent ? CHECK_LOG_AGENT_OPENED : CHECK_LOG_SERVER_OPENED;
        whole = is_agent || (!cut && parse_agent(at, NULL, event));
    } else if (take(&at, answered)) {
        event->kind = is_agent ? CHECK_LOG_PONG : CHECK_LOG_PING;
        whole = is_agent ? parse_server(at, event) : parse_agent(at, " message=", event);
    } else {
        return CHECK_LOG_OTHER;
    }
    return whole ? CHECK_LOG_SAID : CHECK_LOG_LOST;
}

static enum check_log_meaning tell(const struct reading *reading, struct check_log_event *event,
                                   enum check_log_meaning meaning)
{
    if (meaning == CHECK_LOG_SAID) {
        event->line = reading->line;
        event->line_len = reading->line_len;
        reading->on_event(reading->user, event);
    }
    return meaning;
}

/* From a front to the end of the text. */
static enum check_log_meaning read_front(const struct reading *reading, const char *at)
{
    struct check_log_event event = {0};
    bool is_agent = take(&at, agent_front);
    if (!is_agent) {
        at += sizeof(server_front) - 1;
    }
    const char *slash = strchr(at, '/');
    const char *end = slash == NULL ? NULL : strstr(slash, "] ");
    if (end == NULL) {
        return CHECK_LOG_LOST;
    }
    escape_name(event.version, at, slash);
    escape_name(event.id, slash + 1, end);
    return tell(reading, &event, parse_words(end + 2, is_agent, reading->cut, &event));
}

/* A front right behind a quote: the text ends with the next one, if there is one. */
static enum check_log_meaning read_quoted(const struct reading *reading, const char *at)
{
    char *copy = mem_strdup(at);
    size_t len = 0;
    const char *from = at;
    while (*from != '\0' && *from != '"') {
        from += *from == '\\' && (from[1] == '"' || from[1] == '\\');
        copy[len++] = *from++;
    }
    struct reading inner = *reading;
    inner.cut = reading->cut && *from == '\0';
    copy[len] = '\0';
    text_clean_line(copy, len);
    enum check_log_meaning meaning = read_front(&inner, copy);
    free(copy);
    return meaning;
}

/* ---- objects --------------------------------------------------------------------------------- */

static const char *field(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

/* A line of ours carries the words of the text line in "msg"; it is whole, since it was parsed. */
static enum check_log_meaning read_own_object(const struct reading *reading, const cJSON *object)
{
    const char *role = field(object, "role");
    const char *version = field(object, "version");
    const char *id = field(object, "id");
    bool is_agent = strcmp(role, "agent") == 0;
    struct check_log_event event = {0};
    if (strcmp(field(object, "event"), "log_lines_dropped") == 0) {
        return CHECK_LOG_LOST;
    }
    if (!is_agent && strcmp(role, "server") != 0) {
        return CHECK_LOG_OTHER;
    }
    escape_name(event.version, version, version + strlen(version));
    escape_name(event.id, id, id + strlen(id));
    return tell(reading, &event, parse_words(field(object, "msg"), is_agent, false, &event));
}

static enum check_log_meaning heavier(enum check_log_meaning a, enum check_log_meaning b)
{
    return a > b ? a : b;
}

/* A string may hold several lines, and colours of its own. */
static enum check_log_meaning read_string(struct reading *reading, char *text)
{
    struct reading inner = *reading;
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    inner.cut = false;
    inner.depth++;
    for (char *line = strsep(&text, "\n"); line != NULL; line = strsep(&text, "\n")) {
        text_clean_line(line, strlen(line));
        meaning = heavier(meaning, read_text(&inner, line));
    }
    return meaning;
}

/* journald writes what is not plain text as an array of bytes. */
static enum check_log_meaning read_byte_array(struct reading *reading, const cJSON *array)
{
    char *text = mem_calloc((size_t)cJSON_GetArraySize(array) + 1, 1);
    size_t len = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        text[len] = (char)(unsigned char)item->valueint;
        len += text[len] != '\0';
    }
    enum check_log_meaning meaning = read_string(reading, text);
    free(text);
    return meaning;
}

static bool is_byte_array(const cJSON *array)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsNumber(item)) {
            return false;
        }
    }
    return cJSON_IsArray(array) && array->child != NULL;
}

static enum check_log_meaning read_value(struct reading *reading, cJSON *value);

/* The first member that says something: collectors repeat a line under several names. */
static enum check_log_meaning read_members(struct reading *reading, cJSON *object)
{
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    for (cJSON *item = object->child; item != NULL && meaning <= CHECK_LOG_LOST; item = item->next) {
        meaning = heavier(meaning, read_value(reading, item));
    }
    return meaning;
}

static enum check_log_meaning read_value(struct reading *reading, cJSON *value)
{
    if (cJSON_IsString(value)) {
        return read_string(reading, value->valuestring);
    }
    if (is_byte_array(value)) {
        return read_byte_array(reading, value);
    }
    if (cJSON_IsObject(value)) {
        bool is_ours = field(value, "role")[0] != '\0' && field(value, "msg")[0] != '\0';
        return is_ours ? read_own_object(reading, value) : read_members(reading, value);
    }
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    for (cJSON *item = value->child; cJSON_IsArray(value) && item != NULL; item = item->next) {
        meaning = heavier(meaning, read_value(reading, item));
    }
    return meaning;
}

/* ---- a text ---------------------------------------------------------------------------------- */

const char *check_log_find_front(const char *line)
{
    const char *at = line;
    while ((at = strchr(at, '[')) != NULL) {
        if (strncmp(at, agent_front, sizeof(agent_front) - 1) == 0 ||
            strncmp(at, server_front, sizeof(server_front) - 1) == 0) {
            return at;
        }
        at++;
    }
    return NULL;
}

bool check_log_mentions_us(const char *line)
{
    static const char *const words[] = {"AGENT_v",       "SERVER_v",      "[AGENT_",
                                        "[SERVER_",      "received pong", "received ping",
                                        "stream opened to", "stream opened from"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasestr(line, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* What those who carry logs say when lines are missing. */
static bool says_that_lines_are_missing(const char *text)
{
    static const char *const words[] = {
        " log lines were dropped",               /* grpcroute */
        "unable to retrieve container logs for", /* kubelet */
        "failed to watch file",                  /* kubelet */
        "messages lost due to rate-limiting",    /* rsyslog */
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(text, words[i]) != NULL) {
            return true;
        }
    }
    const char *suppressed = strstr(text, "Suppressed "); /* journald */
    bool of_journald = suppressed != NULL && isdigit((unsigned char)suppressed[11]) &&
                       strstr(suppressed, " messages from ") != NULL;
    /* kubectl --ignore-errors; a container that did not start yet has no log that could be missing */
    bool of_kubectl = strncmp(text, "error: ", 7) == 0 ||
                      (strncmp(text, "[pod/", 5) == 0 && strstr(text, "] error: ") != NULL);
    return of_journald || (of_kubectl && strstr(text, " is waiting to start") == NULL);
}

/* A line of the proxy, or of the log about itself. */
static bool is_of_another_role(const char *text)
{
    return strncmp(text, "[PROXY", 6) == 0 || strncmp(text, "[LOG] ", 6) == 0;
}

static enum check_log_meaning read_without_front(const char *text)
{
    if (says_that_lines_are_missing(text)) {
        return CHECK_LOG_LOST;
    }
    if (is_of_another_role(text)) {
        return CHECK_LOG_OTHER;
    }
    return check_log_mentions_us(text) ? CHECK_LOG_LOST : CHECK_LOG_FOREIGN;
}

static enum check_log_meaning read_objects(struct reading *reading, const char *text,
                                           const char *front)
{
    const char *at = text;
    for (unsigned tries = 0; tries < OBJECTS_MAX && reading->depth < DEPTH_MAX; tries++) {
        at = strchr(at, '{');
        if (at == NULL || (front != NULL && front < at)) {
            break;
        }
        const char *end = at + 1;
        cJSON *object = cJSON_ParseWithOpts(at, &end, false);
        enum check_log_meaning meaning =
            cJSON_IsObject(object) ? read_value(reading, object) : CHECK_LOG_FOREIGN;
        bool parsed = object != NULL;
        cJSON_Delete(object);
        if (meaning != CHECK_LOG_FOREIGN) {
            return meaning;
        }
        at = parsed ? end : at + 1;
    }
    return CHECK_LOG_FOREIGN;
}

static enum check_log_meaning read_text(struct reading *reading, const char *text)
{
    const char *front = check_log_find_front(text);
    enum check_log_meaning meaning = read_objects(reading, text, front);
    if (meaning != CHECK_LOG_FOREIGN) {
        return meaning;
    }
    if (front == NULL) {
        return read_without_front(text);
    }
    return front > text && front[-1] == '"' ? read_quoted(reading, front)
                                            : read_front(reading, front);
}

enum check_log_meaning check_log_read(const char *line, size_t len, bool cut,
                                      check_log_on_event *on_event, void *user)
{
    struct reading reading = {
        .line = line, .line_len = len, .cut = cut, .on_event = on_event, .user = user};
    return read_text(&reading, line);
}

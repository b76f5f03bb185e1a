/* Reads the lines that agents and servers log, as text or JSON, behind the prefixes of kubectl and
 * containerd. Only a line's front decides what it is: a message that quotes a line is none. */
#include "check/log_line.h"

#include "base/text.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* "2026-01-02T03:04:05.6Z " */
static const char *skip_timestamp(const char *at)
{
    const char *end = strchr(at, ' ');
    bool is_date = isdigit((unsigned char)at[0]) && end != NULL && end - at >= 20 && at[4] == '-' &&
                   at[10] == 'T';
    return is_date ? end + 1 : at;
}

static const char *skip_prefixes(const char *at)
{
    if (strncmp(at, "[pod/", 5) == 0) {
        const char *end = strstr(at, "] ");
        at = end != NULL ? end + 2 : at;
    }
    at = skip_timestamp(at);
    if (strncmp(at, "stdout F ", 9) == 0 || strncmp(at, "stderr F ", 9) == 0) {
        at = skip_timestamp(at + 9);
    }
    return at;
}

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

static bool parse_message(const char *at, bool is_agent, struct check_log_event *event)
{
    if (is_agent) {
        event->kind = CHECK_LOG_AGENT_OPENED;
        if (take(&at, "Stream opened to ")) {
            return true;
        }
        event->kind = CHECK_LOG_PONG;
        return take(&at, "Received pong from server=") && parse_server(at, event);
    }
    if (take(&at, "Stream opened from agent-id=")) {
        event->kind = CHECK_LOG_SERVER_OPENED;
        return parse_agent(at, NULL, event);
    }
    event->kind = CHECK_LOG_PING;
    return take(&at, "Received ping from agent-id=") && parse_agent(at, " message=", event);
}

static bool parse_text(const char *at, struct check_log_event *event)
{
    bool is_agent = take(&at, "[AGENT_");
    if (!is_agent && !take(&at, "[SERVER_")) {
        return false;
    }
    const char *slash = strchr(at, '/');
    const char *end = slash == NULL ? NULL : strstr(slash, "] ");
    if (end == NULL) {
        return false;
    }
    escape_name(event->version, at, slash);
    escape_name(event->id, slash + 1, end);
    return parse_message(end + 2, is_agent, event);
}

static const char *field(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

/* A JSON line carries the words of the text line in "msg". */
static bool parse_json(const char *at, struct check_log_event *event)
{
    cJSON *object = cJSON_Parse(at);
    const char *role = field(object, "role");
    const char *version = field(object, "version");
    const char *id = field(object, "id");
    bool is_agent = strcmp(role, "agent") == 0;
    escape_name(event->version, version, version + strlen(version));
    escape_name(event->id, id, id + strlen(id));
    bool good = (is_agent || strcmp(role, "server") == 0) &&
                parse_message(field(object, "msg"), is_agent, event);
    cJSON_Delete(object);
    return good;
}

static void end_line(struct check_log_reader *reader, check_log_on_event *on_event, void *user)
{
    reader->lines++;
    if (reader->too_long) {
        reader->skipped++;
    } else {
        size_t len = reader->len;
        len -= len > 0 && reader->line[len - 1] == '\r';
        reader->line[len] = '\0';
        struct check_log_event event = {.line = reader->line, .line_len = len};
        const char *at = skip_prefixes(reader->line);
        if (at[0] == '{' ? parse_json(at, &event) : parse_text(at, &event)) {
            on_event(user, &event);
        }
    }
    reader->len = 0;
    reader->too_long = false;
}

void check_log_feed(struct check_log_reader *reader, const char *bytes, size_t len,
                    check_log_on_event *on_event, void *user)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            end_line(reader, on_event, user);
        } else if (reader->len + 1 < sizeof(reader->line)) {
            /* a NUL must not hide what is behind it; it shows as this does, escaped */
            reader->line[reader->len++] = bytes[i] != '\0' ? bytes[i] : '\x01';
        } else {
            reader->too_long = true;
        }
    }
}

void check_log_finish(struct check_log_reader *reader)
{
    reader->skipped += reader->len > 0;
    reader->len = 0;
    reader->too_long = false;
}

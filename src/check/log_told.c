/* The lines of agents and servers, from their front on. */
#include "check/log_told.h"

#include "base/mem.h"
#include "base/text.h"
#include "check/log_words.h"

#include <string.h>

#define FRONT_MAX                                                                                  \
    8448 /* bytes: two names as long as they may be (base/log_line.c), all escaped                 \
          */

static const char opened_to[] = "Stream opened to ";
static const char pong_from[] = "Received pong from server=";
static const char opened_from[] = "Stream opened from agent-id=";
static const char ping_from[] = "Received ping from agent-id=";

void check_log_escape_name(char out[static CHECK_LOG_NAME_BYTES], const char *from, const char *end)
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

/* Versions have no blanks in them, and are no lines: here another one was torn or joined. */
static bool is_version(const char *from, const char *end)
{
    return end > from && memchr(from, ' ', (size_t)(end - from)) == NULL &&
           check_log_find_front(from) != from;
}

/* "server=v1/POD message=..." */
static bool parse_server(const char *at, struct check_log_event *event)
{
    const char *slash = strchr(at, '/');
    const char *end = slash == NULL ? NULL : strstr(slash, " message=");
    if (end == NULL || !is_version(at, slash)) {
        return false;
    }
    check_log_escape_name(event->peer_version, at, slash);
    check_log_escape_name(event->peer_id, slash + 1, end);
    return true;
}

/* Where a name ends that is the last word of a line: at the end, or at what the carrier puts behind
 * the line since it put it before it (a quote of YAML, a column of CSV). */
static const char *end_of_last(const char *from, const char *prefix, size_t prefix_len)
{
    while (prefix_len > 0 && prefix[prefix_len - 1] == ' ') {
        prefix_len--;
    }
    char opened = prefix_len > 0 ? prefix[prefix_len - 1] : '\0';
    const char *end = from + strcspn(from, "\t");
    if (opened == '\'' || opened == ',' || opened == ';') {
        const char *close = memchr(from, opened, (size_t)(end - from));
        end = close != NULL ? close : end;
    }
    while (end > from && end[-1] == ' ') {
        end--;
    }
    bool has_newline = *end == '\'' && end - from > 2 && memcmp(end - 2, "\\n", 2) == 0;
    return has_newline ? end - 2 : end;
}

/* "A agent-version=v1.1", with " message=..." behind it for a ping */
static bool parse_agent(const char *at, const char *end_word, const struct check_log_prefix *prefix,
                        struct check_log_event *event)
{
    static const char word[] = " agent-version=";
    const char *version = strstr(at, word);
    if (version == NULL) {
        return false;
    }
    const char *from = version + sizeof(word) - 1;
    const char *end =
        end_word == NULL ? end_of_last(from, prefix->text, prefix->len) : strstr(from, end_word);
    if (end == NULL || memchr(from, ' ', (size_t)(end - from)) != NULL) {
        return false;
    }
    check_log_escape_name(event->peer_id, at, version);
    check_log_escape_name(event->peer_version, from, end);
    return true;
}

/* True when `text` is the beginning of `word`, and not all of it. */
static bool is_part(const char *text, const char *word)
{
    size_t len = strlen(text);
    return len < strlen(word) && strncmp(text, word, len) == 0;
}

enum check_log_meaning check_log_parse_words(const char *at, bool is_agent, bool cut,
                                             const struct check_log_prefix *prefix,
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
        whole = is_agent || (!cut && parse_agent(at, NULL, prefix, event));
    } else if (take(&at, answered)) {
        event->kind = is_agent ? CHECK_LOG_PONG : CHECK_LOG_PING;
        whole = is_agent ? parse_server(at, event) : parse_agent(at, " message=", prefix, event);
    } else {
        return CHECK_LOG_OTHER;
    }
    return whole ? CHECK_LOG_SAID : CHECK_LOG_LOST;
}

bool check_log_take_front(const char **at, struct check_log_event *event)
{
    const char *from = *at;
    if (!take(&from, CHECK_LOG_AGENT_FRONT) && !take(&from, CHECK_LOG_SERVER_FRONT)) {
        return false;
    }
    size_t len = strnlen(from, FRONT_MAX);
    const char *slash = memchr(from, '/', len);
    const char *end = slash == NULL ? NULL : memmem(slash, len - (size_t)(slash - from), "] ", 2);
    if (end == NULL || !is_version(from, slash)) {
        return false;
    }
    check_log_escape_name(event->version, from, slash);
    check_log_escape_name(event->id, slash + 1, end);
    *at = end + 2;
    return true;
}

const char *check_log_find_joined(const char *words)
{
    static const char *const told[] = {opened_to, pong_from, opened_from, ping_from};
    struct check_log_event event;
    for (const char *at = check_log_find_front(words); at != NULL;
         at = check_log_find_front(at + 1)) {
        const char *inner = at;
        bool is_quoted = at > words && strchr("\"'=\\", at[-1]) != NULL;
        for (size_t i = 0; !is_quoted && check_log_take_front(&inner, &event) && i < 4; i++) {
            if (strncmp(inner, told[i], strlen(told[i])) == 0) {
                return at;
            }
            inner = at;
        }
    }
    return NULL;
}

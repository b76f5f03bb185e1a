#include "check/log_shape.h"

#include "base/mem.h"
#include "check/log_words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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
    const char *own = strstr(text, "The stream log "); /* base/line_writer.c, whatever the cause */
    if (own != NULL && (strstr(own, ": lines are dropped") != NULL ||
                        (strstr(own, " has lost ") != NULL && strstr(own, " lines: ") != NULL))) {
        return true;
    }
    const char *suppressed = strstr(text, "Suppressed "); /* journald */
    bool of_journald = suppressed != NULL && isdigit((unsigned char)suppressed[11]) &&
                       strstr(suppressed, " messages from ") != NULL;
    /* kubectl --ignore-errors; a container that did not start yet has no log that could be
     * missing */
    bool of_kubectl = strncmp(text, "error: ", 7) == 0 ||
                      (strncmp(text, "[pod/", 5) == 0 && strstr(text, "] error: ") != NULL);
    return of_journald || (of_kubectl && strstr(text, " is waiting to start") == NULL);
}

/* A line of the proxy, or of the log about itself. */
static bool is_of_another_role(const char *text)
{
    return strncmp(text, "[PROXY", 6) == 0 || strncmp(text, "[LOG] ", 6) == 0;
}

enum check_log_meaning check_log_read_without_front(const char *text)
{
    if (says_that_lines_are_missing(text)) {
        return CHECK_LOG_LOST;
    }
    if (is_of_another_role(text)) {
        return CHECK_LOG_OTHER;
    }
    bool lost = check_log_mentions_us(text) || check_log_is_binary(text);
    return lost ? CHECK_LOG_LOST : CHECK_LOG_FOREIGN;
}

enum check_log_meaning check_log_of_strangers_text(const char *text)
{
    return check_log_has_line(text)      ? CHECK_LOG_STRANGE
           : check_log_mentions_us(text) ? CHECK_LOG_LOST
                                         : CHECK_LOG_FOREIGN;
}

enum check_log_meaning check_log_of_strangers(const cJSON *value)
{
    if (cJSON_IsString(value)) {
        return check_log_of_strangers_text(value->valuestring);
    }
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    if (check_log_is_byte_array(value)) {
        char *text = check_log_text_of_bytes(value);
        meaning = check_log_of_strangers_text(text);
        free(text);
        return meaning;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, value)
    {
        meaning = check_log_heavier(meaning, check_log_of_strangers(item));
    }
    return meaning;
}

bool check_log_is_list(const char *text)
{
    text += strspn(text, " \t");
    return text[0] == '[' && text[1 + strspn(text + 1, " \t")] != '\0' &&
           strchr("\"[{", text[1 + strspn(text + 1, " \t")]) != NULL;
}

bool check_log_is_open(const char *text)
{
    text += strspn(text, " \t");
    cJSON *object = text[0] == '{' ? cJSON_Parse(text) : NULL;
    bool is_open = text[0] == '{' && object == NULL;
    cJSON_Delete(object);
    return is_open;
}

const char *check_log_find_quote(const char *text, const char *front)
{
    const char *quote = NULL;
    for (const char *at = text; at < front; at++) {
        if (*at == '\\' && at + 1 < front) {
            at++;
        } else if (*at == '"') {
            quote = quote == NULL ? at : NULL;
        }
    }
    return quote;
}

char *check_log_text_of_bytes(const cJSON *array)
{
    char *text = mem_calloc((size_t)cJSON_GetArraySize(array) + 1, 1);
    size_t len = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        text[len] = (char)(unsigned char)item->valueint;
        len += text[len] != '\0';
    }
    return text;
}

bool check_log_is_byte_array(const cJSON *array)
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

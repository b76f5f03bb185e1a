#include "check/log_reading.h"

#include "base/mem.h"
#include "base/text_line.h"
#include "check/log_carrier.h"
#include "check/log_cut.h"
#include "check/log_repeat.h"
#include "check/log_words.h"

#include <stdlib.h>
#include <string.h>

/* ---- text ------------------------------------------------------------------------------------ */

enum check_log_meaning check_log_tell(const struct check_log_reading *reading,
                                      struct check_log_event *event, enum check_log_meaning meaning)
{
    if (meaning == CHECK_LOG_SAID && !check_log_is_repeated(reading->repeat, event)) {
        event->line = reading->line;
        event->line_len = reading->line_len;
        reading->on_event(reading->user, event);
    }
    return meaning;
}

enum check_log_meaning check_log_read_front(const struct check_log_reading *reading,
                                            const char *text, const char *at)
{
    struct check_log_event event = {0};
    const char *first = at;
    const char *front = at;
    while (at != NULL && !check_log_take_front(&at, &event)) {
        at = front = check_log_find_front(at + 1); /* a name that looks like one, in a prefix */
    }
    size_t prefix_len = (size_t)((at != NULL ? front : first) - text);
    if (!check_log_is_prefix(text, prefix_len)) {
        return CHECK_LOG_STRANGE;
    }
    if (at == NULL) {
        return CHECK_LOG_LOST;
    }
    bool is_agent = front[1] == CHECK_LOG_AGENT_FRONT[1];
    if (check_log_find_joined(at) != NULL) {
        return CHECK_LOG_LOST;
    }
    const struct check_log_prefix prefix = {text, prefix_len};
    return check_log_tell(reading, &event,
                          check_log_parse_words(at, is_agent, reading->cut, &prefix, &event));
}

enum check_log_meaning check_log_read_quoted(const struct check_log_reading *reading,
                                             const char *at)
{
    char *copy = mem_strdup(at);
    size_t len = 0;
    const char *from = at;
    while (*from != '\0' && *from != '"') {
        from += *from == '\\' && (from[1] == '"' || from[1] == '\\');
        copy[len++] = *from++;
    }
    struct check_log_reading inner = *reading;
    inner.cut = reading->cut && *from == '\0';
    copy[len] = '\0';
    text_clean_line(copy, len);
    const char *front = check_log_find_front(copy);
    enum check_log_meaning meaning =
        front != NULL ? check_log_read_front(&inner, copy, front) : CHECK_LOG_LOST;
    free(copy);
    return meaning;
}

/* ---- objects --------------------------------------------------------------------------------- */

static const char *field(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

bool check_log_is_own_object(const cJSON *object)
{
    static const char *const roles[] = {"agent", "server", "proxy", "log"};
    const char *role = field(object, "role");
    bool is_role = false;
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        is_role = is_role || strcmp(role, roles[i]) == 0;
    }
    return is_role && field(object, "msg")[0] != '\0';
}

/* Of the log itself, or of the proxy's stream log. */
static bool is_about_missing_lines(const char *event)
{
    static const char *const events[] = {"log_lines_dropped", "lines_dropped", "lines_dropping"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        found = found || strcmp(event, events[i]) == 0;
    }
    return found;
}

/* It is whole, since it was parsed. */
enum check_log_meaning check_log_read_own_object(const struct check_log_reading *reading,
                                                 const cJSON *object)
{
    const char *role = field(object, "role");
    const char *version = field(object, "version");
    const char *id = field(object, "id");
    bool is_agent = strcmp(role, "agent") == 0;
    static const struct check_log_prefix nothing = {.text = ""};
    struct check_log_event event = {0};
    if (is_about_missing_lines(field(object, "event"))) {
        return CHECK_LOG_LOST;
    }
    if (!is_agent && strcmp(role, "server") != 0) {
        return CHECK_LOG_OTHER;
    }
    check_log_escape_name(event.version, version, version + strlen(version));
    check_log_escape_name(event.id, id, id + strlen(id));
    return check_log_tell(
        reading, &event,
        check_log_parse_words(field(object, "msg"), is_agent, false, &nothing, &event));
}

/* ---- parts ----------------------------------------------------------------------------------- */

bool check_log_is_part(const struct check_log_reading *reading, const char *text,
                       struct check_log_cut *ret)
{
    return reading->depth < CHECK_LOG_DEPTH_MAX && check_log_cut_text(text, ret) &&
           (ret->kind == CHECK_LOG_PART || ret->text[0] == '\0' ||
            check_log_parts_find(reading->parts, ret->key) != NULL);
}

/* The lines of agents and servers, as text or JSON. The first front on a line decides: what an
 * agent or server quotes behind its own front is none. Around it there may be a prefix (kubectl,
 * stern, compose, journald, Go's log), quotes (logfmt, JSON over several lines), or an object that
 * carries the line as a string (docker, Loki, journald, the collectors). */
#include "check/log_event.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/text_line.h"
#include "check/log_cut.h"
#include "check/log_repeat.h"
#include "check/log_words.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX  8  /* that are none, tried on one line */
#define LITERALS_MAX 32 /* strings on one line, outside of objects */
#define DEPTH_MAX   6 /* of lines within objects within lines */
#define SHOWN_BYTES 200 /* of a line within a longer one, that alone is shown */

struct reading {
    const char *line; /* all of it, to be shown */
    size_t line_len;
    bool cut;
    size_t blanks; /* that stood at the end of the text */
    unsigned depth;
    unsigned literals;
    struct check_log_parts *parts;
    struct check_log_repeat *repeat; /* the object that is read; NULL: none */
    check_log_on_event *on_event;
    void *user;
};

static enum check_log_meaning read_text(struct reading *reading, const char *text);

/* ---- events ---------------------------------------------------------------------------------- */

static enum check_log_meaning tell(const struct reading *reading, struct check_log_event *event,
                                   enum check_log_meaning meaning)
{
    if (meaning == CHECK_LOG_SAID && !check_log_is_repeated(reading->repeat, event)) {
        event->line = reading->line;
        event->line_len = reading->line_len;
        reading->on_event(reading->user, event);
    }
    return meaning;
}

/* From a front in `text` to its end. */
static enum check_log_meaning read_front(const struct reading *reading, const char *text,
                                         const char *at)
{
    struct check_log_event event = {0};
    const char *front = at;
    while (at != NULL && !check_log_take_front(&at, &event)) {
        at = front = check_log_find_front(at + 1); /* a name that looks like one, in a prefix */
    }
    if (at == NULL) {
        return CHECK_LOG_LOST;
    }
    bool is_agent = front[1] == CHECK_LOG_AGENT_FRONT[1];
    if (check_log_find_joined(at) != NULL) {
        return CHECK_LOG_LOST;
    }
    const struct check_log_prefix prefix = {text, (size_t)(front - text)};
    return tell(reading, &event, check_log_parse_words(at, is_agent, reading->cut, &prefix, &event));
}

/* A string that is no valid one, or whose end is missing. */
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
    const char *front = check_log_find_front(copy);
    enum check_log_meaning meaning =
        front != NULL ? read_front(&inner, copy, front) : CHECK_LOG_LOST;
    free(copy);
    return meaning;
}

/* ---- objects --------------------------------------------------------------------------------- */

static const char *field(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

static bool is_own_object(const cJSON *object)
{
    static const char *const roles[] = {"agent", "server", "proxy", "log"};
    const char *role = field(object, "role");
    bool is_role = false;
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        is_role = is_role || strcmp(role, roles[i]) == 0;
    }
    return is_role && field(object, "msg")[0] != '\0';
}

/* A line of ours carries the words of the text line in "msg"; it is whole, since it was parsed. */
static enum check_log_meaning read_own_object(const struct reading *reading, const cJSON *object)
{
    const char *role = field(object, "role");
    const char *version = field(object, "version");
    const char *id = field(object, "id");
    bool is_agent = strcmp(role, "agent") == 0;
    static const struct check_log_prefix nothing = {.text = ""};
    struct check_log_event event = {0};
    if (strcmp(field(object, "event"), "log_lines_dropped") == 0) {
        return CHECK_LOG_LOST;
    }
    if (!is_agent && strcmp(role, "server") != 0) {
        return CHECK_LOG_OTHER;
    }
    check_log_escape_name(event.version, version, version + strlen(version));
    check_log_escape_name(event.id, id, id + strlen(id));
    return tell(reading, &event, check_log_parse_words(field(object, "msg"), is_agent, false, &nothing, &event));
}

static enum check_log_meaning heavier(enum check_log_meaning a, enum check_log_meaning b)
{
    return a > b ? a : b;
}

/* Of different lines: one that is lost is not made good by another. */
static enum check_log_meaning both(enum check_log_meaning a, enum check_log_meaning b)
{
    return a == CHECK_LOG_LOST || b == CHECK_LOG_LOST ? CHECK_LOG_LOST : heavier(a, b);
}

/* A line within a line. Where all of it would be too much to show, this one is what is shown. */
static enum check_log_meaning read_inner(struct reading *reading, char *line, size_t len)
{
    struct reading inner = *reading;
    inner.cut = false;
    inner.depth++;
    inner.blanks = 0;
    while (inner.blanks < len && line[len - 1 - inner.blanks] == ' ') {
        inner.blanks++;
    }
    len = text_clean_line(line, len);
    if (reading->line_len > SHOWN_BYTES) {
        inner.line = line;
        inner.line_len = len;
    }
    return read_text(&inner, line);
}

/* A string may hold several lines, and colours of its own. */
static enum check_log_meaning read_string(struct reading *reading, char *text)
{
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    for (char *line = strsep(&text, "\r\n"); line != NULL; line = strsep(&text, "\r\n")) {
        if (line[0] != '\0') {
            meaning = both(meaning, read_inner(reading, line, strlen(line)));
        }
    }
    return meaning;
}

/* ---- lines that were cut --------------------------------------------------------------------- */

static enum check_log_meaning read_copy(struct reading *reading, const char *text)
{
    char *copy = mem_strdup(text);
    enum check_log_meaning meaning = read_string(reading, copy);
    free(copy);
    return meaning;
}

/* All its parts are there. */
static enum check_log_meaning read_joined(struct reading *reading, struct check_log_part *part)
{
    struct check_log_buffer text = check_log_parts_take(part);
    char *line = check_log_buffer_end(&text);
    enum check_log_meaning meaning;
    if (text.too_long) {
        meaning = text.mentions_us || check_log_mentions_us(line) ? CHECK_LOG_LOST
                                                                  : CHECK_LOG_FOREIGN;
    } else {
        meaning = read_inner(reading, line, text.len);
    }
    check_log_buffer_deinit(&text);
    return meaning;
}

static void add_part(struct reading *reading, const struct check_log_cut *cut)
{
    struct check_log_part *part =
        check_log_parts_add(reading->parts, cut->key, cut->text, strlen(cut->text));
    for (size_t i = 0; cut->text[0] != '\0' && i < reading->blanks; i++) {
        check_log_buffer_put(&part->text, " ", 1, CHECK_LOG_PART_BYTES);
    }
}

/* Docker ends each line with its end. Others write the same members and leave it out: they are
 * known by a second line of ours that begins before the first one ended. */
static enum check_log_meaning end_unended(struct reading *reading, struct check_log_part *part,
                                          const char *next)
{
    if (check_log_find_front(next) == NULL ||
        check_log_find_front(check_log_buffer_end(&part->text)) == NULL) {
        return CHECK_LOG_FOREIGN;
    }
    reading->parts->never_cut = !reading->parts->ends_seen;
    return read_joined(reading, part);
}

static enum check_log_meaning read_cut(struct reading *reading, const struct check_log_cut *cut,
                                       bool of_docker)
{
    struct check_log_parts *parts = reading->parts;
    struct check_log_part *part = check_log_parts_find(parts, cut->key);
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    if (of_docker && part != NULL) {
        meaning = end_unended(reading, part, cut->text);
        part = check_log_parts_find(parts, cut->key);
    }
    bool is_whole = cut->kind == CHECK_LOG_LAST || cut->kind == CHECK_LOG_BARE ||
                    (cut->kind == CHECK_LOG_OPEN && parts->never_cut);
    parts->ends_seen = parts->ends_seen || (of_docker && cut->kind == CHECK_LOG_LAST);
    if (is_whole && part == NULL) {
        return cut->text[0] == '\0' ? both(meaning, CHECK_LOG_OTHER)
                                    : both(meaning, read_copy(reading, cut->text));
    }
    add_part(reading, cut);
    if (!is_whole) {
        return both(meaning, CHECK_LOG_OTHER);
    }
    return both(meaning, read_joined(reading, check_log_parts_find(parts, cut->key)));
}

/* ---- values ---------------------------------------------------------------------------------- */

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

/* One member's line does not make another's good, unless that one only mentions us (a label). */
static enum check_log_meaning read_member(struct reading *reading, cJSON *member,
                                          enum check_log_meaning before)
{
    const char *text = cJSON_GetStringValue(member);
    bool is_line = text != NULL && check_log_find_front(text) != NULL;
    enum check_log_meaning meaning = read_value(reading, member);
    return is_line ? both(before, meaning) : heavier(before, meaning);
}

static enum check_log_meaning read_members(struct reading *reading, cJSON *object)
{
    struct check_log_repeat repeat = {.outer = reading->repeat};
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    reading->repeat = &repeat;
    for (cJSON *item = object->child; item != NULL; item = item->next) {
        check_log_repeat_next(&repeat);
        meaning = read_member(reading, item, meaning);
    }
    reading->repeat = repeat.outer;
    check_log_repeat_deinit(&repeat);
    return meaning;
}

/* A record of a collector. `prefix` stands before it. */
static enum check_log_meaning read_record(struct reading *reading, cJSON *object,
                                          const char *prefix, size_t prefix_len)
{
    struct check_log_cut cut;
    if (is_own_object(object)) {
        return read_own_object(reading, object);
    }
    if (check_log_cut_object(object, prefix, prefix_len, &cut) &&
        (cut.kind != CHECK_LOG_BARE || check_log_parts_find(reading->parts, cut.key) != NULL)) {
        reading->blanks = 0;
        return read_cut(reading, &cut, cut.of_docker);
    }
    return read_members(reading, object);
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
        return read_record(reading, value, "", 0);
    }
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    for (cJSON *item = value->child; cJSON_IsArray(value) && item != NULL; item = item->next) {
        meaning = both(meaning, read_value(reading, item));
    }
    return meaning;
}

/* ---- a text ---------------------------------------------------------------------------------- */

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
    bool lost = check_log_mentions_us(text) || check_log_is_binary(text);
    return lost ? CHECK_LOG_LOST : CHECK_LOG_FOREIGN;
}

/* A text that begins as a list of strings, lists or objects, all of it. */
static bool is_list(const char *text)
{
    text += strspn(text, " \t");
    return text[0] == '[' && text[1 + strspn(text + 1, " \t")] != '\0' &&
           strchr("\"[{", text[1 + strspn(text + 1, " \t")]) != NULL;
}

/* Reads the object or list at `*at`, `len` bytes before the end of the line, and moves behind it;
 * where there is none, behind its first byte. */
static enum check_log_meaning read_one(struct reading *reading, const char *prefix, size_t len,
                                       const char **at, bool *ret_parsed)
{
    const char *end = NULL;
    const char *from = *at;
    cJSON *value = cJSON_ParseWithLengthOpts(from, len, &end, false);
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    if (cJSON_IsObject(value)) {
        meaning = read_record(reading, value, prefix, (size_t)(from - prefix));
    } else if (value != NULL) {
        meaning = read_value(reading, value);
    }
    *ret_parsed = value != NULL;
    *at = value != NULL ? end : from + 1;
    cJSON_Delete(value);
    return meaning;
}

/* All objects of a line: some write them one behind the other. One behind a line of ours is none of
 * a carrier. */
static enum check_log_meaning read_objects(struct reading *reading, const char *text)
{
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    const char *end = text + strlen(text);
    const char *prefix = text;
    const char *at = is_list(text) ? strchr(text, '[') : strchr(text, '{');
    const char *front = check_log_find_front(text);
    for (unsigned misses = 0; at != NULL && (front == NULL || at < front);
         at = strchr(at, '{')) {
        bool parsed;
        if (misses == OBJECTS_MAX || reading->depth == DEPTH_MAX) {
            break;
        }
        meaning = both(meaning, read_one(reading, prefix, (size_t)(end - at), &at, &parsed));
        misses += !parsed;
        prefix = parsed ? at : prefix;
        front = front != NULL && front < at ? check_log_find_front(at) : front;
    }
    bool more = meaning != CHECK_LOG_FOREIGN && front != NULL;
    return more ? CHECK_LOG_LOST : meaning;
}

/* Where the string begins that `front` stands in, or NULL. */
static const char *find_quote(const char *text, const char *front)
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

/* A string as JSON and Go write it, and what stands behind it. */
static enum check_log_meaning read_literal(struct reading *reading, const char *quote)
{
    const char *end = NULL;
    cJSON *string =
        reading->depth < DEPTH_MAX ? cJSON_ParseWithOpts(quote, &end, false) : NULL;
    if (!cJSON_IsString(string)) {
        cJSON_Delete(string);
        return read_quoted(reading, quote + 1);
    }
    enum check_log_meaning meaning = read_string(reading, string->valuestring);
    cJSON_Delete(string);
    if (check_log_find_front(end) == NULL) {
        return meaning;
    }
    return reading->literals++ < LITERALS_MAX ? both(meaning, read_text(reading, end))
                                              : CHECK_LOG_LOST;
}

/* A whole line of containerd's is read as any other behind a prefix; an empty one says nothing. */
static bool is_part_of_line(const struct reading *reading, const char *text,
                            struct check_log_cut *ret)
{
    return reading->depth < DEPTH_MAX && check_log_cut_text(text, ret) &&
           (ret->kind == CHECK_LOG_PART || ret->text[0] == '\0' ||
            check_log_parts_find(reading->parts, ret->key) != NULL);
}

static enum check_log_meaning read_text(struct reading *reading, const char *text)
{
    struct check_log_cut cut;
    if (is_part_of_line(reading, text, &cut)) {
        return read_cut(reading, &cut, false);
    }
    const char *front = check_log_find_front(text);
    enum check_log_meaning meaning = read_objects(reading, text);
    if (meaning != CHECK_LOG_FOREIGN) {
        return meaning;
    }
    if (front == NULL) {
        return read_without_front(text);
    }
    const char *quote = find_quote(text, front);
    return quote != NULL ? read_literal(reading, quote) : read_front(reading, text, front);
}

enum check_log_meaning check_log_read(const struct check_log_line *line,
                                      struct check_log_parts *parts,
                                      check_log_on_event *on_event, void *user)
{
    struct reading reading = {.line = line->text,
                              .line_len = line->len,
                              .cut = line->cut,
                              .blanks = line->blanks,
                              .parts = parts,
                              .on_event = on_event,
                              .user = user};
    return read_text(&reading, line->text);
}

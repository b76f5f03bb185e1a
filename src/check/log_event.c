/* The lines of agents and servers, as text or JSON. The first front on a line decides: what an
 * agent or server quotes behind its own front is none. Around it there may be a prefix (kubectl,
 * stern, compose, journald, Go's log), quotes (logfmt, JSON over several lines), or an object that
 * carries the line as a string (docker, Loki, journald, the collectors). Anything else around it is
 * somebody's who quotes it. */
#include "check/log_event.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/text_line.h"
#include "check/log_carrier.h"
#include "check/log_cut.h"
#include "check/log_member.h"
#include "check/log_reading.h"
#include "check/log_repeat.h"
#include "check/log_shape.h"
#include "check/log_stream.h"
#include "check/log_tail.h"
#include "check/log_words.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 8   /* that are none, tried on one line */
#define SHOWN_BYTES 200 /* of a line within a longer one, that alone is shown */

static enum check_log_meaning read_text(struct check_log_reading *reading, const char *text);

/* ---- strings --------------------------------------------------------------------------------- */

/* A line within a line. Where all of it would be too much to show, this one is what is shown. */
static enum check_log_meaning read_inner(struct check_log_reading *reading, char *line, size_t len)
{
    struct check_log_reading inner = *reading;
    inner.cut = false;
    inner.in = "";
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

/* A string may hold several lines, and colours of its own. Where it begins as somebody's text,
 * what comes behind is of that text: a newline in it may be a client's, too. */
static enum check_log_meaning read_string(struct check_log_reading *reading, char *text)
{
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    bool somebodys = false;
    for (char *line = strsep(&text, "\r\n"); line != NULL; line = strsep(&text, "\r\n")) {
        if (line[0] == '\0') {
            continue;
        }
        enum check_log_meaning one =
            somebodys ? check_log_of_strangers_text(line) : read_inner(reading, line, strlen(line));
        meaning = check_log_both(meaning, one);
        somebodys = meaning < CHECK_LOG_OTHER;
    }
    return meaning;
}

/* ---- lines that were cut --------------------------------------------------------------------- */

static enum check_log_meaning read_copy(struct check_log_reading *reading, const char *text)
{
    char *copy = mem_strdup(text);
    enum check_log_meaning meaning = read_string(reading, copy);
    free(copy);
    return meaning;
}

/* All its parts are there. */
static enum check_log_meaning read_joined(struct check_log_reading *reading,
                                          struct check_log_part *part)
{
    struct check_log_buffer text = check_log_parts_take(part);
    char *line = check_log_buffer_end(&text);
    enum check_log_meaning meaning;
    if (text.too_long) {
        meaning =
            text.mentions_us || check_log_mentions_us(line) ? CHECK_LOG_LOST : CHECK_LOG_FOREIGN;
    } else {
        meaning = read_inner(reading, line, text.len);
    }
    check_log_buffer_deinit(&text);
    return meaning;
}

/* Blanks at the end of a part belong to the line; check_log_buffer_end() takes them out. */
static size_t count_blanks(const struct check_log_buffer *text)
{
    size_t count = 0;
    while (count < text->len && text->bytes[text->len - 1 - count] == ' ') {
        count++;
    }
    return count;
}

static void add_blanks(struct check_log_buffer *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_log_buffer_put(text, " ", 1, CHECK_LOG_PART_BYTES);
    }
}

static void add_part(struct check_log_reading *reading, const struct check_log_cut *cut)
{
    struct check_log_part *part =
        check_log_parts_add(reading->parts, cut->key, cut->text, strlen(cut->text));
    add_blanks(&part->text, cut->text[0] != '\0' ? reading->blanks : 0);
}

/* Docker ends each line with its end. Others write the same members and leave it out: they are
 * known by a second line of ours that begins before the first one ended. */
static enum check_log_meaning end_unended(struct check_log_reading *reading,
                                          struct check_log_part *part, const char *next)
{
    if (!check_log_has_line(next)) {
        return CHECK_LOG_FOREIGN;
    }
    size_t blanks = count_blanks(&part->text);
    const char *text = check_log_buffer_end(&part->text);
    if (!check_log_has_line(text) || check_log_is_open(text)) {
        add_blanks(&part->text, blanks);
        return CHECK_LOG_FOREIGN;
    }
    reading->parts->never_cut = !reading->parts->ends_seen;
    return read_joined(reading, part);
}

static enum check_log_meaning read_cut(struct check_log_reading *reading,
                                       const struct check_log_cut *cut, bool of_docker)
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
        return cut->text[0] == '\0' ? check_log_both(meaning, CHECK_LOG_OTHER)
                                    : check_log_both(meaning, read_copy(reading, cut->text));
    }
    add_part(reading, cut);
    if (!is_whole) {
        return check_log_both(meaning, CHECK_LOG_OTHER);
    }
    return check_log_both(meaning, read_joined(reading, check_log_parts_find(parts, cut->key)));
}

/* ---- values ---------------------------------------------------------------------------------- */

static enum check_log_meaning read_bytes(struct check_log_reading *reading, const cJSON *array)
{
    char *text = check_log_text_of_bytes(array);
    enum check_log_meaning meaning = read_string(reading, text);
    free(text);
    return meaning;
}

/* What the owner of a value lets it carry. */
struct carried {
    bool texts;
    bool objects;
};

static enum check_log_meaning read_value(struct check_log_reading *reading, cJSON *value,
                                         struct carried carried);

/* What members say that hold a line, and what others do. */
struct said {
    enum check_log_meaning lines;
    enum check_log_meaning rest;
};

static void read_member(struct check_log_reading *reading, cJSON *member, struct said *said)
{
    const char *in = reading->in;
    const char *text = cJSON_GetStringValue(member);
    const struct carried carried = {check_log_carries_text(in, member->string),
                                    check_log_carries_object(in, member->string)};
    reading->in = member->string;
    enum check_log_meaning meaning = read_value(reading, member, carried);
    reading->in = in;
    bool is_line = meaning == CHECK_LOG_STRANGE || (text != NULL && check_log_has_line(text));
    if (is_line) {
        said->lines = check_log_both(said->lines, meaning);
    } else {
        said->rest = check_log_heavier(said->rest, meaning);
    }
}

/* One member's line does not make another's good, unless that one only mentions us (a label). */
static enum check_log_meaning read_members(struct check_log_reading *reading, cJSON *object)
{
    struct check_log_repeat repeat = {.outer = reading->repeat};
    struct said said = {CHECK_LOG_FOREIGN, CHECK_LOG_FOREIGN};
    reading->repeat = &repeat;
    for (cJSON *item = object->child; item != NULL; item = item->next) {
        check_log_repeat_next(&repeat);
        read_member(reading, item, &said);
    }
    reading->repeat = repeat.outer;
    check_log_repeat_deinit(&repeat);
    return check_log_is_lost(said.lines) ? said.lines : check_log_heavier(said.lines, said.rest);
}

/* A line as an object, or a record of a collector. `prefix` stands before it. */
static enum check_log_meaning read_record(struct check_log_reading *reading, cJSON *object,
                                          const char *prefix, size_t prefix_len)
{
    struct check_log_cut cut;
    if (!check_log_carries_text(reading->in, "log")) {
        return read_members(reading, object);
    }
    if (check_log_is_stream(object)) {
        return check_log_read_stream(reading, object);
    }
    if (check_log_is_own_object(object)) {
        return check_log_read_own_object(reading, object);
    }
    if (check_log_carries_twice(object)) {
        return check_log_of_strangers(object);
    }
    if (check_log_cut_object(object, prefix, prefix_len, &cut) &&
        (cut.kind != CHECK_LOG_BARE || check_log_parts_find(reading->parts, cut.key) != NULL)) {
        reading->blanks = 0;
        return read_cut(reading, &cut, cut.of_docker);
    }
    return read_members(reading, object);
}

static enum check_log_meaning read_value(struct check_log_reading *reading, cJSON *value,
                                         struct carried carried)
{
    if (cJSON_IsString(value) && carried.texts) {
        return read_string(reading, value->valuestring);
    }
    if (check_log_is_byte_array(value) && carried.texts) {
        return read_bytes(reading, value);
    }
    if (cJSON_IsObject(value) && carried.objects) {
        return read_record(reading, value, "", 0);
    }
    if (!cJSON_IsArray(value) || check_log_is_byte_array(value)) {
        return check_log_of_strangers(value);
    }
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    for (cJSON *item = value->child; item != NULL; item = item->next) {
        meaning = check_log_both(meaning, read_value(reading, item, carried));
    }
    return meaning;
}

/* ---- a text ---------------------------------------------------------------------------------- */

/* Whether nothing stands behind an object: the end of a list or an object around it, or another
 * one, is nothing. */
static bool ends_line(const char *end)
{
    end += strspn(end, " \t,]}");
    return *end == '\0' || *end == '{';
}

/* Reads the object or list at `*at`, `len` bytes before the end of the line, and moves behind it;
 * where there is none, behind its first byte. In a text of somebody's it is a quotation. */
static enum check_log_meaning read_one(struct check_log_reading *reading, const char *prefix,
                                       size_t len, const char **at, bool *ret_parsed)
{
    const char *end = NULL;
    const char *from = *at;
    size_t prefix_len = (size_t)(from - prefix);
    cJSON *value = cJSON_ParseWithLengthOpts(from, len, &end, false);
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    if (value != NULL && !(ends_line(end) && check_log_is_prefix(prefix, prefix_len))) {
        meaning = check_log_of_strangers(value);
    } else if (cJSON_IsObject(value)) {
        meaning = read_record(reading, value, prefix, prefix_len);
    } else if (value != NULL) {
        meaning = read_value(reading, value, (struct carried){true, true});
    }
    *ret_parsed = value != NULL;
    *at = value != NULL ? end : from + 1;
    cJSON_Delete(value);
    return meaning;
}

/* Whether the object that begins at `from` and does not end well is of a proxy's log: another one
 * begins at `next`. */
static bool is_torn(const char *from, const char *next)
{
    const char *stream = check_log_find_stream(from);
    return stream != NULL && (next == NULL || stream < next);
}

/* All objects of a line: some write them one behind the other. One behind a line of ours is none of
 * a carrier, and a torn one beside a whole one is lost. */
static enum check_log_meaning read_objects(struct check_log_reading *reading, const char *text)
{
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    const char *end = text + strlen(text);
    const char *prefix = text;
    const char *at = check_log_is_list(text) ? strchr(text, '[') : strchr(text, '{');
    const char *front = check_log_find_front(text);
    bool torn = false;
    for (unsigned misses = 0; at != NULL && (front == NULL || at < front); at = strchr(at, '{')) {
        bool parsed;
        if (misses == OBJECTS_MAX || reading->depth == CHECK_LOG_DEPTH_MAX) {
            break;
        }
        const char *from = at;
        enum check_log_meaning one = read_one(reading, prefix, (size_t)(end - at), &at, &parsed);
        meaning = check_log_both(meaning, one);
        misses += !parsed;
        torn = torn || (!parsed && is_torn(from, strchr(at, '{')));
        prefix = parsed ? at : prefix;
        front = front != NULL && front < at ? check_log_find_front(at) : front;
    }
    bool more = meaning != CHECK_LOG_FOREIGN && (front != NULL || torn);
    return more ? check_log_both(meaning, CHECK_LOG_LOST) : meaning;
}

/* A string as JSON and Go write it, which nobody writes two of into one line. */
static enum check_log_meaning read_literal(struct check_log_reading *reading, const char *quote)
{
    const char *end = NULL;
    cJSON *string =
        reading->depth < CHECK_LOG_DEPTH_MAX ? cJSON_ParseWithOpts(quote, &end, false) : NULL;
    if (!cJSON_IsString(string)) {
        cJSON_Delete(string);
        return check_log_read_quoted(reading, quote + 1);
    }
    enum check_log_meaning meaning = read_string(reading, string->valuestring);
    cJSON_Delete(string);
    return check_log_find_front(end) == NULL ? meaning : CHECK_LOG_STRANGE;
}

/* No part, and no object of ours. */
static enum check_log_meaning read_plain(struct check_log_reading *reading, const char *text)
{
    const char *front = check_log_find_front(text);
    const char *told = front != NULL ? front : check_log_find_stream(text);
    const char *quote = told != NULL ? check_log_find_quote(text, told) : NULL;
    if (quote != NULL && !check_log_is_before_string(text, (size_t)(quote - text))) {
        return CHECK_LOG_STRANGE;
    }
    if (quote != NULL) {
        return read_literal(reading, quote);
    }
    return front != NULL ? check_log_read_front(reading, text, front)
                         : check_log_read_without_front(text);
}

static enum check_log_meaning read_text(struct check_log_reading *reading, const char *text)
{
    struct check_log_cut cut;
    if (check_log_is_part(reading, text, &cut)) {
        return read_cut(reading, &cut, false);
    }
    enum check_log_meaning meaning = read_objects(reading, text);
    if (meaning != CHECK_LOG_FOREIGN) {
        return meaning;
    }
    meaning = read_plain(reading, text);
    return meaning < CHECK_LOG_OTHER && check_log_is_tail(text) ? CHECK_LOG_TAIL : meaning;
}

enum check_log_meaning check_log_read(const struct check_log_line *line,
                                      struct check_log_parts *parts, check_log_on_event *on_event,
                                      void *user)
{
    struct check_log_reading reading = {.line = line->text,
                                        .line_len = line->len,
                                        .cut = line->cut,
                                        .blanks = line->blanks,
                                        .headers = line->headers,
                                        .in = "",
                                        .parts = parts,
                                        .on_event = on_event,
                                        .user = user};
    return read_text(&reading, line->text);
}

/* Lines from bytes: cleaned, and joined where a carrier cut them. Encodings are no matter of the
 * file, since files are appended to each other: the zeros of UTF-16 are taken out of each line.
 * Counts what is not understood. The first and the last line of a file may be cut by who copied it,
 * which is told but takes no evidence away that the file ever had. */
#include "check/log_line.h"

#include "base/mem.h"
#include "base/text_line.h"
#include "check/log_carrier.h"
#include "check/log_words.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MIN 8 /* bytes: no line of ours is as short */

/* Where a line goes; passed down together. */
struct sink {
    check_log_on_event *on_event;
    void *user;
    bool at_end;
};

/* An object that ends with the line was not cut. */
static bool is_whole_object(const char *text)
{
    const char *object = strchr(text, '{');
    cJSON *value = object != NULL ? cJSON_ParseWithOpts(object, NULL, true) : NULL;
    bool whole = value != NULL;
    cJSON_Delete(value);
    return whole;
}

static void count(struct check_log_reader *reader, const struct check_log_line *line,
                  enum check_log_meaning meaning)
{
    reader->lines++;
    bool cut_in_front = reader->lines == 1 &&
                        (meaning == CHECK_LOG_TAIL ||
                         (strpbrk(line->text, "[{") == NULL && check_log_mentions_us(line->text)));
    if (meaning < CHECK_LOG_OTHER) {
        bool cut = cut_in_front || (line->at_end && !is_whole_object(line->text));
        check_log_count_unread(&reader->unread, line->text, line->len, meaning, cut);
    }
}

/* ---- arrays of bytes over several lines ------------------------------------------------------ */

/* Appends the numbers at `at`, which are bytes with commas between. Returns what stands behind
 * them, or NULL where it is something else. */
static const char *take_numbers(struct check_log_buffer *numbers, const char *at)
{
    for (;;) {
        at += strspn(at, " \t,");
        if (*at == '\0' || *at == ']') {
            return at;
        }
        char *end;
        unsigned long number = isdigit((unsigned char)*at) ? strtoul(at, &end, 10) : 256;
        if (number > 255) {
            return NULL;
        }
        char byte = number == 0 ? '\x01' : (char)number;
        check_log_buffer_put(numbers, &byte, 1, CHECK_LOG_PART_BYTES);
        at = end;
    }
}

/* The array has ended: it is a text. */
static enum check_log_meaning read_numbers(struct check_log_reader *reader, const struct sink *sink)
{
    struct check_log_line text = {.text = check_log_buffer_end(&reader->numbers),
                                  .len = reader->numbers.len,
                                  .headers = reader->headers};
    enum check_log_meaning meaning = CHECK_LOG_FOREIGN;
    if (reader->numbers_strange) {
        meaning = check_log_has_line(text.text) ? CHECK_LOG_STRANGE : CHECK_LOG_FOREIGN;
    } else if (text.len >= NUMBERS_MIN) {
        meaning = check_log_read(&text, &reader->parts, sink->on_event, sink->user);
    }
    check_log_buffer_clear(&reader->numbers);
    reader->in_numbers = false;
    return meaning;
}

/* `journalctl -o json-pretty` writes a message with colours as an array, and each number on a line
 * of its own. False: `line` has no part in such an array. */
static bool take_array(struct check_log_reader *reader, const struct check_log_line *line,
                       const struct sink *sink)
{
    const char *at = line->text;
    if (!reader->in_numbers) {
        at = strchr(at, '[');
        if (at == NULL || strchr("\"[", line->text[strspn(line->text, " \t")]) == NULL) {
            return false;
        }
        size_t key_len = (size_t)(at - line->text);
        reader->numbers_strange = !check_log_is_before_string(line->text, key_len);
        at++;
    }
    bool was_in = reader->in_numbers;
    at = take_numbers(&reader->numbers, at);
    reader->in_numbers = at != NULL && *at == '\0';
    if (reader->in_numbers) {
        count(reader, line, CHECK_LOG_OTHER);
        return true;
    }
    enum check_log_meaning meaning = read_numbers(reader, sink);
    bool is_told = meaning != CHECK_LOG_FOREIGN || (was_in && at != NULL);
    if (is_told) {
        count(reader, line, meaning == CHECK_LOG_FOREIGN ? CHECK_LOG_OTHER : meaning);
    }
    return is_told;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static enum check_log_meaning read_line(struct check_log_reader *reader,
                                        const struct check_log_line *line, const struct sink *sink)
{
    if (!reader->line.too_long) {
        return check_log_read(line, &reader->parts, sink->on_event, sink->user);
    }
    bool lost = reader->line.mentions_us || check_log_mentions_us(line->text);
    return lost ? CHECK_LOG_LOST : CHECK_LOG_FOREIGN;
}

static void end_line(struct check_log_reader *reader, const struct sink *sink)
{
    struct check_log_buffer *buffer = &reader->line;
    struct check_log_line line = {
        .at_end = sink->at_end, .cut = sink->at_end, .headers = reader->headers};
    while (line.blanks < buffer->len && buffer->bytes[buffer->len - 1 - line.blanks] == ' ') {
        line.blanks++;
    }
    line.text = check_log_buffer_end(buffer);
    line.len = buffer->len;
    reader->parts.latest = line.len > 0 ? 0 : reader->parts.latest;
    if (line.len > 0 && (buffer->too_long || !take_array(reader, &line, sink))) {
        count(reader, &line, read_line(reader, &line, sink));
    }
    check_log_buffer_clear(buffer);
}

/* Zeros are half of UTF-16, and all of a hole that a rotation left: of a hole two are enough. */
static bool is_hole(const struct check_log_buffer *line)
{
    return line->len == 0 || (line->len >= 2 && line->bytes[line->len - 1] == '\0' &&
                              line->bytes[line->len - 2] == '\0');
}

/* What ends a page ends no line: a header may hold it. */
static bool is_plain(char c)
{
    return c != '\0' && c != '\n' && c != '\r';
}

static void take_bytes(struct check_log_reader *reader, const char *bytes, size_t len,
                       const struct sink *sink)
{
    for (size_t at = 0; at < len; at++) {
        size_t from = at;
        while (at < len && is_plain(bytes[at])) {
            at++;
        }
        check_log_buffer_put(&reader->line, bytes + from, at - from, CHECK_LOG_LINE_BYTES);
        if (at == len) {
            return;
        }
        if (bytes[at] != '\0') { /* LF, CR */
            end_line(reader, sink);
        } else if (!is_hole(&reader->line)) {
            check_log_buffer_put(&reader->line, "", 1, CHECK_LOG_LINE_BYTES);
        }
    }
}

void check_log_feed(struct check_log_reader *reader, const char *bytes, size_t len,
                    check_log_on_event *on_event, void *user)
{
    struct sink sink = {.on_event = on_event, .user = user};
    for (size_t i = 0; i < len && reader->magic_len < CHECK_LOG_MAGIC_BYTES; i++) {
        reader->magic[reader->magic_len++] = (unsigned char)bytes[i];
    }
    take_bytes(reader, bytes, len, &sink);
}

/* What has not ended is read as far as it came. */
static void end_parts(struct check_log_reader *reader, const struct sink *sink)
{
    struct check_log_part *part;
    while ((part = check_log_parts_oldest(&reader->parts)) != NULL) {
        bool is_last = part->age == reader->parts.latest;
        struct check_log_buffer text = check_log_parts_take(part);
        struct check_log_line line = {.text = check_log_buffer_end(&text),
                                      .at_end = is_last,
                                      .cut = true,
                                      .headers = reader->headers};
        line.len = text.len;
        if (line.len > 0) {
            count(reader, &line, check_log_read(&line, &reader->parts, sink->on_event, sink->user));
        }
        check_log_buffer_deinit(&text);
    }
    check_log_parts_deinit(&reader->parts);
}

void check_log_finish(struct check_log_reader *reader, check_log_on_event *on_event, void *user)
{
    struct sink sink = {.on_event = on_event, .user = user, .at_end = true};
    end_line(reader, &sink);
    end_parts(reader, &sink);
    check_log_add_unread(&reader->unread, &reader->parts.unread);
    reader->lines += reader->parts.unread.lines;
    reader->parts.unread = (struct check_log_unread){0};
    check_log_buffer_deinit(&reader->line);
    check_log_buffer_deinit(&reader->numbers);
}

const char *check_log_packed(const struct check_log_reader *reader)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *name;
    } formats[] = {
        {"\x1f\x8b", 2, "gzip"},
        {"\x28\xb5\x2f\xfd", 4, "zstd"},
        {"BZh", 3, "bzip2"},
        {"\xfd"
         "7zXZ",
         5, "xz"},
        {"PK\x03\x04", 4, "zip"},
        {"\x04\x22\x4d\x18", 4, "lz4"},
        {"\x1f\x9d", 2, "compress"},
        {"LPKSHHRH", 6, "journald's own format"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        if (reader->magic_len >= formats[i].len &&
            memcmp(reader->magic, formats[i].magic, formats[i].len) == 0) {
            return formats[i].name;
        }
    }
    return NULL;
}

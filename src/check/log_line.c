/* Lines from bytes: decoded, cleaned, and joined where containerd cut them. Counts what is not
 * understood. The first and the last line of a file may be cut by who copied it, which is told but
 * takes no evidence away that the file ever had. */
#include "check/log_line.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

static void put(struct check_log_buffer *buffer, const char *bytes, size_t len)
{
    size_t room = sizeof(buffer->bytes) - 1 - buffer->len;
    size_t part = len < room ? len : room;
    memcpy(buffer->bytes + buffer->len, bytes, part);
    buffer->len += part;
    buffer->too_long = buffer->too_long || part < len;
}

static void clear(struct check_log_buffer *buffer)
{
    buffer->len = 0;
    buffer->too_long = false;
}

static void count_unread(struct check_log_unread *unread, const char *line, size_t len, bool lost)
{
    if (unread->lines++ == 0 || (lost && !unread->quote_lost)) {
        text_escape(unread->quote, sizeof(unread->quote), line, len);
        unread->quote_lost = lost;
    }
    unread->lost += lost;
}

void check_log_add_unread(struct check_log_unread *sum, const struct check_log_unread *unread)
{
    if (unread->lines > 0 && (sum->lines == 0 || (unread->quote_lost && !sum->quote_lost))) {
        memcpy(sum->quote, unread->quote, sizeof(sum->quote));
        sum->quote_lost = unread->quote_lost;
    }
    sum->lines += unread->lines;
    sum->lost += unread->lost;
}

/* A whole line, or the front of one that is too long. `at_end`: the last of its file. */
static void take_line(struct check_log_reader *reader, const struct check_log_buffer *line,
                      bool at_end, check_log_on_event *on_event, void *user)
{
    enum check_log_meaning meaning;
    if (line->too_long) {
        meaning = check_log_mentions_us(line->bytes) ? CHECK_LOG_LOST : CHECK_LOG_FOREIGN;
    } else {
        meaning = check_log_read(line->bytes, line->len, at_end, on_event, user);
    }
    bool cut_in_front = reader->lines == 1 && strpbrk(line->bytes, "[{") == NULL &&
                        check_log_mentions_us(line->bytes);
    if (meaning <= CHECK_LOG_LOST) {
        bool lost = meaning == CHECK_LOG_LOST && !at_end && !cut_in_front;
        count_unread(&reader->unread, line->bytes, line->len, lost);
    }
}

/* ---- containerd ------------------------------------------------------------------------------ */

/* "2026-01-02T03:04:05.6Z stdout P TEXT": which stream, whether more follows, where TEXT begins. */
struct cri {
    unsigned stream;
    bool is_part;
    const char *text;
};

static bool is_timestamp(const char *from, const char *end)
{
    return end - from >= 20 && isdigit((unsigned char)from[0]) && from[4] == '-' && from[10] == 'T';
}

static bool parse_cri(const char *line, struct cri *ret)
{
    static const char *const streams[] = {" stdout ", " stderr "};
    for (unsigned i = 0; i < 2; i++) {
        const char *at = strstr(line, streams[i]);
        if (at == NULL) {
            continue;
        }
        const char *time = at;
        while (time > line && time[-1] != ' ') {
            time--;
        }
        const char *tag = at + strlen(streams[i]);
        const char *text = strchr(tag, ' ');
        bool has_tag = (tag[0] == 'P' || tag[0] == 'F') && (tag[1] == ' ' || tag[1] == ':');
        const char *front = check_log_find_front(line);
        /* the text of a part may be empty, and the line then ends behind its tag */
        bool ends = (tag[0] == 'P' || tag[0] == 'F') && tag[1] == '\0';
        if (is_timestamp(time, at) && (has_tag || ends) && (front == NULL || front > at)) {
            *ret = (struct cri){i, tag[0] == 'P', has_tag && text != NULL ? text + 1 : ""};
            return true;
        }
    }
    return false;
}

/* A part that never found its rest: one line that was not understood. */
static void drop_part(struct check_log_reader *reader, struct check_log_buffer *part, bool at_end)
{
    if (part->len > 0) {
        part->bytes[part->len] = '\0';
        reader->lines++;
        count_unread(&reader->unread, part->bytes, part->len,
                     !at_end && check_log_mentions_us(part->bytes));
    }
    clear(part);
}

static void take_cri(struct check_log_reader *reader, const struct cri *cri, bool at_end,
                     check_log_on_event *on_event, void *user)
{
    struct check_log_buffer *part = &reader->parts[cri->stream];
    part->too_long = part->too_long || reader->line.too_long;
    put(part, cri->text, strlen(cri->text));
    if (cri->is_part) {
        return;
    }
    part->len = text_clean_line(part->bytes, part->len);
    if (part->len > 0) {
        reader->lines++;
        take_line(reader, part, at_end, on_event, user);
    }
    clear(part);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void end_line(struct check_log_reader *reader, bool at_end, check_log_on_event *on_event,
                     void *user)
{
    struct check_log_buffer *line = &reader->line;
    struct cri cri;
    /* Blanks at the end of a part belong to the line, so they are counted first. */
    size_t blanks = 0;
    while (blanks < line->len && line->bytes[line->len - 1 - blanks] == ' ') {
        blanks++;
    }
    line->len = text_clean_line(line->bytes, line->len);
    if (parse_cri(line->bytes, &cri)) {
        take_cri(reader, &cri, at_end, on_event, user);
        for (; cri.is_part && cri.text[0] != '\0' && blanks > 0; blanks--) {
            put(&reader->parts[cri.stream], " ", 1);
        }
    } else if (line->len > 0) {
        reader->lines++;
        take_line(reader, line, at_end, on_event, user);
    }
    clear(line);
}

static void take_decoded(struct check_log_reader *reader, const char *bytes, size_t len,
                         check_log_on_event *on_event, void *user)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            end_line(reader, false, on_event, user);
        } else {
            put(&reader->line, bytes + i, 1);
        }
    }
}

void check_log_feed(struct check_log_reader *reader, const char *bytes, size_t len,
                    check_log_on_event *on_event, void *user)
{
    char decoded[TEXT_DECODED_BYTES];
    for (size_t i = 0; i < len; i++) {
        size_t decoded_len = text_decode(&reader->decoder, (uint8_t)bytes[i], decoded);
        take_decoded(reader, decoded, decoded_len, on_event, user);
    }
}

void check_log_finish(struct check_log_reader *reader, check_log_on_event *on_event, void *user)
{
    char decoded[TEXT_DECODED_BYTES];
    size_t len = text_decode_end(&reader->decoder, decoded);
    take_decoded(reader, decoded, len, on_event, user);
    end_line(reader, true, on_event, user);
    drop_part(reader, &reader->parts[0], true);
    drop_part(reader, &reader->parts[1], true);
}

/* Finds reports in files and in logs of pods.
 *
 * Where all of the text is JSON, its objects and the elements of its lists are looked at. Else a
 * line of a report begins with a tab or a brace; what stands before that is the prefix of who
 * carried it. Lines of one prefix belong together, without its numbers, which are times. Where a
 * piece of a report is outside of those that were read, one was missed, and nothing is read. */
#include "bench/report_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text_line.h"
#include "cli/exit.h"
#include "role/input.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define SOURCES_MAX    256 /* different prefixes in one file */
#define PREFIX_BYTES   256
#define TWICE          2 /* a report was there before */

/* ---- lines ----------------------------------------------------------------------------------- */

/* What came behind one prefix. */
struct source {
    char prefix[PREFIX_BYTES];
    struct buf text;
};

struct sources {
    struct source *all; /* owned, SOURCES_MAX */
    size_t count;
    size_t missed; /* places outside of what was read that are of a report */
};

/* The prefix without words that begin with a digit. */
static void take_prefix(const char *line, size_t len, char out[static PREFIX_BYTES])
{
    size_t kept = 0;
    for (size_t at = 0; at < len;) {
        size_t word = at;
        while (at < len && line[at] != ' ') {
            at++;
        }
        bool is_time = word < at && isdigit((unsigned char)line[word]);
        while (!is_time && word < at && kept + 2 < PREFIX_BYTES) {
            out[kept++] = line[word++];
        }
        at++;
    }
    out[kept] = '\0';
}

static struct source *find_source(struct sources *sources, const char *prefix)
{
    size_t i = 0;
    while (i < sources->count && strcmp(sources->all[i].prefix, prefix) != 0) {
        i++;
    }
    if (i == sources->count && i < SOURCES_MAX) {
        sources->count++;
        snprintf(sources->all[i].prefix, PREFIX_BYTES, "%s", prefix);
    }
    return i < SOURCES_MAX ? &sources->all[i] : NULL;
}

/* Words of reports, from their beginning to their end: what is left of one that was cut has some.
 * */
static bool is_piece(const char *bytes, size_t len)
{
    static const char *const words[] = {REPORT_FORMAT, "\"driver_cpu_seconds\"", "\"lateness\"",
                                        "\"timeline\""};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (memmem(bytes, len, words[i], strlen(words[i])) != NULL) {
            return true;
        }
    }
    return false;
}

/* A line from within an object, as reports are written. */
static bool is_member(const char *line)
{
    const char *word = line + strspn(line, "\t");
    return word > line && *word != '\0' && strchr("\"{}[]", *word) != NULL;
}

static void take_line(struct sources *sources, char *line, size_t len)
{
    len = text_clean_line(line, len);
    size_t prefix_len = strcspn(line, "\t{}");
    char prefix[PREFIX_BYTES];
    take_prefix(line, prefix_len, prefix);
    struct source *source = prefix_len < len ? find_source(sources, prefix) : NULL;
    if (source == NULL) { /* somebody else's, or one source too many */
        sources->missed += is_piece(line, len);
    } else {
        (void)buf_append(&source->text, line + prefix_len, len - prefix_len, SIZE_MAX);
        (void)buf_append(&source->text, "\n", 1, SIZE_MAX);
    }
}

static size_t count_reports(const struct buf *text)
{
    size_t count = 0;
    const char *at = (const char *)buf_data(text);
    const char *end = at + text->len;
    while ((at = memmem(at, (size_t)(end - at), REPORT_FORMAT, strlen(REPORT_FORMAT))) != NULL) {
        count++;
        at += strlen(REPORT_FORMAT);
    }
    return count;
}

static struct buf without_zeros(const struct buf *bytes)
{
    struct buf text = {0};
    for (size_t i = 0; i < bytes->len; i++) {
        if (buf_data(bytes)[i] != '\0') {
            (void)buf_append(&text, buf_data(bytes) + i, 1, SIZE_MAX);
        }
    }
    (void)buf_append(&text, "\n", 1, SIZE_MAX);
    return text;
}

/* The text in UTF-8; owned by the caller. Files of several encodings in one have no encoding: their
 * reports are ASCII, and seen when the zeros of UTF-16 are taken out. */
static struct buf decode(const struct buf *bytes)
{
    struct buf text = text_decode_all(bytes);
    (void)buf_append(&text, "\n", 1, SIZE_MAX);
    struct buf other = without_zeros(bytes);
    bool has_more = count_reports(&other) > count_reports(&text);
    buf_deinit(has_more ? &text : &other);
    return has_more ? other : text;
}

static void take_lines(struct sources *sources, struct buf *text)
{
    char *at = (char *)buf_data(text);
    char *end = at + text->len;
    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at)); /* the last byte is one */
        take_line(sources, at, (size_t)(newline - at));
        at = newline + 1;
    }
}

/* ---- reports --------------------------------------------------------------------------------- */

/* What is being read from one source. */
struct cursor {
    const char *at;
    const char *end;
    size_t missed;
    bool ours; /* there is a piece of a report in it */
};

/* Objects begin at the start of a line. Returns false when there is none from here on. */
static bool find_object(struct cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at != '{') {
        const char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
        const char *next = newline != NULL ? newline + 1 : cursor->end;
        cursor->missed +=
            is_member(cursor->at) || is_piece(cursor->at, (size_t)(next - cursor->at));
        cursor->at = next;
    }
    return cursor->at < cursor->end;
}

/* Reads a report into `sum`, or adds it to the `*count` that are there. Returns 0, 1 when it is
 * broken, or TWICE. */
static int add_report(const cJSON *root, size_t *count, struct bench_result *sum)
{
    struct bench_result *one = mem_new(struct bench_result);
    int rv = bench_report_from_json(root, one);
    if (rv == 0 && *count > 0 && bench_shares_report(sum, one)) {
        rv = TWICE;
    }
    if (rv == 0 && *count == 0) {
        *sum = *one; /* moved */
    } else {
        if (rv == 0) {
            bench_merge(sum, one);
        }
        bench_result_deinit(one);
    }
    *count += rv == 0;
    free(one);
    return rv;
}

/* Reads the object at the cursor, and moves on; those of others are passed over. */
static int add_object(struct cursor *cursor, size_t *count, struct bench_result *sum)
{
    const char *begin = cursor->at;
    cJSON *root =
        cJSON_ParseWithLengthOpts(begin, (size_t)(cursor->end - begin), &cursor->at, false);
    int rv = 0;
    if (root != NULL ? cJSON_HasObjectItem(root, "format") : cursor->ours) {
        rv = add_report(root, count, sum);
    } else if (root != NULL) {
        cursor->missed += is_piece(begin, (size_t)(cursor->at - begin));
    } else {
        cursor->at = memchr(begin, '\n', (size_t)(cursor->end - begin)); /* broken, not ours */
        cursor->at = cursor->at != NULL ? cursor->at : cursor->end;
    }
    cJSON_Delete(root);
    return rv;
}

/* Returns 0, 1 when one is broken, or TWICE. */
static int add_reports(const struct buf *text, size_t *missed, size_t *count,
                       struct bench_result *sum)
{
    const char *begin = (const char *)buf_data(text);
    struct cursor cursor = {
        .at = begin, .end = begin + text->len, .ours = is_piece(begin, text->len)};
    int rv = 0;
    while (rv == 0 && find_object(&cursor)) {
        rv = add_object(&cursor, count, sum);
    }
    *missed += cursor.missed;
    return rv;
}

/* ---- all of a text --------------------------------------------------------------------------- */

/* All values of a text that is JSON to its end, as a list; NULL: it is something else. */
static cJSON *parse_all(const struct buf *text)
{
    cJSON *all = cJSON_CreateArray();
    const char *at = (const char *)buf_data(text);
    const char *end = at + text->len;
    for (;;) {
        while (at < end && strchr(" \t\r\n\xef\xbb\xbf\xff\xfe", *at) != NULL) {
            at++; /* byte order marks, too */
        }
        cJSON *value =
            at < end ? cJSON_ParseWithLengthOpts(at, (size_t)(end - at), &at, false) : NULL;
        if (value == NULL) {
            break;
        }
        cJSON_AddItemToArray(all, value);
    }
    if (at < end || all->child == NULL) {
        cJSON_Delete(all);
        return NULL;
    }
    return all;
}

static bool holds_piece(const cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    bool holds = text != NULL && is_piece(text, strlen(text));
    cJSON_free(text);
    return holds;
}

static int add_values(const cJSON *list, size_t *missed, size_t *count, struct bench_result *sum)
{
    int rv = 0;
    for (const cJSON *item = list->child; item != NULL && rv == 0; item = item->next) {
        if (cJSON_IsArray(item)) {
            rv = add_values(item, missed, count, sum);
        } else if (cJSON_HasObjectItem(item, "format")) {
            rv = add_report(item, count, sum);
        } else {
            *missed += holds_piece(item);
        }
    }
    return rv;
}

static int add_lines(struct buf *text, size_t *missed, size_t *count, struct bench_result *sum)
{
    struct sources sources = {.all = mem_calloc(SOURCES_MAX, sizeof(struct source))};
    int rv = 0;
    take_lines(&sources, text);
    for (size_t i = 0; i < sources.count; i++) {
        rv = rv == 0 ? add_reports(&sources.all[i].text, &sources.missed, count, sum) : rv;
        buf_deinit(&sources.all[i].text);
    }
    *missed = sources.missed;
    free(sources.all);
    return rv;
}

static int read_text(struct buf *text, struct bench_result *ret,
                     char reason[static REPORT_REASON_BYTES])
{
    size_t count = 0;
    size_t missed = 0;
    cJSON *values = parse_all(text);
    int rv = values != NULL ? add_values(values, &missed, &count, ret)
                            : add_lines(text, &missed, &count, ret);
    cJSON_Delete(values);
    if (rv == TWICE) {
        snprintf(reason, REPORT_REASON_BYTES,
                 "holds a report twice; it counts once: take one of them out");
    } else if (count > 0 && (rv != 0 || missed > 0)) {
        rv = 1;
        snprintf(reason, REPORT_REASON_BYTES,
                 "holds reports of which only %zu could be read; what was cut is not a report",
                 count);
    } else if (rv != 0 || count == 0) {
        rv = 1;
        snprintf(reason, REPORT_REASON_BYTES, "is not a report of grpcroute bench -o json");
    }
    if (rv != 0) {
        bench_result_deinit(ret);
    }
    return rv;
}

int bench_report_read(const char *path, struct bench_result *ret,
                      char reason[static REPORT_REASON_BYTES])
{
    memset(ret, 0, sizeof(*ret));
    struct buf bytes = {0};
    int rv = role_input_read_all(path, FILE_BYTES_MAX, &bytes, reason, REPORT_REASON_BYTES);
    if (rv != 0) {
        buf_deinit(&bytes);
        return rv;
    }
    struct buf text = decode(&bytes);
    buf_deinit(&bytes);
    rv = read_text(&text, ret, reason) == 0 ? 0 : EXIT_USAGE;
    buf_deinit(&text);
    return rv;
}

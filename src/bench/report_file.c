/* Finds reports in files and in logs of pods.
 *
 * A line of a report begins with a tab or a brace; what stands before that is the prefix of who
 * carried it. Lines of one prefix belong together, without its numbers, which are times. Where a
 * report is named outside of those that were read, one was missed, and nothing is read. */
#include "bench/report_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text_line.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define READ_BYTES     (64 * 1024)
#define SOURCES_MAX    256 /* different prefixes in one file */
#define PREFIX_BYTES   256

/* Reads to the end of `file`. Returns 0, or 1 with a reason. */
static int read_all(FILE *file, struct buf *text, char reason[static REPORT_REASON_BYTES])
{
    size_t len;
    do {
        uint8_t *room = buf_reserve(text, READ_BYTES);
        len = room != NULL ? fread(room, 1, READ_BYTES, file) : 0;
        buf_commit(text, len);
    } while (len > 0 && text->len <= FILE_BYTES_MAX);
    if (len > 0) {
        snprintf(reason, REPORT_REASON_BYTES, "is larger than 64 MiB");
    } else if (ferror(file) != 0 || !feof(file)) {
        snprintf(reason, REPORT_REASON_BYTES, "cannot be read");
    }
    return len == 0 && feof(file) && ferror(file) == 0 ? 0 : 1;
}

/* The whole file, owned by the caller. Returns 0, or 1 with a reason. */
static int read_file(const char *path, struct buf *ret, char reason[static REPORT_REASON_BYTES])
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (file == NULL) {
        snprintf(reason, REPORT_REASON_BYTES, "%s", strerror(errno));
        return 1;
    }
    int rv = read_all(file, ret, reason);
    if (file != stdin) {
        fclose(file);
    }
    return rv;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* What came behind one prefix. */
struct source {
    char prefix[PREFIX_BYTES];
    struct buf text;
};

struct sources {
    struct source *all; /* owned, SOURCES_MAX */
    size_t count;
    size_t missed; /* places outside of what was read that name a report */
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

static bool names_report(const char *bytes, size_t len)
{
    return memmem(bytes, len, REPORT_FORMAT, strlen(REPORT_FORMAT)) != NULL;
}

static void take_line(struct sources *sources, char *line, size_t len)
{
    len = text_clean_line(line, len);
    size_t prefix_len = strcspn(line, "\t{}");
    char prefix[PREFIX_BYTES];
    take_prefix(line, prefix_len, prefix);
    struct source *source = prefix_len < len ? find_source(sources, prefix) : NULL;
    if (source == NULL) { /* somebody else's, or one source too many */
        sources->missed += names_report(line, len);
    } else {
        (void)buf_append(&source->text, line + prefix_len, len - prefix_len, SIZE_MAX);
        (void)buf_append(&source->text, "\n", 1, SIZE_MAX);
    }
}

/* The text in UTF-8; owned by the caller. */
static struct buf decode(const struct buf *bytes)
{
    struct text_decoder decoder = {0};
    struct buf text = {0};
    char out[TEXT_DECODED_BYTES];
    for (size_t i = 0; i < bytes->len; i++) {
        size_t len = text_decode(&decoder, buf_data(bytes)[i], out);
        (void)buf_append(&text, out, len, SIZE_MAX);
    }
    (void)buf_append(&text, out, text_decode_end(&decoder, out), SIZE_MAX);
    (void)buf_append(&text, "\n", 1, SIZE_MAX);
    return text;
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
};

/* Objects begin at the start of a line. Returns false when there is none from here on. */
static bool find_object(struct cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at != '{') {
        const char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
        const char *next = newline != NULL ? newline + 1 : cursor->end;
        cursor->missed += names_report(cursor->at, (size_t)(next - cursor->at));
        cursor->at = next;
    }
    return cursor->at < cursor->end;
}

/* Reads the report at the cursor into `sum`, or adds it to the `*count` that are there, and moves
 * on; objects of others are passed over. Returns 0, or 1 when it is broken. */
static int add_report(struct cursor *cursor, size_t *count, struct bench_result *sum)
{
    const char *begin = cursor->at;
    cJSON *root =
        cJSON_ParseWithLengthOpts(begin, (size_t)(cursor->end - begin), &cursor->at, false);
    if (root != NULL && !cJSON_HasObjectItem(root, "format")) {
        cursor->missed += names_report(begin, (size_t)(cursor->at - begin));
        cJSON_Delete(root);
        return 0;
    }
    struct bench_result *one = mem_new(struct bench_result);
    int rv = report_from_json(root, one);
    cJSON_Delete(root);
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

/* Returns 0, or 1 when one is broken. */
static int add_reports(const struct buf *text, size_t *missed, size_t *count,
                       struct bench_result *sum)
{
    const char *begin = (const char *)buf_data(text);
    struct cursor cursor = {.at = begin, .end = begin + text->len};
    int rv = 0;
    while (rv == 0 && find_object(&cursor)) {
        rv = add_report(&cursor, count, sum);
    }
    *missed += cursor.missed;
    return rv;
}

static int read_sources(struct sources *sources, struct bench_result *ret,
                        char reason[static REPORT_REASON_BYTES])
{
    size_t count = 0;
    int rv = 0;
    for (size_t i = 0; i < sources->count && rv == 0; i++) {
        rv = add_reports(&sources->all[i].text, &sources->missed, &count, ret);
    }
    if (rv == 0 && count > 0 && sources->missed > 0) {
        rv = 1;
        snprintf(reason, REPORT_REASON_BYTES, "holds reports of which only %zu could be read",
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

int report_read(const char *path, struct bench_result *ret, char reason[static REPORT_REASON_BYTES])
{
    memset(ret, 0, sizeof(*ret));
    struct buf bytes = {0};
    if (read_file(path, &bytes, reason) != 0) {
        buf_deinit(&bytes);
        return 1;
    }
    struct buf text = decode(&bytes);
    struct sources sources = {.all = mem_calloc(SOURCES_MAX, sizeof(struct source))};
    buf_deinit(&bytes);
    take_lines(&sources, &text);
    int rv = read_sources(&sources, ret, reason);
    for (size_t i = 0; i < sources.count; i++) {
        buf_deinit(&sources.all[i].text);
    }
    free(sources.all);
    buf_deinit(&text);
    return rv;
}

/* A list of what is known, not of what is suspect. */
#include "check/log_carrier.h"

#include "base/mem.h"
#include "check/log_member.h"

#include <ctype.h>
#include <string.h>

/* ---- words ----------------------------------------------------------------------------------- */

struct cursor {
    const char *at;
    const char *end;
};

static bool take_byte(struct cursor *cursor, char byte)
{
    bool is_there = cursor->at < cursor->end && *cursor->at == byte;
    cursor->at += is_there;
    return is_there;
}

/* Bytes out of `set`, or letters and digits where `names` says so. Returns how many. */
static size_t take_any(struct cursor *cursor, const char *set, bool names)
{
    const char *from = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != '\0' &&
           ((names && isalnum((unsigned char)*cursor->at)) || strchr(set, *cursor->at) != NULL)) {
        cursor->at++;
    }
    return (size_t)(cursor->at - from);
}

static size_t take_digits(struct cursor *cursor)
{
    return take_any(cursor, "0123456789", false);
}

static size_t take_blanks(struct cursor *cursor)
{
    return take_any(cursor, " \t", false);
}

/* A name of Kubernetes, of a host or of a program. */
static size_t take_name(struct cursor *cursor)
{
    return take_any(cursor, "-_.", true);
}

/* A digit for each 0 of the shape, and its other bytes as they are. */
static bool take_shape(struct cursor *cursor, const char *shape)
{
    size_t len = strlen(shape);
    if ((size_t)(cursor->end - cursor->at) < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool fits = shape[i] == '0' ? isdigit((unsigned char)cursor->at[i]) != 0
                                    : cursor->at[i] == shape[i];
        if (!fits) {
            return false;
        }
    }
    cursor->at += len;
    return true;
}

static bool take_one_of(struct cursor *cursor, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (take_shape(cursor, words[i])) {
            return true;
        }
    }
    return false;
}

/* ---- times ----------------------------------------------------------------------------------- */

/* "15:14:10.123456+01:00" */
static bool take_clock(struct cursor *cursor)
{
    static const char *const zones[] = {"Z",     " UTC",  "+00:00", "-00:00",
                                        "+0000", "-0000", " +0000", " -0000"};
    if (!take_shape(cursor, "00:00:00")) {
        return false;
    }
    if (take_byte(cursor, '.') || take_byte(cursor, ',')) {
        take_digits(cursor);
    }
    take_one_of(cursor, zones, ARRAY_SIZE(zones));
    return true;
}

/* "2026-01-02T15:14:10", "2026/01/02 15:14:10", "Nov 25 15:14:10", "Nov 25, 2026 @ 15:14:10" */
static bool take_date(struct cursor *cursor)
{
    static const char *const days[] = {"Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "};
    static const char *const dates[] = {"0000-00-00", "0000/00/00"};
    static const char *const months[] = {"Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ",
                                         "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "};
    static const char *const years[] = {", 0000 @", " 0000"};
    take_one_of(cursor, days, ARRAY_SIZE(days));
    if (take_one_of(cursor, months, ARRAY_SIZE(months))) {
        take_blanks(cursor);
        size_t digits = take_digits(cursor);
        take_one_of(cursor, years, ARRAY_SIZE(years));
        return digits == 1 || digits == 2;
    }
    if (!take_one_of(cursor, dates, ARRAY_SIZE(dates))) {
        return false;
    }
    take_byte(cursor, 'T');
    return true;
}

/* Seconds or smaller units since 1970, or since the machine was started. */
static bool take_count(struct cursor *cursor, bool since_start)
{
    size_t digits = take_digits(cursor);
    bool fraction = take_byte(cursor, '.') && take_digits(cursor) > 0;
    return digits >= 9 || (since_start && digits > 0 && fraction);
}

static bool take_time(struct cursor *cursor)
{
    struct cursor at = *cursor;
    char close = take_byte(&at, '[') ? ']' : take_byte(&at, '"') ? '"' : '\0';
    if (close == ']') {
        take_blanks(&at);
    }
    struct cursor count = at;
    if (take_date(&at)) {
        take_blanks(&at);
        take_clock(&at);
    } else if (!take_clock(&at)) {
        at = count;
        if (!take_count(&at, close == ']')) {
            return false;
        }
    }
    if (close != '\0' && !take_byte(&at, close)) {
        return false;
    }
    *cursor = at;
    return true;
}

/* ---- carriers -------------------------------------------------------------------------------- */

/* compose: "agent-1  | " */
static bool take_compose(struct cursor *cursor)
{
    return take_name(cursor) > 0 && take_blanks(cursor) > 0 && take_byte(cursor, '|') &&
           (cursor->at == cursor->end || take_blanks(cursor) > 0);
}

/* What Kubernetes ends the names of pods with: "-nk7bn", or "-0" in a StatefulSet. */
static bool is_pod(const char *name, size_t len)
{
    size_t tail = 0;
    size_t digits = 0;
    while (tail < len && name[len - 1 - tail] != '-') {
        digits += isdigit((unsigned char)name[len - 1 - tail]) != 0;
        tail++;
    }
    return tail > 0 && tail < len &&
           (digits == tail ||
            (tail == 5 && strcspn(name + len - tail, "aeiouy013") >= tail));
}

/* stern: "agent-v1-1-7d75d76558-nk7bn agent " */
static bool take_stern(struct cursor *cursor)
{
    const char *pod = cursor->at;
    size_t len = take_name(cursor);
    return is_pod(pod, len) && take_byte(cursor, ' ') && take_name(cursor) > 0 &&
           take_byte(cursor, ' ');
}

/* grep: "/var/log/pods/x/0.log:" */
static bool take_file(struct cursor *cursor)
{
    const char *from = cursor->at;
    size_t len = take_any(cursor, "-_./", true);
    if (memmem(from, len, ".log", 4) == NULL || !take_byte(cursor, ':')) {
        return false;
    }
    const struct cursor number = *cursor;
    if (take_digits(cursor) == 0 || !take_byte(cursor, ':')) {
        *cursor = number;
    }
    return true;
}

/* The text form of `aws logs`: "EVENTS", a time, a line. */
static bool take_events(struct cursor *cursor)
{
    return take_shape(cursor, "EVENTS\t") && take_digits(cursor) > 0 && take_byte(cursor, '\t');
}

/* "main.go:57: " of Go's log, "main.go:57] " of klog */
static bool take_source(struct cursor *cursor)
{
    const char *from = cursor->at;
    size_t len = take_any(cursor, "-_./@", true);
    return len > 3 && memcmp(from + len - 3, ".go", 3) == 0 && take_byte(cursor, ':') &&
           take_digits(cursor) > 0 && (take_byte(cursor, ':') || take_byte(cursor, ']'));
}

/* klog: "I1125 15:14:10.123456       1 main.go:57] " */
static bool take_klog(struct cursor *cursor)
{
    return take_any(cursor, "IWEF", false) == 1 && take_shape(cursor, "0000 ") &&
           take_clock(cursor) && take_blanks(cursor) > 0 && take_digits(cursor) > 0 &&
           take_blanks(cursor) > 0 && take_source(cursor);
}

/* RFC 5424: "<14>1 TIME HOST APP 7 - - " */
static bool take_syslog(struct cursor *cursor)
{
    if (!take_byte(cursor, '<') || take_digits(cursor) == 0 || !take_byte(cursor, '>') ||
        !take_shape(cursor, "1 ") || !take_time(cursor)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (!take_byte(cursor, ' ') || take_name(cursor) == 0) {
            return false;
        }
    }
    return take_shape(cursor, " -");
}

/* RFC 3164 and journald, behind a time: "HOST PROGRAM[7]:" */
static bool take_program(struct cursor *cursor)
{
    return take_name(cursor) > 0 && take_byte(cursor, ' ') &&
           take_any(cursor, "-_./@", true) > 0 && take_byte(cursor, '[') &&
           take_digits(cursor) > 0 && take_shape(cursor, "]:");
}

/* containerd, behind a time: "stdout F" */
static bool take_stream(struct cursor *cursor)
{
    static const char *const streams[] = {"stdout ", "stderr "};
    return take_one_of(cursor, streams, ARRAY_SIZE(streams)) &&
           (take_byte(cursor, 'F') || take_byte(cursor, 'P')) &&
           (take_byte(cursor, ':') ? take_any(cursor, ":_", true) + 1 : 1) > 0;
}

/* kubectl --prefix: "[pod/NAME/CONTAINER]" */
static bool take_pod(struct cursor *cursor)
{
    return take_shape(cursor, "[pod/") && take_name(cursor) > 0 && take_byte(cursor, '/') &&
           take_name(cursor) > 0 && take_byte(cursor, ']');
}

/* Loki: {app="agent", pod="x"}, or as JSON. */
static bool take_labels(struct cursor *cursor)
{
    if (!take_byte(cursor, '{')) {
        return false;
    }
    do {
        take_blanks(cursor);
        bool quoted = take_byte(cursor, '"');
        bool is_label = take_name(cursor) > 0 && quoted == take_byte(cursor, '"');
        take_blanks(cursor);
        is_label = is_label && take_byte(cursor, quoted ? ':' : '=');
        take_blanks(cursor);
        if (!is_label || !take_byte(cursor, '"')) {
            return false;
        }
        take_any(cursor, "-_./:@+ ", true);
        if (!take_byte(cursor, '"')) {
            return false;
        }
    } while (take_byte(cursor, ','));
    return take_byte(cursor, '}');
}

typedef bool take_item(struct cursor *cursor);

/* Moves behind one of them, if one is there. */
static bool take_first_of(struct cursor *cursor, take_item *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct cursor at = *cursor;
        if (items[i](&at)) {
            *cursor = at;
            return true;
        }
    }
    return false;
}

/* All that carriers put before their line, as far as it goes. */
static void take_prefix(struct cursor *cursor)
{
    static take_item *const first[] = {take_compose, take_stern, take_file,
                                       take_events,  take_klog,  take_syslog};
    static take_item *const any[] = {take_time, take_pod, take_labels};
    static take_item *const timed[] = {take_program, take_stream, take_source};
    static const char between[] = " \t,;\f\v\xff\xfe\xef\xbb\xbf\x01"; /* marks, zeros */
    take_any(cursor, between, false);
    take_first_of(cursor, first, ARRAY_SIZE(first));
    bool has_time = false;
    for (;;) {
        take_any(cursor, between, false);
        struct cursor at = *cursor;
        if (take_first_of(cursor, any, ARRAY_SIZE(any))) {
            has_time = has_time || take_time(&at);
        } else if (!has_time || !take_first_of(cursor, timed, ARRAY_SIZE(timed))) {
            return;
        }
    }
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* "KEY" :  of JSON, or  KEY:  of YAML */
static bool take_key(struct cursor *cursor)
{
    bool quoted = take_byte(cursor, '"');
    const char *name = cursor->at;
    size_t len = take_any(cursor, "-_.@", true);
    if (!check_log_is_text_name(name, len) || quoted != take_byte(cursor, '"')) {
        return false;
    }
    take_blanks(cursor);
    bool is_key = take_byte(cursor, ':');
    take_blanks(cursor);
    return is_key;
}

static bool take_value(struct cursor *cursor)
{
    if (!take_byte(cursor, '"')) {
        return take_any(cursor, "-_./:@+", true) > 0;
    }
    while (cursor->at < cursor->end && *cursor->at != '"') {
        cursor->at += *cursor->at == '\\' && cursor->at + 1 < cursor->end ? 2 : 1;
    }
    return take_byte(cursor, '"');
}

/* level=info msg=  of logfmt: what loggers say of themselves, and then the line. */
static bool take_pairs(struct cursor *cursor)
{
    static const char *const known[] = {"time",   "ts",        "t",   "timestamp", "level",
                                        "lvl",    "severity",  "app", "caller",    "source",
                                        "logger", "component", "pod", "container", "namespace",
                                        "node",   "host",      "stream"};
    for (;;) {
        const char *name = cursor->at;
        size_t len = take_any(cursor, "-_.@", true);
        if (len == 0 || !take_byte(cursor, '=')) {
            return false;
        }
        if (check_log_is_text_name(name, len)) {
            return true;
        }
        if (!check_log_is_among(known, ARRAY_SIZE(known), name, len) || !take_value(cursor) ||
            take_blanks(cursor) == 0) {
            return false;
        }
    }
}

/* A key and nothing behind it. */
static bool is_key(const struct cursor *cursor)
{
    static take_item *const keys[] = {take_key, take_pairs};
    struct cursor at = *cursor;
    return take_first_of(&at, keys, ARRAY_SIZE(keys)) && at.at == at.end;
}

bool check_log_is_prefix(const char *text, size_t len)
{
    struct cursor cursor = {text, text + len};
    take_prefix(&cursor);
    if (cursor.at == cursor.end) {
        return true;
    }
    bool quoted = cursor.end[-1] == '\'';
    cursor.end -= quoted;
    struct cursor yaml = cursor;
    bool of_python = quoted && cursor.end - cursor.at == 1 && *cursor.at == 'b';
    return of_python || (quoted && is_key(&cursor)) || (take_key(&yaml) && yaml.at == yaml.end);
}

bool check_log_is_before_string(const char *text, size_t len)
{
    struct cursor cursor = {text, text + len};
    take_prefix(&cursor);
    /* a string that is the whole line, or a column */
    bool is_column = len == 0 || strchr(",;\t", text[len - 1]) != NULL;
    return cursor.at == cursor.end ? is_column : is_key(&cursor);
}

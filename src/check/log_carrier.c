/* A list of what is known, not of what is suspect. */
#include "check/log_carrier.h"

#include "base/mem.h"
#include "check/cursor.h"
#include "check/log_member.h"

#include <ctype.h>
#include <string.h>

/* ---- carriers -------------------------------------------------------------------------------- */

/* compose: "agent-1  | "; a column of capitals or numbers is another's. */
static bool take_compose(struct cursor *cursor)
{
    bool is_service = cursor->at < cursor->end && islower((unsigned char)*cursor->at);
    return is_service && cursor_name(cursor) > 0 && cursor_blanks(cursor) > 0 &&
           cursor_byte(cursor, '|') && (cursor->at == cursor->end || cursor_blanks(cursor) > 0);
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
           (digits == tail || (tail == 5 && strcspn(name + len - tail, "aeiouy013") >= tail));
}

static bool take_pod_and_container(struct cursor *cursor)
{
    const char *pod = cursor->at;
    size_t len = cursor_name(cursor);
    return is_pod(pod, len) && cursor_byte(cursor, ' ') && cursor_name(cursor) > 0 &&
           cursor_byte(cursor, ' ');
}

/* stern: "agent-v1-1-7d75d76558-nk7bn agent ", and "prod agent-0 agent " of several namespaces */
static bool take_stern(struct cursor *cursor)
{
    const struct cursor pod = *cursor;
    if (take_pod_and_container(cursor)) {
        return true;
    }
    *cursor = pod;
    return cursor_name(cursor) > 0 && cursor_byte(cursor, ' ') && take_pod_and_container(cursor);
}

/* grep: "/var/log/pods/x/0.log:" */
static bool take_file(struct cursor *cursor)
{
    const char *from = cursor->at;
    size_t len = cursor_any(cursor, "-_./", true);
    if (memmem(from, len, ".log", 4) == NULL || !cursor_byte(cursor, ':')) {
        return false;
    }
    const struct cursor number = *cursor;
    if (cursor_digits(cursor) == 0 || !cursor_byte(cursor, ':')) {
        *cursor = number;
    }
    return true;
}

/* The text form of `aws logs`: "EVENTS", a time, a line. */
static bool take_events(struct cursor *cursor)
{
    return cursor_shape(cursor, "EVENTS\t") && cursor_digits(cursor) > 0 &&
           cursor_byte(cursor, '\t');
}

/* "main.go:57: " of Go's log, "main.go:57] " of klog */
static bool take_source(struct cursor *cursor)
{
    const char *from = cursor->at;
    size_t len = cursor_any(cursor, "-_./@", true);
    return len > 3 && memcmp(from + len - 3, ".go", 3) == 0 && cursor_byte(cursor, ':') &&
           cursor_digits(cursor) > 0 && (cursor_byte(cursor, ':') || cursor_byte(cursor, ']'));
}

/* klog: "I1125 15:14:10.123456       1 main.go:57] " */
static bool take_klog(struct cursor *cursor)
{
    return cursor_any(cursor, "IWEF", false) == 1 && cursor_shape(cursor, "0000 ") &&
           cursor_time(cursor) && cursor_blanks(cursor) > 0 && cursor_digits(cursor) > 0 &&
           cursor_blanks(cursor) > 0 && take_source(cursor);
}

/* RFC 5424: "<14>1 TIME HOST APP 7 - - " */
static bool take_syslog(struct cursor *cursor)
{
    if (!cursor_byte(cursor, '<') || cursor_digits(cursor) == 0 || !cursor_byte(cursor, '>') ||
        !cursor_shape(cursor, "1 ") || !cursor_time(cursor)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (!cursor_byte(cursor, ' ') || cursor_name(cursor) == 0) {
            return false;
        }
    }
    return cursor_shape(cursor, " -");
}

/* RFC 3164 and journald, behind a time: "HOST PROGRAM[7]:"; without a number (`logger -t`) our own
 * name alone is known. */
static bool take_program(struct cursor *cursor)
{
    static const char *const ours[] = {"grpcroute:"};
    if (cursor_name(cursor) == 0 || !cursor_byte(cursor, ' ')) {
        return false;
    }
    return cursor_one_of(cursor, ours, 1) ||
           (cursor_any(cursor, "-_./@", true) > 0 && cursor_byte(cursor, '[') &&
            cursor_digits(cursor) > 0 && cursor_shape(cursor, "]:"));
}

/* containerd, behind a time: "stdout F" */
static bool take_stream(struct cursor *cursor)
{
    static const char *const streams[] = {"stdout ", "stderr "};
    return cursor_one_of(cursor, streams, ARRAY_SIZE(streams)) &&
           (cursor_byte(cursor, 'F') || cursor_byte(cursor, 'P')) &&
           (cursor_byte(cursor, ':') ? cursor_any(cursor, ":_", true) + 1 : 1) > 0;
}

/* kubectl --prefix: "[pod/NAME/CONTAINER]" */
static bool take_pod(struct cursor *cursor)
{
    return cursor_shape(cursor, "[pod/") && cursor_name(cursor) > 0 && cursor_byte(cursor, '/') &&
           cursor_name(cursor) > 0 && cursor_byte(cursor, ']');
}

/* Loki: {app="agent", pod="x"}, or as JSON. */
static bool take_labels(struct cursor *cursor)
{
    if (!cursor_byte(cursor, '{')) {
        return false;
    }
    do {
        cursor_blanks(cursor);
        bool quoted = cursor_byte(cursor, '"');
        bool is_label = cursor_name(cursor) > 0 && quoted == cursor_byte(cursor, '"');
        cursor_blanks(cursor);
        is_label = is_label && cursor_byte(cursor, quoted ? ':' : '=');
        cursor_blanks(cursor);
        if (!is_label || !cursor_byte(cursor, '"')) {
            return false;
        }
        cursor_any(cursor, "-_./:@+ ", true);
        if (!cursor_byte(cursor, '"')) {
            return false;
        }
    } while (cursor_byte(cursor, ','));
    return cursor_byte(cursor, '}');
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
    static take_item *const any[] = {cursor_time, take_pod, take_labels};
    static take_item *const timed[] = {take_program, take_stream, take_source};
    static const char between[] = " \t,;\f\v\xff\xfe\xef\xbb\xbf\x01"; /* marks, zeros */
    cursor_any(cursor, between, false);
    take_first_of(cursor, first, ARRAY_SIZE(first));
    bool has_time = false;
    for (;;) {
        cursor_any(cursor, between, false);
        struct cursor at = *cursor;
        if (take_first_of(cursor, any, ARRAY_SIZE(any))) {
            has_time = has_time || cursor_time(&at);
        } else if (!has_time || !take_first_of(cursor, timed, ARRAY_SIZE(timed))) {
            return;
        }
    }
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* "KEY" :  of JSON, or  KEY:  of YAML */
static bool take_key(struct cursor *cursor)
{
    bool quoted = cursor_byte(cursor, '"');
    const char *name = cursor->at;
    size_t len = cursor_any(cursor, "-_.@", true);
    if (!check_log_is_text_name(name, len) || quoted != cursor_byte(cursor, '"')) {
        return false;
    }
    cursor_blanks(cursor);
    bool is_key = cursor_byte(cursor, ':');
    cursor_blanks(cursor);
    return is_key;
}

static bool take_value(struct cursor *cursor)
{
    if (!cursor_byte(cursor, '"')) {
        return cursor_any(cursor, "-_./:@+", true) > 0;
    }
    while (cursor->at < cursor->end && *cursor->at != '"') {
        cursor->at += *cursor->at == '\\' && cursor->at + 1 < cursor->end ? 2 : 1;
    }
    return cursor_byte(cursor, '"');
}

/* level=info msg=  of logfmt: what loggers say of themselves, and then the line. */
static bool take_pairs(struct cursor *cursor)
{
    static const char *const known[] = {"time",   "ts",        "t",     "timestamp", "level",
                                        "lvl",    "severity",  "app",   "caller",    "source",
                                        "logger", "component", "pod",   "container", "namespace",
                                        "node",   "host",      "stream"};
    for (;;) {
        const char *name = cursor->at;
        size_t len = cursor_any(cursor, "-_.@", true);
        if (len == 0 || !cursor_byte(cursor, '=')) {
            return false;
        }
        if (check_log_is_text_name(name, len)) {
            return true;
        }
        if (!check_log_is_among(known, ARRAY_SIZE(known), name, len) || !take_value(cursor) ||
            cursor_blanks(cursor) == 0) {
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
    if (len > 0) {
        take_prefix(&cursor);
    }
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

#include "check/cursor.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

bool cursor_byte(struct cursor *cursor, char byte)
{
    bool is_there = cursor->at < cursor->end && *cursor->at == byte;
    cursor->at += is_there;
    return is_there;
}

size_t cursor_any(struct cursor *cursor, const char *set, bool names)
{
    const char *from = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != '\0' &&
           ((names && isalnum((unsigned char)*cursor->at)) || strchr(set, *cursor->at) != NULL)) {
        cursor->at++;
    }
    return (size_t)(cursor->at - from);
}

size_t cursor_digits(struct cursor *cursor)
{
    return cursor_any(cursor, "0123456789", false);
}

size_t cursor_blanks(struct cursor *cursor)
{
    return cursor_any(cursor, " \t", false);
}

size_t cursor_name(struct cursor *cursor)
{
    return cursor_any(cursor, "-_.", true);
}

bool cursor_shape(struct cursor *cursor, const char *shape)
{
    const char *at = cursor->at;
    for (; *shape != '\0'; shape++, at++) {
        bool fits = at < cursor->end && (*shape == '0' ? *at >= '0' && *at <= '9' : *at == *shape);
        if (!fits) {
            return false;
        }
    }
    cursor->at = at;
    return true;
}

bool cursor_one_of(struct cursor *cursor, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cursor_shape(cursor, words[i])) {
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
    if (!cursor_shape(cursor, "00:00:00")) {
        return false;
    }
    if (cursor_byte(cursor, '.') || cursor_byte(cursor, ',')) {
        cursor_digits(cursor);
    }
    cursor_one_of(cursor, zones, ARRAY_SIZE(zones));
    return true;
}

/* "2026-01-02T" or "2026/01/02", a clock comes behind. */
static bool take_numbered_date(struct cursor *cursor)
{
    static const char *const dates[] = {"0000-00-00T", "0000-00-00", "0000/00/00"};
    return cursor_one_of(cursor, dates, ARRAY_SIZE(dates));
}

/* "Nov 25", "Nov 25, 2026 @", "Wed 2026-11-25" */
static bool take_named_date(struct cursor *cursor)
{
    static const char *const days[] = {"Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "};
    static const char *const months[] = {"Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ",
                                         "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "};
    static const char *const years[] = {", 0000 @", " 0000"};
    cursor_one_of(cursor, days, ARRAY_SIZE(days));
    if (!cursor_one_of(cursor, months, ARRAY_SIZE(months))) {
        return take_numbered_date(cursor);
    }
    cursor_blanks(cursor);
    size_t digits = cursor_digits(cursor);
    cursor_one_of(cursor, years, ARRAY_SIZE(years));
    return digits == 1 || digits == 2;
}

static bool take_date(struct cursor *cursor)
{
    bool is_named = cursor->at < cursor->end && isupper((unsigned char)*cursor->at);
    return is_named ? take_named_date(cursor) : take_numbered_date(cursor);
}

/* Seconds or smaller units since 1970, or since the machine was started. */
static bool take_count(struct cursor *cursor, bool since_start)
{
    size_t digits = cursor_digits(cursor);
    bool fraction = cursor_byte(cursor, '.') && cursor_digits(cursor) > 0;
    return digits >= 9 || (since_start && digits > 0 && fraction);
}

bool cursor_time(struct cursor *cursor)
{
    struct cursor at = *cursor;
    char close = cursor_byte(&at, '[') ? ']' : cursor_byte(&at, '"') ? '"' : '\0';
    if (close == ']') {
        cursor_blanks(&at);
    }
    struct cursor count = at;
    if (take_date(&at)) {
        cursor_blanks(&at);
        take_clock(&at);
    } else if (!take_clock(&at)) {
        at = count;
        if (!take_count(&at, close == ']')) {
            return false;
        }
    }
    if (close != '\0' && !cursor_byte(&at, close)) {
        return false;
    }
    *cursor = at;
    return true;
}

#include "route/scalar.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789_"

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* [0-9]* [. [0-9]*] [e [+-] [0-9]+], with at least one digit before the exponent. */
static bool is_decimal(const char *text)
{
    size_t whole = strspn(text, DIGITS);
    size_t fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = strspn(text + 1, DIGITS);
        text += 1 + fraction;
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (*text == 'e' || *text == 'E') {
        text += text[1] == '+' || text[1] == '-' ? 2 : 1;
        return *text != '\0' && text[strspn(text, DIGITS)] == '\0';
    }
    return *text == '\0';
}

static bool is_prefixed(const char *text)
{
    static const struct {
        const char *prefix;
        const char *digits;
    } bases[] = {{"0x", DIGITS "abcdefABCDEF"}, {"0o", DIGITS}, {"0b", DIGITS}};
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        if (strncasecmp(text, bases[i].prefix, 2) == 0 && text[2] != '\0' &&
            text[2 + strspn(text + 2, bases[i].digits)] == '\0') {
            return true;
        }
    }
    return false;
}

static bool is_number(const char *text)
{
    static const char *const words[] = {".inf", ".nan"};
    text += *text == '+' || *text == '-' ? 1 : 0;
    /* "_" alone or in front is a word */
    return *text != '_' &&
           (is_decimal(text) || is_prefixed(text) || is_one_of(text, words, ARRAY_SIZE(words)));
}

enum scalar_type scalar_type_of(const char *text)
{
    static const char *const nulls[] = {"", "~", "null"};
    static const char *const booleans[] = {"true", "false", "yes", "no", "on", "off", "y", "n"};
    if (is_one_of(text, nulls, ARRAY_SIZE(nulls))) {
        return SCALAR_NULL;
    }
    if (is_one_of(text, booleans, ARRAY_SIZE(booleans))) {
        return SCALAR_BOOLEAN;
    }
    return is_number(text) ? SCALAR_NUMBER : SCALAR_TEXT;
}

/* One small parser for each kind of value. */
#include "cli/value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_TARGET_PORT 8443

/* The largest unit that shows a limit exactly: "90s", not "1m30s" or "90.0s". */
static void format_limit(const struct cli_option *option, uint64_t value, char *out,
                         size_t out_bytes)
{
    static const struct {
        uint64_t ns;
        const char *name;
    } UNITS[] = {{UINT64_C(3600000000000), "h"},
                 {UINT64_C(60000000000), "m"},
                 {1000000000, "s"},
                 {1000000, "ms"},
                 {1000, "us"},
                 {1, "ns"}};
    const char *unit = "";
    if (option->kind == CLI_DURATION && value > 0) {
        size_t i = 0;
        while (value % UNITS[i].ns != 0) {
            i++;
        }
        value /= UNITS[i].ns;
        unit = UNITS[i].name;
    }
    snprintf(out, out_bytes, "%llu%s", (unsigned long long)value, unit);
}

void cli_value_range(const struct cli_option *option, char out[static CLI_RANGE_BYTES])
{
    char min[CLI_RANGE_BYTES / 2 - 2];
    char max[CLI_RANGE_BYTES / 2 - 2];
    out[0] = '\0';
    format_limit(option, option->min, min, sizeof(min));
    format_limit(option, option->max, max, sizeof(max));
    if (option->kind != CLI_COUNT && option->kind != CLI_DURATION) {
        return;
    }
    if (option->max != 0) {
        snprintf(out, CLI_RANGE_BYTES, "%s to %s", min, max);
    } else if (option->min != 0) {
        snprintf(out, CLI_RANGE_BYTES, "at least %s", min);
    }
}

static int set_flag(const char *text, bool *field, const char **ret_reason)
{
    static const char *const WORDS[][2] = {
        {"false", "true"}, {"0", "1"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        for (int value = 0; value <= 1; value++) {
            if (strcasecmp(text, WORDS[i][value]) == 0) {
                *field = value;
                return 0;
            }
        }
    }
    *ret_reason = "true or false";
    return 1;
}

static int set_text(const char *text, const char **field, const char *expected,
                    const char **ret_reason)
{
    if (text[0] == '\0') {
        *ret_reason = expected;
        return 1;
    }
    *field = text;
    return 0;
}

/* The choices as "text, json or yaml". */
static void list_choices(const struct cli_option *option, char *out, size_t out_bytes)
{
    size_t len = 0;
    out[0] = '\0';
    for (const char *const *choice = option->choices; *choice != NULL && len < out_bytes;
         choice++) {
        const char *before = choice == option->choices ? "" : choice[1] == NULL ? " or " : ", ";
        len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", before, *choice);
    }
}

static int set_choice(const struct cli_option *option, const char *text, unsigned *field,
                      char expected[static CLI_EXPECTED_BYTES])
{
    for (unsigned i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(text, option->choices[i]) == 0) {
            *field = i;
            return 0;
        }
    }
    list_choices(option, expected, CLI_EXPECTED_BYTES);
    return 1;
}

/* Counts and durations: a syntax of their own, and limits. */
static int set_number(const struct cli_option *option, const char *text, uint64_t *field,
                      char expected[static CLI_EXPECTED_BYTES])
{
    const char *reason;
    char range[CLI_RANGE_BYTES];
    uint64_t value;
    bool is_count = option->kind == CLI_COUNT;
    int outcome = is_count ? text_parse_u64(text, 0, UINT64_MAX, &value, &reason)
                           : text_parse_duration(text, &value, &reason);
    cli_value_range(option, range);
    if (outcome == 0 && value >= option->min && (option->max == 0 || value <= option->max)) {
        *field = value;
        return 0;
    }
    if (range[0] == '\0') {
        snprintf(expected, CLI_EXPECTED_BYTES, "%s", outcome != 0 ? reason : "less");
    } else if (outcome == 0 || is_count) {
        snprintf(expected, CLI_EXPECTED_BYTES, "%s %s%s",
                 is_count ? "a whole number" : "a duration", option->max != 0 ? "from " : "of ",
                 range);
    } else {
        snprintf(expected, CLI_EXPECTED_BYTES, "%s", reason);
    }
    return 1;
}

static int set_target(const char *text, struct text_address *field, const char **ret_reason)
{
    struct text_address address;
    if (text_parse_address(text, DEFAULT_TARGET_PORT, &address, ret_reason) != 0) {
        return 1;
    }
    if (address.host[0] == '\0') {
        *ret_reason = "a host before the colon, as in localhost:8443";
        return 1;
    }
    if (address.port == 0) {
        *ret_reason = "a port from 1 to 65535 after the colon";
        return 1;
    }
    *field = address;
    return 0;
}

static int set_peer(const char *text, struct text_address *field, const char **ret_reason)
{
    struct text_address other;
    if (set_target(text, field, ret_reason) != 0 ||
        text_parse_address(text, DEFAULT_TARGET_PORT + 1, &other, ret_reason) != 0) {
        return 1;
    }
    if (other.port != field->port) { /* both are what is taken where none is said */
        field->port = 0;
    }
    return 0;
}

static int set_listen(const char *text, struct text_address *field, const char **ret_reason)
{
    char with_colon[16];
    if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
        snprintf(with_colon, sizeof(with_colon), ":%s", text); /* cut: still no port */
        text = with_colon;
    }
    if (text_parse_address(text, 0, field, ret_reason) != 0) {
        if (strchr(text, ':') == NULL) {
            *ret_reason = "PORT, :PORT or HOST:PORT, for example :8443 or 127.0.0.1:8443";
        }
        return 1;
    }
    return 0;
}

static int set_version(const char *text, const char **field, const char **ret_reason)
{
    struct text_version version;
    if (text_parse_version(text, &version, ret_reason) != 0) {
        return 1;
    }
    *field = text;
    return 0;
}

static int append_to_list(const char *text, struct cli_list *field, const char **ret_reason)
{
    if (field->count == CLI_LIST_MAX) {
        *ret_reason = "at most 64 uses of this option";
        return 1;
    }
    int outcome = set_text(text, &field->values[field->count], "a value", ret_reason);
    if (outcome == 0) {
        field->count++;
    }
    return outcome;
}

int cli_value_set(const struct cli_option *option, const char *text, void *options,
                  char ret_expected[static CLI_EXPECTED_BYTES])
{
    void *field = (char *)options + option->offset;
    const char *reason = NULL;
    int outcome = 1;
    switch (option->kind) {
    case CLI_FLAG:
        outcome = set_flag(text, field, &reason);
        break;
    case CLI_STRING:
        outcome = set_text(text, field, "a value that is not empty", &reason);
        break;
    case CLI_FILE:
    case CLI_RESULT_FILE:
        outcome = set_text(text, field, "the name of a file", &reason);
        break;
    case CLI_CHOICE:
        outcome = set_choice(option, text, field, ret_expected);
        break;
    case CLI_COUNT:
    case CLI_DURATION:
        outcome = set_number(option, text, field, ret_expected);
        break;
    case CLI_SIZE:
        outcome = text_parse_size(text, field, &reason);
        break;
    case CLI_TARGET:
        outcome = set_target(text, field, &reason);
        break;
    case CLI_PEER:
        outcome = set_peer(text, field, &reason);
        break;
    case CLI_LISTEN:
        outcome = set_listen(text, field, &reason);
        break;
    case CLI_VERSION:
        outcome = set_version(text, field, &reason);
        break;
    case CLI_LIST:
        outcome = append_to_list(text, field, &reason);
        break;
    }
    if (reason != NULL) {
        snprintf(ret_expected, CLI_EXPECTED_BYTES, "%s", reason);
    }
    return outcome;
}

#include "cli/invocation.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/page.h"
#include "cli/exit.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define TYPED_BYTES_MAX (16 * 1024)
#define SECRET          "..."

static struct {
    struct buf typed; /* owned, ends with NUL */
    time_t started;
} invocation;

/* ---- the command line ------------------------------------------------------------------------ */

static void append(const char *bytes, size_t len)
{
    (void)buf_append(&invocation.typed, bytes, len, TYPED_BYTES_MAX);
}

/* As a shell takes it. */
static void append_quoted(const char *text, size_t len)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+=:,./-";
    if (len > 0 && strspn(text, PLAIN) >= len) {
        append(text, len);
        return;
    }
    append("'", 1);
    for (size_t i = 0; i < len; i++) {
        append(text[i] == '\'' ? "'\\''" : text + i, text[i] == '\'' ? 4 : 1);
    }
    append("'", 1);
}

static const struct cli_option *option_of(const struct cli_command *command, const char *name,
                                          size_t len, bool is_short)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        bool named = is_short ? option->short_name == name[0]
                              : strlen(option->name) == len && memcmp(option->name, name, len) == 0;
        if (named) {
            return option;
        }
    }
    return NULL;
}

/* Where the value of a secret option begins in `argument`; its length when the value is the next
 * argument; 0: no secret. */
static size_t secret_at(const struct cli_command *command, const char *argument)
{
    const struct cli_option *option = NULL;
    size_t at = 0;
    if (argument[0] == '-' && argument[1] == '-') {
        size_t len = strcspn(argument + 2, "=");
        option = option_of(command, argument + 2, len, false);
        at = 2 + len + (argument[2 + len] == '=');
    } else if (argument[0] == '-') { /* flags may stand in front of it: -kH */
        for (at = 1; argument[at] != '\0'; at++) {
            option = option_of(command, argument + at, 1, true);
            if (option == NULL || option->kind != CLI_FLAG) {
                break;
            }
        }
        at += argument[at] != '\0';
        at += argument[at] == '=';
    }
    return option != NULL && option->secret ? at : 0;
}

/* The name of a header may be seen, what it says may not. */
static void append_secret(const char *shown, size_t shown_len, const char *value)
{
    struct buf text = {0};
    size_t name = strcspn(value, ":");
    (void)buf_append(&text, shown, shown_len, SIZE_MAX);
    if (value[name] == ':') {
        (void)buf_append(&text, value, name + 1, SIZE_MAX);
        (void)buf_append(&text, " ", 1, SIZE_MAX);
    }
    (void)buf_append(&text, SECRET, strlen(SECRET) + 1, SIZE_MAX);
    append_quoted((const char *)buf_data(&text), text.len - 1);
    buf_deinit(&text);
}

void cli_invocation_note(const struct cli_command *command, int argc, char **argv)
{
    bool options_ended = false;
    cli_invocation_forget();
    invocation.started = time(NULL);
    for (int i = 0; i < argc; i++) {
        size_t secret = options_ended ? 0 : secret_at(command, argv[i]);
        bool in_next = secret > 0 && argv[i][secret] == '\0' && i + 1 < argc;
        options_ended = options_ended || strcmp(argv[i], "--") == 0;
        append(" ", i > 0);
        if (secret == 0 || in_next) {
            append_quoted(argv[i], strlen(argv[i]));
        } else {
            append_secret(argv[i], secret, argv[i] + secret);
        }
        if (in_next) {
            append(" ", 1);
            append_secret("", 0, argv[++i]);
        }
    }
    (void)buf_append(&invocation.typed, "", 1, SIZE_MAX);
}

void cli_invocation_forget(void)
{
    buf_deinit(&invocation.typed);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void add_member(struct buf *json, const char *name, const char *value)
{
    json_append_string(json, name, strlen(name));
    (void)buf_append(json, ":", 1, SIZE_MAX);
    json_append_string(json, value, strlen(value));
    (void)buf_append(json, ",", 1, SIZE_MAX);
}

static struct buf about(const struct cli_report *report)
{
    struct buf json = {0};
    char date[32] = "";
    char rest[48];
    struct tm tm;
    if (gmtime_r(&invocation.started, &tm) != NULL) {
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    (void)buf_append(&json, "{", 1, SIZE_MAX);
    add_member(&json, "command", report->command);
    add_member(&json, "version", GRPCROUTE_VERSION);
    add_member(&json, "started_at", date);
    add_member(&json, "typed",
               invocation.typed.len > 0 ? (const char *)buf_data(&invocation.typed) : "");
    add_member(&json, "result", report->result);
    add_member(&json, "headline", report->headline);
    snprintf(rest, sizeof(rest), "\"exit_code\":%d}", report->exit_code);
    (void)buf_append(&json, rest, strlen(rest) + 1, SIZE_MAX);
    return json;
}

void cli_write_page(FILE *out, const unsigned char *html, const struct cli_report *report,
                    const char *data)
{
    char title[128];
    struct buf json = about(report);
    snprintf(title, sizeof(title), "%s: grpcroute %s", report->result, report->command);
    const struct page_texts texts = {.title = title,
                                     .summary = report->headline,
                                     .about = (const char *)buf_data(&json),
                                     .data = data};
    page_write(out, html, &texts);
    buf_deinit(&json);
}

const char *cli_result_word(int exit_code)
{
    switch (exit_code) {
    case EXIT_GOOD:
        return "passed";
    case EXIT_CHECK_FAILED:
        return "failed";
    case EXIT_NO_CONNECTION:
        return "not_connected";
    case EXIT_NO_EVIDENCE:
        return "no_evidence";
    default:
        return exit_code > 128 ? "interrupted" : "error";
    }
}

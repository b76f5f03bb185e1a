/* The result for people: a table of all shapes, then what is known of each limit, then the
 * contract. */
#include "base/mem.h"
#include "cli/exit.h"
#include "cli/terminal.h"
#include "limits/layout.h"
#include "limits/print.h"
#include "limits/report.h"
#include "limits/sentence.h"
#include "limits/words.h"

#include <string.h>

#define NAME_COLUMNS  24
#define FOUND_COLUMNS 22
#define ENDED_COLUMNS 20
#define LOOK_AT       (NAME_COLUMNS + FOUND_COLUMNS + ENDED_COLUMNS)
#define LABEL_COLUMNS 14
#define INDENT        2
#define MARK_COLUMNS  5 /* of the longest, "WARN ", or more than of the others */
#define LINE_BYTES    (3 * LIMITS_TEXT_BYTES)

/* ---- the table ------------------------------------------------------------------------------- */

static bool is_measured(const struct limits_finding *finding)
{
    return finding->wanted && finding->state != LIMITS_NOT_MEASURED;
}

static void print_row(FILE *out, const struct limits_finding *finding)
{
    char found[LIMITS_FOUND_BYTES];
    char ended_by[LIMITS_FOUND_BYTES];
    const char *by = limits_ended_by_text(finding, ended_by);
    const char *look = finding->state == LIMITS_UNSTEADY ? finding->why : finding->look;
    bool notable = limits_is_notable(finding);
    bool known = finding->side != LIMITS_SIDE_UNKNOWN || finding->state == LIMITS_BY_OTHER;
    limits_put_cell(out, limits_shape_name(finding->shape), NAME_COLUMNS);
    const char *text = limits_found_text(finding, cli_shows_utf8(), found);
    if (look[0] == '\0') {
        fprintf(out, "%s\n", text);
        return;
    }
    limits_put_cell(out, text, FOUND_COLUMNS);
    limits_put_cell(out, !notable ? "" : known ? by : "-", ENDED_COLUMNS);
    limits_put_rest(out, look, LOOK_AT);
}

static void print_table(FILE *out, const struct limits_result *result)
{
    size_t rows = 0;
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        if (!is_measured(&result->findings[i])) {
            continue;
        }
        if (rows++ == 0) {
            limits_put_cell(out, "SHAPE", NAME_COLUMNS);
            limits_put_cell(out, "FOUND", FOUND_COLUMNS);
            limits_put_cell(out, "ENDED BY", ENDED_COLUMNS);
            fputs("WHAT THE CLIENT SAW\n", out);
        }
        print_row(out, &result->findings[i]);
    }
}

/* ---- what was not measured, by its reason ---------------------------------------------------- */

static bool is_unmeasured(const struct limits_finding *finding)
{
    return finding->wanted && finding->state == LIMITS_NOT_MEASURED;
}

/* Whether a shape before it has the same reason. */
static bool is_repeated(const struct limits_result *result, size_t shape)
{
    for (size_t i = 0; i < shape; i++) {
        if (is_unmeasured(&result->findings[i]) &&
            strcmp(result->findings[i].why, result->findings[shape].why) == 0) {
            return true;
        }
    }
    return false;
}

static void print_reason(FILE *out, const struct limits_result *result, size_t first)
{
    char names[LIMITS_SHAPES * 26] = "";
    char why[LINE_BYTES];
    size_t len = 0;
    for (size_t i = first; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *finding = &result->findings[i];
        if (is_unmeasured(finding) && strcmp(finding->why, result->findings[first].why) == 0) {
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len > 0 ? ", " : "",
                                    limits_shape_name(finding->shape));
        }
    }
    snprintf(why, sizeof(why), "Not measured: %s", result->findings[first].why);
    fprintf(out, "\n%s ", cli_mark(CLI_MARK_WARN));
    limits_put_rest(out, why, MARK_COLUMNS);
    fprintf(out, "%*s", INDENT, "");
    limits_put_rest(out, names, INDENT);
}

static void print_unmeasured(FILE *out, const struct limits_result *result)
{
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        if (is_unmeasured(&result->findings[i]) && !is_repeated(result, i)) {
            print_reason(out, result, i);
        }
    }
}

/* ---- all that is known of a limit ------------------------------------------------------------ */

static void print_fact(FILE *out, const char *label, const char *text)
{
    if (text[0] != '\0') {
        fprintf(out, "%*s", INDENT, "");
        limits_put_cell(out, label, LABEL_COLUMNS);
        limits_put_rest(out, text, INDENT + LABEL_COLUMNS);
    }
}

static void print_settings(FILE *out, const struct limits_finding *finding)
{
    char line[LINE_BYTES];
    for (size_t i = 0; i < finding->setting_count; i++) {
        const struct limits_setting *setting = finding->settings[i];
        snprintf(line, sizeof(line), "%s %s (%s): %s", setting->program, setting->name,
                 setting->usual, setting->mend);
        print_fact(out, i == 0 ? "settings" : "", line);
    }
}

/* What became of a try. */
static void describe(const struct limits_finding *finding, const struct limits_sample *sample,
                     char out[static LINE_BYTES])
{
    char value[LIMITS_VALUE_BYTES];
    struct limits_sentence sentence;
    limits_sentence_begin(&sentence, out, LINE_BYTES);
    limits_value_text(finding->kind, sample->value, value, sizeof(value));
    if (!sample->opened) {
        limits_say(&sentence, "not begun");
    } else if (finding->kind == LIMITS_DURATION) {
        limits_say(&sentence, "%s %s", limits_sample_lives(sample) ? "open after" : "ended after",
                   value);
    } else if (finding->kind != LIMITS_FACT) {
        limits_say(&sentence, "%s", value);
    }
    if (sample->saw[0] != '\0') {
        limits_say(&sentence, "%s%s", sentence.len > 0 ? ": " : "", sample->saw);
    }
    if (sample->server_saw[0] != '\0') {
        limits_say(&sentence, "; the server: %s", sample->server_saw);
    }
}

/* Both, where they disagree. */
static void print_samples(FILE *out, const struct limits_finding *finding)
{
    for (size_t i = 0; i < finding->sample_count; i++) {
        char line[LINE_BYTES];
        char label[24];
        describe(finding, &finding->samples[i], line);
        snprintf(label, sizeof(label), "try %zu", i + 1);
        print_fact(out, label, line);
    }
}

static void print_limit(FILE *out, const struct limits_finding *finding)
{
    char found[LIMITS_FOUND_BYTES];
    char ended_by[LIMITS_FOUND_BYTES];
    fprintf(out, "\n%s: %s, %s", limits_shape_name(finding->shape),
            limits_shape_text(finding->shape), limits_found_text(finding, cli_shows_utf8(), found));
    if (finding->kind != LIMITS_FACT && finding->state != LIMITS_UNSTEADY) {
        const char *by = limits_ended_by_text(finding, ended_by);
        fprintf(out, "%s%s", by[0] != '\0' ? ", ended by: " : "", by);
    }
    fputc('\n', out);
    if (finding->state == LIMITS_UNSTEADY) {
        print_fact(out, "unsteady", finding->why);
        print_samples(out, finding);
    } else {
        print_fact(out, "client saw", finding->look);
        print_fact(out, "server saw",
                   finding->sample_count > 0 ? finding->samples[0].server_saw : "");
    }
    print_settings(out, finding);
    print_fact(out, "to set", finding->advice);
}

static void print_direct(FILE *out, const struct limits_result *result)
{
    if (result->direct) {
        fputc('\n', out);
        limits_put_rest(out,
                        "No hop between: the server sees its streams come from this client's own "
                        "address. What ends them is the server itself.",
                        0);
    }
}

/* What another limit explains is told there. */
static void print_limits(FILE *out, const struct limits_result *result)
{
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *finding = &result->findings[i];
        bool told = limits_is_notable(finding) || finding->setting_count > 0;
        if (finding->wanted && told && finding->state != LIMITS_BY_OTHER) {
            print_limit(out, finding);
        }
    }
}

/* ---- contract and end ------------------------------------------------------------------------ */

static void print_contract(FILE *out, const struct limits_report *report)
{
    static const enum cli_mark marks[] = {
        [LIMITS_KEPT] = CLI_MARK_GOOD,
        [LIMITS_BROKEN] = CLI_MARK_BAD,
        [LIMITS_NOT_CHECKED] = CLI_MARK_WARN,
    };
    static const char *const words[] = {
        [LIMITS_KEPT] = "kept",
        [LIMITS_BROKEN] = "broken",
        [LIMITS_NOT_CHECKED] = "not checked",
    };
    fputc('\n', out);
    for (size_t i = 0; i < report->contract->count; i++) {
        const struct limits_promise *promise = &report->contract->promises[i];
        char why[LIMITS_TEXT_BYTES];
        char line[LINE_BYTES];
        enum limits_verdict verdict = limits_promise_judge(promise, report->result, why);
        snprintf(line, sizeof(line), "%s: %s, %s", promise->text, words[verdict], why);
        fprintf(out, "%s ", cli_mark(marks[verdict]));
        limits_put_rest(out, line, MARK_COLUMNS);
    }
}

static void print_end(FILE *out, const struct limits_report *report)
{
    char message[LIMITS_MESSAGE_BYTES];
    int code = limits_report_exit_code(report);
    fprintf(out, "\n%s ",
            cli_mark(code == EXIT_GOOD           ? CLI_MARK_GOOD
                     : code == EXIT_CHECK_FAILED ? CLI_MARK_BAD
                                                 : CLI_MARK_WARN));
    limits_put_rest(out, limits_report_message(report, message), MARK_COLUMNS);
}

void limits_print_text(FILE *out, const void *printed)
{
    const struct limits_report *report = printed;
    if (report->result->connected) {
        print_table(out, report->result);
        print_unmeasured(out, report->result);
        print_direct(out, report->result);
        print_limits(out, report->result);
    }
    if (report->contract != NULL && report->result->connected) {
        print_contract(out, report);
    }
    if (report->result->connected || report->result->interrupted_by != 0) {
        print_end(out, report);
    }
}

#include "check/every_tell.h"

#include "base/clock.h"
#include "base/text.h"
#include "check/print.h"
#include "check/sentence.h"
#include "cli/result.h"
#include "cli/terminal.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

struct every_end {
    const struct every_stats *stats;
    const char *message;
};

#define LABEL_BYTES 400
#define LINE_BYTES  4000

void every_key(const struct check_report *report, char out[static EVERY_KEY_BYTES])
{
    struct sentence key = sentence_begin(out, EVERY_KEY_BYTES);
    sentence_add(&key, "%d", (int)report->result);
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        const struct check_verdict *verdict = &report->groups[i];
        sentence_add(&key, " %d", (int)verdict->result);
        for (size_t f = 0; f < verdict->finding_count; f++) {
            sentence_add(&key, ".%d", (int)verdict->findings[f].kind);
        }
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

static void add_evidence(struct sentence *line, const struct check_report *report)
{
    uint64_t answered = 0;
    char took[32];
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        answered += report->groups[i].received;
    }
    sentence_add(line, ": %zu checks, %zu streams, %" PRIu64 " messages in %s",
                 report->run->plan->group_count, report->run->plan->stream_count, answered,
                 text_format_duration(took, sizeof(took), report->run->duration_ns));
}

static void add_findings(struct sentence *line, const struct check_report *report)
{
    const char *joint = ": ";
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        char label[LABEL_BYTES];
        const struct check_verdict *verdict = &report->groups[i];
        check_group_label(&report->run->plan->groups[i], label, sizeof(label));
        for (size_t f = 0; f < verdict->finding_count; f++) {
            sentence_add(line, "%s%s %s %s", joint, label, cli_mark(CLI_MARK_ARROW),
                         verdict->findings[f].text);
            joint = "; ";
        }
    }
}

/* What comes behind the time and the mark. */
static void describe(const struct check_report *report, char out[static LINE_BYTES])
{
    struct sentence line = sentence_begin(out, LINE_BYTES);
    if (report->result == CHECK_NOT_CONNECTED) {
        sentence_add(&line, "not connected: %s", report->reason);
        return;
    }
    sentence_add(&line, "%s",
                 report->result == CHECK_PASSED   ? "passed"
                 : report->result == CHECK_FAILED ? "failed"
                                                  : "not enough evidence");
    if (report->result == CHECK_PASSED) {
        add_evidence(&line, report);
    } else {
        add_findings(&line, report);
    }
}

static void print_line(FILE *out, enum check_result result, const char *text)
{
    char now[CLOCK_RFC3339_BYTES];
    bool passed = result == CHECK_PASSED;
    bool open = result == CHECK_NO_EVIDENCE || result == CHECK_INTERRUPTED;
    const char *mark = cli_mark(passed ? CLI_MARK_GOOD : open ? CLI_MARK_WARN : CLI_MARK_BAD);
    const char *style = cli_style(out, passed ? CLI_GOOD : open ? CLI_WARN : CLI_BAD);
    clock_format_now(now);
    fprintf(out, "%s%s %s %s%s\n", style, now, mark, text, cli_style(out, CLI_PLAIN));
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static cJSON *json_begin(const char *target, enum check_result result, int exit_code,
                         const char *message)
{
    char now[CLOCK_RFC3339_BYTES];
    cJSON *object = cJSON_CreateObject();
    clock_format_now(now);
    cJSON_AddStringToObject(object, "command", check_command_name(CHECK_VERIFY));
    cJSON_AddStringToObject(object, "time", now);
    cJSON_AddStringToObject(object, "target", target);
    cJSON_AddStringToObject(object, "result", check_result_label(result));
    cJSON_AddNumberToObject(object, "exit_code", exit_code);
    cJSON_AddStringToObject(object, "message", message);
    return object;
}

static cJSON *json_findings(const struct check_report *report)
{
    cJSON *findings = cJSON_CreateArray();
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        char label[LABEL_BYTES];
        const struct check_verdict *verdict = &report->groups[i];
        for (size_t f = 0; f < verdict->finding_count; f++) {
            const struct check_finding *finding = &verdict->findings[f];
            cJSON *object = cJSON_CreateObject();
            cJSON_AddStringToObject(
                object, "name",
                check_group_label(&report->run->plan->groups[i], label, sizeof(label)));
            cJSON_AddStringToObject(object, "check", check_kind_label(finding->kind));
            cJSON_AddStringToObject(object, "result", check_result_label(finding->result));
            cJSON_AddNumberToObject(object, "count", (double)finding->count);
            cJSON_AddStringToObject(object, "text", finding->text);
            cJSON_AddItemToArray(findings, object);
        }
    }
    return findings;
}

static void print_json(FILE *out, cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    if (text != NULL) {
        fprintf(out, "%s\n", text);
    }
    cJSON_free(text);
    cJSON_Delete(object);
}

/* ---- both ------------------------------------------------------------------------------------ */

void every_tell_run(FILE *out, enum cli_output output, uint64_t run,
                    const struct check_report *report)
{
    char text[LINE_BYTES];
    describe(report, text);
    if (output == CLI_OUTPUT_JSON) {
        cJSON *object = json_begin(report->run->target, report->result, report->exit_code, text);
        cJSON_AddNumberToObject(object, "run", (double)(run + 1));
        cJSON_AddNumberToObject(object, "seconds", (double)report->run->duration_ns / 1e9);
        cJSON_AddNumberToObject(object, "seed", (double)report->run->plan->seed);
        cJSON_AddItemToObject(object, "findings", json_findings(report));
        print_json(out, object);
    } else {
        print_line(out, report->result, cli_readable(text));
    }
    cli_flush(out);
}

void every_write_run(const struct check_report *report, uint64_t started_ns,
                     const struct cli_output_options *outputs)
{
    static const struct cli_printers printers = {.json = check_print_json};
    const struct cli_output_options file = {.json_file = outputs->json_file};
    char message[CHECK_TEXT_BYTES];
    const struct cli_result result = {
        .command = check_command_name(CHECK_VERIFY),
        .target = report->run->target,
        .exit_code = report->exit_code,
        .message = check_summary(report, message, sizeof(message)),
        .started_ns = started_ns,
        .took_ns = report->run->duration_ns,
    };
    (void)cli_result_tell(&result, &printers, report, &file); /* what fails is told */
}

static void print_end(FILE *out, const void *printed)
{
    const struct every_end *end = printed;
    print_line(out, CHECK_INTERRUPTED, end->message);
}

static void add_end(cJSON *object, const void *printed)
{
    const struct every_end *end = printed;
    cJSON *counts = cJSON_AddObjectToObject(object, "runs");
    for (int i = CHECK_PASSED; i < CHECK_INTERRUPTED; i++) {
        cJSON_AddNumberToObject(counts, check_result_label((enum check_result)i),
                                (double)end->stats->runs[i]);
    }
    cJSON_AddBoolToObject(object, "last_passed", end->stats->last_passed);
}

int every_tell_end(const struct every_stats *stats, const char *target, int exit_code,
                   const struct cli_output_options *outputs)
{
    static const struct cli_printers printers = {.text = print_end, .json = add_end};
    char text[LINE_BYTES];
    struct sentence line = sentence_begin(text, sizeof(text));
    uint64_t runs = every_stats_runs(stats);
    sentence_add(&line,
                 "interrupted after %" PRIu64 " run%s: %" PRIu64 " passed, %" PRIu64
                 " failed, %" PRIu64 " without enough evidence, %" PRIu64 " not connected",
                 runs, runs == 1 ? "" : "s", stats->runs[CHECK_PASSED], stats->runs[CHECK_FAILED],
                 stats->runs[CHECK_NO_EVIDENCE], stats->runs[CHECK_NOT_CONNECTED]);
    const struct every_end end = {stats, text};
    const struct cli_result result = {.command = check_command_name(CHECK_VERIFY),
                                      .target = target,
                                      .exit_code = exit_code,
                                      .message = text};
    return cli_result_tell(&result, &printers, &end, outputs);
}

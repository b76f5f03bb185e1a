#include "cli/result.h"

#include "base/clock.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/markdown.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* There is one result of a process; some commands tell one again and again. */
static struct {
    uint64_t started_ns; /* since 1970 */
    uint64_t started_mono_ns;
    uint64_t took_ns; /* what is told */
    const char *inner;
    bool told;
    int write_error; /* errno of the first write to standard output that failed */
} process;

void cli_result_begin(void)
{
    process.started_ns = clock_wall_ns();
    process.started_mono_ns = clock_now_ns();
    process.told = false;
    process.inner = NULL;
}

void cli_result_begin_inner(const char *name)
{
    process.inner = name;
}

const char *cli_result_inner(void)
{
    return process.inner;
}

bool cli_result_was_told(void)
{
    return process.told;
}

int cli_result_write_error(void)
{
    return process.write_error;
}

/* The error of a write is gone when it is asked for later. */
static void note_error(const FILE *out, int error)
{
    if (out == stdout && process.write_error == 0) {
        process.write_error = error;
    }
}

void cli_flush(FILE *out)
{
    if (fflush(out) != 0) {
        note_error(out, errno);
    }
}

static uint64_t started_of(const struct cli_result *result)
{
    return result->started_ns != 0 ? result->started_ns : process.started_ns;
}

static uint64_t took_of(const struct cli_result *result)
{
    return result->started_ns != 0 ? result->took_ns : clock_now_ns() - process.started_mono_ns;
}

double cli_result_seconds(void)
{
    return (double)(process.took_ns / 1000000) / 1e3;
}

static const char *message_of(const struct cli_result *result)
{
    return result->message != NULL ? result->message : cli_last_error();
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void add_message(cJSON *object, const char *message)
{
    char shown[CLI_MESSAGE_BYTES];
    snprintf(shown, sizeof(shown), "%s", message);
    text_make_readable(shown);
    cJSON_AddStringToObject(object, "message", shown);
}

static cJSON *to_json(const struct cli_result *result, const struct cli_printers *printers,
                      const void *found)
{
    char started[CLOCK_RFC3339_BYTES];
    cJSON *object = cJSON_CreateObject();
    clock_format(started_of(result), started);
    cJSON_AddStringToObject(object, "command", result->command);
    cJSON_AddStringToObject(object, "version", GRPCROUTE_VERSION);
    cJSON_AddStringToObject(object, "started_at", started);
    cJSON_AddNumberToObject(object, "seconds", cli_result_seconds());
    cJSON_AddItemToObject(object, "target",
                          result->target != NULL ? cJSON_CreateString(result->target)
                                                 : cJSON_CreateNull());
    cJSON_AddStringToObject(object, "result", cli_result_word(result->exit_code));
    cJSON_AddNumberToObject(object, "exit_code", result->exit_code);
    add_message(object, message_of(result));
    if (printers->json != NULL) {
        printers->json(object, found);
    }
    return object;
}

/* A result that is being told. */
struct telling {
    const struct cli_result *result;
    const struct cli_printers *printers;
    const void *found;
};

static void print_json(FILE *out, const void *told)
{
    const struct telling *telling = told;
    cJSON *object = to_json(telling->result, telling->printers, telling->found);
    char *text = cJSON_Print(object);
    if (text != NULL && fprintf(out, "%s\n", text) < 0) {
        note_error(out, errno); /* it is longer than the buffer */
    }
    cJSON_free(text);
    cJSON_Delete(object);
}

static void put_fact(FILE *out, const char *name, const char *value)
{
    const char *const cells[] = {name, value, NULL};
    cli_markdown_row(out, cells);
}

static void print_markdown(FILE *out, const void *told)
{
    const struct telling *telling = told;
    const struct cli_result *result = telling->result;
    char started[CLOCK_RFC3339_BYTES];
    char took[32];
    char code[16];
    const char *mark = result->exit_code == EXIT_GOOD           ? "\xe2\x9c\x85"
                       : result->exit_code == EXIT_CHECK_FAILED ? "\xe2\x9d\x8c"
                                                                : "\xe2\x9a\xa0\xef\xb8\x8f";
    clock_format(started_of(result), started);
    snprintf(code, sizeof(code), "%d", result->exit_code);
    fprintf(out, "## %s grpcroute %s: ", mark, result->command);
    cli_markdown_text(out, cli_result_word(result->exit_code));
    fputs("\n\n", out);
    cli_markdown_text(out, message_of(result));
    fputs("\n\n| | |\n|---|---|\n", out);
    put_fact(out, "Target", result->target != NULL ? result->target : "none");
    put_fact(out, "Started", started);
    put_fact(out, "Took", text_format_duration(took, sizeof(took), process.took_ns));
    put_fact(out, "Exit code", code);
    put_fact(out, "Version", "grpcroute " GRPCROUTE_VERSION);
    if (telling->printers->markdown != NULL) {
        telling->printers->markdown(out, telling->found);
    }
}

/* ---- telling --------------------------------------------------------------------------------- */

FILE *cli_text_stream(const struct cli_output_options *outputs)
{
    const char *const files[] = {outputs->json_file, outputs->junit_file, outputs->report_file};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i] != NULL && strcmp(files[i], "-") == 0) {
            return stderr;
        }
    }
    return stdout;
}

static void print_text(const struct telling *telling, const struct cli_output_options *outputs)
{
    FILE *out = cli_text_stream(outputs);
    if (telling->printers->text != NULL) {
        telling->printers->text(out, telling->found);
        cli_flush(out);
    }
}

int cli_result_tell(const struct cli_result *result, const struct cli_printers *printers,
                    const void *found, const struct cli_output_options *outputs)
{
    struct cli_result told = *result;
    const struct telling telling = {.result = &told, .printers = printers, .found = found};
    const struct {
        const char *option;
        const char *path;
        void (*print)(FILE *out, const void *printed);
        const void *printed;
    } files[] = {
        {"--report-file", outputs->report_file, printers->page, found},
        {"--junit-file", outputs->junit_file, printers->junit, found},
        {"--json-file", outputs->json_file, print_json, &telling},
    };
    char program[32]; /* "bench" of "bench merge" */
    snprintf(program, sizeof(program), "%.*s", (int)strcspn(told.command, " "), told.command);
    process.told = true;
    process.took_ns = took_of(result);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].print != NULL &&
            cli_write_file(program, files[i].option, files[i].path, files[i].print,
                           files[i].printed) != 0 &&
            (told.exit_code == EXIT_GOOD || told.exit_code == EXIT_NO_EVIDENCE)) {
            told.exit_code = EXIT_USAGE;
            told.message = NULL;
        }
    }
    if (outputs->output == CLI_OUTPUT_JSON) {
        print_json(stdout, &telling);
    } else if (outputs->output == CLI_OUTPUT_MARKDOWN) {
        print_markdown(stdout, &telling);
    } else {
        print_text(&telling, outputs);
    }
    cli_flush(stdout);
    return told.exit_code;
}

#include "cli/junit.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/result.h"

#include <stdlib.h>
#include <string.h>

/* Writes `text` for an attribute or an element (XML 1.0 section 2.4). */
static void put_escaped(FILE *out, const char *escaped)
{
    char *readable = mem_strdup(escaped);
    text_make_readable(readable);
    const char *text = readable;
    size_t taken;
    for (size_t len = strlen(text); len > 0; text += taken, len -= taken) {
        uint32_t code_point;
        taken = text_next_visible(text, len, &code_point);
        if (strchr("&<>\"", (int)code_point) != NULL) {
            fprintf(out, "&#%u;", (unsigned)code_point);
        } else if (code_point == '?') {
            fputc('?', out);
        } else {
            fwrite(text, 1, taken, out);
        }
    }
    free(readable);
}

static void put_suite(FILE *out, const char *element, const struct cli_junit_suite *suite)
{
    fprintf(
        out,
        "<%s name=\"grpcroute %s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n",
        element, suite->command, suite->tests, suite->failures, suite->errors,
        cli_result_seconds());
}

void cli_junit_begin(FILE *out, const struct cli_junit_suite *suite)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    put_suite(out, "testsuites", suite);
    fputs("  ", out);
    put_suite(out, "testsuite", suite);
    fputs("    <properties><property name=\"target\" value=\"", out);
    put_escaped(out, suite->target);
    fputs("\"/></properties>\n", out);
}

void cli_junit_case_begin(FILE *out, const struct cli_junit_suite *suite, const char *name)
{
    fprintf(out, "    <testcase classname=\"grpcroute.%s\" name=\"", suite->command);
    put_escaped(out, name);
    fputs("\">\n", out);
}

void cli_junit_problem(FILE *out, enum cli_junit_result result, const char *type, const char *text)
{
    const char *element = result == CLI_JUNIT_FAILURE ? "failure" : "error";
    fprintf(out, "      <%s type=\"%s\" message=\"", element, type);
    put_escaped(out, text);
    fputs("\">", out);
    put_escaped(out, text);
    fprintf(out, "</%s>\n", element);
}

void cli_junit_output(FILE *out, const char *lines)
{
    if (lines != NULL && lines[0] != '\0') {
        fputs("      <system-out>", out);
        put_escaped(out, lines);
        fputs("</system-out>\n", out);
    }
}

void cli_junit_case_end(FILE *out)
{
    fputs("    </testcase>\n", out);
}

void cli_junit_end(FILE *out)
{
    fputs("  </testsuite>\n</testsuites>\n", out);
}

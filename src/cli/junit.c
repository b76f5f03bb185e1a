#include "cli/junit.h"

#include "base/text.h"
#include "cli/options.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Char of XML 1.0 section 2.2; a newline aside, control characters are left out, too: they cannot
 * be read in a report. */
static bool may_stand(uint32_t code_point)
{
    return code_point == '\n' || (code_point >= 0x20 && code_point < 0x7f) ||
           (code_point >= 0xa0 && code_point != 0xfffe && code_point != 0xffff);
}

/* Writes `text` for an attribute or an element (section 2.4). */
static void put_escaped(FILE *out, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        uint32_t code_point;
        size_t taken = text_utf8_decode(text, len, &code_point);
        if (taken == 0 || !may_stand(code_point)) {
            fputc('?', out);
        } else if (strchr("&<>\"", (int)code_point) != NULL) {
            fprintf(out, "&#%u;", (unsigned)code_point);
        } else {
            fwrite(text, 1, taken, out);
        }
        taken += taken == 0;
        text += taken;
        len -= taken;
    }
}

static void put_suite(FILE *out, const char *element, const struct cli_junit_suite *suite)
{
    fprintf(
        out,
        "<%s name=\"grpcroute %s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n",
        element, suite->command, suite->tests, suite->failures, suite->errors,
        (double)suite->duration_ns / 1e9);
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

int cli_junit_write(const char *command, const char *path,
                    void (*print)(FILE *out, const void *report), const void *report)
{
    if (path == NULL) {
        return 0;
    }
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        cli_error(command, "--junit-file: %s: %s", path, strerror(errno));
        return 1;
    }
    print(file, report);
    if (fclose(file) != 0) {
        cli_error(command, "--junit-file: %s: %s", path, strerror(errno));
        return 1;
    }
    return 0;
}

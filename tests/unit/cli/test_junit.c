#include "cli/junit.h"
#include "cli/options.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The whole report with one failed case that has `text` in every place; freed by the caller. */
static char *report_with(const char *text)
{
    char *written = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&written, &len);
    const struct cli_junit_suite suite = {
        .command = "verify", .target = text, .tests = 1, .failures = 1};
    cli_junit_begin(out, &suite);
    cli_junit_case_begin(out, &suite, text);
    cli_junit_problem(out, CLI_JUNIT_FAILURE, "misrouted", text);
    cli_junit_output(out, text);
    cli_junit_case_end(out);
    cli_junit_end(out);
    fclose(out);
    return written;
}

static void a_report_is_what_ci_reads(void **state)
{
    (void)state;
    char *report = report_with("v1.1");
    assert_string_equal(report,
                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<testsuites name=\"grpcroute verify\" tests=\"1\" failures=\"1\" "
                        "errors=\"0\" time=\"0.000\">\n"
                        "  <testsuite name=\"grpcroute verify\" tests=\"1\" failures=\"1\" "
                        "errors=\"0\" time=\"0.000\">\n"
                        "    <properties><property name=\"target\" value=\"v1.1\"/></properties>\n"
                        "    <testcase classname=\"grpcroute.verify\" name=\"v1.1\">\n"
                        "      <failure type=\"misrouted\" message=\"v1.1\">v1.1</failure>\n"
                        "      <system-out>v1.1</system-out>\n"
                        "    </testcase>\n"
                        "  </testsuite>\n"
                        "</testsuites>\n");
    free(report);
}

static void any_bytes_make_wellformed_xml(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *shown;
    } CASES[] = {
        {"a<b>&\"", "a&#60;b&#62;&#38;&#34;"},
        {"]]>", "]]&#62;"},
        {"\x1b[2J\r\x7f", "?[2J??"},
        {"\xff oops", "? oops"},
        {"cut \xe2\x82", "cut ??"},
        {"\xc2\x9b"
         "31m",
         "?31m"},
        {"\xef\xbf\xbe \xef\xbf\xbf", "? ?"},
        {"\xed\xa0\x80", "???"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xf0\x9f\x8e\x89", "\xf0\x9f\x8e\x89"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char expected[200];
        char *report = report_with(CASES[i].text);
        snprintf(expected, sizeof(expected), "<system-out>%s</system-out>", CASES[i].shown);
        assert_non_null(strstr(report, expected));
        snprintf(expected, sizeof(expected), "message=\"%s\">%s<", CASES[i].shown, CASES[i].shown);
        assert_non_null(strstr(report, expected));
        free(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_what_ci_reads),
        cmocka_unit_test(any_bytes_make_wellformed_xml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

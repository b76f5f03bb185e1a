#include "cli/common.h"

#include "base/log.h"
#include "words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

struct options {
    struct cli_output_options report;
    struct cli_log_options log;
};

static const struct cli_option TABLE[] = {
    CLI_OUTPUT_OPTIONS(struct options, report),
    CLI_LOG_OPTIONS(struct options, log),
};

static const struct cli_command COMMAND = {
    .name = "agent",
    .options = TABLE,
    .option_count = sizeof(TABLE) / sizeof(TABLE[0]),
    .struct_bytes = sizeof(struct options),
};

static struct options parse(const char *first, ...)
{
    struct options options = {0};
    va_list more;
    va_start(more, first);
    assert_int_equal(parse_words(&COMMAND, &options, first, more), 0);
    va_end(more);
    return options;
}

static int clean_environment(void **state)
{
    (void)state;
    unsetenv("GRPCROUTE_LOG_FORMAT");
    unsetenv("GRPCROUTE_LOG_LEVEL");
    return 0;
}

static void the_defaults_are_text_and_info(void **state)
{
    (void)state;
    struct options options = parse(NULL);
    assert_int_equal(options.report.output, CLI_OUTPUT_TEXT);
    assert_int_equal(options.log.level, LOG_INFO);
    assert_int_equal(options.log.format, LOG_TEXT);
}

static void choices_have_the_order_of_their_enums(void **state)
{
    (void)state;
    struct options options = parse("-o", "json", "--junit-file", "x.xml", "--log-format", "json",
                                   "--log-level", "error", NULL);
    assert_int_equal(options.report.output, CLI_OUTPUT_JSON);
    assert_string_equal(options.report.junit_file, "x.xml");
    assert_int_equal(options.log.format, LOG_JSON);
    assert_int_equal(options.log.level, LOG_ERROR);
    cli_log_apply(&options.log);
    assert_false(log_enabled(LOG_WARN));
    assert_true(log_enabled(LOG_ERROR));
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    for (unsigned level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        assert_int_equal(parse("--log-level", LEVELS[level], NULL).log.level, level);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_defaults_are_text_and_info, clean_environment),
        cmocka_unit_test_setup(choices_have_the_order_of_their_enums, clean_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

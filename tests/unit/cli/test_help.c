#include "cli/options.h"

#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"

static struct capture capture;

static const char *help_of(const struct cli_command *command)
{
    capture_begin(&capture, stdout);
    cli_print_help(command);
    return capture_end(&capture);
}

/* Not inlined: gcc 12 would warn of a NULL that it invents. */
__attribute__((noinline)) static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is missing in:\n%s", part, text);
    }
}

static void help_leads_with_usage_and_examples(void **state)
{
    (void)state;
    const char *text = help_of(&sample_command);
    static const char BEGINNING[] = "Try the options.\n\n"
                                    "Usage:\n  grpcroute sample [options] [WORD]\n\n"
                                    "Examples:\n  # Try it\n  grpcroute sample --version v1\n\n"
                                    "A longer text.\n\n"
                                    "Options:\n";
    assert_memory_equal(text, BEGINNING, strlen(BEGINNING));
}

static void every_option_shows_limits_default_and_environment(void **state)
{
    (void)state;
    const char *text = help_of(&sample_command);
    assert_contains(text, "\n  -v, --verbose               Say more\n");
    assert_contains(text,
                    "\n      --plaintext             Use no TLS (environment T_USE_TLS=false)\n");
    assert_contains(text,
                    "\n  -o, --output FORMAT         Format (text, json, junit; default json)\n");
    assert_contains(text,
                    "\n  -c, --count N               How many (1 to 100; default 3; environment\n"
                    "                              T_COUNT)\n");
    assert_contains(text, "\n      --least N               Five or more (at least 5; default 5)\n");
    assert_contains(
        text, "\n      --interval DURATION     Time between pings (100ms to 1h; default 5s)\n");
    assert_contains(text,
                    "\n      --version vX.Y          Version (required; environment T_VERSION)\n");
    assert_contains(text, "\n      --endpoints NAME=HOST:PORT\n"
                          "                              Endpoints (repeatable)\n");
    assert_contains(text, "\n  -h, --help                  Show this help\n");
}

static void help_explains_the_exit_codes(void **state)
{
    (void)state;
    const char *text = help_of(&sample_command);
    assert_contains(
        text, "\nExit codes:\n"
              "  0              All good\n"
              "  1              A check failed\n"
              "  2              Wrong options, configuration or fault command; unwritable file\n"
              "  3              Could not connect\n"
              "  4              Not enough evidence for a verdict\n"
              "  129, 130, 143  Interrupted (SIGHUP, SIGINT, SIGTERM)\n");
}

static void help_in_a_pipe_is_plain_and_80_columns_wide(void **state)
{
    (void)state;
    const char *text = help_of(&sample_command);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_in_range(strcspn(line, "\n"), 0, 80);
    }
    assert_null(strchr(text, '\x1b'));
}

static void a_bare_command_has_bare_help(void **state)
{
    (void)state;
    const struct cli_command bare = {.name = "bare", .summary = "Do it"};
    const char *text = help_of(&bare);
    static const char BEGINNING[] = "Do it.\n\nUsage:\n  grpcroute bare [options]\n\nOptions:\n"
                                    "  -h, --help ";
    assert_memory_equal(text, BEGINNING, strlen(BEGINNING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_leads_with_usage_and_examples),
        cmocka_unit_test(every_option_shows_limits_default_and_environment),
        cmocka_unit_test(help_explains_the_exit_codes),
        cmocka_unit_test(help_in_a_pipe_is_plain_and_80_columns_wide),
        cmocka_unit_test(a_bare_command_has_bare_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

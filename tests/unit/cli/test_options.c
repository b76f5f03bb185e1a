#include "cli/options.h"

#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"

#define ARGUMENTS_MAX 80

static struct capture capture;
static const struct cli_command *command; /* that is parsed for */
static struct sample parsed;
static bool help;
static int rest_count;
static char **rest;
static char *arguments[ARGUMENTS_MAX];

/* Parses the words up to NULL. Returns what was written to standard error, "" after success. */
static const char *parse(const char *first, ...)
{
    int count = 0;
    va_list words;
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *)) {
        arguments[count++] = (char *)(uintptr_t)word;
    }
    va_end(words);
    parsed = (struct sample){0};
    capture_begin(&capture, stderr);
    int outcome = cli_parse(command, count, arguments, &parsed, &help, &rest_count, &rest);
    const char *text = capture_end(&capture);
    assert_int_equal(outcome, text[0] != '\0');
    return text;
}

#define PARSE(...)         parse(__VA_ARGS__, NULL)
#define ASSERT_PARSES(...) assert_string_equal(PARSE(__VA_ARGS__), "")
#define ASSERT_LINE(line, ...)                                                                     \
    assert_string_equal(PARSE(__VA_ARGS__), "grpcroute sample: " line "\n")

static int clean_environment(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"T_USE_TLS", "T_SKIP", "T_ID",     "T_COUNT",
                                        "T_TARGET",  "T_PORT", "T_VERSION"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        unsetenv(NAMES[i]);
    }
    command = &sample_command;
    return 0;
}

static void every_spelling_of_an_option_is_read(void **state)
{
    (void)state;
    ASSERT_PARSES("--version", "v1.1", "--count", "5");
    assert_int_equal(parsed.count, 5);
    assert_string_equal(parsed.version, "v1.1");
    ASSERT_PARSES("--version=v1.1", "--count=6");
    assert_int_equal(parsed.count, 6);
    ASSERT_PARSES("--version", "v1", "-c", "7");
    assert_int_equal(parsed.count, 7);
    ASSERT_PARSES("--version", "v1", "-c8", "-ojson");
    assert_int_equal(parsed.count, 8);
    assert_int_equal(parsed.output, 1);
    ASSERT_PARSES("--version", "v1", "-c=9", "-o=junit");
    assert_int_equal(parsed.count, 9);
    assert_int_equal(parsed.output, 2);
    ASSERT_PARSES("--version", "v1", "-vkc10");
    assert_true(parsed.verbose && parsed.skip);
    assert_int_equal(parsed.count, 10);
    ASSERT_PARSES("--version", "v1", "-k", "-v");
    assert_true(parsed.verbose && parsed.skip);
}

static void every_kind_of_value_reaches_its_field(void **state)
{
    (void)state;
    ASSERT_PARSES("--verbose", "--id", "a=b", "--cacert=ca.pem", "--output", "text", "--any",
                  "18446744073709551615", "--interval", "1m30s", "--target", "[::1]", "--listen",
                  "9102", "--version", "v2", "--endpoints", "a=b:1,c:2", "--endpoints=d=e:3");
    assert_true(parsed.verbose);
    assert_false(parsed.plaintext);
    assert_string_equal(parsed.id, "a=b");
    assert_string_equal(parsed.file, "ca.pem");
    assert_int_equal(parsed.output, 0);
    assert_true(parsed.any == UINT64_MAX);
    assert_int_equal(parsed.interval_ns, UINT64_C(90000000000));
    assert_string_equal(parsed.target.host, "::1");
    assert_int_equal(parsed.target.port, 8443);
    assert_string_equal(parsed.listen.host, "");
    assert_int_equal(parsed.listen.port, 9102);
    assert_string_equal(parsed.version, "v2");
    assert_int_equal(parsed.endpoints.count, 2);
    assert_string_equal(parsed.endpoints.values[0], "a=b:1,c:2");
    assert_string_equal(parsed.endpoints.values[1], "d=e:3");
}

static void absent_options_have_their_defaults(void **state)
{
    (void)state;
    ASSERT_PARSES("--version", "v1");
    assert_false(parsed.verbose || parsed.plaintext || parsed.skip);
    assert_null(parsed.id);
    assert_null(parsed.file);
    assert_int_equal(parsed.output, 1);
    assert_int_equal(parsed.count, 3);
    assert_int_equal(parsed.any, 0);
    assert_int_equal(parsed.least, 5);
    assert_int_equal(parsed.interval_ns, UINT64_C(5000000000));
    assert_string_equal(parsed.target.host, "localhost");
    assert_int_equal(parsed.target.port, 8443);
    assert_int_equal(parsed.listen.port, 0);
    assert_string_equal(parsed.listen.host, "");
    assert_int_equal(parsed.endpoints.count, 0);
}

static void flag_beats_environment_beats_default(void **state)
{
    (void)state;
    setenv("T_COUNT", "20", 1);
    setenv("T_VERSION", "v3", 1);
    setenv("T_PORT", "1234", 1);
    ASSERT_PARSES("--count", "30");
    assert_int_equal(parsed.count, 30);
    ASSERT_PARSES("--verbose");
    assert_int_equal(parsed.count, 20);
    assert_string_equal(parsed.version, "v3");
    assert_int_equal(parsed.listen.port, 1234);
    setenv("T_COUNT", "", 1);
    ASSERT_PARSES("--verbose");
    assert_int_equal(parsed.count, 3);
    setenv("T_COUNT", "rubbish", 1); /* nobody asks it */
    ASSERT_PARSES("--count", "30");
    assert_int_equal(parsed.count, 30);
}

static void the_environment_can_say_true_and_false(void **state)
{
    (void)state;
    static const char *const WORDS[][2] = {
        {"false", "true"}, {"FALSE", "True"}, {"0", "1"}, {"no", "yes"}, {"off", "on"}};
    setenv("T_VERSION", "v1", 1);
    for (size_t i = 0; i < 5; i++) {
        for (int value = 0; value <= 1; value++) {
            setenv("T_USE_TLS", WORDS[i][value], 1);
            setenv("T_SKIP", WORDS[i][value], 1);
            ASSERT_PARSES("--verbose");
            assert_int_equal(parsed.plaintext, !value);
            assert_int_equal(parsed.skip, value);
        }
    }
    setenv("T_USE_TLS", "false", 1);
    setenv("T_SKIP", "true", 1);
    ASSERT_PARSES("--plaintext=false", "--tls-skip-verify=false");
    assert_false(parsed.plaintext);
    assert_false(parsed.skip);
    setenv("T_USE_TLS", "true", 1);
    ASSERT_PARSES("--plaintext");
    assert_true(parsed.plaintext);
}

static void positional_arguments_are_collected(void **state)
{
    (void)state;
    ASSERT_PARSES("one", "--version", "v1", "-", "--", "--count", "-x");
    assert_int_equal(rest_count, 4);
    assert_string_equal(rest[0], "one");
    assert_string_equal(rest[1], "-");
    assert_string_equal(rest[2], "--count");
    assert_string_equal(rest[3], "-x");
    assert_int_equal(parsed.count, 3);
    ASSERT_PARSES("--version", "v1");
    assert_int_equal(rest_count, 0);
}

static void help_is_seen_anywhere_before_the_end_of_options(void **state)
{
    (void)state;
    ASSERT_PARSES("--help");
    assert_true(help);
    ASSERT_PARSES("--nonsense", "-h");
    assert_true(help);
    ASSERT_PARSES("--version", "v1", "--", "--help");
    assert_false(help);
    assert_int_equal(rest_count, 1);
}

static void the_last_use_of_an_option_counts(void **state)
{
    (void)state;
    ASSERT_PARSES("--version", "v1", "-c1", "--count", "2", "--version=v2");
    assert_int_equal(parsed.count, 2);
    assert_string_equal(parsed.version, "v2");
}

static void a_value_may_begin_with_a_dash_only_behind_an_equals_sign(void **state)
{
    (void)state;
    ASSERT_PARSES("--version", "v1", "--id=--verbose", "--cacert", "-");
    assert_string_equal(parsed.id, "--verbose");
    assert_string_equal(parsed.file, "-");
    ASSERT_LINE("--id: needs a value: --id ID", "--id", "--verbose");
    ASSERT_LINE("--id: needs a value: --id ID", "--id");
    ASSERT_LINE("--count: needs a value: --count N", "-c");
    ASSERT_LINE("--count: needs a value: --count N", "-c", "-v");
    ASSERT_LINE("--count: \"-5\" is not valid, expected a whole number from 1 to 100", "-vc", "-5");
    ASSERT_LINE("--interval: \"-1s\" is not valid, expected a duration that is not negative",
                "--interval", "-1s");
    ASSERT_LINE("--interval: needs a value: --interval DURATION", "--interval", "-s");
}

static void unknown_options_are_named_with_a_suggestion(void **state)
{
    (void)state;
    ASSERT_LINE("unknown option --cuont; did you mean --count?", "--cuont", "5");
    ASSERT_LINE("unknown option --conut; did you mean --count?", "--conut=5");
    ASSERT_LINE("unknown option --intervall; did you mean --interval?", "--intervall");
    ASSERT_LINE("unknown option --skip-verify; did you mean --tls-skip-verify?", "--skip-verify");
    ASSERT_LINE("unknown option -target; did you mean --target?", "-target");
    ASSERT_LINE("unknown option --nonsense; see grpcroute sample --help", "--nonsense");
    ASSERT_LINE("unknown option -x; see grpcroute sample --help", "-x");
    ASSERT_LINE("unknown option --; see grpcroute sample --help", "--=5");
    ASSERT_LINE("unknown option --\\x1b[31m; see grpcroute sample --help", "--\x1b[31m");
    ASSERT_LINE("unknown option --insecure: --plaintext means no TLS, --tls-skip-verify (-k) means "
                "TLS without verification",
                "--insecure");
}

static void bad_values_are_named_with_what_was_expected(void **state)
{
    (void)state;
    ASSERT_LINE("--count: \"many\" is not valid, expected a whole number from 1 to 100", "-c",
                "many");
    ASSERT_LINE("--count: \"0\" is not valid, expected a whole number from 1 to 100", "--count=0");
    ASSERT_LINE("--count: \"101\" is not valid, expected a whole number from 1 to 100",
                "--count=101");
    ASSERT_LINE("--least: \"4\" is not valid, expected a whole number of at least 5", "--least=4");
    ASSERT_LINE("--any: \"-1\" is not valid, expected a whole number", "--any=-1");
    ASSERT_LINE("--interval: \"5 sec\" is not valid, expected a duration such as 250ms, 5s or "
                "1m30s",
                "--interval", "5 sec");
    ASSERT_LINE("--interval: \"99ms\" is not valid, expected a duration from 100ms to 1h",
                "--interval", "99ms");
    ASSERT_LINE("--interval: \"61m\" is not valid, expected a duration from 100ms to 1h",
                "--interval", "61m");
    ASSERT_LINE("--output: \"yaml\" is not valid, expected text, json or junit", "-o", "yaml");
    ASSERT_LINE("--version: \"1.1\" is not valid, expected a version such as v1 or v1.2",
                "--version", "1.1");
    ASSERT_LINE("--verbose: \"maybe\" is not valid, expected true or false", "--verbose=maybe");
    ASSERT_LINE("--id: \"\" is not valid, expected a value that is not empty", "--id=");
    ASSERT_LINE("--cacert: \"\" is not valid, expected the name of a file", "--cacert", "");
    ASSERT_LINE("--endpoints: \"\" is not valid, expected a value", "--endpoints=");
}

static void bad_addresses_are_named_with_what_was_expected(void **state)
{
    (void)state;
    ASSERT_LINE("--target: \":8443\" is not valid, expected a host before the colon, as in "
                "localhost:8443",
                "--target", ":8443");
    ASSERT_LINE("--target: \"a:0\" is not valid, expected a port from 1 to 65535 after the colon",
                "--target", "a:0");
    ASSERT_LINE(
        "--target: \"a:http\" is not valid, expected a port of at most 65535 after the colon",
        "--target", "a:http");
    ASSERT_LINE("--target: \"https://a\" is not valid, expected HOST:PORT without a scheme such as "
                "https://",
                "--target", "https://a");
    ASSERT_LINE(
        "--listen: \"99999\" is not valid, expected a port of at most 65535 after the colon",
        "--listen", "99999");
    ASSERT_LINE("--listen: \"localhost\" is not valid, expected PORT, :PORT or HOST:PORT, for "
                "example :8443 or 127.0.0.1:8443",
                "--listen", "localhost");
    ASSERT_LINE("--listen: \"800000000000000000000000000001\" is not valid, expected a port of at "
                "most 65535 after the colon",
                "--listen", "800000000000000000000000000001");
}

static void bad_environment_is_blamed_on_its_variable(void **state)
{
    (void)state;
    setenv("T_VERSION", "latest", 1);
    ASSERT_LINE("--version: \"latest\" from T_VERSION is not valid, expected a version such as v1 "
                "or v1.2",
                "-v");
    setenv("T_VERSION", "v1", 1);
    setenv("T_USE_TLS", "perhaps", 1);
    ASSERT_LINE("--plaintext: \"perhaps\" from T_USE_TLS is not valid, expected true or false",
                "-v");
}

static void a_required_option_is_asked_for(void **state)
{
    (void)state;
    ASSERT_LINE("--version vX.Y is required (or T_VERSION in the environment)", "-v");
    setenv("T_VERSION", "", 1);
    ASSERT_LINE("--version vX.Y is required (or T_VERSION in the environment)", "-v");
}

static void an_option_that_does_nothing_alone_is_refused(void **state)
{
    (void)state;
    ASSERT_LINE("--any: needs --id", "--version", "v1.1", "--any", "0");
    ASSERT_PARSES("--version", "v1.1", "--any", "0", "--id", "a");
    setenv("T_ID", "a", 1);
    ASSERT_PARSES("--version", "v1.1", "--any", "0");
}

static void an_option_that_does_nothing_beside_another_is_refused(void **state)
{
    (void)state;
    ASSERT_LINE("--target does not go with --logs", "--version", "v1.1", "--target", "a", "--logs",
                "-");
    ASSERT_LINE("--plaintext does not go with --logs", "--version", "v1.1", "--logs", "-",
                "--plaintext");
    ASSERT_PARSES("--version", "v1.1", "--logs", "-", "--id", "a");
    ASSERT_PARSES("--version", "v1.1", "--logs", "-", "--plaintext=false"); /* asks for nothing */
    setenv("T_TARGET", "a", 1); /* that is for all commands of a machine */
    ASSERT_PARSES("--version", "v1.1", "--logs", "-");
    ASSERT_PARSES("--version", "v1.1", "--target", "a", "--plaintext");
}

static void a_command_within_refuses_what_it_does_not_use(void **state)
{
    (void)state;
    static const char *const of_sum[] = {"count", "verbose", NULL};
    static const char *const of_show[] = {"least", "verbose", NULL};
    static const struct cli_inner inner[] = {{"sum", of_sum}, {"show", of_show}, {NULL, NULL}};
    struct cli_option options[sizeof(sample_options) / sizeof(sample_options[0])];
    struct cli_command with_inner = sample_command;
    memcpy(options, sample_options, sizeof(options));
    for (size_t i = 0; i < with_inner.option_count; i++) {
        options[i].required = false;
        options[i].inner_only = strcmp(options[i].name, "least") == 0;
    }
    with_inner.options = options;
    with_inner.inner = inner;
    command = &with_inner;
    ASSERT_LINE("--id does not go with show, which takes --least, --verbose", "--id", "a", "show");
    ASSERT_LINE("--least does not go with sum, which takes --count, --verbose", "sum", "show",
                "--least", "6");
    ASSERT_LINE("--least goes with sample show only; leave it out", "--least", "6");
    ASSERT_PARSES("show", "--least", "6", "-v");
    ASSERT_PARSES("show", "--plaintext=false"); /* nothing */
    ASSERT_PARSES("shwo", "--least", "6", "-c", "2");
    ASSERT_PARSES("-c", "2");
    setenv("T_ID", "a", 1); /* that is for all commands of a machine */
    ASSERT_PARSES("show", "--least", "6");
}

static void values_are_shown_escaped_and_cut(void **state)
{
    (void)state;
    char value[1000];
    memset(value, 'x', sizeof(value) - 1);
    value[0] = '\n';
    value[sizeof(value) - 1] = '\0';
    const char *line = PARSE("--any", value);
    assert_memory_equal(line, "grpcroute sample: --any: \"\\x0axxx", 30);
    assert_non_null(strstr(line, "xxx...\" is not valid"));
    assert_true(strlen(line) < 200);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void too_many_list_values_are_refused(void **state)
{
    (void)state;
    char *many[2 * (CLI_LIST_MAX + 1)];
    for (int i = 0; i <= CLI_LIST_MAX; i++) {
        many[2 * i] = (char *)(uintptr_t) "--endpoints";
        many[2 * i + 1] = (char *)(uintptr_t) "a=b:1";
    }
    parsed = (struct sample){0};
    capture_begin(&capture, stderr);
    int outcome = cli_parse(&sample_command, 2 * (CLI_LIST_MAX + 1), many, &parsed, &help,
                            &rest_count, &rest);
    assert_string_equal(capture_end(&capture), "grpcroute sample: --endpoints: \"a=b:1\" is not "
                                               "valid, expected at most 64 uses of this option\n");
    assert_int_equal(outcome, 1);
}

static void unwanted_arguments_are_refused(void **state)
{
    (void)state;
    struct cli_command alone = sample_command;
    alone.positional = NULL;
    char *words[] = {(char *)(uintptr_t) "v1\x07"};
    capture_begin(&capture, stderr);
    int outcome = cli_parse(&alone, 1, words, &parsed, &help, &rest_count, &rest);
    assert_string_equal(capture_end(&capture), "grpcroute sample: unexpected argument \"v1\\x07\"; "
                                               "see grpcroute sample --help\n");
    assert_int_equal(outcome, 1);
}

static void an_error_is_one_printable_line(void **state)
{
    (void)state;
    capture_begin(&capture, stderr);
    cli_error("agent", "%s\n%s", "a\x1b]0;x\x07", "b\\c\xff");
    assert_string_equal(capture_end(&capture), "grpcroute agent: a\\x1b]0;x\\x07\\x0ab\\c\\xff\n");
    capture_begin(&capture, stderr);
    cli_error(NULL, "%5000d", 1);
    const char *line = capture_end(&capture);
    assert_memory_equal(line, "grpcroute: ", 11);
    assert_in_range(strlen(line), 2000, 2100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_spelling_of_an_option_is_read, clean_environment),
        cmocka_unit_test_setup(every_kind_of_value_reaches_its_field, clean_environment),
        cmocka_unit_test_setup(absent_options_have_their_defaults, clean_environment),
        cmocka_unit_test_setup(flag_beats_environment_beats_default, clean_environment),
        cmocka_unit_test_setup(the_environment_can_say_true_and_false, clean_environment),
        cmocka_unit_test_setup(positional_arguments_are_collected, clean_environment),
        cmocka_unit_test_setup(help_is_seen_anywhere_before_the_end_of_options, clean_environment),
        cmocka_unit_test_setup(the_last_use_of_an_option_counts, clean_environment),
        cmocka_unit_test_setup(a_value_may_begin_with_a_dash_only_behind_an_equals_sign,
                               clean_environment),
        cmocka_unit_test_setup(unknown_options_are_named_with_a_suggestion, clean_environment),
        cmocka_unit_test_setup(bad_values_are_named_with_what_was_expected, clean_environment),
        cmocka_unit_test_setup(bad_addresses_are_named_with_what_was_expected, clean_environment),
        cmocka_unit_test_setup(bad_environment_is_blamed_on_its_variable, clean_environment),
        cmocka_unit_test_setup(a_required_option_is_asked_for, clean_environment),
        cmocka_unit_test_setup(an_option_that_does_nothing_alone_is_refused, clean_environment),
        cmocka_unit_test_setup(an_option_that_does_nothing_beside_another_is_refused,
                               clean_environment),
        cmocka_unit_test_setup(a_command_within_refuses_what_it_does_not_use, clean_environment),
        cmocka_unit_test_setup(values_are_shown_escaped_and_cut, clean_environment),
        cmocka_unit_test_setup(too_many_list_values_are_refused, clean_environment),
        cmocka_unit_test_setup(unwanted_arguments_are_refused, clean_environment),
        cmocka_unit_test_setup(an_error_is_one_printable_line, clean_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

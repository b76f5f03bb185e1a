#include "cli/common.h"

#include "base/log.h"
#include "capture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct cli_connect_options connect;
    struct cli_output_options report;
    struct cli_log_options log;
};

static const struct cli_option TABLE[] = {
    CLI_CONNECT_OPTIONS(struct options, connect),
    CLI_OUTPUT_OPTIONS(struct options, report),
    CLI_LOG_OPTIONS(struct options, log),
};

static const struct cli_command COMMAND = {
    .name = "agent",
    .options = TABLE,
    .option_count = sizeof(TABLE) / sizeof(TABLE[0]),
    .struct_bytes = sizeof(struct options),
};

static struct capture capture;

static struct options parse(const char *first, ...)
{
    struct options options = {0};
    char *argv[16];
    int argc = 0;
    bool help;
    va_list words;
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *)) {
        argv[argc++] = (char *)(uintptr_t)word;
    }
    va_end(words);
    char **rest;
    assert_int_equal(cli_parse(&COMMAND, argc, argv, &options, &help, &argc, &rest), 0);
    return options;
}

static int clean_environment(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"SERVER_ADDRESS", "USE_TLS", "GRPCROUTE_CACERT",
                                        "GRPCROUTE_LOG_FORMAT", "GRPCROUTE_LOG_LEVEL"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        unsetenv(NAMES[i]);
    }
    return 0;
}

static void the_default_is_verified_tls_to_localhost(void **state)
{
    (void)state;
    struct options options = parse(NULL);
    assert_string_equal(options.connect.target.host, "localhost");
    assert_int_equal(options.connect.target.port, 8443);
    assert_false(options.connect.plaintext);
    assert_false(options.connect.tls_skip_verify);
    assert_null(options.connect.cacert);
    assert_null(options.connect.authority);
    assert_int_equal(options.report.output, CLI_OUTPUT_TEXT);
    assert_int_equal(options.log.level, LOG_INFO);
    assert_int_equal(options.log.format, LOG_TEXT);
}

static void the_environment_of_a_pod_is_understood(void **state)
{
    (void)state;
    setenv("SERVER_ADDRESS", "proxy-ingress:443", 1);
    setenv("USE_TLS", "false", 1);
    struct options options = parse(NULL);
    assert_string_equal(options.connect.target.host, "proxy-ingress");
    assert_int_equal(options.connect.target.port, 443);
    assert_true(options.connect.plaintext);
    setenv("USE_TLS", "true", 1);
    assert_false(parse(NULL).connect.plaintext);
}

static void choices_have_the_order_of_their_enums(void **state)
{
    (void)state;
    struct options options = parse("-o", "json", "--junit-file", "x.xml", "--log-format", "json",
                                   "--log-level", "error", "-k", NULL);
    assert_int_equal(options.report.output, CLI_OUTPUT_JSON);
    assert_string_equal(options.report.junit_file, "x.xml");
    assert_int_equal(options.log.format, LOG_JSON);
    assert_int_equal(options.log.level, LOG_ERROR);
    assert_true(options.connect.tls_skip_verify);
    cli_log_apply(&options.log);
    assert_false(log_enabled(LOG_WARN));
    assert_true(log_enabled(LOG_ERROR));
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    for (unsigned level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        assert_int_equal(parse("--log-level", LEVELS[level], NULL).log.level, level);
    }
}

static void a_check_that_would_not_be_made_is_refused(void **state)
{
    (void)state;
    struct options options = parse("--cacert", "ca.pem", "--plaintext", NULL);
    capture_begin(&capture, stderr);
    int outcome = cli_connect_check("agent", &options.connect);
    assert_string_equal(capture_end(&capture), "grpcroute agent: --cacert: contradicts --plaintext "
                                               "(USE_TLS=false), which means no TLS\n");
    assert_int_equal(outcome, 1);
    options = parse("--cacert", "ca.pem", "-k", NULL);
    capture_begin(&capture, stderr);
    outcome = cli_connect_check("agent", &options.connect);
    assert_string_equal(capture_end(&capture), "grpcroute agent: --cacert: contradicts "
                                               "--tls-skip-verify, which verifies nothing\n");
    assert_int_equal(outcome, 1);
    options = parse("--cacert", "ca.pem", NULL);
    assert_int_equal(cli_connect_check("agent", &options.connect), 0);
    options = parse("--plaintext", NULL);
    assert_int_equal(cli_connect_check("agent", &options.connect), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_default_is_verified_tls_to_localhost, clean_environment),
        cmocka_unit_test_setup(the_environment_of_a_pod_is_understood, clean_environment),
        cmocka_unit_test_setup(choices_have_the_order_of_their_enums, clean_environment),
        cmocka_unit_test_setup(a_check_that_would_not_be_made_is_refused, clean_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

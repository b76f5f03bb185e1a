#include "role/connect.h"

#include "capture.h"
#include "words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct options {
    struct role_connect_options connect;
};

static const struct cli_option TABLE[] = {
    ROLE_CONNECT_OPTIONS(struct options, connect),
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
    va_list more;
    va_start(more, first);
    assert_int_equal(parse_words(&COMMAND, &options, first, more), 0);
    va_end(more);
    return options;
}

static int clean_environment(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"SERVER_ADDRESS", "USE_TLS", "GRPCROUTE_CACERT"};
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

/* The line that is told, after a refusal. */
static const char *refusal(const struct options *options)
{
    struct role_target target;
    capture_begin(&capture, stderr);
    int outcome = role_target_init(&target, "agent", &options->connect);
    const char *told = capture_end(&capture);
    role_target_deinit(&target);
    assert_int_equal(outcome, 1);
    return told;
}

static void a_check_that_would_not_be_made_is_refused(void **state)
{
    (void)state;
    setenv("USE_TLS", "false", 1);
    struct options options = parse("--cacert", "ca.pem", NULL);
    assert_string_equal(refusal(&options), "grpcroute agent: --cacert: contradicts --plaintext "
                                           "(USE_TLS=false), which means no TLS\n");
    options = parse("-k", NULL);
    assert_string_equal(refusal(&options), "grpcroute agent: --tls-skip-verify: contradicts "
                                           "--plaintext (USE_TLS=false), which means no TLS\n");
}

/* It is for all commands of a machine. */
static void the_environment_contradicts_no_option(void **state)
{
    (void)state;
    setenv("GRPCROUTE_CACERT", "ca.pem", 1);
    struct options with = parse(NULL);
    assert_string_equal(with.connect.cacert, "ca.pem");
    assert_null(parse("--plaintext", NULL).connect.cacert);
    assert_null(parse("-k", NULL).connect.cacert);
    assert_string_equal(parse("--tls-skip-verify=false", NULL).connect.cacert, "ca.pem");
}

static void authorities_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    struct options options = parse("--cacert", "/no/such/ca.pem", NULL);
    assert_non_null(strstr(refusal(&options), "/no/such/ca.pem"));
}

static void all_connections_go_where_the_options_say(void **state)
{
    (void)state;
    struct role_target target;
    struct options options =
        parse("--target", "[::1]:9", "--authority", "proxy.example.com", "--plaintext", NULL);
    assert_int_equal(role_target_init(&target, "agent", &options.connect), 0);
    struct rpc_client_config config = role_target_client(&target);
    assert_string_equal(target.name, "[::1]:9");
    assert_string_equal(config.target.host, "::1");
    assert_int_equal(config.target.port, 9);
    assert_string_equal(config.authority, "proxy.example.com");
    assert_null(config.tls);
    role_target_deinit(&target);
    options = parse("-k", NULL);
    assert_int_equal(role_target_init(&target, "agent", &options.connect), 0);
    assert_non_null(role_target_client(&target).tls);
    role_target_deinit(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_default_is_verified_tls_to_localhost, clean_environment),
        cmocka_unit_test_setup(the_environment_of_a_pod_is_understood, clean_environment),
        cmocka_unit_test_setup(a_check_that_would_not_be_made_is_refused, clean_environment),
        cmocka_unit_test_setup(the_environment_contradicts_no_option, clean_environment),
        cmocka_unit_test_setup(authorities_that_cannot_be_read_are_told, clean_environment),
        cmocka_unit_test_setup(all_connections_go_where_the_options_say, clean_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

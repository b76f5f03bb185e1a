#include "cli/program.h"

#include "capture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"

static const struct cli_command *const COMMANDS[] = {&sample_command};

static const struct cli_program PROGRAM = {
    .summary = "Tests the dispatch",
    .examples = "  grpcroute sample --version v1\n",
    .version = "grpcroute 1.2.3 (libraries)",
    .commands = COMMANDS,
    .command_count = 1,
};

static struct capture out;
static struct capture err;

/* Runs the program with the words up to NULL behind its name; `out` and `err` hold what it wrote.
 */
static int run(const char *first, ...)
{
    char *argv[16] = {(char *)(uintptr_t) "grpcroute"};
    int argc = 1;
    va_list words;
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *)) {
        argv[argc++] = (char *)(uintptr_t)word;
    }
    va_end(words);
    capture_begin(&out, stdout);
    capture_begin(&err, stderr);
    int code = cli_run(&PROGRAM, argc, argv);
    capture_end(&err);
    capture_end(&out);
    return code;
}

static void a_command_runs_with_its_options(void **state)
{
    (void)state;
    assert_int_equal(run("sample", "--version", "v1", NULL), 0);
    assert_string_equal(out.text, "ran with v1 and 0 arguments\n");
    assert_string_equal(err.text, "");
    assert_int_equal(run("sample", "word", "--version", "v1", NULL), 1);
    assert_string_equal(out.text, "ran with v1 and 1 arguments: word\n");
}

static void wrong_options_end_with_2_and_run_nothing(void **state)
{
    (void)state;
    assert_int_equal(run("sample", "--version", "1", NULL), 2);
    assert_string_equal(out.text, "");
    assert_non_null(strstr(err.text, "grpcroute sample: --version: \"1\""));
    assert_int_equal(run("sample", NULL), 2);
    assert_string_equal(out.text, "");
}

static void help_has_four_spellings(void **state)
{
    (void)state;
    static char expected[64 * 1024];
    assert_int_equal(run("sample", "--help", NULL), 0);
    strcpy(expected, out.text);
    assert_non_null(strstr(expected, "grpcroute sample [options]"));
    assert_int_equal(run("sample", "--count", "bad", "-h", NULL), 0);
    assert_string_equal(out.text, expected);
    assert_int_equal(run("help", "sample", NULL), 0);
    assert_string_equal(out.text, expected);
    assert_int_equal(run("--help", "sample", NULL), 0);
    assert_string_equal(out.text, expected);
}

static void no_arguments_show_the_overview(void **state)
{
    (void)state;
    static char expected[64 * 1024];
    assert_int_equal(run(NULL), 0);
    strcpy(expected, out.text);
    assert_non_null(strstr(expected, "  sample         Try the options\n"));
    assert_non_null(strstr(expected, "Exit codes:"));
    assert_string_equal(err.text, "");
    static const char *const WORDS[] = {"help", "--help", "-h"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(run(WORDS[i], NULL), 0);
        assert_string_equal(out.text, expected);
    }
}

static void the_version_names_the_libraries(void **state)
{
    (void)state;
    assert_int_equal(run("--version", NULL), 0);
    assert_string_equal(out.text, "grpcroute 1.2.3 (libraries)\n");
    assert_int_equal(run("version", NULL), 0);
    assert_string_equal(out.text, "grpcroute 1.2.3 (libraries)\n");
}

static void unknown_commands_are_named_with_a_suggestion(void **state)
{
    (void)state;
    assert_int_equal(run("smaple", NULL), 2);
    assert_string_equal(err.text, "grpcroute: unknown command \"smaple\"; did you mean sample?\n");
    assert_string_equal(out.text, "");
    assert_int_equal(run("completio", NULL), 2);
    assert_string_equal(err.text,
                        "grpcroute: unknown command \"completio\"; did you mean completion?\n");
    assert_int_equal(run("x\x1b", NULL), 2);
    assert_string_equal(err.text, "grpcroute: unknown command \"x\\x1b\"; see grpcroute --help\n");
    assert_int_equal(run("help", "nothing", NULL), 2);
    assert_string_equal(err.text, "grpcroute: unknown command \"nothing\"; see grpcroute --help\n");
    assert_int_equal(run("--target", "x", NULL), 2);
    assert_string_equal(err.text, "grpcroute: --target: a command comes first, then its options; "
                                  "see grpcroute --help\n");
}

static void completion_wants_a_known_shell(void **state)
{
    (void)state;
    assert_int_equal(run("completion", "bash", NULL), 0);
    assert_non_null(strstr(out.text, "complete -F _grpcroute grpcroute"));
    assert_int_equal(run("completion", "zsh", NULL), 0);
    assert_memory_equal(out.text, "#compdef grpcroute\n", 19);
    assert_int_equal(run("completion", "fish", NULL), 0);
    assert_memory_equal(out.text, "# fish completion", 17);
    assert_int_equal(run("completion", "--help", NULL), 0);
    assert_non_null(strstr(out.text, "source <(grpcroute completion bash)"));
    assert_int_equal(run("completion", "tcsh", NULL), 2);
    assert_string_equal(err.text,
                        "grpcroute completion: expected one argument: bash, zsh or fish\n");
    assert_int_equal(run("completion", NULL), 2);
    assert_int_equal(run("completion", "bash", "zsh", NULL), 2);
}

static void a_result_that_cannot_be_written_is_a_failure(void **state)
{
    (void)state;
    char *argv[] = {(char *)(uintptr_t) "grpcroute", (char *)(uintptr_t) "version", NULL};
    capture_begin(&err, stderr);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDOUT_FILENO);
    int code = cli_run(&PROGRAM, 2, argv);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(full);
    clearerr(stdout);
    capture_end(&err);
    assert_int_equal(code, 2);
    assert_string_equal(err.text, "grpcroute: cannot write to standard output: No space left on "
                                  "device\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_runs_with_its_options),
        cmocka_unit_test(wrong_options_end_with_2_and_run_nothing),
        cmocka_unit_test(help_has_four_spellings),
        cmocka_unit_test(no_arguments_show_the_overview),
        cmocka_unit_test(the_version_names_the_libraries),
        cmocka_unit_test(unknown_commands_are_named_with_a_suggestion),
        cmocka_unit_test(completion_wants_a_known_shell),
        cmocka_unit_test(a_result_that_cannot_be_written_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "cli/completion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sample.h"

/* Commands with words of their own, one of which takes files behind them. */
static const char *const words_of_paint[] = {"red", "green", NULL};
static const struct cli_command paint_command = {.name = "paint",
                                                 .summary = "Paint",
                                                 .positional = "COLOUR",
                                                 .positional_words = words_of_paint,
                                                 .options = sample_options,
                                                 .option_count = 1};
static const struct cli_command load_command = {.name = "load",
                                                .summary = "Load",
                                                .positional = "[red FILE...]",
                                                .positional_words = words_of_paint,
                                                .positional_files = true,
                                                .options = sample_options,
                                                .option_count = 1};

static const struct cli_command *const COMMANDS[] = {&sample_command, &paint_command,
                                                     &load_command};

static const struct cli_program PROGRAM = {.commands = COMMANDS, .command_count = 3};

static char script[] = "/tmp/grpcroute-completion-XXXXXX";

static int write_script(const char *shell)
{
    strcpy(script + sizeof(script) - 7, "XXXXXX");
    FILE *out = fdopen(mkstemp(script), "w");
    int outcome = cli_completion(&PROGRAM, shell, out);
    fclose(out);
    return outcome;
}

/* Completes the last word of a line, given as the words bash makes of it. Returns the candidates,
 * each followed by a blank, and "files" where bash is told to offer files. */
static const char *complete(const char *words)
{
    static char result[4096];
    char command[1024];
    assert_int_equal(write_script("bash"), 0);
    snprintf(
        command, sizeof(command),
        "bash -c 'compopt() { echo -n files; }; . %s; COMP_WORDS=(%s); "
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _grpcroute; printf \"%%s \" \"${COMPREPLY[@]}\"'",
        script, words);
    FILE *shell = popen(command, "r");
    size_t len = fread(result, 1, sizeof(result) - 1, shell);
    result[len] = '\0';
    int status = pclose(shell);
    unlink(script);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (strcmp(result, " ") == 0) { /* printf without arguments */
        result[0] = '\0';
    }
    return result;
}

static void bash_completes_commands(void **state)
{
    (void)state;
    assert_string_equal(complete("grpcroute \"\""),
                        "sample paint load help man completion version --help --version ");
    assert_string_equal(complete("grpcroute sa"), "sample ");
    assert_string_equal(complete("grpcroute help \"\""), "sample paint load ");
    assert_string_equal(complete("grpcroute man pa"), "paint ");
    assert_string_equal(complete("grpcroute completion z"), "zsh ");
}

static void bash_completes_options(void **state)
{
    (void)state;
    assert_string_equal(complete("grpcroute sample --in"), "--interval ");
    assert_string_equal(complete("grpcroute sample --verbose --c"), "--cacert --count ");
    assert_string_equal(complete("grpcroute sample --he"), "--help ");
}

static void bash_completes_values(void **state)
{
    (void)state;
    assert_string_equal(complete("grpcroute sample --output \"\""), "text json junit ");
    assert_string_equal(complete("grpcroute sample -o j"), "json junit ");
    assert_string_equal(complete("grpcroute sample --output = t"), "text ");
    assert_string_equal(complete("grpcroute sample --output ="), "text json junit ");
    assert_string_equal(complete("grpcroute sample --id s"), "");
    assert_string_equal(complete("grpcroute sample --count \"\""), "");
}

static void bash_offers_files_where_a_file_is_wanted(void **state)
{
    (void)state;
    assert_memory_equal(complete("grpcroute sample --cacert \"\""), "files", 5);
    assert_memory_equal(complete("grpcroute sample --cacert = x"), "files", 5);
}

static void bash_completes_words_of_a_command(void **state)
{
    (void)state;
    assert_string_equal(complete("grpcroute paint \"\""), "red green ");
    assert_string_equal(complete("grpcroute paint g"), "green ");
    assert_string_equal(complete("grpcroute paint --"), "--verbose --help ");
    assert_string_equal(complete("grpcroute paint red --"), "--verbose --help ");
    assert_string_equal(complete("grpcroute load \"\""), "red green ");
    assert_int_equal(chdir("/proc/self/attr"), 0);
    assert_non_null(strstr(complete("grpcroute load red \"\""), "current "));
    assert_non_null(strstr(complete("grpcroute load red --v"), "--verbose "));
    assert_int_equal(chdir("/"), 0);
}

static void bash_offers_files_and_what_is_no_file(void **state)
{
    (void)state;
    assert_int_equal(chdir("/proc/self/attr"), 0);
    const char *offered = complete("grpcroute sample --logs \"\"");
    assert_non_null(strstr(offered, "kubectl - "));
    assert_non_null(strstr(offered, "current "));
    assert_string_equal(complete("grpcroute sample --logs ku"), "fileskubectl ");
    assert_int_equal(chdir("/"), 0);
}

static void zsh_names_every_option(void **state)
{
    (void)state;
    char text[16 * 1024];
    assert_int_equal(write_script("zsh"), 0);
    FILE *in = fopen(script, "r");
    size_t len = fread(text, 1, sizeof(text) - 1, in);
    text[len] = '\0';
    fclose(in);
    char command[128];
    snprintf(command, sizeof(command), "if command -v zsh >/dev/null; then zsh -n %s; fi", script);
    assert_int_equal(system(command), 0);
    unlink(script);
    assert_non_null(strstr(text, "'sample:Try the options'\n"));
    assert_non_null(strstr(text, "'--cacert=[Authorities]:FILE:_files'"));
    assert_non_null(
        strstr(text, "'(-o --output)'{-o+,--output=}'[Format]:FORMAT:(text json junit)'"));
    assert_non_null(strstr(text, "'(-k --tls-skip-verify)'{-k,--tls-skip-verify}"
                                 "'[Don'\\''t verify \\[x\\:y\\]]'"));
    assert_non_null(strstr(text, "'*--logs=[Logs]:FILE: _grpcroute_or_files kubectl -'"));
    assert_non_null(strstr(text, "'1:word:(red green)' \\\n            '*:file:_files'"));
    assert_non_null(strstr(text, "'*--endpoints=[Endpoints]:NAME=HOST\\:PORT:'"));
}

static void other_shells_are_refused(void **state)
{
    (void)state;
    assert_int_equal(write_script("tcsh"), 1);
    unlink(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_completes_commands),
        cmocka_unit_test(bash_completes_options),
        cmocka_unit_test(bash_completes_values),
        cmocka_unit_test(bash_offers_files_where_a_file_is_wanted),
        cmocka_unit_test(bash_completes_words_of_a_command),
        cmocka_unit_test(bash_offers_files_and_what_is_no_file),
        cmocka_unit_test(zsh_names_every_option),
        cmocka_unit_test(other_shells_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

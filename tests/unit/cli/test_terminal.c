#include "cli/terminal.h"

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

/* What the functions say while both standard streams are a terminal, or a file. */
struct answers {
    char good[16];
    char plain[16];
    char mark[16];
    char done[16];
    bool progress;
    unsigned columns;
};

static struct answers ask(bool terminal)
{
    struct answers answers;
    int master = -1;
    int slave = open("/dev/null", O_RDWR);
    if (terminal) {
        close(slave);
        struct winsize size = {.ws_row = 24, .ws_col = 132};
        assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    }
    fflush(stdout);
    int saved_stdout = dup(STDOUT_FILENO);
    int saved_stderr = dup(STDERR_FILENO);
    dup2(slave, STDOUT_FILENO);
    dup2(slave, STDERR_FILENO);
    strcpy(answers.good, cli_style(stdout, CLI_GOOD));
    strcpy(answers.plain, cli_style(stdout, CLI_PLAIN));
    strcpy(answers.mark, cli_mark(CLI_MARK_GOOD));
    strcpy(answers.done, cli_mark(CLI_MARK_DONE));
    answers.progress = cli_progress_wanted();
    answers.columns = cli_columns(stdout);
    dup2(saved_stdout, STDOUT_FILENO);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stdout);
    close(saved_stderr);
    close(slave);
    close(master);
    return answers;
}

static int colourful(void **state)
{
    (void)state;
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    setenv("LC_ALL", "C.UTF-8", 1);
    return 0;
}

static void a_terminal_has_colour_marks_progress_and_a_width(void **state)
{
    (void)state;
    struct answers answers = ask(true);
    assert_string_equal(answers.good, "\x1b[32m");
    assert_string_equal(answers.plain, "\x1b[0m");
    assert_string_equal(answers.mark, "\xe2\x9c\x85");
    assert_true(answers.progress);
    assert_int_equal(answers.columns, 132);
}

static void a_file_has_marks_but_no_colour(void **state)
{
    (void)state;
    setenv("LC_ALL", "C", 1);
    struct answers answers = ask(false);
    assert_string_equal(answers.good, "");
    assert_string_equal(answers.plain, "");
    assert_string_equal(answers.mark, "\xe2\x9c\x85");
    assert_false(answers.progress);
    assert_int_equal(answers.columns, 80);
}

static void no_color_counts_when_it_is_not_empty(void **state)
{
    (void)state;
    setenv("NO_COLOR", "", 1);
    assert_string_equal(ask(true).good, "\x1b[32m");
    setenv("NO_COLOR", "0", 1);
    struct answers answers = ask(true);
    assert_string_equal(answers.good, "");
    assert_string_equal(answers.plain, "");
}

static void a_dumb_terminal_gets_plain_text(void **state)
{
    (void)state;
    setenv("TERM", "dumb", 1);
    assert_string_equal(ask(true).good, "");
    assert_false(ask(true).progress);
    unsetenv("TERM");
    assert_string_equal(ask(true).good, "");
    assert_false(ask(true).progress);
}

static void a_terminal_in_the_c_locale_gets_ascii(void **state)
{
    (void)state;
    setenv("LC_ALL", "C", 1);
    struct answers answers = ask(true);
    assert_string_equal(answers.mark, "OK");
    assert_string_equal(answers.done, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_terminal_has_colour_marks_progress_and_a_width, colourful),
        cmocka_unit_test_setup(a_file_has_marks_but_no_colour, colourful),
        cmocka_unit_test_setup(no_color_counts_when_it_is_not_empty, colourful),
        cmocka_unit_test_setup(a_dumb_terminal_gets_plain_text, colourful),
        cmocka_unit_test_setup(a_terminal_in_the_c_locale_gets_ascii, colourful),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

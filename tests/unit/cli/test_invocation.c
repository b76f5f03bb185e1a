#include "base/mem.h"
#include "cli/exit.h"
#include "cli/invocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

struct options {
    struct cli_list headers;
    const char *target;
    bool skip;
    bool plain;
};

static const struct cli_option options_table[] = {
    {.name = "header",
     .short_name = 'H',
     .kind = CLI_LIST,
     .secret = true,
     .offset = offsetof(struct options, headers),
     .argument = "X",
     .help = "x"},
    {.name = "target",
     .short_name = 't',
     .kind = CLI_STRING,
     .offset = offsetof(struct options, target),
     .argument = "X",
     .help = "x"},
    {.name = "skip",
     .short_name = 'k',
     .kind = CLI_FLAG,
     .offset = offsetof(struct options, skip),
     .help = "x"},
    {.name = "plain",
     .short_name = 'p',
     .kind = CLI_FLAG,
     .offset = offsetof(struct options, plain),
     .help = "x"},
};

static const struct cli_command command = {.name = "try",
                                           .options = options_table,
                                           .option_count = ARRAY_SIZE(options_table),
                                           .struct_bytes = sizeof(struct options)};

/* The page of that command line; freed by the caller. */
static char *page_of(int argc, const char **argv)
{
    char *written = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&written, &len);
    const struct cli_report report = {
        .command = "try", .result = "passed", .headline = "all is well"};
    cli_invocation_note(&command, argc, mem_unconst(argv));
    cli_write_page(out, (const unsigned char *)"@TITLE@ @SUMMARY@ @ABOUT@ @DATA@", &report, "{}");
    fclose(out);
    cli_invocation_forget();
    return written;
}

#define PAGE_OF(...)                                                                               \
    page_of((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                         \
            (const char *[]){__VA_ARGS__})

static void a_page_says_what_made_it(void **state)
{
    (void)state;
    char *page = PAGE_OF("grpcroute", "try", "-k", "--target=it's here", "x y", "");
    assert_non_null(strstr(page, "passed: grpcroute try all is well "));
    assert_non_null(
        strstr(page, "\"typed\":\"grpcroute try -k '--target=it'\\\\''s here' 'x y' ''\""));
    assert_non_null(strstr(page, "\"version\":\"" GRPCROUTE_VERSION "\""));
    assert_non_null(strstr(page, "\"started_at\":\"20"));
    assert_non_null(strstr(page, "\"exit_code\":0"));
    free(page);
}

static void no_form_of_a_secret_is_shown(void **state)
{
    (void)state;
    char *pages[] = {
        PAGE_OF("grpcroute", "try", "-H", "token: s3cret"),
        PAGE_OF("grpcroute", "try", "-Htoken: s3cret"),
        PAGE_OF("grpcroute", "try", "-H=token: s3cret"),
        PAGE_OF("grpcroute", "try", "-kpHtoken: s3cret"),
        PAGE_OF("grpcroute", "try", "-kH", "token: s3cret"),
        PAGE_OF("grpcroute", "try", "--header", "token: s3cret"),
        PAGE_OF("grpcroute", "try", "--header=token: s3cret"),
        PAGE_OF("grpcroute", "try", "-t", "-", "-H", "token: s3cret"),
        PAGE_OF("grpcroute", "try", "--header", "token:s3cret"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        assert_null(strstr(pages[i], "s3cret"));
        assert_non_null(strstr(pages[i], "token: ..."));
        free(pages[i]);
    }
    char *nameless = PAGE_OF("grpcroute", "try", "--header", "s3cret");
    assert_null(strstr(nameless, "s3cret"));
    free(nameless);
}

static void what_is_no_secret_is_shown(void **state)
{
    (void)state;
    char *page = PAGE_OF("grpcroute", "try", "-t", "H:x", "--target", "-", "--", "-Hname:y");
    assert_non_null(strstr(page, "grpcroute try -t H:x --target - -- -Hname:y\""));
    free(page);
}

static void a_command_line_without_end_is_cut(void **state)
{
    (void)state;
    size_t len = 200 * 1024;
    char *word = mem_calloc(1, len + 1);
    memset(word, '"', len);
    char *page = PAGE_OF("grpcroute", "try", word, "-H", "a: s3cret", "\xff");
    assert_true(strlen(page) < 64 * 1024);
    assert_null(strstr(page, "s3cret"));
    free(page);
    free(word);
}

static void each_exit_code_has_its_word(void **state)
{
    (void)state;
    assert_string_equal(cli_result_word(EXIT_GOOD), "passed");
    assert_string_equal(cli_result_word(EXIT_CHECK_FAILED), "failed");
    assert_string_equal(cli_result_word(EXIT_USAGE), "error");
    assert_string_equal(cli_result_word(EXIT_NO_CONNECTION), "not_connected");
    assert_string_equal(cli_result_word(EXIT_NO_EVIDENCE), "no_evidence");
    assert_string_equal(cli_result_word(EXIT_INTERRUPTED), "interrupted");
    assert_string_equal(cli_result_word(EXIT_TERMINATED), "interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_says_what_made_it),
        cmocka_unit_test(no_form_of_a_secret_is_shown),
        cmocka_unit_test(what_is_no_secret_is_shown),
        cmocka_unit_test(a_command_line_without_end_is_cut),
        cmocka_unit_test(each_exit_code_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

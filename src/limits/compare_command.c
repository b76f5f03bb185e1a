#include "limits/compare_command.h"

#include "base/mem.h"
#include "cli/exit.h"
#include "cli/result.h"
#include "limits/compare_print.h"
#include "limits/text_file.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (16 * 1024 * 1024)

static int tell(struct limits_pair *pair, const struct cli_output_options *outputs)
{
    static const struct cli_printers printers = {
        .text = limits_pair_print_text,
        .json = limits_pair_print_json,
        .markdown = limits_pair_print_markdown,
        .junit = limits_pair_print_junit,
    };
    char message[LIMITS_MESSAGE_BYTES];
    const struct cli_result told = {
        .command = "limits compare",
        .exit_code = limits_pair_exit_code(pair),
        .message = limits_pair_message(pair, message),
    };
    return cli_result_tell(&told, &printers, pair, outputs);
}

static int read_file(const char *path, struct limits_file *ret)
{
    char reason[LIMITS_REASON_BYTES];
    char *text = NULL;
    size_t len;
    int rv = limits_text_read(path, FILE_BYTES_MAX, &text, &len, reason);
    if (rv == 0) {
        rv = limits_file_parse(path, text, len, ret, reason);
    }
    if (rv != 0) {
        cli_error("limits", "%s: %s", path, reason);
    }
    free(text);
    return rv;
}

static int check(int argc, char **argv)
{
    if (argc != 2) {
        cli_error(
            "limits",
            "compare: expected two files of results made with limits -o json: before and now");
        return 1;
    }
    if (strcmp(argv[0], "-") == 0 && strcmp(argv[1], "-") == 0) {
        cli_error("limits", "-: standard input can be read only once");
        return 1;
    }
    return 0;
}

int limits_compare_command(int argc, char **argv, const struct cli_output_options *outputs)
{
    if (check(argc, argv) != 0) {
        return EXIT_USAGE;
    }
    struct limits_file *files = mem_calloc(2, sizeof(*files));
    struct limits_pair *pair = mem_new(struct limits_pair);
    pair->before = &files[0];
    pair->now = &files[1];
    int rv = read_file(argv[0], &files[0]);
    if (rv == 0) {
        rv = read_file(argv[1], &files[1]);
    }
    if (rv == 0) {
        limits_compare_results(&files[0].result, &files[1].result, &pair->comparison);
        rv = tell(pair, outputs);
    }
    free(pair);
    free(files);
    return rv;
}

/* What stands behind an option, for all shells alike. */
#include "cli/completion_impl.h"

bool cli_completion_takes_file(const struct cli_option *option)
{
    return option->kind == CLI_FILE || option->kind == CLI_RESULT_FILE;
}

void cli_completion_words(const char *const *words, FILE *out)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", words[i]);
    }
}

/* Parses words as a command line. */
#ifndef TESTS_UNIT_CLI_WORDS_H
#define TESTS_UNIT_CLI_WORDS_H

#include "cli/options.h"

#include <stdarg.h>
#include <stdint.h>

/* At most 16, ended by NULL, into `ret_options`; they must be right. Returns what cli_parse() does.
 */
static inline int parse_words(const struct cli_command *command, void *ret_options,
                              const char *first, va_list more)
{
    char *argv[16];
    char **rest;
    int argc = 0;
    bool help;
    for (const char *word = first; word != NULL; word = va_arg(more, const char *)) {
        argv[argc++] = (char *)(uintptr_t)word;
    }
    return cli_parse(command, argc, argv, ret_options, &help, &argc, &rest);
}

#endif

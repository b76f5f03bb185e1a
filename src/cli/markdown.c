#include "cli/markdown.h"

#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* HTML is allowed in Markdown, and a backslash takes the meaning of punctuation (CommonMark
 * section 2.4). A "_" inside a word means nothing. */
static void put_character(FILE *out, const char *character, size_t len, bool in_word)
{
    switch (character[0]) {
    case '&':
        fputs("&amp;", out);
        return;
    case '<':
        fputs("&lt;", out);
        return;
    case '>':
        fputs("&gt;", out);
        return;
    default:
        break;
    }
    if (strchr("\\|`*_[]~#", character[0]) != NULL && !(in_word && character[0] == '_')) {
        fputc('\\', out);
    }
    fwrite(character, 1, len, out);
}

void cli_markdown_text(FILE *out, const char *text)
{
    char *readable = mem_strdup(text);
    text_make_readable(readable);
    size_t taken;
    const char *at = readable;
    for (size_t len = strlen(at); len > 0; at += taken, len -= taken) {
        uint32_t code_point;
        taken = text_next_visible(at, len, &code_point);
        if (code_point == '?' || code_point == '\n') {
            fputc(code_point == '?' ? '?' : ' ', out);
        } else {
            put_character(out, at, taken,
                          at > readable && isalnum((unsigned char)at[-1]) &&
                              isalnum((unsigned char)at[1]));
        }
    }
    free(readable);
}

void cli_markdown_row(FILE *out, const char *const *cells)
{
    fputc('|', out);
    for (size_t i = 0; cells[i] != NULL; i++) {
        fputc(' ', out);
        cli_markdown_text(out, cells[i]);
        fputs(" |", out);
    }
    fputc('\n', out);
}

void cli_markdown_table(FILE *out, const char *heading, const char *const *columns)
{
    fprintf(out, "\n### %s\n\n", heading);
    cli_markdown_row(out, columns);
    fputc('|', out);
    for (size_t i = 0; columns[i] != NULL; i++) {
        fputs("---|", out);
    }
    fputc('\n', out);
}

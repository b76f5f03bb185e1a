#include "limits/layout.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>

/* Columns of a text: nothing in it is wider than one or takes none. */
static size_t columns_of(const char *text, size_t len)
{
    size_t columns = 0;
    uint32_t code_point;
    for (size_t taken; len > 0; text += taken, len -= taken, columns++) {
        taken = text_next_visible(text, len, &code_point);
    }
    return columns;
}

void limits_put_cell(FILE *out, const char *text, size_t width)
{
    size_t columns = columns_of(text, strlen(text));
    fprintf(out, "%s%*s", text, (int)(columns < width ? width - columns : 1), "");
}

void limits_put_rest(FILE *out, const char *text, size_t at)
{
    char *readable = mem_strdup(text);
    cli_readable(readable);
    size_t used = at;
    for (const char *word = readable + strspn(readable, " "); *word != '\0';) {
        size_t len = strcspn(word, " ");
        size_t columns = columns_of(word, len);
        if (used > at && used + 1 + columns > LIMITS_COLUMNS) {
            fprintf(out, "\n%*s", (int)at, "");
            used = at;
        }
        fprintf(out, "%s%.*s", used > at ? " " : "", (int)len, word);
        used += columns + (used > at);
        word += len + strspn(word + len, " ");
    }
    fputc('\n', out);
    free(readable);
}

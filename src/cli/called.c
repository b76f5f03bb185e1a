#include "cli/called.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static char called[PATH_MAX] = "grpcroute";

void cli_called_as(const char *name)
{
    if (name != NULL && name[0] != '\0') {
        cli_shell_word(called, sizeof(called), name);
    }
}

const char *cli_called(void)
{
    return called;
}

static size_t put(char *out, size_t out_bytes, size_t len, const char *piece)
{
    int written = snprintf(out + len, out_bytes - len, "%s", piece);
    size_t room = out_bytes - len - 1;
    return len + ((size_t)written < room ? (size_t)written : room);
}

char *cli_shell_word(char *out, size_t out_bytes, const char *text)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+=:,./-";
    if (text[0] != '\0' && strspn(text, PLAIN) == strlen(text)) {
        snprintf(out, out_bytes, "%s", text);
        return out;
    }
    size_t len = put(out, out_bytes, 0, "'");
    for (; *text != '\0'; text++) {
        const char one[] = {*text, '\0'};
        len = put(out, out_bytes, len, *text == '\'' ? "'\\''" : one);
    }
    put(out, out_bytes, len, "'");
    return out;
}

#include "check/sentence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sentence sentence_begin(char *out, size_t out_bytes)
{
    out[0] = '\0';
    return (struct sentence){.out = out, .out_bytes = out_bytes};
}

void sentence_add(struct sentence *sentence, const char *format, ...)
{
    size_t room = sentence->out_bytes - sentence->len;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(sentence->out + sentence->len, room, format, arguments);
    va_end(arguments);
    if (wanted < 0) {
        sentence->out[sentence->len] = '\0';
    } else if ((size_t)wanted < room) {
        sentence->len += (size_t)wanted;
    } else {
        sentence->len = sentence->out_bytes - 1;
        memcpy(sentence->out + sentence->out_bytes - 4, "...", 4);
    }
}

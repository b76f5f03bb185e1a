#include "limits/sentence.h"

#include <stdarg.h>
#include <stdio.h>

void limits_sentence_begin(struct limits_sentence *sentence, char *out, size_t size)
{
    *sentence = (struct limits_sentence){.out = out, .size = size};
    out[0] = '\0';
}

void limits_say(struct limits_sentence *sentence, const char *format, ...)
{
    va_list arguments;
    size_t room = sentence->size - sentence->len;
    va_start(arguments, format);
    int len = vsnprintf(sentence->out + sentence->len, room, format, arguments);
    va_end(arguments);
    sentence->len += len < 0 ? 0 : (size_t)len < room ? (size_t)len : room - 1;
}

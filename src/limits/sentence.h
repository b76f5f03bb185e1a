/* A text that grows piece by piece, and is cut where its room ends. */
#ifndef GRPCROUTE_LIMITS_SENTENCE_H
#define GRPCROUTE_LIMITS_SENTENCE_H

#include <stddef.h>

struct limits_sentence {
    char *out; /* borrowed, `size` bytes, always ended by NUL */
    size_t size;
    size_t len;
};

void limits_sentence_begin(struct limits_sentence *sentence, char *out, size_t size);
__attribute__((format(printf, 2, 3))) void limits_say(struct limits_sentence *sentence,
                                                      const char *format, ...);

#endif

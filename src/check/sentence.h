/* A text of bounded length that grows by printf pieces; what does not fit is cut with "...". Pure.
 */
#ifndef GRPCROUTE_CHECK_SENTENCE_H
#define GRPCROUTE_CHECK_SENTENCE_H

#include <stddef.h>

struct sentence {
    char *out;
    size_t out_bytes;
    size_t len;
};

/* Begins an empty text in `out`, of at least 4 bytes. */
struct sentence sentence_begin(char *out, size_t out_bytes);

void sentence_add(struct sentence *sentence, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

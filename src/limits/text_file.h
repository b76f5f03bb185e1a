/* Reading a small text that somebody wrote: a contract, a result. */
#ifndef GRPCROUTE_LIMITS_TEXT_FILE_H
#define GRPCROUTE_LIMITS_TEXT_FILE_H

#include <stddef.h>

#define LIMITS_REASON_BYTES 320

/* The whole file, standard input for "-", as UTF-8 without a byte order mark. Returns 0 with
 * `ret_text` (owned, ended by a NUL that `ret_len` does not count), or an exit code with a phrase
 * in `reason`. */
int limits_text_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len,
                     char reason[static LIMITS_REASON_BYTES]);

#endif

/* Reads back what `limits -o json` wrote. */
#ifndef GRPCROUTE_LIMITS_FILE_H
#define GRPCROUTE_LIMITS_FILE_H

#include "limits/finding.h"
#include "limits/text_file.h"

#define LIMITS_STARTED_BYTES 40

struct limits_file {
    char path[LIMITS_TEXT_BYTES];   /* escaped, as all texts of it and of the result */
    char target[LIMITS_TEXT_BYTES]; /* the result's, too */
    char started_at[LIMITS_STARTED_BYTES];
    struct limits_result result; /* without settings and advice */
};

/* `path` is not read, but for messages. Returns 0, or an exit code with a phrase in `reason`,
 * escaped: `text` is no JSON, somebody else's, of another version or damaged. */
int limits_file_parse(const char *path, const char *text, size_t len, struct limits_file *ret,
                      char reason[static LIMITS_REASON_BYTES]);

#endif

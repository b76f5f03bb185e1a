#include "limits/text_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text_line.h"
#include "role/input.h"

#include <stdlib.h>
#include <string.h>

/* Shells write UTF-16, too. */
static char *decode(const struct buf *bytes, size_t *ret_len)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct buf text = text_decode_all(bytes);
    if (text.len >= strlen(mark) && memcmp(buf_data(&text), mark, strlen(mark)) == 0) {
        buf_consume(&text, strlen(mark));
    }
    *ret_len = text.len;
    char *copy = mem_calloc(text.len + 1, 1);
    if (text.len > 0) {
        memcpy(copy, buf_data(&text), text.len);
    }
    buf_deinit(&text);
    return copy;
}

int limits_text_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len,
                     char reason[static LIMITS_REASON_BYTES])
{
    struct buf bytes = {0};
    int rv = role_input_read_all(path, max_bytes, &bytes, reason, LIMITS_REASON_BYTES);
    if (rv == 0) {
        *ret_text = decode(&bytes, ret_len);
    }
    buf_deinit(&bytes);
    return rv;
}

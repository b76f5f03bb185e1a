#include "limits/text_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/text_line.h"
#include "cli/exit.h"
#include "role/input.h"
#include "role/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (64 * 1024)

static int read_all(struct role_input *input, size_t max_bytes, struct buf *bytes,
                    char reason[static LIMITS_REASON_BYTES])
{
    char most[32];
    ssize_t len;
    do {
        uint8_t *room = buf_reserve(bytes, READ_BYTES);
        len = room != NULL ? role_input_read(input, room, READ_BYTES) : -ENOMEM;
        buf_commit(bytes, len > 0 ? (size_t)len : 0);
    } while (len > 0 && bytes->len <= max_bytes);
    if (input->interrupted_by != 0) {
        snprintf(reason, LIMITS_REASON_BYTES, "interrupted while it was read");
        return role_signals_exit_code(input->interrupted_by);
    }
    if (len > 0) {
        snprintf(reason, LIMITS_REASON_BYTES, "is larger than %s",
                 text_format_size(most, sizeof(most), (double)max_bytes));
    } else if (len < 0) {
        snprintf(reason, LIMITS_REASON_BYTES, "%s", strerror((int)-len));
    }
    return len == 0 ? 0 : EXIT_USAGE;
}

/* Shells write UTF-16, too. Each byte becomes TEXT_DECODED_BYTES at most, and only the first few
 * wait for the next. */
static char *decode(const struct buf *bytes, size_t *ret_len)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct text_decoder decoder = {0};
    struct buf text = {0};
    char out[TEXT_DECODED_BYTES];
    for (size_t i = 0; i < bytes->len; i++) {
        size_t len = text_decode(&decoder, buf_data(bytes)[i], out);
        (void)buf_append(&text, out, len, SIZE_MAX);
    }
    (void)buf_append(&text, out, text_decode_end(&decoder, out), SIZE_MAX);
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
    struct role_input input;
    struct buf bytes = {0};
    int error = role_input_open(&input, path, 0);
    if (error != 0) {
        snprintf(reason, LIMITS_REASON_BYTES, "%s", strerror(-error));
        return EXIT_USAGE;
    }
    int rv = read_all(&input, max_bytes, &bytes, reason);
    role_input_close(&input);
    if (rv == 0) {
        *ret_text = decode(&bytes, ret_len);
    }
    buf_deinit(&bytes);
    return rv;
}

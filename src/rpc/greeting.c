#include "rpc/greeting.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* How much of a line is enough to know what it is; HTTP/2 begins with a frame's length, which is
 * no text. */
#define LINE_BYTES 48
#define TEXT_BYTES 4
/* RFC 8446 section 5.1: the type of a record, and the major version. */
#define TLS_ALERT     0x15
#define TLS_HANDSHAKE 0x16
#define TLS_MAJOR     0x03

static size_t line_length(const uint8_t *bytes, size_t len)
{
    size_t line = 0;
    while (line < len && line < LINE_BYTES && bytes[line] >= ' ' && bytes[line] < 0x7f) {
        line++;
    }
    return line;
}

bool rpc_greeting_is_foreign(const uint8_t *bytes, size_t len, char out[static RPC_GREETING_BYTES])
{
    if (len >= 2 && (bytes[0] == TLS_ALERT || bytes[0] == TLS_HANDSHAKE) && bytes[1] == TLS_MAJOR) {
        snprintf(out, RPC_GREETING_BYTES,
                 "it answers with TLS, not with HTTP/2 (leave --plaintext away)");
        return true;
    }
    size_t line = line_length(bytes, len);
    if (line < TEXT_BYTES) {
        return false;
    }
    char text[LINE_BYTES + 1];
    text_escape(text, sizeof(text), (const char *)bytes, line);
    snprintf(out, RPC_GREETING_BYTES, "it answers \"%s\": it does not speak HTTP/2", text);
    return true;
}

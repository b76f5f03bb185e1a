#include "wire.h"

#include <string.h>

/* Indexed fields of RFC 7541 appendix A. */
#define METHOD_POST       0x83
#define SCHEME_HTTPS      0x87
#define NAME_PATH         4
#define NAME_AUTHORITY    1
#define NAME_CONTENT_TYPE 31
/* "Literal Header Field without Indexing", section 6.2.2: its prefix has 4 bits. */
#define PREFIX_MAX 15

static void put_u32(unsigned char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (unsigned char)(value >> (24 - 8 * i));
    }
}

size_t wire_frame(unsigned char *out, unsigned type, unsigned flags, uint32_t stream,
                  const void *payload, size_t len)
{
    out[0] = (unsigned char)(len >> 16);
    out[1] = (unsigned char)(len >> 8);
    out[2] = (unsigned char)len;
    out[3] = (unsigned char)type;
    out[4] = (unsigned char)flags;
    put_u32(out + 5, stream);
    if (len > 0) {
        memcpy(out + 9, payload, len);
    }
    return 9 + len;
}

size_t wire_greeting(unsigned char *out)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /* ENABLE_PUSH 0, INITIAL_WINDOW_SIZE 2^31 - 1 */
    static const unsigned char settings[] = {0, 2, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff};
    unsigned char window[4];
    size_t len = sizeof(preface) - 1;

    memcpy(out, preface, len);
    len += wire_frame(out + len, WIRE_SETTINGS, 0, 0, settings, sizeof(settings));
    put_u32(window, 0x7fffffffu - 65535u);
    return len + wire_frame(out + len, WIRE_WINDOW_UPDATE, 0, 0, window, sizeof(window));
}

/* All are shorter than 127 bytes: their length is one byte, without Huffman's code. */
static size_t put_text(unsigned char *out, const char *text)
{
    size_t len = strlen(text);

    out[0] = (unsigned char)len;
    memcpy(out + 1, text, len);
    return 1 + len;
}

static size_t put_known(unsigned char *out, unsigned index, const char *value)
{
    size_t len = 0;

    if (index < PREFIX_MAX) {
        out[len++] = (unsigned char)index;
    } else {
        out[len++] = PREFIX_MAX;
        out[len++] = (unsigned char)(index - PREFIX_MAX);
    }
    return len + put_text(out + len, value);
}

static size_t put_named(unsigned char *out, const char *name, const char *value)
{
    size_t len = 1;

    out[0] = 0;
    len += put_text(out + len, name);
    return len + put_text(out + len, value);
}

size_t wire_call(unsigned char *out, uint32_t stream)
{
    unsigned char block[WIRE_MOST_BYTES / 2];
    size_t len = 0;

    block[len++] = METHOD_POST;
    block[len++] = SCHEME_HTTPS;
    len += put_known(block + len, NAME_PATH, "/ping.PingService/PingPong");
    len += put_known(block + len, NAME_AUTHORITY, "localhost");
    len += put_known(block + len, NAME_CONTENT_TYPE, "application/grpc");
    len += put_named(block + len, "te", "trailers");
    len += put_named(block + len, "agent-version", "v1.1");
    len += put_named(block + len, "agent-id", "fleet");
    return wire_frame(out, WIRE_HEADERS, WIRE_END_HEADERS, stream, block, len);
}

size_t wire_ping(unsigned char *out, uint32_t stream)
{
    /* Not compressed, six bytes: field 1 is "ping". */
    static const unsigned char message[] = {0, 0, 0, 0, 6, 0x0a, 4, 'p', 'i', 'n', 'g'};

    return wire_frame(out, WIRE_DATA, 0, stream, message, sizeof(message));
}

#include "tls_side.h"

#include "fuzz.h"

static uint8_t pattern(size_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

void tls_side_take_output(struct tls_side *side)
{
    size_t len = net_tls_io_take_output(side->io);
    FUZZ_CHECK(len <= NET_CIPHER_BYTES);
    if (side->other == NULL) {
        return;
    }
    FUZZ_CHECK(len <= sizeof(side->out) - side->out_len);
    memcpy(side->out + side->out_len, side->loop->cipher_bytes, len);
    side->out_len += len;
}

static void check_error(const struct net_error *error)
{
    FUZZ_CHECK(error->text[0] != '\0' && memchr(error->text, 0, sizeof(error->text)) != NULL);
    FUZZ_CHECK(fuzz_is_plain(error->text));
}

static void fail(struct tls_side *side)
{
    struct net_error error;
    net_tls_io_explain(side->io, side->done ? "peer" : NULL, &error);
    check_error(&error);
    FUZZ_CHECK(!side->done || net_tls_io_write(side->io, (const uint8_t *)"x", 1) < 0);
    side->dead = true;
}

static void check_text(char *text)
{
    FUZZ_CHECK(text == NULL || fuzz_is_plain(text));
    free(text);
}

static void shake_hands(struct tls_side *side)
{
    int outcome;
    do {
        outcome = net_tls_io_handshake(side->io);
        tls_side_take_output(side);
    } while (outcome == NET_TLS_IO_FULL);
    if (outcome == NET_TLS_IO_E_FAILED) {
        fail(side);
        return;
    }
    side->done = outcome == NET_TLS_IO_DONE;
    FUZZ_CHECK(side->done || outcome == NET_TLS_IO_MORE);
    if (side->done) {
        struct net_expiry expiry;
        check_text(net_tls_io_peer_identity(side->io));
        check_text(net_tls_io_peer_name(side->io));
        FUZZ_CHECK(strncmp(net_tls_io_version(side->io), "TLSv1.", 6) == 0);
        FUZZ_CHECK(net_tls_io_peer_expiry(side->io, &expiry) || side->is_server);
    }
}

static void read_on(struct tls_side *side)
{
    static uint8_t plain[NET_RECORD_BYTES];
    int count = 1;
    while (count > 0 && !net_tls_io_is_drained(side->io)) {
        count = net_tls_io_read(side->io, plain, sizeof(plain));
        tls_side_take_output(side);
        for (int i = 0; i < count; i++) {
            FUZZ_CHECK(plain[i] == pattern(side->received++));
        }
        FUZZ_CHECK(side->other != NULL && side->received <= side->other->written);
    }
    if (count == NET_TLS_IO_E_FAILED) {
        fail(side);
    }
    side->heard_end = count == NET_TLS_IO_E_ENDED;
}

void tls_side_hear(struct tls_side *side, const uint8_t *bytes, size_t len)
{
    size_t unread;
    if (side->dead || side->heard_end) {
        return;
    }
    net_tls_io_feed(side->io, bytes, len);
    if (!side->done) {
        shake_hands(side);
    }
    if (side->done && !side->dead) {
        read_on(side);
    }
    net_tls_io_unread(side->io, &unread);
    FUZZ_CHECK(unread <= len && (unread == 0 || side->dead || side->heard_end));
    net_tls_io_feed(side->io, NULL, 0);
}

void tls_side_end(struct tls_side *side)
{
    struct net_error error;
    if (!side->done && !side->dead) {
        net_tls_io_explain_end(side->io, UV_EOF, &error);
        check_error(&error);
        net_tls_io_explain_end(side->io, UV_ECONNRESET, &error);
        check_error(&error);
    }
    net_tls_io_free(side->io);
}

void tls_side_write(struct tls_side *side, size_t len)
{
    static uint8_t bytes[NET_RECORD_BYTES];
    if (!side->done || side->dead || side->said_end) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] = pattern(side->written + i);
    }
    int rv = net_tls_io_write(side->io, bytes, len);
    FUZZ_CHECK(rv == 0 || side->begins_anew);
    tls_side_take_output(side);
    side->dead = rv != 0;
    side->written += rv == 0 ? len : 0;
}

/* One end of a TLS connection in memory, for fuzz_tls.c: ours, with what must hold of it whatever
 * it hears. What it writes is a pattern, by which the other end knows that nothing is missing. */
#ifndef GRPCROUTE_TESTS_FUZZ_TLS_SIDE_H
#define GRPCROUTE_TESTS_FUZZ_TLS_SIDE_H

#include "net/loop.h"
#include "net/tls_io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_TRANSIT_BYTES ((size_t)512 * 1024)
/* What one step may make, of whichever kind it is. */
#define TLS_STEP_BYTES ((size_t)4 * NET_CIPHER_BYTES)

struct tls_side {
    struct net_tls_io *io; /* owned */
    struct net_loop *loop;
    struct tls_side *other; /* NULL: there are only bytes */
    bool is_server;
    bool done; /* the handshake */
    bool dead;
    bool begins_anew; /* as no end of ours does by itself: it may be unable to write */
    bool said_end;
    bool heard_end;
    size_t updates;       /* of keys, that it has sent by itself */
    size_t asked_updates; /* that the other end asked it for */
    size_t written;       /* plaintext bytes */
    size_t received;      /* of the other end's */
    size_t out_len;
    uint8_t out[TLS_TRANSIT_BYTES]; /* ciphertext on its way to the other end */
};

/* These bytes come, and it does what it has to; none: it begins. */
void tls_side_hear(struct tls_side *side, const uint8_t *bytes, size_t len);

/* Writes so many, at most a record, where it may write. */
void tls_side_write(struct tls_side *side, size_t len);

/* Puts on its way what the session has made. */
void tls_side_take_output(struct tls_side *side);

/* Its connection ends. */
void tls_side_end(struct tls_side *side);

#endif

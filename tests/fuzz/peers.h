/* The well-behaved ends of fuzz_relay.c: HTTP/2 sessions on streams in memory, and a client whose
 * messages must come back. */
#ifndef GRPCROUTE_TESTS_FUZZ_PEERS_H
#define GRPCROUTE_TESTS_FUZZ_PEERS_H

#include "h2/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections that endpoints take at a time, and streams of the fuzzed client that are remembered.
 */
#define PEERS_CONNECTIONS 16
#define PEERS_STREAMS     32

struct net_stream;

/* One end of a connection, held by the test. */
struct peer {
    struct net_stream *stream; /* NULL: none */
    struct h2_session *session;
};

/* A stream of the fuzzed client at the endpoint. */
struct fuzzed {
    struct h2_stream *stream; /* NULL: none */
    size_t unread;            /* bytes whose credit is withheld */
};

extern struct fuzzed peers_fuzzed[PEERS_STREAMS];

/* A client whose messages come back, or the program ends. */
struct bystander {
    struct peer peer;
    struct h2_stream *stream; /* NULL: it must not be */
    size_t sent;
    size_t received;
};

/* Dials of the relay are answered by endpoints that echo what a bystander sends, and do as they are
 * told (the test, through `peers_fuzzed`) on all other streams. */
void peers_begin(void);
/* Everything closes. */
void peers_end(void);

void bystander_connect(struct bystander *bystander, uint16_t port);
/* Opens one more stream, says something on it, and ends it: all of it must work. */
void bystander_calls(struct bystander *bystander);
/* A message on the stream that lives all along; it must come back within `patience_ms`. */
void bystander_pings(struct bystander *bystander, uint64_t patience_ms);
void bystander_leave(struct bystander *bystander);

/* Bytes go to and fro until nothing moves. `bystander` may be NULL. */
void peers_settle(struct bystander *bystander);
/* Time passes for all. */
void peers_advance(struct bystander *bystander, uint64_t ms);

#endif

/* The far end of a connection of the relay's, a client or an endpoint, on nghttp2 directly: what
 * it sends is what the test says, right or wrong, and none of it is the program's own work.
 *
 * Fields are written as text, a line each: "name: value\n"; one that begins with '!' is never
 * indexed. */
#ifndef GRPCROUTE_TESTS_PEER_H
#define GRPCROUTE_TESTS_PEER_H

#include "base/buf.h"
#include "base/list.h"
#include "net/stream.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#define PEER_UNLIMITED UINT32_MAX
/* peer_stream.error of a stream that went with its connection. */
#define PEER_LOST UINT32_MAX

struct peer;
struct peer_stream;

struct peer_config {
    bool server;
    bool silent;          /* sends no SETTINGS until peer_open() */
    bool withholds;       /* a connection's credit is for what was read, as nghttpx does */
    uint32_t max_streams; /* 0: says nothing of it, unless `paused` */
    bool paused;          /* MAX_CONCURRENT_STREAMS 0 */
    uint32_t window;      /* INITIAL_WINDOW_SIZE; 0: the protocol's */
    bool shut;            /* INITIAL_WINDOW_SIZE 0 */
    uint32_t header_list; /* MAX_HEADER_LIST_SIZE; 0: says nothing of it */
    /* May be NULL: a header block of the other side, its end. */
    void (*on_block)(struct peer_stream *stream);
    void (*on_end)(struct peer_stream *stream);
    void *user;
};

struct peer_stream {
    struct list node; /* peer->streams, oldest first */
    struct peer *peer;
    int32_t id;
    uint64_t since_ms;
    char *head;     /* what the other side sent last as request or response; "" */
    char *trailers; /* "" */
    char *inform;   /* the last informational response; "" */
    unsigned blocks;
    struct buf body;     /* what of it was not looked at */
    size_t body_bytes;   /* in all */
    size_t unread_bytes; /* without credit */
    bool unread;         /* its body is not read */
    bool ended;          /* by the other side */
    bool closed;
    uint32_t error; /* that it closed with */

    struct buf out;
    bool out_ends;
    char *out_trailers; /* behind `out`; NULL: none */
};

struct peer {
    struct peer_config config;
    nghttp2_session *session;
    struct net_stream *transport; /* NULL: gone */
    struct list streams;
    size_t stream_count; /* in all */
    size_t open_count;
    size_t most_open; /* at a time */
    unsigned resets;
    unsigned young_resets; /* of streams younger than a second here */
    unsigned pings;        /* of the other side */
    unsigned goaways;
    uint32_t goaway_error;
    char goaway_text[128];
    bool busy;   /* reading */
    char *block; /* being read */
};

struct peer *peer_new(struct net_stream *transport, const struct peer_config *config);
/* Its connection must be gone. */
void peer_free(struct peer *peer);

/* Sends the SETTINGS of a silent peer. */
void peer_open(struct peer *peer);
/* Ends the connection, with a reset or politely. */
void peer_abort(struct peer *peer);
void peer_close(struct peer *peer);
/* Stands still, as a stopped process does, or goes on. */
void peer_stop(struct peer *peer);
void peer_go_on(struct peer *peer);

void peer_set(struct peer *peer, int32_t setting, uint32_t value);
void peer_goaway(struct peer *peer, int32_t last_id, uint32_t error, const char *debug);
/* Window for the connection. */
void peer_grant(struct peer *peer, int32_t stream_id, int32_t bytes);

/* The n-th stream, from 0; it must be there. */
struct peer_stream *peer_stream(const struct peer *peer, size_t n);

/* Client: a request of exactly these fields. `end`: there is no body. */
struct peer_stream *peer_ask(struct peer *peer, const char *fields, bool end);
/* Server: an answer's header block; `end`: it is all. */
void peer_respond(struct peer_stream *stream, const char *fields, bool end);
void peer_inform(struct peer_stream *stream, const char *fields);
/* A gRPC answer without a status yet; and one whole that is only a status. */
void peer_begin(struct peer_stream *stream);
void peer_status(struct peer_stream *stream, int code, const char *message);
/* Body bytes; what ends it. */
void peer_send(struct peer_stream *stream, const void *bytes, size_t len);
void peer_send_zeros(struct peer_stream *stream, size_t len);
void peer_end(struct peer_stream *stream);
void peer_trailers(struct peer_stream *stream, const char *fields);
void peer_reset(struct peer_stream *stream, uint32_t error);
/* Reads what it left unread, from here on all. */
void peer_read(struct peer_stream *stream);

/* The value of a field of trailers, else of the head; NULL: not there. Valid until the next
 * call. */
const char *peer_value(const struct peer_stream *stream, const char *name);
/* How often the head has that field. */
unsigned peer_count(const struct peer_stream *stream, const char *name);
/* Takes what came of the body and says whether that is `text`. */
bool peer_took(struct peer_stream *stream, const char *text);

#endif

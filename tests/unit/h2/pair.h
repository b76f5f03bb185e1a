/* A client and a server session back to back in memory, with everything that happened written down.
 */
#ifndef GRPCROUTE_TESTS_H2_PAIR_H
#define GRPCROUTE_TESTS_H2_PAIR_H

#include "h2/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_WIRE_BYTES (4 * 1024 * 1024)

struct held;

/* One side. */
struct side {
    struct h2_session *session;
    struct h2_stream *stream; /* the last one that began here */
    struct held *held;        /* its user */
    char log[4096];           /* "block data:5 end sent:5 close:0 ..." */
    size_t received_bytes;
    size_t closes;
    uint32_t close_error;
    bool unprocessed;
    bool consume; /* returns credit at once */
    bool deaf;    /* server: attaches to no request */
    bool answer;  /* server: 200 with the request's body, ended with trailers */
    unsigned output_asks;
    unsigned output_waits; /* asked for, and may wait */
    unsigned rooms;
    unsigned never_indexed;        /* fields that came so */
    char fault[256];               /* of the stream that closed last */
    uint8_t wire[PAIR_WIRE_BYTES]; /* everything it sent */
    size_t wire_len;
};

struct pair {
    struct side client;
    struct side server;
    uint64_t now_ms;
};

/* Makes both sessions, and exchanges their SETTINGS; `server_limits` NULL takes the default. */
struct pair *pair_new(const struct h2_limits *server_limits);
/* ... before either has said a word. */
struct pair *pair_new_silent(const struct h2_limits *server_limits);
/* Frees; every stream must have been closed exactly once by then. */
void pair_free(struct pair *pair);

/* Carries bytes both ways in pieces of `step` until nothing moves. */
void pair_run(struct pair *pair, size_t step);

/* Opens a POST on the client. */
struct h2_stream *pair_open(struct pair *pair, bool end_stream);
/* Opens a request on the client; returns what h2_stream_open() said. */
int pair_open_fields(struct pair *pair, const struct h2_header *fields, size_t count,
                     bool end_stream, struct h2_stream **ret_stream);

/* Makes the side's last stream nobody's. */
void pair_give_up(struct side *side);

/* Counts frames of a type on a side's wire; `ret_last` gets flags and length of the last one. */
struct frame_seen {
    uint8_t flags;
    uint32_t length;
    uint32_t error; /* of RST_STREAM and GOAWAY */
};
size_t pair_frames(const struct side *side, uint8_t type, struct frame_seen *ret_last);

/* Feeds a frame that no session of ours would send. Returns what the session said. */
int pair_inject(struct pair *pair, struct side *to, uint8_t type, uint8_t flags, int32_t stream_id,
                const void *payload, size_t len);
/* SETTINGS with one entry. */
int pair_inject_setting(struct pair *pair, struct side *to, uint16_t id, uint32_t value);
int pair_inject_update(struct pair *pair, struct side *to, int32_t stream_id, uint32_t increment);

/* Takes what a side has to say, to nobody: its peer is the test. */
void pair_collect(struct pair *pair, struct side *side);

/* Lets time pass, with the ticks that an owner gives. Returns what the last tick of `side` said. */
int pair_wait(struct pair *pair, struct side *side, uint64_t ms);

/* Appends a raw frame to `out`; returns its end. */
uint8_t *pair_frame(uint8_t *out, uint8_t type, uint8_t flags, int32_t stream_id,
                    const void *payload, size_t len);

#endif

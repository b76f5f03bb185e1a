/* Every limit of HTTP/2 that a role enforces on a peer, with its unit, its reason and its source,
 * in one place. */
#ifndef GRPCROUTE_H2_LIMITS_H
#define GRPCROUTE_H2_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Header block (and trailers): bytes as RFC 9113 section 6.5.2 counts them (name + value + 32) and
 * number of fields, counted before anything is copied: nghttp2 only advertises the first and has no
 * second, so one 16 KiB frame of indexed fields could become 65 MB ("HPACK bomb"). */
#define H2_HEADER_BLOCK_BYTES   (16 * 1024)
#define H2_FIELD_OVERHEAD_BYTES 32
#define H2_HEADER_FIELDS        100
/* The most that an owner may ask for instead: what CONTINUATION frames of H2_CONTINUATIONS hold. */
#define H2_HEADER_BLOCK_BYTES_MAX (112 * 1024)
#define H2_HEADER_FIELDS_MAX      512
/* The largest block we send, whatever the peer takes. */
#define H2_SEND_BLOCK_BYTES (112 * 1024)

/* Streams a peer may hold open on one connection; more are refused (REFUSED_STREAM). */
#define H2_MAX_CONCURRENT_STREAMS_DEFAULT 100

/* Receive window of one stream, which is also the most we buffer of it: credit is returned only
 * when the other side took the bytes. */
#define H2_STREAM_WINDOW_BYTES (64 * 1024)
/* Receive window of a connection. Larger than a stream's, and credit is returned on arrival, so
 * that no stalled stream can stop its neighbours: the bound on what we hold is the streams'
 * windows. */
#define H2_CONNECTION_WINDOW_BYTES (1024 * 1024)
/* Half of a peer's connection window is kept for streams that, with all of their group, hold little
 * of it: no more than one in so many bytes. How long the others wait for a WINDOW_UPDATE before
 * they use it, too, where the peer may be one that returns credit only when all is used. */
#define H2_RESERVE_LITTLE_SHARE 4
#define H2_RESERVE_MS           1000
/* Frame payload we accept (the protocol's minimum maximum, RFC 9113 section 4.2). */
#define H2_FRAME_BYTES 16384

/* A peer must finish each of these in time, or the connection ends (slowloris). Who has sent a
 * preface may acknowledge as late as gRPC clients themselves give up to connect (grpc's "connection
 * backoff" document, MIN_CONNECT_TIMEOUT), which one on a busy machine nearly needs when a whole
 * fleet comes back at once. */
#define H2_PREFACE_MS      10000
#define H2_SETTINGS_ACK_MS 20000
#define H2_HEADER_BLOCK_MS 10000
/* A socket that takes none of our bytes for this long is a dead peer. (A stream whose reader merely
 * pauses is not touched: its buffer is bounded by its window.) */
#define H2_WRITE_STALL_MS 30000

/* One budget per connection for everything that makes us work for nothing: resets of young streams,
 * resets a peer makes us send, refused streams, malformed messages, pings and window updates
 * without traffic, settings, goaways, empty, priority and unknown frames. Burst and refill per
 * second; at zero GOAWAY ENHANCE_YOUR_CALM. The burst grows with the most streams that were open at
 * once: who shares a connection among many may lose them all at once. */
#define H2_BUDGET_BURST          200
#define H2_BUDGET_PER_SECOND     20
#define H2_BUDGET_HEADER_OFFENCE 20 /* cost of one header block over its limits */
/* A reset younger than this is charged ("rapid reset", CVE-2023-44487). Older streams may all end
 * at once: a connection shared by thousands of agents sees that whenever a fleet restarts. */
#define H2_YOUNG_STREAM_MS 1000
/* An owner calls every NET_TICK_MS; when it did not for this long, the process stood still: it was
 * stopped, starved, or busy. */
#define H2_STOOD_STILL_MS 1000
/* A connection from which nothing came for this long rests: what it holds takes less room, and the
 * next byte costs a few microseconds more. Each time it is woken it waits twice as long, so that
 * one with a regular word to say soon does not rest at all. */
#define H2_REST_MS     2000
#define H2_REST_MS_MAX 60000
/* DATA frames without a byte in a row that a stream of a server may bring. */
#define H2_EMPTY_FRAMES 100
/* WINDOW_UPDATE frames that are free: some at the start, some per DATA or HEADERS frame we send. */
#define H2_WINDOW_UPDATES_INITIAL   100
#define H2_WINDOW_UPDATES_PER_FRAME 4
#define H2_WINDOW_UPDATES_MAX       10000
/* A client's peer may have as many saved up as our bytes can explain. */
#define H2_WINDOW_UPDATES_MAX_CLIENT (1u << 30)

/* nghttp2's own guards, the second line behind the budget, which tells old streams from young ones
 * and says what there was too much of. */
#define H2_RESET_BURST          10000
#define H2_RESET_PER_SECOND     1000
#define H2_CONTINUATIONS        8
#define H2_CONTINUATIONS_CLIENT 64 /* a long answer is refused by its size, and alone */
#define H2_OUTBOUND_ACKS        1000
#define H2_SETTINGS_ENTRIES     100

/* Informational responses per stream (103 flood of a hostile upstream). */
#define H2_INFORMATIONAL_RESPONSES 8

struct h2_limits {
    uint32_t max_concurrent_streams; /* that the peer may open; 0 for a client (push is off) */
    uint32_t stream_window_bytes;
    uint32_t connection_window_bytes; /* advertised */
    uint32_t header_block_bytes;      /* advertised; 0: H2_HEADER_BLOCK_BYTES */
    uint32_t header_fields;           /* 0: H2_HEADER_FIELDS */
    const char *header_path; /* those two are for requests of this path alone; NULL: for every
                              * block; borrowed */
    /* Borrowed, may be NULL: the bytes that wait to be sent, summed over all sessions that name it,
     * all of one thread. */
    size_t *queued_total;
};

/* For a side that accepts connections, and for one that makes them. */
#define H2_LIMITS_SERVER                                                                           \
    ((struct h2_limits){                                                                           \
        .max_concurrent_streams = H2_MAX_CONCURRENT_STREAMS_DEFAULT,                               \
        .stream_window_bytes = H2_STREAM_WINDOW_BYTES,                                             \
        .connection_window_bytes = H2_CONNECTION_WINDOW_BYTES,                                     \
    })
#define H2_LIMITS_CLIENT                                                                           \
    ((struct h2_limits){                                                                           \
        .max_concurrent_streams = 0,                                                               \
        .stream_window_bytes = H2_STREAM_WINDOW_BYTES,                                             \
        .connection_window_bytes = H2_CONNECTION_WINDOW_BYTES,                                     \
    })

#endif

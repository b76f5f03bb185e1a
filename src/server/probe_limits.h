/* What the probe service does for a client at most, in one place: whoever asks for more is told
 * RESOURCE_EXHAUSTED, with the number. The sizes of its messages are in rpc/probe.h. */
#ifndef GRPCROUTE_SERVER_PROBE_LIMITS_H
#define GRPCROUTE_SERVER_PROBE_LIMITS_H

/* Run streams that are open at once. A run of `limits` looks for a wall of 2000 on two connections
 * at a time, and two may run; one connection alone does not take all. */
#define PROBE_STREAMS                8192
#define PROBE_STREAMS_PER_CONNECTION 2048
/* Run streams that one connection may begin: a run at once, then so many each second. */
#define PROBE_STARTS_BURST      4096
#define PROBE_STARTS_PER_SECOND 256

/* Header blocks of Run: what `limits` tries on a path, and what proxies add. One block at a time is
 * read of a connection. */
#define PROBE_HEADER_BLOCK_BYTES (96 * 1024)
#define PROBE_HEADER_FIELDS      400

/* What is sent, in messages, by one stream, over one connection, and of all: so much at once, and
 * so much each second. A message counts as PROBE_MESSAGE_COST_BYTES at least, as a small one is
 * work, too. */
#define PROBE_STREAM_BURST_BYTES          (8 * 1024 * 1024)
#define PROBE_STREAM_BYTES_PER_SECOND     (8 * 1024 * 1024)
#define PROBE_CONNECTION_BURST_BYTES      (32 * 1024 * 1024)
#define PROBE_CONNECTION_BYTES_PER_SECOND (16 * 1024 * 1024)
#define PROBE_TOTAL_BURST_BYTES           (64 * 1024 * 1024)
#define PROBE_TOTAL_BYTES_PER_SECOND      (32 * 1024 * 1024)
#define PROBE_MESSAGE_COST_BYTES          1024
/* What waits of one stream; it makes more when that has gone. */
#define PROBE_QUEUE_BYTES (8 * 1024)

/* Metadata is under no flow control, so it has a budget of its own, of all streams. */
#define PROBE_METADATA_BURST_BYTES      (4 * 1024 * 1024)
#define PROBE_METADATA_BYTES_PER_SECOND (1024 * 1024)
#define PROBE_PAD_FIELDS                480
#define PROBE_PAD_BYTES                 (80 * 1024)
#define PROBE_PAD_FIELD_BYTES           (60 * 1024) /* nghttp2 reads no field above 64 KiB */

/* GOAWAYs of all connections: others may share one through a proxy. So many at once, one each
 * PROBE_GOAWAY_S. */
#define PROBE_GOAWAY_BURST 32
#define PROBE_GOAWAY_S     2

/* The longest life of a stream, above the longest --within of `limits`, and how long a reset waits
 * for what is to be sent before it. */
#define PROBE_LIFE_MS       (25 * 3600 * 1000)
#define PROBE_RESET_WAIT_MS 5000
/* How long an end waits for a client that does not read what is before it. */
#define PROBE_END_WAIT_MS (10 * 60 * 1000)

/* Streams that Seen can tell of; the one that ended first is forgotten first. More than
 * PROBE_STREAMS, so that no open one is. And what is kept of the binary metadata of each. */
#define PROBE_RECORDS             16384
#define PROBE_REFUSED_BURST       256 /* of them, streams that found no room, at once ... */
#define PROBE_REFUSED_PER_SECOND  64
#define PROBE_RECORD_FIELDS       8
#define PROBE_RECORD_FIELDS_BYTES 1024

#endif

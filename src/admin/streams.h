/* The live streams, for /streams: searched, in the order of their numbers, a page at a time. */
#ifndef GRPCROUTE_ADMIN_STREAMS_H
#define GRPCROUTE_ADMIN_STREAMS_H

/* Rows of a page; a thousand take a few milliseconds and 300 kB. */
#define ADMIN_STREAMS_DEFAULT 1000
#define ADMIN_STREAMS_MAX     1000

struct buf;
struct relay;
struct streams_query; /* relay/streams.h */

/* Writes JSON: the rows, and as "next" what `after` the following page needs, null on the last one.
 * A stream that lives throughout is on exactly one page. Each worker's mutex is held for a bounded
 * number of streams at a time; JSON is made outside of it. */
void admin_streams_json(struct relay *relay, const struct streams_query *query, struct buf *out);

#endif

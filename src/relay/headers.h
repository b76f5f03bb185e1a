/* Which requests and fields pass the relay, and owned requests. Pure. */
#ifndef GRPCROUTE_RELAY_HEADERS_H
#define GRPCROUTE_RELAY_HEADERS_H

#include "h2/limits.h"
#include "h2/session.h"
#include "route/table.h"
#include "rpc/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Requests larger than this are refused here: what is added on the way, and the endpoint's own way
 * to count, must not make the block pass a limit whose excess ends a connection. */
#define RELAY_HEADER_MARGIN_BYTES 512

/* Fields that a modifier of the routes may put into a block. */
#define RELAY_HEADER_ADDED_MAX (2 * ROUTE_CHANGES_MAX)

/* Why a request does not go on. */
struct headers_refusal {
    enum rpc_code code;
    const char *http_status; /* for who does not speak gRPC */
    const char *reason;      /* static */
};

/* Checks all that an endpoint may take amiss of the connection although nghttp2 lets it through
 * (RFC 9113 section 8, gRPC PROTOCOL-HTTP2 Requests). Returns true when the request may go on. */
bool headers_check(const struct h2_block *block, struct headers_refusal *ret_refusal);

/* What x-forwarded-client-cert says of a client is for us to say. */
struct headers_identity {
    const char *text; /* NULL: nothing */
};

/* An owned request as it goes to an endpoint; one allocation holds fields and texts. */
struct headers_request {
    struct h2_header *fields;
    size_t count;
    size_t bytes; /* that it takes in memory */
};

/* Makes it from a request's block: connection-specific fields, http2-settings and proxy-* go (RFC
 * 9113 section 8.2.2), so does content-length; `te: trailers` is written anew; `host` goes when
 * there is an :authority and becomes it otherwise (gRFC A41); then `modifier` is applied, and
 * `identity` (NULL: none). Returns
 * NULL when it is too large for an endpoint; free() frees it. */
struct headers_request *headers_make_request(const struct h2_block *block,
                                             const struct route_modifier *modifier,
                                             const struct headers_identity *identity);

/* Applies `modifier` to `count` fields, with room for RELAY_HEADER_ADDED_MAX more; what is put in
 * is borrowed from it. Returns how many there are. */
size_t headers_modify(const struct route_modifier *modifier, struct h2_header *fields,
                      size_t count);

/* Whether a block is as large as one that we take may be. */
bool headers_fit(const struct h2_header *fields, size_t count);

/* Fills `out` (room for block->count) with the fields of a response or of its trailers that pass;
 * returns how many. */
size_t headers_pass(const struct h2_block *block, struct h2_header *out);

/* The number that the first field of a name holds; -1: there is no such field, or it holds no
 * number up to `max`. */
int headers_number(const struct h2_header *fields, size_t count, const char *name, int max);

#endif

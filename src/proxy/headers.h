/* Which header fields pass the proxy, and owned copies of a block. Pure. */
#ifndef GRPCROUTE_PROXY_HEADERS_H
#define GRPCROUTE_PROXY_HEADERS_H

#include "h2/session.h"

#include <stdbool.h>
#include <stddef.h>

/* An owned copy; one allocation holds fields and texts. */
struct proxy_headers {
    struct h2_header *fields;
    size_t count;
};

/* Copies the fields of a request that may pass on: connection-specific fields, http2-settings and proxy-* go (RFC 9113 section
 * 8.2.2), `host` goes when there is an :authority and becomes it otherwise (gRFC A41). free() frees the copy. */
struct proxy_headers *proxy_headers_copy(const struct h2_block *block);

/* Fills `out` (room for block->count) with the fields of a response or of trailers that may pass on; returns how many. */
size_t proxy_headers_filter(const struct h2_block *block, struct h2_header *out);

/* Checks what nghttp2 lets through: the path's characters, user information in :authority, CONNECT. Returns NULL, or a static
 * sentence on what is wrong. */
const char *proxy_headers_check(const struct h2_block *block);

#endif

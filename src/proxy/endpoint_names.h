/* The endpoints of a cluster by name, taken before and after a change, to say which came and
 * went. */
#ifndef GRPCROUTE_PROXY_ENDPOINT_NAMES_H
#define GRPCROUTE_PROXY_ENDPOINT_NAMES_H

#include "net/resolve.h"

#include <stddef.h>

struct cluster;

struct proxy_endpoint_names {
    char (*names)[NET_ADDRESS_TEXT_BYTES]; /* owned */
    size_t count;
};

/* Freed by proxy_endpoint_names_free(). */
void proxy_endpoint_names_take(struct proxy_endpoint_names *names, struct cluster *cluster);
void proxy_endpoint_names_free(struct proxy_endpoint_names *names);

/* "; new 10.0.0.3:50051; gone 10.0.0.1:50051, 10.0.0.2:50051", a few of each, "" for no change.
 * Returns `out`. */
char *proxy_endpoint_names_changes(const struct proxy_endpoint_names *before,
                                   const struct proxy_endpoint_names *after, char *out,
                                   size_t out_bytes);

#endif

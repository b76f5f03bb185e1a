/* What the admin port shows beside numbers. */
#ifndef GRPCROUTE_PROXY_ADMIN_VIEWS_H
#define GRPCROUTE_PROXY_ADMIN_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMIN_STREAMS_DEFAULT 1000
#define ADMIN_STREAMS_MAX 10000

struct buf;
struct proxy;

/* Envoy's "cluster::endpoint::key::value" lines; the same as JSON. */
void admin_clusters_text(struct proxy *proxy, struct buf *out);
void admin_clusters_json(struct proxy *proxy, struct buf *out);

/* "grpc::0.0.0.0:8443" lines, or JSON. */
void admin_listeners(struct proxy *proxy, bool json, struct buf *out);

/* Settings and rules in force, as JSON; no keys. */
void admin_config_dump(struct proxy *proxy, struct buf *out);
void admin_server_info(struct proxy *proxy, const char *state, struct buf *out);

/* Up to `limit` live streams with a number above `after`, in the order of their numbers per worker, as JSON. Copies under each worker's mutex,
 * formats outside it. */
void admin_streams_json(struct proxy *proxy, uint64_t after, size_t limit, struct buf *out);

#endif

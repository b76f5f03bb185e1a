/* What the admin port shows beside numbers. */
#ifndef GRPCROUTE_ADMIN_VIEWS_H
#define GRPCROUTE_ADMIN_VIEWS_H

#include <stdbool.h>

struct buf;
struct relay;

/* "grpc::0.0.0.0:8443" lines, or JSON. */
void admin_listeners(struct relay *relay, bool json, struct buf *out);

/* Settings and rules in force, as JSON; no keys. */
void admin_config_dump(struct relay *relay, struct buf *out);
void admin_server_info(struct relay *relay, const char *state, struct buf *out);

#endif

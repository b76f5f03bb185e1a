/* probe.ProbeService: streams that do as their scripts say, and what was seen of them. Who asks for
 * more than probe_limits.h allows is told so. */
#ifndef GRPCROUTE_SERVER_PROBE_H
#define GRPCROUTE_SERVER_PROBE_H

#include "server/probe_budget.h"
#include "server/probe_seen.h"

#include "base/metrics.h"
#include "net/error.h"
#include "rpc/server.h"

#define PROBE_ENDS 8 /* of enum rpc_probe_end */

/* The service; the `probe` of a struct server, which is every call's server user. */
struct server_probe {
    const char *server_id; /* borrowed */
    struct server_probe_records records;
    size_t stream_count;
    struct server_probe_budget bytes;
    struct server_probe_budget metadata;
    struct server_probe_budget goaways;
    struct server_probe_budget refused; /* that Seen can tell of */

    uint64_t ended[PROBE_ENDS];
    uint64_t messages_received;
    uint64_t messages_sent;
    uint64_t asked; /* Seen */
};

void server_probe_init(struct server_probe *probe, const char *server_id);
/* When the server's connections are gone. */
void server_probe_deinit(struct server_probe *probe);
void server_probe_metrics(const struct server_probe *probe, const char *server_version,
                          struct metrics *out);

/* The two methods, for a table of them. */
extern const struct rpc_method server_probe_run_method;
extern const struct rpc_method server_probe_seen_method;
/* rpc_server_config's on_connection_closed. */
void server_probe_connection_closed(void *server, void *connection_user,
                                    const struct net_error *why);

#endif

/* --routes, --endpoints, and the certificate of who listens: options that commands share, from
 * texts to things. */
#ifndef GRPCROUTE_ROLE_ROUTES_H
#define GRPCROUTE_ROLE_ROUTES_H

#include "cli/options.h"
#include "route/table.h"

/* What a value of --endpoints looks like. */
#define ROLE_ENDPOINTS_ARGUMENT "NAME=HOST:PORT[,HOST:PORT...]"
/* Of a file that holds such values. */
#define ROLE_ENDPOINTS_FILE_BYTES (1024 * 1024)

/* The table of --routes, for route_table_free(); the built-in one where `path` is NULL. NULL after
 * one line on standard error. */
struct route_table *role_routes_load(const char *command, const char *path);

/* The same for checks, which pass over what bears on no stream's way, with a note for each. */
struct route_table *role_routes_load_for_checks(const char *command, const char *path);

/* Takes the addresses of `--endpoints` for a cluster, an index into the table's; once for each.
 * Borrowed until it returns. */
typedef void role_endpoints_take(void *user, size_t cluster, const struct text_address *addresses,
                                 size_t count);

/* Hands the values of --endpoints on, at most `max` addresses each. A value `@FILE` stands for the
 * lines of that file, a value in each; empty ones and those that begin with # are passed over. A
 * second value for a cluster, wherever it stands, is refused, as one of both would be lost.
 * `again`: the routes were others at the start, so that a value of the command line may name a
 * backend that they do not have any more, and is passed over. Returns 0, or -1 with a line in
 * `ret_error`. */
int role_endpoints_apply(const struct cli_list *values, const struct route_table *routes,
                         bool again, size_t max, role_endpoints_take *take, void *user,
                         struct route_error *ret_error);

/* The file of a value that stands for one, borrowed from it, or NULL. */
const char *role_endpoints_file(const char *value);

struct net_tls;

/* What who listens shows, of --cert and --key; for net_tls_free(). NULL after one line on standard
 * error. */
struct net_tls *role_certificate_load(const char *command, const char *cert, const char *key);

#endif

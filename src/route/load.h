/* Where tables come from: files, and the built-in one. */
#ifndef GRPCROUTE_ROUTE_LOAD_H
#define GRPCROUTE_ROUTE_LOAD_H

#include "route/table.h"

/* As route_table_parse(), with the text of a file of at most ROUTE_FILE_BYTES. */
int route_table_load_file(const char *path, struct route_table **ret,
                          struct route_error *ret_error);

/* The same as route_table_parse_for_checks(). */
int route_table_load_file_for_checks(const char *path, struct route_table **ret,
                                     struct route_error *ret_error);

/* The built-in routes, which deploy/routes/grpcroute.yaml holds: v2.* to server-v2, v1.* and
 * everything else to server-v1. */
struct route_table *route_table_default(void);

#endif

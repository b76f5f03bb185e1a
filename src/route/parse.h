/* From YAML to a table. Pure. */
#ifndef GRPCROUTE_ROUTE_PARSE_H
#define GRPCROUTE_ROUTE_PARSE_H

#include "route/table.h"

/* Exactly one GRPCRoute document must be there; documents of other kinds are passed over. `name` is
 * what the error calls the text. Returns 0 with a table for route_table_free(), or 1 with
 * `ret_error`. */
int route_table_parse(const char *bytes, size_t len, const char *name, struct route_table **ret,
                      struct route_error *ret_error);

#endif

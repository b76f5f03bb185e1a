/* From YAML to a table. Pure. */
#ifndef GRPCROUTE_ROUTE_PARSE_H
#define GRPCROUTE_ROUTE_PARSE_H

#include "route/table.h"

/* Documents and items of Lists, at least one of them a GRPCRoute; other kinds are passed over.
 * `name` is what the error calls the text. Returns 0 with a table for route_table_free(), or 1 with
 * `ret_error`. */
int route_table_parse(const char *bytes, size_t len, const char *name, struct route_table **ret,
                      struct route_error *ret_error);

/* The same for who expects what another proxy does: what bears on no stream's way and is not known
 * becomes one of the table's notes. */
int route_table_parse_for_checks(const char *bytes, size_t len, const char *name,
                                 struct route_table **ret, struct route_error *ret_error);

#endif

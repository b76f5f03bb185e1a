/* What follows from the rules of a table, computed once. Inside route/ only; pure. */
#ifndef GRPCROUTE_ROUTE_DERIVE_H
#define GRPCROUTE_ROUTE_DERIVE_H

struct route_table;

/* Fills clusters, header_names and hosts of a table whose rules are complete. Returns NULL, or what
 * is too much. */
const char *route_derive(struct route_table *table);

#endif

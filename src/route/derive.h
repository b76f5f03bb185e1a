/* What follows from the rules of a table, computed once. Inside route/ only; pure. */
#ifndef GRPCROUTE_ROUTE_DERIVE_H
#define GRPCROUTE_ROUTE_DERIVE_H

struct route_table;

/* Fills clusters, header_names and candidates of a table whose rules are complete. Returns 0, or 1
 * when there are more than ROUTE_HEADER_NAMES_MAX header names. */
int route_derive(struct route_table *table);

#endif

/* What an unquoted YAML scalar is to the parsers of Kubernetes (YAML 1.1 core types). Inside route/
 * only; pure. */
#ifndef GRPCROUTE_ROUTE_SCALAR_H
#define GRPCROUTE_ROUTE_SCALAR_H

enum scalar_type { SCALAR_TEXT, SCALAR_NULL, SCALAR_BOOLEAN, SCALAR_NUMBER };

enum scalar_type scalar_type_of(const char *text);

#endif

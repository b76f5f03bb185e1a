/* What the Gateway API's CRDs let names look like. Inside route/ only; pure. */
#ifndef GRPCROUTE_ROUTE_NAMES_H
#define GRPCROUTE_ROUTE_NAMES_H

#include <stdbool.h>

/* RFC 1123 label: 1 to 63 lower case letters, digits and '-', a letter or digit at both ends. */
bool names_is_label(const char *name);

/* RFC 1123 subdomain: labels joined by dots, at most 253 characters. */
bool names_is_subdomain(const char *name);

/* A subdomain, also behind "*."; not an IPv4 address (an IPv6 address is no subdomain). */
bool names_is_hostname(const char *name);

/* RFC 9110 section 5.6.2 token of at most 256 characters. */
bool names_is_header(const char *name);

/* "pkg.Service" and "Method" of an Exact match (the CRD's patterns), at most ROUTE_METHOD_MAX
 * characters. */
bool names_is_service(const char *name);
bool names_is_method(const char *name);

/* What completes a complaint about a label or subdomain that is none. */
#define NAMES_LABEL_EXPECTED                                                                       \
    "is not a name of at most 63 lower case letters, digits and '-', with a letter or digit at "   \
    "both ends"
#define NAMES_SUBDOMAIN_EXPECTED                                                                   \
    "is not a name of lower case letters, digits, '-' and '.', with a letter or digit at both "    \
    "ends"

#endif

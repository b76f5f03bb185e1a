/* A GRPCRoute (gateway.networking.k8s.io/v1) as a table of rules: read from YAML, checked,
 * immutable, safe to share by threads. */
#ifndef GRPCROUTE_ROUTE_TABLE_H
#define GRPCROUTE_ROUTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limits of the CRD (Gateway API v1, GRPCRoute). */
#define ROUTE_HOSTNAMES_MAX     16
#define ROUTE_PARENTS_MAX       32
#define ROUTE_RULES_MAX         16
#define ROUTE_MATCHES_MAX       64  /* of a rule */
#define ROUTE_MATCHES_TOTAL_MAX 128 /* of all rules together */
#define ROUTE_HEADERS_MAX       16
#define ROUTE_BACKENDS_MAX      16
#define ROUTE_WEIGHT_MAX        1000000
#define ROUTE_METHOD_MAX        1024 /* characters of a service or method */
#define ROUTE_VALUE_MAX         4096 /* characters of a header's value */
/* Our own. */
#define ROUTE_FILE_BYTES       (1024 * 1024)
#define ROUTE_ERROR_BYTES      1024
#define ROUTE_HEADER_NAMES_MAX 64 /* different header names in all matches */

struct route_regex;

/* Exact: the same bytes. RegularExpression: the whole value matches. */
struct route_pattern {
    char *value;               /* owned; NULL: anything */
    struct route_regex *regex; /* owned; NULL: exact */
};

struct route_header_match {
    char *name;   /* owned, lower case */
    size_t index; /* of the name in the table's header_names */
    struct route_pattern pattern;
};

struct route_match {
    struct route_pattern service;
    struct route_pattern method;
    struct route_header_match headers[ROUTE_HEADERS_MAX];
    size_t header_count;
};

/* One Service and port, however many backendRefs name it. */
struct route_cluster {
    char *name; /* owned; unique: the host, with ":PORT" where the routes use several ports of it */
    char *host; /* owned; "SERVICE", or "SERVICE.NAMESPACE" outside the route's own namespace */
    uint16_t port;
};

struct route_backend {
    char *name;      /* owned; the name of a Service */
    char *namespace; /* owned; NULL: the route's own */
    uint16_t port;
    uint32_t weight;
    const struct route_cluster *cluster; /* borrowed from the table */
};

struct route_rule {
    char *name;                  /* owned; NULL: none */
    struct route_match *matches; /* owned array; none: matches everything */
    size_t match_count;
    struct route_backend backends[ROUTE_BACKENDS_MAX];
    size_t backend_count;
};

/* One way into a rule. */
struct route_candidate {
    const struct route_rule *rule;
    const struct route_match *match; /* NULL: the rule has no matches and takes everything */
};

struct route_table {
    char *source;                         /* owned; the YAML text */
    char *name;                           /* owned; metadata.name, NULL: none */
    char *namespace;                      /* owned; metadata.namespace, NULL: none */
    char *hostnames[ROUTE_HOSTNAMES_MAX]; /* owned, lower case */
    size_t hostname_count;
    struct route_rule rules[ROUTE_RULES_MAX];
    size_t rule_count;

    /* Made from the rules when all of them are there. */
    struct route_cluster *clusters; /* owned array, in the order of the rules */
    size_t cluster_count;
    const char *header_names[ROUTE_HEADER_NAMES_MAX]; /* borrowed from the matches */
    size_t header_name_count;
    struct route_candidate *candidates; /* owned array, most specific first */
    size_t candidate_count;
};

struct route_error {
    /* One line: "routes.yaml:12: spec.rules[0].matches[0].headers[0].type: ..." */
    char text[ROUTE_ERROR_BYTES];
};

/* Accepts NULL and half-built tables. */
void route_table_free(struct route_table *table);

const char *route_table_source(const struct route_table *table);

#endif

/* GRPCRoutes (gateway.networking.k8s.io/v1) as a table of rules: read from YAML, checked,
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
#define ROUTE_VERSION_BYTES     16 /* of a server: "v1" */
#define ROUTE_WEIGHT_MAX        1000000
#define ROUTE_METHOD_MAX        1024 /* characters of a service or method */
#define ROUTE_VALUE_MAX         4096 /* characters of a header's value */
#define ROUTE_FILTERS_MAX       16
#define ROUTE_CHANGES_MAX       16 /* in each of set, add and remove */
/* Our own. */
#define ROUTE_OBJECTS_MAX      64  /* GRPCRoutes in a file */
#define ROUTE_RULES_TOTAL_MAX  256 /* in all of them */
#define ROUTE_CANDIDATES_MAX   16384
#define ROUTE_NOTES_MAX        20
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

enum route_change_kind {
    ROUTE_HEADER_SET,    /* the only value from now on */
    ROUTE_HEADER_ADD,    /* one value more */
    ROUTE_HEADER_REMOVE, /* all values go */
};

struct route_change {
    enum route_change_kind kind;
    char *name;  /* owned, lower case; in one change of its modifier only */
    char *value; /* owned; NULL: removed */
};

/* A RequestHeaderModifier or ResponseHeaderModifier. */
struct route_modifier {
    struct route_change *changes; /* owned array of at most 3 * ROUTE_CHANGES_MAX */
    size_t count;
};

/* One GRPCRoute of the file. */
struct route_object {
    size_t order;    /* in the file */
    char *name;      /* owned; metadata.name, NULL: none */
    char *namespace; /* owned; metadata.namespace, NULL: none */
    char *id;        /* owned; "namespace/name", by which objects are told apart and sorted */
    char *created;   /* owned; metadata.creationTimestamp, NULL: none */
    char *hostnames[ROUTE_HOSTNAMES_MAX]; /* owned, lower case */
    size_t hostname_count;                /* none: any host */
    size_t rule_count;
    size_t match_count; /* of all rules */
};

struct route_rule {
    const struct route_object *object; /* borrowed from the table */
    size_t number;                     /* in its object, from 0 */
    char *name;                        /* owned; NULL: none */
    struct route_match *matches;       /* owned array; none: matches everything */
    size_t match_count;
    struct route_backend backends[ROUTE_BACKENDS_MAX];
    size_t backend_count;
    /* What route_rule_versions() says. */
    char versions[ROUTE_BACKENDS_MAX][ROUTE_VERSION_BYTES];
    size_t version_count;
    struct route_modifier request;
    struct route_modifier response;
};

/* One way into a rule. */
struct route_candidate {
    const struct route_rule *rule;
    const struct route_match *match; /* NULL: the rule has no matches and takes everything */
    const char *hostname;            /* by which it is here; NULL: its object is for any host */
};

/* The hosts whose requests are decided alike. */
struct route_host {
    const char **names; /* owned array, borrowed from the objects; none: any host */
    size_t name_count;
    struct route_candidate *candidates; /* owned array, the one that goes first is first */
    size_t candidate_count;
};

/* What a check passed over: it bears on no stream's way. */
struct route_notes {
    char *texts[ROUTE_NOTES_MAX]; /* owned; as the text of an error */
    size_t count;
    size_t more; /* that found no room */
};

struct route_table {
    char *source;                                    /* owned; the YAML text */
    struct route_object *objects[ROUTE_OBJECTS_MAX]; /* owned */
    size_t object_count;
    struct route_rule *rules; /* owned array; of all objects in the order of the file */
    size_t rule_count;
    struct route_notes notes;

    /* Made from the rules when all of them are there. */
    struct route_cluster *clusters; /* owned array, in the order of the rules */
    size_t cluster_count;
    const char *header_names[ROUTE_HEADER_NAMES_MAX]; /* borrowed from the matches */
    size_t header_name_count;
    /* A host's first entry is its most specific one; it has all candidates for that host. */
    struct route_host *hosts; /* owned array */
    size_t host_count;
};

struct route_error {
    /* One line: "routes.yaml:12: spec.rules[0].matches[0].headers[0].type: ..." */
    char text[ROUTE_ERROR_BYTES];
};

/* Accepts NULL and half-built tables. */
void route_table_free(struct route_table *table);

const char *route_table_source(const struct route_table *table);

/* Whether a rule changes headers of requests or answers. */
bool route_table_has_modifiers(const struct route_table *table);

/* Room for the label of any rule: a namespace, two names of Kubernetes and a number. */
#define ROUTE_LABEL_BYTES 640

/* The rule as metrics and logs name it: "NAMESPACE/NAME/RULE" or "NAME/RULE"; what has no name is
 * known by its place: "#0[2]". No name has these characters in it. */
void route_rule_label(const struct route_rule *rule, char out[static ROUTE_LABEL_BYTES]);

#endif

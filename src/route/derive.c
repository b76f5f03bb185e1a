#include "route/derive.h"

#include "base/mem.h"
#include "route/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- clusters -------------------------------------------------------------------------------- */

/* Returns the DNS name of the backend's Service, owned by the caller. */
static char *host_of(const struct route_table *table, const struct route_backend *backend)
{
    if (backend->namespace == NULL ||
        (table->namespace != NULL && strcmp(backend->namespace, table->namespace) == 0)) {
        return mem_strdup(backend->name);
    }
    size_t bytes = strlen(backend->name) + strlen(backend->namespace) + 2;
    char *host = mem_calloc(bytes, 1);
    snprintf(host, bytes, "%s.%s", backend->name, backend->namespace);
    return host;
}

/* The cluster of the backend, added when it is new. */
static struct route_cluster *cluster_of(struct route_table *table,
                                        const struct route_backend *backend)
{
    char *host = host_of(table, backend);
    for (size_t i = 0; i < table->cluster_count; i++) {
        struct route_cluster *cluster = &table->clusters[i];
        if (cluster->port == backend->port && strcmp(cluster->host, host) == 0) {
            free(host);
            return cluster;
        }
    }
    struct route_cluster *cluster = &table->clusters[table->cluster_count++];
    cluster->host = host;
    cluster->port = backend->port;
    return cluster;
}

static char *cluster_name(const struct route_table *table, const struct route_cluster *cluster)
{
    size_t ports = 0;
    for (size_t i = 0; i < table->cluster_count; i++) {
        ports += strcmp(table->clusters[i].host, cluster->host) == 0;
    }
    if (ports == 1) {
        return mem_strdup(cluster->host);
    }
    size_t bytes = strlen(cluster->host) + sizeof(":65535");
    char *name = mem_calloc(bytes, 1);
    snprintf(name, bytes, "%s:%u", cluster->host, (unsigned)cluster->port);
    return name;
}

static void derive_clusters(struct route_table *table)
{
    table->clusters = mem_calloc(ROUTE_RULES_MAX * ROUTE_BACKENDS_MAX, sizeof(*table->clusters));
    for (size_t i = 0; i < table->rule_count; i++) {
        struct route_rule *rule = &table->rules[i];
        for (size_t k = 0; k < rule->backend_count; k++) {
            rule->backends[k].cluster = cluster_of(table, &rule->backends[k]);
        }
    }
    for (size_t i = 0; i < table->cluster_count; i++) {
        table->clusters[i].name = cluster_name(table, &table->clusters[i]);
    }
}

/* ---- header names ---------------------------------------------------------------------------- */

static int index_header(struct route_table *table, struct route_header_match *header)
{
    size_t i = 0;
    while (i < table->header_name_count && strcmp(table->header_names[i], header->name) != 0) {
        i++;
    }
    if (i == ROUTE_HEADER_NAMES_MAX) {
        return 1;
    }
    if (i == table->header_name_count) {
        table->header_names[table->header_name_count++] = header->name;
    }
    header->index = i;
    return 0;
}

static int index_match(struct route_table *table, struct route_match *match)
{
    for (size_t i = 0; i < match->header_count; i++) {
        if (index_header(table, &match->headers[i]) != 0) {
            return 1;
        }
    }
    return 0;
}

static int derive_header_names(struct route_table *table)
{
    for (size_t i = 0; i < table->rule_count; i++) {
        for (size_t k = 0; k < table->rules[i].match_count; k++) {
            if (index_match(table, &table->rules[i].matches[k]) != 0) {
                return 1;
            }
        }
    }
    return 0;
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* How specific a pattern is: longer is more, and any exact one more than any regular expression,
 * whose length says little. */
static size_t specificity(const struct route_pattern *pattern)
{
    if (pattern->value == NULL) {
        return 0;
    }
    return strlen(pattern->value) + (pattern->regex == NULL ? ROUTE_METHOD_MAX : 0);
}

/* True when `a` goes before `b` whatever their places in the file: the longest service, then the
 * longest method, then the most headers (Gateway API, GRPCRouteRule). */
static bool outranks(const struct route_match *a, const struct route_match *b)
{
    static const struct route_match everything;
    a = a != NULL ? a : &everything;
    b = b != NULL ? b : &everything;
    size_t service_a = specificity(&a->service);
    size_t service_b = specificity(&b->service);
    if (service_a != service_b) {
        return service_a > service_b;
    }
    size_t method_a = specificity(&a->method);
    size_t method_b = specificity(&b->method);
    if (method_a != method_b) {
        return method_a > method_b;
    }
    return a->header_count > b->header_count;
}

/* Inserts behind all that are as specific, so that the file's order decides between them. */
static void add_candidate(struct route_table *table, const struct route_rule *rule,
                          const struct route_match *match)
{
    size_t at = table->candidate_count++;
    for (; at > 0 && outranks(match, table->candidates[at - 1].match); at--) {
        table->candidates[at] = table->candidates[at - 1];
    }
    table->candidates[at] = (struct route_candidate){rule, match};
}

static void derive_candidates(struct route_table *table)
{
    table->candidates =
        mem_calloc(ROUTE_MATCHES_TOTAL_MAX + ROUTE_RULES_MAX, sizeof(*table->candidates));
    for (size_t i = 0; i < table->rule_count; i++) {
        const struct route_rule *rule = &table->rules[i];
        for (size_t k = 0; k < rule->match_count; k++) {
            add_candidate(table, rule, &rule->matches[k]);
        }
        if (rule->match_count == 0) {
            add_candidate(table, rule, NULL);
        }
    }
}

int route_derive(struct route_table *table)
{
    derive_clusters(table);
    derive_candidates(table);
    return derive_header_names(table);
}

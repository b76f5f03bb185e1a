#include "route/derive.h"

#include "base/mem.h"
#include "route/expect.h"
#include "route/hosts.h"
#include "route/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* ---- clusters -------------------------------------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL ? strcmp(a, b) == 0 : a == b;
}

/* Whether a name without namespace could be two Services. */
static bool spans_namespaces(const struct route_table *table)
{
    for (size_t i = 1; i < table->object_count; i++) {
        if (!is_same(table->objects[i]->namespace, table->objects[0]->namespace)) {
            return true;
        }
    }
    return false;
}

/* Returns the DNS name of the backend's Service, owned by the caller. */
static char *host_of(const struct route_table *table, const struct route_rule *rule,
                     const struct route_backend *backend)
{
    const char *own = rule->object->namespace;
    const char *namespace = backend->namespace != NULL ? backend->namespace : own;
    if (namespace == NULL || (is_same(namespace, own) && !spans_namespaces(table))) {
        return mem_strdup(backend->name);
    }
    size_t bytes = strlen(backend->name) + strlen(namespace) + 2;
    char *host = mem_calloc(bytes, 1);
    snprintf(host, bytes, "%s.%s", backend->name, namespace);
    return host;
}

/* The cluster of the backend, added when it is new. */
static struct route_cluster *cluster_of(struct route_table *table, const struct route_rule *rule,
                                        const struct route_backend *backend)
{
    char *host = host_of(table, rule, backend);
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
    table->clusters = mem_calloc(table->rule_count * ROUTE_BACKENDS_MAX, sizeof(*table->clusters));
    for (size_t i = 0; i < table->rule_count; i++) {
        struct route_rule *rule = &table->rules[i];
        for (size_t k = 0; k < rule->backend_count; k++) {
            rule->backends[k].cluster = cluster_of(table, rule, &rule->backends[k]);
        }
        rule->version_count = route_rule_versions(rule, rule->versions);
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

/* ---- all of it ------------------------------------------------------------------------------- */

const char *route_derive(struct route_table *table)
{
    derive_clusters(table);
    if (route_hosts_derive(table) != 0) {
        return "too many combinations of hostnames and matches in this file";
    }
    return derive_header_names(table) == 0 ? NULL
                                           : "the rules match on more than " TEXT_OF(
                                                 ROUTE_HEADER_NAMES_MAX) " different headers";
}
